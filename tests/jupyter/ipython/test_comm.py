"""The comms that a panel opens, in a real kernel: what is sent, to whom, when, and that nothing is without anybody."""

from __future__ import annotations

import queue
import time
import uuid

import pytest

pytest.importorskip("ipykernel")


from tests.jupyter.ipython.scene import playing
from tests.support.kernels import RealKernel
from tests.support.waiting import deadline, scaled

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")

TARGET = "pyronb"


class Kernel(RealKernel):
    """A kernel, and a client of it that opens comms as a panel does."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def run(self, source, wait=True):
        """Run a cell, and give its reply."""
        number = self.client.execute(source)
        if not wait:
            return None
        limit = deadline(30)
        while True:
            reply = self.client.get_shell_msg(timeout=limit.remaining)
            if reply["parent_header"].get("msg_id") == number:
                assert reply["content"]["status"] == "ok", reply["content"]
                return reply["content"]

    def send(self, kind, content, subshell=None):
        message = self.client.session.msg(kind, content)
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def subshell(self):
        """Have the kernel take questions while it is busy, as JupyterLab does."""
        message = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(message)
        return self.client.get_control_msg(timeout=scaled(20))["content"]["subshell_id"]

    def open(self, purpose, subshell=None):
        number = uuid.uuid4().hex
        self.send("comm_open", {"comm_id": number, "target_name": TARGET, "data": {"purpose": purpose}}, subshell)
        return number

    def close_comm(self, number):
        self.send("comm_close", {"comm_id": number, "data": {}})

    def listed(self):
        """How many comms to the target the kernel lists."""
        number = self.send("comm_info_request", {"target_name": TARGET})
        while True:
            reply = self.client.get_shell_msg(timeout=scaled(20))
            if reply["parent_header"].get("msg_id") == number:
                return len(reply["content"]["comms"])

    def hear(self, wanted, seconds=20.0):
        """Wait for a message on iopub for which this is true, and give it."""
        limit = deadline(seconds)
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=limit.remaining)
            except queue.Empty:
                raise AssertionError(f"nothing like that came; the last were {self.heard[-5:]}") from None
            self.heard.append((message["msg_type"], message["content"]))
            if wanted(message):
                return message

    def told(self, comm, kind, test=lambda data: True):
        """Wait for what a comm is told of this kind."""
        message = self.hear(
            lambda m: (
                m["msg_type"] == "comm_msg"
                and m["content"]["comm_id"] == comm
                and m["content"]["data"]["kind"] == kind
                and test(m["content"]["data"])
            )
        )
        return message["content"]["data"]

    def ask(self, look, mouth, subshell=None, **data):
        number = uuid.uuid4().hex
        content = {"comm_id": mouth, "data": {"look": look, "id": number, **data}}
        self.send("comm_msg", content, subshell)
        return self.told(look, "answer", lambda answer: answer["id"] == number)

    def quiet(self):
        """Comm messages that come within a moment in which cells are run."""
        self.run("pass")
        came, limit = [], deadline(0.7)
        while not limit.passed:
            try:
                message = self.client.get_iopub_msg(timeout=limit.remaining or 0.01)
            except queue.Empty:
                break
            if message["msg_type"].startswith("comm"):
                came.append(message["content"])
        return came


@pytest.fixture(scope="module")
def scene():
    with playing() as scene:
        yield scene


@pytest.fixture(scope="module")
def kernel(scene):
    kernel = Kernel()
    try:
        assert kernel.listed() == 0
        kernel.run("%load_ext pyronb")
        kernel.run(f"%pyro_connect lab.counter as c --ns {scene.nameserver}")
        yield kernel
    finally:
        kernel.close()


@pytest.fixture
def look(kernel):
    number = kernel.open("look")
    yield number
    kernel.close_comm(number)


@pytest.fixture
def mouth(kernel):
    number = kernel.open("ask")
    yield number
    kernel.close_comm(number)


def test_it_is_listed(kernel):
    """So a panel knows that it may look, and no page hears of it otherwise."""
    assert kernel.listed() == 1
    assert kernel.quiet() == []


def test_without_the_extension(kernel):
    """A comm to a kernel that does not know the target is closed at once; with it, one that wants neither is."""
    number = kernel.open("nonsense")
    kernel.hear(lambda m: m["msg_type"] == "comm_close" and m["content"]["comm_id"] == number)


def test_what_is_there(kernel, look, scene):
    """Proxies, what is served, futures; and then what changed."""
    first = kernel.told(look, "notebook")
    (proxy,) = first["proxies"]
    assert ("c", "Counter", True, False) == (
        proxy["variable"], proxy["class_name"].rpartition(".")[2], proxy["connected"], proxy["asyncio"]
    )  # fmt: skip
    assert proxy["server"].startswith("pyronb ")
    assert [] == first["served"] == first["futures"] == first["callbacks"]
    assert abs(first["at"] - time.time()) < 60

    kernel.run("import pyronb\nother = pyronb.asyncproxy(c)\nlater = other.echo(7)\nlater.result()")
    data = kernel.told(look, "notebook", lambda data: data["futures"])
    assert [("later", "done", "7")] == [(each["where"], each["state"], each["text"]) for each in data["futures"]]

    kernel.run("del later\nc._pyroRelease()")
    data = kernel.told(look, "notebook", lambda data: not data["futures"] and not data["proxies"][0]["connected"])
    assert ["c"] == [each["variable"] for each in data["proxies"]]


def test_how_far_calls_are_and_who_calls_back(kernel, look):
    """What a running call tells of itself, and what others call here."""
    kernel.run(
        "import pyronb.news\nwork = pyronb.FutureResult()\nwork.report(pyronb.news.Progress(3, 10, 'moving', 6.0))\n"
        "def heard(value): pass\nc.echo(heard)"
    )
    data = kernel.told(look, "notebook", lambda data: data["futures"] and data["callbacks"])
    progress = {"done": 3, "total": 10, "fraction": 0.3, "remaining": 14.0, "message": "moving"}
    assert [progress] == [future["progress"] for future in data["futures"]]
    (callback,) = data["callbacks"]
    assert "heard" in callback["name"]
    assert callback["to"]
    kernel.run("del work, heard")


def test_nothing_is_sent_while_nobody_looks(kernel, look, mouth):
    """The last one who leaves ends it all."""
    kernel.told(look, "calls")
    assert not kernel.ask(look, mouth, ask="record", on=True)["error"]
    kernel.run("c.add(1)")
    kernel.told(look, "calls", lambda data: data["rows"])
    kernel.close_comm(look)
    kernel.run("c.add(1)")
    kernel.quiet()
    kernel.run("c.add(1); d = c")

    assert kernel.quiet() == []
    kernel.run("import threading; assert not [t for t in threading.enumerate() if t.name == 'pyronb-view']; del d")
    kernel.run("%pyro_calls off\n%pyro_calls clear")


def test_calls(kernel, look, mouth):
    """They are off, are switched on, come as they are made, and are told whole when asked for."""
    assert not kernel.told(look, "calls")["recording"]
    assert not kernel.ask(look, mouth, ask="record", on=True)["error"]
    kernel.run("c.add(2, times=3)\ntry: c.fail('no luck')\nexcept ValueError: pass")
    heard, rows = {}, []
    while len(heard) < 2 or any(row["outcome"] == "pending" for row in heard.values()):
        data = kernel.told(look, "calls", lambda data: data["rows"])
        heard.update({row["number"]: row for row in data["rows"]})
    rows = [heard[number] for number in sorted(heard)]
    assert [(".add(2, times=3)", "returned"), (".fail('no luck')", "raised")] == [
        (r["code"], r["outcome"]) for r in rows
    ]
    assert data["recording"]
    assert all(row["sent"] and row["received"] for row in rows)

    answer = kernel.ask(look, mouth, ask="call", number=rows[1]["number"])
    assert "c" == answer["call"]["variable"]
    assert "ValueError: no luck" == answer["call"]["error"]
    assert "scene.py" in answer["call"]["traceback"]
    assert "not kept" in kernel.ask(look, mouth, ask="call", number=10**9)["error"]
    assert [r["code"] for r in rows] == [c["code"] for c in kernel.ask(look, mouth, ask="export")["calls"]]

    assert not kernel.ask(look, mouth, ask="clear")["error"]
    assert kernel.told(look, "calls", lambda data: data["fresh"])["rows"] == []
    assert not kernel.ask(look, mouth, ask="record", on=False)["error"]
    kernel.run("c.add(1)")
    assert kernel.ask(look, mouth, ask="export")["calls"] == []


def test_questions(kernel, look, mouth):
    """About the object, its attributes, and what is not there."""
    kernel.run("c._pyroBind()")
    told = kernel.ask(look, mouth, ask="object", variable="c")["object"]
    assert {"add", "echo"} <= {method["name"] for method in told["methods"]}
    values = kernel.ask(look, mouth, ask="read", variable="c", names=["speed", "nothing"])["values"]
    assert "ok" == values["state"]
    assert {"text": "1.0", "number": 1.0, "error": ""} == values["values"]["speed"]
    assert "no attribute" in values["values"]["nothing"]["error"]
    assert "holds no proxy" in kernel.ask(look, mouth, ask="object", variable="nothing")["error"]
    assert "does not know" in kernel.ask(look, mouth, ask="nonsense")["error"]
    assert "not told" in kernel.ask(look, mouth, ask="read", variable="c", names="speed")["error"]
    assert not kernel.ask(look, mouth, ask="release", variable="c")["error"]
    kernel.run("assert not c._pyro.connected")


def test_a_busy_kernel(kernel, look):
    """What changes is sent while a cell runs, and questions are answered where the kernel has a subshell for them."""
    subshell = kernel.subshell()
    mouth = kernel.open("ask", subshell)
    kernel.told(look, "notebook")
    # The cell ends when the future was cancelled, and no earlier.
    kernel.run(
        "import time\nfuture = pyronb.FutureResult()\nwhile not future.cancelled(): time.sleep(0.01)", wait=False
    )
    data = kernel.told(look, "notebook", lambda data: data["futures"])
    (future,) = data["futures"]
    assert ("future", "pending") == (future["where"], future["state"])
    assert kernel.ask(look, mouth, subshell, ask="cancel", future=future["id"])["cancelled"]
    data = kernel.told(look, "notebook", lambda data: data["futures"][0]["state"] == "cancelled")
    assert "not held" in kernel.ask(look, mouth, subshell, ask="cancel", future="1")["error"]
    kernel.close_comm(mouth)
    kernel.run("del future")


def test_unloading(kernel):
    """The target is gone, and who looked is told."""
    number = kernel.open("look")
    kernel.told(number, "notebook")
    kernel.run("%unload_ext pyronb")
    kernel.hear(lambda m: m["msg_type"] == "comm_close" and m["content"]["comm_id"] == number)
    assert kernel.listed() == 0
