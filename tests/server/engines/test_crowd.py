"""The crowd: many busy clients are served by one worker, and nothing that one of them does holds the others up."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from pyronb.errors import CommunicationError
from pyronb.server.exposure import expose
from tests.support.held import Thing, in_threads, join, started, workers
from tests.support.serving import connect, serving
from tests.support.waiting import deadline, eventually, scaled

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there are crowds on Linux only")


@expose
class Popular(Thing):
    """Tells which thread runs its calls."""

    def who(self):
        return threading.get_ident()

    def nap(self, seconds):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(seconds)
        with self.lock:
            self.running -= 1
        return seconds

    def fail(self, value):
        raise ValueError(value)

    def count(self, most):
        yield from range(most)

    async def later(self, value):
        return value


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Two clients are a crowd, as on slow machines a test cannot have many that are busy at the same time.

    A crowd that goes apart gathers again soon: the clients, which are in the same interpreter here, hold its calls up,
    so that it takes them for such as wait.
    """
    monkeypatch.setattr("pyronb.server.engines.crowd._PAUSE", 0.02)
    monkeypatch.setattr("pyronb.server.engines.crowd._LONGEST_PAUSE", 0.02)
    monkeypatch.setattr("pyronb.server.engines.crowd.FEW", 0)
    monkeypatch.setattr("pyronb.server.engines.threads.FEW", 0)


@contextmanager
def crowded(thing, count=4):
    """Give a daemon, its crowd, and proxies of clients that are in it."""
    with serving() as daemon, ExitStack() as stack:
        uri, crowd = daemon.register(thing), daemon._engine._crowd
        proxies = [stack.enter_context(connect(uri)) for _ in range(count)]
        for number, proxy in enumerate(proxies):
            assert proxy.echo(number) == number
        eventually(lambda: gathered(crowd, proxies))
        yield daemon, crowd, proxies


def gathered(crowd, proxies):
    """Tell whether all of them are there, after each has called."""
    assert [proxy.echo(1) for proxy in proxies] == [1] * len(proxies)
    return crowd.led and len(crowd._members) >= len(proxies)


def test_one_worker_serves_all():
    """Their calls run in the thread of whoever leads."""
    with crowded(Popular()) as (_, _, proxies):
        eventually(lambda: len({proxy.who() for proxy in proxies}) == 1)


def test_a_call_that_takes_long_holds_nobody_up():
    """Another worker leads from then on, also when several block."""
    thing = Popular()
    with crowded(thing, 6) as (_, crowd, proxies):
        got = []
        threads = in_threads(3, lambda number: got.append(proxies[number].wait()))
        started(thing, 3)
        limit = deadline(5)
        for value in range(100):
            assert [proxy.echo(value) for proxy in proxies[3:]] == [value] * 3
            assert not limit.passed
        assert thing.running == 3
        thing.go_on.set()
        join(threads)

        assert got == ["done"] * 3
        assert all(proxy.echo(2) == 2 for proxy in proxies)
        eventually(lambda: not crowd._running)


def test_what_is_no_plain_call_is_done_by_others():
    """Errors, large results, iterators, coroutines and calls that nobody waits for come out as always."""
    thing = Popular()
    with crowded(thing) as (_, crowd, proxies):
        for proxy in proxies:
            with pytest.raises(ValueError, match="so be it"):
                proxy.fail("so be it")
            assert len(proxy.large(1_000_000)) == 1_000_000
            assert list(proxy.count(5)) == [0, 1, 2, 3, 4]
            assert proxy.later("at last") == "at last"
            proxy.fire(7)
        started(thing, len(proxies))
        thing.go_on.set()
        eventually(lambda: thing.fired == [7] * len(proxies))
        eventually(lambda: gathered(crowd, proxies))


def test_a_client_that_hangs_up_is_let_go():
    """The others do not notice."""
    with crowded(Popular()) as (daemon, crowd, proxies):
        proxies[0]._pyroRelease()
        eventually(lambda: daemon._engine.clients == len(proxies) - 1)
        assert all(proxy.echo(3) == 3 for proxy in proxies[1:])
        eventually(lambda: len(crowd._members) <= len(proxies) - 1)


def test_quiet_clients_leave(monkeypatch):
    """They cost no worker, and are served when they call again."""
    monkeypatch.setattr("pyronb.server.engines.threads._IDLE", 0.05)
    with crowded(Popular()) as (daemon, crowd, proxies):
        monkeypatch.setattr("pyronb.server.engines.crowd.FEW", 1)
        eventually(lambda: not crowd.led and not crowd._members)
        eventually(lambda: daemon._engine.workers <= 4)
        assert all(proxy.echo(4) == 4 for proxy in proxies)


def test_a_crowd_of_those_who_wait_goes_apart():
    """Calls that sleep a little are better run at the same time, and soon they are."""
    thing = Popular()
    with crowded(thing, 4) as (_, _, proxies):
        limit = deadline(10)

        def call(number):
            while thing.most < 3 and not limit.passed:
                assert proxies[number].nap(0.001) == 0.001

        join(in_threads(4, call))

        assert thing.most >= 3


def test_more_work_than_workers():
    """Who leads gives way to others that wait for a worker."""
    thing = Popular()
    with serving(workers=2) as daemon, ExitStack() as stack:
        uri = daemon.register(thing)
        proxies = [stack.enter_context(connect(uri)) for _ in range(6)]
        over = threading.Event()

        def call(number):
            while not over.is_set():
                assert proxies[number].echo(number) == number

        threads = in_threads(5, call)
        eventually(lambda: daemon._engine._crowd.led)
        waiter = threading.Thread(target=proxies[5].wait)
        waiter.start()
        started(thing)
        with connect(uri) as late:
            assert late.echo("late") == "late"
        thing.go_on.set()
        waiter.join(scaled(5))
        over.set()
        join(threads)


@pytest.mark.parametrize("draining", [False, True])
def test_the_end(draining):
    """Closing and draining end a crowd like all else, while clients call."""
    with serving() as daemon, ExitStack() as stack:
        uri, failed = daemon.register(Popular()), []
        proxies = [stack.enter_context(connect(uri)) for _ in range(4)]

        def call(number):
            try:
                while True:
                    proxies[number].echo(number)
            except CommunicationError as error:
                failed.append(error)

        threads = in_threads(4, call)
        eventually(lambda: daemon._engine._crowd.led)
        if draining:
            daemon._engine.drain(scaled(5))
            eventually(lambda: daemon._engine.stopping)
        daemon.close()
        join(threads)

    assert len(failed) == 4
    eventually(lambda: not workers())
