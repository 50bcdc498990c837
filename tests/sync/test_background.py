"""in_background: a thread of its own, and a future."""

from __future__ import annotations

import threading

import pytest

from pyronb.sync.background import in_background
from tests.support.waiting import scaled


def test_result():
    """What the work gives is the future's result; the thread tells its name and does not keep the program alive."""
    seen = []

    def work():
        seen.append(threading.current_thread())
        return 5

    future = in_background(work, "work")

    assert future.wait(scaled(5))
    assert 5 == future.value
    assert ("pyronb-work", True) == (seen[0].name, seen[0].daemon)


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_error(kind):
    """Whatever it raises is the future's error."""

    def work():
        raise kind("no")

    future = in_background(work, "work")
    with pytest.raises(kind, match="no"):
        _ = future.value


def test_no_cancelling():
    """It runs already."""
    go = threading.Event()
    future = in_background(lambda: go.wait(scaled(5)), "work")

    assert not future.cancel()
    assert future.running()
    go.set()
    assert future.value
