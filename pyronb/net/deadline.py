"""Deadlines: moments on the monotonic clock, so that many waits share one limit."""

from __future__ import annotations

import time

__all__ = ["after", "remaining"]

_LONGEST = 1e9
"""Most seconds that are waited at a time: no system takes endlessly many."""


def after(seconds: float) -> float:
    """Give the moment that lies so many seconds ahead."""
    return time.monotonic() + seconds


def remaining(deadline: float | None) -> float | None:
    """Give the seconds until a deadline, not below zero and not more than a socket takes; None for none."""
    return None if deadline is None else min(_LONGEST, max(0.0, deadline - time.monotonic()))
