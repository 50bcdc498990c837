"""ObjectView: what a remote object offers, with its attributes live and its methods to be called from a form."""

from __future__ import annotations

import inspect
import math
import reprlib
import time
import weakref
from collections.abc import Callable
from html import escape
from itertools import islice
from typing import Any

import ipywidgets

from pyronb.calls import brief
from pyronb.client.face import signature_of
from pyronb.jupyter.describing import object_model
from pyronb.jupyter.ipython.reprs import object_html, object_text
from pyronb.jupyter.ipython.style import chip, clean, clock, code, muted, shorten, table
from pyronb.jupyter.models import AttributeModel, MethodModel, ObjectModel
from pyronb.jupyter.widgets.cells import variable_of
from pyronb.jupyter.widgets.errands import Errands
from pyronb.jupyter.widgets.failures import error_line, failure_html
from pyronb.jupyter.widgets.forms import (
    Arguments,
    Field,
    call_code,
    field_of_value,
    fields_of,
    read_fields,
    set_code,
    shown_in,
)
from pyronb.jupyter.widgets.live import LiveView, button, close_all, fragment, row
from pyronb.jupyter.widgets.search import fits
from pyronb.sync.proxy import Proxy

__all__ = ["ObjectView"]

READ_TIMEOUT = 5.0
"""Most seconds for reading an attribute."""
MAX_PINS = 50
MIN_INTERVAL = 0.05
MAX_INTERVAL = 3600.0
_MAX_DELAY = 30.0
_BEAT = 0.2
_NOTHING = "Select a method or an attribute."
_LONGEST = 10_000


class _InOrder(reprlib.Repr):
    """Shows the items of a dict in their order, for that may say something."""

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if level <= 0 and x:
            return "{...}"
        shown = [f"{self.repr1(key, level - 1)}: {self.repr1(x[key], level - 1)}" for key in islice(x, self.maxdict)]
        return f"{{{', '.join([*shown, *(['...'] if len(x) > self.maxdict else [])])}}}"


_full = _InOrder()
_full.maxstring = _full.maxother = _full.maxlong = 2000
_full.maxlist = _full.maxtuple = _full.maxset = _full.maxfrozenset = _full.maxdict = 100


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
        self._values: dict[str, _Value] = {}
        self._pins: dict[str, None] = {}
        self._failures = 0
        self._panel: _MethodPanel | _AttributePanel | None = None
        self._panels: dict[str, _MethodPanel | _AttributePanel] = {}
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
        return panel.result if isinstance(panel, _MethodPanel) else None

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
        value = _Value(proxy, name)
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
        if isinstance(panel, _AttributePanel):
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

    def _make_panel(self, name: str) -> _MethodPanel | _AttributePanel | None:
        for method in self._model["methods"]:
            if method["name"] == name:
                return _MethodPanel(self, method, self._signatures(name))
        for attribute in self._model["attributes"]:
            if attribute["name"] == name:
                return _AttributePanel(self, attribute)
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


class _Value:
    """What reading an attribute gave."""

    def __init__(self, proxy: Proxy, name: str) -> None:
        self.value: object = None
        self.error: BaseException | None = None
        try:
            self.value = getattr(proxy, name)
        except Exception as error:
            self.error = error
        self.time = time.time()
        self.text = error_line(self.error) if self.error is not None else shorten(brief(self.value))
        self.html = f'<span class="pyronb-bad">{escape(self.text)}</span>' if self.error else code(self.text)

    @property
    def clock_html(self) -> str:
        return f'<span class="pyronb-time">{time.strftime("%H:%M:%S", time.localtime(self.time))}</span>'


