"""Fixtures of pytest-jupyter, for the tests of this folder only."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("jupyter_server")
pytest.importorskip("pytest_jupyter")

# Whether or not the plug-in was asked for with -p: these tests also run in a plain `pytest`.
from pytest_jupyter.jupyter_server import *  # noqa: F403


@pytest.fixture(autouse=True)
def _plain_configuration(monkeypatch):
    """No name server comes from the environment of whoever runs the tests."""
    for name in os.environ:
        if name.startswith(("PYRO_", "PYRONB_")):
            monkeypatch.delenv(name)
