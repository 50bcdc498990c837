"""AttributePlot: numbers of a remote object, drawn as they come."""

from __future__ import annotations

import math
import time
import weakref
from collections import deque
from html import escape
from typing import Any

import ipywidgets

from pyronb.jupyter.ipython.style import block, clean, muted, shorten
from pyronb.jupyter.widgets.charts import chart_svg
from pyronb.jupyter.widgets.errands import Errands
from pyronb.jupyter.widgets.failures import error_line
from pyronb.jupyter.widgets.live import CallableView, button, fragment, row
from pyronb.jupyter.widgets.objects import MAX_INTERVAL, MIN_INTERVAL, READ_TIMEOUT
from pyronb.sync.proxy import Proxy

__all__ = ["AttributePlot"]

_MAX_DELAY = 30.0
"""Most seconds between two attempts to reach an object that could not be reached, unless the interval is longer."""


class AttributePlot(CallableView):
    """Draws an attribute of a remote object as it changes, or the numbers that a remote object calls back.

    With a proxy and the name of an attribute it reads that again and again, over a connection of its own. Without, it
    is a callable for remote methods that want a function to call back: ``scope.subscribe(plot)``. The first argument of
    each call is drawn.

    Args:
        proxy: the object; None to be called back.
        attribute: the name of the attribute.
        interval: seconds between two readings, 0.05 to 3600; longer, up to half a minute, while reading fails.
        limit: most numbers that are kept; the oldest go first.

    Raises:
        TypeError: `proxy` is no `pyronb.Proxy`, or there is no name of an attribute for it.
        ValueError: `interval` is no such time, or `limit` is below 2.
        PyroError: the proxy is on a given socket, and there can be no second connection.
    """

    def __init__(
        self, proxy: Proxy | None = None, attribute: str = "", *, interval: float = 0.2, limit: int = 600
    ) -> None:
        if proxy is not None and not isinstance(proxy, Proxy):
            raise TypeError(f"AttributePlot draws an attribute of a pyronb.Proxy, not of a {type(proxy).__name__}")
        if (proxy is None) != (not attribute):
            raise TypeError("AttributePlot needs a proxy and the name of an attribute, or neither to be called back")
        if not (math.isfinite(interval) and MIN_INTERVAL <= interval <= MAX_INTERVAL):
            raise ValueError(f"interval should be {MIN_INTERVAL} to {MAX_INTERVAL:.0f} seconds, not {interval!r}")
        if limit < 2:
            raise ValueError(f"a plot needs room for two numbers at least, not {limit}")
        self._name = attribute or "callbacks"
        self._interval = interval
        self._points: deque[tuple[float, float]] = deque(maxlen=limit)
        self._trouble = ""
        self._failures = 0
        self._errands = None if proxy is None else Errands(proxy, READ_TIMEOUT)
        self._status = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 auto"))
        self._pause = ipywidgets.ToggleButton(
            description="Pause",
            icon="pause",
            tooltip="Take no more numbers",
            layout=ipywidgets.Layout(width="auto"),
        )
        self._clear = button("Clear", "Forget all numbers", icon="eraser")
        self._picture = ipywidgets.HTML()
        self._pause.observe(self._pause_clicked, "value")
        self._clear.on_click(lambda _: self.clear())
        super().__init__("plot", [row(self._status, self._pause, self._clear), self._picture])
        if self._errands is not None:
            weakref.finalize(self, self._errands.stop)
            self._errands.do(self._read)
        self._feed.start()

    # For the far side, and for programs

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """The numbers that are kept, the oldest first: when they came (in seconds since the epoch), and what."""
        with self._guard:
            return tuple(self._points)

    def clear(self) -> None:
        """Forget all numbers."""
        with self._guard:
            self._points.clear()
        self._feed.poke()

    # Inside

    def _take(self, value: Any = None, *args: Any, **kwargs: Any) -> None:
        number, wrong = _number(value)
        with self._guard:
            if self._over or self._pause.value:
                return
            self._trouble = wrong
            self._points.append((time.time(), number))
        self._feed.poke()

    def _read(self, proxy: Proxy) -> float | None:
        if self._over or self._pause.value:
            return None
        began = time.monotonic()
        try:
            value = getattr(proxy, self._name)
        except Exception as error:
            self._take(math.nan)
            self._failures = min(self._failures + 1, 20)
            with self._guard:
                self._trouble = error_line(error)
            self._feed.poke()
            return max(self._interval, min(_MAX_DELAY, self._interval * 2.0**self._failures))
        self._failures = 0
        self._take(value)
        return max(MIN_INTERVAL, self._interval - (time.monotonic() - began))

    def _pause_clicked(self, change: Any) -> None:
        self._pause.description = "Go on" if change["new"] else "Pause"
        self._pause.icon = "play" if change["new"] else "pause"
        if not change["new"] and self._errands is not None:
            self._errands.do_now(self._read)
        self._feed.poke()

    def _draw(self) -> float | None:
        self._status.value = fragment("summary", self._summary_html())
        self._picture.value = self._chart() or fragment("note", muted("No numbers yet."))
        return None

    def _chart(self) -> str:
        chart = chart_svg(self._points, escape(clean(self._name), quote=True)) if self._points else ""
        return fragment("plot", chart) if chart else ""

    def _summary_html(self) -> str:
        last = next((value for _, value in reversed(self._points) if math.isfinite(value)), None)
        facts = [] if last is None else [f"{last:.6g}"]
        facts.append(f"{len(self._points)} number{'' if len(self._points) == 1 else 's'}")
        if self._pause.value:
            facts.append("paused")
        bad = f'<span class="pyronb-bad">{escape(shorten(self._trouble))}</span>' if self._trouble else ""
        title = f'<span class="pyronb-title">{escape(shorten(clean(self._name), 60))}</span>'
        return f'<div class="pyronb-head">{title}{muted(" · ".join(facts))}{bad}</div>'

    def _end(self) -> None:
        if self._errands is not None:
            self._errands.stop()
        super()._end()

    def _as_text(self) -> str:
        points = self.points
        values = [value for _, value in points if math.isfinite(value)]
        if not values:
            return f"plot of {clean(self._name)}: no numbers yet"
        span = f"{min(values):.6g} to {max(values):.6g}, last {values[-1]:.6g}"
        return f"plot of {clean(self._name)}: {len(points)} numbers, {span}"

    def _as_html(self) -> str:
        with self._guard:
            return block("plot", self._summary_html(), self._chart())


def _number(value: Any) -> tuple[float, str]:
    """Read a number, and say what is wrong if it is none."""
    try:
        return float(value), ""
    except Exception:
        return math.nan, f"a {type(value).__name__} is no number"
