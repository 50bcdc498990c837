"""Each test begins without knowing which dialect is spoken where: the system gives ports out again."""

from __future__ import annotations

import pytest

from pyronb.client import procedures


@pytest.fixture(autouse=True)
def _no_known_dialects() -> None:
    """Forget what the tests before have found out."""
    procedures._dialects.clear()
