"""Matches one regular expression in a process of its own, which can be given up. (See `pyronb.nameserver.patterns`.)

It is run as a script, knows nothing of pyronb and talks JSON: it is told a pattern, names and seconds, and answers with
the numbers of the names that match, or with what is wrong with the pattern.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from typing import Any

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

_MEMORY = 1 << 29
"""Most bytes that matching may take; hostile patterns want memory too."""


def answer(question: dict[str, Any]) -> list[int] | str:
    """Give the numbers of the names that the pattern matches from the start, or what is wrong with it."""
    try:
        matches = re.compile(question["regex"]).match
    except (re.error, OverflowError, RecursionError, MemoryError) as error:
        return str(error)
    return [number for number, name in enumerate(question["names"]) if matches(name)]


def _limit(seconds: float) -> None:
    """Have the system end this process, should nobody else be left to do it."""
    if resource is not None:
        longest = int(seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (longest, longest))
        with contextlib.suppress(OSError, ValueError):  # not every system can limit it
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    _limit(asked["seconds"])
    json.dump(answer(asked), sys.stdout)
