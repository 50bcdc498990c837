"""CallContext: what is known about the call that is being served, and what goes out with a call.

The ambient context is a record of the thread. While a daemon serves a call, a context variable lies over it, so that
asyncio tasks of that call see it too. The thread's record is the fall-back because a context variable that a notebook
cell sets is gone in the next cell when the cell awaits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID
from weakref import WeakSet

__all__ = ["CallContext", "Resources", "ambient", "context_of_call", "current_context", "enter", "leave"]

Annotations = dict[str, bytes | bytearray | memoryview]

_resources_lock = threading.RLock()


class Resources:
    """Things to close when a client's connection ends, kept weakly. Most clients have none, and cost nothing."""

    __slots__ = ("_things",)

    def __init__(self) -> None:
        """Start without any."""
        self._things: WeakSet[Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._things or ()))

    def add(self, thing: Any) -> None:
        """Keep a thing."""
        # Calls of one client may run at the same time.
        with _resources_lock:
            if self._things is None:
                self._things = WeakSet()
            self._things.add(thing)

    def discard(self, thing: Any) -> None:
        """Let go of a thing; nothing happens when it is not there."""
        with _resources_lock:
            if self._things is not None:
                self._things.discard(thing)


@dataclass(slots=True)
class CallContext:
    """The circumstances of one call.

    Attributes:
        client: the daemon's view of the client's connection, while a call is served.
        client_sock_addr: the client's socket address, while a call is served.
        seq: sequence number of the request.
        msg_flags: flag bits of the request, in its own dialect.
        serializer_id: number of the request's serializer, in its own dialect.
        annotations: annotations that came with the request; on a client, those that go out with each call.
        response_annotations: annotations for the reply; on a client, those of the last reply.
        correlation_id: id that ties together all calls made on behalf of one another.
        resources: things to close when the client's connection ends; see `track_resource`.
        listener: hears the news of calls that are made from here: each `Progress` and `Output` (see `pyronb.news`). It
            runs where the call is waited for; what it raises is logged, and does the call no harm. One that has a
            method `attend` can tell calls apart (see `pyronb.client.hearing`).
        side: what goes beside the call that is being served, once something does.
    """

    client: Any = None
    client_sock_addr: Any = None
    seq: int = 0
    msg_flags: int = 0
    serializer_id: int = 0
    annotations: Annotations = field(default_factory=dict)
    response_annotations: Annotations = field(default_factory=dict)
    correlation_id: UUID | None = None
    resources: Resources | None = None
    listener: Callable[[Any], Any] | None = None
    side: Any = None

    def track_resource(self, resource: Any) -> None:
        """Have `resource.close()` called when the client's connection ends.

        Raises:
            RuntimeError: no call is being served in this context.
        """
        self._resources().add(resource)

    def untrack_resource(self, resource: Any) -> None:
        """Take back `track_resource`."""
        self._resources().discard(resource)

    def to_global(self) -> dict[str, Any]:
        """Give all of it as a dict, for instance to take it to a thread that goes on with the call's work."""
        self.begin_side()
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def from_global(self, values: Mapping[str, Any]) -> None:
        """Take over what `to_global` gave; what is not in it stays as it is.

        Raises:
            AttributeError: there is a name in it that a context does not have.
        """
        for name, value in values.items():
            setattr(self, name, value)

    def begin_side(self) -> Any:
        """Give what goes beside the call that is being served; None when no call is."""
        if self.side is None and self.client is not None:
            begin = getattr(self.client, "begin_side", None)
            if begin is not None:
                begin(self)
        return self.side

    def _resources(self) -> Resources:
        if self.resources is None:
            raise RuntimeError("resources can only be tracked while a remote call is being served")
        return self.resources


def context_of_call(client: Any, seq: int, msg_flags: int, serializer_id: int) -> CallContext:
    """Make the context of a call of this client, with nothing beside it.

    It does what the constructor does, which takes three times as long; every call has a context, and few look at it.
    """
    made = _new(CallContext)
    made.client = client
    made.client_sock_addr = client.address
    made.seq = seq
    made.msg_flags = msg_flags
    made.serializer_id = serializer_id
    made.annotations = {}
    made.response_annotations = {}
    made.resources = client.resources
    made.correlation_id = made.listener = made.side = None
    return made


_new = object.__new__
_served: ContextVar[CallContext] = ContextVar("pyronb.served")
_thread = threading.local()


def ambient() -> CallContext:
    """Give the context of the moment itself; whoever looks at several of its fields asks once."""
    served = _served.get(None)
    if served is not None:
        return served
    try:
        own: CallContext = _thread.context
    except AttributeError:
        own = _thread.context = CallContext()
    return own


# Plain names for what the variable has: a call is served between the two.
enter: Callable[[CallContext], Token[CallContext]] = _served.set
"""Make this the context of the moment, while a call is served; `leave` ends it."""
leave: Callable[[Token[CallContext]], None] = _served.reset
"""Undo `enter`."""


class _Current:
    """Stands for the context of the moment: attributes are read from and written to it."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(ambient(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(ambient(), name, value)

    def __dir__(self) -> list[str]:
        return dir(CallContext)

    def __repr__(self) -> str:
        return f"<current_context {ambient()!r}>"


current_context: Any = _Current()
"""The context of the call that is being served, else of this thread."""
