"""ObjectView: the real widget, with a real object behind it."""

from __future__ import annotations

import threading
import time

import ipywidgets
import pytest
from IPython.core.formatters import format_display_data

import pyronb.widgets
from pyronb.jupyter.widgets.objects import MAX_PINS, ObjectView
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from pyronb.sync.proxy import Proxy
from tests.jupyter.ipython.scene import HOST, HOSTILE, NetworkProbe, a_shell, serving
from tests.support.programs import free_port
from tests.support.waiting import eventually


@expose
class Instrument:
    """An <i>instrument</i>.

    To play with.
    """

    def __init__(self):
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.reads = 0
        self.set = [1.5]

    def mix(self, number: int, factor: float = 1.5, loud: bool = False, text: str = "a", data=None) -> str:
        """Mix <b>things</b>."""
        return repr((number, factor, loud, text, data))

    def fail(self):
        raise ValueError(HOSTILE)

    def wait(self):
        self.entered.set()
        self.leave.wait(20)

    def hostile(self):
        return HOSTILE

    @property
    def level(self) -> int:
        """How <u>high</u>."""
        self.reads += 1
        return self.reads

    @property
    def broken(self):
        raise RuntimeError("no level")

    @property
    def gain(self) -> float:
        """Set me."""
        return self.set[-1]

    @gain.setter
    def gain(self, value):
        if value < 0:
            raise ValueError(f"too low {HOSTILE}")
        self.set.append(value)

    @property
    def anything(self):
        return {"a": [1, None]}

    @anything.setter
    def anything(self, value):
        self.set.append(value)


@pytest.fixture
def instrument(scene):
    instrument = Instrument()
    with Proxy(scene.daemon.register(instrument, "instrument")) as proxy:
        proxy._pyroBind()
        yield instrument, proxy
        instrument.leave.set()


@pytest.fixture
def show(no_leaks):
    made = []

    def make(proxy, **options):
        made.append(ObjectView(proxy, **options))
        return made[-1]

    yield make
    for view in made:
        view.close()


def names(view):
    return [name for _, name in view._list.options]


def details(view):
    """All the HTML of the panel on the right."""

    def texts(part):
        if isinstance(part, ipywidgets.HTML):
            yield part.value
        for inner in getattr(part, "children", ()):
            yield from texts(inner)

    return "".join(texts(view._details))


def test_it_shows_what_the_proxy_knows_and_asks_nobody(instrument, show, monkeypatch):
    _, proxy = instrument
    probe = NetworkProbe(monkeypatch)
    view = show(proxy)
    format_display_data(view)
    view.select("mix")
    repr(view)
    eventually(lambda: "Instrument" in view._head.value)

    assert probe.calls == []
    assert names(view) == ["fail", "hostile", "mix", "wait", "anything", "broken", "gain", "level"]
    assert view._connect.layout.display == "none"
    assert "An &lt;i&gt;instrument" in view._head.value
    assert "Mix &lt;b&gt;things" in details(view)


def test_a_proxy_that_is_not_connected(instrument, show):
    _, proxy = instrument
    view = show(Proxy(proxy._pyroUri))
    eventually(lambda: "Not connected" in view._head.value)
    assert names(view) == []
    view._connect.click()
    eventually(lambda: "mix" in names(view))
    eventually(lambda: view._connect.layout.display == "none")
    view.select("mix")

    assert "number: int" in details(view)


def test_connecting_to_a_dead_object_says_why(show):
    view = show(Proxy(f"PYRO:x@{HOST}:{free_port()}"))
    view.connect()
    eventually(lambda: "ConnectionRefused" in view._head.value or "refused" in view._head.value)

    assert view._connect.layout.display is None


def test_the_form_has_typed_inputs_and_shows_its_code(instrument, show):
    _, proxy = instrument
    view = show(proxy)
    view.select("mix")
    panel = view._panel
    kinds = [type(part) for part in panel._inputs.values()]
    assert kinds == [
        ipywidgets.IntText, ipywidgets.FloatText, ipywidgets.Checkbox, ipywidgets.Text, ipywidgets.Text
    ]  # fmt: skip
    panel._inputs["number"].value = 7
    panel._inputs["loud"].value = True
    eventually(lambda: "proxy.mix(7, loud=True)" in panel._code.value)
    panel._inputs["data"].value = "{'a': [1, 2"
    eventually(lambda: "no Python literal" in panel._code.value and panel.call.disabled)
    panel.start()
    panel._inputs["data"].value = "{'a': [1, 2]}"
    eventually(lambda: "data={&#x27;a&#x27;: [1, 2]}" in panel._code.value and not panel.call.disabled)
    panel.call.click()
    eventually(lambda: view.result)

    assert view.result == "(7, 1.5, True, 'a', {'a': [1, 2]})"
    eventually(lambda: "took" in panel._shown.value)


