"""Side: what goes beside one call while it runs, in both directions.

It is made when the call first has something to tell, or wants to hear whether it is still wanted; most calls have none.
What is told is told from any thread, at most 20 times a second; what is held back goes out a moment later, or right
before the answer. After the answer nothing goes out any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pyronb.errors import CommunicationError, ConnectionClosedError
from pyronb.net.ticker import TICKER
from pyronb.news import Progress
from pyronb.server.output import CAPTURE, Printed
from pyronb.wire.message import Buffer

__all__ = ["OVER", "Side", "Way"]

_PAUSE = 0.05
"""Seconds between two messages about the progress of one call."""
_LOOK_AGAIN = 0.02
"""Seconds between two looks for what the client has sent."""


class Way:
    """The way to the client of a call, as an engine has it; these are what they are for a client that is gone."""

    __slots__ = ()

    def tell(self, buffers: Sequence[Buffer], later: Callable[[], Any] | None) -> bool | None:
        """Send something that is no answer, from whichever thread, without waiting.

        Args:
            buffers: what to send.
            later: is called from where it can be sent, when that is not here; None when that was asked for already.

        Returns:
            Whether it was sent; None when it can be sent elsewhere.

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
        *("_began", "_deferred", "_first", "_lock", "_look", "_next", "_over", "_pack", "_printed", "_progress"),
        *("_silent", "_stop", "_way", "cancelled"),
    )

    def __init__(self, way: Way, pack: Callable[[Any], Sequence[Buffer]] | None) -> None:
        """Begin."""
        self.cancelled = False
        """Whether the caller is known not to want the answer any more."""
        self._way = way
        self._pack = pack
        # Reentrant, for whatever runs while it is held may print, a finaliser for instance.
        self._lock = threading.RLock()
        self._began = 0.0
        self._first = 0.0
        self._next = 0.0
        self._look = 0.0
        self._over = False
        self._deferred = False
        self._stop: Callable[[], Any] | None = None
        self._progress: tuple[float, float | None, str] | None = None
        self._printed: Printed | None = None
        self._silent: set[int] = set()

    # What the call tells

    def report(self, done: float, total: float | None, message: str) -> None:
        """Tell the caller how far the call is, now or soon."""
        if self._pack is None:
            return
        now = time.monotonic()
        with self._lock:
            held = self._held
            if not self._began:
                self._began, self._first = now, done
            self._progress = (done, total, message)
            self._tell_if_due(now, held=held)

    def want_output(self) -> None:
        """Tell the caller from now on what the call prints and logs."""
        if self._pack is not None and self._printed is None:
            self._printed = Printed()
            CAPTURE.begin()

    def write(self, text: str, stream: str) -> None:
        """Tell the caller what the call has printed, now or soon, if it wants to know."""
        printed = self._printed
        if printed is None or not text or threading.get_ident() in self._silent:
            return
        now = time.monotonic()
        with self._lock:
            if self._over:
                return
            held = self._held
            printed.add(text, stream, now)
            # Whole lines, if the rest of one does not keep it waiting.
            self._tell_if_due(now if text.endswith("\n") else -1.0, held=held)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Tell nothing of what this thread prints meanwhile."""
        here = threading.get_ident()
        if here in self._silent:
            yield
            return
        self._silent.add(here)
        try:
            yield
        finally:
            self._silent.discard(here)

    @property
    def _held(self) -> bool:
        """Whether there is something to tell."""
        return self._progress is not None or bool(self._printed)

    def _tell_if_due(self, now: float, *, held: bool) -> None:
        """Tell what there is, or see to it that it is told soon; `held` if that is seen to already."""
        if now >= self._next:
            self._tell(now)
        if self._held and not (held or self._over or self._deferred):
            TICKER.remind(self, max(self._next, time.monotonic() + _PAUSE))

    def tick(self) -> float | None:
        """Tell what was held back; give the moment for trying again, or None when nothing is left to tell."""
        now = time.monotonic()
        with self._lock:
            if self._held:
                self._tell(now)
            return now + _PAUSE if self._held and not (self._deferred or self._over) else None

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
            return
        self._next = now + _PAUSE
        try:
            with self.silent():
                sent = self._way.tell(self._news(now), None if self._deferred else self._tell_later)
            self._deferred = self._deferred or sent is None
            if sent:
                self._forget()
        except CommunicationError as error:
            # Whoever sends the answer finds out as well.
            self.cancelled = self.cancelled or isinstance(error, ConnectionClosedError)
            self._forget()

    def _forget(self) -> None:
        self._progress = None
        if self._printed is not None:
            self._printed.clear()

    def _news(self, now: float, *, last: bool = False) -> list[Buffer]:
        assert self._pack is not None
        buffers: list[Buffer] = []
        if self._printed is not None:
            for output in self._printed.pieces(last=last):
                buffers += self._pack(output)
        if self._progress is not None:
            buffers += self._pack(Progress(*self._progress, self._seconds(now)))
        return buffers

    def _seconds(self, now: float) -> float:
        """Tell how long the call takes already.

        Nobody looks at the clock when a call begins. Where something was done already when the call told of itself
        first, that is taken to have gone as quickly as it has gone since.
        """
        assert self._progress is not None
        seconds, since = now - self._began, self._progress[0] - self._first
        return seconds * self._progress[0] / since if since > 0 and self._first > 0 else seconds

    # What the call hears

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
        if self.cancelled:
            return
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

    @property
    def stoppable(self) -> bool:
        """Whether the call can be stopped when the caller cancels it."""
        return self._stop is not None

    def end(self) -> Sequence[Buffer]:
        """Give what is still to be told before the answer; nothing is after that."""
        with self._lock:
            if self._over:
                return ()
            self._over = True
            if self._printed is not None:
                CAPTURE.end()
            if self._pack is None:
                return ()
            with self.silent():
                return self._news(time.monotonic(), last=True)


class _Over(Side):
    """Stands for the side of a call that has been answered, for code that still runs in its context."""

    __slots__ = ()

    def report(self, done: float, total: float | None, message: str) -> None:
        """Tell nobody."""

    def want_output(self) -> None:
        """Nobody gets any."""

    def write(self, text: str, stream: str) -> None:
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
