"""Our own end of the conversations with real peers."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from types import SimpleNamespace

import pyronb
from pyronb.config import config
from pyronb.options import DaemonOptions
from tests.interop.peers import checks, thing
from tests.support.serving import LOCAL, looping

# The names of pyronb that the real packages have under others.
API = SimpleNamespace(
    **{name: getattr(pyronb, name) for name in ("URI", "Daemon", "Proxy", "callback", "current_context", "errors")},
    **{name: getattr(pyronb, name) for name in ("expose", "oneway")},
    SerializerBase=pyronb.SerializerBase,
    BatchProxy=pyronb.batch,
    SerializedBlob=pyronb.SerializedBlob,
    get_pyro_traceback=pyronb.getPyroTraceback,
)

SETTINGS = [(serializer, False) for serializer in checks.ALL] + [("serpent", True), ("msgpack", True)]
"""Serializers, and whether payloads are compressed."""


def label(setting):
    """Give the name of a setting, for the names of tests."""
    serializer, compressed = setting
    return f"{serializer}-compressed" if compressed else serializer


@contextmanager
def our_daemon(unixsocket=None, compression=False, key=None, more=(), accept=(), engine="thread"):
    """Serve the thing by pyronb, and more of them under these ids; accept these serializers too."""
    options = DaemonOptions(poll_timeout=0.05, engine=engine)
    options = dataclasses.replace(options, serializers=options.serializers.union(accept))
    options = dataclasses.replace(options, wire=dataclasses.replace(options.wire, compression=compression))
    daemon = thing.make_daemon(API)(LOCAL, unixsocket=unixsocket, options=options)
    with looping(daemon):
        kind = thing.make(API)
        other = kind()
        daemon.register(other, "other")
        for object_id in ("thing", *more):
            served = kind()
            served.other = other
            daemon.register(served, object_id)
        if key is not None:
            daemon._pyroHmacKey = key
        yield daemon


@contextmanager
def compression(switched_on):
    """Have new proxies compress, or not."""
    before, config.COMPRESSION = config.COMPRESSION, switched_on
    try:
        yield
    finally:
        config.COMPRESSION = before


def world(uri, serializer="serpent", **changes):
    """Give what the checks need of our client."""
    return checks.World(API, str(uri), serializer, False, lambda proxy: proxy._pyroPing(10), **changes)
