"""Strikes: an interrupt at each place of a piece of code where Python might raise one, one place at a time.

Python looks for signals where a function begins or goes on, after it called something, and where a loop turns; nowhere
else. So a `with` over a lock, for example, cannot be struck between taking the lock and guarding it.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

_LOOKS = ("CALL", "JUMP_ABSOLUTE", "JUMP_BACKWARD", "RESUME")
"""How the instructions begin after which Python looks for signals."""
_PASSES_BY = ("CALL_INTRINSIC", "JUMP_BACKWARD_NO_INTERRUPT")
_GOES_ON = 2
"""From this argument on, `RESUME` is that of a generator which waits for another one."""

_looks: dict[CodeType, frozenset[int]] = {}


def looks_of(code: CodeType) -> frozenset[int]:
    """Give the instructions of some code after which Python looks for signals, by their offsets."""
    if code not in _looks:
        _looks[code] = frozenset(
            each.offset
            for each in dis.get_instructions(code)
            if each.opname.startswith(_LOOKS)
            and not each.opname.startswith(_PASSES_BY)
            and not (each.opname == "RESUME" and (each.arg or 0) & 3 >= _GOES_ON)
        )
    return _looks[code]


class Strikes:
    """Strikes once in the block, at one of the places in what this thread calls there.

    Args:
        number: which of the places, counted from 0; -1 for none of them.
        strike: called there; what it raises is raised there.
    """

    def __init__(self, number: int, strike: Callable[[], Any]) -> None:
        self.passed = 0
        """How many places were passed, the one that is struck included."""
        self.place = ""
        """Which one was struck."""
        self._number = number
        self._strike = strike
        self._last: dict[FrameType, int] = {}
        self._before: Any = None

    def __enter__(self) -> Strikes:
        """Begin to count."""
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *exc: object) -> None:
        """Strike no more."""
        sys.settrace(self._before)
        self._last.clear()

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        del arg
        if event == "call":
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
        elif event == "opcode":
            last = self._last.get(frame)
            self._last[frame] = frame.f_lasti
            if last in looks_of(frame.f_code):
                self._pass_by(frame)
        elif event in ("return", "exception"):
            # After a call that raised, Python does not look.
            self._last.pop(frame, None)
        return self._trace

    def _pass_by(self, frame: FrameType) -> None:
        self.passed += 1
        if self.passed - 1 == self._number:
            self.place = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
            self._strike()
