"""Changes: which names have changed since a client last asked, so that it need not ask for all of them.

A name counts once, however often it changed in between, and only the last changes are known: whoever comes too late, or
from before a restart, is told everything. Changes that another program makes to the same file are not seen.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable

__all__ = ["Changes"]

_MOST = 10_000
"""Most names that are known to have changed."""
_WAITING = 8
"""Most clients that are waited with, for each takes a thread; the others are answered at once."""


class Changes:
    """Takes note of changes, and lets others wait for them.

    A mark is a text that stands for a moment; who has it can ask what changed since.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._came = threading.Condition()
        self._run = secrets.token_hex(8)
        self._count = 0
        self._forgotten = 0
        # The number of the last change of each name; the latest come last.
        self._changed: dict[str, int] = {}
        self._places = threading.BoundedSemaphore(_WAITING)
        self._closed = False

    def note(self, *names: str) -> None:
        """Take note that these names were registered, changed or removed."""
        with self._came:
            self._count += 1
            for name in names:
                self._changed.pop(name, None)
                self._changed[name] = self._count
            while len(self._changed) > _MOST:
                self._forgotten = self._changed.pop(next(iter(self._changed)))
            self._came.notify_all()

    def since(self, mark: str, seconds: float = 0.0) -> tuple[str, list[str] | None]:
        """Give the mark of this moment, and the names that changed since another one; None when that is not known.

        Args:
            mark: the other moment.
            seconds: how long to wait for a change while there is none.
        """
        with self._came:
            known = self._number(mark)
            if known == self._count and seconds > 0 and not self._closed:
                self._wait(known, seconds)
            now = f"{self._run}-{self._count}"
            return now, None if known is None else list(self._after(known))

    def _wait(self, known: int, seconds: float) -> None:
        if not self._places.acquire(blocking=False):
            return
        try:
            self._came.wait_for(lambda: self._count != known or self._closed, seconds)
        finally:
            self._places.release()

    def _number(self, mark: str) -> int | None:
        run, _, number = mark.partition("-")
        if run != self._run or not (number.isascii() and number.isdigit()):
            return None
        known = int(number[:20])
        return known if self._forgotten <= known <= self._count else None

    def _after(self, known: int) -> Iterable[str]:
        for name, number in reversed(self._changed.items()):
            if number <= known:
                return
            yield name

    def close(self) -> None:
        """Let all go who wait, now and from now on."""
        with self._came:
            self._closed = True
            self._came.notify_all()
