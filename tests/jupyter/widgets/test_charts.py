"""Charts: well-formed pictures of whatever numbers there are."""

from __future__ import annotations

import math
import re
import sys
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyronb.jupyter.widgets.charts import HEIGHT, WIDTH, chart_svg, ticks


def drawn(svg):
    """The places of all points of all curves."""
    tree = ET.fromstring(svg)
    return [
        [tuple(map(float, place.split(","))) for place in line.get("points").split()] for line in tree.iter("polyline")
    ]


def test_a_rising_line_rises():
    (line,) = drawn(chart_svg([(float(n), float(n)) for n in range(10)], "level"))

    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert [y for _, y in line] == sorted((y for _, y in line), reverse=True)
    assert len(line) == 10


def test_gaps():
    svg = chart_svg([(0, 1), (1, 2), (2, math.nan), (3, 5), (4, 6), (5, math.inf), (6, 1)], "level")

    assert len(drawn(svg)) == 2
    assert svg.count("<circle") == 1


def test_nothing_to_draw():
    assert chart_svg([], "level") == ""
    assert chart_svg([(0, math.nan)], "level") == ""


def test_many_points_keep_their_extremes():
    points = [(n / 1000, 0.0) for n in range(50_000)]
    points[25_000] = (25.0, 9.0)
    points[25_001] = (25.001, -9.0)
    (line,) = drawn(chart_svg(points, "level"))

    assert len(line) < 4 * WIDTH
    heights = {y for _, y in line}
    assert len(heights) == 3


def test_labels_are_round():
    texts = re.findall(r">([^<>]+)</text>", chart_svg([(0, 0.0), (60, 10.0)], "level"))

    assert {"0", "5", "10", "-60 s", "-20 s", "0 s"} <= set(texts)


@pytest.mark.parametrize(
    ("low", "high", "about", "found"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (-1, 1, 4, [-1, -0.5, 0, 0.5, 1]),
        (3.1, 3.9, 4, [3.2, 3.4, 3.6, 3.8]),
        (5, 5, 4, []),
    ],
)
def test_ticks(low, high, about, found):
    assert ticks(low, high, about) == pytest.approx(found)


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats()), max_size=50).map(sorted))
@example([(0.0, sys.float_info.max), (0.0, sys.float_info.max)])
@example([(0.0, -sys.float_info.max), (1.0, sys.float_info.max)])
def test_any_numbers_make_a_picture(points):
    svg = chart_svg(points, "level")
    if not any(math.isfinite(value) for _, value in points):
        assert svg == ""
        return
    assert "nan" not in svg
    assert "inf" not in svg
    for line in drawn(svg):
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in line)
