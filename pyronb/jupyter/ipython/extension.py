"""`%load_ext pyronb`: what is put into a shell, and how it is taken out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from IPython.core.interactiveshell import InteractiveShell

from pyronb.calls import CallRecord, brief, record
from pyronb.config import config
from pyronb.futures import FutureResult
from pyronb.jupyter.ipython.calls import CallMagics
from pyronb.jupyter.ipython.comm import MAX_CALLS, KernelView
from pyronb.jupyter.ipython.completion import make_matcher
from pyronb.jupyter.ipython.inspection import Inspection
from pyronb.jupyter.ipython.interrupts import Wakeful
from pyronb.jupyter.ipython.looking import LookingMagics
from pyronb.jupyter.ipython.magics import PyroMagics
from pyronb.jupyter.ipython.news import CellNews
from pyronb.jupyter.ipython.publishing import EmbeddedNameServer, Publisher
from pyronb.jupyter.ipython.reprs import future_html, object_html, uri_html
from pyronb.jupyter.ipython.serving import ServingMagics
from pyronb.jupyter.ipython.tracebacks import RemoteTracebacks
from pyronb.jupyter.ipython.words import BODY
from pyronb.jupyter.runtime import object_model
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def proxy_html(proxy: Proxy) -> str | None:
    """Show a proxy as a card, from what it knows already."""
    link = proxy._pyro
    model = object_model(proxy, str(link.uri.object) if link.uri.protocol == "PYRONAME" else "")
    # Not to be connected is no failure: a proxy connects when it is used.
    model["state"] = "ok"
    return object_html(model, note="" if link.connected else "Not connected; it connects when it is used.")


def result_html(future: FutureResult) -> str | None:
    """Show a future in its present state, without waiting."""
    if not future.done():
        return future_html("running" if future.running() else "pending", "")
    if future.cancelled():
        return future_html("cancelled", "")
    error = future.exception()
    if error is not None:
        return future_html("failed", f"{type(error).__name__}: {error}")
    return future_html("done", brief(future.result()))


def _safe(show: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    """Looking never fails: without HTML the plain text is shown."""

    def shown(value: Any) -> str | None:
        try:
            return show(value)
        except Exception:
            return None

    return shown


class _Loaded:
    """What was put into one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._publisher = Publisher()
        self._nameserver = EmbeddedNameServer()
        self._recording = record(MAX_CALLS, self._call_changed)
        self._view = KernelView(shell, self._publisher, self._nameserver, self._recording)
        self._magics = (
            PyroMagics(shell),
            LookingMagics(shell, self._publisher),
            ServingMagics(shell, self._publisher, self._nameserver),
            CallMagics(shell, self._recording, self._view.changed),
        )
        self._matcher = make_matcher(shell)
        self._tracebacks = RemoteTracebacks(shell, BODY)
        self._inspection = Inspection(shell)
        self._news = CellNews(shell)
        self._wakeful = Wakeful(shell)
        self._formats: dict[type, Callable[[Any], str | None]] = {
            Proxy: _safe(proxy_html),
            URI: _safe(lambda uri: uri_html(str(uri))),
            FutureResult: _safe(result_html),
        }
        self._before: dict[type, Any] = {}

    def _call_changed(self, made: CallRecord) -> None:
        self._view.changed(made)

    def install(self, shell: InteractiveShell) -> None:
        shell.register_magics(*self._magics)
        shell.Completer.custom_matchers.append(self._matcher)
        self._tracebacks.install()
        self._inspection.install()
        self._news.install()
        self._wakeful.install()
        formatter = _html(shell)
        for kind, show in self._formats.items():
            self._before[kind] = formatter.for_type(kind, show)
        self._view.install()
        if config.RECORD_CALLS:
            self._recording.start()

    def remove(self, shell: InteractiveShell) -> None:
        manager = shell.magics_manager
        for known in manager.magics.values():
            ours = [name for name, magic in known.items() if getattr(magic, "__self__", None) in self._magics]
            for name in ours:
                del known[name]
        for magics in self._magics:
            manager.registry.pop(type(magics).__name__, None)
        if self._matcher in shell.Completer.custom_matchers:
            shell.Completer.custom_matchers.remove(self._matcher)
        self._tracebacks.remove()
        self._inspection.remove()
        self._news.remove()
        self._wakeful.remove()
        self._recording.stop()
        self._view.remove()
        self._publisher.close()
        self._nameserver.stop()
        formatter = _html(shell)
        for kind, show in self._formats.items():
            if formatter.type_printers.get(kind) is show:
                formatter.pop(kind)
                if self._before[kind] is not None:
                    formatter.for_type(kind, self._before[kind])


def _html(shell: InteractiveShell) -> Any:
    formatter: Any = shell.display_formatter
    return formatter.formatters["text/html"]


_loaded: WeakKeyDictionary[InteractiveShell, _Loaded] = WeakKeyDictionary()


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add the magics, completion, cards and remote tracebacks to a shell; a second time changes nothing."""
    if shell not in _loaded:
        loaded = _Loaded(shell)
        loaded.install(shell)
        _loaded[shell] = loaded


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take all of it out again; without having been loaded this does nothing."""
    loaded = _loaded.pop(shell, None)
    if loaded is not None:
        loaded.remove(shell)
