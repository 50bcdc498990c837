"""On which processor a process runs. Left to the scheduler, timings of two processes differ fourfold between runs."""

from __future__ import annotations

import os
from pathlib import Path

PLACES = ("same", "split")
"""Server and client on one processor; a processor for each."""


def processors() -> list[int]:
    """Give the processors that may be used; none where the system has no such thing."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def cpus_for(place: str) -> tuple[int, int] | None:
    """Give the processor of the server and of the client; None when it cannot be had."""
    there = processors()
    if not there or (place == "split" and len(there) == 1):
        return None
    return (there[-1], there[-1]) if place == "same" else (there[-1], there[-2])


def excuse() -> str:
    """Say what cannot be had here; empty when all can."""
    there = processors()
    if not there:
        return "this system pins no process to a processor: timings depend on its scheduler"
    return "" if len(there) > 1 else "there is one processor: nothing can be split over two"


def pin(cpu: int) -> None:
    """Move this process to a processor: its threads that are there, and those that they will start."""
    tasks = Path("/proc/self/task")
    for task in [int(path.name) for path in tasks.iterdir()] if tasks.exists() else [0]:
        try:
            os.sched_setaffinity(task, {cpu})
        except ProcessLookupError:
            continue  # it has just ended
