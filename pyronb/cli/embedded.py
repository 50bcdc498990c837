"""Embedded: a name server and the demo objects in threads of this process, for `pyronb demo` and `pyronb lab`."""

from __future__ import annotations

import dataclasses
import importlib
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pyronb.config import config
from pyronb.errors import CommunicationError, NamingError, PyroError
from pyronb.nameserver.start import startNS
from pyronb.server.daemon import Daemon
from pyronb.sync.lookup import locateNS
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI

__all__ = ["demo_objects", "drained_by_sigterm", "name_server", "split_address", "withdraw"]

_PATIENCE = 2.0
"""Seconds that each question to the name server may take."""
_JOIN = 5.0
"""Seconds that the thread of a daemon has to end."""


@contextmanager
def drained_by_sigterm(daemon: Daemon) -> Iterator[None]:
    """Have SIGTERM end the loop of a daemon after the calls that run, which get as long as `Daemon.drain` gives them.

    A second one ends it at once, as Ctrl-C does.
    """

    def drain(number: int, frame: object) -> None:
        del frame
        signal.signal(number, signal.default_int_handler)
        daemon.drain()

    before = signal.signal(signal.SIGTERM, drain)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _served(daemon: Daemon, name: str) -> Iterator[None]:
    """Run a daemon's loop in a thread until the block ends."""
    thread = threading.Thread(target=daemon.requestLoop, name=f"pyronb-{name}", daemon=True)
    with daemon:
        thread.start()
        yield
    thread.join(_JOIN)


@contextmanager
def name_server(host: str, port: int, storage: str = "memory", key: str | None = None) -> Iterator[URI]:
    """Run a name server until the block ends, and give its address.

    When the port is taken, a free one is used instead. With a key, it takes only signed messages.
    """
    try:
        started = startNS(host, port, storage=storage, hmac=key)
    except OSError:
        started = startNS(host, 0, storage=storage, hmac=key)
    with _served(started.daemon, "name-server"):
        yield started.uri


@contextmanager
def demo_objects(host: str, ns_host: str, ns_port: int) -> Iterator[dict[str, URI]]:
    """Serve the demo objects until the block ends, registered in this name server; gives their addresses by name.

    Raises:
        NamingError: the name server does not answer.
    """
    serve = importlib.import_module("pyronb.demo.serve")
    options = dataclasses.replace(config.client_options(), timeout=_PATIENCE, connect_timeout=_PATIENCE)
    with ExitStack() as stack:
        names = stack.enter_context(locateNS(ns_host, ns_port, options=options))
        daemon = Daemon(host)
        stack.enter_context(daemon)

        def register(name: str, uri: URI, tags: set[str]) -> None:
            names.register(name, uri, metadata=tags)

        try:
            objects = serve.register_demo(daemon, register)
        except ImportError as error:
            # The message says which package is missing; the other objects work.
            print(f"note: {error}", file=sys.stderr)
            objects = error.objects  # type: ignore[attr-defined]
        stack.callback(objects.close)
        stack.callback(withdraw, names, objects.uris)
        stack.enter_context(_served(daemon, "demo"))
        yield dict(objects.uris)


def withdraw(names: Proxy, uris: dict[str, URI]) -> None:
    """Take the names back, unless somebody else has them by now or the name server is gone."""
    for name, uri in uris.items():
        try:
            if names.lookup(name) == uri:
                names.remove(name)
        except NamingError:
            continue
        except (CommunicationError, OSError):
            return


def split_address(address: str) -> tuple[str, int]:
    """Split ``host:port`` or ``[v6 address]:port``; the port is the configuration's where it is not given.

    Raises:
        NamingError: it is no address.
    """
    try:
        uri = URI(f"PYRONAME:any@{address}")
    except PyroError:
        uri = None
    if uri is None or not uri.host or any(character.isspace() for character in address):
        raise NamingError(f"{address!r} is no address of a name server; write HOST:PORT")
    return uri.host, int(config.NS_PORT) if uri.port is None else uri.port
