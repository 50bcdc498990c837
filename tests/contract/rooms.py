"""Rooms: one way to use a proxy for tests, whichever room it lives in.

The room for asyncio has its event loop in a thread of its own, so that a test can wait in one place for what another
call does.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pyronb.aio
from pyronb.context import CallContext, ambient
from pyronb.dialects import Dialect
from pyronb.sync.batch import batch
from pyronb.sync.lookup import locateNS, resolve
from pyronb.sync.proxy import Proxy
from tests.support.waiting import scaled

__all__ = ["ROOMS", "AioRoom", "Remote", "SyncRoom"]

LIMIT = 30.0


class SyncRoom:
    """Calls block; what is started runs in a thread."""

    name = "sync"
    proxy_class = Proxy

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.pool = concurrent.futures.ThreadPoolExecutor(16, "contract")
        self.remotes: list[Remote] = []

    def close(self) -> None:
        """Release everything, and end what the room has started."""
        self.close_remotes()
        self.pool.shutdown()

    def close_remotes(self) -> None:
        """Release all proxies, for instance before their daemon ends."""
        while self.remotes:
            self.remotes.pop().release()

    def remote(self, proxy: Any) -> Remote:
        """Wrap a proxy of this room; it is released at the end."""
        made = Remote(self, proxy)
        self.remotes.append(made)
        return made

    def start(self, work: Callable[[], Any]) -> concurrent.futures.Future[Any]:
        """Do this without waiting for it."""
        return self.pool.submit(work)

    def now(self, work: Callable[[], Any]) -> Any:
        """Do this and give its result."""
        return work()

    def locate(self, *args: Any, **kwargs: Any) -> Any:
        return locateNS(*args, **kwargs)

    def resolve(self, *args: Any, **kwargs: Any) -> Any:
        return resolve(*args, **kwargs)

    def get(self, proxy: Any, name: str) -> Any:
        return getattr(proxy, name)

    def set(self, proxy: Any, name: str, value: Any) -> Any:
        setattr(proxy, name, value)

    def batch(self, proxy: Any) -> Any:
        return batch(proxy)

    def next(self, stream: Any) -> Any:
        return next(stream)

    def close_stream(self, stream: Any) -> Any:
        stream.close()

    def special(self, proxy: Any, name: str, *args: Any) -> Any:
        """Call a method with a double-underscore name the way a program of this room would."""
        return {"__len__": len}[name](proxy, *args)


class AioRoom(SyncRoom):
    """Calls are awaited, in a loop in a thread of its own."""

    name = "aio"
    proxy_class = pyronb.aio.Proxy

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="contract-loop")
        self.thread.start()

    def close(self) -> None:
        super().close()
        self.now(self.loop.shutdown_asyncgens)
        self.now(self.loop.shutdown_default_executor)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(scaled(10))
        self.loop.close()

    def start(self, work: Callable[[], Any]) -> concurrent.futures.Future[Any]:
        async def run() -> Any:
            made = work()
            return await made if hasattr(made, "__await__") else made

        return asyncio.run_coroutine_threadsafe(run(), self.loop)

    def now(self, work: Callable[[], Any]) -> Any:
        return self.start(work).result(scaled(LIMIT))

    def locate(self, *args: Any, **kwargs: Any) -> Any:
        return pyronb.aio.locateNS(*args, **kwargs)

    def resolve(self, *args: Any, **kwargs: Any) -> Any:
        return pyronb.aio.resolve(*args, **kwargs)

    def set(self, proxy: Any, name: str, value: Any) -> Any:
        return proxy._pyroSet(name, value)

    def batch(self, proxy: Any) -> Any:
        return pyronb.aio.batch(proxy)

    async def next(self, stream: Any) -> Any:
        try:
            return await anext(stream)
        except StopAsyncIteration:
            # A future cannot hold the other one.
            raise _EndError from None

    def close_stream(self, stream: Any) -> Any:
        return stream.aclose()

    def special(self, proxy: Any, name: str, *args: Any) -> Any:
        return getattr(proxy, name)(*args)


ROOMS = (SyncRoom, AioRoom)


class _EndError(Exception):
    """A far stream has ended."""


class Remote:
    """A remote object, in whichever room: everything blocks until it is done, but `start`."""

    def __init__(self, room: SyncRoom, proxy: Any) -> None:
        self.room = room
        self.proxy = proxy

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method."""
        return self.room.now(lambda: getattr(self.proxy, name)(*args, **kwargs))

    def start(self, name: str, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        """Call a method without waiting for it."""
        return self.room.start(lambda: getattr(self.proxy, name)(*args, **kwargs))

    def call_in_context(self, name: str, *args: Any, **context: Any) -> tuple[Any, dict[str, bytes]]:
        """Call a method with annotations or a correlation id; give its result and the annotations of the reply."""

        def set_up() -> Any:
            for key, value in context.items():
                setattr(ambient(), key, value)
            return getattr(self.proxy, name)(*args)

        def clean_up() -> dict[str, bytes]:
            told = {key: bytes(value) for key, value in ambient().response_annotations.items()}
            for key in CallContext.__slots__:
                setattr(ambient(), key, getattr(CallContext(), key))
            return told

        result = self.room.now(set_up)
        return result, self.room.now(clean_up)

    def get(self, name: str) -> Any:
        """Read an attribute."""
        return self.room.now(lambda: self.room.get(self.proxy, name))

    def set(self, name: str, value: Any) -> None:
        """Set an attribute."""
        self.room.now(lambda: self.room.set(self.proxy, name, value))

    def special(self, name: str, *args: Any) -> Any:
        """Call a method with a double-underscore name."""
        return self.room.now(lambda: self.room.special(self.proxy, name, *args))

    def batch(self, *calls: tuple[Any, ...], **options: Any) -> list[Any] | None:
        """Make calls in a batch and give the list of results."""

        def send() -> Any:
            made = self.room.batch(self.proxy)
            for name, *args in calls:
                getattr(made, name)(*args)
            return made(**options)

        results = self.room.now(send)
        return None if results is None else list(results)

    def take(self, stream: Any, count: int) -> list[Any]:
        """Take so many items from a far stream, or fewer where it ends."""
        items: list[Any] = []
        with contextlib.suppress(StopIteration, _EndError):
            while len(items) < count:
                items.append(self.room.now(lambda: self.room.next(stream)))
        return items

    def close_stream(self, stream: Any) -> None:
        """Give a far stream up."""
        self.room.now(lambda: self.room.close_stream(stream))

    def bind(self) -> Any:
        """Connect."""
        return self.room.now(self.proxy._pyroBind)

    def release(self) -> None:
        """Close the connection."""
        self.room.now(self.proxy._pyroRelease)

    def reconnect(self, tries: int) -> None:
        """Connect again."""
        self.room.now(lambda: self.proxy._pyroReconnect(tries))

    def ping(self) -> float:
        """Ask for a sign of life."""
        return self.room.now(lambda: self.proxy._pyroPing(timeout=scaled(5)))
