"""The layout of protocol 502, Pyro5. (Wire specification, sections 2 and 5.)

::

    0x00  4s  tag 'PYRO'
    0x04  H   protocol number, 502
    0x06  B   message type
    0x07  B   serializer number
    0x08  H   flags
    0x0a  H   sequence number
    0x0c  I   payload length, after compression
    0x10  I   annotations length
    0x14  16s correlation id, zeros when there is none
    0x24  H   reserved, 0
    0x26  H   magic 0x4dc5

Then come the annotations, each with a head of eight bytes (4s name, I length), then the payload. All numbers are
big-endian.
"""

from __future__ import annotations

import struct

from pyronb.dialects import PYRO5
from pyronb.errors import ProtocolError, SecurityError
from pyronb.wire.annotations import pack_chunk, unpack_chunks
from pyronb.wire.layout import TAG, Header
from pyronb.wire.message import NO_ANNOTATIONS, Buffer, Message

__all__ = ["Pyro5Layout"]

_HEADER = struct.Struct("!4sHBBHHII16sHH")
_HEADER_SIZE = _HEADER.size
_CHUNK = struct.Struct("!4sI")
_unpack = _HEADER.unpack_from
_MAGIC = 0x4DC5
_NO_CORRELATION = bytes(16)
_VERSION = PYRO5.version
_CORRELATION = PYRO5.correlation
_NO_KEYS = (
    "a message key is set, and protocol 502 (Pyro5) knows no signed messages; use TLS instead, or set the same key "
    "at both ends, which then speak protocol 48 (Pyro4)"
)
_LARGEST = 0xFFFFFFFF

# Joining small pieces is cheaper than handing several buffers to the system; from here on it is the other way round.
_JOIN_BELOW = 32 * 1024


class Pyro5Layout:
    """Protocol 502."""

    header_size = _HEADER.size

    def pack(self, message: Message, key: bytes | None = None) -> list[Buffer]:
        """Lay out a message; a small one as a single buffer. There are no signatures in this protocol."""
        if key is not None:
            raise SecurityError(_NO_KEYS)
        chunks = (
            b"".join(pack_chunk(_CHUNK, *item) for item in message.annotations.items()) if message.annotations else b""
        )
        payload = message.payload
        size = len(payload)
        if message.beside:
            size += sum(map(len, message.beside))
        if size > _LARGEST or len(chunks) > _LARGEST:
            raise ProtocolError(
                f"message too large for the format: {size} bytes of payload, {len(chunks)} of annotations"
            )
        correlation = message.correlation_id
        flags = message.flags
        header = _HEADER.pack(
            TAG,
            _VERSION,
            message.type,
            message.serializer_id,
            flags if correlation is None else flags | _CORRELATION,
            message.seq,
            size,
            len(chunks),
            correlation or _NO_CORRELATION,
            0,
            _MAGIC,
        )
        if message.beside:
            return [b"".join((header, chunks, payload)), *message.beside]
        if size + len(chunks) < _JOIN_BELOW:
            return [b"".join((header, chunks, payload))]
        return [header + chunks, payload]

    def unpack_whole(self, data: bytes) -> Message | None:
        """Read a message from bytes that are exactly one message without annotations; None when they are not."""
        if len(data) < _HEADER_SIZE:
            return None
        (tag, version, kind, serializer, flags, seq, payload_size, annotations_size, correlation, _, magic) = _unpack(
            data
        )
        if (
            annotations_size
            or payload_size + _HEADER_SIZE != len(data)
            or tag != TAG
            or version != _VERSION
            or magic != _MAGIC
        ):
            return None
        correlation = correlation if flags & _CORRELATION else None
        return Message(kind, serializer, flags, seq, data[_HEADER_SIZE:], NO_ANNOTATIONS, correlation)

    def unpack_header(self, data: Buffer) -> Header:
        """Read a header; the reserved field is not looked at, as real peers do not either."""
        (tag, version, kind, serializer, flags, seq, payload_size, annotations_size, correlation, _, magic) = (
            _HEADER.unpack(data)
        )
        if tag != TAG or version != _VERSION or magic != _MAGIC:
            raise ProtocolError("invalid message or protocol version")
        return Header(
            kind, serializer, flags, seq, payload_size, annotations_size, correlation if flags & _CORRELATION else None
        )

    def unpack_annotations(self, data: memoryview) -> dict[str, Buffer]:
        """Read the chunks."""
        return unpack_chunks(_CHUNK, data)

    def unpack_message(
        self, header: Header, annotations: dict[str, Buffer], payload: Buffer, key: bytes | None
    ) -> Message:
        """Put a message together of its parts."""
        if key is not None:
            raise SecurityError(_NO_KEYS)
        return Message(
            header.type,
            header.serializer_id,
            header.flags,
            header.seq,
            payload,
            annotations or NO_ANNOTATIONS,
            header.correlation_id,
        )
