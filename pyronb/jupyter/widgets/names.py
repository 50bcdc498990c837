"""NameServerBrowser: what a name server knows, as a live view in a cell.

The network is asked on the thread of a `Watch`. That thread and the kernel's main thread both change the view, under
one lock, and a change reaches the browser as one message for each part of the view.
"""

from __future__ import annotations

import math
import threading
import weakref
from contextlib import ExitStack
from typing import Any

import ipywidgets

from pyronb.jupyter.addresses import default_address, parse_address
from pyronb.jupyter.ipython.reprs import (
    names_html,
    names_text,
    note_html,
    object_html,
    status_html,
)
from pyronb.jupyter.models import NameModel, NamesModel, ObjectModel
from pyronb.jupyter.widgets.cells import replace_in_cell
from pyronb.jupyter.widgets.live import with_picture
from pyronb.jupyter.widgets.search import fits
from pyronb.jupyter.widgets.watch import Watch

__all__ = ["NameServerBrowser", "matches"]

PATIENCE = 0.7
"""Seconds that displaying waits for the first answer, so that a saved notebook shows names."""

_NOTHING = "Select a name to see what its object offers."


def matches(entry: NameModel, query: str) -> bool:
    """Tell whether a registration is what was searched for: by its name, or by one of its tags."""
    return fits(query, entry["name"], *entry["tags"])


class NameServerBrowser(ipywidgets.VBox):
    """Shows the names of a name server, live, with what the selected object offers.

    It never blocks the notebook, and it shows a name server that is down as such until it is there again. Running its
    cell again closes the view that the cell made before; `close` ends it as well.

    Args:
        ns: ``host:port`` of the name server; the configured one by default.
        interval: seconds between two looks; longer, up to a minute, while the name server does not answer.

    Raises:
        ValueError: `ns` is no address, or `interval` no time.
    """

    def __init__(self, ns: str | None = None, *, interval: float = 2.0) -> None:
        if not (math.isfinite(interval) and interval > 0):
            raise ValueError(f"interval should be a number of seconds above 0, not {interval!r}")
        address = str(default_address() if ns is None else parse_address(ns))
        self._guard = threading.RLock()
        self._drawing = False
        self._model: NamesModel = _not_asked(address)
        self._retry: float | None = None
        self._wanted = ""
        self._make_parts()
        super().__init__(
            [
                ipywidgets.HBox([self._search, self._count, self._again], layout=_row()),
                ipywidgets.HBox([self._list, self._details], layout=_row("stretch")),
                self._status,
            ]
        )
        self.add_class("pyronb-browser")
        self._watch = Watch(None if ns is None else address, interval, self._take_names, self._take_object)
        # Whoever forgets the view forgets the thread.
        weakref.finalize(self, self._watch.stop)
        self._draw()
        replace_in_cell(self)
        self._watch.start()

    def _make_parts(self) -> None:
        self._search = ipywidgets.Text(
            placeholder="Search name or tag (* and ? work)",
            continuous_update=True,
            layout=ipywidgets.Layout(width="18rem"),
        )
        self._count = ipywidgets.Label()
        self._again = ipywidgets.Button(
            description="Refresh",
            icon="refresh",
            tooltip="Ask the name server now",
            layout=ipywidgets.Layout(width="auto"),
        )
        self._list = ipywidgets.Select(
            rows=10,
            tooltip="Registered names",
            layout=ipywidgets.Layout(width="18rem", flex="0 0 auto", height="18rem"),
        )
        self._details = ipywidgets.HTML(
            note_html(_NOTHING),
            layout=ipywidgets.Layout(flex="1 1 auto", overflow="auto", max_height="18rem", margin="0 0 0 12px"),
        )
        self._status = ipywidgets.HTML()
        self._parts = (self._search, self._count, self._again, self._list, self._details, self._status)
        for part, name in zip(self._parts, ("search", "count", "refresh", "list", "details", "status"), strict=True):
            part.add_class(f"pyronb-browser-{name}")
        self._search.observe(self._searched, "value")
        self._list.observe(self._selected, "value")
        self._again.on_click(lambda _: self.refresh())

    # For programs

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are listed now: those that fit the search."""
        return tuple(self._list.options)

    @property
    def selected(self) -> str | None:
        """The selected name; None when there is none."""
        return self._wanted or None

    @property
    def state(self) -> str:
        """What became of the last look at the name server; see `pyronb.jupyter.models.State`."""
        return self._model["state"]

    def refresh(self) -> None:
        """Ask the name server now; does not wait for the answer."""
        self._watch.refresh()

    def close(self) -> None:
        """End the view, its thread and its connections."""
        # ipywidgets also closes, when they are collected, views that could not be made.
        if "_watch" in vars(self):
            self._watch.stop()
            for part in (*self._parts, *self.children):
                part.close()
        super().close()

    # What the user does; on the kernel's main thread

    def _searched(self, _: Any) -> None:
        self._draw()

    def _selected(self, change: Any) -> None:
        with self._guard:
            if not self._drawing:
                self._wanted = change["new"] or ""
                self._details.value = note_html(f"Asking {self._wanted} …" if self._wanted else _NOTHING)
                self._watch.want(self._wanted)

    # What the watch sees; on its thread

    def _take_names(self, model: NamesModel, retry: float | None) -> None:
        with self._guard:
            if model["state"] != "ok" and model["nameserver"]["address"] == self._model["nameserver"]["address"]:
                # The names that were there stay in sight; the status says that they are old.
                model = {**model, "names": self._model["names"], "total": self._model["total"]}
            self._model, self._retry = model, retry
            self._draw()

    def _take_object(self, model: ObjectModel) -> None:
        with self._guard:
            if model["name"] == self._wanted:
                self._details.value = object_html(model, limit=None)

    def _draw(self) -> None:
        """Bring the view up to date; an unchanged part causes no message."""
        with self._guard:
            entries = self._model["names"]
            shown = [entry["name"] for entry in entries if matches(entry, self._search.value)]
            gone = self._wanted and self._model["state"] == "ok" and all(e["name"] != self._wanted for e in entries)
            self._drawing = True
            try:
                with ExitStack() as stack:
                    # The stack is left from its end: the list goes out first, so that the count never runs ahead of it.
                    for part in (self._details, self._status, self._count, self._list):
                        stack.enter_context(part.hold_sync())
                    if tuple(shown) != tuple(self._list.options):
                        self._list.options = shown
                    self._list.value = self._wanted if self._wanted in shown else None
                    self._count.value = f"{len(shown)} of {self._model['total']}"
                    self._status.value = status_html(self._model, self._retry)
                    if gone:
                        self._details.value = note_html(f"{self._wanted} is no longer registered.")
                        self._wanted = ""
                        self._watch.want("")
            finally:
                self._drawing = False

    # Without a live kernel

    def __repr__(self) -> str:
        return names_text(self._model) if "_model" in vars(self) else "<NameServerBrowser, not made>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Give the live view, and for a saved notebook the names as they are now."""
        self._watch.looked.wait(PATIENCE)
        live = super()._repr_mimebundle_(**kwargs)
        with self._guard:
            return with_picture(live, names_text(self._model), names_html(self._model))


def _row(align: str = "center") -> Any:
    return ipywidgets.Layout(align_items=align, width="100%")


def _not_asked(address: str) -> NamesModel:
    return {
        "version": "",
        "viewpoint": "",
        "nameserver": {"address": address, "default": False, "server": ""},
        "state": "unknown",
        "reason": "It has not answered yet.",
        "hint": "",
        "names": [],
        "total": 0,
        "age": 0.0,
    }
