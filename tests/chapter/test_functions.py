"""FUNC: asynchronous calls of normal callables."""

from __future__ import annotations

import operator
import threading

import pytest

import pyronb
from tests.support.waiting import eventually, scaled


def test_s78_future_of_a_callable():
    """It runs in the background when it is called, and the rest is as with remote calls."""
    go = threading.Event()

    def work(a, b=0):
        go.wait(scaled(20))
        return a + b

    future = pyronb.Future(work)
    future.then(operator.mul, 2)
    result = future(3, b=4)

    assert isinstance(result, pyronb.futures.FutureResult)
    assert not result.ready
    go.set()
    assert 14 == result.value
    with pytest.raises(RuntimeError, match="already"):
        future(3)


def test_s78_error_handler():
    """It gets the exception of the callable."""
    seen = []
    result = pyronb.Future(operator.truediv).iferror(seen.append)(1, 0)
    with pytest.raises(ZeroDivisionError):
        _ = result.value

    assert eventually(lambda: [ZeroDivisionError] == [type(error) for error in seen])


def test_s78_delay_and_cancel():
    """A future that waits can be told not to run at all; reading its value then says so."""
    ran = []
    future = pyronb.futures.Future(ran.append)
    assert future.delay(1000)
    result = future("x")
    assert not result.wait(0.01)
    assert future.cancel()

    with pytest.raises(RuntimeError, match="cancelled"):
        _ = result.value
    assert [] == ran
