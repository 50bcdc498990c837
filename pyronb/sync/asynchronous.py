"""AsyncProxy: calls that run in the background. (Client chapter, "Asynchronous ('future') remote calls"; S66-S77.)

Calls really run at the same time over there. Towards daemons of pyronb they share one connection (`line.py`); towards
others each call that is on its way has a connection, and one thread looks after all of them (`pool.py`). Calls that are
not plain have a thread each. There is a limit to how many; calls beyond it wait their turn. Threads end when there is
nothing to do, connections stay for the next calls until the proxy is released or dropped.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from pyronb.client.bare import Plain
from pyronb.client.face import check_method, check_proxy, describe, local_names, retries_of, timeout_of, wishes_of
from pyronb.client.hearing import listen
from pyronb.client.link import Link
from pyronb.client.outcomes import add_context, settle
from pyronb.context import ambient
from pyronb.errors import PyroError
from pyronb.futures import FutureResult
from pyronb.net.ticker import TICKER
from pyronb.news import Progress
from pyronb.rpc.call import NO_WISHES, Call, Wishes
from pyronb.sync.driver import withdraw
from pyronb.sync.line import Line, Work, call_of, may_share
from pyronb.sync.methods import outcome_of
from pyronb.sync.pool import MOST, Pool, Stock
from pyronb.sync.proxy import Proxy
from pyronb.sync.streams import FarStream
from pyronb.uri import URI

__all__ = ["AsyncProxy", "asyncproxy"]

_IDLE = 0.5
"""Seconds after which a thread without work ends."""
_MOMENT = 0.005
"""Seconds between two looks at whether more threads are needed,"""
_QUICK = 5
"""which they are not if each has begun so much since the last one,"""
_PAYS = 1.25
"""nor if all together have not begun so many times as much as before it."""
_FIRST = 0.02
"""Seconds until the first look."""


class _Crew:
    """The threads of one proxy, for calls that are not plain and for whatever users do with results.

    Threads hold the crew and not the proxy, so a dropped proxy goes. More threads cost more than they give where calls
    are quick. So there is one at first, and twice as many each time that a moment has passed in which those that are
    there have not got on quickly, as long as that helps.
    """

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._work: deque[Work | Callable[[], Any]] = deque()
        self._running: dict[FutureResult, Link] = {}
        self._withdrawing = threading.Lock()
        # The lock is taken itself: an interrupt may strike in a condition that was just entered, which then stays so.
        self._lock = threading.RLock()
        self._came = threading.Condition(self._lock)
        self._waiting = 0
        self._threads = 0
        # How much work was begun; how much it was at the last look, how much more that was than at the one before, and
        # whether there is going to be another one.
        self._begun = 0
        self._seen = 0
        self._pace = 0
        self._watched = False

    def submit(self, work: Work | Callable[[], Any]) -> None:
        with self._lock:
            self._work.append(work)
            # A thread that was woken and has not moved yet still counts as waiting, and so does its work.
            if self._waiting:
                self._came.notify()
            if not self._threads:
                self._hire(1)
            elif self._waiting < len(self._work) and not self._watched and self._threads < MOST:
                self._watched, self._seen, self._pace = True, self._begun, 0
                # The first one has to connect.
                TICKER.remind(self, time.monotonic() + (_MOMENT if self._begun > 1 else _FIRST))

    def _hire(self, threads: int) -> None:
        for _ in range(min(threads, MOST - self._threads)):
            self._threads += 1
            threading.Thread(target=self._be_thread, name="pyronb-async", daemon=True).start()

    def tick(self) -> float | None:
        """Look whether more threads are needed; gives the moment to look again, or None."""
        with self._lock:
            left = len(self._work) - self._waiting
            pace = self._begun - self._seen
            if pace < _QUICK or self._pace * _PAYS < pace < _QUICK * self._threads:
                self._hire(min(left, self._threads))
            self._seen, self._pace = self._begun, pace
            again = self._watched = left > 0 and self._threads < MOST
        return time.monotonic() + _MOMENT if again else None

    def _be_thread(self) -> None:
        while (work := self._next()) is not None:
            if isinstance(work, tuple):
                self._make_call(*work)
            else:
                work()
            # Not to be kept alive while waiting for the next one.
            del work

    def _make_call(self, what: Call | Plain, future: FutureResult) -> None:
        if not future.set_running_or_notify_cancel():
            return
        link = self._stock.take() or self._stock.make()
        result: Any = None
        error: BaseException | None = None
        self._running[future] = link
        try:
            call = call_of(what)
            call.wishes = replace(call.wishes, listener=future.report, on_progress=None)
            result = settle(link, outcome_of(link, call), partial(FarStream, alone=True))
        except BaseException as failed:  # noqa: BLE001 - it belongs to whoever reads the future
            error = failed
        with self._withdrawing:
            del self._running[future]
            link.unwanted = False
        # First of all, for whoever has the result may release the proxy at once. A far stream keeps its connection.
        if type(result) is not FarStream:
            self._stock.put(link)
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def withdraw(self, future: FutureResult) -> None:
        """Tell the daemon that the answer to a call that runs is not wanted."""
        with self._withdrawing:
            # As long as this is held, nothing else is said over the link.
            link = self._running.get(future)
            if link is not None:
                withdraw(link)

    def _next(self) -> Work | Callable[[], Any] | None:
        with self._lock:
            while not self._work:
                self._waiting += 1
                came = not self._stock.released and self._came.wait(_IDLE)
                self._waiting -= 1
                if not self._work and (self._stock.released or not came):
                    self._threads -= 1
                    return None
            self._begun += 1
            return self._work.popleft()

    def release(self) -> None:
        """End the threads without work."""
        with self._lock:
            self._came.notify_all()


class AsyncCalls:
    """An async proxy, seen so that its calls are made with some wishes of their own."""

    __slots__ = ("_proxy", "_wishes")

    def __init__(self, proxy: AsyncProxy, wishes: Wishes) -> None:
        """See a proxy like this."""
        self._proxy = proxy
        self._wishes = wishes

    def __getattr__(self, name: str) -> Callable[..., FutureResult]:
        """Give a function that starts a call of this method."""
        if name in AsyncCalls.__slots__:
            # Not there yet, in a view that is just being copied.
            raise AttributeError(name)
        return self._proxy._starter(name, self._wishes)

    def __dir__(self) -> list[str]:
        """List the remote methods, as far as they are known."""
        return [*super().__dir__(), *local_names(self._proxy._link)]

    def __repr__(self) -> str:
        """Show the address."""
        return f"<calls of {self._proxy!r}>"


class AsyncProxy:
    """A proxy whose method calls give a `FutureResult` at once and run in the background.

    Calls that are outstanding together run at the same time over there, as many as the daemon has workers for, and end
    in any order. Those of an object that is the client's own (mode ``session``) run one after the other, in the order
    in which they were made, on daemons of pyronb; on others each such call may meet another instance.

    Errors stay in their future until it is read, or `iferror` asks for them. Attributes are not reached this way. It
    begins with the settings of the proxy that it was made from; a change holds for calls that are made after it.
    """

    # The functions that start calls are in its dict, by name, once the object is known to have such methods.
    __slots__ = ("__dict__", "_crew", "_line", "_link", "_pool", "_stock")

    def __init__(self, link: Link) -> None:
        """Make one for the object that this link leads to; it has connections of its own."""
        self._begin(link.twin())

    def _begin(self, link: Link) -> None:
        self._link = link
        vars(self).clear()
        self._stock = stock = Stock(link)
        self._crew = crew = _Crew(stock)
        self._pool = pool = Pool(link, stock, crew.submit)

        def unable(works: Iterable[Work]) -> None:
            for work in works:
                pool.submit(*work)

        self._line = Line(link, unable, crew.submit) if may_share(link) else None

    def __getattr__(self, name: str) -> Callable[..., FutureResult]:
        """Give a function that starts a call of this method."""
        start = self._starter(name, NO_WISHES)
        if self._link.metadata is not None:
            vars(self)[name] = start
        return start

    def __setattr__(self, name: str, value: Any) -> None:
        """Set one of the proxy's own settings; attributes of the object are not reached this way."""
        if not (name.startswith("_") and hasattr(type(self), name)):
            raise AttributeError(f"{name!r} cannot be set here: attributes are not reached through an async proxy")
        object.__setattr__(self, name, value)

    def _starter(self, name: str, wishes: Wishes) -> Callable[..., FutureResult]:
        link, stock, crew, pool, line = self._link, self._stock, self._crew, self._pool, self._line
        check_method(link, name, "are called in the background")
        shown = link.options.remote_output

        plain = link.owner is None and not shown and wishes is NO_WISHES

        def start(*args: Any, **kwargs: Any) -> FutureResult:
            future = FutureResult()
            future.withdraws(tell)
            stock.released = False
            context = ambient()
            what: Call | Plain
            if plain and not context.annotations and context.listener is None and context.correlation_id is None:
                # The way of most calls.
                what = (name, args, kwargs)
            else:
                what = Call("", name, args, kwargs, wishes=wishes)
                add_context(link, what)
                if shown or what.wishes is not NO_WISHES:
                    listen(future, link, what)
            if line is None:
                crew.submit((what, future))
            elif line.able:
                line.submit(what, future)
            elif pool.able:
                pool.submit(what, future)
            else:
                crew.submit((what, future))
            return future

        def tell(future: FutureResult) -> None:
            if line is not None:
                line.withdraw(future)
            crew.withdraw(future)

        start.__name__ = start.__qualname__ = name
        return start

    def _pyroCall(
        self,
        timeout: float | None = None,
        output: bool | None = None,
        on_progress: Callable[[Progress], Any] | None = None,
    ) -> AsyncCalls:
        """Give a view of the proxy whose calls are made with these wishes, as `Proxy._pyroCall` does.

        What is heard of a call is heard in a thread of the proxy. The seconds count from when the call is sent.
        """
        return AsyncCalls(self, wishes_of(timeout, output, on_progress))

    @property
    def _pyroUri(self) -> URI:
        """The address."""
        return self._link.uri

    @property
    def _pyroTimeout(self) -> float | None:
        """Seconds that a call may take; None waits for ever."""
        return self._link.timeout

    @_pyroTimeout.setter
    def _pyroTimeout(self, seconds: float | None) -> None:
        link = self._link.sibling()
        link.timeout = timeout_of(seconds)
        self._pyroRelease()
        self._begin(link)

    @property
    def _pyroMaxRetries(self) -> int:
        """How often a call is sent again after a timeout or a lost connection; see `Proxy`."""
        return self._link.max_retries

    @_pyroMaxRetries.setter
    def _pyroMaxRetries(self, times: int) -> None:
        link = self._link.sibling()
        link.max_retries = retries_of(times)
        self._pyroRelease()
        self._begin(link)

    def _pyroRelease(self) -> None:
        """Close the connections on which nothing is on its way; they are made again when they are needed."""
        if self._line is not None:
            self._line.release()
        self._stock.release()
        self._pool.release()
        self._crew.release()

    def __enter__(self) -> AsyncProxy:
        """Give itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Release it; calls that are on their way go on."""
        self._pyroRelease()

    def __dir__(self) -> list[str]:
        """List the remote methods, as far as they are known."""
        return [*super().__dir__(), *local_names(self._link)]

    def __bool__(self) -> bool:
        """Be true."""
        return True

    def __repr__(self) -> str:
        """Show the address."""
        return f"<pyronb.AsyncProxy {describe(self._link).partition(';')[0]}>"


def asyncproxy(proxy: Proxy) -> AsyncProxy:
    """Give a proxy whose method calls give a `FutureResult` at once and run in the background. (S66-S77.)

    Raises:
        PyroError: the proxy is on a given socket, and there can be no second connection.
        TypeError: it is no proxy.
    """
    check_proxy(proxy, Proxy)
    if proxy._pyro.given_socket:
        raise PyroError("a proxy on a given socket cannot make calls in the background: there is but one connection")
    return AsyncProxy(proxy._pyro)
