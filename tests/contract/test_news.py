"""News of a call, in every room and with every engine: what its method tells, and when."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import pyronb
from pyronb.context import ambient, current_context
from pyronb.dialects import PYRO5
from pyronb.news import Progress
from tests.contract.rooms import ROOMS
from tests.support.serving import client_options, connect
from tests.support.waiting import eventually, scaled


@pyronb.expose
class Steps:
    """Goes step by step."""

    def __init__(self):
        self.go = threading.Event()
        self.entered = threading.Semaphore(0)

    def add(self, a, b):
        return a + b

    def count(self, steps):
        """Go through so many steps as quickly as possible."""
        for step in pyronb.track(range(steps), message="counting"):
            last = step
        return last

    async def count_later(self, steps):
        for _ in pyronb.track(range(steps), message="counting"):
            await asyncio.sleep(0)
        return steps - 1

    def half(self):
        """Tell that half is done, and wait for the test."""
        pyronb.progress(1, 2, "half")
        self.entered.release()
        return self.go.wait(scaled(20))

    async def half_later(self):
        pyronb.progress(1, 2, "half")
        self.entered.release()
        return await asyncio.to_thread(self.go.wait, scaled(20))

    def steadily(self):
        """Take a while, and tell of each step."""
        for _ in pyronb.track(range(60)):
            time.sleep(0.01)
        return "done"

    def two(self):
        """Tell two things at once, and wait for the test."""
        pyronb.progress(1, 2, "first")
        pyronb.progress(2, 2, "second")
        return self.go.wait(scaled(20))

    def in_threads(self):
        """Have other threads tell of the call, one of them too late."""
        taken = current_context.to_global()

        def tell(done):
            current_context.from_global(taken)
            pyronb.progress(done, 3)

        def tell_late():
            self.go.wait(scaled(20))
            tell(3)
            self.entered.release()

        for done in (1, 2):
            thread = threading.Thread(target=tell, args=(done,))
            thread.start()
            thread.join()
        self.late = threading.Thread(target=tell_late)
        self.late.start()
        return "answered"

    def fail(self):
        pyronb.progress(1, 2, "failing")
        raise ValueError("boom")

    def items(self):
        """Tell of each item of a far stream."""
        for item in range(3):
            pyronb.progress(item)
            yield item

    @pyronb.oneway
    def fire(self):
        pyronb.progress(1)
        assert not pyronb.cancelled()
        self.entered.release()


SERVED = Steps


@pytest.fixture(params=ROOMS, ids=lambda room: room.name)
def room(request):
    """Give a room."""
    made = request.param(PYRO5)
    yield made
    made.close()


@pytest.fixture
def remote(daemon, room):
    """Give the object, with news of its calls in `heard`."""
    made = room.remote(room.proxy_class(daemon.uri, options=client_options()))
    made.heard = []

    def call(name, *args, listener=made.heard.append):
        def work():
            # In whichever thread the room makes its calls.
            ambient().listener = listener
            try:
                return getattr(made.proxy, name)(*args)
            finally:
                if room.name == "sync":
                    ambient().listener = None

        return work

    made.listening = call
    yield made
    room.now(lambda: setattr(current_context, "listener", None))


@pytest.mark.parametrize("method", ["count", "count_later"])
def test_the_last_state_always_arrives(remote, room, method):
    """From a method that tells 10,000 things at once, few are sent, and the last one before the result."""
    for _ in range(2):  # the long way, and the short-cut
        remote.heard.clear()

        assert 9_999 == room.now(remote.listening(method, 10_000))
        assert (10_000, "counting") == (remote.heard[0].total, remote.heard[0].message)
        assert 10_000 == remote.heard[-1].done
        assert len(remote.heard) < 2 + scaled(20) * 20
        assert [news.done for news in remote.heard] == sorted(news.done for news in remote.heard)
        assert remote.heard[-1].seconds >= remote.heard[0].seconds >= 0


@pytest.mark.parametrize("method", ["half", "half_later"])
def test_progress_arrives_while_the_method_runs(remote, room, daemon, method):
    """Not only with the result."""
    running = room.start(remote.listening(method))

    eventually(lambda: remote.heard)

    assert not running.done()
    assert ("half", 0.5) == (remote.heard[0].message, remote.heard[0].fraction)
    daemon.served.go.set()
    assert running.result(scaled(20)) is True


def test_progress_arrives_steadily(remote, room):
    """Also where the method keeps the loop of its daemon busy."""
    for _ in range(2):
        remote.heard.clear()
        assert "done" == room.now(remote.listening("steadily"))

        assert len(remote.heard) >= 5
        assert 60 == remote.heard[-1].done


def test_what_is_held_back_arrives_a_moment_later(remote, room, daemon):
    """Also when the method tells nothing more; the multiplex engine, whose loop is busy, sends it with the result."""
    running = room.start(remote.listening("two"))

    if daemon._engine.name == "thread":
        eventually(lambda: len(remote.heard) == 2)
        assert not running.done()
    daemon.served.go.set()

    assert running.result(scaled(20)) is True
    assert ["first", "second"] == [news.message for news in remote.heard]


def test_other_threads_tell_of_the_call(remote, room, daemon):
    """As long as it runs; what comes after the answer is told to nobody, and disturbs nobody."""
    assert "answered" == room.now(remote.listening("in_threads"))
    daemon.served.go.set()
    assert daemon.served.entered.acquire(timeout=scaled(5))
    daemon.served.late.join()

    assert 7 == remote.call("add", 3, 4)
    assert 2 == remote.heard[-1].done


def test_progress_of_a_call_that_fails(remote, room):
    """It is heard, and then the error."""
    with pytest.raises(ValueError, match="boom"):
        room.now(remote.listening("fail"))

    assert "failing" == remote.heard[-1].message


def test_progress_of_a_batch(remote, room):
    """It is that of the call that runs."""

    def send():
        ambient().listener = remote.heard.append
        batch = room.batch(remote.proxy)
        batch.count(5)
        batch.add(1, 2)
        return batch()

    results = room.now(send)

    assert [4, 3] == list(results)
    assert 5 == remote.heard[-1].done
    room.now(lambda: setattr(ambient(), "listener", None))


def test_a_oneway_call_tells_nobody(remote, room, daemon):
    """There is nobody who waits for it."""
    room.now(remote.listening("fire"))
    assert daemon.served.entered.acquire(timeout=scaled(5))

    assert 3 == remote.call("add", 1, 2)
    assert [] == remote.heard


def test_a_call_is_made_without_a_listener(remote):
    """What the method tells is dropped."""
    for _ in range(3):
        assert 4 == remote.call("count", 5)
        assert 4 == remote.call("count_later", 5)


def test_a_listener_that_fails_does_the_call_no_harm(remote, room, caplog):
    """Its error is logged."""

    def fail(news):
        raise ValueError("listener")

    assert 4 == room.now(remote.listening("count", 5, listener=fail))
    assert ["pyronb.client"] == [record.name for record in caplog.records]


def test_a_listener_may_call_the_same_object(daemon):
    """Its call goes over another connection, for on the first one an answer is due."""
    with connect(daemon.uri) as proxy:
        sums = []
        current_context.listener = lambda news: sums.append(proxy.add(int(news.done), 100))
        try:
            assert 4 == proxy.count(5)
            assert 4 == proxy.count(5)
        finally:
            current_context.listener = None

        assert [100, 105] * 2 == [sums[0], sums[-1], sums[0], sums[-1]]
        assert 3 == proxy.add(1, 2)


def test_calls_at_the_same_time_hear_their_own(daemon):
    """On one connection."""
    with connect(daemon.uri) as proxy, pyronb.asyncproxy(proxy) as calls:
        futures = [calls.count(steps) for steps in range(2, 12)] + [calls.count_later(steps) for steps in range(2, 12)]

        assert [*range(1, 11)] * 2 == [future.value for future in futures]
        assert [*range(2, 12)] * 2 == [future.progress.done for future in futures]


def test_a_future_knows_how_far_it_is(daemon):
    """While the call runs, too."""
    heard = []
    with connect(daemon.uri) as proxy, pyronb.asyncproxy(proxy) as calls:
        future = calls.half_later()
        future.add_progress_callback(heard.append)
        assert future.progress is None or future.progress.message == "half"

        eventually(lambda: future.progress is not None)
        eventually(lambda: heard)

        assert not future.done()
        daemon.served.go.set()
        assert future.value is True
        assert Progress(1, 2, "half") == Progress(*[getattr(heard[0], name) for name in ("done", "total", "message")])
        future.add_progress_callback(heard.append)
        assert heard[-1] is future.progress


@pytest.mark.parametrize("retries", [0, 1])
def test_a_listener_hears_of_calls_in_the_background(daemon, retries):
    """That were made while it was there, whichever way they go."""
    heard = []
    with connect(daemon.uri, max_retries=retries) as proxy, pyronb.asyncproxy(proxy) as calls:
        current_context.listener = heard.append
        future = calls.count(5)
        current_context.listener = None

        assert 4 == future.value
        eventually(lambda: heard and heard[-1].done == 5)
        assert 5 == future.progress.done


def test_a_batch_in_the_background_knows_how_far_it_is(daemon):
    """It has a future like others."""
    with connect(daemon.uri) as proxy:
        batch = pyronb.batch(proxy)
        batch.count(5)

        future = batch(asynchronous=True)

        assert [4] == list(future.value)
        assert 5 == future.progress.done


def test_a_far_stream_tells_of_its_items(daemon):
    """While the next ones are asked for."""
    heard = []
    with connect(daemon.uri, stream_ahead=1) as proxy:
        current_context.listener = heard.append
        try:
            assert [0, 1, 2] == list(proxy.items())
        finally:
            current_context.listener = None

    assert [0, 1, 2] == [news.done for news in heard]
