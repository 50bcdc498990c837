"""Deadlines: moments that many waits share."""

from __future__ import annotations

import time

from pyronb.net.deadline import after, remaining


def test_remaining():
    """What is left shrinks to zero and stays there; no deadline stays none."""
    assert remaining(None) is None
    assert 4.0 < remaining(after(5.0)) <= 5.0
    assert 0.0 == remaining(time.monotonic() - 1)


def test_for_ever():
    """A deadline that is infinitely far away is one that a socket takes."""
    assert 0 < remaining(after(float("inf"))) < 2**31