def test_the_code_names_the_variable(instrument, show):
    _, proxy = instrument
    with a_shell() as shell:
        shell.user_ns["scope"] = proxy
        view = show(proxy)
    view.select("wait")
    eventually(lambda: "scope.wait()" in view._panel._code.value)


def test_an_error_is_folded_with_the_far_traceback(instrument, show):
    _, proxy = instrument
    view = show(proxy)
    view.select("fail")
    view._panel.call.click()
    shown = view._panel._shown
    eventually(lambda: "<details>" in shown.value)

    assert "Traceback of the far side" in shown.value
    assert "in fail" in shown.value
    assert "<script" not in shown.value
    assert view.result is None


def test_while_a_call_runs(instrument, show):
    """Its time is counted, attributes can be read, and one may stop waiting."""
    instrument, proxy = instrument
    view = show(proxy)
    view.select("wait")
    panel = view._panel
    panel.call.click()
    assert instrument.entered.wait(10)
    eventually(lambda: "running" in panel._state.value and panel.call.disabled)
    first = panel._state.value
    eventually(lambda: panel._state.value != first)
    view.select("level")
    view.read("level")
    eventually(lambda: ">1</pre>" in details(view))
    view.select("wait")
    panel._leave.click()
    eventually(lambda: "ConnectionClosed" in panel._shown.value or "failed" in panel._shown.value, timeout=10)
    instrument.leave.set()


def test_results_are_escaped(instrument, show):
    _, proxy = instrument
    view = show(proxy)
    view.select("hostile")
    view._panel.call.click()
    eventually(lambda: "alert(1)" in view._panel._shown.value)

    assert "<script" not in details(view)


def test_reading_an_attribute(instrument, show):
    instrument, proxy = instrument
    view = show(proxy)
    view.select("level")
    assert "How &lt;u&gt;high" in details(view)
    eventually(lambda: "Not read yet" in details(view))
    assert instrument.reads == 0
    view._panel.read.click()
    eventually(lambda: ">1</pre>" in details(view))
    view.select("broken")
    view._panel.read.click()
    eventually(lambda: "no level" in details(view))

    assert "Traceback of the far side" in details(view)
    assert "level = 1" in repr(view)


def test_setting_an_attribute(instrument, show):
    """The field follows what was read, and shows the code that it runs; what was set is read anew."""
    thing, proxy = instrument
    view = show(proxy)
    view.select("gain")
    form = view._panel.form
    view.read("gain")
    eventually(lambda: form.input.value == 1.5)
    form.input.value = 2.5
    eventually(lambda: "proxy.gain = 2.5" in form._code.value)
    form.set.click()

    eventually(lambda: thing.set == [1.5, 2.5])
    eventually(lambda: "<pre>2.5</pre>" in view._panel._value.value)
    eventually(lambda: "set at " in form._shown.value)


def test_setting_that_fails_keeps_the_value(instrument, show):
    """The error is shown, and what was typed stays, to be mended."""
    thing, proxy = instrument
    view = show(proxy)
    view.select("gain")
    form = view._panel.form
    view.read("gain")
    eventually(lambda: "<pre>1.5</pre>" in view._panel._value.value)
    form.input.value = -1.0
    form.set.click()
    eventually(lambda: "too low" in form._shown.value)

    assert "<script" not in form._shown.value
    assert "<pre>1.5</pre>" in view._panel._value.value
    assert form.input.value == -1.0
    assert thing.set == [1.5]
    eventually(lambda: not form.set.disabled)


