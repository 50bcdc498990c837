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
from pyronb.net.ticker import TICKER
from pyronb.news import Progress
from pyronb.wire.message import Buffer

__all__ = ["OVER", "Side", "Way"]

_PAUSE = 0.05
"""Seconds between two messages about the progress of one call."""
_LOOK_AGAIN = 0.02
"""Seconds between two looks for what the client has sent."""


class Way:
    """The way to the client of a call, as an engine has it; these are what they are for a client that is gone."""

    __slots__ = ()

    def tell(self, buffers: Sequence[Buffer], later: Callable[[], Any]) -> bool | None:
        """Send something that is no answer, from whichever thread, without waiting.

        Args:
            buffers: what to send.
            later: is called from where it can be sent, when that is not here.

        Returns:
            Whether it was sent; None when `later` is going to be called.

        Raises:
            ConnectionClosedError: the client is gone.
        """
        del buffers, later
        return False

    def look(self) -> None:
        """Hear what the client has sent, from a thread in which a call of it runs, without waiting.

        Raises:
            ConnectionClosedError: the client has hung up.
        """

    def listen(self) -> None:
        """From now on hear what the client sends while its call runs elsewhere; safe from any thread."""


class Side:
    """What goes beside one call.

    Args:
        way: the way to the client.
        pack: lays out what is told, as a message about this call; None when the client does not know such messages.
    """

    __slots__ = (
        *("_began", "_deferred", "_first", "_lock", "_look", "_next", "_over", "_pack", "_progress", "_stop", "_way"),
        "cancelled",
    )

    def __init__(self, way: Way, pack: Callable[[Any], Sequence[Buffer]] | None) -> None:
        """Begin."""
        self.cancelled = False
        """Whether the caller is known not to want the answer any more."""
        self._way = way
        self._pack = pack
        self._lock = threading.Lock()
        self._began = 0.0
        self._first = 0.0
        self._next = 0.0
        self._look = 0.0
        self._over = False
        self._deferred = False
        self._stop: Callable[[], Any] | None = None
        self._progress: tuple[float, float | None, str] | None = None

    def report(self, done: float, total: float | None, message: str) -> None:
        """Tell the caller how far the call is, now or soon."""
        if self._pack is None:
            return
        now = time.monotonic()
        with self._lock:
            held = self._progress is not None
            if not self._began:
                self._began, self._first = now, done
            self._progress = (done, total, message)
            if now >= self._next:
                self._tell(now)
            if self._progress is None or held or self._over or self._deferred:
                return
        TICKER.remind(self, max(self._next, now + _PAUSE))

    def tick(self) -> float | None:
        """Tell what was held back; give the moment for trying again, or None when nothing is left to tell."""
        now = time.monotonic()
        with self._lock:
            if self._progress is not None:
                self._tell(now)
            return None if self._progress is None or self._deferred else now + _PAUSE

    def _tell_later(self) -> None:
        """Tell what could not be told from elsewhere."""
        with self._lock:
            self._deferred = False
        again = self.tick()
        if again is not None:
            TICKER.remind(self, again)

    def _tell(self, now: float) -> None:
        """Send what is held back, if the client takes it; the lock is held."""
        if self._over:
            self._progress = None
            return
        if self._deferred:
            return
        self._next = now + _PAUSE
        try:
            sent = self._way.tell(self._news(now), self._tell_later)
            self._deferred = sent is None
            if sent:
                self._progress = None
        except CommunicationError as error:
            # Whoever sends the answer finds out as well.
            self.cancelled = self.cancelled or isinstance(error, ConnectionClosedError)
            self._progress = None

    def _news(self, now: float) -> Sequence[Buffer]:
        assert self._progress is not None
        assert self._pack is not None
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
        """Tell whether the caller does not want the answer any more, after a look at what it has sent."""
        if not self.cancelled:
            now = time.monotonic()
            with self._lock:
                if now >= self._look and not self._over:
                    self._look = now + _LOOK_AGAIN
                    try:
                        self._way.look()
                    except CommunicationError:
                        self.cancelled = True
        return self.cancelled

    def cancel(self) -> None:
        """Take note that the caller does not want the answer any more, and stop the call if that can be done."""
        self.cancelled = True
        stop = self._stop
        if stop is not None:
            stop()

    def stop_with(self, stop: Callable[[], Any]) -> None:
        """Stop the call in this way when the caller cancels it; from now on that is listened for."""
        if self._pack is None:
            return
        self._stop = stop
        if self.cancelled:
            stop()
        else:
            self._way.listen()

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

    def wanted_no_more(self) -> bool:
        """Nobody has said so in time."""
        return False

    def stop_with(self, stop: Callable[[], Any]) -> None:
        """Nobody will."""

    def end(self) -> Sequence[Buffer]:
        """Give nothing."""
        return ()


OVER = _Over(Way(), None)
