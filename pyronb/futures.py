"""FutureResult: a result that arrives later. (Client chapter, "Asynchronous calls"; S66-S77.)

It is a `concurrent.futures.Future`, so that `wait` and `as_completed` take it; it can be awaited; and it has Pyro's own
interface on top.
"""

from __future__ import annotations

import concurrent.futures
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

__all__ = ["FutureResult"]

log = logging.getLogger("pyronb.futures")

_SHOWN = 80


class FutureResult(concurrent.futures.Future):  # type: ignore[type-arg]  # the stub is generic only for checkers
    """The result of a call that runs in the background.

    Reading `value` waits for the result, or raises what the call raised. `then` and `iferror` say what to do when
    it is there; both also work when it is there already. An error is silent unless it is asked for.
    """

    def __init__(self) -> None:
        """Start without a result."""
        super().__init__()
        self._guard = threading.Lock()
        self._chain: deque[Callable[[Any], Any]] = deque()
        self._sealed = False
        # Steps that come after the result run one after the other.
        self._late = threading.RLock()
        self._handlers: list[Callable[[BaseException], Any]] = []

    @property
    def value(self) -> Any:
        """The result of the call and its chain; waits for it, and raises what they raised."""
        return self.result()

    @property
    def ready(self) -> bool:
        """Whether the result, or the error, is there."""
        return self.done()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the result is there.

        Args:
            timeout: most seconds to wait; None waits for ever.

        Returns:
            True when it is there, False when the time was up first.
        """
        return bool(concurrent.futures.wait([self], timeout).done)

    def then(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> FutureResult:
        """Add a callable to the chain: it gets the result so far as first argument and gives the next one.

        An error ends the chain and becomes the future's error. Gives the future itself.
        """

        def step(result: Any) -> Any:
            return call(result, *args, **kwargs)

        with self._guard:
            if not self._sealed:
                self._chain.append(step)
                return self
        with self._late:
            if self.cancelled() or self.exception() is not None:
                return self
            try:
                result, error = step(self.result()), None
            except Exception as failed:  # noqa: BLE001 - it belongs to whoever reads the future
                result, error = None, failed
            # A late step changes what is there already; the base class has no door for that.
            with self._condition:
                self._result, self._exception = result, error
            if error is not None:
                self._tell(error)
        return self

    def iferror(self, errorhandler: Callable[[BaseException], Any]) -> FutureResult:
        """Call this with the exception if the call or its chain fails; gives the future itself."""
        with self._guard:
            self._handlers.append(errorhandler)
        if self.done() and not self.cancelled():
            error = self.exception()
            if error is not None:
                self._tell(error)
        return self

    def _tell(self, error: BaseException) -> None:
        """Call the error handlers that were not called yet."""
        while True:
            with self._guard:
                if not self._handlers:
                    return
                handler = self._handlers.pop(0)
            try:
                handler(error)
            except Exception:
                log.exception("the error handler of a future failed")

    def set_result(self, result: Any) -> None:
        """Take the result of the call, run the chain on it, and publish what comes out."""
        while True:
            with self._guard:
                if not self._chain:
                    self._sealed = True
                    break
                step = self._chain.popleft()
            try:
                result = step(result)
            except Exception as error:  # noqa: BLE001 - it belongs to whoever reads the future
                self.set_exception(error)
                return
        super().set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        """Publish the error of the call; the chain is not run."""
        with self._guard:
            self._sealed = True
        super().set_exception(exception)
        if exception is not None:
            self._tell(exception)

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for the result in a coroutine."""
        # Whoever awaits has asyncio loaded already; importing it here would make `import pyronb` heavy for all.
        return sys.modules["asyncio"].wrap_future(self).__await__()  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        """Show the state, and the result when it is there."""
        if not self.done():
            return f"<pyronb.FutureResult {'running' if self.running() else 'pending'}>"
        if self.cancelled():
            return "<pyronb.FutureResult cancelled>"
        error = self.exception()
        if error is not None:
            return f"<pyronb.FutureResult failed: {type(error).__name__}: {error}>"
        text = repr(self.result())
        return f"<pyronb.FutureResult done: {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}>"
