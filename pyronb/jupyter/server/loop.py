"""Loop: an event loop in a thread of its own, so that no answer of anybody ever holds up the Jupyter server's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Loop", "LoopClosedError"]

T = TypeVar("T")

_NAME = "pyronb-server-loop"


class LoopClosedError(Exception):
    """The loop was closed: it takes nothing more, and drops what it has."""


class Loop:
    """Runs coroutines for others; its thread starts with the first of them."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=_NAME, daemon=True)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread, and wait for it here; who gives up waiting cancels it.

        Raises:
            LoopClosedError: the loop was closed before the coroutine ended.
        """
        with self._guard:
            if self._closed:
                work.close()
                raise LoopClosedError
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if self._closed:
                raise LoopClosedError from None
            raise

    def close(self, seconds: float) -> bool:
        """Cancel all that runs, and wait no longer than told until the thread has ended; give whether it has."""
        with self._guard:
            self._closed = True
            loop = self._loop
        if loop is None:
            return True
        if self._thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        loop = self._loop
        assert loop is not None
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            asyncio.set_event_loop(None)
            loop.close()
