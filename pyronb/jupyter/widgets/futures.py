"""FutureView and FutureBoard: calls on their way, each with its state, its time and what came of it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import time
import weakref
from collections.abc import Callable
from html import escape
from typing import Any, TypeVar

import ipywidgets

from pyronb.aio.methods import RemoteMethod as AwaitedMethod
from pyronb.calls import brief, call_text
from pyronb.client.link import Link
from pyronb.context import ambient
from pyronb.errors import CancelledError
from pyronb.futures import Future, FutureResult
from pyronb.jupyter.ipython.reprs import progress_facts
from pyronb.jupyter.ipython.style import block, clean, clock, code, muted, shorten, table, text_table
from pyronb.jupyter.widgets.cells import variable_of
from pyronb.jupyter.widgets.failures import error_line, failure_html
from pyronb.jupyter.widgets.live import LiveView, button, close_all, fragment, row
from pyronb.sync.asynchronous import AsyncProxy
from pyronb.sync.methods import RemoteMethod

__all__ = ["FutureBoard", "FutureView", "state_of"]

AnyFuture = concurrent.futures.Future[Any]
Awaited = asyncio.Future[Any]
Again = Callable[[], "AnyFuture | Awaited"]
F = TypeVar("F", bound="AnyFuture | Awaited")

_KINDS = {"done": "pyronb-good", "failed": "pyronb-bad"}
_SIGNS = {"pending": "○", "running": "◔", "done": "●", "failed": "✕", "cancelled": "⊘"}
TOLD = "It runs already; the far side was told to stop."
_FIRST = "7rem"
"""Width of the first column, under which nothing else is written."""
_BEAT = 0.2
_ROWS_A_SECOND = 100
"""Most clocks that are moved on in a second, all rows together."""


def state_of(future: AnyFuture) -> str:
    """Give the state in one word: pending, running, done, failed or cancelled."""
    if not future.done():
        return "running" if future.running() else "pending"
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    return "done" if error is None else "cancelled" if isinstance(error, CancelledError) else "failed"


class _OfLoop(FutureResult):
    """Stands for a future or task of an event loop, in whichever thread one looks at it."""

    _awaited: Awaited

    def follow(self, awaited: Awaited) -> FutureResult:
        """Stand for this one; gives the stand-in itself."""
        self._awaited = awaited
        if awaited.done():
            self._take(awaited)
        else:
            awaited.get_loop().call_soon_threadsafe(awaited.add_done_callback, self._take)
        return self

    def running(self) -> bool:
        return not self.done() and isinstance(self._awaited, asyncio.Task)

    def cancel(self) -> bool:
        if self.done():
            return False
        self._awaited.get_loop().call_soon_threadsafe(self._awaited.cancel)
        return True

    def _take(self, awaited: Awaited) -> None:
        if awaited.cancelled():
            super().cancel()
            return
        error = awaited.exception()
        if error is None:
            self.set_result(awaited.result())
        else:
            self.set_exception(error)


def _call_awaited(method: AwaitedMethod, args: tuple[Any, ...], kwargs: dict[str, Any]) -> FutureResult:
    """Call in the loop that runs here, and give what stands for the task, which also knows how far the call is."""
    future, context = _OfLoop(), ambient()
    # Who listens is settled when the call is made; news come when it is awaited.
    before, context.listener = context.listener, future.report
    try:
        return future.follow(asyncio.ensure_future(method(*args, **kwargs)))
    finally:
        context.listener = before


class _Row:
    """One future. The board's lock is held whenever it is touched."""

    widgets: _RowWidgets | None = None
    """Made when it is drawn for the first time: many rows come and go without ever being seen."""

    def __init__(
        self, board: FutureBoard, future: AnyFuture, label: str, again: Again | None, began: float | None
    ) -> None:
        self.label = label
        self.again = again
        self.tries = 0
        self.note = ""
        self._board = board
        self.watch(future, began)

    def watch(self, future: AnyFuture, began: float | None = None) -> None:
        """Show this future from now on; `began` is when it was started, on the monotonic clock."""
        self.future = future
        self.tries += 1
        self.note = ""
        # What was over before it was shown took nobody knows how long.
        self.began = time.monotonic() if began is None and not future.done() else began
        self.ended: float | None = None
        feed = self._board._feed
        # A future that never ends must not keep a view that nobody has any more.
        known = weakref.ref(self)

        def over(done: AnyFuture) -> None:
            entry = known()
            if entry is not None and entry.future is done:
                entry.ended = time.monotonic()
                entry.note = ""
                feed.poke()

        def told(_: object) -> None:
            entry = known()
            if entry is not None and entry.future is future:
                feed.poke()

        future.add_done_callback(over)
        if isinstance(future, FutureResult):
            future.add_progress_callback(told)

    @property
    def progress(self) -> str:
        """How far it says that it is, in one line."""
        told = self.future.progress if isinstance(self.future, FutureResult) else None
        if told is None:
            return ""
        return " · ".join([*progress_facts(told, over=self.future.done()), *filter(None, [shorten(told.message)])])

    @property
    def state(self) -> str:
        return state_of(self.future)

    @property
    def elapsed(self) -> str:
        if self.began is None:
            return ""
        return clock((self.ended or time.monotonic()) - self.began)

    @property
    def outcome(self) -> str:
        """The result, or the error, in one line."""
        state = self.state
        if state == "done":
            return brief(self.future.result())
        error = self.future.exception() if state == "failed" else None
        return "" if error is None else error_line(error)

    def cancel(self) -> None:
        with self._board._guard:
            if not self.future.cancel() and not self.future.done():
                told = isinstance(self.future, FutureResult) and self.future.tells
                self.note = TOLD if told else "It runs already, and what runs is not stopped."
                if self.future.done():
                    self.note = ""  # It ended at this moment, and whoever saw that had nothing to clear yet.
            self._board._feed.poke()

    def retry(self) -> None:
        with self._board._guard:
            if self.again is None or not self.future.done():
                return
            try:
                began = time.monotonic()
                self.watch(_shown(self.again()), began)
            except Exception as error:
                self.note = f"It could not be called again: {error_line(error)}"
            self._board._feed.poke()

    def draw(self) -> bool:
        """Bring the widgets up to date; tell whether there will be something new soon."""
        if self.widgets is None:
            self.widgets = _RowWidgets(self)
        return self.widgets.draw(self)

    def close(self) -> None:
        if self.widgets is not None:
            close_all(self.widgets.all)


