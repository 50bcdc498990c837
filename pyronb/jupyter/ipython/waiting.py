"""Waiting: says in the cell what is waited for, once that takes longer than a moment, and how far it is said to be.

What is waited for stays in the main thread, where it can be interrupted, or in the kernel's loop; what is shown comes
from a thread of its own, 20 times a second at most. All that one run of a cell waits for is shown in one place: what
goes on, and the last of what is over.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from dataclasses import replace
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import display

from pyronb.context import ambient
from pyronb.jupyter.ipython.reprs import Wait, waiting_html, waiting_text
from pyronb.jupyter.widgets.cells import where
from pyronb.jupyter.widgets.feed import MIN_GAP
from pyronb.news import News, Progress
from pyronb.rpc.call import Call

__all__ = ["MOMENT", "Place", "Waited", "Waiting", "place_of_cell", "settle_cell"]

MOMENT = 1.0
"""Seconds that are not worth a word, where somebody tells how far it is."""
_BEAT = 0.5
"""Seconds between two looks at the clock that are shown."""
_MOST = 10
"""Most things that are shown at a time."""
_PAST = 3
"""Most of them that are over."""


class Waited:
    """One thing that is waited for.

    Args:
        what: what it is.
        place: where it is shown.
        after: seconds that are not worth a word.
        began: moment on the monotonic clock at which it began; None for now.
    """

    def __init__(self, what: str, place: Place, after: float, began: float | None = None) -> None:
        self.what = what
        self.began = time.monotonic() if began is None else began
        self.ended: float | None = None
        self.end = ""
        self.progress: Progress | None = None
        self.shown = False
        self._after = after
        self._place = place
        place.add(self)

    @property
    def due(self) -> float:
        """The moment from which on it is shown."""
        return self.began + (self._after if self.progress is None else min(self._after, MOMENT))

    def tell(self, progress: Progress) -> None:
        """Say how far it is."""
        self.progress = progress
        self._place.poke()

    def finish(self, end: str) -> None:
        """Say how it ended; only the first time counts."""
        if self.ended is None:
            self.ended, self.end = time.monotonic(), end
            self._place.poke()

    def row(self, now: float) -> Wait:
        """Give it as it is shown."""
        return Wait(self.what, (self.ended or now) - self.began, self.end, self.progress)


class Place:
    """Where one run of a cell shows what it waits for."""

    def __init__(self) -> None:
        self._all: list[Waited] = []
        self._earlier = 0
        # The lock is taken itself: an interrupt may strike in a condition that was just entered, which then stays so.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._dirty = False
        self._thread: threading.Thread | None = None
        self._handle: Any = None
        self._text = ""
        self._line = _terminal_line()

    @property
    def idle(self) -> bool:
        """Whether nothing goes on any more."""
        with self._lock:
            return all(waited.ended is not None for waited in self._all)

    def add(self, waited: Waited) -> None:
        """Show this too, when it is due."""
        with self._lock:
            self._all.append(waited)
            self.poke()
            if self._thread is None:
                # In the context of the cell, so that what is shown comes below it.
                run = contextvars.copy_context().run
                self._thread = threading.Thread(target=run, args=(self._watch,), name="pyronb-waiting", daemon=True)
                self._thread.start()

    def poke(self) -> None:
        """Tell that something changed."""
        with self._lock:
            self._dirty = True
            self._changed.notify_all()

    def settle(self) -> None:
        """Show the last state now, if it is not shown yet; where nothing goes on, the thread ends."""
        with self._lock:
            self._draw()

    def _watch(self) -> None:
        with self._lock:
            while True:
                self._draw()
                if self.idle:
                    self._thread = None
                    return
                drawn = time.monotonic()
                self._changed.wait_for(lambda: self._dirty, self._rest(drawn))
                # Whatever comes in the meantime is drawn after that; what is over need not wait for it.
                self._changed.wait_for(lambda: self.idle, drawn + MIN_GAP - time.monotonic())

    def _rest(self, now: float) -> float | None:
        """Give the seconds after which there is something new to show though nothing is told."""
        going = [waited for waited in self._all if waited.ended is None]
        if any(waited.shown for waited in going):
            return _BEAT
        return max(0.0, min((waited.due for waited in going), default=now) - now)

    def _draw(self) -> None:
        """Bring the cell up to date; the lock is held."""
        now = time.monotonic()
        self._dirty = False
        # What was over before it was worth a word leaves no trace.
        self._all = [waited for waited in self._all if waited.shown or waited.ended is None]
        for waited in self._all:
            waited.shown = waited.shown or now >= waited.due
        shown = [waited for waited in self._all if waited.shown]
        over = [waited for waited in shown if waited.ended is not None]
        for waited in over[: max(0, len(over) - _PAST)]:
            self._all.remove(waited)
            shown.remove(waited)
            self._earlier += 1
        if shown:
            self._show([waited.row(now) for waited in shown[:_MOST]], self._earlier + max(0, len(shown) - _MOST))

    def _show(self, waits: list[Wait], left_out: int) -> None:
        text = waiting_text(waits, left_out)
        if text == self._text:
            return
        self._text = text
        if self._line is not None:
            self._line.show(text, over=all(wait.end for wait in waits))
            return
        data = {"text/plain": text, "text/html": waiting_html(waits, left_out)}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # it has no types
        else:
            self._handle.update(data, raw=True)


class _Line:
    """The last line of a terminal, which is written over as long as something goes on."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def show(self, text: str, *, over: bool) -> None:
        """Show the last line of a text, and all of it when it is over."""
        self._stream.write(f"\r\x1b[K{text}\n" if over else f"\r\x1b[K{text.splitlines()[-1][:_WIDTH]}")
        self._stream.flush()