def test_fields_of_attributes(instrument, show):
    """Any literal where the type is not known; none where it cannot be set."""
    thing, proxy = instrument
    view = show(proxy)
    view.select("anything")
    form = view._panel.form
    view.read("anything")
    eventually(lambda: form.input.value == "{'a': [1, None]}")
    form.input.value = "no literal ["
    eventually(lambda: form.set.disabled)
    form.set.click()
    view.write("anything", (1, 2))
    eventually(lambda: thing.set == [1.5, (1, 2)])
    view.select("level")

    assert view._panel.form is None


def test_pinned_attributes_are_polled_by_one_thread(instrument, show):
    instrument, proxy = instrument
    view = show(proxy, interval=0.05)
    view.select("level")
    view._panel._pin.value = True
    view.pin("broken")
    assert view.pinned == ("level", "broken")
    eventually(lambda: instrument.reads > 3)
    eventually(lambda: "no level" in view._table.value and "level" in view._table.value)
    for _ in range(10):
        view._interval.value += 0.01
    threads = [thread for thread in threading.enumerate() if thread.name == "pyronb-errands"]
    assert len(threads) == 1
    eventually(lambda: len(view._reads._due) <= 1)
    view._poll.value = False
    eventually(lambda: not view._reads._due)
    eventually(lambda: "not read any more" in view._poll_note.value)
    reads = instrument.reads
    view._poll.value = True
    eventually(lambda: instrument.reads > reads)
    view._panel._pin.value = False
    view.unpin("broken")
    eventually(lambda: not view._reads._due and view._pinned.layout.display == "none")


def test_a_polled_object_that_goes_and_comes_back(show):
    port = free_port()
    with Daemon(host=HOST, port=port) as daemon:
        proxy = Proxy(daemon.register(Instrument(), "instrument"))
        with serving(daemon), proxy:
            proxy._pyroBind()
            view = show(proxy, interval=0.05)
            view.pin("level")
            eventually(lambda: "<code" in view._table.value)
    eventually(lambda: "pyronb-bad" in view._table.value, timeout=10)
    eventually(lambda: "not reached" in view._poll_note.value)
    with Daemon(host=HOST, port=port) as daemon:
        daemon.register(Instrument(), "instrument")
        with serving(daemon):
            view._poll.value = False
            view._poll.value = True
            eventually(lambda: "pyronb-bad" not in view._table.value, timeout=10)
            view.close()


def test_pins_are_bounded(instrument, show):
    _, proxy = instrument
    view = show(proxy)
    view._poll.value = False
    for number in range(MAX_PINS):
        view.pin(f"a{number}")
    with pytest.raises(ValueError, match="pinned"):
        view.pin("one more")


def test_the_search(instrument, show):
    _, proxy = instrument
    view = show(proxy)
    view.select("mix")
    view._search.value = "LEV"
    assert names(view) == ["level"]
    view._search.value = "*i*"
    assert names(view) == ["fail", "hostile", "mix", "wait", "anything", "gain"]
    with pytest.raises(ValueError, match="no 'level'"):
        view.select("level")
    view._search.value = ""
    view.select("mix")
    assert "Mix" in details(view)


def test_closing_ends_a_call_that_hangs(instrument, show):
    """`no_leaks` looks for threads and connections."""
    instrument, proxy = instrument
    view = show(proxy, interval=0.05)
    view.pin("level")
    view.select("wait")
    view._panel.call.click()
    assert instrument.entered.wait(10)
    began = time.monotonic()
    view.close()
    assert time.monotonic() - began < 5

    def errands():
        return [thread for thread in threading.enumerate() if thread.name == "pyronb-errands"]

    eventually(lambda: not errands())


def test_the_saved_notebook(instrument, show):
    _, proxy = instrument
    view = show(proxy)
    view.read("level")
    eventually(lambda: "level = 1" in repr(view))
    bundle = view._repr_mimebundle_()

    assert "mix(number: int" in bundle["text/plain"]
    assert "not connected" in bundle["text/html"]
    assert "<b>things" not in bundle["text/html"]


def test_what_cannot_be_shown(instrument):
    _, proxy = instrument
    with pytest.raises(TypeError, match=r"pyronb\.Proxy"):
        ObjectView("PYRO:x@h:1")
    for interval in (0, -1, float("nan"), float("inf"), 1e6):
        with pytest.raises(ValueError, match="interval"):
            ObjectView(proxy, interval=interval)


def test_the_short_name():
    assert pyronb.widgets.ObjectView is ObjectView
