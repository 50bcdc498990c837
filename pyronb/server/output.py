"""Output: what running calls print and log, for callers that asked for it.

The standard streams of the process are replaced only while somebody asked. What is written goes where it always goes,
and what a call has written by itself, in its thread or task, goes to its caller too. Whoever replaces a stream on top
of this has it: nothing of that is told, and nothing is taken away from it afterwards.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from typing import Any

from pyronb.context import ambient
from pyronb.news import Output
from pyronb.rpc.side import LONGEST_OUTPUT

__all__ = ["CAPTURE", "Printed"]

_A_SECOND = 256 * 1024
_A_CALL = 8 * 1024 * 1024
"""Most characters that one call may tell in a second, and in all."""
_HELD = 64 * 1024
"""Most characters that are kept for a caller that does not read."""
_OUR_OWN = ("pyronb.net", "pyronb.server", "pyronb.wire")
"""Loggers that tell of the daemon rather than of the call."""


class Printed:
    """What one call has printed and has not told yet; what is too much is left out, and counted."""

    __slots__ = ("_all", "_left_out", "_pieces", "_second", "_since", "_size")

    def __init__(self) -> None:
        """Start without a word."""
        self._pieces: deque[Output] = deque()
        self._size = 0
        self._left_out = 0
        self._since = 0.0
        self._second = 0
        self._all = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, text: str, stream: str, now: float) -> None:
        """Keep a text, as far as there is room for it."""
        if now - self._since >= 1:
            self._since, self._second = now, 0
        room = max(0, min(_A_SECOND - self._second, _A_CALL - self._all, _HELD - self._size))
        kept = text[:room]
        if kept:
            self._tell_what_is_missing(stream)
            self._keep(kept, stream)
            self._second += len(kept)
            self._all += len(kept)
        self._left_out += len(text) - len(kept)

    def _tell_what_is_missing(self, stream: str) -> None:
        if self._left_out:
            count, self._left_out = self._left_out, 0
            self._keep(f"\n[{count} characters were left out here]\n", stream)

    def _keep(self, text: str, stream: str) -> None:
        self._size += len(text)
        last = self._pieces[-1] if self._pieces else None
        if last is not None and last.stream == stream and len(last.text) + len(text) <= LONGEST_OUTPUT:
            self._pieces[-1] = Output(last.text + text, stream)
            return
        for at in range(0, len(text), LONGEST_OUTPUT):
            self._pieces.append(Output(text[at : at + LONGEST_OUTPUT], stream))

    def pieces(self, *, last: bool = False) -> list[Output]:
        """Give what is to be told; `last` when nothing comes after it."""
        if last:
            self._tell_what_is_missing("log")
        return list(self._pieces)

    def clear(self) -> None:
        """Take note that all of it was told."""
        self._pieces.clear()
        self._size = 0


def _tell(text: str, stream: str) -> None:
    side = ambient().side
    if side is not None:
        side.write(text, stream)


class _Tee:
    """A text stream that writes to another one, and tells."""

    def __init__(self, stream: Any, name: str) -> None:
        self.stream = stream
        self.name_ = name

    def write(self, text: str) -> Any:
        written = self.stream.write(text)
        _tell(text, self.name_)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        """Be the other one for all else."""
        if name == "stream":
            raise AttributeError(name)
        return getattr(self.stream, name)


class _Handler(logging.Handler):
    """Tells what is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_OUR_OWN):
            _tell(self.format(record) + "\n", "log")
        # Where nobody else hears of it, it is printed. Having this handler here must not change that.
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and not self._has_others(record.name):
            _unheard(last, record)

    def _has_others(self, name: str) -> bool:
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return True
            logger = logger.parent if logger.propagate else None
        return False


def _unheard(handler: logging.Handler, record: logging.LogRecord) -> None:
    """Have a handler print a record that was told already."""
    side = ambient().side
    if side is None:
        handler.handle(record)
        return
    with side.silent():
        handler.handle(record)


class _Capture:
    """Listens to the standard streams and the root logger as long as somebody wants that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        # Kept for good: `print` of Python before 3.14 holds no reference of its own to the stream that it writes to. A
        # tee that went while another thread prints to it would take the interpreter with it.
        self._tees: dict[str, _Tee] = {}
        self._handler = _Handler()
        self._handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def begin(self) -> None:
        """Listen; each call of this is undone by one of `end`."""
        with self._lock:
            self._wanted += 1
            if self._wanted > 1:
                return
            for name in ("stdout", "stderr"):
                stream = getattr(sys, name)
                while isinstance(stream, _Tee):
                    # Somebody has put one back that had been taken away.
                    stream = stream.stream
                if stream is not None:
                    tee = self._tees.setdefault(name, _Tee(stream, name))
                    tee.stream = stream
                    setattr(sys, name, tee)
            logging.getLogger().addHandler(self._handler)

    def end(self) -> None:
        """Listen no more, if nobody else wants to."""
        with self._lock:
            self._wanted -= 1
            if self._wanted:
                return
            for name, tee in self._tees.items():
                if getattr(sys, name) is tee:
                    setattr(sys, name, tee.stream)
            logging.getLogger().removeHandler(self._handler)


CAPTURE = _Capture()