class _RowWidgets:
    """The widgets that show one row."""

    def __init__(self, entry: _Row) -> None:
        self.state = ipywidgets.HTML(layout=ipywidgets.Layout(flex=f"0 0 {_FIRST}"))
        self.title = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 12rem", min_width="0"))
        self.time = ipywidgets.HTML(layout=ipywidgets.Layout(flex="0 0 6rem"))
        self.cancel = button(
            "Cancel", "Have it not run; where it runs already, tell the far side to stop", icon="times"
        )
        self.retry = button("Retry", "Make the same call again", icon="repeat")
        # A layout each: they are shown and hidden by themselves.
        below = {"margin": f"0 0 0 calc({_FIRST} + 6px)", "min_width": "0"}
        self.progress = ipywidgets.HTML(layout=ipywidgets.Layout(**below))
        self.outcome = ipywidgets.HTML(layout=ipywidgets.Layout(**below))
        self.cancel.on_click(lambda _: entry.cancel())
        self.retry.on_click(lambda _: entry.retry())
        actions = ipywidgets.HBox(
            [self.cancel, self.retry], layout=ipywidgets.Layout(flex="0 0 7rem", justify_content="flex-end")
        )
        self.all = ipywidgets.VBox([row(self.state, self.title, self.time, actions), self.progress, self.outcome])
        self.all.add_class("pyronb-row")
        self._drawn: tuple[object, ...] = ()

    def draw(self, entry: _Row) -> bool:
        state = entry.state
        unfinished = state in ("pending", "running")
        self.time.value = f'<span class="pyronb-view pyronb-time">{entry.elapsed}</span>'
        self.progress.value = _progress_html(entry)
        self.progress.layout.display = None if self.progress.value else "none"
        drawn = (entry.future, state, entry.note)
        if drawn != self._drawn:
            self._drawn = drawn
            tries = muted(f"attempt {entry.tries}") if entry.tries > 1 else ""
            self.title.value = fragment("call", f'<div class="pyronb-line">{code(shorten(entry.label))}{tries}</div>')
            self.cancel.layout.display = None if unfinished else "none"
            self.cancel.disabled = bool(entry.note) and state == "running"
            self.retry.layout.display = None if entry.again is not None and not unfinished else "none"
            self.outcome.value = _outcome_html(entry, state)
            kind = _KINDS.get(state, "pyronb-muted")
            sign = f'<span class="{kind}"><span aria-hidden="true">{_SIGNS[state]}</span> {state}</span>'
            # Last: whoever sees that it is over finds what it came to.
            self.state.value = fragment("state", sign)
        return unfinished


