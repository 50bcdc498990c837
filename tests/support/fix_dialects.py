"""Each test begins without knowing what is spoken where: the system gives ports out again."""

from __future__ import annotations

import pytest

from pyronb.client import acquaintances, greeting


@pytest.fixture(autouse=True)
def _no_known_dialects() -> None:
    """Forget what the tests before have found out."""
    greeting._dialects.clear()
    acquaintances._known.clear()
