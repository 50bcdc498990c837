"""Signals: what lies at the four probes of the simulated oscilloscope.

Pure physics: volts over time, the noise of the input stage, its bandwidth. Knows no screen, no trigger and no settings.
All signals repeat every 2 ms, so one such period is computed once, for either bandwidth, and looked up from then on.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

__all__ = ["CHANNELS", "COUPLINGS", "Input", "noise"]

PERIOD = 2e-3
"""Seconds after which all signals repeat."""
POINTS = 4000
"""Points to a period: one every 0.5 µs, twenty to the shortest thing that happens."""
STEP = PERIOD / POINTS
FULL_BANDWIDTH = 1e6
"""Bandwidth of the input stage, in Hz."""
LIMITED_BANDWIDTH = 20e3

COUPLINGS = ("DC", "AC", "GND")

_TAU = 2 * math.pi


@dataclass(frozen=True, slots=True)
class Channel:
    """One probe: its signal in V over time in s, and the noise of its input stage in V rms at full bandwidth."""

    about: str
    signal: Callable[[float], float]
    noise: float


def _sine(t: float) -> float:
    """1 kHz, amplitude 1 V, with 3 % of the second harmonic."""
    return math.sin(_TAU * 1e3 * t) + 0.03 * math.sin(_TAU * 2e3 * t + 0.5)


def _square(t: float) -> float:
    """2 kHz between -1.2 V and 1.2 V; each edge is the step response of a second-order circuit: it rises, and rings."""
    half = 0.25e-3
    edges, since = divmod(t, half)
    natural, damping = _TAU * 50e3, 0.4
    damped = math.sqrt(1 - damping**2)
    angle = natural * damped * since
    # Each half period is twenty time constants long: every edge starts at rest.
    response = 1 - math.exp(-damping * natural * since) * (math.cos(angle) + damping / damped * math.sin(angle))
    polarity = 1 if int(edges) % 2 == 0 else -1
    return polarity * 1.2 * (2 * response - 1)


def _rc(t: float) -> float:
    """500 Hz logic pulses of 3.3 V behind an RC low pass of 0.3 ms: rising and falling exponentials."""
    half, tau, high = 1e-3, 0.3e-3, 3.3
    # Where rising ends and falling begins; falling ends as far above zero as this is below high.
    top = high / (1 + math.exp(-half / tau))
    edges, since = divmod(t, half)
    if int(edges) % 2 == 0:
        return high - top * math.exp(-since / tau)
    return top * math.exp(-since / tau)


def _am(t: float) -> float:
    """20 kHz carrier of 0.5 V, its amplitude modulated by half with 500 Hz."""
    return 0.5 * (1 + 0.5 * math.sin(_TAU * 500 * t)) * math.sin(_TAU * 20e3 * t)


CHANNELS: Mapping[int, Channel] = {
    1: Channel("1 kHz sine, 1 V, with a small second harmonic", _sine, 0.020),
    2: Channel("2 kHz square, 1.2 V, with ringing edges", _square, 0.015),
    3: Channel("500 Hz pulses of 3.3 V through an RC low pass of 0.3 ms", _rc, 0.015),
    4: Channel("20 kHz carrier, amplitude modulated by 500 Hz, noisy", _am, 0.030),
}


@cache
def _periods(number: int) -> tuple[list[float], list[float]]:
    """Compute one period at full and at limited bandwidth."""
    full = [CHANNELS[number].signal(k * STEP) for k in range(POINTS)]
    # A low pass of first order; the first pass only lets it settle.
    share = 1 - math.exp(-_TAU * LIMITED_BANDWIDTH * STEP)
    limited: list[float] = []
    value = full[-1]
    for _ in range(2):
        limited.clear()
        for volts in full:
            value += share * (volts - value)
            limited.append(value)
    return full, limited


class Input:
    """One channel behind its coupling and bandwidth limit, still without noise.

    Args:
        number: which channel.
        coupling: ``DC``, ``AC`` (the mean is taken away) or ``GND`` (nothing is connected).
        limited: whether a low pass of 20 kHz is in the way.
    """

    def __init__(self, number: int, coupling: str, *, limited: bool) -> None:
        self._table = [0.0] * POINTS if coupling == "GND" else _periods(number)[limited]
        if coupling == "AC":
            mean = math.fsum(self._table) / POINTS
            self._table = [volts - mean for volts in self._table]
        self.bandwidth = LIMITED_BANDWIDTH if limited else FULL_BANDWIDTH
        # White noise through a narrower low pass: its power falls with the bandwidth.
        self.noise = 0.0 if coupling == "GND" else CHANNELS[number].noise * math.sqrt(self.bandwidth / FULL_BANDWIDTH)

    @property
    def low(self) -> float:
        """The lowest voltage."""
        return min(self._table)

    @property
    def high(self) -> float:
        """The highest voltage."""
        return max(self._table)

    def trace(self, start: float, step: float, count: int) -> list[float]:
        """Give `count` voltages from the moment `start` on, one every `step` seconds."""
        table = self._table
        volts = []
        for k in range(count):
            whole, rest = divmod((start + k * step) % PERIOD, STEP)
            left = table[int(whole) % POINTS]
            volts.append(left + (table[(int(whole) + 1) % POINTS] - left) * (rest / STEP))
        return volts


def noise(rng: random.Random, rms: float, bandwidth: float, step: float, count: int) -> list[float]:
    """Give noise of this strength (V rms) and bandwidth (Hz), sampled every `step` seconds.

    Samples closer together than the bandwidth allows resemble each other: white noise behind a low pass.
    """
    keep = math.exp(-_TAU * bandwidth * step)
    fresh = rms * math.sqrt(1 - keep**2)
    value = rng.gauss(0.0, rms)
    volts = []
    for _ in range(count):
        volts.append(value)
        value = keep * value + fresh * rng.gauss(0.0, 1.0)
    return volts
