"""Bare messages of protocol 502: no annotations and no signature. Most calls and most replies are bare.

Their header is a *head* of ten bytes that is the same for all messages of one kind, serializer and set of flags, then
the sequence number and the payload's size, then bytes that say nothing. So heads can be prepared once and compared as
they are. This is a short-cut beside the layout (`pyro5`) and never the judge: what it does not take is read there.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from functools import lru_cache

from pyronb.dialects import PYRO5
from pyronb.wire.layout import TAG
from pyronb.wire.message import Message

__all__ = [
    "BARE_MAGIC",
    "BARE_SIZE",
    "BARE_TAIL",
    "FLAGS_AT",
    "HEAD_SIZE",
    "LARGEST_BARE",
    "bare_bytes",
    "bare_head",
    "bares_in",
    "pack_bare",
    "pack_header",
    "read_bare",
    "serializer_of",
]

LARGEST_BARE = 32 * 1024
"""Most bytes of a payload that is worth joining to its header."""

BARE_MAGIC = 0x4DC5
"""What the header of a bare message ends with."""
_HEAD = struct.Struct("!4sHBBH")
HEAD_SIZE = _HEAD.size
"""Bytes of a head."""
_SERIALIZER_AT = 7
FLAGS_AT = 8
"""Where in a message the byte is with the flags that only pyronb peers send."""
BARE_TAIL = struct.pack("!I16sHH", 0, bytes(16), 0, BARE_MAGIC)
"""What the header of a bare message ends with, after the payload's size."""
pack_header = struct.Struct("!10sHI24s").pack
"""Gives the header for head, sequence number, size of the payload and `BARE_TAIL`: `pack_bare`, without its frame."""
# The correlation id is skipped: a head with its flag is another head.
_READ = struct.Struct("!10sHII18xH")
read_bare = _READ.unpack_from
"""Gives head, sequence number, sizes of payload and annotations, and what should be `BARE_MAGIC`."""
BARE_SIZE = _SIZE = _READ.size
"""Bytes of the header of a bare message."""


@lru_cache
def bare_head(kind: int, serializer_id: int, flags: int = 0) -> bytes:
    """Prepare the head of the messages of this type, serializer number and flags."""
    return _HEAD.pack(TAG, PYRO5.version, kind, serializer_id, flags)


def serializer_of(data: bytes) -> int:
    """Give the serializer number of the message that bytes begin with, of which there must be `BARE_SIZE`."""
    return data[_SERIALIZER_AT]


def pack_bare(head: bytes, seq: int, payload: bytes) -> bytes:
    """Lay out a bare message as one buffer."""
    return pack_header(head, seq, len(payload), BARE_TAIL) + payload


def bare_bytes(message: Message) -> bytes:
    """Lay out a message that has nothing beside its payload, which is in one piece."""
    assert type(message.payload) is bytes
    return pack_bare(bare_head(message.type, message.serializer_id, message.flags), message.seq, message.payload)


def bares_in(data: bytes, heads: Collection[bytes], largest: int) -> tuple[list[tuple[int, int, int]], int, bool]:
    """Find the bare messages with one of these heads that bytes begin with.

    Returns:
        (sequence number, where the message begins, where it ends) of each, where the first other thing begins, and
        whether that may be the beginning of one more.
    """
    found: list[tuple[int, int, int]] = []
    at, size = 0, len(data)
    while size - at >= _SIZE:
        head, seq, payload_size, annotations_size, magic = read_bare(data, at)
        if annotations_size or magic != BARE_MAGIC or head not in heads or payload_size > largest:
            return found, at, False
        end = at + _SIZE + payload_size
        if end > size:
            return found, at, True
        found.append((seq, at, end))
        at = end
    rest = data[at : at + HEAD_SIZE]
    return found, at, bool(rest) and any(head.startswith(rest) for head in heads)
