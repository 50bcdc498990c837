"""Chunks of annotations, which both protocols lay out alike but for the size of a length. (Wire spec., section 5.)"""

from __future__ import annotations

from struct import Struct

from pyronb.errors import ProtocolError
from pyronb.wire.message import Buffer

__all__ = ["pack_chunk", "unpack_chunks"]

_NAME_SIZE = 4
_MOST = 10_000
"""Most chunks beside one message. It is about as many as fit into protocol 48, and empty ones are cheap to send."""


def pack_chunk(head: Struct, name: str, value: Buffer) -> bytes:
    """Lay out one annotation; `head` is the layout of its name and length.

    Raises:
        ProtocolError: the name has not exactly four ASCII characters.
    """
    try:
        encoded = name.encode("ascii")
    except UnicodeEncodeError:
        encoded = b""
    if len(encoded) != _NAME_SIZE:
        raise ProtocolError(f"annotation names have exactly {_NAME_SIZE} ASCII characters, not {name!r}")
    # A memory view counts its items, which may be larger than a byte; and a number is no chunk of so many zeros.
    data = bytes(memoryview(value))
    return head.pack(encoded, len(data)) + data


def unpack_chunks(head: Struct, data: memoryview) -> dict[str, Buffer]:
    """Read a block of annotations; of two with the same name the later one wins.

    Raises:
        ProtocolError: a chunk reaches past the end, its name is not ASCII, or there are far too many.
    """
    found: dict[str, Buffer] = {}
    at, end, count = 0, len(data), 0
    while at < end:
        count += 1
        if count > _MOST:
            raise ProtocolError(f"more than {_MOST} annotations beside one message")
        if end - at < head.size:
            raise ProtocolError("truncated annotation header")
        name, size = head.unpack_from(data, at)
        at += head.size
        # Some real peers would cut the chunk off silently; half an annotation helps nobody.
        if size > end - at:
            raise ProtocolError("annotation reaches past the end of its message")
        try:
            found[name.decode("ascii")] = data[at : at + size]
        except UnicodeDecodeError as error:
            raise ProtocolError(f"annotation name is not ASCII: {name!r}") from error
        at += size
    return found
