"""The layout of protocol 48, Pyro4. (Wire specification, sections 3 and 5.)

::

    0x00  4s  tag 'PYRO'
    0x04  H   protocol number, 48
    0x06  H   message type
    0x08  H   flags
    0x0a  H   sequence number
    0x0c  i   payload length, after compression
    0x10  H   serializer number
    0x12  H   annotations length
    0x14  H   reserved, 0
    0x16  H   checksum: the sum of the numbers above but the reserved one, and 0x34e9

Then come the annotations, each with a head of six bytes (4s name, H length), then the payload. All numbers are
big-endian. There is no place for a correlation id; it travels as the annotation ``CORR``.
"""

from __future__ import annotations

import struct

from pyronb.dialects import PYRO4
from pyronb.errors import MessageTooLargeError, ProtocolError
from pyronb.wire import signing
from pyronb.wire.annotations import pack_chunk, unpack_chunks
from pyronb.wire.layout import TAG, Header
from pyronb.wire.message import NO_ANNOTATIONS, Buffer, Message

__all__ = ["Pyro4Layout"]

_HEADER = struct.Struct("!4sHHHHiHHHH")
_HEADER_SIZE = _HEADER.size
_unpack = _HEADER.unpack_from
_CHUNK = struct.Struct("!4sH")
_MAGIC = 0x34E9
_VERSION = PYRO4.version
_CORRELATION = "CORR"
_CORRELATION_SIZE = 16
_CORRELATION_HEAD = _CHUNK.pack(_CORRELATION.encode("ascii"), _CORRELATION_SIZE)
_ONLY_CORRELATION = len(_CORRELATION_HEAD) + _CORRELATION_SIZE
_LARGEST_PAYLOAD = 0x7FFFFFFF
_LARGEST_ANNOTATIONS = 0xFFFF
_SIXTEEN = 0xFFFF
_JOIN_BELOW = 32 * 1024


class Pyro4Layout:
    """Protocol 48."""

    header_size = _HEADER_SIZE

    def pack(self, message: Message, key: bytes | None = None) -> list[Buffer]:
        """Lay out a message, signed if there is a key; a small one as a single buffer."""
        payload = b"".join((message.payload, *message.beside)) if message.beside else message.payload
        size = len(payload)
        chunks = b""
        if message.annotations or message.correlation_id is not None or key is not None:
            chunks = _chunks_of(message, payload, key)
        room = len(chunks)
        if size > _LARGEST_PAYLOAD or room > _LARGEST_ANNOTATIONS:
            raise MessageTooLargeError(
                f"message too large for protocol {_VERSION}: {size} bytes of payload (at most {_LARGEST_PAYLOAD}), "
                f"{room} of annotations (at most {_LARGEST_ANNOTATIONS})"
            )
        kind, flags, seq, serializer = message.type, message.flags, message.seq, message.serializer_id
        header = _HEADER.pack(
            TAG,
            _VERSION,
            kind,
            flags,
            seq,
            size,
            serializer,
            room,
            0,
            _checksum(kind, flags, seq, size, serializer, room),
        )
        if size + room < _JOIN_BELOW:
            return [b"".join((header, chunks, payload))]
        return [header + chunks, payload]

    def unpack_whole(self, data: bytes) -> Message | None:
        """Read a message from bytes that are exactly one message, with no annotation or the usual one; else give None.

        Nearly every message of a real peer has a correlation id beside it, and nothing else.
        """
        total = len(data)
        if total < _HEADER_SIZE:
            return None
        tag, version, kind, flags, seq, size, serializer, room, _, checksum = _unpack(data)
        if (
            size < 0
            or _HEADER_SIZE + room + size != total
            or tag != TAG
            or version != _VERSION
            or checksum != _checksum(kind, flags, seq, size, serializer, room)
        ):
            return None
        if not room:
            return Message(kind, serializer, flags, seq, data[_HEADER_SIZE:])
        if room != _ONLY_CORRELATION or not data.startswith(_CORRELATION_HEAD, _HEADER_SIZE):
            return None
        at = _HEADER_SIZE + room
        return Message(kind, serializer, flags, seq, data[at:], NO_ANNOTATIONS, data[at - _CORRELATION_SIZE : at])

    def unpack_header(self, data: Buffer) -> Header:
        """Read a header; the reserved field is not looked at, as real peers do not either."""
        tag, version, kind, flags, seq, size, serializer, room, _, checksum = _HEADER.unpack(data)
        if tag != TAG or version != _VERSION or size < 0:
            raise ProtocolError("invalid data or unsupported protocol version")
        if checksum != _checksum(kind, flags, seq, size, serializer, room):
            raise ProtocolError("header checksum mismatch")
        return Header(kind, serializer, flags, seq, size, room, None)

    def unpack_annotations(self, data: memoryview) -> dict[str, Buffer]:
        """Read the chunks, as bytes, which programs written for Pyro4 expect."""
        return {name: bytes(value) for name, value in unpack_chunks(_CHUNK, data).items()}

    def unpack_message(
        self, header: Header, annotations: dict[str, Buffer], payload: Buffer, key: bytes | None
    ) -> Message:
        """Put a message together of its parts, once its signature was checked."""
        signing.check(key, payload, annotations)
        chunk = annotations.pop(_CORRELATION, None)
        correlation = bytes(chunk) if chunk is not None and len(chunk) == _CORRELATION_SIZE else None
        return Message(
            header.type,
            header.serializer_id,
            header.flags,
            header.seq,
            payload,
            annotations or NO_ANNOTATIONS,
            correlation,
        )


def _checksum(kind: int, flags: int, seq: int, size: int, serializer: int, room: int) -> int:
    return (kind + _VERSION + size + room + serializer + flags + seq + _MAGIC) & _SIXTEEN


def _chunks_of(message: Message, payload: Buffer, key: bytes | None) -> bytes:
    annotations = dict(message.annotations)
    if message.correlation_id is not None:
        annotations[_CORRELATION] = message.correlation_id
    if key is not None:
        annotations[signing.NAME] = signing.sign(key, payload, annotations)
    return b"".join(_pack_chunk(name, value) for name, value in annotations.items())


def _pack_chunk(name: str, value: Buffer) -> bytes:
    size = memoryview(value).nbytes
    if size > _LARGEST_ANNOTATIONS:
        raise MessageTooLargeError(f"annotation {name!r} is too large for protocol {_VERSION}: {size} bytes")
    return pack_chunk(_CHUNK, name, value)
