"""Loading, loading again, and unloading without a trace."""

from __future__ import annotations

import threading

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
    """What was registered before is there again; what came after is not touched."""
    formatter = bare_shell.display_formatter.formatters["text/html"]

    def earlier(uri):
        return "earlier"

    formatter.for_type(URI, earlier)
    load_ipython_extension(bare_shell)
    wrapped = bare_shell.InteractiveTB.structured_traceback

    def later(*args):
        return wrapped(*args)

    bare_shell.InteractiveTB.structured_traceback = later
    unload_ipython_extension(bare_shell)

    assert formatter.lookup_by_type(URI) is earlier
    assert bare_shell.InteractiveTB.structured_traceback(ValueError, ValueError("x"), None)


def html(shell, value):
    data, _ = shell.display_formatter.format(value)
    return data.get("text/html")


def test_a_proxy_shows_its_card(shell, counter, network):
    """From what it knows, without asking."""
    card = html(shell, counter)

    assert "add(number: int" in card
    assert "lab.counter" in card
    assert network.calls == []


def test_an_unconnected_proxy_shows_what_to_do(shell, network):
    card = html(shell, Proxy("PYRO:a@127.0.0.1:1"))

    assert "Not connected; it connects when it is used." in card
    assert "unreachable" not in card
    assert network.calls == []


def test_a_uri_is_escaped(shell):
    shown = html(shell, URI(f"PYRO:{HOSTILE}@h:1"))

    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_a_future_shows_its_state(shell):
    future = FutureResult()
    assert "pending" in html(shell, future)
    future.set_running_or_notify_cancel()
    assert "running" in html(shell, future)
    future.set_result(HOSTILE)
    assert "done" in html(shell, future)
    assert "<script" not in html(shell, future)
    failed = FutureResult()
    failed.set_exception(ValueError(HOSTILE))
    assert "failed" in html(shell, failed)
    assert "<script" not in html(shell, failed)
    cancelled = FutureResult()
    cancelled.cancel()
    assert "cancelled" in html(shell, cancelled)


def test_showing_never_fails(shell):
    """A broken object falls back to plain text."""

    class Broken:
        def __repr__(self):
            raise RuntimeError("no repr")

    future = FutureResult()
    future.set_result(Broken())

    assert "done" in html(shell, future)
