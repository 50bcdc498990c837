"""Call, and what can become of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyronb.calls import CallRecord
from pyronb.wire.message import NO_ANNOTATIONS, Buffer, Message

__all__ = [
    "DAEMON_ID",
    "FUNCTION_PREFIX",
    "ITERATOR_PREFIX",
    "NAMESERVER_ID",
    "NEXT_ITEM",
    "NOTHING",
    "NO_WISHES",
    "Call",
    "Outcome",
    "Raised",
    "Returned",
    "StreamOpened",
    "Wishes",
]

DAEMON_ID = "Pyro.Daemon"
NAMESERVER_ID = "Pyro.NameServer"
NEXT_ITEM = "get_next_stream_item"
"""The method of the daemon's own object that gives the next item of a stream."""
FUNCTION_PREFIX = "function_"
"""Begins the id of an object that stands for a function: it has one method, ``call``."""
ITERATOR_PREFIX = "iterator_"
"""Begins the id of what stands for an iterator that was given to a call: it is the id of a stream as well."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How one call is to be made, where that differs from how its proxy makes calls.

    Attributes:
        timeout: seconds that the call may take; 0 waits for ever, and None leaves it to the proxy.
        output: whether to show what the call prints over there; None leaves it to the proxy.
        on_progress: hears each `Progress` of the call.
        listener: hears all news of the call, in the place of the context's own listener.
    """

    timeout: float | None = None
    output: bool | None = None
    on_progress: Callable[[Any], Any] | None = None
    listener: Callable[[Any], Any] | None = None


NO_WISHES = Wishes()


@dataclass(slots=True)
class Call:
    """One call: who is asked to do what with what.

    Attributes:
        object_id: id of the object; any object of the same daemon can be called over one connection; empty
            for the object that a link is for.
        method: name of the method.
        args: positional arguments; for a batch, the list of its calls as (method, args, kwargs).
        kwargs: named arguments; None in the pseudo-calls for batches and attributes, as real peers send it; for what
            arrives as a batch with rows of calls, see `pyronb.rpc.rows`.
        oneway: no reply is wanted.
        batch: the arguments are many calls.
        annotations: chunks of bytes that go beside the payload.
        correlation_id: 16 bytes that tie together calls made on behalf of one another, or None.
        note: the record of the call, where one was begun before it is said; see `pyronb.calls`.
        wishes: how it is to be made; they stay on the caller's side.
        lent: what takes back, when the call is over, what the other side can ask for until then.
        opening: the reply, where it opened a far stream; whoever gives the call up has to tell the daemon.
    """

    object_id: str
    method: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] | None = None
    oneway: bool = False
    batch: bool = False
    annotations: Mapping[str, Buffer] = field(default_factory=lambda: NO_ANNOTATIONS)
    correlation_id: bytes | None = None
    note: CallRecord | None = None
    wishes: Wishes = NO_WISHES
    lent: Sequence[Callable[[], None]] = ()
    opening: Message | None = None


@dataclass(slots=True)
class Returned:
    """The call gave a value; for a batch, the list of its results, a `BatchError` last if one failed."""

    value: Any
    annotations: Mapping[str, Buffer] = field(default_factory=lambda: NO_ANNOTATIONS)


@dataclass(slots=True)
class Raised:
    """The call raised; the exception has its remote traceback on it."""

    error: BaseException
    annotations: Mapping[str, Buffer] = field(default_factory=lambda: NO_ANNOTATIONS)


@dataclass(slots=True)
class StreamOpened:
    """The call gave an iterator, which stays over there; None as id means that the daemon does not stream."""

    stream_id: str | None
    annotations: Mapping[str, Buffer] = field(default_factory=lambda: NO_ANNOTATIONS)


Outcome = Returned | Raised | StreamOpened

NOTHING = Returned(None)
"""What becomes of a oneway call, as far as the caller learns."""
