"""The soak runs, and its verdict is right."""

from __future__ import annotations

import math
import random

import pytest

from tests.bench.load import KINDS
from tests.bench.soak import QUANTITIES, Sample, bars, load, slope, soak, verdict
from tests.support.waiting import eventually


def samples(of, seconds=600):
    chance = random.Random(3)
    return [
        Sample(second / 60, dict.fromkeys(QUANTITIES, of(second / 60) + chance.uniform(-1, 1)))
        for second in range(seconds)
    ]


def test_slope_is_not_bent_by_peaks():
    """A few that are far off do not count."""
    points = [(float(x), 3.0 * x) for x in range(100)]
    points[10] = points[10][0], 9000.0

    assert 3.0 == pytest.approx(slope(points))
    assert slope([]) == 0.0


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_verdict(quantity):
    """What rises slowly and steadily grows; what warms up, jumps about or falls is flat."""
    assert verdict("server", quantity, samples(lambda minute: 100 + min(minute, 2) * 30)).flat
    assert verdict("server", quantity, samples(lambda minute: 200 - minute)).flat
    assert verdict("server", quantity, samples(lambda minute: 100 + 20 * math.sin(9 * minute) + minute / 2)).flat
    grown = verdict("server", quantity, samples(lambda minute: 100 + minute))
    assert not grown.flat
    assert "GROWS" in str(grown)
    assert 1.0 == pytest.approx(grown.slope, abs=0.1)


def test_bars():
    """From nothing to the most."""
    assert "▁▅█" == bars([0, 3, 6])


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_all_kinds_of_calls():
    """Each is made, and nothing goes wrong."""
    with load() as (_, client):
        eventually(lambda: all(client.answer()["done"].values()), 60)

        assert {} == client.answer()["wrong"]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_is_shown(capsys):
    """Rows while it runs, and in the end how each quantity went; what that is needs longer runs."""
    soak(0.05, 1)
    out = capsys.readouterr().out

    assert out.startswith("minute ")
    assert 6 == out.count(" a minute, at ")
    assert all(kind.__name__ in out for kind in KINDS)
