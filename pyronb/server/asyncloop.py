"""AsyncLoop: an event loop in a thread of its own, on which other threads start coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextvars import Context
from functools import partial
from typing import Any

from pyronb.errors import CancelledError

__all__ = ["AsyncLoop"]

_LONG = 0.05
"""Seconds after which a coroutine takes long."""


class AsyncLoop:
    """An event loop that runs until it is closed.

    Raises:
        RuntimeError: the system has no more threads to give.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._running: set[Future[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="pyronb-coroutines", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._loop.close()
            raise

    def start(
        self,
        coroutine: Coroutine[Any, Any, Any],
        future: Future[Any],
        around: Context,
        long: Callable[[Callable[[], Any]], Any] | None,
    ) -> None:
        """Run a coroutine in this context; its end goes into the future, whatever happens.

        If it takes long, `long` is called with what cancels it, which any thread may call.
        """
        self._running.add(future)
        # The task takes over the context in which it is made.
        self._loop.call_soon_threadsafe(self._launch, coroutine, future, long, context=around)

    def _launch(
        self,
        coroutine: Coroutine[Any, Any, Any],
        future: Future[Any],
        long: Callable[[Callable[[], Any]], Any] | None,
    ) -> None:
        task = self._loop.create_task(_end_of(coroutine, future))
        if long is None:
            task.add_done_callback(lambda _: self._running.discard(future))
            return
        timer = self._loop.call_later(_LONG, long, partial(self._cancel, task))

        def done(_: object) -> None:
            timer.cancel()
            self._running.discard(future)

        task.add_done_callback(done)

    def _cancel(self, task: asyncio.Task[None]) -> None:
        # A loop that is closed has cancelled everything.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(task.cancel)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(_wind_up())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()

    def close(self, patience: float) -> None:
        """Cancel what runs, and end the loop.

        Args:
            patience: seconds to wait for coroutines that do not let themselves be cancelled; they are left to
                themselves after that, and nobody waits for them any more.
        """
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not threading.current_thread():
            self._thread.join(patience)
        for future in list(self._running):
            _conclude(future.set_exception, _cancelled())


async def _end_of(coroutine: Coroutine[Any, Any, Any], future: Future[Any]) -> None:
    """Run a coroutine to its end, which goes into the future: nothing of it may end the loop."""
    try:
        result = await coroutine
    except asyncio.CancelledError:
        _conclude(future.set_exception, _cancelled())
    except BaseException as error:  # noqa: BLE001 - the caller of the method learns it
        _conclude(future.set_exception, error)
    else:
        _conclude(future.set_result, result)


def _conclude(say: Callable[[Any], None], what: Any) -> None:
    # Whoever closed the loop may have concluded it already.
    with contextlib.suppress(InvalidStateError):
        say(what)


def _cancelled() -> CancelledError:
    return CancelledError("the method was cancelled before it ended: by its caller, or because its daemon was closed")


async def _wind_up() -> None:
    """Cancel what runs, and close the generators that nobody asks any more."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    await asyncio.get_running_loop().shutdown_asyncgens()
