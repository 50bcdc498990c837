"""no_leaks: a test fails when it leaves threads or sockets behind.

A thread counts when it would keep the interpreter alive, or when it is one of ours (`pyronb-...`). Sockets are counted
where the system lists them as files of the process (Linux); elsewhere only threads are.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import deadline

# Here every test is watched. Elsewhere a test asks for the fixture by its name.
WATCHED = tuple(
    Path(__file__).parent.parent / folder for folder in ("aio", "chapter", "gateway", "nameserver", "server", "sync")
)

FILES = Path("/proc/self/fd")


def running_threads() -> set[threading.Thread]:
    """Threads that a test must not leave behind."""
    main = threading.main_thread()
    return {
        thread
        for thread in threading.enumerate()
        if thread is not main and (not thread.daemon or thread.name.startswith("pyronb-"))
    }


def open_sockets() -> set[str]:
    """Sockets of this process, as `number socket:[inode]`: a number alone is soon used again."""
    found = set()
    for file in FILES.iterdir() if FILES.is_dir() else ():
        try:
            target = str(file.readlink())
        except OSError:
            continue  # the listing's own file is gone by now
        if target.startswith("socket:"):
            found.add(f"{file.name} {target}")
    return found


def left_behind(threads: set[threading.Thread], sockets: set[str]) -> list[str]:
    """Describe what is there now and was not there before."""
    new_threads = [f"thread {thread.name}" for thread in running_threads() - threads]
    return sorted(new_threads) + sorted(f"socket {name}" for name in open_sockets() - sockets)


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fail when the test, all its fixtures included, leaves threads or sockets behind."""
    threads, sockets = running_threads(), open_sockets()
    yield
    # Longer than any of our own threads takes to see that it is not needed any more, on a machine that is busy.
    limit = deadline(6.0)
    while (left := left_behind(threads, sockets)) and not limit.passed:
        # What a test dropped may wait in a cycle, and what it closed may need a moment to end.
        gc.collect()
        time.sleep(0.01)
    if left:
        pytest.fail("the test left behind: " + ", ".join(left), pytrace=False)


@pytest.fixture(autouse=True)
def _watched(request: pytest.FixtureRequest) -> None:
    """Ask for `no_leaks` first of all, so that it is the last to look."""
    if any(request.path.is_relative_to(folder) for folder in WATCHED):
        request.getfixturevalue("no_leaks")
