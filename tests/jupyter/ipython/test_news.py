"""What calls tell while they run is shown in the cell that made them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
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

    def say(self, text, end="\n"):
        print(text, end=end)
        print("careful", file=sys.stderr)
        logging.getLogger("pump").warning("dry")
        return "said"

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


def test_output_is_shown_on_request(pump, cell, scene):
    """Each line marked with who printed it, and each stream apart; without being asked for it stays there."""
    assert "| hello" not in cell("p.say('hello')").stdout
    done = cell("p._pyroCall(output=True).say('hello\\nworld', end='')")

    assert done.result == "said"
    assert "lab.pump| hello\nlab.pump| world\n" in done.stdout
    assert "lab.pump| careful\n" in done.stderr
    assert "dry" in done.stderr
    assert "careful" not in done.stdout


def test_output_is_obeyed_by_nobody(pump, cell):
    """What would steer a terminal is shown, or not there."""
    done = cell(r"p._pyroCall(output=True).say('a\x1b[31mb\rc' + chr(0x202e))")

    assert "lab.pump| a[31mb\n" in done.stdout
    assert "lab.pump| c\\x202e\n" in done.stdout


def test_options_for_output(pump, cell, shell, scene):
    """Of a batch, of a connection, and of all connections."""
    uri = shell.user_ns["p"]._pyroUri
    assert "lab.pump| one\n" in cell("%%pyro_batch p --output\np.say('one')").stdout
    assert "| two" not in cell("%%pyro_batch p\np.say('two')").stdout
    assert cell(f"%pyro_connect {uri} as q --output").error is None
    assert "lab.pump| three\n" in cell("q.say('three')").stdout
    assert "lab.pump| four\n" in cell("%%pyro_batch q\nq.say('four')").stdout
    assert cell("%pyro_config REMOTE_OUTPUT True").error is None
    try:
        assert cell(f"%pyro_connect {uri} as r").error is None
        assert "lab.pump| five\n" in cell("r.say('five')").stdout
    finally:
        cell("%pyro_config REMOTE_OUTPUT False")
    shell.user_ns["q"]._pyroRelease()
    shell.user_ns["r"]._pyroRelease()


def test_unloading_listens_no_more(bare_shell):
    """The context is as it was."""
    before = ambient().listener
    load_ipython_extension(bare_shell)
    assert ambient().listener is not before
    unload_ipython_extension(bare_shell)

    assert ambient().listener is before
