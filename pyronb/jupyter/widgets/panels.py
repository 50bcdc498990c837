"""Panels of an `ObjectView`: one member of the object each, an attribute to read and set or a method to call."""

from __future__ import annotations

import inspect
import reprlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from html import escape
from itertools import islice
from typing import Any, Protocol

import ipywidgets

from pyronb.calls import brief
from pyronb.jupyter.ipython.style import chip, clean, clock, code, muted, shorten
from pyronb.jupyter.models import AttributeModel, MethodModel
from pyronb.jupyter.widgets.errands import Errands
from pyronb.jupyter.widgets.failures import error_line, failure_html
from pyronb.jupyter.widgets.feed import Feed
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
from pyronb.jupyter.widgets.live import button, fragment, row
from pyronb.sync.proxy import Proxy

__all__ = ["AttributePanel", "MethodPanel", "Value"]

_BEAT = 0.2
"""Seconds between two drawings while a call runs."""
_LONGEST = 10_000
"""Most characters of a value that are shown."""


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


class Value:
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
        """When it was read, as HTML."""
        return f'<span class="pyronb-time">{time.strftime("%H:%M:%S", time.localtime(self.time))}</span>'


class Owner(Protocol):
    """The view of the object, as far as its panels need it."""

    _guard: AbstractContextManager[Any]
    _feed: Feed
    _calls: Errands
    _values: dict[str, Value]
    _variable: str

    @property
    def pinned(self) -> tuple[str, ...]:
        """The attributes that are read again and again."""

    def pin(self, name: str) -> None:
        """Have an attribute read again and again."""

    def unpin(self, name: str) -> None:
        """Have an attribute not read any more."""

    def read(self, name: str) -> None:
        """Read an attribute; does not wait for the answer."""

    def write(self, name: str, value: Any) -> None:
        """Set an attribute, and read it then; does not wait for that."""


class AttributePanel:
    """An attribute, with its value."""

    def __init__(self, view: Owner, model: AttributeModel) -> None:
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
        """Bring it up to date; gives the seconds until the next time, if there is one."""
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

    def __init__(self, panel: AttributePanel, view: Owner, kind: str) -> None:
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
        self._followed: Value | None = None
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

    def draw(self, value: Value | None) -> None:
        """Bring it up to date; as long as nothing was typed, the field follows what was read."""
        if value is not None and value is not self._followed and value.error is None and not self._touched:
            self._followed = value
            shown = shown_in(self._field, value.value)
            if shown is not None and shown != self.input.value:
                self._filling = True
                self.input.value = shown
                self._filling = False
        fits = _show_code(self._code, lambda: set_code(self._view._variable, self._name, self._given()))
        self.set.disabled = self._running or not fits
        self._shown.value = self._outcome


class MethodPanel:
    """A method: its form, the code that the form makes, and what came of calling it."""

    def __init__(self, view: Owner, model: MethodModel, signature: inspect.Signature | None) -> None:
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
        """Read the form.

        Raises:
            ValueError: what it holds is no call.
        """
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
        """Bring it up to date; gives the seconds until the next time, while the call runs."""
        fits = _show_code(self._code, lambda: call_code(self._view._variable, self.name, self.arguments()))
        self.call.disabled = self._running or not fits
        self._leave.layout.display = None if self._running else "none"
        elapsed = f"running, {clock(time.monotonic() - self._began)}" if self._running else ""
        self._state.value = fragment("state", muted(elapsed)) if elapsed else ""
        self._shown.value = self._outcome
        return _BEAT if self._running else None


def _show_code(shown: Any, write: Callable[[], str]) -> bool:
    """Show the code that a form stands for, or what is wrong with the form; tell whether nothing is."""
    try:
        text = code(write())
    except ValueError as error:
        shown.value = fragment("code", f'<span class="pyronb-bad">{escape(clean(str(error)))}</span>')
        return False
    shown.value = fragment("code", text)
    return True


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


def _whole(value: object) -> str:
    """Write a value at some length, but not at any."""
    try:
        text = _full.repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}; its repr raised {type(error).__name__}>"
    return clean(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def _doc_html(doc: str) -> str:
    return f'<div class="pyronb-doc">{escape(clean(doc.strip()))}</div>' if doc.strip() else ""
