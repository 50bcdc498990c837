"""BATCH: batched calls."""

from __future__ import annotations

import inspect
import threading
import time

import pytest

import pyronb
from tests.support.waiting import eventually, scaled


@pyronb.expose
class Calculator:
    """Takes many small calls."""

    def __init__(self):
        self.calls = []
        self.go = threading.Event()

    def add(self, a, b):
        self.calls.append((a, b))
        return a + b

    def divide(self, a, b):
        return a // b

    def wait(self):
        self.go.wait(scaled(20))
        return "waited"


@pytest.fixture
def calculator(serve):
    """Give the object itself and a proxy for it."""
    here = Calculator()
    with pyronb.Proxy(serve(calculator=here).uriFor("calculator")) as proxy:
        yield here, proxy
        here.go.set()


def test_s59_all_results_at_once(calculator):
    """Nothing is sent before the batch is called, and then all of it in one message."""
    here, proxy = calculator
    proxy._pyroBind()
    batch = pyronb.batch(proxy)
    for number in range(10):
        batch.add(number, 1)
    sent = proxy._pyroSeq
    assert [] == here.calls
    results = batch()

    assert (10, sent + 1) == (len(here.calls), proxy._pyroSeq)
    assert list(range(1, 11)) == list(results)


def test_s60_faster_than_single_calls(calculator):
    """Many small calls in one message take less time."""
    _, proxy = calculator

    def single():
        for number in range(300):
            proxy.add(number, 1)

    def together():
        batch = pyronb.batch(proxy)
        for number in range(300):
            batch.add(number, 1)
        return list(batch())

    def seconds(work):
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    # What else the machine does must not decide: each gets the best of many moments, and both the same ones.
    times = [(seconds(together), seconds(single)) for _ in range(15)]

    assert min(batched for batched, _ in times) < min(alone for _, alone in times)


def test_s61_one_proxy_only(calculator, serve):
    """Each batch belongs to its proxy; another one's calls are not in it."""
    here, proxy = calculator
    other = Calculator()
    with pyronb.Proxy(serve(other=other).uriFor("other")) as second:
        batches = pyronb.batch(proxy), pyronb.batch(second)
        batches[0].add(1, 1)
        batches[1].add(2, 2)

        assert ([2], [4]) == tuple(list(batch()) for batch in batches)
    assert ([(1, 1)], [(2, 2)]) == (here.calls, other.calls)


@pytest.mark.parametrize("make", [pyronb.batch, pyronb.Proxy._pyroBatch])
def test_s62_two_ways_to_make_one(calculator, make):
    """They are the same."""
    _, proxy = calculator
    batch = make(proxy)
    batch.add(1, 2)

    assert type(pyronb.batch(proxy)) is type(batch)
    assert [3] == list(batch())


def test_s63_queued_and_in_order(calculator):
    """Calling it gives a generator of results in the order of calls; it stops at the first error."""
    here, proxy = calculator
    batch = pyronb.batch(proxy)
    assert batch.add(1, 2) is None
    batch.divide(1, 0)
    batch.add(3, 4)
    results = batch()

    assert inspect.isgenerator(results)
    assert 3 == next(results)
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert [] == list(results)
    assert [(1, 2)] == here.calls
    assert [] == list(batch())


def test_s64_oneway_batch(calculator):
    """None comes back at once, and the calls run."""
    here, proxy = calculator
    batch = pyronb.batch(proxy)
    batch.wait()
    batch.add(1, 2)

    assert batch(oneway=True) is None
    assert [] == here.calls
    here.go.set()
    eventually(lambda: [(1, 2)] == here.calls)


@pytest.mark.parametrize("option", ["asynchronous", "async"])
def test_s65_asynchronous_batch(calculator, option):
    """A future comes back at once, whose value is the results; the chapter's own word can be given as well."""
    here, proxy = calculator
    batch = pyronb.batch(proxy)
    batch.wait()
    batch.add(1, 2)
    results = batch(**{option: True})

    assert isinstance(results, pyronb.FutureResult)
    assert not results.ready
    here.go.set()
    assert ["waited", 3] == list(results.value)


def test_s65_asynchronous_and_oneway(calculator):
    """Both together make no sense, and say so."""
    _, proxy = calculator
    batch = pyronb.batch(proxy)
    batch.add(1, 2)
    with pytest.raises(pyronb.errors.PyroError, match="oneway"):
        batch(oneway=True, **{"async": True})
