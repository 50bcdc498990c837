"""Records are placed, clipped and rounded as an oscilloscope does it."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import replace

import pytest

from pyronb.demo.acquisition import LEVELS, Record, Settings, average, capture, measure
from pyronb.demo.signals import CHANNELS

SEEDS = range(20)


def at(record, moment):
    """The voltage at a moment, on a straight line between two samples."""
    whole, rest = divmod((moment - record.start) / record.step, 1)
    left, right = record.volts[int(whole)], record.volts[int(whole) + 1]
    return left + rest * (right - left)


def bit(settings):
    return 8 * settings.vertical_scale / LEVELS


@pytest.mark.parametrize("slope", ["rising", "falling"])
@pytest.mark.parametrize(
    ("channel", "level", "timebase"),
    [(1, 0.0, 5e-4), (1, 0.6, 1e-4), (2, -0.5, 5e-5), (2, 0.5, 2e-6), (3, 1.0, 1e-3), (4, 0.1, 2e-5)],
)
def test_signal_crosses_the_level_at_time_zero_in_the_right_direction(channel, level, timebase, slope):
    settings = Settings(timebase=timebase, vertical_scale=1.0, trigger_level=level, trigger_slope=slope)
    for seed in SEEDS:
        record = capture(settings, channel, random.Random(seed))
        middle = round(-record.start / record.step)

        assert record.triggered
        assert at(record, 0.0) == pytest.approx(level, abs=1.01 * bit(settings)), seed
        left, right = (record.volts[k : k + 30] for k in (middle - 30, middle + 1))
        # Noise aside, the signal goes the way that was asked for; on a screen of 20 µs noise has its say.
        rise = statistics.fmean(right) - statistics.fmean(left)
        assert (rise > 0) == (slope == "rising"), seed


def test_trigger_is_found_between_two_samples():
    """With few samples a step is long, and time zero is still where the level is crossed."""
    settings = Settings(sample_count=50, timebase=2e-4, vertical_scale=0.5, trigger_level=0.3)
    starts = set()
    for seed in SEEDS:
        record = capture(settings, 1, random.Random(seed))
        starts.add((record.start / record.step) % 1)

        assert at(record, 0.0) == pytest.approx(0.3, abs=1.01 * bit(settings))
    assert max(starts) - min(starts) > 0.5, "the sampling clock is not tied to the signal"


def test_trigger_is_in_the_middle_of_the_screen():
    record = capture(Settings(), 1, random.Random(0))

    assert len(record.volts) == 1000
    assert record.step == pytest.approx(5e-6)
    assert record.start == pytest.approx(-500 * record.step, abs=10 * record.step)


@pytest.mark.parametrize("mode", ["normal", "single"])
def test_level_that_is_never_crossed_raises_and_says_what_to_change(mode):
    settings = Settings(trigger_level=3.0, trigger_mode=mode)

    with pytest.raises(TimeoutError, match=r"channel 1 never crosses 3 V, rising; set trigger_level between -1\.0\d V"):
        capture(settings, 1, random.Random(0))


def test_grounded_input_says_so():
    with pytest.raises(TimeoutError, match="grounded"):
        capture(Settings(coupling="GND", trigger_mode="normal"), 1, random.Random(0))


def test_auto_mode_records_without_a_trigger():
    records = [capture(Settings(trigger_level=3.0), 1, random.Random(seed)) for seed in SEEDS]

    assert not any(record.triggered for record in records)
    assert {record.start for record in records} == {-500 * Settings().step}
    assert statistics.pstdev(at(record, 0.0) for record in records) > 0.3, "the signal is not tied to the screen"


def test_screen_clips_four_divisions_up_and_down():
    settings = Settings(vertical_scale=0.1)
    record = capture(settings, 1, random.Random(0))

    assert record.clipped
    assert min(record.volts) == pytest.approx(-0.4)
    assert max(record.volts) == pytest.approx(0.4 - bit(settings))
    assert not capture(replace(settings, vertical_scale=0.5), 1, random.Random(0)).clipped


@pytest.mark.parametrize("scale", [0.3, 0.5, 1.0, 10.0])
def test_converter_has_eight_bits(scale):
    settings = Settings(vertical_scale=scale)
    record = capture(settings, 1, random.Random(0))
    codes = {volts / bit(settings) for volts in record.volts}

    assert all(code == pytest.approx(round(code), abs=1e-6) for code in codes)
    assert len(codes) <= LEVELS


def test_bandwidth_limit_reduces_noise():
    def noise(limited):
        settings = Settings(bandwidth_limit=limited, timebase=1e-6, vertical_scale=0.01, trigger_level=0.0)
        # On a screen of 10 µs the sine is nearly a straight line.
        records = [capture(settings, 1, random.Random(seed)) for seed in SEEDS]
        ends = [record.volts[-1] - record.volts[0] for record in records]
        return statistics.pstdev(ends)

    assert noise(limited=True) < noise(limited=False) / 3


def made(signal, count=1000, step=1e-5):
    return Record(1, True, 0.0, step, [signal(k * step) for k in range(count)], False)


def test_measurements_of_a_known_sine():
    record = made(lambda t: 0.5 + 2 * math.sin(2 * math.pi * 500 * t))

    expected = {"vpp": 4.0, "min": -1.5, "max": 2.5, "mean": 0.5, "vrms": 1.5, "frequency": 500.0, "period": 2e-3}
    for kind, value in expected.items():
        assert measure(kind, record) == pytest.approx(value, rel=1e-3), kind


def test_noise_at_the_middle_does_not_count_twice():
    rng = random.Random(0)
    record = made(lambda t: math.sin(2 * math.pi * 300 * t) + rng.gauss(0.0, 0.05))

    assert measure("frequency", record) == pytest.approx(300.0, rel=0.01)


@pytest.mark.parametrize("signal", [lambda _: 0.0, lambda t: t, lambda t: math.sin(300 * t)])
def test_less_than_a_period_has_no_frequency(signal):
    with pytest.raises(RuntimeError, match="whole period"):
        measure("frequency", made(signal))


@pytest.mark.parametrize(
    ("channel", "timebase", "frequency", "within"),
    [
        (1, 5e-4, 1000, 0.01),
        (2, 2e-4, 2000, 0.01),
        (3, 1e-3, 500, 0.01),
        (4, 2e-5, 20_000, 0.06),
        (4, 2e-4, 20_000, 0.01),
    ],
)
def test_frequencies_are_those_of_the_signals(channel, timebase, frequency, within):
    for seed in range(100):
        record = capture(
            Settings(timebase=timebase, vertical_scale=0.5 if channel == 4 else 1.0), channel, random.Random(seed)
        )

        assert measure("frequency", record) == pytest.approx(frequency, rel=within)


def test_averaging_reduces_noise_by_the_square_root():
    rng = random.Random(0)

    def noise(count):
        """Second differences: a sine has nearly none, and those of white noise are sqrt(6) times as strong as it is."""
        v = average([capture(Settings(), 1, rng) for _ in range(count)]).volts
        return statistics.pstdev(v[k - 1] - 2 * v[k] + v[k + 1] for k in range(1, len(v) - 1)) / math.sqrt(6)

    one, four, many = noise(1), noise(4), noise(64)

    assert one == pytest.approx(CHANNELS[1].noise, rel=0.1)
    assert four == pytest.approx(one / 2, rel=0.15)
    assert many == pytest.approx(one / 8, rel=0.15)


def test_average_tells_of_any_clipped_or_untriggered_record():
    fine = made(lambda _: 1.0)

    assert average([fine, replace(fine, clipped=True)]).clipped
    assert not average([fine, replace(fine, triggered=False)]).triggered
    assert average([fine, replace(fine, volts=[3.0] * 1000)]).volts == [2.0] * 1000
