"""What calls tell while they run is shown in the cell that made them."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from pyronb.context import ambient
from pyronb.jupyter.ipython.extension import load_ipython_extension, unload_ipython_extension
from pyronb.jupyter.ipython.waiting import _places
from pyronb.news import progress
from pyronb.server.exposure import expose
from pyronb.sync.proxy import Proxy
from tests.support.waiting import eventually, scaled


@expose
class Pump:
    """Tells how far it is."""

    def __init__(self):
        self.go = threading.Event()
        self.heard = threading.Semaphore(0)

    def run(self, steps, wait=True):
        for step in range(steps):
            progress(step, steps, "pumping")
        if wait:
            # Long enough to be worth a word, as the far side tells it.
            self.go.wait(scaled(20))
        progress(steps, steps, "pumping")
        return steps

    async def run_later(self, steps):
        progress(1, steps, "pumping")
        await asyncio.to_thread(self.go.wait, scaled(20))
        progress(steps, steps, "pumping")
        return steps

    def fail(self):
        progress(1, 4)
        self.go.wait(scaled(20))
        raise ValueError("dry")


@pytest.fixture
def pump(scene, shell, monkeypatch):
    """A pump in the variable `p`; all that tells something is worth a word."""
    monkeypatch.setattr("pyronb.jupyter.ipython.news.MOMENT", 0.0)
    monkeypatch.setattr("pyronb.jupyter.ipython.waiting.MOMENT", 0.0)
    pump = Pump()
    proxy = shell.user_ns["p"] = Proxy(scene.daemon.register(pump, "lab.pump"))
    yield pump
    pump.go.set()
    proxy._pyroRelease()


@contextlib.contextmanager
def going_on_when_shown(pump, *texts):
    """Let the pump's calls end once these texts are on view."""

    def watch():
        eventually(lambda: all(text in "".join(place._text for place in list(_places.values())) for text in texts))
        pump.go.set()

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    thread.join()


def test_a_blocking_call_shows_how_far_it_is(pump, cell):
    """While it runs, and in the end."""
    with going_on_when_shown(pump, "75%, 3 of 4"):
        done = cell("p.run(4)")

    assert done.result == 4
    assert "lab.pump.run(): [" in done.text
    assert "75%, 3 of 4" in done.text
    assert "100%, 4 of 4" in done.outputs[-1].data["text/plain"]
    assert "done after" in done.outputs[-1].data["text/plain"]
    assert "(pumping)" in done.text
    assert '<progress aria-label="lab.pump.run()" max="1"' in done.html


def test_a_call_that_fails_stays_where_it_was(pump, cell):
    """With its error below."""
    with going_on_when_shown(pump, "1 of 4"):
        done = cell("p.fail()")

    assert isinstance(done.error, ValueError)
    assert "25%, 1 of 4" in done.text
    assert "over after" in done.outputs[-1].data["text/plain"]


def test_awaited_calls_at_the_same_time(pump, cell):
    """Each has its bar, all of them in one place."""
    with going_on_when_shown(pump, "1 of 2", "1 of 3"):
        done = cell(
            "import asyncio, pyronb.aio\n"
            "async with pyronb.aio.Proxy(p._pyroUri) as one, pyronb.aio.Proxy(p._pyroUri) as two:\n"
            "    results = await asyncio.gather(one.run_later(2), two.run_later(3))\n"
            "results"
        )

    assert done.result == [2, 3]
    last = [each.data["text/plain"] for each in done.outputs if "text/plain" in each.data][-1]
    assert "2 of 2" in last
    assert "3 of 3" in last


def test_a_batch_is_one_thing(pump, cell):
    """Its calls are told of one after the other, under its own name."""
    with going_on_when_shown(pump, "1 of 2"):
        done = cell("%%pyro_batch p\np.run(2)\np.run(5)")

    assert done.result == [2, 5]
    assert "2 calls of p: [" in done.text
    assert "5 of 5" in done.text
    assert "lab.pump.run" not in done.text


def test_a_quick_call_shows_nothing(scene, shell, cell):
    """What is over within a second is not worth a word."""
    proxy = shell.user_ns["p"] = Proxy(scene.daemon.register(Pump(), "lab.quick"))
    done = cell("p.run(3, wait=False)")
    proxy._pyroRelease()

    assert done.result == 3
    assert done.outputs == []
    eventually(lambda: all(thread.name != "pyronb-waiting" for thread in threading.enumerate()))


def test_unloading_listens_no_more(bare_shell):
    """The context is as it was."""
    before = ambient().listener
    load_ipython_extension(bare_shell)
    assert ambient().listener is not before
    unload_ipython_extension(bare_shell)

    assert ambient().listener is before
