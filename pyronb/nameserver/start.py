"""Starting a name server: in this thread, or as a daemon whose loop you run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyronb.config import config
from pyronb.nameserver.daemon import NameServerDaemon
from pyronb.uri import URI

__all__ = ["Started", "startNS", "startNSloop"]


class Started(NamedTuple):
    """What `startNS` gives."""

    uri: URI
    daemon: NameServerDaemon
    broadcast: None
    """The responder to broadcasts; there is none yet."""


def startNS(  # noqa: PLR0917 - Pyro's parameters, in Pyro's order
    host: str | None = None,
    port: int | None = None,
    enableBroadcast: bool = True,
    bchost: str | None = None,
    bcport: int | None = None,
    unixsocket: str | None = None,
    nathost: str | None = None,
    natport: int | None = None,
    storage: str | None = None,
    hmac: bytes | str | None = None,
) -> Started:
    """Make a name server; it answers once you run the loop of its daemon.

    Args:
        host: address to bind to; NS_HOST of the configuration by default.
        port: NS_PORT of the configuration by default; 0 takes a free one.
        enableBroadcast: with `bchost`, `bcport`, `nathost` and `natport`, accepted for programs written for Pyro;
            nothing is broadcast yet.
        bchost: see `enableBroadcast`.
        bcport: see `enableBroadcast`.
        unixsocket: path of a Unix domain socket to listen on instead.
        nathost: see `enableBroadcast`.
        natport: see `enableBroadcast`.
        storage: ``memory``, ``sql:FILENAME`` or ``dbm:FILENAME``.
        hmac: shared key with which all messages are signed, which only clients of protocol 48 (Pyro4) can do.

    Raises:
        OSError: the address cannot be had.
        NamingError: the storage cannot be used.
    """
    del enableBroadcast, bchost, bcport, nathost, natport
    daemon = NameServerDaemon(
        config.NS_HOST if host is None else host,
        config.NS_PORT if port is None else port,
        unixsocket,
        storage,
        autoclean=config.NS_AUTOCLEAN,
        options=config.daemon_options(),
    )
    daemon._pyroHmacKey = hmac
    return Started(daemon.uri, daemon, None)


def startNSloop(
    host: str | None = None,
    port: int | None = None,
    unixsocket: str | None = None,
    storage: str | None = None,
    loopCondition: Callable[[], bool] = lambda: True,
    hmac: bytes | str | None = None,
) -> None:
    """Run a name server in this thread until it is interrupted, or until the condition is no longer true."""
    with startNS(host, port, unixsocket=unixsocket, storage=storage, hmac=hmac).daemon as daemon:
        daemon.requestLoop(loopCondition)