def _progress_html(entry: _Row) -> str:
    told = entry.future.progress if isinstance(entry.future, FutureResult) else None
    if told is None:
        return ""
    fraction = f' value="{told.fraction:.4f}"' if told.fraction is not None else ""
    bar = f'<progress aria-label="{escape(shorten(entry.label))}" max="1"{fraction}></progress>'
    # What ended without getting there needs no bar that goes on moving.
    shown = bar if fraction or not entry.future.done() else ""
    return fragment("progress", f'<div class="pyronb-line">{shown}{muted(entry.progress)}</div>')


def _outcome_html(entry: _Row, state: str) -> str:
    parts = [f"<div>{muted(entry.note)}</div>"] if entry.note else []
    if state == "done":
        parts.append(f"<div>{code(entry.outcome)}</div>")
    error = entry.future.exception() if state == "failed" else None
    if error is not None:
        parts.append(failure_html(error))
    return fragment("outcome", *parts) if parts else ""


class FutureBoard(LiveView):
    """Shows calls that run in the background: state, time, what came of them; lets one cancel and retry them.

    It knows how to make again those calls that were made with `call`. The time of a call counts from when the board
    got to know it. Cancelling has a call not run; where it runs already, a pyronb daemon is told to stop it.

    Args:
        limit: most rows; beyond it the oldest goes, one that is over before one that is not.

    Raises:
        ValueError: `limit` is below 1.
    """

    def __init__(self, *, limit: int = 50) -> None:
        if limit < 1:
            raise ValueError(f"a board needs room for one row at least, not {limit}")
        self._limit = limit
        self._rows: list[_Row] = []
        self._gone: list[_Row] = []
        self._dropped = 0
        self._crews: list[tuple[Link, AsyncProxy]] = []
        self._summary = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 auto"))
        self._clear = button("Clear finished", "Remove the rows of the calls that are over", icon="eraser")
        self._clear.on_click(lambda _: self.clear())
        self._list = ipywidgets.VBox(layout=ipywidgets.Layout(max_height="28rem", overflow="hidden auto"))
        super().__init__("futures", [*self._header(), self._list])
        self._feed.start()

    def _header(self) -> list[Any]:
        return [row(self._summary, self._clear)]

    # For programs

    def add(self, future: F, label: str = "", *, again: Again | None = None) -> F:
        """Show a future; gives it back.

        Args:
            future: a `FutureResult`, any future of Python's `concurrent.futures`, or a future or task of asyncio.
            label: what it is the result of; by default the name of the variable that holds it.
            again: starts the same work anew and gives its future; None when that cannot be done.

        Raises:
            TypeError: it is no such future.
        """
        self._add(_shown(future), label or variable_of(future, "future"), again, None)
        return future

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> AnyFuture:
        """Call something in the background and show it, in a way that it can be retried; gives its future.

        Methods of a proxy of `pyronb.aio` run in the loop in which this is called, and give what stands for their task.

        Args:
            function: a method of a proxy, of whichever kind, or any function, which then runs in a thread.
            *args: what it gets.
            **kwargs: what it gets by name.
        """
        start = self._starter(function)

        def again() -> AnyFuture:
            return _shown(start(*args, **kwargs))

        began = time.monotonic()
        future = again()
        self._add(future, _call_label(function, args, kwargs), again, began)
        return future

    @property
    def states(self) -> list[str]:
        """The state of each row, the oldest first."""
        with self._guard:
            return [entry.state for entry in self._rows]

    @property
    def dropped(self) -> int:
        """How many rows went because there were too many."""
        return self._dropped

    def clear(self) -> None:
        """Remove the rows of the calls that are over."""
        with self._guard:
            self._drop([entry for entry in self._rows if entry.future.done()])
            self._dropped = 0
            self._feed.poke()

    # Inside

    def _add(self, future: AnyFuture, label: str, again: Again | None, began: float | None) -> None:
        with self._guard:
            if not self._over:
                self._rows.append(_Row(self, future, label, again, began))
                self._make_room()
                self._feed.poke()

    def _starter(self, function: Callable[..., Any]) -> Callable[..., AnyFuture]:
        """Give what starts this function in the background."""
        if isinstance(function, RemoteMethod):
            with self._guard:
                crew = next((crew for link, crew in self._crews if link is function._link), None)
                if crew is None:
                    crew = AsyncProxy(function._link)
                    self._crews.append((function._link, crew))
            start: Callable[..., AnyFuture] = getattr(crew, function.__name__)
            return start
        if isinstance(function, AwaitedMethod):
            return lambda *args, **kwargs: _call_awaited(function, args, kwargs)
        if _gives_future(function):
            return function

        def start_thread(*args: Any, **kwargs: Any) -> AnyFuture:
            # Each future runs once.
            return Future(function)(*args, **kwargs)

        return start_thread

    def _make_room(self) -> None:
        extra = len(self._rows) - self._limit
        if extra > 0:
            # Sorting keeps the order among those that are over, and among those that are not.
            self._drop(sorted(self._rows, key=lambda entry: not entry.future.done())[:extra])
            self._dropped += extra

    def _drop(self, rows: list[_Row]) -> None:
        self._rows = [entry for entry in self._rows if entry not in rows]
        self._gone += rows
        self._feed.poke()

    def _draw(self) -> float | None:
        unfinished = sum([entry.draw() for entry in self._rows])
        # The newest comes first, where it is seen.
        shown = tuple(entry.widgets.all for entry in reversed(self._rows) if entry.widgets is not None)
        if shown != self._list.children:
            self._list.children = shown
        while self._gone:
            self._gone.pop().close()
        self._summary.value = fragment("summary", self._summary_html())
        self._clear.disabled = unfinished == len(self._rows)
        return max(_BEAT, unfinished / _ROWS_A_SECOND) if unfinished else None

    def _count(self) -> str:
        states = [entry.state for entry in self._rows]
        counts = [f"{states.count(state)} {state}" for state in _SIGNS if state in states]
        dropped = [f"{self._dropped} earlier not shown"] if self._dropped else []
        return " · ".join([*counts, *dropped]) or "no calls yet"

    def _summary_html(self) -> str:
        head = f'<span class="pyronb-title">Calls</span>{muted(self._count())}'
        return f'<div class="pyronb-head" role="status">{head}</div>'

    def _end(self) -> None:
        for entry in self._gone:
            entry.close()
        for _, crew in self._crews:
            crew._pyroRelease()

    def _as_text(self) -> str:
        with self._guard:
            rows = [
                [e.state, e.elapsed, shorten(e.label), shorten(e.outcome or e.progress)] for e in reversed(self._rows)
            ]
            return "\n".join([f"calls: {self._count()}", *text_table(rows)])

    def _as_html(self) -> str:
        with self._guard:
            rows = [[e.state, e.elapsed, code(shorten(e.label)), _in_short(e)] for e in reversed(self._rows)]
            shown = table(["State", "Time", "Call", "Outcome"], rows) if rows else ""
            return block("futures", self._summary_html(), shown)


