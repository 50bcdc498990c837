"""Feed: has a view drawn when something changed, on one thread, and not more often than a browser can follow.

No widget is known here. Whatever happens, from any thread and however often, is put down by its view and told by
`poke`; the drawing that follows shows the last state. A busy kernel does not hold it up.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable

__all__ = ["MIN_GAP", "Feed"]

MIN_GAP = 0.05
"""Least seconds between two drawings of one view."""
_log = logging.getLogger(__name__)

Draw = Callable[[], "float | None"]
"""Draws, and gives the seconds after which to draw again though nothing is told; None for never."""


class Feed:
    """Draws one view, at most 20 times a second; what was told last is always drawn in the end.

    Args:
        draw: a method of the view, which is held weakly; the thread ends when the view is gone.
        gap: least seconds between two drawings, for a view that needs fewer.
    """

    def __init__(self, draw: Draw, gap: float = MIN_GAP) -> None:
        self._gap = gap
        self._draw = weakref.WeakMethod(draw)
        self._changed = threading.Condition()
        self._dirty = True
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="pyronb-view", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def poke(self) -> None:
        """Tell that something changed; costs next to nothing when that is known already."""
        # A flag that is seen set here is cleared only before the next drawing, which then shows this change as well.
        if not self._dirty:
            with self._changed:
                self._dirty = True
                self._changed.notify_all()

    def stop(self) -> None:
        """End the thread; this never waits."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        beat: float | None = None
        while self._wait(beat):
            draw = self._draw()
            if draw is None:
                return
            try:
                beat = draw()
            except Exception:
                # Most likely the view was closed at this moment.
                beat = None
                _log.debug("a view could not be drawn", exc_info=True)
            # Not to be kept alive while waiting.
            del draw
            with self._changed:
                self._changed.wait_for(lambda: self._stopped, self._gap)

    def _wait(self, beat: float | None) -> bool:
        """Wait until there is something to draw; False when that is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._dirty, beat)
            self._dirty = False
            return not self._stopped
