"""The document of what values become: it is true, and true of more than its examples."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyronb.dialects import SAFE, UNSAFE
from tests.serializers import values
from tests.serializers.values import KEPT, REFUSED, REFUSED_BY_READER, ROWS, arrival, document, outcome, same

relaxed = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def test_the_document_is_fresh() -> None:
    """What is written there is what happens."""
    assert document() == values.DOCUMENT.read_text(encoding="utf-8"), "see the top of values.py"


@pytest.mark.parametrize("name", [*SAFE, *UNSAFE])
@given(data=st.data())
@relaxed
def test_the_document_keeps_its_promises(name: str, data: Any) -> None:
    """Every value of a kind does what its example does: it is kept, becomes that type, or is refused."""
    row = data.draw(st.sampled_from([row for row in ROWS if row.values is not None]))
    value = data.draw(row.values)
    promised, actual = outcome(name, row.example), outcome(name, value)
    if promised in {KEPT, REFUSED, REFUSED_BY_READER}:
        assert promised == actual
        return

    there = arrival(name, value)
    assert type(arrival(name, row.example)) is type(there)
    assert same(there, arrival(name, there)), "what arrived once arrives unchanged from then on"
