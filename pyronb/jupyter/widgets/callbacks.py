"""CallbackFeed: what a remote object calls back, row after row, as a live view in a cell."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, NamedTuple

import ipywidgets

from pyronb.calls import brief
from pyronb.jupyter.ipython.style import block, code, muted, shorten, table, text_table
from pyronb.jupyter.widgets.live import CallableView, button, fragment, row
from pyronb.jupyter.widgets.search import fits

__all__ = ["CallbackFeed", "Event"]

SHOWN = 100
"""Most rows that are in the browser."""
SAVED = 20
"""Most rows in a saved notebook."""
_LONGEST = 500
_WINDOW = 1.0
"""Seconds over which the rate is measured."""


class Event(NamedTuple):
    """One call that came in."""

    time: float
    """When it came, in seconds since the epoch."""
    text: str
    """Its arguments, shortened."""


class CallbackFeed(CallableView):
    """A callable for remote methods that want a function to call back; each call becomes a row of the view.

    Give the feed itself as the argument: ``host.subscribe(feed)``. It is called by the far side until it is closed;
    then the far side is told that it is gone. Calls are only noted, so the caller never waits for the browser.

    Args:
        limit: most rows that are kept; the oldest go first, and are counted.

    Raises:
        ValueError: `limit` is below 1.
    """

    def __init__(self, *, limit: int = 1000) -> None:
        if limit < 1:
            raise ValueError(f"a feed needs room for one row at least, not {limit}")
        self._ring: deque[Event] = deque(maxlen=limit)
        self._total = 0
        self._dropped = 0
        self._frozen: list[Event] | None = None
        self._missed = 0
        self._since: deque[tuple[float, int]] = deque()
        self._make_parts()
        super().__init__("callbacks", [row(self._status, self._pause, self._clear), self._search, self._rows])
        self._feed.start()

    def _make_parts(self) -> None:
        self._status = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 auto"))
        self._pause = ipywidgets.ToggleButton(
            description="Pause",
            icon="pause",
            tooltip="Have the rows stand still; what comes in meanwhile is kept",
            layout=ipywidgets.Layout(width="auto"),
        )
        self._clear = button("Clear", "Forget all rows", icon="eraser")
        self._search = ipywidgets.Text(
            placeholder="Filter (* and ? work)",
            continuous_update=True,
            layout=ipywidgets.Layout(width="18rem"),
        )
        self._rows = ipywidgets.HTML(layout=ipywidgets.Layout(max_height="20rem", overflow="auto", min_height="4rem"))
        self._pause.observe(self._pause_clicked, "value")
        self._search.observe(lambda _: self._feed.poke(), "value")
        self._clear.on_click(lambda _: self.clear())

    # For the far side, and for programs

    def _take(self, *args: Any, **kwargs: Any) -> None:
        given = [*map(brief, args), *(f"{name}={brief(value)}" for name, value in kwargs.items())]
        event = Event(time.time(), shorten(", ".join(given), _LONGEST))
        with self._guard:
            if self._over:
                return
            self._dropped += len(self._ring) == self._ring.maxlen
            self._ring.append(event)
            self._total += 1
        self._feed.poke()

    @property
    def rows(self) -> tuple[Event, ...]:
        """The calls that are kept, the oldest first."""
        with self._guard:
            return tuple(self._ring)

    @property
    def total(self) -> int:
        """How many calls came in since it was made or cleared."""
        return self._total

    @property
    def dropped(self) -> int:
        """How many of them are not kept any more."""
        return self._dropped

    @property
    def paused(self) -> bool:
        """Whether the rows stand still; what comes in is kept all the same."""
        return bool(self._pause.value)

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._pause.value = paused

    def clear(self) -> None:
        """Forget all rows and counts."""
        with self._guard:
            self._ring.clear()
            self._since.clear()
            self._total = self._dropped = self._missed = 0
            if self._frozen is not None:
                self._frozen = []
        self._feed.poke()

    # Inside

    def _pause_clicked(self, change: Any) -> None:
        with self._guard:
            self._frozen = list(self._ring) if change["new"] else None
            self._missed = self._total
        self._pause.description = "Go on" if change["new"] else "Pause"
        self._pause.icon = "play" if change["new"] else "pause"
        self._feed.poke()

    def _rate(self) -> float:
        """Give the calls a second, over the last second."""
        now = time.monotonic()
        self._since.append((now, self._total))
        while len(self._since) > 2 and now - self._since[1][0] >= _WINDOW:
            self._since.popleft()
        before, count = self._since[0]
        return (self._total - count) / max(now - before, _WINDOW)

    def _draw(self) -> float | None:
        rate = self._rate()
        kept = list(self._ring) if self._frozen is None else self._frozen
        query = self._search.value
        shown = [event for event in kept if fits(query, event.text)] if query.strip() else kept
        self._status.value = fragment("summary", self._summary_html(rate, len(shown), len(kept)))
        self._rows.value = fragment("events", _rows_html(shown[: -SHOWN - 1 : -1], query, self._total))
        # When nothing comes any more, the rate has still to fall.
        return _WINDOW / 4 if rate else None

    def _facts(self) -> list[str]:
        facts = [f"{self._total} call{'' if self._total == 1 else 's'}"]
        if self._dropped:
            facts.append(f"{self._dropped} dropped")
        return facts

    def _summary_html(self, rate: float, shown: int, kept: int) -> str:
        facts = [*self._facts(), f"{rate:.0f}/s" if rate >= 10 or not rate else f"{rate:.1f}/s"]
        if shown != kept:
            facts.append(f"{shown} of {kept} match")
        if shown > SHOWN:
            facts.append(f"the newest {SHOWN} shown")
        if self._frozen is not None:
            facts.append(f"paused, {self._total - self._missed} new")
        head = f'<span class="pyronb-title">Callbacks</span>{muted(" · ".join(facts))}'
        return f'<div class="pyronb-head">{head}</div>'

    def _as_text(self) -> str:
        rows = [[_clock(event), shorten(event.text)] for event in self.rows[-SAVED:]]
        return "\n".join([f"callbacks: {', '.join(self._facts())}", *text_table(rows)])

    def _as_html(self) -> str:
        facts = muted(" · ".join(self._facts()))
        head = f'<div class="pyronb-head"><span class="pyronb-title">Callbacks</span>{facts}</div>'
        return block("callbacks", head, _rows_html(list(self.rows[: -SAVED - 1 : -1]), "", self._total))


def _clock(event: Event) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(event.time))}.{int(event.time * 1000) % 1000:03}"


def _rows_html(events: list[Event], query: str, total: int) -> str:
    if not events:
        return muted("Nothing matches the filter." if query.strip() and total else "Nothing came in yet.")
    return table(["Time", "Arguments"], [[_time_html(event), code(event.text)] for event in events])


def _time_html(event: Event) -> str:
    return f'<span class="pyronb-time">{_clock(event)}</span>'
