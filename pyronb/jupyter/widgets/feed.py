"""Feed: has a view drawn when something changed, on one thread, and not more often than a browser can follow.

No widget is known here. Whatever happens, from any thread and however often, is put down by its view and told by
`poke`; the drawing that follows shows the last state. A busy kernel does not hold it up.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable

from pyronb.jupyter.widgets.looper import Looper

__all__ = ["MIN_GAP", "Feed"]

MIN_GAP = 0.05
"""Least seconds between two drawings of one view."""
_log = logging.getLogger(__name__)

Draw = Callable[[], "float | None"]
"""Draws, and gives the seconds after which to draw again though nothing is told; None for never."""


class Feed(Looper):
    """Draws one view, at most 20 times a second; what was told last is always drawn in the end.

    Args:
        draw: a method of the view, which is held weakly; the thread ends when the view is gone.
        gap: least seconds between two drawings, for a view that needs fewer.
    """

    def __init__(self, draw: Draw, gap: float = MIN_GAP) -> None:
        super().__init__("pyronb-view", gap)
        self._draw = weakref.WeakMethod(draw)
        self._dirty = True
        self._beat: float | None = None

    def poke(self) -> None:
        """Tell that something changed; costs next to nothing when that is known already."""
        # A flag that is seen set here is cleared only before the next drawing, which then shows this change as well.
        if not self._dirty:
            with self._changed:
                self._dirty = True
                self._changed.notify_all()

    def _due(self) -> bool:
        return self._dirty

    def _patience(self) -> float | None:
        return self._beat

    def _turn(self) -> None:
        self._dirty = False
        draw = self._draw()
        if draw is None:
            self.stop()
            return
        try:
            self._beat = draw()
        except Exception:
            # Most likely the view was closed at this moment.
            self._beat = None
            _log.debug("a view could not be drawn", exc_info=True)
