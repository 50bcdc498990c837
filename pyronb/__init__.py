"""pyronb: remote Python objects for notebooks and programs, wire-compatible with Pyro5 and Pyro4.

This is the list of public names. There is no logic here but the hooks through which IPython and Jupyter find their
parts, and the beginning of the log.
"""

from __future__ import annotations

import importlib
from typing import Any

from pyronb import errors, logs
from pyronb.config import config
from pyronb.context import current_context
from pyronb.futures import Future, FutureResult
from pyronb.nameserver.names import type_meta
from pyronb.nameserver.start import startNS, startNSloop
from pyronb.rpc.blob import SerializedBlob
from pyronb.serializers.base import SerializerBase
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import behavior, callback, expose, oneway
from pyronb.server.references import by_reference, withdraw
from pyronb.server.serve import serveSimple
from pyronb.sync.lookup import locateNS, resolve
from pyronb.sync.proxy import Proxy, asyncproxy, batch
from pyronb.tracebacks import getPyroTraceback
from pyronb.uri import URI
from pyronb.version import __version__

__all__ = [
    "URI",
    "Daemon",
    "Future",
    "FutureResult",
    "Proxy",
    "SerializedBlob",
    "SerializerBase",
    "__version__",
    "asyncproxy",
    "batch",
    "behavior",
    "by_reference",
    "callback",
    "config",
    "current_context",
    "errors",
    "expose",
    "getPyroTraceback",
    "locateNS",
    "oneway",
    "resolve",
    "serveSimple",
    "startNS",
    "startNSloop",
    "type_meta",
    "withdraw",
]


logs.log_to(config.LOGLEVEL, config.LOGFILE)


def __getattr__(name: str) -> Any:
    """Give `asyncproxy` under the name that Pyro4 had for it, which Python has taken as a keyword since."""
    if name == "async":
        return asyncproxy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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
