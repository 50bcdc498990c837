"""`%load_ext pyronb`: what is put into a shell, and how it is taken out again."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from IPython.core.interactiveshell import InteractiveShell

from pyronb.calls import CallRecord, record
from pyronb.config import config
from pyronb.jupyter.ipython.calls import CallMagics
from pyronb.jupyter.ipython.comm import MAX_CALLS, KernelView
from pyronb.jupyter.ipython.completion import make_matcher
from pyronb.jupyter.ipython.inspection import Inspection
from pyronb.jupyter.ipython.interrupts import Wakeful
from pyronb.jupyter.ipython.looking import LookingMagics
from pyronb.jupyter.ipython.magics import PyroMagics
from pyronb.jupyter.ipython.news import CellNews
from pyronb.jupyter.ipython.publishing import EmbeddedNameServer, Publisher
from pyronb.jupyter.ipython.serving import ServingMagics
from pyronb.jupyter.ipython.tracebacks import RemoteTracebacks
from pyronb.jupyter.ipython.words import BODY

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


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

    def _call_changed(self, made: CallRecord) -> None:
        self._view.changed(made)

    def install(self, shell: InteractiveShell) -> None:
        shell.register_magics(*self._magics)
        shell.Completer.custom_matchers.append(self._matcher)
        self._tracebacks.install()
        self._inspection.install()
        self._news.install()
        self._wakeful.install()
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
