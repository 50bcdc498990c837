"""pyronb: remote Python objects for notebooks and programs, wire-compatible with Pyro5 and Pyro4.

This is the list of public names. A name is loaded when it is first used, so that importing the package costs little:
Jupyter's server does so at its start, and a program that only calls needs no daemon. There is no other logic here but
the hooks through which IPython and Jupyter find their parts.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from pyronb import errors
from pyronb.version import __version__

__all__ = [
    "URI",
    "Daemon",
    "Future",
    "FutureResult",
    "Output",
    "Progress",
    "Proxy",
    "SerializedBlob",
    "SerializerBase",
    "__version__",
    "asyncproxy",
    "batch",
    "behavior",
    "by_reference",
    "callback",
    "cancelled",
    "config",
    "current_context",
    "errors",
    "expose",
    "getPyroTraceback",
    "locateNS",
    "oneway",
    "progress",
    "resolve",
    "serveSimple",
    "startNS",
    "startNSloop",
    "track",
    "type_meta",
    "withdraw",
]

# Where the names are that are loaded when they are first used. Type checkers read __init__.pyi; a test holds the three
# lists together.
_HOMES = {
    "URI": "pyronb.uri",
    "Daemon": "pyronb.server.daemon",
    "Future": "pyronb.futures",
    "FutureResult": "pyronb.futures",
    "Output": "pyronb.news",
    "Progress": "pyronb.news",
    "Proxy": "pyronb.sync.proxy",
    "SerializedBlob": "pyronb.rpc.blob",
    "SerializerBase": "pyronb.serializers.base",
    "asyncproxy": "pyronb.sync.asynchronous",
    "batch": "pyronb.sync.batch",
    "behavior": "pyronb.server.exposure",
    "by_reference": "pyronb.server.references",
    "callback": "pyronb.server.exposure",
    "cancelled": "pyronb.news",
    "current_context": "pyronb.context",
    "expose": "pyronb.server.exposure",
    "getPyroTraceback": "pyronb.tracebacks",
    "locateNS": "pyronb.sync.lookup",
    "oneway": "pyronb.server.exposure",
    "progress": "pyronb.news",
    "resolve": "pyronb.sync.lookup",
    "serveSimple": "pyronb.server.serve",
    "startNS": "pyronb.nameserver.start",
    "startNSloop": "pyronb.nameserver.start",
    "track": "pyronb.news",
    "type_meta": "pyronb.nameserver.names",
    "withdraw": "pyronb.server.references",
}


# Modules that `import pyronb` alone makes reachable, as it did in Pyro4: each is loaded when it is first used.
_DOORS = {"aio", "calls", "core", "futures", "naming", "util", "widgets"}


class _Door(ModuleType):
    """The package; `config` in it is the object, also when the module of that name has been loaded."""

    @property
    def config(self) -> Any:
        """The settings."""
        return importlib.import_module("pyronb.config").config

    @config.setter
    def config(self, module: ModuleType) -> None:
        if not isinstance(module, ModuleType):
            raise AttributeError("pyronb.config cannot be replaced; set its items")
        # This is the import system, which puts each module into its package.


sys.modules[__name__].__class__ = _Door


def __getattr__(name: str) -> Any:
    """Load what a public name stands for.

    ``async`` is the name that Pyro4 had for `asyncproxy`, which Python has taken as a keyword since.
    """
    if name in _DOORS:
        return importlib.import_module(f"pyronb.{name}")
    known = "asyncproxy" if name == "async" else name
    home = _HOMES.get(known)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[known] = getattr(importlib.import_module(home), known)
    return value


def __dir__() -> list[str]:
    """Name what there is, loaded or not."""
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: Any) -> None:
    """Do what ``%load_ext pyronb`` asks for."""
    importlib.import_module("pyronb.jupyter.ipython.extension").load_ipython_extension(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Do what ``%unload_ext pyronb`` asks for."""
    importlib.import_module("pyronb.jupyter.ipython.extension").unload_ipython_extension(ipython)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the built front end lies."""
    return [{"src": "labextension", "dest": "pyronb-lab"}]


def _jupyter_server_extension_points() -> Any:
    """Tell the Jupyter server what its extension is."""
    return importlib.import_module("pyronb.jupyter.server.extension")._jupyter_server_extension_points()
