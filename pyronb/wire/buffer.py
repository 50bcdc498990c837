"""What has arrived. ReceiveBuffer: chunks go in as they arrive, exact pieces come out. Block: one large message.

A piece that lies in one chunk is cut out of it, a piece that spans chunks is joined once; so the work is linear in the
bytes received, whatever the sizes of the chunks.
"""

from __future__ import annotations

import contextlib
import mmap

__all__ = ["Block", "ReceiveBuffer"]

_MAPPED = 4 * 1024 * 1024
"""Bytes from which on the system is asked directly: it gives large pages, where the allocator gets thousands of small
ones, and mostly anew for each message."""
_PAGE = 2 * 1024 * 1024
"""Bytes of a large page, on most systems; the last one is as large as the others."""


class ReceiveBuffer:
    """Bytes that have arrived and were not yet taken."""

    __slots__ = ("_at", "_chunks", "size")

    def __init__(self) -> None:
        """Start empty."""
        # A list, for an empty deque takes as much memory as all else that is known of an idle client.
        self._chunks: list[bytes] = []
        self._at = 0  # how much of the first chunk was taken already
        self.size = 0
        """Bytes that can be taken; `len` tells the same, and costs more."""

    def __len__(self) -> int:
        """Count the bytes that can be taken."""
        return self.size

    def feed(self, chunk: bytes) -> None:
        """Add bytes at the end."""
        if chunk:
            self._chunks.append(chunk)
            self.size += len(chunk)

    def peek(self, count: int) -> bytes:
        """Give the first bytes and leave them there; there must be as many."""
        if self._chunks and len(self._chunks[0]) - self._at >= count:
            return self._chunks[0][self._at : self._at + count]
        # Only headers are looked at, so this joins little.
        piece = self.take(count)
        if not piece:
            return piece
        if self._chunks:
            self._chunks[0] = self._chunks[0][self._at :]
        self._at = 0
        self._chunks.insert(0, piece)
        self.size += count
        return piece

    def take(self, count: int) -> bytes:
        """Cut the first bytes out; there must be as many."""
        if count == 0:
            return b""
        if count > self.size:
            raise IndexError(f"{count} bytes were asked for and {self.size} are there")
        self.size -= count
        chunks, at = self._chunks, self._at
        first = chunks[0]
        if len(first) - at > count:
            self._at = at + count
            return first[at : at + count]
        if len(first) - at == count:
            del chunks[0]
            self._at = 0
            return first[at:] if at else first
        pieces: list[bytes] = [first[at:]]
        missing = count - len(pieces[0])
        used = 1
        self._at = 0
        while missing:
            chunk = chunks[used]
            if len(chunk) <= missing:
                used += 1
                pieces.append(chunk)
                missing -= len(chunk)
            else:
                pieces.append(chunk[:missing])
                self._at = missing
                missing = 0
        del chunks[:used]
        return b"".join(pieces)

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self._at = self.size = 0


class Block:
    """The memory of one large message. Bytes go to their place as they arrive, and stay there."""

    __slots__ = ("_filled", "_memory")

    def __init__(self, size: int) -> None:
        """Reserve memory for so many bytes; the system gives it as it is filled."""
        self._memory = _reserved(size)
        self._filled = 0

    @property
    def missing(self) -> int:
        """Bytes that have not arrived."""
        return len(self._memory) - self._filled

    @property
    def rest(self) -> memoryview:
        """The memory that is to be filled next."""
        return self._memory[self._filled :]

    def filled(self, count: int) -> None:
        """Take note that so many bytes were put into `rest`."""
        self._filled += count

    def feed(self, chunk: bytes) -> bytes:
        """Put bytes into their place and give those that are beyond the message."""
        fits = min(len(chunk), self.missing)
        self._memory[self._filled : self._filled + fits] = chunk[:fits] if fits < len(chunk) else chunk
        self._filled += fits
        return chunk[fits:]

    def take(self) -> memoryview:
        """Give the whole message; whoever keeps a part of it keeps all of its memory."""
        return self._memory


def _reserved(size: int) -> memoryview:
    if size < _MAPPED:
        return memoryview(bytearray(size))
    # Shared memory, which is the default, comes in small pages only.
    private = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
    whole = -(-size // _PAGE) * _PAGE
    memory = mmap.mmap(-1, whole, flags=private) if private else mmap.mmap(-1, whole)
    advice = getattr(mmap, "MADV_HUGEPAGE", None)
    if advice is not None:
        with contextlib.suppress(OSError):  # the system does as it likes
            memory.madvise(advice)
    return memoryview(memory)[:size]
