"""FutureView and FutureBoard: the real widgets, real calls to a real daemon."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import weakref

import pytest
from IPython.core.formatters import format_display_data

import pyronb.aio
import pyronb.widgets
from pyronb.futures import FutureResult
from pyronb.jupyter.ipython.style import clock
from pyronb.jupyter.widgets.futures import FutureBoard, FutureView, state_of
from pyronb.news import progress
from pyronb.server.exposure import expose
from pyronb.sync.asynchronous import asyncproxy
from pyronb.sync.proxy import Proxy
from tests.jupyter.ipython.scene import HOSTILE, NetworkProbe
from tests.support.waiting import eventually, scaled


@expose
class Gate:
    """Keeps its callers waiting until it is opened."""

    def __init__(self):
        self.opened = threading.Event()
        self.entered = threading.Event()
        self.calls = 0

    def enter(self, number: int = 1) -> int:
        self.calls += 1
        self.entered.set()
        self.opened.wait(20)
        return number

    def steps(self, count: int) -> int:
        progress(1, count, f"step {HOSTILE}")
        self.entered.set()
        self.opened.wait(20)
        progress(count, count)
        return count

    async def sleep(self):
        await asyncio.sleep(20)

    async def steps_later(self, count: int) -> int:
        return await asyncio.to_thread(self.steps, count)

    def flaky(self):
        self.calls += 1
        if self.calls == 1:
            raise ValueError(f"not yet {HOSTILE}")
        return "fine now"


@pytest.fixture
def gate(scene):
    gate = Gate()
    uri = scene.daemon.register(gate, "gate")
    with Proxy(uri) as proxy:
        proxy._pyroBind()
        yield gate, proxy
        gate.opened.set()


@pytest.fixture
def board(no_leaks):
    board = FutureBoard()
    yield board
    board.close()


def parts(row):
    widgets = eventually(lambda: row.widgets)
    return widgets.state, widgets.title, widgets.time, widgets.cancel, widgets.retry, widgets.outcome


def test_a_call_is_running_then_done(gate, board):
    gate, proxy = gate
    future = board.call(proxy.enter, 42)
    assert gate.entered.wait(10)
    state, title, time, cancel, retry, outcome = parts(board._rows[0])
    eventually(lambda: "running" in state.value)
    assert "gate.enter(42)" in title.value
    assert cancel.layout.display is None
    assert retry.layout.display == "none"
    first = time.value
    # Nothing is told meanwhile: it counts by itself.
    eventually(lambda: time.value not in ("", first))
    gate.opened.set()
    assert future.result(10) == 42
    eventually(lambda: "done" in state.value)

    assert "42" in outcome.value
    assert outcome.layout.display is None
    eventually(lambda: "1 done" in board._summary.value)
    assert cancel.layout.display == "none"
    assert retry.layout.display is None
    assert board.states == ["done"]


def test_a_failure_shows_the_far_traceback_folded_and_can_be_retried(gate, board):
    gate, proxy = gate
    future = board.call(proxy.flaky)
    with pytest.raises(ValueError, match="not yet"):
        future.result(10)
    row = board._rows[0]
    state, title, _, _, retry, outcome = parts(row)
    eventually(lambda: "failed" in state.value)
    assert "<details>" in outcome.value
    assert "Traceback of the far side" in outcome.value
    assert "in flaky" in outcome.value
    assert "<script" not in outcome.value
    retry.click()
    assert row.future is not future
    assert row.future.result(10) == "fine now"
    eventually(lambda: "done" in state.value and "fine now" in outcome.value)

    assert "attempt 2" in title.value
    assert len(board._rows) == 1


def test_cancelling(gate, board):
    gate, proxy = gate
    waiting = FutureResult()
    board.add(waiting, "waits")
    running = board.call(proxy.enter)
    assert gate.entered.wait(10)
    states = [parts(row)[0] for row in board._rows]
    eventually(lambda: "pending" in states[0].value and "running" in states[1].value)
    parts(board._rows[0])[3].click()
    parts(board._rows[1])[3].click()
    eventually(lambda: "cancelled" in states[0].value)
    assert waiting.cancelled()
    eventually(lambda: "the far side was told to stop" in parts(board._rows[1])[5].value)
    assert not running.cancelled()
    gate.opened.set()
    eventually(lambda: board.states == ["cancelled", "done"])


def test_cancelling_what_ends_at_that_moment(board):
    """A row that is over does not say that it runs and was told to stop."""

    class Ending(FutureResult):
        @property
        def tells(self):
            self.set_result(7)
            return True

    future = Ending()
    future.set_running_or_notify_cancel()
    board.add(future)
    board._rows[0].cancel()

    assert (["done"], "") == (board.states, board._rows[0].note)


def test_methods_of_an_asynchronous_proxy_and_local_functions(gate, board):
    gate, proxy = gate
    gate.opened.set()
    with asyncproxy(proxy) as later:
        assert board.call(later.enter, 5).result(10) == 5
        ours = board.call(lambda: threading.current_thread().name)
        assert ours.result(10) == "pyronb-future"
        eventually(lambda: board.states == ["done", "done"])
        for row in board._rows:
            row.retry()
        eventually(lambda: board.states == ["done", "done"])
        assert [row.tries for row in board._rows] == [2, 2]
    assert gate.calls == 2


def test_it_is_bounded_and_what_is_over_goes_first(no_leaks):
    board = FutureBoard(limit=3)
    waiting = board.add(FutureResult(), "the oldest, waiting")
    for number in range(5):
        done = FutureResult()
        done.set_result(number)
        board.add(done, str(number))
    assert [row.label for row in board._rows] == ["the oldest, waiting", "3", "4"]
    assert board.dropped == 3
    eventually(lambda: "3 earlier not shown" in board._summary.value)
    eventually(lambda: len(board._list.children) == 3)
    board._clear.click()
    assert board.states == ["pending"]
    waiting.cancel()
    board.close()


def test_a_thousand_futures_that_end_at_once(no_leaks):
    board = FutureBoard(limit=20)
    futures = [board.add(FutureResult()) for _ in range(1000)]
    for number, future in enumerate(futures):
        future.set_result(number)
    eventually(lambda: "20 done" in board._summary.value)
    assert len(board._list.children) == 20
    eventually(lambda: "<code" in parts(board._rows[-1])[5].value and "999" in parts(board._rows[-1])[5].value)
    board.close()


def test_futures_of_python(board):
    future = concurrent.futures.Future()
    board.add(future)
    future.set_result("x")
    eventually(lambda: board.states == ["done"])
    with pytest.raises(TypeError, match="shows futures"):
        board.add("no future")
    with pytest.raises(ValueError, match="one row"):
        FutureBoard(limit=0)


def test_a_view_of_one_future(no_leaks):
    future = FutureResult()
    view = FutureView(future, f"label {HOSTILE}")
    state, title, _, _, retry, outcome = parts(view._rows[0])
    eventually(lambda: "pending" in state.value)
    assert "<script" not in title.value
    future.set_result(HOSTILE)
    eventually(lambda: "done" in state.value)
    assert "<script" not in outcome.value
    assert retry.layout.display == "none"
    view.close()
    with pytest.raises(TypeError, match="shows futures"):
        FutureView("no future")


def test_a_result_whose_repr_fails(board):
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    future = FutureResult()
    board.add(future)
    future.set_result(Broken())
    eventually(lambda: "Broken instance" in parts(board._rows[0])[5].value)


def test_the_saved_notebook(board):
    future = board.add(FutureResult(), f"call {HOSTILE}")
    future.set_exception(ValueError(HOSTILE))
    bundle = board._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "failed" in bundle["text/plain"]
    assert "ValueError" in bundle["text/html"]
    assert "not connected" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]


def test_looking_asks_nobody(gate, board, monkeypatch):
    gate, proxy = gate
    gate.opened.set()
    board.call(proxy.enter).result(10)
    probe = NetworkProbe(monkeypatch)
    board._repr_mimebundle_()
    repr(board)
    format_display_data(board)

    assert probe.calls == []


def test_closing_ends_threads_and_connections(gate, no_leaks):
    """`no_leaks` looks for those of the calls; what ends after that changes nothing."""
    gate, proxy = gate
    board = FutureBoard()
    future = board.call(proxy.enter)
    assert gate.entered.wait(10)
    board.close()
    eventually(lambda: not board._feed.alive)
    gate.opened.set()
    future.result(10)
    board.add(FutureResult())
    board.close()

    assert board.closed


def test_an_endless_future_does_not_keep_a_forgotten_view(no_leaks):
    future = FutureResult()
    board = FutureBoard()
    board.add(future)
    board.close()
    gone = weakref.ref(board)
    del board

    def collected():
        gc.collect()
        return gone() is None

    eventually(collected)
    future.set_result(1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (7260, "2 h 01 min")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_states_of_futures():
    future = FutureResult()
    assert state_of(future) == "pending"
    future.set_running_or_notify_cancel()
    assert state_of(future) == "running"
    future.set_exception(ValueError())
    assert state_of(future) == "failed"


def test_the_short_names():
    assert pyronb.widgets.FutureBoard is FutureBoard
    assert pyronb.widgets.FutureView is FutureView


def test_how_far_calls_are(gate, board):
    """A bar with facts while they tell it; the last state stays."""
    thing, proxy = gate
    board.call(proxy.steps, 4)
    eventually(lambda: "25% · 1 of 4" in shown(board))
    assert '<progress aria-label="gate.steps(4)" max="1" value="0.2500">' in shown(board)
    assert "<script" not in shown(board)
    assert "25% · 1 of 4" in repr(board)
    thing.opened.set()

    eventually(lambda: board.states == ["done"])
    eventually(lambda: "100% · 4 of 4" in shown(board))


def shown(board):
    """All the HTML of a board."""

    def walk(part):
        yield getattr(part, "value", "") if isinstance(getattr(part, "value", ""), str) else ""
        for inner in getattr(part, "children", ()):
            yield from walk(inner)

    return "".join(walk(board))


def test_what_runs_is_told_to_stop(gate, board):
    """Where it can be told: what ends for that is cancelled; a function here is not stopped."""
    thing, proxy = gate
    board.call(proxy.sleep)
    eventually(lambda: board.states == ["running"])
    eventually(lambda: board._rows[0].cancel() or board.states == ["cancelled"])
    board.call(thing.enter)
    eventually(thing.entered.is_set)
    board._rows[1].cancel()

    assert board._rows[1].note == "It runs already, and what runs is not stopped."
    thing.opened.set()
    eventually(lambda: board.states == ["cancelled", "done"])


def test_tasks_of_an_event_loop(gate, board):
    """Calls of the other room, as tasks and by the board itself: state, progress, result, error, retry."""
    thing, proxy = gate

    async def work():
        async with pyronb.aio.Proxy(proxy._pyroUri) as far:
            task = asyncio.ensure_future(far.flaky())
            assert board.add(task, "first") is task
            with pytest.raises(ValueError, match="not yet"):
                await task
            await until(lambda: board.states == ["failed"])
            future = board.call(far.steps_later, 4)
            assert board.states == ["failed", "running"]
            await until(lambda: "1 of 4" in shown(board))
            thing.opened.set()
            assert await future == 4
            again = board.call(far.flaky)
            assert await again == "fine now"
            board._rows[-1].retry()
            await until(lambda: board.states == ["failed", "done", "done"])
            assert thing.calls == 3

    asyncio.run(work())


def test_tasks_can_be_cancelled(gate, board):
    """From the button; the task and its row are cancelled."""
    _, proxy = gate

    async def work():
        async with pyronb.aio.Proxy(proxy._pyroUri) as far:
            task = asyncio.ensure_future(far.enter())
            board.add(task)
            await until(lambda: board.states == ["running"])
            board._rows[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: board.states == ["cancelled"])
            plain = asyncio.get_running_loop().create_future()
            view = FutureView(plain)
            assert view.states == ["pending"]
            plain.set_result(1)
            await until(lambda: view.states == ["done"])
            done = FutureView(plain)
            assert done.states == ["done"]
            view.close()
            done.close()

    asyncio.run(work())


async def until(condition):
    """Let the loop go on until this holds."""

    async def wait():
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), scaled(10))
