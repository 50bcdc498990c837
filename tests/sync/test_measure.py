"""A measure says how many connections calls are worth, from nothing but counts and moments."""

from __future__ import annotations

import itertools

import pytest

from pyronb.sync import measure as measures
from pyronb.sync.measure import FEW, Measure

BEGUN = 100


@pytest.fixture
def measure():
    """A measure that begins at the moment 0."""
    return Measure(BEGUN, 0.0)


def window(measure, pace, late=0.0, at_a_time=0):
    """Let as much time pass as is counted together, in which so many calls begin in a second; tell what comes of it."""
    since = measure._since
    for number in itertools.count(1):
        now = since + number * measures._MOMENT + late
        begun = BEGUN + int(now * pace)
        measure.turns = (begun - measure.begun) // at_a_time if at_a_time else 0
        measure.look(begun, now)
        if measure._since != since:
            return measure.connections


def test_quick_calls_need_few_connections(measure):
    """However many there are."""
    assert [FEW] * 5 == [window(measure, 20_000) for _ in range(5)]


def test_replies_that_come_all_at_a_time_need_several(measure):
    """The daemon has nothing to do meanwhile; where it is busy, a few are enough."""
    assert FEW == window(measure, 20_000, at_a_time=1)
    assert measures._SEVERAL == window(measure, 20_000, at_a_time=measures._SEVERAL)
    assert measures._SEVERAL == window(measure, 20_000, at_a_time=measures._SEVERAL // 2)
    assert FEW == window(measure, 20_000, at_a_time=1)


def test_a_few_turns_tell_nothing(measure):
    """Chance may have it that they bring many replies."""
    assert FEW == window(measure, 5000, at_a_time=measures._SEVERAL)


def test_more_are_kept_where_they_pay(measure):
    """As they do where calls wait for something over there."""
    found = []
    for _ in range(4):
        # Each takes 4 ms.
        measure.begin(BEGUN, 0.0)
        found.append(window(measure, measure.connections / 0.004))

    assert [6, 12, 24, 32] == found


def test_more_are_given_up_where_they_do_not_pay(measure):
    """Another try has to wait."""
    found = [window(measure, 1000) for _ in range(4)]

    assert [6, 3, 3, 3] == found
    assert 6 in [window(measure, 1000) for _ in range(int(measures._REST / measures._WINDOW))]


def test_a_program_that_stood_still_tells_nothing(measure):
    """Little was begun, but not for want of connections."""
    assert FEW == window(measure, 1000, late=0.1)