class _AttributePanel:
    """An attribute, with its value."""

    def __init__(self, view: ObjectView, model: AttributeModel) -> None:
        self.name = model["name"]
        self._view = view
        notes = "".join(map(chip, [] if model["writable"] is not False else ["read-only"]))
        title = self.name + (f": {model['type']}" if model["type"] else "")
        about = ipywidgets.HTML(fragment("about", f"<div>{code(title)} {notes}</div>", _doc_html(model["doc"])))
        read = button("Read", "Read it now", icon="eye")
        self._pin = ipywidgets.ToggleButton(
            value=self.name in view.pinned,
            description="Pin",
            icon="thumb-tack",
            tooltip="Read it again and again, below",
            layout=ipywidgets.Layout(width="auto"),
        )
        self._value = ipywidgets.HTML()
        read.on_click(lambda _: view.read(self.name))
        self._pin.observe(self._pin_clicked, "value")
        self.read = read
        parts = [about, row(read, self._pin), self._value]
        self.form = None if model["writable"] is False else _SetForm(self, view, model["type"])
        self.all = ipywidgets.VBox([*parts, *(self.form.all if self.form else [])])

    def _pin_clicked(self, change: Any) -> None:
        (self._view.pin if change["new"] else self._view.unpin)(self.name)

    def was_set(self, trouble: BaseException | None) -> None:
        """Take note of how setting it went."""
        if self.form is not None:
            self.form.was_set(trouble)

    def draw(self) -> float | None:
        value = self._view._values.get(self.name)
        if self.form is not None:
            self.form.draw(value)
        if value is None:
            self._value.value = fragment("value", muted("Not read yet."))
        elif value.error is not None:
            self._value.value = fragment("value", failure_html(value.error))
        else:
            self._value.value = fragment(
                "value", f"<pre>{escape(_whole(value.value))}</pre>", muted("read at "), value.clock_html
            )
        return None


class _SetForm:
    """Sets an attribute: a field, the code that it makes, and how that went."""

    def __init__(self, panel: _AttributePanel, view: ObjectView, kind: str) -> None:
        self._view = view
        self._name = panel.name
        self._field = field_of_value(kind)
        self.input = _input(self._field)
        self.input.observe(self._typed, "value")
        self.set = button("Set", "Run this code", icon="pencil")
        self.set.on_click(lambda _: self.start())
        self._code = ipywidgets.HTML()
        self._shown = ipywidgets.HTML()
        self._outcome = ""
        self._running = False
        self._touched = False
        self._filling = False
        self._followed: _Value | None = None
        self.all = [row(_label(self._field), self.input), self._code, row(self.set), self._shown]

    def _typed(self, _: object) -> None:
        self._touched = self._touched or not self._filling
        self._view._feed.poke()

    def _given(self) -> Any:
        (value,), _ = read_fields([self._field], {self._field.name: self.input.value})
        return value

    def start(self) -> None:
        """Set it to what the field holds."""
        with self._view._guard:
            if self._running:
                return
            try:
                value = self._given()
            except ValueError:
                return
            self._running, self._outcome = True, ""
        self._view.write(self._name, value)
        self._view._feed.poke()

    def was_set(self, trouble: BaseException | None) -> None:
        """Show how it went; the value that was read last stays where it failed."""
        with self._view._guard:
            self._running = False
            if trouble is None:
                self._touched = False
                self._outcome = fragment("outcome", muted(time.strftime("set at %H:%M:%S")))
            else:
                self._outcome = fragment("outcome", "<div>It could not be set.</div>", failure_html(trouble))

    def draw(self, value: _Value | None) -> None:
        """Bring it up to date; as long as nothing was typed, the field follows what was read."""
        if value is not None and value is not self._followed and value.error is None and not self._touched:
            self._followed = value
            shown = shown_in(self._field, value.value)
            if shown is not None and shown != self.input.value:
                self._filling = True
                self.input.value = shown
                self._filling = False
        try:
            text, wrong = set_code(self._view._variable, self._name, self._given()), ""
        except ValueError as error:
            text, wrong = "", str(error)
        bad = f'<span class="pyronb-bad">{escape(clean(wrong))}</span>'
        self._code.value = fragment("code", bad if wrong else code(text))
        self.set.disabled = self._running or bool(wrong)
        self._shown.value = self._outcome


