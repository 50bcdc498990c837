"""ONEW: oneway calls."""

from __future__ import annotations

import threading
import time

import pytest

import pyronb
from tests.support.waiting import eventually, scaled


@pyronb.expose
class Worker:
    """Works until it is told to stop."""

    def __init__(self):
        self.started, self.stop = threading.Event(), threading.Event()
        self.finished = []

    @pyronb.oneway
    def start(self, name, fail=False):
        self.started.set()
        self.stop.wait(scaled(20))
        self.finished.append(name)
        if fail:
            raise RuntimeError("nobody hears this")
        return "nobody reads this"

    def work(self, name):
        self.start(name)
        return name

    def done(self):
        return self.finished

    def add(self, a, b):
        return a + b


@pytest.fixture
def worker(serve):
    """Give the object itself and a proxy for it."""
    here = Worker()
    with pyronb.Proxy(serve(worker=here).uriFor("worker")) as proxy:
        yield here, proxy
        here.stop.set()


def test_s53_normal_calls_block(worker):
    """The result is only there when the method has finished."""
    here, there = worker
    threading.Timer(0.05, here.stop.set).start()

    assert "job" == there.work("job")
    assert here.stop.is_set()


def test_s54_oneway_returns_at_once(worker):
    """None comes back while the method goes on over there."""
    here, there = worker

    assert there.start("job") is None
    assert here.started.wait(scaled(10))
    assert [] == here.finished
    here.stop.set()
    eventually(lambda: ["job"] == here.finished)


def test_s55_nothing_is_learnt(worker):
    """Neither the result nor the error comes back."""
    here, there = worker
    here.stop.set()

    assert there.start("job", fail=True) is None
    eventually(lambda: ["job"] == here.finished)
    assert 3 == there.add(1, 2)


def test_s56_asking_later(worker):
    """Another call tells what became of it."""
    here, there = worker
    there.start("job")
    assert [] == there.done()
    here.stop.set()

    assert ["job"] == eventually(there.done)


def test_s57_not_the_same_as_async(worker):
    """There is no later value, and it is cheaper."""
    here, there = worker
    here.stop.set()

    assert there.start("job") is None
    assert isinstance(pyronb.asyncproxy(there).add(1, 2), pyronb.FutureResult)

    def seconds(call):
        began = time.perf_counter()
        for _ in range(200):
            call()
        return time.perf_counter() - began

    oneway = min(seconds(lambda: there.start("job")) for _ in range(3))
    with pyronb.asyncproxy(there) as background:
        waiting = min(seconds(lambda: background.add(1, 2).value) for _ in range(3))

    assert oneway < waiting


def test_s58_declared_on_the_server(worker):
    """The decorator on the method is all it takes; the client has nothing to say."""
    _, there = worker
    there._pyroBind()

    assert {"start"} == there._pyroOneway
