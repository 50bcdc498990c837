"""The arithmetic of a run: medians over rounds, and ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FLOOR = "raw"
"""The contender that everything is compared with: a bare socket, or a bare interpreter."""

AGAIN = "Pyro5 again"
"""Pyro5 a second time, as another contender: what differs between the two is noise."""


@dataclass(frozen=True)
class Metric:
    """What is told of a measurement.

    Attributes:
        name: short, with its unit.
        more: whether more of it is better.
        compared: whether ratios of it make sense.
    """

    name: str
    more: bool = True
    compared: bool = True


def times(metric: Metric, value: float, floor: float) -> float:
    """Tell how many times the floor's time (or size) this is: 1.0 is as good, 2.0 is twice as slow."""
    return floor / value if metric.more else value / floor


def speed(metric: Metric, value: float, other: float) -> float:
    """Tell how many times as good as the other this is: 2.0 is twice as fast."""
    return value / other if metric.more else other / value


def median_ratio(ratio, metric: Metric, rounds: Sequence[float | None], others: Sequence[float | None]) -> float | None:
    """Give the median over rounds of the ratio within each round; None when no round has both."""
    pairs = [(one, other) for one, other in zip(rounds, others, strict=False) if one and other]
    return statistics.median(ratio(metric, one, other) for one, other in pairs) if pairs else None


def median(rounds: Sequence[float | None]) -> float | None:
    """Give the median of the rounds that were measured."""
    there = [value for value in rounds if value is not None]
    return statistics.median(there) if there else None


def spread(
    metric: Metric, rounds: Sequence[float | None], others: Sequence[float | None]
) -> tuple[float, float] | None:
    """Give the least and the greatest ratio of two contenders that are the same thing: what a run calls equal."""
    ratios = [speed(metric, one, other) for one, other in zip(rounds, others, strict=False) if one and other]
    return (min(ratios), max(ratios)) if ratios else None


def percentile(values: Sequence[float], part: float) -> float:
    """Give the value below which this part (0 to 1) of all values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def fairness(counts: Sequence[int]) -> float:
    """Tell how equally clients were served: 1 when all the same, 1/n when one had it all (Jain's index)."""
    total = sum(counts)
    return total * total / (len(counts) * sum(count * count for count in counts)) if total else 0.0


def rows_against(earlier: Mapping[str, float], now: Mapping[str, float]) -> list[tuple[str, float, float, float]]:
    """Give name, earlier, now and their quotient for what both runs have.

    The figures are ratios to Pyro5 within their own run, which is what two runs can be compared by.
    """
    return [(name, earlier[name], now[name], now[name] / earlier[name]) for name in now if earlier.get(name)]
