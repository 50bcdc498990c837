"""Calls that take their time, in a real kernel: how far they are, what they print, and how they are interrupted."""

from __future__ import annotations

import asyncio
import queue
import re
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

import pytest

pytest.importorskip("ipykernel")


from pyronb.news import cancelled, progress
from pyronb.server.exposure import expose
from tests.support.kernels import RealKernel
from tests.support.serving import serving
from tests.support.waiting import deadline, eventually, scaled

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")

LONG = 60.0
"""Seconds that calls take here which nobody interrupts."""


@expose
class Machine:
    """Works for long, unless it is told to stop."""

    def __init__(self):
        self.entered = threading.Event()
        self.go = threading.Event()
        self.done = []

    def work(self, seconds: float = LONG, heeds: bool = True) -> str:
        """Work, and tell how far it is."""
        began = time.monotonic()
        self.entered.set()
        while (passed := time.monotonic() - began) < seconds:
            progress(passed, seconds, "working")
            if heeds and cancelled():
                self.done.append("stopped")
                return "stopped"
            time.sleep(0.02)
        self.done.append("finished")
        return "finished"

    async def work_later(self) -> str:
        """Be stopped without asking."""
        self.entered.set()
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            self.done.append("cancelled")
            raise
        return "finished"

    def say(self, text: str) -> str:
        """Print, and print once more when it may."""
        print(text, "first")
        print("careful", file=sys.stderr)
        self.entered.set()
        self.go.wait(LONG)
        print(text, "last")
        return "said"

    def ping(self) -> str:
        """Answer at once."""
        return "pong"


@dataclass
class Ran:
    """What came of a cell: its reply, and what it showed, in order."""

    status: str
    error: str
    shown: list[str] = field(default_factory=list)
    result: str = ""
    stdout: str = ""
    stderr: str = ""
    traceback: list[str] = field(default_factory=list)


class Kernel(RealKernel):
    """A kernel with the extension loaded."""

    def __init__(self):
        super().__init__()

        self.streams = defaultdict(str)
        """What each cell printed, on either stream."""

    def keep(self, message):
        """Keep what is printed, for every cell."""
        if message["msg_type"] == "stream":
            self.streams[message["parent_header"].get("msg_id")] += message["content"]["text"]

    def begin(self, source):
        """Have a cell run."""
        return self.client.execute(source)

    def run(self, source):
        """Run a cell to its end."""
        return self.end(self.begin(source))

    def end(self, number):
        """Wait for the end of a cell."""
        limit = deadline(40)
        while True:
            reply = self.client.get_shell_msg(timeout=limit.remaining)
            if reply["parent_header"].get("msg_id") == number:
                break
        content = reply["content"]
        ran = Ran(content["status"], content.get("ename", ""))
        while True:
            message = self.client.get_iopub_msg(timeout=limit.remaining)
            self.keep(message)
            if message["parent_header"].get("msg_id") != number:
                continue
            kind, told = message["msg_type"], message["content"]
            if kind in {"display_data", "update_display_data"}:
                ran.shown.append(told["data"]["text/plain"])
            elif kind == "execute_result":
                ran.result = told["data"]["text/plain"]
            elif kind == "stream":
                setattr(ran, told["name"], getattr(ran, told["name"]) + told["text"])
            elif kind == "error":
                ran.traceback = told["traceback"]
            elif kind == "status" and told["execution_state"] == "idle":
                return ran

    def hears(self, number, wanted):
        """Wait until a cell that runs shows something for which this is true."""
        limit = deadline(30)
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=limit.remaining)
            except queue.Empty:
                pytest.fail("the cell did not show it")
            self.keep(message)
            if message["parent_header"].get("msg_id") == number:
                content = message["content"]
                text = content.get("text", "") or content.get("data", {}).get("text/plain", "")
                if wanted(text):
                    return text


@pytest.fixture(scope="module")
def kernel():
    kernel = Kernel()
    assert kernel.run("%load_ext pyronb\nimport asyncio, pyronb.aio").status == "ok"
    yield kernel
    kernel.close()


