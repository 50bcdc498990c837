"""Starting a name server: in this thread, or as a daemon whose loop you run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyronb.config import config
from pyronb.nameserver.broadcast import BroadcastServer
from pyronb.nameserver.daemon import NameServerDaemon
from pyronb.uri import URI

__all__ = ["Started", "startNS", "startNSloop"]


class Started(NamedTuple):
    """What `startNS` gives."""

    uri: URI
    daemon: NameServerDaemon
    broadcast: BroadcastServer | None
    """What answers broadcasts; the daemon's loop serves it and `close` closes it. None where none is answered."""


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
        enableBroadcast: answer broadcasts that look for a name server; one that only this machine reaches, or that
            listens on IPv6 or on a Unix socket, never does.
        bchost: address to hear broadcasts on; NS_BCHOST by default, and without one those to any are heard.
        bcport: port to hear broadcasts on; NS_BCPORT by default; 0 takes a free one.
        unixsocket: path of a Unix domain socket to listen on instead.
        nathost: host that others are told, behind address translation; NATHOST by default.
        natport: port that others are told; NATPORT by default, and 0 stands for its own.
        storage: ``memory``, ``sql:FILENAME`` or ``dbm:FILENAME``.
        hmac: shared key with which all messages are signed, which only clients of protocol 48 (Pyro4) can do.

    Raises:
        OSError: the address cannot be had, or that for broadcasts cannot.
        NamingError: the storage cannot be used.
        PyroError: TLS is on, and its files cannot be used.
        ValueError: `nathost` and `natport` do not go with each other or with the rest.
    """
    daemon = NameServerDaemon(
        config.NS_HOST if host is None else host,
        config.NS_PORT if port is None else port,
        unixsocket,
        storage,
        nathost=nathost,
        natport=natport,
        autoclean=config.NS_AUTOCLEAN,
        options=config.daemon_options(),
    )
    daemon._pyroHmacKey = hmac
    if not enableBroadcast:
        return Started(daemon.uri, daemon, None)
    bchost = config.NS_BCHOST if bchost is None else str(bchost)
    try:
        responder = daemon.answer_broadcasts(bchost or "", config.NS_BCPORT if bcport is None else bcport)
    except BaseException:
        daemon.close()
        raise
    return Started(daemon.uri, daemon, responder)


def startNSloop(  # noqa: PLR0913, PLR0917 - Pyro's parameters, in Pyro's order
    host: str | None = None,
    port: int | None = None,
    enableBroadcast: bool = True,
    bchost: str | None = None,
    bcport: int | None = None,
    unixsocket: str | None = None,
    nathost: str | None = None,
    natport: int | None = None,
    storage: str | None = None,
    *,
    loopCondition: Callable[[], bool] = lambda: True,
    hmac: bytes | str | None = None,
) -> None:
    """Run a name server in this thread until it is interrupted, or until the condition is no longer true.

    The arguments are those of `startNS`.
    """
    started = startNS(host, port, enableBroadcast, bchost, bcport, unixsocket, nathost, natport, storage, hmac)
    with started.daemon as daemon:
        daemon.requestLoop(loopCondition)
