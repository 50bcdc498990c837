"""Effects: what a procedure asks its driver to do, in imperatives.

A procedure is a generator. It yields an effect and is resumed with the answer, or with the exception that granting the
effect raised. One procedure so serves blocking sockets and asyncio alike.

Nobody compares effects, or looks at them: what need not be made for that spares time when the package is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pyronb.client.hearing import Hearing
from pyronb.client.link import Link
from pyronb.uri import URI
from pyronb.wire.connection import ClientConnection
from pyronb.wire.message import NO_ANNOTATIONS, Buffer

__all__ = [
    "Abandon",
    "After",
    "Broadcast",
    "Choose",
    "Connect",
    "Dial",
    "Effect",
    "HangUp",
    "Pause",
    "Procedure",
    "Reply",
    "Send",
    "has_ended",
]

T = TypeVar("T")


@dataclass(slots=True, eq=False, repr=False)
class Abandon:
    """Stop waiting for the answer to a request, which must never be taken for the answer to another one.

    A room with one call at a time closes the connection; a room with many drops that answer when it comes, and leaves
    the others alone.

    Attributes:
        link: the link.
        connection: the connection that the request belongs to; the link may have another one by now.
        seq: number of the request; None for a ping.
        sent: whether the request went out, as far as that is known.
        farewell: what to send first, which tells the peer so; the room empties it where there is nothing to tell.
        patience: seconds that may be waited for the answer after that.

    Gives:
        The answer, if it came after all, and nothing is owed; None when it did not; False when nobody waited, and the
        peer was told by the farewell or by hanging up.
    """

    link: Link
    connection: ClientConnection
    seq: int | None
    sent: bool
    farewell: Sequence[Buffer] = ()
    patience: float = 0.0


@dataclass(slots=True, eq=False, repr=False)
class After:
    """Give the moment that lies so many seconds ahead, on the driver's clock; it serves as deadline."""

    seconds: float


@dataclass(slots=True, eq=False, repr=False)
class Broadcast:
    """Ask the local network, and give the first answer that is of use; None when none came.

    Attributes:
        question: the datagram.
        addresses: where to.
        port: the port there.
        accept: makes something of an answer; None when it is of no use.
        rounds: how often to ask.
        patience: seconds to wait each time.
        deadline: moment at which waiting ends in any case.
    """

    question: bytes
    addresses: Sequence[str]
    port: int
    accept: Callable[[bytes], Any]
    rounds: int
    patience: float
    deadline: float | None


@dataclass(slots=True, eq=False, repr=False)
class Connect:
    """Have the link connected, by the procedure of that name; all who ask for it at one time share one attempt.

    The annotations go beside the greeting. After the deadline nobody waits any more.
    """

    link: Link
    annotations: Mapping[str, Buffer] = field(default_factory=lambda: NO_ANNOTATIONS)
    deadline: float | None = None


@dataclass(slots=True, eq=False, repr=False)
class Dial:
    """Connect the link to the place that this URI names.

    Raises (into the procedure):
        ConnectionClosedError: nobody answers there.
        TimeoutError: the deadline passed.
    """

    link: Link
    place: URI
    deadline: float | None


@dataclass(slots=True, eq=False, repr=False)
class Send:
    """Send buffers over the link's connection."""

    link: Link
    buffers: Sequence[Buffer]
    deadline: float | None


@dataclass(slots=True, eq=False, repr=False)
class Reply:
    """Give the event that answers: the `Replied` with this number, or, for None, what the peer did next.

    Attributes:
        link: the link.
        seq: number of the request; None for a greeting or a ping.
        deadline: moment at which waiting ends.
        hearing: hears what the peer tells of the call meanwhile; None when nobody wants to.
    """

    link: Link
    seq: int | None
    deadline: float | None
    hearing: Hearing | None = None


@dataclass(slots=True, eq=False, repr=False)
class HangUp:
    """Close the link's connection, if it has one."""

    link: Link


@dataclass(slots=True, eq=False, repr=False)
class Pause:
    """Wait for so many seconds."""

    seconds: float


@dataclass(slots=True, eq=False, repr=False)
class Choose:
    """Give a random number below this one."""

    below: int


Effect = Abandon | After | Broadcast | Choose | Connect | Dial | Send | Reply | HangUp | Pause

Procedure = Generator[Effect, Any, T]


def has_ended(procedure: Procedure[Any]) -> bool:
    """Tell whether a procedure has come to its end, or does not go on because of what it raised."""
    return getattr(procedure, "gi_frame", None) is None
