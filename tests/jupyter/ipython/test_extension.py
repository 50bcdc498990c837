"""Loading, loading again, and unloading without a trace."""

from __future__ import annotations

import sys
import threading

import pytest

import pyronb.aio
from pyronb.futures import FutureResult
from pyronb.jupyter.ipython.extension import load_ipython_extension, unload_ipython_extension
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI
from tests.jupyter.ipython.scene import HOSTILE


def state(shell):
    """Everything of a shell that the extension may change."""
    formatter = shell.display_formatter.formatters["text/html"]
    return (
        {kind: set(known) for kind, known in shell.magics_manager.magics.items()},
        "PyroMagics" in shell.magics_manager.registry,
        list(shell.Completer.custom_matchers),
        dict(formatter.type_printers),
        vars(shell.InteractiveTB).get("structured_traceback"),
        vars(shell.SyntaxTB).get("structured_traceback"),
        vars(shell).get("_ofind"),
        {thread.name for thread in threading.enumerate()},
        set(shell.user_ns),
    )


def test_unloading_leaves_nothing(bare_shell):
    before = state(bare_shell)
    load_ipython_extension(bare_shell)
    assert state(bare_shell) != before
    unload_ipython_extension(bare_shell)

    assert before == state(bare_shell)


def test_loading_twice_is_harmless(bare_shell):
    before = state(bare_shell)
    load_ipython_extension(bare_shell)
    once = state(bare_shell)
    load_ipython_extension(bare_shell)
    assert once == state(bare_shell)
    unload_ipython_extension(bare_shell)

    assert before == state(bare_shell)


def test_unloading_without_loading_is_harmless(bare_shell):
    before = state(bare_shell)
    unload_ipython_extension(bare_shell)

    assert before == state(bare_shell)


def test_loading_again_works(shell, cell):
    unload_ipython_extension(shell)
    assert "not found" in str(cell("%pyro_connect").error)
    load_ipython_extension(shell)

    assert "required: NAME_OR_URI" in str(cell("%pyro_connect").error)


def test_other_peoples_work_survives_unloading(bare_shell):
    """What came after loading is not touched."""
    load_ipython_extension(bare_shell)
    wrapped = bare_shell.InteractiveTB.structured_traceback

    def later(*args):
        return wrapped(*args)

    bare_shell.InteractiveTB.structured_traceback = later
    unload_ipython_extension(bare_shell)

    assert bare_shell.InteractiveTB.structured_traceback(ValueError, ValueError("x"), None)


@pytest.fixture
def any_shell(bare_shell, request):
    """A shell with the extension, or without: cards need none."""
    if request.param == "with":
        load_ipython_extension(bare_shell)
    return bare_shell


both = pytest.mark.parametrize("any_shell", ["with", "without"], indirect=True)


def html(shell, value):
    data, _ = shell.display_formatter.format(value)
    return data.get("text/html")


def test_a_proxy_shows_its_card(shell, counter, network):
    """From what it knows, without asking."""
    card = html(shell, counter)

    assert "add(number: int" in card
    assert "lab.counter" in card
    assert network.calls == []


@both
def test_an_unconnected_proxy_shows_what_to_do(any_shell, network):
    card = html(any_shell, Proxy("PYRO:a@127.0.0.1:1"))

    assert "Not connected; it connects when it is used." in card
    assert "unreachable" not in card
    assert network.calls == []


@both
def test_a_uri_is_escaped(any_shell):
    shown = html(any_shell, URI(f"PYRO:{HOSTILE}@h:1"))

    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


@both
def test_a_future_shows_its_state(any_shell):
    future = FutureResult()
    assert "pending" in html(any_shell, future)
    future.set_running_or_notify_cancel()
    assert "running" in html(any_shell, future)
    future.set_result(HOSTILE)
    assert "done" in html(any_shell, future)
    assert "<script" not in html(any_shell, future)
    failed = FutureResult()
    failed.set_exception(ValueError(HOSTILE))
    assert "failed" in html(any_shell, failed)
    assert "<script" not in html(any_shell, failed)
    cancelled = FutureResult()
    cancelled.cancel()
    assert "cancelled" in html(any_shell, cancelled)


def test_showing_never_fails(shell):
    """A broken object falls back to plain text."""

    class Broken:
        def __repr__(self):
            raise RuntimeError("no repr")

    future = FutureResult()
    future.set_result(Broken())

    assert "done" in html(shell, future)


def test_a_card_that_cannot_be_made_leaves_the_text(bare_shell, monkeypatch):
    """For instance without Jupyter's parts."""
    monkeypatch.setitem(sys.modules, "pyronb.jupyter.ipython.cards", None)
    data, _ = bare_shell.display_formatter.format(URI("PYRO:a@h:1"))

    assert data == {"text/plain": "<pyronb.URI PYRO:a@h:1>"}


def test_other_peoples_cards_come_first(bare_shell):
    """What somebody registered for a class is shown instead."""
    bare_shell.display_formatter.formatters["text/html"].for_type(URI, lambda uri: "theirs")

    assert html(bare_shell, URI("PYRO:a@h:1")) == "theirs"


@both
def test_proxies_of_the_other_room_have_cards(any_shell, network):
    """The same."""
    assert "Not connected" in html(any_shell, pyronb.aio.Proxy("PYRO:a@127.0.0.1:1"))
    assert network.calls == []