class FutureView(FutureBoard):
    """Shows one future: state, time, what came of it; lets one cancel it.

    Args:
        future: a `FutureResult`, any future of Python's `concurrent.futures`, or a future or task of asyncio.
        label: what it is the result of; by default the name of the variable that holds it.
        again: starts the same work anew and gives its future, for the button "Retry".

    Raises:
        TypeError: it is no such future.
    """

    def __init__(self, future: AnyFuture | Awaited, label: str = "", *, again: Again | None = None) -> None:
        super().__init__(limit=1)
        try:
            self.add(future, label, again=again)
        except BaseException:
            self.close()
            raise

    def _header(self) -> list[Any]:
        return []


def _shown(future: object) -> AnyFuture:
    """Give what can be looked at from any thread.

    Raises:
        TypeError: it is no future.
    """
    if isinstance(future, asyncio.Future):
        return _OfLoop().follow(future)
    if not isinstance(future, concurrent.futures.Future):
        raise TypeError(
            f"a board shows futures (FutureResult, concurrent.futures, asyncio), not {type(future).__name__}"
        )
    return future


def _in_short(entry: _Row) -> str:
    return code(shorten(entry.outcome)) if entry.outcome else muted(entry.progress)


def _gives_future(function: Callable[..., Any]) -> bool:
    """Tell whether a function says that it gives a future, as the methods of an asynchronous proxy do."""
    try:
        given = inspect.signature(function).return_annotation
    except (TypeError, ValueError):
        return False
    return given is FutureResult or given == FutureResult.__name__


def _call_label(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    where = str(function._link.uri.object) if isinstance(function, (RemoteMethod, AwaitedMethod)) else ""
    text = call_text(where, name, args, kwargs)
    return clean(text.lstrip("."))
