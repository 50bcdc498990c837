"""About how much items of a stream hold."""

from __future__ import annotations

import pytest

from pyronb.options import WireOptions
from pyronb.rpc.weight import HEAVY, heavy_for, weight


@pytest.mark.parametrize(
    ("item", "least"),
    [(b"x" * 5000, 5000), ("x" * 5000, 5000), (memoryview(bytes(5000)), 5000), ({"a": 1, "b": [bytes(5000)]}, 5000),
     ([bytes(500)] * 100, 50_000), (5, 1), (None, 1), ([], 0)],
)  # fmt: skip
def testweight(item, least):
    """About what an item holds, however it is wrapped."""
    assert least <= weight(item) <= 2 * least + 8


@pytest.mark.parametrize(("limit", "heavy"), [(0, HEAVY), (1 << 30, HEAVY), (1 << 20, 1 << 18)])
def test_items_of_an_answer_fit_into_a_message(limit, heavy):
    """Where messages may only be small, fewer items go into one."""
    assert heavy == heavy_for(WireOptions(max_message_size=limit))
