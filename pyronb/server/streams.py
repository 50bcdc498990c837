"""Streams: iterators that stay here while a client asks for their items. (Wire specification, section 13.)

Clients that are pyronb ask for several items at once and get those that come without waiting. An iterator may take its
time for any item, so where several are asked for it runs in a thread of its own, and an async one in a task of its own:
what it has made is given after a moment, and the item that it is busy with goes into the next answer. Blocks are made
while those before them are on their way, as many as go into one answer and no more: whoever takes his time holds the
iterator up. What was given is kept until the client says that it has it, for an answer may be lost with its connection.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Any

from pyronb.errors import PyroError
from pyronb.rpc.weight import HEAVY, weight

__all__ = ["Streams"]


_MOMENT = 0.005
"""Seconds after which the items that are there are given."""
_MOST = 10_000
"""Most items of one answer, whatever the client asks for."""
_BLOCK = 16 * 1024
"""Bytes that items hold on average from which on they are blocks: making and moving them is what takes the time."""
_REMEMBERED = 200
"""How many streams that came to their end are remembered."""
_THREADS = 80
"""Most iterators that have a thread of their own at the same time; those beyond run where they are asked."""


@dataclass(slots=True, eq=False)
class _Stream:
    iterator: Iterator[Any] | AsyncIterator[Any]
    owner: object
    opened: float
    orphaned: float | None = None
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.Lock()))
    made: list[Any] = field(default_factory=list)
    """Items that the client is not known to have."""
    arrived: int = 0
    """How many it has."""
    weight: int = 0
    """Of all items that were made so far."""
    gone: int = 0
    """Weight of those that are not kept any more."""
    wanted: int = 0
    """How many have to be made in all until the iterator stops."""
    heavy_at: int = 0
    """Weight of all items at which it stops in any case."""
    running: bool = False
    """Whether the iterator is making an item."""
    task: Any = None
    """In which an async iterator does."""
    failed: BaseException | None = None
    """What the iterator ended with."""
    closed: bool = False

    def confirm(self, arrived: int) -> None:
        """Take note of how many items the client has.

        Raises:
            PyroError: it had more of them before, or was never given that many.
        """
        if not 0 <= arrived - self.arrived <= len(self.made):
            raise PyroError(f"item {arrived} of this stream is not at hand: items are given in their order")
        count = arrived - self.arrived
        if count == len(self.made) and not self.running:
            self.gone = self.weight
        else:
            self.gone += sum(map(weight, self.made[:count]))
        del self.made[:count]
        self.arrived = arrived

    def first(self, most: int, heavy: int) -> list[Any]:
        """Give the first items of those at hand, at most so many, and no more than are so heavy."""
        items = self.made[:most]
        if self.weight - self.gone > heavy:
            sums = accumulate(map(weight, items))
            return [item for item, before in zip(items, chain((0,), sums), strict=False) if before < heavy]
        return items

    def want(self, most: int, heavy: int, given: int = 0, given_weight: int = 0) -> None:
        """Have so many items made, or as many as are so heavy, beyond those that are given and may not have arrived."""
        self.heavy_at = self.gone + given_weight + heavy
        self.wanted = self.arrived + given + most

    def stops(self, count: int) -> bool:
        """Tell whether the iterator stops after so many items."""
        return count >= self.wanted or self.weight >= self.heavy_at

    @property
    def count(self) -> int:
        """How many were made so far."""
        return self.arrived + len(self.made)

    @property
    def enough(self) -> bool:
        """Whether as many items are there as are wanted, or as heavy ones as there may be."""
        there = len(self.made)
        return there >= max(1, self.wanted - self.arrived) or (there > 0 and self.weight >= self.heavy_at)


class Streams:
    """The open streams of a daemon. Safe for threads.

    Args:
        lifetime: seconds that a stream lives; 0 means no limit.
        linger: seconds that a stream outlives the connection that opened it; whoever knows its id can go on.
        clock: gives the present moment in seconds.
        start: runs the coroutine that closes an async iterator; by default there is no place for that.
        threads: whether iterators may run in threads of their own.
        heavy: bytes, as far as they can be told, from which on items are given without waiting for more.
    """

    def __init__(
        self,
        lifetime: float,
        linger: float,
        clock: Callable[[], float],
        start: Callable[[Coroutine[Any, Any, None]], object] = Coroutine.close,
        *,
        threads: bool = True,
        heavy: int = HEAVY,
    ) -> None:
        self._lifetime, self._linger, self._clock, self._start = lifetime, linger, clock, start
        self._most_threads = _THREADS if threads else 0
        self._heavy = heavy
        self._threads = 0
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}
        # The last that came to their end, for that answer may be lost as well.
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)

    def __len__(self) -> int:
        """Count the open streams."""
        return len(self._streams)

    def open(self, iterator: Iterator[Any] | AsyncIterator[Any], owner: object, prefix: str = "") -> str:
        """Keep an iterator for a client and give its id, which begins with the prefix."""
        stream_id = f"{prefix}{uuid.uuid4()}"
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
        stream = self._asked(stream_id, owner)
        if isinstance(stream.iterator, AsyncIterator):
            return self._item_later(stream_id, stream)
        with stream.changed:
            self._have_made(stream_id, stream, 1, self._heavy)
            item = stream.made[0]
            stream.confirm(stream.arrived + 1)
            return item

    def next_items(self, stream_id: str, arrived: int, most: int, owner: object, heavy: int = HEAVY) -> Any:
        """Give the next items, one at least, and more if they come at once; of an async iterator, a coroutine for them.

        What was given before and has not arrived is given again.

        Args:
            stream_id: the stream.
            arrived: how many items the client has had so far.
            most: how many it wants.
            owner: the client.
            heavy: bytes, as far as they can be told, after which it wants no further item.

        Raises:
            StopIteration: there are no more.
            PyroError: there is no such stream (any more), or no such items.
            Exception: whatever the iterator raised after the items before; the stream is then gone.
        """
        if type(arrived) is not int or type(most) is not int or type(heavy) is not int:
            raise TypeError("items of a stream are counted in whole numbers")
        if stream_id not in self._streams and stream_id in self._ended:
            raise StopIteration
        stream = self._asked(stream_id, owner)
        most = min(max(1, most), _MOST)
        heavy = min(max(1, heavy), self._heavy)
        if isinstance(stream.iterator, AsyncIterator):
            return self._items_later(stream_id, stream, arrived, most, heavy)
        with stream.changed:
            stream.confirm(arrived)
            self._have_made(stream_id, stream, most, heavy)
            items = stream.first(most, heavy)
            if most > 1 and stream.failed is None:
                self._go_ahead(stream, most, heavy, items)
            return items

    def _asked(self, stream_id: str, owner: object) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is None:
            raise PyroError("item stream terminated")
        stream.owner, stream.orphaned = owner, None
        return stream

    def _have_made(self, stream_id: str, stream: _Stream, most: int, heavy: int) -> None:
        """Wait, under the lock of a stream, until an item is there, and for a moment until there are so many."""
        stream.want(most, heavy)
        started = self._clock()
        while stream.failed is None and not stream.enough:
            if stream.closed:
                raise PyroError("item stream terminated")
            if not stream.running:
                if most == 1 or not self._run_alone(stream):
                    self._run_here(stream)
                continue
            left = started + _MOMENT - self._clock()
            if left <= 0:
                # In this order: whoever runs it looks at what is wanted after each item.
                stream.wanted = 0
                if stream.made:
                    break
            stream.changed.wait(left if left > 0 else None)
        self._have_ended(stream_id, stream)

    def _have_ended(self, stream_id: str, stream: _Stream) -> None:
        """Raise what ended the iterator, if nothing is left of what it made before."""
        if not stream.made and stream.failed is not None:
            self._forget(stream_id)
            if isinstance(stream.failed, StopIteration | StopAsyncIteration):
                self._ended.append(stream_id)
            raise stream.failed

    def _go_ahead(self, stream: _Stream, most: int, heavy: int, items: list[Any]) -> None:
        """Have the next items made while these are on their way, if they are blocks."""
        # The first one tells most of it, and of small items there are many.
        if weight(items[0]) < _BLOCK:
            return
        given = sum(map(weight, items))
        if given >= _BLOCK * len(items):
            stream.want(most, heavy, len(items), given)
            if not stream.running and not stream.closed and not stream.stops(stream.count):
                self._run_alone(stream)

    def _run_here(self, stream: _Stream) -> None:
        """Have the iterator make items in this thread."""
        stream.running, count = True, stream.count
        stream.changed.release()
        try:
            self._make(stream, count, self._clock() + _MOMENT)
        finally:
            stream.changed.acquire()

    def _run_alone(self, stream: _Stream) -> bool:
        """Have the iterator make items in a thread or task of its own; tell whether there was one to be had."""
        if isinstance(stream.iterator, AsyncIterator):
            stream.running = True
            stream.task = sys.modules["asyncio"].create_task(self._make_later(stream))
            return True
        with self._lock:
            if self._threads >= self._most_threads:
                return False
            self._threads += 1
        around = contextvars.copy_context()
        thread = threading.Thread(
            target=around.run, args=(self._make_alone, stream, stream.count), name="pyronb-stream", daemon=True
        )
        stream.running = True
        try:
            thread.start()
        except RuntimeError:  # the system has no more of them
            stream.running = False
            with self._lock:
                self._threads -= 1
            return False
        return True

    def _make_alone(self, stream: _Stream, count: int) -> None:
        try:
            self._make(stream, count, None)
        finally:
            with self._lock:
                self._threads -= 1

    def _make(self, stream: _Stream, count: int, until: float | None) -> None:
        """Run the iterator, after so many items, until as many are there as are wanted; here no longer than this."""
        made, iterator = stream.made, stream.iterator
        assert isinstance(iterator, Iterator)
        failed: BaseException | None = None
        closed = None
        while closed is None:
            try:
                while True:
                    item = next(iterator)
                    made.append(item)
                    stream.weight += weight(item)
                    # What has arrived may be taken from those made meanwhile.
                    count += 1
                    if count >= stream.wanted or stream.weight >= stream.heavy_at:
                        break
                    if until is not None and self._clock() >= until:
                        stream.wanted = 0
                        break
            except BaseException as error:  # noqa: BLE001 - whoever asks next gets it
                failed = error
            with stream.changed:
                # More may be wanted by now.
                if failed is None and not stream.stops(count):
                    continue
                stream.failed = failed
                stream.running = False
                stream.changed.notify_all()
                closed = stream.closed
        if closed:
            _close_now(iterator)

    async def _item_later(self, stream_id: str, stream: _Stream) -> Any:
        if stream.running:
            raise PyroError("somebody else is waiting for the next item of this stream")
        items = await self._items_later(stream_id, stream, stream.arrived, 1, self._heavy)
        stream.confirm(stream.arrived + 1)
        return items[0]

    async def _items_later(self, stream_id: str, stream: _Stream, arrived: int, most: int, heavy: int) -> list[Any]:
        """Do as `next_items` does, in the one thread of the event loop."""
        stream.confirm(arrived)
        stream.want(most, heavy)
        started = self._clock()
        while stream.failed is None and not stream.enough:
            if stream.closed:
                raise PyroError("item stream terminated")
            left = started + _MOMENT - self._clock()
            if left <= 0:
                stream.wanted = 0
                if stream.made:
                    break
            if not stream.running:
                if most == 1:
                    stream.running = True
                    await self._make_later(stream)
                    continue
                self._run_alone(stream)
            await self._wait_later(stream_id, stream, left if left > 0 else None)
        self._have_ended(stream_id, stream)
        items = stream.first(most, heavy)
        if most > 1 and stream.failed is None:
            self._go_ahead(stream, most, heavy, items)
        return items

    async def _wait_later(self, stream_id: str, stream: _Stream, limit: float | None) -> None:
        asyncio = sys.modules["asyncio"]
        if stream.task is None:
            # Who asked for one item runs it: one whose connection is gone, who else would ask twice.
            await asyncio.sleep(_MOMENT)
            return
        try:
            await asyncio.wait((stream.task,), timeout=limit)
        except asyncio.CancelledError:
            # Whoever withdraws the request does not want the stream any more, and the iterator is told.
            self.close(stream_id)
            raise

    async def _make_later(self, stream: _Stream) -> None:
        """Run an async iterator until as many items are there as are wanted, for a moment at most if it never waits."""
        iterator, until = stream.iterator, self._clock() + _MOMENT
        assert isinstance(iterator, AsyncIterator)
        try:
            while not stream.closed:
                item = await anext(iterator)
                stream.made.append(item)
                stream.weight += weight(item)
                if stream.stops(stream.count) or self._clock() >= until:
                    break
        except BaseException as error:  # noqa: BLE001 - whoever asks next gets it
            stream.failed = None if stream.closed else error
        finally:
            stream.running, stream.task = False, None
            if stream.closed:
                await _close_later(stream, iterator)

    def close(self, stream_id: str) -> None:
        """Forget a stream; nothing happens when there is none."""
        stream = self._forget(stream_id)
        if stream is not None:
            self._close_iterator(stream)

    def _forget(self, stream_id: str) -> _Stream | None:
        with self._lock:
            return self._streams.pop(stream_id, None)

    def disconnected(self, owner: object) -> None:
        """Take note that a client is gone: its streams wait for it for a while."""
        if not self._streams:
            return
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
        if isinstance(stream.iterator, AsyncIterator):
            stream.closed = True
            self._start(_close_later(stream, stream.iterator))
            return
        with stream.changed:
            stream.closed = True
            stream.wanted = 0
            running = stream.running
        # Who runs it closes it.
        if not running:
            _close_now(stream.iterator)


async def _close_later(stream: _Stream, iterator: AsyncIterator[Any]) -> None:
    """End an async generator; one that is in the middle of an item that somebody waits for ends after that item."""
    if stream.task is not None:
        stream.task.cancel()
    elif not stream.running and isinstance(iterator, AsyncGenerator):
        with suppress(Exception, SystemExit, GeneratorExit):
            await iterator.aclose()


def _close_now(iterator: Iterator[Any]) -> None:
    """End a generator so that its `finally` runs."""
    close = getattr(iterator, "close", None)
    if close is not None:
        # User code runs here, and nobody is left to whom its errors would matter; nor may it end the daemon.
        with suppress(Exception, SystemExit, GeneratorExit):
            close()
