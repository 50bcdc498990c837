"""The load of a soak: daemons of both engines for both protocols, and clients that make all kinds of calls at once.

`python -m tests.bench.load serve` tells where the daemons are, as one line of json; with `ask` and that line as
argument it makes calls, and tells each second how many of each kind. Both end when their standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

import pyronb
from pyronb import aio
from tests.bench.worker import more_descriptors
from tests.bench.workloads import DICT, SERIALIZERS, SMALL, check

PROTOCOLS = (502, 48)
ENGINES = ("thread", "multiplex")
MEGABYTE = 1 << 20
ARRAY = np.arange(MEGABYTE // 8, dtype=float)


# The server


@pyronb.by_reference
@pyronb.expose
class Part:
    """Travels as a proxy."""

    def give(self, value: Any) -> Any:
        """Give it back."""
        return value


@pyronb.expose
class Target:
    """Has a method for each kind of call."""

    def echo(self, value: Any) -> Any:
        """Give it back."""
        return value

    def fail(self, text: str) -> None:
        """Raise."""
        raise ValueError(text)

    def wait(self, seconds: float) -> None:
        """Take a while."""
        time.sleep(seconds)

    async def later(self, value: Any) -> Any:
        """Give it back in the next turn of the loop."""
        await asyncio.sleep(0)
        return value

    @pyronb.oneway
    def tell(self, value: Any) -> None:
        """Take it."""

    def numbers(self, count: int, fails: bool = False) -> Iterator[int]:
        """Give that many."""
        yield from range(count)
        if fails:
            raise ValueError("in the middle")

    def blocks(self, count: int) -> Iterator[bytes]:
        """Give that many, of 1 MiB each."""
        return (bytes(MEGABYTE) for _ in range(count))

    def take(self, items: Iterable[Any], most: int | None = None) -> int:
        """Count what comes."""
        return sum(1 for _ in itertools.islice(items, most))

    def call(self, function: Callable[[Any], Any], count: int) -> list[Any]:
        """Call back."""
        return [function(number) for number in range(count)]

    def part(self) -> Part:
        """Give an object that stays here."""
        return Part()

    def steps(self, count: int) -> int:
        """Tell how far it is, and print."""
        for step in pyronb.track(range(count)):
            print("step", step)
        return count


def serve() -> None:
    """Serve until there is no more input."""
    places = []
    for engine, protocol in itertools.product(ENGINES, PROTOCOLS):
        pyronb.config.SERVERTYPE = engine
        daemon = pyronb.Daemon("127.0.0.1")
        places.append([str(daemon.register(Target(), "target")), protocol])
        threading.Thread(target=daemon.requestLoop, daemon=True).start()
    # What methods print must not come between the lines of json.
    out, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps(places), file=out, flush=True)
    sys.stdin.read()


# The clients; each kind of call is a function that makes some at one place and tells how many

Place = tuple[str, int]


def options(place: Place) -> Any:
    """Give how a daemon is talked to: each in one protocol."""
    return dataclasses.replace(pyronb.config.client_options(), protocol=place[1])


def connect(place: Place, serializer: str = "native") -> pyronb.Proxy:
    """Give a proxy."""
    proxy = pyronb.Proxy(place[0], options=options(place))
    proxy._pyroSerializer = serializer
    return proxy


@contextlib.contextmanager
def expected(*kinds: type[BaseException]) -> Iterator[None]:
    """See that the block raises."""
    try:
        yield
    except kinds:
        return
    raise AssertionError(f"none of {kinds} was raised")


def calls(place: Place) -> int:
    """Plain calls in each serializer."""
    for serializer in (*SERIALIZERS, "native"):
        with connect(place, serializer) as proxy:
            for _ in range(50):
                check(SMALL, proxy.echo(SMALL))
                check(DICT, proxy.echo(DICT))
                proxy.tell(SMALL)
    return 150 * 5


def arrays(place: Place) -> int:
    """Large values."""
    with connect(place) as proxy:
        for _ in range(10):
            assert np.array_equal(ARRAY, proxy.echo(ARRAY))
            assert MEGABYTE == len(proxy.echo(bytes(MEGABYTE)))
    return 20


def background(place: Place) -> int:
    """Many calls at once, some of which nobody waits for."""
    with connect(place) as proxy, pyronb.asyncproxy(proxy) as calls:
        results = [calls.echo(number) for number in range(300)]
        results += [calls.later(number) for number in range(300)]
        check([*range(300)] * 2, [result.value for result in results])
        for _ in range(20):
            calls.wait(0.001).cancel()
        with expected(ValueError):
            calls.fail("expected").value  # noqa: B018
    return 621


def in_asyncio(place: Place) -> int:
    """The same in asyncio, with streams, and tasks that are cancelled."""

    async def work() -> None:
        async with aio.Proxy(place[0], options=options(place)) as proxy:
            check([*range(300)], await asyncio.gather(*map(proxy.echo, range(300))))
            check([*range(600)], [item async for item in await proxy.numbers(600)])
            stream = await proxy.blocks(10)
            await anext(stream)
            await stream.aclose()
            tasks = [asyncio.create_task(proxy.wait(0.001)) for _ in range(10)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            check(50, await proxy.take(iter(range(50))))

    asyncio.run(work())
    return 314


def batches(place: Place) -> int:
    """Many calls in a message."""
    for serializer in (*SERIALIZERS, "native"):
        with connect(place, serializer) as proxy:
            calls = pyronb.batch(proxy)
            for number in range(100):
                calls.echo(number)
            calls.fail("expected")
            results = calls()
            check([*range(100)], list(itertools.islice(results, 100)))
            with expected(ValueError):
                next(results)
    return 101 * 5


def streams(place: Place) -> int:
    """Iterators over there: to their ends, closed, dropped, and failing."""
    with connect(place) as proxy:
        check([*range(2000)], list(proxy.numbers(2000)))
        check([MEGABYTE] * 16, [len(block) for block in proxy.blocks(16)])
        stream = proxy.blocks(100)
        next(stream)
        stream.close()
        next(proxy.numbers(100))
        stream = proxy.numbers(10, fails=True)
        check([*range(10)], list(itertools.islice(stream, 10)))
        with expected(ValueError):
            next(stream)
    return 2030


def lent(place: Place) -> int:
    """Iterators from here."""
    with connect(place) as proxy:
        check(1000, proxy.take(iter(range(1000))))
        check(8, proxy.take(bytes(MEGABYTE) for _ in range(8)))
        check(2, proxy.take(itertools.count(), 2))
        check(1, proxy.take(iter([1])))
    return 1011


def callbacks(place: Place) -> int:
    """Functions from here, and objects from there."""
    with connect(place) as proxy:
        kept: list[Any] = []
        check([0, 2, 4], proxy.call(lambda number: 2 * number, 3))
        check([None] * 20, proxy.call(kept.append, 20))
        with proxy.part() as part:
            check(SMALL, part.give(SMALL))
        check([*range(20)], kept)
    return 24


def errors(place: Place) -> int:
    """What goes wrong, and how it is told."""
    with connect(place) as proxy:
        for _ in range(20):
            with expected(ValueError):
                proxy.fail("expected")
            with expected(AttributeError):
                proxy.nothing_like_that()
            with expected(pyronb.errors.SerializeError):
                proxy.echo(object())
        # Where there is much to do, the answer may be there before anybody looks at the clock.
        with contextlib.suppress(pyronb.errors.TimeoutError):
            proxy._pyroCall(timeout=0.002).wait(0.02)
        check(SMALL, proxy.echo(SMALL))
    return 62


def connects(place: Place) -> int:
    """Many short conversations, and some that only stand."""
    idle = [connect(place) for _ in range(20)]
    for proxy in idle:
        proxy._pyroBind()
    for serializer in SERIALIZERS * 5:
        with connect(place, serializer) as proxy:
            check(SMALL, proxy.echo(SMALL))
    for proxy in idle[:10]:
        proxy._pyroRelease()
    return 40


def strangers(place: Place) -> int:
    """Who speaks no Pyro, or not to the end."""
    host, _, port = place[0].rpartition("@")[2].partition(":")
    for said in (b"", b"GET / HTTP/1.1\r\n\r\n", b"PYRO", b"PYRO\x01\xf6" + bytes(34), b"PYRO\x00\x30" + b"\xff" * 18):
        with socket.create_connection((host, int(port)), timeout=10) as stranger:
            stranger.sendall(said)
            stranger.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while stranger.recv(4096):
                    pass
    time.sleep(0.02)
    return 5


def news(place: Place) -> int:
    """What a call tells while it runs."""
    heard: list[Any] = []
    with connect(place) as proxy:
        check(20, proxy._pyroCall(on_progress=heard.append).steps(20))
    return 1


KINDS = (calls, arrays, background, in_asyncio, batches, streams, lent, callbacks, errors, connects, strangers, news)


class Counts:
    """What was done, and what went wrong though it should not."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.done = {kind.__name__: 0 for kind in KINDS}
        self.wrong: dict[str, int] = {}
        self.over = threading.Event()

    def work(self, kind: Callable[[Place], int], places: list[Place]) -> None:
        """Do one kind of thing, place after place."""
        for place in itertools.cycle(places):
            if self.over.is_set():
                return
            try:
                count = kind(place)
            except Exception as error:
                with self.lock:
                    text = f"{kind.__name__} at {place}: {type(error).__name__}: {error}"[:500]
                    self.wrong[text] = self.wrong.get(text, 0) + 1
                time.sleep(0.1)
            else:
                with self.lock:
                    self.done[kind.__name__] += count

    def tell(self) -> None:
        """Print what is known."""
        with self.lock:
            print(json.dumps({"done": self.done, "wrong": self.wrong}), flush=True)


def ask(places: list[Place]) -> None:
    """Make calls until there is no more input."""
    counts = Counts()
    threads = [threading.Thread(target=counts.work, args=(kind, places), daemon=True) for kind in KINDS]
    ended = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    for thread in threads:
        thread.start()
    while not ended.wait(1):
        counts.tell()
    counts.over.set()
    for thread in threads:
        thread.join(30)
    counts.tell()


if __name__ == "__main__":
    more_descriptors()
    if sys.argv[1] == "serve":
        serve()
    else:
        ask([(uri, protocol) for uri, protocol in json.loads(sys.argv[2])])
