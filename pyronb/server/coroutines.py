"""Coroutines: where the `async def` methods of a daemon's objects run.

They run on one event loop (`asyncloop.py`), in a thread of its own that starts with the first of them. Whoever runs a
call gets a `Pending` instead of its outcome: a worker waits for it, and a loop goes on with others until it is done.
"""

from __future__ import annotations

import contextvars
import importlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from pyronb.context import CallContext, enter
from pyronb.errors import PyroError

__all__ = ["Coroutines", "Pending", "finished"]

T = TypeVar("T")


@dataclass(slots=True)
class Pending(Generic[T]):
    """What will be known when a coroutine has ended.

    Attributes:
        future: the coroutine's end.
        then: makes of it what was asked for, or leads to one more coroutine.
    """

    future: Future[Any]
    then: Callable[[Future[Any]], T | Pending[T]]

    def follow(self, step: Callable[[T], Any]) -> Pending[Any]:
        """Give what will be known when a step is applied to what comes out of this."""

        def then(future: Future[Any]) -> Any:
            result = self.then(future)
            return result.follow(step) if isinstance(result, Pending) else step(result)

        return Pending(self.future, then)


def finished(result: Any) -> Any:
    """Wait for what is pending, in a thread that may wait; what is not pending is given back."""
    while isinstance(result, Pending):
        wait([result.future])
        result = result.then(result.future)
    return result


def _heed(context: CallContext, stop: Callable[[], Any]) -> None:
    side = context.begin_side()
    if side is not None:
        side.stop_with(stop)


class Coroutines:
    """Starts the event loop when it is first needed, since loading asyncio takes long. Safe for threads."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._loop: Any = None
        self._closed = False

    def start(self, coroutine: Coroutine[Any, Any, Any], context: CallContext | None = None) -> Future[Any]:
        """Run a coroutine, in the context of the call that it belongs to, and give its end.

        One that takes long is cancelled when the caller does not want its result any more.
        """
        future: Future[Any] = Future()
        around = contextvars.copy_context()
        if context is not None:
            around.run(enter, context)
        with self._lock:
            if self._closed:
                coroutine.close()
                future.set_exception(PyroError("the daemon is closed, and runs nothing any more"))
                return future
            if self._loop is None:
                self._loop = importlib.import_module("pyronb.server.asyncloop").AsyncLoop()
            self._loop.start(coroutine, future, around, None if context is None else partial(_heed, context))
        return future

    def close(self, patience: float) -> None:
        """Cancel what runs, and end the loop; closing again does nothing.

        Args:
            patience: seconds to wait for coroutines that do not let themselves be cancelled.
        """
        with self._lock:
            loop, self._loop, self._closed = self._loop, None, True
        if loop is not None:
            loop.close(patience)
