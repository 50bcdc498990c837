"""What holds for every test. Fixtures live in tests/support/fix_*.py, one file for each subject."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import hypothesis
import pytest

pytest.register_assert_rewrite("tests.support")

from tests.support.chromium import find_chromium

pytest_plugins = [
    "tests.support.fix_certs",
    "tests.support.fix_coroutines",
    "tests.support.fix_dialects",
    "tests.support.fix_engines",
    "tests.support.fix_leaks",
]

HERE = Path(__file__).parent

# A slow machine is no failure (pytest-timeout is the limit), and two runs of one commit must agree in CI.
hypothesis.settings.register_profile("desk", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "desk")

MARKED_BY_FOLDER = ("browser", "interop", "notebooks")


def pytest_configure():
    """Let Ctrl-C interrupt the tests and what they start, also in the background, where some shells ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Mark tests by the folder they are in, and skip what this machine cannot run."""
    no_browser = pytest.mark.skip(reason="no chromium here: `make chromium`, or name one in PYRONB_CHROMIUM")
    chromium = find_chromium()
    for item in items:
        if item.path.is_relative_to(HERE):
            for folder in item.path.relative_to(HERE).parts[:-1]:
                if folder in MARKED_BY_FOLDER:
                    item.add_marker(folder)
        if chromium is None and item.get_closest_marker("browser"):
            item.add_marker(no_browser)


def pytest_collection_finish():
    """Spare the garbage collector all tests, with which it would take long each time one asks for it."""
    gc.collect()
    gc.freeze()
