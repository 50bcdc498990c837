"""ObjectView: what a remote object offers, with its attributes live and its methods to be called from a form."""

from __future__ import annotations

import inspect
import math
import time
import weakref
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets

from pyronb.client.face import signature_of
from pyronb.jupyter.describing import object_model
from pyronb.jupyter.ipython.reprs import object_html, object_text
from pyronb.jupyter.ipython.style import clean, code, muted, table
from pyronb.jupyter.models import ObjectModel
from pyronb.jupyter.widgets.cells import variable_of
from pyronb.jupyter.widgets.errands import Errands
from pyronb.jupyter.widgets.failures import failure_html
from pyronb.jupyter.widgets.live import LiveView, button, close_all, fragment, row
from pyronb.jupyter.widgets.panels import AttributePanel, MethodPanel, Value
from pyronb.jupyter.widgets.search import fits
from pyronb.sync.proxy import Proxy

__all__ = ["ObjectView"]

READ_TIMEOUT = 5.0
"""Most seconds for reading an attribute."""
MAX_PINS = 50
"""Most attributes that can be pinned."""
MIN_INTERVAL = 0.05
MAX_INTERVAL = 3600.0
"""Fewest and most seconds between two readings."""
_MAX_DELAY = 30.0
"""Most seconds between two attempts to reach an object that could not be reached, unless the interval is longer."""
_NOTHING = "Select a method or an attribute."