_WIDTH = 79
_TERMINAL = "TerminalInteractiveShell"


def _terminal_line() -> _Line | None:
    """Give the line of the terminal where the shell runs in one; cells elsewhere have places that can change."""
    names = {kind.__name__ for kind in type(get_ipython()).__mro__}
    return _Line(sys.stdout) if _TERMINAL in names and sys.stdout.isatty() else None


_places: dict[str, Place] = {}
"""By the run of the cell; those of earlier runs as long as something goes on there."""


def place_of_cell() -> Place:
    """Give the place of the run of the cell that runs here."""
    _, run = where()
    place = _places.get(run)
    if place is None:
        for other in [name for name, known in _places.items() if known.idle]:
            del _places[other]
        place = _places[run] = Place()
    return place


def settle_cell() -> None:
    """Have the run of the cell that ends here show the last state of what it waited for."""
    _, run = where()
    place = _places.get(run)
    if place is not None:
        place.settle()
        if place.idle:
            del _places[run]


class Waiting:
    """Shows for how long something is waited for while the block runs, and how far the calls in it say that they are.

    Args:
        what: what is waited for.
        after: seconds that are not worth a word.
    """

    def __init__(self, what: str, after: float) -> None:
        self._what = what
        self._after = after
        self._waited: Waited | None = None
        self._before: Any = None
        self._other: Any = None
        self._last: Progress | None = None
        self._earlier = 0.0

    def __enter__(self) -> Waiting:
        """Begin to wait."""
        self._place = place_of_cell()
        self._waited = Waited(self._what, self._place, self._after)
        context = ambient()
        self._before, context.listener = context.listener, self
        return self

    def __exit__(self, kind: type[BaseException] | None, *more: object) -> None:
        """Say how long it took, if anything was said before."""
        ambient().listener = self._before
        if self._waited is not None:
            self._waited.finish("done" if kind is None else f"ended by {kind.__name__}")
        self._place.settle()

    def attend(self, call: Call) -> Waiting:
        """Hear of a call in the block: how far it is; what it prints is for whoever listened before."""
        attend = getattr(self._before, "attend", None)
        self._other = self._before if attend is None else attend(call)
        return self

    def __call__(self, news: News) -> None:
        """Take what the call tells; all calls in the block are one thing."""
        if isinstance(news, Progress) and self._waited is not None:
            self._waited.tell(self._of_this_call(news))
        elif self._other is not None:
            self._other(news)

    def over(self) -> None:
        """Pass it on that the call is over."""
        over = getattr(self._other, "over", None)
        if over is not None:
            over()

    def _of_this_call(self, news: Progress) -> Progress:
        """Count the time of the calls of a batch for each of them, though they come as one."""
        last = self._last
        if last is not None and (news.done < last.done or news.total != last.total):
            self._earlier = last.seconds
        self._last = news
        return replace(news, seconds=max(0.0, news.seconds - self._earlier))
