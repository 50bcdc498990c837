"""Compression of payloads: one zlib stream, with a ceiling on what comes out. (Wire specification, section 6.)"""

from __future__ import annotations

import zlib

from pyronb.errors import MessageTooLargeError, ProtocolError
from pyronb.wire.message import Buffer

__all__ = ["deflate", "inflate"]


def deflate(payload: Buffer, level: int) -> bytes:
    """Compress a payload."""
    return zlib.compress(payload, level)


def inflate(payload: Buffer, limit: int) -> bytes:
    """Undo `deflate`.

    Args:
        payload: one zlib stream.
        limit: most bytes that may come out; 0 means no limit.

    Raises:
        MessageTooLargeError: more than `limit` bytes would come out.
        ProtocolError: it is no complete zlib stream.
    """
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(payload, limit + 1 if limit else 0)
    except zlib.error as error:
        raise ProtocolError(f"compressed payload cannot be inflated: {error}") from error
    if limit and len(data) > limit:
        raise MessageTooLargeError(f"compressed payload inflates to more than MAX_MESSAGE_SIZE={limit} bytes")
    if not stream.eof:
        raise ProtocolError("compressed payload is truncated")
    return data
