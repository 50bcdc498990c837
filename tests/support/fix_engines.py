"""engine: a test or file that asks for it is run with each of them."""

from __future__ import annotations

import pytest

from tests.support.serving import ENGINES, Usual


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    """Give the name of an engine, which daemons have that the test makes."""
    monkeypatch.setattr(Usual, "engine", request.param)
    return request.param
