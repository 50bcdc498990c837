"""The signals behave like the circuits they stand for."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest

from pyronb.demo.signals import CHANNELS, FULL_BANDWIDTH, LIMITED_BANDWIDTH, PERIOD, Input, noise

STEP = 1e-6
COUNT = round(PERIOD / STEP)


def one_period(channel, coupling="DC", *, limited=False):
    return Input(channel, coupling, limited=limited).trace(0.0, STEP, COUNT)


def amplitude(volts, frequency):
    """The amplitude of one frequency, which must fit a whole number of times."""
    turn = 2j * math.pi * frequency * STEP
    return abs(2 * sum(v * math.e ** (-turn * k) for k, v in enumerate(volts)) / len(volts))


def test_channel_1_is_a_sine_with_a_small_second_harmonic():
    volts = one_period(1)

    assert amplitude(volts, 1000) == pytest.approx(1.0, rel=1e-3)
    assert amplitude(volts, 2000) == pytest.approx(0.03, rel=1e-2)
    assert amplitude(volts, 3000) < 1e-3


def test_edges_of_channel_2_rise_in_finite_time_and_ring():
    volts = one_period(2)
    edge = volts[: round(0.25e-3 / STEP)]
    low, high = -1.2, 1.2
    times = [next(k for k, v in enumerate(edge) if v > low + share * (high - low)) * STEP for share in (0.1, 0.9)]

    assert 3e-6 < times[1] - times[0] < 10e-6
    # What the textbook says of a second-order circuit with damping 0.4.
    overshoot = (max(edge) - high) / (high - low)
    assert overshoot == pytest.approx(math.exp(-0.4 * math.pi / math.sqrt(1 - 0.4**2)), rel=0.02)
    assert edge[-1] == pytest.approx(high, abs=1e-3)


def test_channel_3_charges_and_discharges_with_its_time_constant():
    volts = one_period(3)
    falling = volts[COUNT // 2 :]
    tau = round(0.3e-3 / STEP)

    assert falling[tau] == pytest.approx(falling[0] / math.e, rel=0.01)
    # It swings symmetrically about half of the 3.3 V.
    assert min(volts) + max(volts) == pytest.approx(3.3, rel=1e-3)


def test_channel_4_is_a_carrier_with_two_side_bands():
    volts = one_period(4)

    assert amplitude(volts, 20_000) == pytest.approx(0.5, rel=0.01)
    assert amplitude(volts, 19_500) == pytest.approx(0.125, rel=0.02)
    assert amplitude(volts, 20_500) == pytest.approx(0.125, rel=0.02)


@pytest.mark.parametrize("channel", CHANNELS)
def test_signals_repeat_without_a_step(channel):
    """The end of a period joins its beginning."""
    source = Input(channel, "DC", limited=False)
    near = source.trace(PERIOD - 2e-9, 1e-9, 5)
    far = source.trace(1000 * PERIOD - 2e-9, 1e-9, 5)

    assert max(near) - min(near) < 0.01
    assert far == pytest.approx(near, abs=1e-3)


@pytest.mark.parametrize("channel", CHANNELS)
def test_ac_coupling_takes_the_mean_away_and_nothing_else(channel):
    direct, coupled = one_period(channel), one_period(channel, "AC")

    assert statistics.fmean(coupled) == pytest.approx(0.0, abs=1e-3)
    assert max(coupled) - min(coupled) == pytest.approx(max(direct) - min(direct))


def test_ground_is_zero_and_silent():
    source = Input(1, "GND", limited=False)

    assert set(source.trace(0.0, STEP, 100)) == {0.0}
    assert source.noise == 0.0


def test_bandwidth_limit_is_a_low_pass_of_first_order():
    share = amplitude(one_period(4, limited=True), 20_000) / amplitude(one_period(4), 20_000)

    # At its own corner frequency it lets 1/sqrt(2) through.
    assert share == pytest.approx(1 / math.sqrt(2), rel=0.05)
    assert amplitude(one_period(1, limited=True), 1000) == pytest.approx(1.0, rel=0.01)
    assert max(one_period(2, limited=True)) < 1.25, "the ringing is gone"


@pytest.mark.parametrize("step", [1e-8, 1e-6, 1e-4])
def test_noise_has_its_strength_at_any_sample_rate(step):
    volts = noise(random.Random(1), 0.02, FULL_BANDWIDTH, step, 50_000)

    assert statistics.pstdev(volts) == pytest.approx(0.02, rel=0.1)
    assert statistics.fmean(volts) == pytest.approx(0.0, abs=0.002)


def test_noise_of_a_narrow_band_is_weaker_and_smoother():
    wide, narrow = Input(1, "DC", limited=False), Input(1, "DC", limited=True)
    volts = noise(random.Random(1), narrow.noise, LIMITED_BANDWIDTH, STEP, 20_000)
    steps = [after - before for before, after in itertools.pairwise(volts)]

    assert narrow.noise == pytest.approx(wide.noise * math.sqrt(LIMITED_BANDWIDTH / FULL_BANDWIDTH))
    assert statistics.pstdev(steps) < statistics.pstdev(volts)
