"""The arithmetic of a run."""

from __future__ import annotations

import pytest

from tests.bench.figures import (
    Metric,
    fairness,
    median,
    median_ratio,
    percentile,
    rows_against,
    speed,
    spread,
    times,
)

RATE = Metric("calls/s")
TIME = Metric("ms", more=False)


def test_ratios_of_rates_and_of_times():
    """Half the rate, or twice the time: 2.0 times the floor, half the speed."""
    assert (2.0, 2.0) == (times(RATE, 50, 100), times(TIME, 20, 10))
    assert (0.5, 0.5) == (speed(RATE, 50, 100), speed(TIME, 20, 10))


def test_median_of_ratios_is_taken_within_rounds():
    """A round in which everything was slow changes nothing."""
    assert 2.0 == median_ratio(speed, RATE, [200, 20, 200], [100, 10, 100])
    assert 20.0 == median([200, 20, 20])


def test_missing_rounds_are_left_out():
    """A round that failed on either side has no ratio."""
    assert 2.0 == median_ratio(speed, RATE, [200, None, 50], [100, 10, None])
    assert 150 == median([200, None, 100])
    assert (None, None) == (median([None]), median_ratio(speed, RATE, [None], [1]))


def test_spread():
    """The noise is what the same thing twice differs by."""
    assert (0.5, 2.0) == spread(RATE, [50, 100, 200], [100, 100, 100])
    assert spread(RATE, [None], [1]) is None


@pytest.mark.parametrize(("part", "expected"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentile(part, expected):
    """So much of all lies below it."""
    assert expected == percentile(range(100, 0, -1), part)


@pytest.mark.parametrize(("counts", "expected"), [([5, 5, 5], 1.0), ([9, 0, 0], 1 / 3), ([0, 0], 0.0)])
def test_fairness(counts, expected):
    """All the same is 1, all for one of n is 1/n."""
    assert expected == pytest.approx(fairness(counts))


def test_comparison_has_what_both_have():
    """What only one of the runs has is not compared."""
    assert [("a", 2.0, 3.0, 1.5)] == rows_against({"a": 2.0, "b": 1.0}, {"a": 3.0, "c": 1.0})
