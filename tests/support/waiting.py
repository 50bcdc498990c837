"""Scaled time: tests wait for a condition with a deadline, they never sleep to let things settle.

All times are in seconds of a usual machine. A slow one sets PYRONB_TEST_SLOWNESS to a factor, for example 4.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

SLOWNESS = float(os.environ.get("PYRONB_TEST_SLOWNESS", "1"))


def scaled(seconds: float) -> float:
    """Give this time in seconds of this machine."""
    return seconds * SLOWNESS


@dataclass(frozen=True)
class Deadline:
    """A point in time after which waiting is pointless."""

    at: float

    @property
    def remaining(self) -> float:
        """Seconds that are left, never below zero: fit for any `timeout=`."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.remaining == 0.0


def deadline(seconds: float = 5.0) -> Deadline:
    """Give the point in time that lies so many scaled seconds ahead."""
    return Deadline(time.monotonic() + scaled(seconds))


def eventually(condition: Callable[[], T], timeout: float = 10.0, *, what: str = "") -> T:
    """Wait until the condition is true, and give what it gave.

    Args:
        condition: asked again and again, in ever longer steps of at most 50 ms.
        timeout: most scaled seconds to wait.
        what: what was waited for, for the failure's message.

    Raises:
        AssertionError: the time was up first; the message shows the condition's last answer.
    """
    limit = deadline(timeout)
    pause = 0.001
    while not (answer := condition()):
        if limit.passed:
            message = f"waited {scaled(timeout):g} s for {what or condition}; its last answer was {answer!r}"
            raise AssertionError(message)
        time.sleep(min(pause, limit.remaining))
        pause = min(pause * 1.5, 0.05)
    return answer
