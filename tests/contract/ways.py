"""Ways: how many ways there are for a call to take, long and short, so that what holds for one is tested on all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyronb.aio
from pyronb.options import ClientOptions
from pyronb.sync.asynchronous import asyncproxy
from pyronb.sync.batch import batch
from pyronb.sync.proxy import Proxy
from tests.support.waiting import scaled

__all__ = ["POOL", "WAYS", "Way"]

POOL = "pool"

Call = Callable[..., Any]

Way = Callable[..., Any]
"""A context manager: it takes an address, options, and what prepares the proxy, and gives a function that calls."""


@contextmanager
def _bound(uri: Any, options: ClientOptions, prepare: Callable[[Any], Any], kind: type[Proxy]) -> Iterator[Proxy]:
    with kind(uri, options=options) as proxy:
        prepare(proxy)
        proxy._pyroBind()
        yield proxy


@contextmanager
def _long(*how: Any) -> Iterator[Call]:
    """The procedures, as wishes for a call have it."""
    with _bound(*how) as proxy:
        yield lambda name, *args, **kwargs: getattr(proxy._pyroCall(output=False), name)(*args, **kwargs)


@contextmanager
def _plain(*how: Any) -> Iterator[Call]:
    with _bound(*how) as proxy:
        yield lambda name, *args, **kwargs: getattr(proxy, name)(*args, **kwargs)


@contextmanager
def _background(*how: Any) -> Iterator[Call]:
    """A line to daemons that answer in any order, a pool of connections to others."""
    with _bound(*how) as proxy, asyncproxy(proxy) as calls:
        yield lambda name, *args, **kwargs: getattr(calls, name)(*args, **kwargs).result(scaled(20))


@contextmanager
def _many(*how: Any) -> Iterator[Call]:
    """The same with others on their way."""
    with _bound(*how) as proxy, asyncproxy(proxy) as calls:

        def call(name: str, *args: Any, **kwargs: Any) -> Any:
            others = [calls.add(number, 0) for number in range(20)]
            result = getattr(calls, name)(*args, **kwargs).result(scaled(20))
            assert list(range(20)) == [other.result(scaled(20)) for other in others]
            return result

        yield call


def _of_batch(rest: tuple[Any, ...], results: Callable[[Any], list[Any]]) -> Any:
    @contextmanager
    def way(*how: Any) -> Iterator[Call]:
        with _bound(*how) as proxy:

            def call(name: str, *args: Any, **kwargs: Any) -> Any:
                made = batch(proxy)
                getattr(made, name)(*args, **kwargs)
                for other in rest or ((name, *args),):
                    getattr(made, other[0])(*other[1:], **({} if rest else kwargs))
                return results(made)[0]

            yield call

    return way


def _in_loop(calling: Callable[[Any, str, Any, Any], Any]) -> Any:
    @contextmanager
    def way(uri: Any, options: ClientOptions, prepare: Callable[[Any], Any], kind: type[Proxy]) -> Iterator[Call]:
        del kind
        with asyncio.Runner() if hasattr(asyncio, "Runner") else _Runner() as runner:
            proxy = pyronb.aio.Proxy(uri, options=options)
            prepare(proxy)
            runner.run(proxy._pyroBind())
            # So that there is a short-cut.
            runner.run(_first(proxy))
            yield lambda name, *args, **kwargs: runner.run(calling(proxy, name, args, kwargs))
            runner.run(proxy._pyroRelease())

    return way


async def _first(proxy: Any) -> None:
    await proxy._pyroCall(timeout=scaled(20)).add(1, 2)


async def _alone(proxy: Any, name: str, args: Any, kwargs: Any) -> Any:
    return await getattr(proxy, name)(*args, **kwargs)


async def _gathered(proxy: Any, name: str, args: Any, kwargs: Any) -> Any:
    others = [proxy.add(number, 0) for number in range(20)]
    result, *rest = await asyncio.gather(getattr(proxy, name)(*args, **kwargs), *others)
    assert list(range(20)) == rest
    return result


class _Runner:
    """What `asyncio.Runner` is, which is younger than Python 3.10."""

    def __enter__(self) -> _Runner:
        self.loop = asyncio.new_event_loop()
        return self

    def __exit__(self, *exc: object) -> None:
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine to its end."""
        return self.loop.run_until_complete(coroutine)


WAYS: dict[str, Way] = {
    "long": _long,
    "plain": _plain,
    "line": _background,
    "full line": _many,
    POOL: _background,
    "full pool": _many,
    "batch": _of_batch((("add", 1, 2),), lambda made: list(made())),
    "alike": _of_batch((), lambda made: list(made())),
    "background batch": _of_batch((("add", 1, 2),), lambda made: list(made(asynchronous=True).result(scaled(20)))),
    "aio": _in_loop(_alone),
    "gathered": _in_loop(_gathered),
}
