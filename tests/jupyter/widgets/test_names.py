"""NameServerBrowser: the real widget objects, driven as a browser drives them."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import ipywidgets
import pytest
from IPython.core.interactiveshell import InteractiveShell

import pyronb.widgets
from pyronb.config import config
from pyronb.jupyter.widgets import cells
from pyronb.jupyter.widgets.names import NameServerBrowser, matches
from pyronb.server.daemon import Daemon
from tests.jupyter.ipython.scene import HOST, HOSTILE, Counter, a_shell, bad_peer, nameserver, serving
from tests.support.programs import free_port
from tests.support.waiting import eventually, scaled


def pollers():
    return [thread for thread in threading.enumerate() if thread.name == "pyronb-names"]


def test_lists_the_names(scene, browse):
    browser = browse(scene.nameserver)
    eventually(lambda: "lab.counter" in browser.names)

    assert browser.state == "ok"
    assert browser._count.value == "2 of 2"
    assert scene.nameserver in browser._status.value
    assert browser.selected is None


def test_follows_changes(scene, browse):
    """Names come and go by themselves."""
    browser = browse(scene.nameserver)
    eventually(lambda: "lab.counter" in browser.names)
    scene.enter("lab.new", "PYRO:new@h:1")
    eventually(lambda: "lab.new" in browser.names)
    scene.leave("lab.new")

    eventually(lambda: "lab.new" not in browser.names)


def test_the_search_is_immediate(scene, browse):
    """It asks nobody: what is there already is filtered."""
    browser = browse(scene.nameserver, interval=1000)
    eventually(lambda: browser.names)
    browser._search.value = "COUNT"
    assert browser.names == ("lab.counter",)
    assert browser._count.value == "1 of 2"
    browser._search.value = "floor2"
    assert browser.names == ("lab.counter",)
    browser._search.value = "*.count*"
    assert browser.names == ("lab.counter",)
    browser._search.value = "xyzzy"
    assert browser.names == ()
    assert browser._count.value == "0 of 2"
    browser._search.value = ""

    assert len(browser.names) == 2


def test_a_selection_shows_the_object(scene, browse):
    browser = browse(scene.nameserver)
    eventually(lambda: "lab.counter" in browser.names)
    browser._list.value = "lab.counter"
    assert browser.selected == "lab.counter"
    eventually(lambda: "add(number: int" in browser._details.value)

    assert "Add a number, so many times." in browser._details.value
    assert "What came together." in browser._details.value
    browser._list.value = None
    assert "Select a name" in browser._details.value


def test_the_selection_survives_changes(scene, browse):
    """Names that come before it, and a search, leave it selected."""
    browser = browse(scene.nameserver)
    eventually(lambda: "lab.counter" in browser.names)
    browser._list.value = "lab.counter"
    eventually(lambda: "add(" in browser._details.value)
    scene.enter("a.first", "PYRO:first@h:1")
    eventually(lambda: "a.first" in browser.names)
    assert browser._list.value == "lab.counter"
    browser._search.value = "first"
    assert browser._list.value is None
    browser._search.value = ""

    assert browser._list.value == "lab.counter"
    assert "add(" in browser._details.value


def test_nothing_is_selected_by_itself(scene, browse):
    browser = browse(scene.nameserver)
    eventually(lambda: browser.names)
    scene.enter("a.first", "PYRO:first@h:1")
    eventually(lambda: "a.first" in browser.names)

    assert browser._list.value is None


def test_a_selected_name_that_goes(scene, browse):
    browser = browse(scene.nameserver)
    eventually(lambda: "lab.counter" in browser.names)
    browser._list.value = "lab.counter"
    scene.leave("lab.counter")
    eventually(lambda: "lab.counter is no longer registered." in browser._details.value)

    assert browser.selected is None


def test_a_selected_object_that_is_dead_and_comes_back(scene, browse):
    port = free_port()
    scene.enter("lab.late", f"PYRO:late@{HOST}:{port}")
    browser = browse(scene.nameserver)
    eventually(lambda: "lab.late" in browser.names)
    browser._list.value = "lab.late"
    eventually(lambda: "unreachable" in browser._details.value)
    with Daemon(host=HOST, port=port) as daemon:
        daemon.register(Counter(), "late")
        with serving(daemon):
            eventually(lambda: "add(number: int" in browser._details.value)


def test_a_selected_object_that_moves(scene, browse):
    """Registered anew at another place: its details are asked for again."""

    class Other(Counter):
        pass

    browser = browse(scene.nameserver)
    eventually(lambda: "lab.counter" in browser.names)
    browser._list.value = "lab.counter"
    eventually(lambda: "add(" in browser._details.value)
    scene.enter("lab.counter", scene.daemon.register(Other(), "elsewhere"))

    eventually(lambda: "PYRO:elsewhere@" in browser._details.value)


def test_the_refresh_button_asks_now(scene, browse):
    browser = browse(scene.nameserver, interval=1000)
    eventually(lambda: browser.names)
    scene.enter("lab.new", "PYRO:new@h:1")
    browser._again.click()

    eventually(lambda: "lab.new" in browser.names)


def test_a_name_server_that_is_down_and_comes_up(browse):
    """Making the browser does not raise, it says what is wrong, and recovers by itself."""
    port = free_port()
    browser = browse(f"{HOST}:{port}")
    eventually(lambda: browser.state == "unreachable" and "pyronb ns" in browser._status.value)
    assert "Trying again" in browser._status.value
    with nameserver(port):
        eventually(lambda: browser.state == "ok", timeout=10)
        assert browser.names
    eventually(lambda: browser.state == "unreachable", timeout=10)

    assert browser.names  # what was known stays in sight


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 100])
def test_a_peer_that_is_no_name_server(browse, answer, monkeypatch):
    monkeypatch.setattr("pyronb.jupyter.widgets.watch._TIMEOUT", scaled(4))
    with bad_peer(answer) as address:
        began = time.monotonic()
        browser = browse(address)
        assert time.monotonic() - began < scaled(3.5)
        eventually(lambda: browser.state not in ("ok", "unknown"), timeout=10)
        browser.close()


def test_the_configured_name_server_is_the_default(scene, browse, monkeypatch):
    host, _, port = scene.nameserver.partition(":")
    monkeypatch.setattr(config, "NS_HOST", host)
    monkeypatch.setattr(config, "NS_PORT", int(port))
    browser = browse(None)

    eventually(lambda: "lab.counter" in browser.names)


@pytest.mark.parametrize("ns", ["h:port", "h:1:2", ""])
def test_an_address_that_is_none(ns):
    with pytest.raises(ValueError, match=r"\w"):
        NameServerBrowser(ns)


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_an_interval_that_is_none(interval):
    with pytest.raises(ValueError, match="interval"):
        NameServerBrowser("h:1", interval=interval)


def test_closing_ends_the_thread(scene, browse):
    browser = browse(scene.nameserver)
    eventually(lambda: browser.names)
    browser.close()

    eventually(lambda: not browser._watch.alive)
    browser.close()
    assert all(part.comm is None for part in (browser, browser._list, browser._details))


def test_forgetting_ends_the_thread(scene, no_leaks):
    """A browser that nobody has any more, after ipywidgets forgot it too."""
    browser = NameServerBrowser(scene.nameserver, interval=0.1)
    gone = weakref.ref(browser)
    watch = browser._watch
    ipywidgets.VBox.close(browser)
    for part in (*browser._parts, *browser.children):
        part.close()
    del browser, part
    gc.collect()

    def collected():
        gc.collect()
        return gone() is None

    eventually(collected)
    eventually(lambda: not watch.alive)


def test_the_saved_notebook_shows_the_names(scene, browse):
    """Displaying waits a little for the first answer; text and HTML stand beside the live view."""
    scene.enter(f"lab.{HOSTILE}", "PYRO:h@h:1", {HOSTILE})
    bundle = browse(scene.nameserver)._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "lab.counter" in bundle["text/plain"]
    assert "<table" in bundle["text/html"]
    assert "lab.counter" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]


def test_displaying_does_not_wait_for_a_silent_name_server(browse, monkeypatch):
    monkeypatch.setattr("pyronb.jupyter.widgets.watch._TIMEOUT", scaled(10))
    with bad_peer() as address:
        browser = browse(address)
        began = time.monotonic()
        bundle = browser._repr_mimebundle_()
        assert time.monotonic() - began < scaled(5)
        assert "has not answered yet" in bundle["text/html"]
        browser.close()


def test_hostile_names_are_escaped(scene, browse):
    scene.offer(f"lab.{HOSTILE}", Counter(), {HOSTILE})
    browser = browse(scene.nameserver)
    eventually(lambda: f"lab.{HOSTILE}" in browser.names)
    browser._list.value = f"lab.{HOSTILE}"
    eventually(lambda: "add(" in browser._details.value)

    assert "<script" not in browser._details.value + browser._status.value


def test_an_unchanged_list_sends_nothing(scene, browse, monkeypatch):
    """Looking again and seeing the same does not disturb the scroll position."""
    browser = browse(scene.nameserver, interval=0.05)
    eventually(lambda: browser.names)
    sent = []
    looks = []
    monkeypatch.setattr(type(browser._list), "send_state", lambda self, key=None: sent.extend(key))
    monkeypatch.setattr(NameServerBrowser, "_draw", lambda self: (looks.append(1), original_draw(self)))
    eventually(lambda: len(looks) > 3)

    assert sent == []


original_draw = NameServerBrowser._draw


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with a_shell() as shell:
        yield shell


def test_running_a_cell_again_leaves_one_poller(scene, shell, no_leaks):
    """The view that the same cell made before is closed; the views of other cells are not."""
    shell.user_ns["ns"] = scene.nameserver
    source = "from pyronb.widgets import NameServerBrowser\nb = NameServerBrowser(ns); b2 = NameServerBrowser(ns)"
    for _ in range(3):
        assert shell.run_cell(source, store_history=True).success
        eventually(lambda: len(pollers()) == 2)
    shell.run_cell("other = NameServerBrowser(ns)", store_history=True)
    eventually(lambda: len(pollers()) == 3)
    for name in ("b", "b2", "other"):
        shell.user_ns[name].close()
    eventually(lambda: not pollers())


def test_cells_of_a_kernel_are_known_by_their_id(shell, monkeypatch):
    parent = {"header": {"msg_id": "m1"}, "metadata": {"cellId": "c1"}}
    monkeypatch.setattr(InteractiveShell, "get_parent", lambda self: parent, raising=False)

    assert cells.where() == ("c1", "m1")


def test_the_short_name():
    assert pyronb.widgets.NameServerBrowser is NameServerBrowser
    assert isinstance(NameServerBrowser.__doc__, str)


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("", True), ("lab", True), ("LAB.C", True), (" lab ", True), ("tag", True), ("lab.*", True), ("*", True),
        ("l?b.cam", True), ("[kl]ab.cam", True), ("cam*", False), ("xyzzy", False), ("lab.cam.", False),
        ("class:*", True),        ("[", False),
    ],
)  # fmt: skip
def test_matches(query, fits):
    assert fits is matches({"name": "Lab.cam", "uri": "PYRO:x@h:1", "tags": ["tagged", "class:Camera"]}, query)
