"""Patterns: regular expressions of strangers, none of which may hold the name server up.

Python's matcher tries possibilities one after the other, and a short pattern can have more of them than a lifetime has
seconds. So their number is estimated first. A pattern that is known to be cheap is matched at once; any other one in a
process of its own, which is given up after a time limit.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pyronb.errors import NamingError

__all__ = ["Patterns", "literal_prefix"]

_LONGEST = 1000
"""Most characters of a pattern."""
_SECONDS = 2.0
"""Most seconds that matching may take."""
_AT_ONCE = 2
"""Most processes that match at the same time."""
_CHEAP_NAME, _CHEAP_ALL = 10**6, 10**8
"""Most steps of a match that is made at once: for one name, which others have to wait for, and for all."""

_SPECIAL = frozenset(".^$*+?{}[]\\|()")
_REPEATS = re.compile(r"\{\d*,?\d*\}")
_MATCHER = Path(__file__).with_name("matcher.py")


class Patterns:
    """Matches names with the regular expressions that clients send.

    Args:
        seconds: the time limit.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._processes = threading.BoundedSemaphore(_AT_ONCE)

    def matching(self, regex: str, names: Collection[str]) -> list[str]:
        """Give the names that a pattern matches from their start on, as `re.match` does.

        Raises:
            NamingError: the pattern is not valid, is too long, or takes too long.
        """
        if len(regex) > _LONGEST:
            raise NamingError(f"invalid regex: it is longer than {_LONGEST} characters")
        effort = _effort(regex)
        if effort is None or not effort.is_cheap(names):
            return self._in_a_process(regex, list(names))
        try:
            matches = re.compile(regex).match
        except (re.error, OverflowError, RecursionError) as error:
            raise NamingError(f"invalid regex: {error}") from error
        return [name for name in names if matches(name)]

    def _in_a_process(self, regex: str, names: list[str]) -> list[str]:
        if not sys.executable or getattr(sys, "frozen", False):
            raise NamingError("invalid regex: it may take long, and this name server has no Python to try it with")
        if not self._processes.acquire(timeout=self._seconds):
            raise NamingError("too many costly regular expressions at the same time; try again, or use a prefix")
        try:
            ran = subprocess.run(  # noqa: S603 - our own script, and what is told to it is data
                [sys.executable, "-I", "-S", str(_MATCHER)],
                input=json.dumps({"regex": regex, "names": names, "seconds": self._seconds}),
                capture_output=True,
                check=True,
                encoding="utf-8",
                timeout=self._seconds,
            )
            answer = json.loads(ran.stdout)
        except subprocess.TimeoutExpired as error:
            raise NamingError(
                f"invalid regex: matching takes longer than {self._seconds:g} seconds; use a simpler one, or a prefix"
            ) from error
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            raise NamingError("invalid regex: matching takes too much time or memory") from error
        finally:
            self._processes.release()
        if isinstance(answer, str):
            raise NamingError(f"invalid regex: {answer}")
        return [names[number] for number in answer]


@dataclass(slots=True)
class _Effort:
    """How many steps a pattern may take: `once * (length of the name + 1) ** repeats`."""

    once: int
    repeats: int = 0

    def is_cheap(self, names: Collection[str]) -> bool:
        longest = max(map(len, names), default=0)
        most: int = self.once * (longest + 1) ** self.repeats
        if most > _CHEAP_NAME:
            return False
        if most * len(names) <= _CHEAP_ALL:
            return True
        in_all: int = sum((len(name) + 1) ** self.repeats for name in names)
        return self.once * in_all <= _CHEAP_ALL


def _effort(regex: str) -> _Effort | None:
    """Estimate the effort of matching; None for patterns that have anything beyond the simple things.

    Where no repetition holds another one, each contributes a factor of at most the length of the name, and each choice
    between two branches a factor of two.
    """
    effort = _Effort(len(regex) + 1)
    at = 0
    while at < len(regex):
        character, following = regex[at], regex[at + 1 : at + 2]
        at += 1
        if character == "\\":
            if following.isdigit():
                return None  # refers back
            at += 1
        elif character == "[":
            at = _end_of_class(regex, at)
        elif character == "(" and following == "?":
            if regex[at : at + 2] != "?:":
                return None  # looks around, or changes the rules
            at += 2
        elif character == ")" and following and following in "*+{":
            return None  # repeats a group, which may hold repetitions
        elif character in "|?":
            effort.once *= 2
        elif character in "*+" or (character == "{" and _REPEATS.match(regex, at - 1)):
            effort.repeats += 1
    return effort


def _end_of_class(regex: str, at: int) -> int:
    """Give the place behind a character class that has been opened before this place."""
    if regex[at : at + 1] == "^":
        at += 1
    at += 1  # a bracket in the first place does not close it
    while at < len(regex) and regex[at] != "]":
        at += 2 if regex[at] == "\\" else 1
    return at + 1


def literal_prefix(regex: str) -> str:
    """Give what every match of a pattern starts with; empty when nothing is certain."""
    if "|" in regex or "(?" in regex or len(regex) > _LONGEST:
        return ""
    prefix: list[str] = []
    at = 1 if regex.startswith("^") else 0
    while at < len(regex):
        character = regex[at]
        if character == "\\" and regex[at + 1 : at + 2] and not regex[at + 1].isalnum():
            at += 1
            character = regex[at]
        elif character in _SPECIAL:
            if character in "*+?{":
                del prefix[-1:]
            break
        prefix.append(character)
        at += 1
    return "".join(prefix)
