"""Acquisition: how the simulated oscilloscope gets from volts at a probe to a record on its screen.

Pure: settings and a source of randomness go in, a record comes out. The sampling clock runs freely, the trigger finds
the first crossing of its level in the right direction, and the record is placed around it; then it is clipped to the
screen and rounded to eight bits.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyronb.demo.signals import PERIOD, POINTS, STEP, Input, noise

__all__ = ["KINDS", "Record", "Settings", "average", "capture", "measure"]

DIVISIONS = 10
"""Divisions of the screen from left to right; the trigger is in its middle."""
LEVELS = 256
HALF_SCREEN = 4
"""Divisions from the screen's middle to its upper and lower edge."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the front panel can change; `Scope` describes each and checks it."""

    channel: int = 1
    timebase: float = 5e-4
    vertical_scale: float = 0.5
    coupling: str = "DC"
    bandwidth_limit: bool = False
    trigger_level: float = 0.0
    trigger_slope: str = "rising"
    trigger_mode: str = "auto"
    sample_count: int = 1000

    @property
    def step(self) -> float:
        """Seconds from one sample to the next."""
        return DIVISIONS * self.timebase / self.sample_count

    @property
    def sample_rate(self) -> float:
        """Samples per second."""
        return self.sample_count / (DIVISIONS * self.timebase)


@dataclass(frozen=True, slots=True)
class Record:
    """One screen: volts, the first of them at `start` seconds (the trigger is at 0), one every `step` seconds."""

    channel: int
    triggered: bool
    start: float
    step: float
    volts: Sequence[float]
    clipped: bool


def capture(settings: Settings, channel: int, rng: random.Random) -> Record:
    """Wait for the trigger and record one screen of a channel.

    Raises:
        TimeoutError: nothing triggers, and the mode is not ``auto``.
    """
    source = Input(channel, settings.coupling, limited=settings.bandwidth_limit)
    step, count = settings.step, settings.sample_count
    armed = rng.random() * PERIOD
    # Where the free-running clock stands at the trigger, as a part of a step.
    phase = rng.random()
    crossing = _first_crossing(source, armed, settings)
    if crossing is None and settings.trigger_mode != "auto":
        raise TimeoutError(_advice(source, channel, settings))
    middle = count // 2
    begin = armed if crossing is None else crossing - (middle + phase) * step
    volts = [
        clean + stray
        for clean, stray in zip(
            source.trace(begin, step, count), noise(rng, source.noise, source.bandwidth, step, count), strict=True
        )
    ]
    position = float(middle)
    if crossing is not None:
        position = _nearest_crossing(volts, middle + phase, settings)
    rounded, clipped = _digitise(volts, settings.vertical_scale)
    return Record(channel, crossing is not None, -position * step, step, rounded, clipped)


def _crossed(before: float, after: float, settings: Settings) -> bool:
    level = settings.trigger_level
    return before < level <= after if settings.trigger_slope == "rising" else before > level >= after


def _first_crossing(source: Input, armed: float, settings: Settings) -> float | None:
    """Find the moment at which the comparator of the trigger fires; within one period, or never."""
    volts = source.trace(armed, STEP, POINTS + 2)
    for k in range(1, len(volts)):
        before, after = volts[k - 1], volts[k]
        if _crossed(before, after, settings):
            return armed + (k - 1 + (settings.trigger_level - before) / (after - before)) * STEP
    return None


def _nearest_crossing(volts: Sequence[float], expected: float, settings: Settings) -> float:
    """Find the crossing in the samples, between two of them by a straight line, as a position in the record.

    Noise moves it away from where the comparator fired. With too few samples to a period there is none to be found;
    then the comparator is right.
    """
    reach = max(2, len(volts) // 20)
    near = range(max(1, int(expected) - reach), min(len(volts), int(expected) + reach + 2))
    for k in sorted(near, key=lambda k: abs(k - 0.5 - expected)):
        before, after = volts[k - 1], volts[k]
        if _crossed(before, after, settings):
            return k - 1 + (settings.trigger_level - before) / (after - before)
    return expected


def _advice(source: Input, channel: int, settings: Settings) -> str:
    if settings.coupling == "GND":
        return f"no trigger: the input of channel {channel} is grounded; set coupling to 'DC' or 'AC'"
    return (
        f"no trigger: channel {channel} never crosses {settings.trigger_level:g} V, {settings.trigger_slope}; set "
        f"trigger_level between {source.low:.3g} V and {source.high:.3g} V, or trigger_mode to 'auto'"
    )


def _digitise(volts: Sequence[float], scale: float) -> tuple[list[float], bool]:
    bit = 2 * HALF_SCREEN * scale / LEVELS
    lowest, highest = -LEVELS // 2, LEVELS // 2 - 1
    codes = [round(v / bit) for v in volts]
    return [bit * min(highest, max(lowest, code)) for code in codes], not lowest <= min(codes) <= max(codes) <= highest


def average(records: Sequence[Record]) -> Record:
    """Average records of the same settings, sample by sample; each is at most a step away from the others."""
    first = records[0]
    return Record(
        channel=first.channel,
        triggered=all(record.triggered for record in records),
        start=math.fsum(record.start for record in records) / len(records),
        step=first.step,
        volts=[math.fsum(column) / len(records) for column in zip(*(record.volts for record in records), strict=True)],
        clipped=any(record.clipped for record in records),
    )


def measure(kind: str, record: Record) -> float:
    """Measure one thing (see `KINDS`) on a record, in V, Hz or s.

    Raises:
        RuntimeError: a frequency or period is asked for, and the record does not show a whole period.
    """
    return KINDS[kind](record)


def _period(record: Record) -> float:
    """Measure the time between the first and the last rise through the middle, by the number of periods."""
    volts = record.volts
    low, high = min(volts), max(volts)
    middle, margin = (low + high) / 2, 0.12 * (high - low)
    rises: list[float] = []
    # A rise leads from clearly below to clearly above: noise at the middle cannot count twice.
    below, last = False, 0.0
    for k in range(1, len(volts)):
        before, after = volts[k - 1], volts[k]
        below = below or before < middle - margin
        if before < middle <= after:
            last = k - 1 + (middle - before) / (after - before)
        if below and after > middle + margin:
            rises.append(last)
            below = False
    if len(rises) < 2:
        raise RuntimeError("the screen does not show a whole period; set a longer timebase, or call autoscale()")
    return (rises[-1] - rises[0]) / (len(rises) - 1) * record.step


KINDS: Mapping[str, Callable[[Record], float]] = {
    "vpp": lambda record: max(record.volts) - min(record.volts),
    "vrms": lambda record: math.sqrt(math.fsum(v * v for v in record.volts) / len(record.volts)),
    "mean": lambda record: math.fsum(record.volts) / len(record.volts),
    "frequency": lambda record: 1 / _period(record),
    "period": _period,
    "min": lambda record: min(record.volts),
    "max": lambda record: max(record.volts),
}
"""What can be measured."""
