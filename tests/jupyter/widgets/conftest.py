"""Fixtures for widgets: a name server with names, and browsers that are closed in the end."""

from __future__ import annotations

import pytest

pytest.importorskip("ipywidgets")

from pyronb.jupyter.widgets.names import NameServerBrowser
from tests.jupyter.ipython.scene import playing


@pytest.fixture
def scene(no_leaks):
    with playing() as scene:
        yield scene


@pytest.fixture
def browse(no_leaks):
    """Make a browser that looks often; its thread must be gone in the end."""
    made = []

    def make(ns, **options):
        made.append(NameServerBrowser(ns, **{"interval": 0.1, **options}))
        return made[-1]

    yield make
    for browser in made:
        browser.close()
