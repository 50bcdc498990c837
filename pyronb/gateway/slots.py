"""Slots: work that blocks, in threads beside the event loop, and only so much of it at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["BusyError", "Slots", "beside"]

T = TypeVar("T")


class BusyError(Exception):
    """No slot became free in time."""


class Slots:
    """Runs blocking work in threads.

    Work that nobody waits for any longer keeps its slot until it ends, so there are never more threads than slots. The
    threads do not keep the program alive. A result that comes when nobody waits for it is closed, if it can be.

    Args:
        count: how many there are.
        patience: seconds to wait for one.
    """

    def __init__(self, count: int, patience: float) -> None:
        self._free = asyncio.Semaphore(count)
        self._patience = patience

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """Do this work and give its result, or raise what it raises.

        Raises:
            BusyError: no slot became free in time.
        """
        try:
            await asyncio.wait_for(self._free.acquire(), self._patience)
        except asyncio.TimeoutError as error:
            raise BusyError("too many calls are under way") from error
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            self._free.release()
            if answer.done():
                _drop(result)
            elif error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        def run() -> None:
            result, error = None, None
            try:
                result = work(*args)
            except BaseException as raised:  # noqa: BLE001 - it goes to whoever waits
                error = raised
            try:
                loop.call_soon_threadsafe(done, result, error)
            except RuntimeError:
                # The loop is closed, and nobody waits.
                _drop(result)

        try:
            beside(run)
        except RuntimeError as error:
            self._free.release()
            raise BusyError("no thread can be started") from error
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                _drop(answer.result())
            raise


def _drop(result: Any) -> None:
    """Close a result that comes too late, where it can be closed."""
    close = getattr(result, "close", None)
    if close is not None:
        beside(close)


def beside(work: Callable[[], object]) -> None:
    """Do this in a thread of its own, without waiting for it."""
    threading.Thread(target=work, name="pyronb-gateway", daemon=True).start()