@pytest.fixture
def machine(kernel):
    """A machine in another program, in the kernel's variable `m`, and as `a` in the other room."""
    machine = Machine()
    with serving() as daemon:
        uri = daemon.register(machine, "machine")
        assert (
            kernel.run(f"%pyro_connect {uri} as m\na = pyronb.aio.Proxy({str(uri)!r})\nawait a._pyroBind()").status
            == "ok"
        )
        yield machine
        kernel.run("m._pyroRelease()\nawait a._pyroRelease()")


def works_on(kernel):
    """The proxies are as good as new."""
    again = kernel.run("m.ping() + await a.ping()")
    return (again.status, again.result) == ("ok", "'pongpong'")


def test_a_bar_moves_while_the_kernel_is_busy(kernel, machine):
    """From about a second on; the last state stays."""
    number = kernel.begin("m.work(2.5)")
    first = kernel.hears(number, lambda text: "machine.work()" in text)
    second = kernel.hears(number, lambda text: "machine.work()" in text and text != first)
    ran = kernel.end(number)

    done = [float(re.search(r", (\S+) of 2.5", text)[1]) for text in (first, second)]
    assert 0.5 < done[0] < done[1] < 2.5
    assert ran.result == "'finished'"
    assert "done after" in ran.shown[-1] or "over after" in ran.shown[-1]


def test_a_bar_moves_while_a_cell_awaits(kernel, machine):
    """Likewise."""
    number = kernel.begin("await a.work(2.0)")
    first = kernel.hears(number, lambda text: "machine.work()" in text)
    kernel.hears(number, lambda text: "machine.work()" in text and text != first)

    assert kernel.end(number).result == "'finished'"


@pytest.mark.parametrize("source", ["m._pyroCall(output=True).say('it')", "await a._pyroCall(output=True).say('it')"])
def test_output_comes_into_the_cell(kernel, machine, source):
    """While it is printed, marked, and errors apart."""
    number = kernel.begin(source)
    kernel.hears(number, lambda text: "machine| it first" in text)
    machine.go.set()
    ran = kernel.end(number)

    assert "machine| it last\n" in ran.stdout
    assert "machine" not in ran.result


def test_output_of_a_call_in_the_background_comes_into_its_own_cell(kernel, machine):
    """Also when another cell runs by then."""
    first = kernel.begin("import pyronb\nfuture = pyronb.asyncproxy(m)._pyroCall(output=True).say('it')")
    kernel.hears(first, lambda text: "machine| it first" in text)
    second = kernel.begin("future.value")
    machine.go.set()
    ran = kernel.end(second)

    assert ran.result == "'said'"
    assert "it last" not in ran.stdout
    assert "it last" in kernel.streams[first]


@pytest.mark.parametrize(
    ("source", "became"),
    [
        ("m.work()", "over there"),
        ("m.work(heeds=False, seconds=3)", "has not stopped over there so far"),
        ("m.work_later()", "was stopped over there"),
        ("%%pyro_batch m\nm.work()", "over there"),
        ("await a.work()", "was told to stop over there"),
        ("await a.work_later()", "was told to stop over there"),
        ("await asyncio.gather(a.work_later(), a.work_later())", "was told to stop over there"),
    ],
)
def test_an_interrupt_ends_a_call(kernel, machine, source, became):
    """At once, in one line that says what became of it; the same proxies work in the next cell."""
    number = kernel.begin(source)
    eventually(machine.entered.is_set)
    began = time.monotonic()
    kernel.manager.interrupt_kernel()
    ran = kernel.end(number)

    assert time.monotonic() - began < scaled(5)
    assert ran.status == "error"
    assert ran.error in {"KeyboardInterrupt", "CancelledError"}
    assert became in ran.traceback[-1]
    assert len(ran.traceback) == 1
    assert works_on(kernel)
    eventually(lambda: machine.done, what="the far side to end, or to hear of it")


def test_an_interrupt_ends_what_is_awaited_otherwise(kernel, machine):
    """Also where no call is in flight: the loop is awake while a cell runs."""
    number = kernel.begin(f"print('here')\nawait asyncio.sleep({LONG})")
    time.sleep(0.5)
    kernel.manager.interrupt_kernel()

    assert kernel.end(number).status == "error"
    assert works_on(kernel)