class ObjectView(LiveView):
    """Shows what a remote object offers; reads its attributes, once or again and again; sets them; calls its methods.

    Displaying it asks nobody: it shows what the proxy knows. Reading and calling go over connections of their own, so
    the proxy is never kept waiting. Attributes that are pinned are read by one thread, one after the other.

    Args:
        proxy: the object.
        interval: seconds between two readings of the pinned attributes, 0.05 to 3600; longer, up to half a minute,
            while the object cannot be reached.

    Raises:
        TypeError: it is no `pyronb.Proxy`.
        ValueError: `interval` is no such time.
        PyroError: the proxy is on a given socket, and there can be no second connection.
    """

    def __init__(self, proxy: Proxy, *, interval: float = 1.0) -> None:
        if not isinstance(proxy, Proxy):
            raise TypeError(f"ObjectView shows a pyronb.Proxy, not {type(proxy).__name__}")
        if not (math.isfinite(interval) and MIN_INTERVAL <= interval <= MAX_INTERVAL):
            raise ValueError(f"interval should be {MIN_INTERVAL} to {MAX_INTERVAL:.0f} seconds, not {interval!r}")
        self._variable = variable_of(proxy, "proxy")
        self._calls = Errands(proxy)
        self._reads = Errands(proxy, READ_TIMEOUT)
        self._model = _model_of(proxy)
        self._signatures: Callable[[str], inspect.Signature | None] = lambda name: signature_of(proxy._pyro, name)
        self._trouble: BaseException | None = None
        self._values: dict[str, Value] = {}
        self._pins: dict[str, None] = {}
        self._failures = 0
        self._panel: MethodPanel | AttributePanel | None = None
        self._panels: dict[str, MethodPanel | AttributePanel] = {}
        self._make_parts(interval)
        pinned = ipywidgets.VBox([row(self._poll, self._interval, self._poll_note), self._table])
        self._pinned = pinned
        super().__init__(
            "object",
            [
                row(self._head, self._connect, align="flex-start"),
                row(
                    ipywidgets.VBox([self._search, self._list], layout=ipywidgets.Layout(flex="0 0 auto")),
                    self._details,
                    align="stretch",
                ),
                pinned,
            ],
        )
        for errands in (self._calls, self._reads):
            weakref.finalize(self, errands.stop)
        self._list_members()
        self._feed.start()

    def _make_parts(self, interval: float) -> None:
        self._head = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 auto", min_width="0"))
        self._connect = button("Connect", "Ask the object what it offers", icon="plug")
        self._search = ipywidgets.Text(placeholder="Search", layout=ipywidgets.Layout(width="16rem"))
        self._list = ipywidgets.Select(
            rows=10,
            tooltip="Methods and attributes",
            layout=ipywidgets.Layout(width="16rem", height="16rem"),
        )
        self._nothing = ipywidgets.HTML(fragment("note", muted(_NOTHING)))
        self._details = ipywidgets.VBox(
            [self._nothing],
            layout=ipywidgets.Layout(flex="1 1 auto", min_width="0", margin="0 0 0 12px"),
        )
        self._poll = ipywidgets.ToggleButton(
            value=True,
            description="Poll",
            icon="refresh",
            tooltip="Read the pinned attributes again and again",
            layout=ipywidgets.Layout(width="auto"),
        )
        self._interval = ipywidgets.BoundedFloatText(
            value=interval,
            min=MIN_INTERVAL,
            max=MAX_INTERVAL,
            step=0.1,
            description="every (s)",
            style={"description_width": "auto"},
            layout=ipywidgets.Layout(width="9rem"),
        )
        self._poll_note = ipywidgets.HTML()
        self._table = ipywidgets.HTML()
        self._connect.on_click(lambda _: self.connect())
        self._search.observe(lambda _: self._list_members(), "value")
        self._list.observe(lambda change: self._select(change["new"]), "value")
        self._poll.observe(lambda _: self._start_polling(), "value")
        self._interval.observe(lambda _: self._start_polling(), "value")

    # For programs

    def connect(self) -> None:
        """Ask the object what it offers; does not wait for the answer."""
        self._calls.do(self._bind)

    def select(self, name: str) -> None:
        """Show a method or an attribute, as a click on it does.

        Raises:
            ValueError: the object has none of this name.
        """
        if all(name != known for _, known in self._list.options):
            raise ValueError(f"there is no {name!r} in the list")
        self._list.value = name

    def read(self, name: str) -> None:
        """Read an attribute; does not wait for the answer."""
        self._reads.do(lambda proxy: self._read_one(proxy, name))

    def write(self, name: str, value: Any) -> None:
        """Set an attribute, and read it then; does not wait for that."""
        self._reads.do(lambda proxy: self._write_one(proxy, name, value))

    def pin(self, name: str) -> None:
        """Have an attribute read again and again.

        Raises:
            ValueError: too many are pinned.
        """
        with self._guard:
            if name not in self._pins and len(self._pins) >= MAX_PINS:
                raise ValueError(f"no more than {MAX_PINS} attributes can be pinned")
            self._pins[name] = None
        self._start_polling()

    def unpin(self, name: str) -> None:
        """Have an attribute not read any more."""
        with self._guard:
            self._pins.pop(name, None)
        self._feed.poke()

    @property
    def pinned(self) -> tuple[str, ...]:
        """The attributes that are read again and again."""
        with self._guard:
            return tuple(self._pins)

    @property
    def result(self) -> Any:
        """What the last call from the selected method's form gave; None when it failed or there was none."""
        panel = self._panel
        return panel.result if isinstance(panel, MethodPanel) else None

    # On the threads of the errands

    def _bind(self, proxy: Proxy) -> None:
        trouble: BaseException | None = None
        try:
            proxy._pyroBind()
        except Exception as error:
            trouble = error
        model = _model_of(proxy)
        with self._guard:
            self._trouble = trouble
            if trouble is None and not self._over:
                self._model = model
                self._signatures = lambda name: signature_of(proxy._pyro, name)
                self._list_members()
        self._feed.poke()

    def _read_one(self, proxy: Proxy, name: str) -> None:
        value = Value(proxy, name)
        with self._guard:
            self._values[name] = value
        self._feed.poke()

    def _write_one(self, proxy: Proxy, name: str, value: Any) -> None:
        trouble: BaseException | None = None
        try:
            setattr(proxy, name, value)
        except Exception as error:
            trouble = error
        panel = self._panels.get(name)
        if isinstance(panel, AttributePanel):
            panel.was_set(trouble)
        if trouble is None:
            self._read_one(proxy, name)
        self._feed.poke()

    def _read_pins(self, proxy: Proxy) -> float | None:
        with self._guard:
            names = list(self._pins)
            if not names or not self._poll.value or self._over:
                return None
        began = time.monotonic()
        for name in names:
            self._read_one(proxy, name)
            if self._over:
                return None
        with self._guard:
            # One that cannot be reached at all is asked less and less often.
            lost = not proxy._pyro.connected
            self._failures = min(self._failures + 1, 20) if lost else 0
            interval = float(self._interval.value)
            delay = max(interval, min(_MAX_DELAY, interval * 2.0**self._failures)) if lost else interval
        return max(MIN_INTERVAL, delay - (time.monotonic() - began))

    def _start_polling(self) -> None:
        """Have the pinned attributes read now and from then on, by one errand however often this is asked for."""
        with self._guard:
            self._failures = 0
            if self._pins and self._poll.value:
                self._reads.do_now(self._read_pins)
        self._feed.poke()

    # What the user does

    def _list_members(self) -> None:
        with self._guard:
            members = [(f"{clean(m['name'])}()", m["name"]) for m in self._model["methods"]]
            members += [(clean(a["name"]), a["name"]) for a in self._model["attributes"]]
            shown = [member for member in members if fits(self._search.value, member[1])]
            if tuple(shown) != tuple(self._list.options):
                selected = self._list.value
                self._list.options = shown
                self._list.value = selected if any(name == selected for _, name in shown) else None

    def _select(self, name: str | None) -> None:
        with self._guard:
            panel = None if name is None else self._panels.get(name) or self._make_panel(name)
            if panel is not None and panel is not self._panel:
                # The one before is kept: with what was typed there, and perhaps a call on its way.
                self._panels[panel.name] = self._panel = panel
                self._details.children = (panel.all,)
        self._feed.poke()

    def _make_panel(self, name: str) -> MethodPanel | AttributePanel | None:
        for method in self._model["methods"]:
            if method["name"] == name:
                return MethodPanel(self, method, self._signatures(name))
        for attribute in self._model["attributes"]:
            if attribute["name"] == name:
                return AttributePanel(self, attribute)
        return None

    # Drawing

    def _draw(self) -> float | None:
        model = self._model
        known = model["state"] == "ok"
        self._head.value = fragment("head", _head_html(model, self._trouble))
        self._connect.layout.display = "none" if known else None
        beat = self._panel.draw() if self._panel is not None else None
        self._pinned.layout.display = None if self._pins else "none"
        self._table.value = fragment("pins", self._pins_html())
        late = f"not reached, asked again in up to {_MAX_DELAY:.0f} s" if self._failures else ""
        self._poll_note.value = fragment("note", muted(late if self._poll.value else "not read any more"))
        return beat

    def _pins_html(self) -> str:
        rows = []
        for name in self._pins:
            value = self._values.get(name)
            rows.append([code(name), value.html if value else muted("…"), value.clock_html if value else ""])
        return table(["Pinned", "Value", "Read at"], rows) if rows else ""

    def _end(self) -> None:
        self._calls.stop()
        self._reads.stop()
        for panel in self._panels.values():
            close_all(panel.all)
        self._nothing.close()

    def _as_text(self) -> str:
        with self._guard:
            lines = [f"  {name} = {value.text}" for name, value in self._values.items()]
            return "\n".join([object_text(self._model), *(["last read:", *lines] if lines else [])])

    def _as_html(self) -> str:
        with self._guard:
            pins = [[code(name), value.html, value.clock_html] for name, value in self._values.items()]
            read = fragment("pins", table(["Attribute", "Value", "Read at"], pins)) if pins else ""
            return object_html(self._model) + read


def _model_of(proxy: Proxy) -> ObjectModel:
    link = proxy._pyro
    return object_model(proxy, str(link.uri.object) if link.uri.protocol == "PYRONAME" else "")


def _head_html(model: ObjectModel, trouble: BaseException | None) -> str:
    title = (
        f'<span class="pyronb-title">{escape(clean(model["class_name"] or model["name"] or "Remote object"))}</span>'
    )
    facts = " · ".join(filter(None, [model["uri"], model["server"]]))
    parts = [f'<div class="pyronb-head">{title}{muted(facts)}</div>']
    if trouble is not None:
        parts.append(failure_html(trouble))
    elif model["state"] != "ok":
        parts.append(muted("Not connected: what it offers is not known yet."))
    elif model["doc"]:
        first, _, rest = model["doc"].strip().partition("\n")
        parts.append(f"<div>{escape(clean(first))}{' …' if rest.strip() else ''}</div>")
    return "".join(parts)
