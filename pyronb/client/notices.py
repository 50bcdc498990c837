"""Notices of a daemon become warnings, at the line of the program that called."""

from __future__ import annotations

import sys
import warnings

from pyronb.client.link import Link
from pyronb.rpc.call import Outcome
from pyronb.rpc.notice import NOTICE, unpack_notice

__all__ = ["show_notice"]


def show_notice(link: Link, outcome: Outcome) -> None:
    """Warn of what the daemon said beside an outcome; what a real peer has under that name is its own business."""
    if NOTICE in outcome.annotations and link.remote is not None and link.remote.is_pyronb:
        warnings.warn(f"{link.place}: {unpack_notice(outcome.annotations)}", UserWarning, _level_of_the_program())


def _level_of_the_program() -> int:
    """Count the frames, from the caller's on, up to one that is not ours."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("pyronb."):
        level, frame = level + 1, frame.f_back
    return level
