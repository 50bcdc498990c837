"""FutureResult: a result that arrives later; Future: a callable that runs later. (Client chapter; S66-S78.)

A result is a `concurrent.futures.Future`, so that `wait` and `as_completed` take it; it can be awaited; and it has
Pyro's own interface on top. A future is a callable with the result that it is going to have.
"""

from __future__ import annotations

import concurrent.futures
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import cached_property
from typing import Any

from pyronb.cards import Card
from pyronb.news import News, Progress

__all__ = ["Future", "FutureResult"]

log = logging.getLogger("pyronb.futures")

_SHOWN = 80
_OVER = frozenset({"CANCELLED", "CANCELLED_AND_NOTIFIED", "FINISHED"})
"""States of a future of Python's that is not going to change any more."""
_MOST_NEWS = 1000
"""Most pieces of news that are kept for listeners that do not keep up; further ones are dropped."""


class _CancelledError(concurrent.futures.CancelledError, RuntimeError):
    """What Python raises for a cancelled future, and what Pyro does."""


_guard = threading.Lock()
"""Held for a moment by whoever gives a future a condition, or settles one that has none."""


class FutureResult(concurrent.futures.Future, Card):  # type: ignore[type-arg]  # the stub is generic only for checkers
    """The result of a call that runs in the background.

    Reading `value` waits for the result, or raises what the call raised. `then` and `iferror` say what to do when
    it is there; both also work when it is there already. An error is silent unless it is asked for.

    Meanwhile `progress` is what the method told last of how far it is, where it tells that (`pyronb.progress`) and both
    ends are pyronb.
    """

    # Most futures are read once, when they are settled already or soon, and nothing is told of them: what they are made
    # of is here, and each gets what it needs when it needs it.
    _state = "PENDING"
    _result: Any = None
    _exception: BaseException | None = None
    _waiters: Any = ()
    _done_callbacks: Any = ()
    _progress: Progress | None = None
    _news: deque[News] | None = None
    _listeners: tuple[Callable[[News], Any], ...] = ()
    _telling = False
    _withdraw: Callable[[FutureResult], Any] | None = None
    _chain: deque[Callable[[Any], Any]] | None = None
    _handlers: list[Callable[[BaseException], Any]] | None = None
    _late: threading.RLock | None = None
    # Whether there is a condition. Looking into its dict would give the future one, which takes longer than all else.
    _guarded = False
    _sealed = False

    def __init__(self) -> None:
        """Start without a result."""
        # The base class would make a condition and lists: more work than all else about a call in the background.

    @cached_property
    def _condition(self) -> threading.Condition:  # type: ignore[override]  # a variable there
        """What guards it all, in the base class too, from when somebody waits for the future or adds something to it.

        Until then there is nothing to guard: see `publish`.
        """
        own = vars(self)
        with _guard:
            if "_condition" not in own:
                own["_waiters"], own["_done_callbacks"] = [], []
                own["_condition"] = threading.Condition()
                self._guarded = True
        made: threading.Condition = own["_condition"]
        return made

    def set_running_or_notify_cancel(self) -> bool:
        """Have the call begin: True; or False, when it was cancelled before."""
        with _guard:
            if self._state == "PENDING" and not self._guarded:
                self._state = "RUNNING"
                return True
        return super().set_running_or_notify_cancel()

    @staticmethod
    def begin_all(futures: Sequence[FutureResult]) -> bool:
        """Have the calls of all begin: True; False when none has, for each is to be asked by itself."""
        with _guard:
            if any(future._guarded or future._state != "PENDING" for future in futures):
                return False
            for future in futures:
                future._state = "RUNNING"
        return True

    def done(self) -> bool:
        """Whether the call is over, or was cancelled."""
        return self._state in _OVER

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result, and give it, or raise what the call raised.

        Args:
            timeout: most seconds to wait; None waits for ever.

        Raises:
            TimeoutError: the result is not there in time.
            CancelledError: the call was cancelled.
        """
        if self._state == "FINISHED" and self._exception is None and not self._guarded:
            return self._result
        return super().result(timeout)

    @property
    def value(self) -> Any:
        """The result of the call and its chain; waits for it, and raises what they raised.

        Raises:
            RuntimeError: it was cancelled. (It is a `concurrent.futures.CancelledError` too.)
        """
        try:
            return self.result()
        except concurrent.futures.CancelledError as error:
            if self.cancelled():
                raise _CancelledError("the future has been cancelled") from error
            raise

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

        with self._condition:
            if not self._sealed:
                if self._chain is None:
                    self._chain = deque()
                self._chain.append(step)
                return self
            if self._late is None:
                self._late = threading.RLock()
        # Steps that come after the result run one after the other.
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
        with self._condition:
            if self._handlers is None:
                self._handlers = []
            self._handlers.append(errorhandler)
        if self.done() and not self.cancelled():
            error = self.exception()
            if error is not None:
                self._tell(error)
        return self

    @property
    def progress(self) -> Progress | None:
        """How far the call is, as its method told last; None when it told nothing."""
        return self._progress

    def add_progress_callback(self, fn: Callable[[Progress], Any]) -> None:
        """Call this with each `Progress` that the method tells, and at once with the last one if there is one already.

        It runs in a thread of the proxy, never twice at the same time; what it raises is logged.
        """

        def hear(news: News) -> None:
            if isinstance(news, Progress):
                fn(news)

        self.add_listener(hear)
        if self._progress is not None:
            fn(self._progress)

    def add_listener(self, listener: Callable[[News], Any]) -> None:
        """Call this with all that the method tells from now on."""
        with self._condition:
            self._listeners = (*self._listeners, listener)

    def hear(self, news: News) -> bool:
        """Take what the method tells; True when somebody has to call `tell_news`, for there are listeners."""
        with self._condition:
            if isinstance(news, Progress):
                self._progress = news
            if not self._listeners:
                return False
            if self._news is None:
                self._news = deque()
            if isinstance(news, Progress) and self._news and isinstance(self._news[-1], Progress):
                self._news.pop()  # Only the last state matters.
            if len(self._news) < _MOST_NEWS:
                self._news.append(news)
            if self._telling:
                return False
            self._telling = True
            return True

    def tell_news(self) -> None:
        """Have the listeners hear what there is for them; this runs their code."""
        while True:
            with self._condition:
                if not self._news:
                    self._telling = False
                    return
                news, listeners = self._news.popleft(), self._listeners
            for listener in listeners:
                try:
                    listener(news)
                except Exception:
                    log.exception("the listener to a call failed; it hears nothing more of this call")
                    with self._condition:
                        self._listeners = tuple(other for other in self._listeners if other is not listener)

    def report(self, news: News) -> None:
        """Take what the method tells, and have the listeners hear it here and now."""
        if self.hear(news):
            self.tell_news()

    def withdraws(self, withdraw: Callable[[FutureResult], Any]) -> None:
        """Have this called when the future is cancelled while the call runs; it gets the future."""
        self._withdraw = withdraw

    @property
    def tells(self) -> bool:
        """Whether cancelling while the call runs tells whoever runs it."""
        return self._withdraw is not None

    def cancel(self) -> bool:
        """Have the call not be made; or, when it is on its way already, have it stopped over there if that can be done.

        A call that is on its way cannot be taken back, so its future stays as it is and gets whatever becomes of the
        call. But a pyronb daemon is told: an ``async def`` method gets a `asyncio.CancelledError`, and the future then
        has an `errors.CancelledError`; any other method hears of it when it asks `pyronb.cancelled`, and what it gives
        then is the result. A real Pyro is told nothing.

        Returns:
            As for every `concurrent.futures.Future`: True when the call is not going to be made, False when it is on
            its way, or over.
        """
        if super().cancel():
            return True
        withdraw = self._withdraw
        if withdraw is not None and self.running():
            withdraw(self)
        return False

    def _tell(self, error: BaseException) -> None:
        """Call the error handlers that were not called yet."""
        while True:
            with self._condition:
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
            with self._condition:
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

    def publish(self, result: Any, error: BaseException | None = None) -> bool:
        """Take the result or the error at once, if nobody's code has to run for that.

        Returns:
            False when there is a chain, an error handler or a callback: `set_result` or `set_exception` runs them.
        """
        with _guard:
            if not self._guarded:
                # Nobody waits, and nobody has added anything.
                self._result, self._exception, self._sealed = result, error, True
                self._state = "FINISHED"
                return True
        with self._condition:
            if self._chain or self._done_callbacks or (error is not None and self._handlers):
                return False
            self._sealed = True
            self._result, self._exception = result, error
            self._state = "FINISHED"
            for waiter in self._waiters:
                if error is None:
                    waiter.add_result(self)
                else:
                    waiter.add_exception(self)
            self._condition.notify_all()
        return True

    @staticmethod
    def publish_all(results: Iterable[tuple[FutureResult, Any]]) -> list[tuple[FutureResult, Any]]:
        """Do as `publish` for the results of many calls; gives those that `set_result` is to take."""
        waited_for: list[tuple[FutureResult, Any]] = []
        with _guard:
            for future, result in results:
                if future._guarded:
                    waited_for.append((future, result))
                else:
                    future._result, future._sealed, future._state = result, True, "FINISHED"
        return [(future, result) for future, result in waited_for if not future.publish(result)]

    def set_exception(self, exception: BaseException | None) -> None:
        """Call the error handlers, and publish the error of the call; the chain is not run."""
        with self._condition:
            self._sealed = True
        # Before it is published, as the chain is run before: whoever waited finds that they were called.
        if exception is not None and not self.done():
            self._tell(exception)
        super().set_exception(exception)
        if exception is not None:
            self._tell(exception)  # Those that came in between.

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


class Future:
    """A callable that runs in a thread of its own, once, when this is called. (S78.)

    Calling it gives the `FutureResult` at once. What `then` and `iferror` add before or after that is the same chain.

    Args:
        call: what runs; it gets the arguments of the call of the future.

    Raises:
        TypeError: it cannot be called.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        if not callable(call):
            raise TypeError(f"a future needs something that can be called, not {type(call).__name__}")
        self._call = call
        self._result = FutureResult()
        self._changed = threading.Condition()
        self._called: float | None = None
        self._delay = 0.0

    def __call__(self, *args: Any, **kwargs: Any) -> FutureResult:
        """Start it, and give the result that it is going to have.

        Raises:
            RuntimeError: it was started before, or was cancelled.
        """
        with self._changed:
            if self._called is not None:
                raise RuntimeError("the future has already been evaluated")
            if self._result.cancelled():
                raise _CancelledError("the future has been cancelled")
            self._called = time.monotonic()
        threading.Thread(target=self._run, args=(args, kwargs), name="pyronb-future", daemon=True).start()
        return self._result

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with self._changed:
            assert self._called is not None
            while not self._result.cancelled():
                rest = self._called + self._delay - time.monotonic()
                if rest <= 0:
                    break
                self._changed.wait(min(rest, threading.TIMEOUT_MAX))
            if not self._result.set_running_or_notify_cancel():
                return
        try:
            result = self._call(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the result
            self._result.set_exception(error)
        else:
            self._result.set_result(result)

    def delay(self, seconds: float) -> bool:
        """Have it wait for so many seconds, counted from when it is called.

        Returns:
            True when that is still possible, False when it runs or has run already, or was cancelled.
        """
        with self._changed:
            self._delay = seconds
            self._changed.notify_all()
            return not self._result.running() and not self._result.done()

    def cancel(self) -> bool:
        """Have it not run at all.

        Returns:
            True when that is still possible, False when it runs or has run already.
        """
        with self._changed:
            self._changed.notify_all()
            return self._result.cancel()

    def then(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Future:
        """Add a callable to the chain, as `FutureResult.then` does; gives the future itself."""
        self._result.then(call, *args, **kwargs)
        return self

    def iferror(self, errorhandler: Callable[[BaseException], Any]) -> Future:
        """Call this with the exception if the call or its chain fails; gives the future itself."""
        self._result.iferror(errorhandler)
        return self

    def __repr__(self) -> str:
        """Show what runs, and how far it is."""
        state = "not called" if self._called is None and not self._result.done() else repr(self._result)
        return f"<pyronb.Future of {getattr(self._call, '__name__', type(self._call).__name__)}; {state}>"
