"""Message: the unit of both protocols, without its byte layout. (Wire specification, sections 2 to 5.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = [
    "BESIDE",
    "CANCELS",
    "CONNECT",
    "CONNECTFAIL",
    "CONNECTOK",
    "HEARD",
    "INVOKE",
    "NO_ANNOTATIONS",
    "PING",
    "RESULT",
    "ROW",
    "TELLS",
    "TELLS_OUTPUT",
    "TELLS_PROGRESS",
    "WANTS_OUTPUT",
    "Buffer",
    "Message",
]

Buffer = bytes | bytearray | memoryview

# The message types have the same numbers in both protocols.
CONNECT = 1
CONNECTOK = 2
CONNECTFAIL = 3
INVOKE = 4
RESULT = 5
PING = 6

# Flag bits of side messages, which only pyronb peers send to one another: they go beside a call and have its number.
TELLS_PROGRESS = 0x100
"""A RESULT that is not yet the answer, and tells how far the call is."""
TELLS_OUTPUT = 0x200
"""A RESULT that is not yet the answer, and holds what the call has printed."""
TELLS = TELLS_PROGRESS | TELLS_OUTPUT
HEARD = 0x800
"""A RESULT of a call that heard of being withdrawn before it ended."""
CANCELS = 0x100
"""An INVOKE that is no new call, and withdraws the one with its number."""
WANTS_OUTPUT = 0x200
"""An INVOKE whose caller wants to see what the call prints."""
ROW = 0x800
"""An INVOKE that is a row of calls, which have its number and those that follow. Only pyronb peers send it."""

BESIDE = 0x400
"""A payload that values lie beside which have no form in it. Only pyronb peers send it."""

NO_ANNOTATIONS: Mapping[str, Buffer] = MappingProxyType({})


@dataclass(slots=True)
class Message:
    """One message.

    Attributes:
        type: CONNECT to PING.
        serializer_id: number of the payload's serializer, in the dialect of the connection.
        flags: flag bits, in the dialect of the connection.
        seq: sequence number, 0 to 65535; a reply carries that of its request.
        payload: the payload as sent, that is after compression.
        annotations: further chunks of bytes beside the payload, by their names of four characters.
        correlation_id: 16 bytes, or None.
        beside: further pieces of the payload, which follow it without being joined to it; in messages to be sent.
    """

    type: int
    serializer_id: int
    flags: int
    seq: int
    payload: Buffer
    annotations: Mapping[str, Buffer] = field(default_factory=lambda: NO_ANNOTATIONS)
    correlation_id: bytes | None = None
    beside: Sequence[Buffer] = ()