class _MethodPanel:
    """A method: its form, the code that the form makes, and what came of calling it."""

    def __init__(self, view: ObjectView, model: MethodModel, signature: inspect.Signature | None) -> None:
        self.name = model["name"]
        self.result: Any = None
        self._view = view
        self._fields = fields_of(signature)
        self._inputs = {field.name: _input(field) for field in self._fields}
        self._began = 0.0
        self._running = False
        self._outcome = ""
        notes = "".join(map(chip, ["oneway"] if model["oneway"] else []))
        title = self.name + model["signature"]
        about = ipywidgets.HTML(fragment("about", f"<div>{code(title)} {notes}</div>", _doc_html(model["doc"])))
        self._code = ipywidgets.HTML()
        self.call = button("Call", "Run this code", icon="play")
        self._leave = button("Stop waiting", "Wait no longer; over there it may go on", icon="times")
        self._state = ipywidgets.HTML()
        self._shown = ipywidgets.HTML()
        self.call.on_click(lambda _: self.start())
        self._leave.on_click(lambda _: view._calls.give_up())
        for field_input in self._inputs.values():
            field_input.observe(lambda _: view._feed.poke(), "value")
        lines = [row(_label(field), self._inputs[field.name]) for field in self._fields]
        self.all = ipywidgets.VBox([about, *lines, self._code, row(self.call, self._leave, self._state), self._shown])

    def arguments(self) -> Arguments:
        return read_fields(self._fields, {name: part.value for name, part in self._inputs.items()})

    def start(self) -> None:
        """Call it with what the form holds."""
        with self._view._guard:
            if self._running:
                return
            try:
                args, kwargs = self.arguments()
            except ValueError:
                return
            self._running, self._began, self._outcome = True, time.monotonic(), ""
        self._view._calls.do(lambda proxy: self._call(proxy, args, kwargs))
        self._view._feed.poke()

    def _call(self, proxy: Proxy, args: list[Any], kwargs: dict[str, Any]) -> None:
        result: Any = None
        try:
            result = getattr(proxy, self.name)(*args, **kwargs)
            outcome = f"<pre>{escape(_whole(result))}</pre>"
        except Exception as error:
            outcome = failure_html(error)
        took = clock(time.monotonic() - self._began)
        with self._view._guard:
            self.result = result
            self._running = False
            self._outcome = fragment("outcome", outcome, muted(f"took {took}"))
        self._view._feed.poke()

    def draw(self) -> float | None:
        try:
            text, wrong = call_code(self._view._variable, self.name, self.arguments()), ""
        except ValueError as error:
            text, wrong = "", str(error)
        bad = f'<span class="pyronb-bad">{escape(clean(wrong))}</span>'
        self._code.value = fragment("code", bad if wrong else code(text))
        self.call.disabled = self._running or bool(wrong)
        self._leave.layout.display = None if self._running else "none"
        elapsed = f"running, {clock(time.monotonic() - self._began)}" if self._running else ""
        self._state.value = fragment("state", muted(elapsed)) if elapsed else ""
        self._shown.value = self._outcome
        return _BEAT if self._running else None


def _label(field: Field) -> Any:
    # HTML rather than a Label, which would typeset what it takes for formulas.
    layout = ipywidgets.Layout(flex="0 0 14rem", min_width="0")
    return ipywidgets.HTML(fragment("label", code(shorten(field.label, 60))), layout=layout)


def _input(field: Field) -> Any:
    """Make the widget for a field."""
    layout = ipywidgets.Layout(width="16rem")
    if field.kind == "truth":
        return ipywidgets.Checkbox(value=bool(field.default), indent=False, layout=layout)
    if field.kind == "whole":
        return ipywidgets.IntText(value=field.default or 0, layout=layout)
    if field.kind == "number":
        return ipywidgets.FloatText(value=field.default or 0.0, layout=layout)
    if field.kind == "choice":
        options = [(clean(repr(choice)), choice) for choice in field.choices]
        return ipywidgets.Dropdown(
            options=options, value=field.choices[0] if field.required else field.default, layout=layout
        )
    if field.kind == "text":
        return ipywidgets.Text(value=field.default or "", layout=layout)
    if field.kind == "more":
        return ipywidgets.Text(placeholder="1, 'two', three=3", layout=layout)
    hint = "a value, such as 1, 'text', [1, 2]" if field.required else f"empty for {field.default!r}"
    return ipywidgets.Text(placeholder=shorten(clean(hint), 60), layout=layout)


def _model_of(proxy: Proxy) -> ObjectModel:
    link = proxy._pyro
    return object_model(proxy, str(link.uri.object) if link.uri.protocol == "PYRONAME" else "")


def _whole(value: object) -> str:
    """Write a value at some length, but not at any."""
    try:
        text = _full.repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}; its repr raised {type(error).__name__}>"
    return clean(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def _doc_html(doc: str) -> str:
    return f'<div class="pyronb-doc">{escape(clean(doc.strip()))}</div>' if doc.strip() else ""


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
