"""AsyncProxy: calls that run in the background. (Client chapter, "Asynchronous ('future') remote calls"; S66-S77.)

Calls really run at the same time over there. Towards daemons of pyronb they share one connection (`line.py`); towards
others, and where calls may have to be said again or their proxy's class has its say in each, every call that is on its
way has a connection, and one thread looks after all of them (`pool.py`). There is a limit to how many; calls beyond it
wait their turn. Threads end when there is nothing to do, connections stay for the next calls until the proxy is
released or dropped.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakSet

from pyronb.client.bare import Plain
from pyronb.client.face import check_method, check_proxy, describe, local_names, retries_of, timeout_of, wishes_of
from pyronb.client.hearing import listen
from pyronb.client.link import Link
from pyronb.client.outcomes import add_context
from pyronb.context import ambient
from pyronb.errors import PyroError
from pyronb.futures import FutureResult
from pyronb.net.ticker import TICKER
from pyronb.news import Progress
from pyronb.rpc.call import NO_WISHES, Call, Wishes
from pyronb.sync.line import Line, Work, may_share
from pyronb.sync.measure import MOST
from pyronb.sync.pool import Pool, Stock
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI

__all__ = ["AsyncProxy", "asyncproxy"]

_IDLE = 0.5
"""Seconds after which a thread without work ends."""
_MOMENT = 0.005
"""Seconds that something may wait for a thread, until there are more of them."""


class _Crew:
    """The threads of one proxy for whatever may take its time: connecting, and what users do with results.

    Threads hold the crew and not the proxy, so a dropped proxy goes. Most of that is done soon, so there is one thread
    at first, and twice as many each time that something has waited for a moment.
    """

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._work: deque[Callable[[], Any]] = deque()
        # The lock is taken itself: an interrupt may strike in a condition that was just entered, which then stays so.
        self._lock = threading.RLock()
        self._came = threading.Condition(self._lock)
        self._waiting = 0
        self._threads = 0
        self._watched = False

    def submit(self, work: Callable[[], Any]) -> None:
        with self._lock:
            self._work.append(work)
            # A thread that was woken and has not moved yet still counts as waiting, and so does its work.
            if self._waiting:
                self._came.notify()
            if not self._threads:
                self._hire(1)
            elif self._waiting < len(self._work) and not self._watched and self._threads < MOST:
                self._watched = True
                TICKER.remind(self, time.monotonic() + _MOMENT)

    def _hire(self, threads: int) -> None:
        for _ in range(min(threads, MOST - self._threads)):
            self._threads += 1
            threading.Thread(target=self._be_thread, name="pyronb-async", daemon=True).start()

    def tick(self) -> float | None:
        """Start further threads if something waits; gives the moment to look again, or None."""
        with self._lock:
            left = len(self._work) - self._waiting
            self._hire(min(left, self._threads))
            again = self._watched = left > 0 and self._threads < MOST
        return time.monotonic() + _MOMENT if again else None

    def _be_thread(self) -> None:
        while (work := self._next()) is not None:
            work()
            # Not to be kept alive while waiting for the next one.
            del work

    def _next(self) -> Callable[[], Any] | None:
        with self._lock:
            while not self._work:
                self._waiting += 1
                came = not self._stock.released and self._came.wait(_IDLE)
                self._waiting -= 1
                if not self._work and (self._stock.released or not came):
                    self._threads -= 1
                    return None
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
    __slots__ = ("__dict__", "__weakref__", "_crew", "_line", "_link", "_pool", "_stock")

    def __init__(self, link: Link) -> None:
        """Make one for the object that this link leads to; it has connections of its own."""
        self._begin(link.twin())
        _proxies.add(self)

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
        link, stock, pool, line = self._link, self._stock, self._pool, self._line
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
            if line is not None and line.able:
                line.submit(what, future)
            else:
                pool.submit(what, future)
            return future

        def tell(future: FutureResult) -> None:
            if line is not None:
                line.withdraw(future)
            pool.withdraw(future)

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


_proxies: WeakSet[AsyncProxy] = WeakSet()
"""All that there are."""


def _start_anew() -> None:
    """Give all of them new threads and connections in the child of a fork: what they have are its parent's."""
    for proxy in list(_proxies):
        proxy._begin(proxy._link)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


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
