"""Layout: how the header of a message and its annotations are laid out in bytes.

There is one layout for each dialect. Every header begins with the same six bytes, the tag and the protocol number, from
which a receiver learns the dialect.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pyronb.wire.message import Buffer, Message

__all__ = ["PREAMBLE_SIZE", "TAG", "Header", "Layout"]

TAG = b"PYRO"
PREAMBLE_SIZE = 6


class Header(NamedTuple):
    """The header of a message: everything but its annotations and payload."""

    type: int
    serializer_id: int
    flags: int
    seq: int
    payload_size: int
    annotations_size: int
    correlation_id: bytes | None


class Layout(Protocol):
    """The bytes of one protocol."""

    header_size: int
    """Bytes of a header."""

    def pack(self, message: Message, key: bytes | None = None) -> list[Buffer]:
        """Lay out a message as buffers, to be sent one after the other in one write; signed if there is a key.

        Raises:
            ProtocolError: the message does not fit into the format.
            SecurityError: there is a key and the protocol knows no signatures.
        """

    def unpack_whole(self, data: bytes) -> Message | None:
        """Read a message from bytes that are exactly one message; None when they are not, or it has annotations.

        It is a short-cut for what mostly arrives, and never the judge: whatever it does not take is read in pieces.
        """

    def unpack_header(self, data: Buffer) -> Header:
        """Read a header from exactly `header_size` bytes.

        Raises:
            ProtocolError: these bytes are no header of this protocol.
        """

    def unpack_annotations(self, data: memoryview) -> dict[str, Buffer]:
        """Read the chunks of the annotations block.

        Raises:
            ProtocolError: a chunk reaches past the end, or its name is not ASCII.
        """

    def unpack_message(
        self, header: Header, annotations: dict[str, Buffer], payload: Buffer, key: bytes | None
    ) -> Message:
        """Put a message together of its parts.

        Raises:
            SecurityError: it is not signed with this key, or it is signed and there is no key.
        """
