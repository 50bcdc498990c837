"""A line chart of numbers over time, as SVG that needs no scripts. Pure: points in, text out."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

__all__ = ["chart_svg", "ticks"]

Point = tuple[float, float]
"""When, in seconds, and how much; what is no finite number is a gap."""

WIDTH, HEIGHT = 640, 180
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 10, 22
_STEPS = (1, 2, 5, 10)
_COLOR = "var(--jp-brand-color1,#1976d2)"
_CURVE = f"fill:none;stroke:{_COLOR};stroke-width:1.5;stroke-linejoin:round"


def chart_svg(points: Sequence[Point], label: str) -> str:
    """Draw the points; the last one is at time 0.

    Args:
        points: in the order of their times.
        label: what is drawn, for those who don't see it; HTML already.
    """
    finite = [value for _, value in points if math.isfinite(value)]
    if not finite:
        return ""
    low, high = _span(min(finite), max(finite))
    first, last = points[0][0], points[-1][0]
    seconds = max(last - first, 1e-3)
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(when: float) -> float:
        return LEFT + (when - first) / seconds * across

    def y(value: float) -> float:
        # Halves, for the difference of two large numbers may be too large.
        return TOP + (high / 2 - value / 2) / (high / 2 - low / 2) * down

    parts = []
    for tick in ticks(low, high, 4):
        height = f"{y(tick):.1f}"
        parts.append(f'<path d="M{LEFT} {height}H{WIDTH - RIGHT}" stroke="currentColor" stroke-opacity=".15"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.6g}</text>')
    parts += [
        f'<text x="{x(last + tick):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{tick:.6g} s</text>'
        for tick in ticks(-seconds, 0.0, 6)
    ]
    for run in _runs(points):
        placed = _thinned([(x(when), y(value)) for when, value in run])
        if len(placed) == 1:
            parts.append(f'<circle cx="{placed[0][0]:.1f}" cy="{placed[0][1]:.1f}" r="2.5" style="fill:{_COLOR}"/>')
        else:
            path = " ".join(f"{left:.1f},{top:.1f}" for left, top in placed)
            parts.append(f'<polyline points="{path}" style="{_CURVE}"/>')
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="11" fill="currentColor" '
        f'style="display:block;width:100%;max-width:{WIDTH}px">'
        f"{''.join(parts)}</svg>"
    )


def ticks(low: float, high: float, about: int) -> list[float]:
    """Give round numbers between two, about so many."""
    # Each part by itself, for the difference of two large numbers may be too large.
    rough = high / about - low / about
    if not (math.isfinite(rough) and rough > 0):
        return []
    size = 10.0 ** math.floor(math.log10(rough))
    step = next((size * factor for factor in _STEPS if size * factor >= rough), rough)
    if not (step > 0 and math.isfinite(low / step) and math.isfinite(high / step)):
        return []
    begin, end = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if end - begin > 10 * about:
        return []
    return [tick for number in range(begin, end + 1) if math.isfinite(tick := number * step)]


def _span(low: float, high: float) -> Point:
    """Give a range that has some height, also where all values are the same."""
    room = (high / 2 - low / 2) * 0.1
    if room <= abs(high) * 1e-12:
        room = max(abs(high) * 0.05, 0.5)
    return max(low - room, -sys.float_info.max), min(high + room, sys.float_info.max)


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Split the points at the gaps."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if math.isfinite(point[1]):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _thinned(placed: list[Point]) -> list[Point]:
    """Leave of the points in one column of the picture the first, the lowest, the highest and the last."""
    if len(placed) <= 2 * WIDTH:
        return placed
    columns: dict[int, list[Point]] = {}
    for point in placed:
        columns.setdefault(int(point[0]), []).append(point)
    kept: list[Point] = []
    for column in columns.values():
        chosen = {0, len(column) - 1}
        heights = [top for _, top in column]
        chosen |= {heights.index(min(heights)), heights.index(max(heights))}
        kept += [column[index] for index in sorted(chosen)]
    return kept
