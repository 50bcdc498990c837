"""Functions of a notebook that are called back, in a real kernel: where their output goes, and when they are gone."""

from __future__ import annotations

import queue

import pytest

pytest.importorskip("ipykernel")


from pyronb.errors import CommunicationError, DaemonError
from pyronb.server.exposure import expose
from tests.support.kernels import RealKernel
from tests.support.serving import serving
from tests.support.waiting import deadline, eventually

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")


@expose
class Station:
    """Keeps functions; the test calls them."""

    def __init__(self):
        self.functions = []

    def subscribe(self, function):
        self.functions.append(function)

    def tell(self, number, value):
        with self.functions[number] as function:
            return function(value)


class Kernel(RealKernel):
    """A kernel, and what it says on behalf of each cell."""

    def __init__(self):
        super().__init__()
        self.outputs = {}

    def begin(self, source):
        """Begin to run a cell, and give its number."""
        return self.client.execute(source)

    def finish(self, number):
        """Wait for the end of a cell."""
        limit = deadline(30)
        while (reply := self.client.get_shell_msg(timeout=limit.remaining))["parent_header"]["msg_id"] != number:
            pass
        assert reply["content"]["status"] == "ok", reply["content"]

    def run(self, source):
        number = self.begin(source)
        self.finish(number)
        return number

    def output(self, number):
        """Give what a cell has put out so far."""
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=0.01)
            except queue.Empty:
                return self.outputs.get(number, "")
            content, of = message["content"], message["parent_header"].get("msg_id")
            if message["msg_type"] in ("stream", "display_data"):
                text = content.get("text") or content["data"]["text/plain"] + "\n"
                self.outputs[of] = self.outputs.get(of, "") + text


@pytest.fixture
def kernel():
    started = Kernel()
    yield started
    started.close()


def test_output_goes_to_the_cell_that_subscribed(kernel):
    """Each function prints where it was given away, between cells and while another one runs; with it all goes."""
    station = Station()
    with serving() as daemon:
        uri = daemon.register(station, "station")
        kernel.run(f"import pyronb, time\n%load_ext pyronb\nstation = pyronb.Proxy({str(uri)!r})")
        first = kernel.run(
            "seen = []\ndef heard(value):\n    print('one', value)\n    seen.append(value)\nstation.subscribe(heard)"
        )
        second = kernel.run(
            "from IPython.display import display, Pretty\n"
            "async def shown(value):\n    display(Pretty(f'two {value}'))\n    print('after', value)\n"
            "station.subscribe(shown)"
        )
        station.tell(0, "a")
        station.tell(1, "b")
        busy = kernel.begin("print('busy')\nwhile 'end' not in seen:\n    time.sleep(0.01)")
        eventually(lambda: "busy" in kernel.output(busy))
        station.tell(0, "c")
        station.tell(1, "d")
        eventually(lambda: "after d" in kernel.output(second))
        assert kernel.output(first) == "one a\none c\n"
        assert kernel.output(second) == "two b\nafter b\ntwo d\nafter d\n"
        assert kernel.output(busy) == "busy\n"
        station.tell(0, "end")
        kernel.finish(busy)

        status = kernel.run("%pyro_status")
        shown = eventually(lambda: kernel.output(status))
        assert "Called back: 2" in shown
        assert "heard  " in shown
        assert "  own connection  3  0  " in shown

        kernel.run("del heard")
        with pytest.raises((CommunicationError, DaemonError), match=r"is gone|unknown object|has gone"):
            station.tell(0, "e")
        station.tell(1, "f")
        kernel.manager.shutdown_kernel(now=True)
        with pytest.raises(CommunicationError, match="has gone"):
            station.tell(1, "g")
