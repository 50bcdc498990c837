"""Events: what the peer did, in past participles. A connection machine hands them out one by one."""

from __future__ import annotations

from dataclasses import dataclass

from pyronb.errors import ProtocolError, SecurityError
from pyronb.wire.message import Message

__all__ = ["Accepted", "Broken", "Called", "Event", "Greeted", "Pinged", "Refused", "Replied", "Told", "Withdrawn"]


@dataclass(slots=True)
class Greeted:
    """The client sent CONNECT; it waits for `accept` or `refuse`."""

    message: Message


@dataclass(slots=True)
class Called:
    """The client sent INVOKE."""

    message: Message


@dataclass(slots=True)
class Pinged:
    """The peer sent PING: to a server a question, to a client the answer."""

    message: Message


@dataclass(slots=True)
class Accepted:
    """The server sent CONNECTOK."""

    message: Message


@dataclass(slots=True)
class Refused:
    """The server sent CONNECTFAIL; the conversation is over."""

    message: Message


@dataclass(slots=True)
class Replied:
    """The server sent RESULT, to the call with this sequence number."""

    message: Message


@dataclass(slots=True)
class Told:
    """The server told something of the call with this sequence number, whose answer is yet to come."""

    message: Message


@dataclass(slots=True)
class Withdrawn:
    """The client does not want the answer any more to the call with this sequence number."""

    message: Message


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
