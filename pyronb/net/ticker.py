"""Ticker: one thread for all calls that have held something back, which reminds them a moment later.

It runs only while something is held back.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from typing import Protocol

__all__ = ["TICKER", "Ticker"]

_STAY = 1.0
"""Seconds that the thread stays though nobody wants to be reminded."""


class _Reminded(Protocol):
    def tick(self) -> float | None:
        """Do what was put off; give the moment for the next time, or None."""


class Ticker:
    """Reminds whoever asks for it, at the moment that they name."""

    def __init__(self) -> None:
        """Start without a thread."""
        self._due: list[tuple[float, int, _Reminded]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._runs = False

    def remind(self, thing: _Reminded, moment: float) -> None:
        """Have `tick` called at this moment, on the clock of `time.monotonic`."""
        with self._changed:
            first = not self._due or moment < self._due[0][0]
            heapq.heappush(self._due, (moment, next(self._order), thing))
            if not self._runs:
                try:
                    threading.Thread(target=self._run, name="pyronb-ticker", daemon=True).start()
                except RuntimeError:
                    # The system has no more threads to give: what is held back goes out with the answer.
                    self._due.clear()
                    return
                self._runs = True
            elif first:
                self._changed.notify()

    def forget(self) -> None:
        """Start anew in the child of a fork: the thread is its parent's, and so is what was held back."""
        self._due.clear()
        self._changed = threading.Condition()
        self._runs = False

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or (rest := self._due[0][0] - time.monotonic()) > 0:
                    if not self._changed.wait(rest if self._due else _STAY) and not self._due:
                        self._runs = False
                        return
                _, _, thing = heapq.heappop(self._due)
            again = thing.tick()
            if again is not None:
                self.remind(thing, again)
            del thing


TICKER = Ticker()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TICKER.forget)
