"""Streams: iterators that stay here while a client asks for their items. (Wire specification, section 13.)"""

from __future__ import annotations

import threading
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pyronb.errors import PyroError

__all__ = ["Streams"]


@dataclass(slots=True, eq=False)
class _Stream:
    iterator: Iterator[Any] | AsyncIterator[Any]
    owner: object
    opened: float
    orphaned: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: bool = False
    """Whether the next item of an async iterator is being awaited."""
    closed: bool = False


class Streams:
    """The open streams of a daemon. Safe for threads.

    Args:
        lifetime: seconds that a stream lives; 0 means no limit.
        linger: seconds that a stream outlives the connection that opened it; whoever knows its id can go on.
        clock: gives the present moment in seconds.
        start: runs the coroutine that closes an async iterator; by default there is no place for that.
    """

    def __init__(
        self,
        lifetime: float,
        linger: float,
        clock: Callable[[], float],
        start: Callable[[Coroutine[Any, Any, None]], object] = Coroutine.close,
    ) -> None:
        self._lifetime, self._linger, self._clock, self._start = lifetime, linger, clock, start
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}

    def __len__(self) -> int:
        """Count the open streams."""
        return len(self._streams)

    def open(self, iterator: Iterator[Any] | AsyncIterator[Any], owner: object) -> str:
        """Keep an iterator for a client and give its id."""
        stream_id = str(uuid.uuid4())
        with self._lock:
            self._streams[stream_id] = _Stream(iterator, owner, self._clock())
        return stream_id

    def next_item(self, stream_id: str, owner: object) -> Any:
        """Give the next item; of an async iterator, a coroutine for it.

        Raises:
            StopIteration: the stream is at its end.
            PyroError: there is no such stream (any more).
            Exception: whatever the iterator raised; the stream is then gone.
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            raise PyroError("item stream terminated")
        stream.owner, stream.orphaned = owner, None
        if isinstance(stream.iterator, AsyncIterator):
            return self._next_later(stream_id, stream, stream.iterator)
        try:
            with stream.lock:
                return next(stream.iterator)
        except BaseException:
            self.close(stream_id)
            raise

    async def _next_later(self, stream_id: str, stream: _Stream, iterator: AsyncIterator[Any]) -> Any:
        if stream.busy:
            raise PyroError("somebody else is waiting for the next item of this stream")
        stream.busy = True
        try:
            return await anext(iterator)
        except BaseException:
            self.close(stream_id)
            raise
        finally:
            stream.busy = False
            if stream.closed:
                await _close_later(stream, iterator)

    def close(self, stream_id: str) -> None:
        """Forget a stream; nothing happens when there is none."""
        with self._lock:
            stream = self._streams.pop(stream_id, None)
        if stream is not None:
            self._close_iterator(stream)

    def disconnected(self, owner: object) -> None:
        """Take note that a client is gone: its streams wait for it for a while."""
        now = self._clock()
        with self._lock:
            mine = [(i, s) for i, s in self._streams.items() if s.owner is owner]
            for _, stream in mine:
                stream.orphaned = now
        if self._linger <= 0:
            for stream_id, _ in mine:
                self.close(stream_id)

    def expire(self) -> None:
        """Forget the streams whose time is up."""
        now = self._clock()
        with self._lock:
            old = [
                stream_id
                for stream_id, stream in self._streams.items()
                if (self._lifetime > 0 and now - stream.opened > self._lifetime)
                or (stream.orphaned is not None and now - stream.orphaned > self._linger)
            ]
        for stream_id in old:
            self.close(stream_id)

    def clear(self) -> None:
        """Forget all streams."""
        with self._lock:
            streams = list(self._streams.values())
            self._streams.clear()
        for stream in streams:
            self._close_iterator(stream)

    def _close_iterator(self, stream: _Stream) -> None:
        stream.closed = True
        if isinstance(stream.iterator, AsyncIterator):
            self._start(_close_later(stream, stream.iterator))
        else:
            _close_now(stream, stream.iterator)


async def _close_later(stream: _Stream, iterator: AsyncIterator[Any]) -> None:
    """End an async generator; one that is in the middle of an item ends after that item."""
    if not stream.busy and isinstance(iterator, AsyncGenerator):
        with suppress(Exception, SystemExit, GeneratorExit):
            await iterator.aclose()


def _close_now(stream: _Stream, iterator: Iterator[Any]) -> None:
    """End a generator so that its `finally` runs; one that is in the middle of an item ends with that item."""
    close = getattr(iterator, "close", None)
    if close is None or not stream.lock.acquire(blocking=False):
        return
    try:
        # User code runs here, and nobody is left to whom its errors would matter; nor may it end the daemon.
        with suppress(Exception, SystemExit, GeneratorExit):
            close()
    finally:
        stream.lock.release()
