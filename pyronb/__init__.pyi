from typing import Any

from pyronb import aio as aio
from pyronb import calls as calls
from pyronb import core as core
from pyronb import errors as errors
from pyronb import futures as futures
from pyronb import naming as naming
from pyronb import util as util
from pyronb import widgets as widgets
from pyronb.config import config as config
from pyronb.context import current_context as current_context
from pyronb.futures import Future as Future
from pyronb.futures import FutureResult as FutureResult
from pyronb.nameserver.names import type_meta as type_meta
from pyronb.nameserver.start import startNS as startNS
from pyronb.nameserver.start import startNSloop as startNSloop
from pyronb.news import Output as Output
from pyronb.news import Progress as Progress
from pyronb.news import cancelled as cancelled
from pyronb.news import progress as progress
from pyronb.news import track as track
from pyronb.rpc.blob import SerializedBlob as SerializedBlob
from pyronb.serializers.base import SerializerBase as SerializerBase
from pyronb.server.daemon import Daemon as Daemon
from pyronb.server.exposure import behavior as behavior
from pyronb.server.exposure import callback as callback
from pyronb.server.exposure import expose as expose
from pyronb.server.exposure import oneway as oneway
from pyronb.server.references import by_reference as by_reference
from pyronb.server.references import withdraw as withdraw
from pyronb.server.serve import serveSimple as serveSimple
from pyronb.sync.asynchronous import asyncproxy as asyncproxy
from pyronb.sync.batch import batch as batch
from pyronb.sync.lookup import locateNS as locateNS
from pyronb.sync.lookup import resolve as resolve
from pyronb.sync.proxy import Proxy as Proxy
from pyronb.tracebacks import getPyroTraceback as getPyroTraceback
from pyronb.uri import URI as URI
from pyronb.version import __version__ as __version__

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

def load_ipython_extension(ipython: Any) -> None: ...
def unload_ipython_extension(ipython: Any) -> None: ...
