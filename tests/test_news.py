"""News: progress, tracking and being cancelled, with no call around and with one."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from fractions import Fraction

import numpy as np
import pytest

import pyronb
from pyronb.context import CallContext, current_context, enter, leave
from pyronb.news import Progress


class Reports:
    """Stands for what goes beside a call."""

    def __init__(self):
        self.told = []
        self.unwanted = False

    def report(self, *told):
        self.told.append(told)

    def wanted_no_more(self):
        return self.unwanted


class Caller:
    """Stands for the client of a call."""

    def __init__(self):
        self.begun = 0

    def begin_side(self, context):
        self.begun += 1
        context.side = Reports()


@pytest.fixture
def context():
    """Be in a call that is being served."""
    made = CallContext(client=Caller())
    token = enter(made)
    yield made
    leave(token)


def test_it_does_no_harm_outside_of_a_call():
    """The same code runs locally."""
    pyronb.progress(1, 2, "half")

    assert [0, 1, 2] == list(pyronb.track(range(3)))
    assert pyronb.cancelled() is False


def test_progress_is_told(context):
    """With what is done, the total and the message, as numbers of Python."""
    pyronb.progress(1)
    pyronb.progress(np.int32(2), np.float32(4), "half")
    pyronb.progress(Fraction(1, 2), True, 7)

    assert [(1, None, ""), (2, 4.0, "half"), (0.5, 1, "7")] == context.side.told
    assert {int, float} >= {type(number) for told in context.side.told for number in told[:2] if number is not None}
    assert 1 == context.client.begun


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_progress_is_finite(number):
    """Also where nobody listens, so that the error is found locally."""
    with pytest.raises((ValueError, OverflowError)):
        pyronb.progress(number)
    with pytest.raises((ValueError, OverflowError)):
        pyronb.progress(1, number)


def test_progress_is_a_number():
    """Anything else is refused."""
    with pytest.raises(TypeError):
        pyronb.progress([])


def test_track(context):
    """The end of each item is told, and the beginning; a length is found by itself."""
    for item in pyronb.track("abc", message="letters"):
        assert "abc".index(item) == context.side.told[-1][0]

    assert [(count, 3, "letters") for count in range(4)] == context.side.told


def test_track_without_a_length(context):
    """The total stays open, or is what was given."""
    assert [0, 1] == list(pyronb.track(number for number in range(2)))
    assert [0, 1] == list(pyronb.track((number for number in range(2)), total=5))

    assert [None] * 3 + [5] * 3 == [total for _, total, _ in context.side.told]


def test_track_goes_through_asynchronous_iterables(context):
    """With async for."""

    async def letters():
        for letter in "ab":
            yield letter

    async def go_through():
        return [letter async for letter in pyronb.track(letters(), 2)]

    assert ["a", "b"] == asyncio.run(go_through())
    assert [(0, 2, ""), (1, 2, ""), (2, 2, "")] == context.side.told


def test_cancelled(context):
    """It is what is known beside the call."""
    assert pyronb.cancelled() is False

    context.side.unwanted = True

    assert pyronb.cancelled() is True


def test_other_threads_take_the_call_over(context):
    """With a copy of the context, or with what to_global gave."""
    taken = current_context.to_global()

    def with_global():
        current_context.from_global(taken)
        pyronb.progress(1)

    copy = contextvars.copy_context()
    for work in (with_global, lambda: copy.run(pyronb.progress, 2), lambda: pyronb.progress(3)):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert [1, 2] == [done for done, _, _ in context.side.told]


@pytest.mark.parametrize(
    ("progress", "fraction", "rate", "remaining"),
    [
        (Progress(5, 10, "", 2.0), 0.5, 2.5, 2.0),
        (Progress(0, 10, "", 2.0), 0.0, None, None),
        (Progress(5, None, "", 2.0), None, 2.5, None),
        (Progress(5, 0, "", 2.0), None, 2.5, 0.0),
        (Progress(5, 10), 0.5, None, None),
        (Progress(12, 10, "", 2.0), 1.0, 6.0, 0.0),
        (Progress(-1, 10, "", 2.0), 0.0, None, None),
    ],
)
def test_what_follows_from_progress(progress, fraction, rate, remaining):
    """Where it is not known, it is None."""
    assert (fraction, rate, remaining) == (progress.fraction, progress.rate, progress.remaining)
