"""Events: what the peer did, in past participles. A connection machine hands them out one by one."""

from __future__ import annotations

from dataclasses import dataclass

from pyronb.errors import ProtocolError, SecurityError
from pyronb.wire.message import Message

__all__ = ["Accepted", "Broken", "Called", "Event", "Greeted", "Pinged", "Refused", "Replied", "Told", "Withdrawn"]


class _Said:
    """The peer sent a message."""

    __slots__ = ("message",)

    def __init__(self, message: Message) -> None:
        self.message = message

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Said) and type(other) is type(self) and other.message == self.message

    __hash__ = None  # type: ignore[assignment]  # a message can be changed

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"


class Greeted(_Said):
    """The client sent CONNECT; it waits for `accept` or `refuse`."""

    __slots__ = ()


class Called(_Said):
    """The client sent INVOKE."""

    __slots__ = ()


class Pinged(_Said):
    """The peer sent PING: to a server a question, to a client the answer."""

    __slots__ = ()


class Accepted(_Said):
    """The server sent CONNECTOK."""

    __slots__ = ()


class Refused(_Said):
    """The server sent CONNECTFAIL; the conversation is over."""

    __slots__ = ()


class Replied(_Said):
    """The server sent RESULT, to the call with this sequence number."""

    __slots__ = ()


class Told(_Said):
    """The server told something of the call with this sequence number, whose answer is yet to come."""

    __slots__ = ()


class Withdrawn(_Said):
    """The client does not want the answer any more to the call with this sequence number."""

    __slots__ = ()


@dataclass(slots=True)
class Broken:
    """The peer sent what it must not send; the conversation is over.

    Attributes:
        error: what was wrong.
        answerable: whether the peer still waits for the answer to its greeting and can be told.
    """

    error: ProtocolError | SecurityError
    answerable: bool = False


Event = Greeted | Called | Pinged | Accepted | Refused | Replied | Told | Withdrawn | Broken
