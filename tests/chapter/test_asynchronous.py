"""ASYN: asynchronous ('future') remote calls and call chains."""

from __future__ import annotations

import operator
import threading

import pytest

import pyronb
from tests.support.waiting import eventually, scaled


@pyronb.expose
class Slow:
    """Takes its time."""

    def __init__(self):
        self.go = threading.Event()
        self.running = 0

    def multiply(self, a, b):
        self.running += 1
        self.go.wait(scaled(20))
        return a * b

    def divide(self, a, b):
        self.go.wait(scaled(20))
        return a // b


@pytest.fixture
def slow(serve):
    """Give the object itself and an async proxy for it."""
    here = Slow()
    daemon = serve(slow=here)
    with pyronb.Proxy(daemon.uriFor("slow")) as proxy, pyronb.asyncproxy(proxy) as background:
        yield here, background
        here.go.set()


def test_s66_started_now_collected_later(slow):
    """The call runs over there while the program goes on here."""
    here, background = slow
    result = background.multiply(3, 4)
    eventually(lambda: here.running)

    assert not result.ready
    here.go.set()
    assert 12 == result.value


def test_s67_blocks_where_the_value_is_read(slow):
    """Only that line waits, and only if need be."""
    here, background = slow
    results = [background.multiply(number, 2) for number in range(5)]
    threading.Timer(0.05, here.go.set).start()

    assert [0, 2, 4, 6, 8] == [result.value for result in results]
    assert here.go.is_set()


def test_s68_chained_callables(slow):
    """They are called by themselves when the value arrives."""
    here, background = slow
    arrived = []
    background.multiply(3, 4).then(arrived.append)
    assert [] == arrived
    here.go.set()

    eventually(lambda: [12] == arrived)


def test_s69_two_ways_to_make_one(slow, serve):
    """The function, under both of its names, and the method of the proxy; the proxy itself stays as it was."""
    here, _ = slow
    here.go.set()
    with pyronb.Proxy(serve(other=here).uriFor("other")) as proxy:
        makers = (pyronb.asyncproxy, getattr(pyronb, "async"), pyronb.Proxy._pyroAsync)
        for make in makers:
            with make(proxy) as background:
                assert 6 == background.multiply(2, 3).value
        assert 6 == proxy.multiply(2, 3)


def test_s70_every_call_gives_a_future(slow):
    """At once, before anything has come back."""
    _, background = slow
    results = [background.multiply(1, 2), background.divide(1, 0)]

    assert [pyronb.FutureResult] * 2 == [type(result) for result in results]
    assert pyronb.FutureResult is pyronb.futures.FutureResult


def test_s71_value(slow):
    """It is the result, or raises what the call raised, as often as it is read."""
    here, background = slow
    here.go.set()
    result = background.multiply(3, 4)

    assert (12, 12) == (result.value, result.value)
    with pytest.raises(ZeroDivisionError):
        _ = background.divide(1, 0).value


def test_s72_ready(slow):
    """False until the value is there."""
    here, background = slow
    result = background.multiply(3, 4)
    assert result.ready is False
    here.go.set()
    result.wait()

    assert result.ready is True


def test_s73_wait(slow):
    """True when the value is there, False when the time was up; without a time it waits for ever."""
    here, background = slow
    result = background.multiply(3, 4)

    assert result.wait(0.01) is False
    assert result.wait(timeout=0.01) is False
    here.go.set()
    assert result.wait() is True


def test_s74_then(slow):
    """The result so far comes first, then the extra arguments."""
    here, background = slow
    here.go.set()
    result = background.multiply(3, 4)
    result.then(operator.add, 100).then(lambda value, *, times: value * times, times=2)

    assert 224 == eventually(lambda: result.value)


@pytest.mark.parametrize("late", [False, True])
def test_s75_iferror(slow, late):
    """The handler gets the exception, also when it comes late; without one an error is silent until it is read."""
    here, background = slow
    seen = []
    if late:
        here.go.set()
    result = background.divide(1, 0)
    if late:
        result.wait()

    assert result.then(seen.append).iferror(lambda error: seen.append(type(error))) is result
    here.go.set()
    eventually(lambda: [ZeroDivisionError] == seen)
    silent = background.divide(1, 0)
    assert silent.wait(scaled(10))
    with pytest.raises(ZeroDivisionError):
        _ = silent.value


def test_s76_batches(serve):
    """The result of an asynchronous batch is of the same kind, chain and all."""
    here = Slow()
    with pyronb.Proxy(serve(slow=here).uriFor("slow")) as proxy:
        batch = pyronb.batch(proxy)
        batch.multiply(2, 3)
        batch.multiply(4, 5)
        result = batch(asynchronous=True).then(list).then(sum)
        here.go.set()

        assert isinstance(result, pyronb.FutureResult)
        assert 26 == result.value


def test_s77_in_a_background_thread(slow):
    """The call and its chain, one after the other in one thread, and it is not the program's."""
    here, background = slow
    threads = []

    def note(value):
        threads.append(threading.get_ident())
        return value

    result = background.multiply(3, 4).then(note).then(note).then(note)
    here.go.set()

    assert 12 == result.value
    assert (3, 1) == (len(threads), len(set(threads)))
    assert threading.get_ident() not in threads
