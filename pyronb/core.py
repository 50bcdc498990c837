"""A side door with the module name that Pyro4 gave these."""

from __future__ import annotations

from pyronb.context import current_context
from pyronb.rpc.blob import SerializedBlob
from pyronb.server.daemon import Daemon
from pyronb.server.daemonobject import DaemonObject
from pyronb.server.exposure import behavior, callback, expose, oneway
from pyronb.sync.asynchronous import asyncproxy
from pyronb.sync.batch import batch
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI

__all__ = [
    "URI",
    "Daemon",
    "DaemonObject",
    "Proxy",
    "SerializedBlob",
    "asyncproxy",
    "batch",
    "behavior",
    "callback",
    "current_context",
    "expose",
    "oneway",
]
