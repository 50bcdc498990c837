"""Side: what goes beside one call while it runs, in both directions.

It is made when the call first has something to tell, or wants to hear whether it is still wanted; most calls have none.
What is told is told from any thread, at most 20 times a second; what is held back goes out a moment later, or right
before the answer. After the answer nothing goes out any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from pyronb.errors import CommunicationError, ConnectionClosedError
from pyronb.news import Progress
from pyronb.server.ticker import TICKER
from pyronb.wire.message import Buffer

__all__ = ["OVER", "Side", "Way"]

_PAUSE = 0.05
"""Seconds between two messages about the progress of one call."""


class Way:
    """The way to the client of a call, as an engine has it; these are what they are for a client that is gone."""

    __slots__ = ()

    def tell(self, buffers: Sequence[Buffer], goes_on: Callable[[], bool]) -> bool:
        """Send something that is no answer, from whichever thread, without waiting; False when that cannot be now.

        Args:
            buffers: what to send.
            goes_on: tells whether the call still runs, where sending has to wait until later.

        Raises:
            ConnectionClosedError: the client is gone.
        """
        del buffers, goes_on
        return False


class Side:
    """What goes beside one call.

    Args:
        way: the way to the client; None when it must not be told anything.
        pack: lays out what is told, as a message about this call.
    """

    __slots__ = ("_began", "_first", "_lock", "_next", "_over", "_pack", "_progress", "_way", "cancelled")

    def __init__(self, way: Way | None, pack: Callable[[Any], Sequence[Buffer]]) -> None:
        """Begin."""
        self.cancelled = False
        """Whether the caller is known not to want the answer any more."""
        self._way = way
        self._pack = pack
        self._lock = threading.Lock()
        self._began = 0.0
        self._first = 0.0
        self._next = 0.0
        self._over = False
        self._progress: tuple[float, float | None, str] | None = None

    def report(self, done: float, total: float | None, message: str) -> None:
        """Tell the caller how far the call is, now or soon."""
        way = self._way
        if way is None:
            return
        now = time.monotonic()
        with self._lock:
            held = self._progress is not None
            if not self._began:
                self._began, self._first = now, done
            self._progress = (done, total, message)
            if now >= self._next:
                self._tell(now)
            if self._progress is None or held or self._over:
                return
        TICKER.remind(self, max(self._next, now + _PAUSE))

    def tick(self) -> float | None:
        """Tell what was held back; give the moment for trying again, or None when nothing is left to tell."""
        now = time.monotonic()
        with self._lock:
            if not self._over and self._progress is not None:
                self._tell(now)
            return None if self._over or self._progress is None else now + _PAUSE

    def _tell(self, now: float) -> None:
        """Send what is held back, if the client takes it; the lock is held."""
        assert self._way is not None
        if self._over:
            self._progress = None
            return
        self._next = now + _PAUSE
        try:
            if self._way.tell(self._news(now), lambda: not self._over):
                self._progress = None
        except CommunicationError as error:
            # Whoever sends the answer finds out as well.
            self.cancelled = self.cancelled or isinstance(error, ConnectionClosedError)
            self._progress = None

    def _news(self, now: float) -> Sequence[Buffer]:
        assert self._progress is not None
        return self._pack(Progress(*self._progress, self._seconds(now)))

    def _seconds(self, now: float) -> float:
        """Tell how long the call takes already.

        Nobody looks at the clock when a call begins. Where something was done already when the call told of itself
        first, that is taken to have gone as quickly as it has gone since.
        """
        assert self._progress is not None
        seconds, since = now - self._began, self._progress[0] - self._first
        return seconds * self._progress[0] / since if since > 0 and self._first > 0 else seconds

    def wanted_no_more(self) -> bool:
        """Tell whether the caller is known not to want the answer any more."""
        return self.cancelled

    def end(self) -> Sequence[Buffer]:
        """Give what is still to be told before the answer; nothing is after that."""
        with self._lock:
            self._over = True
            if self._progress is None or self.cancelled:
                return ()
            return self._news(time.monotonic())


class _Over(Side):
    """Stands for the side of a call that has been answered, for code that still runs in its context."""

    __slots__ = ()

    def report(self, done: float, total: float | None, message: str) -> None:
        """Tell nobody."""

    def end(self) -> Sequence[Buffer]:
        """Give nothing."""
        return ()


OVER = _Over(None, lambda _: ())
