"""serveSimple: a server in one line. (Feature inventory B2.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyronb.server.daemon import Daemon
from pyronb.sync.lookup import locateNS

__all__ = ["serveSimple"]


def serveSimple(
    objects: Mapping[Any, str | None],
    host: str | None = None,
    port: int = 0,
    daemon: Daemon | None = None,
    ns: bool = True,
    verbose: bool = True,
) -> None:
    """Serve these objects until interrupted.

    Args:
        objects: objects or classes, each with its name; None makes one up.
        host: address to bind to, where no daemon is given.
        port: port to bind to, where no daemon is given; 0 takes a free one.
        daemon: a daemon to use instead of a new one.
        ns: register the names in the name server; without, the names become object ids.
        verbose: print where the objects are.

    Raises:
        NamingError: there is no name server.
    """
    own = daemon is None
    daemon = daemon or Daemon(host, port)
    try:
        names = locateNS() if ns else None
        for obj, name in objects.items():
            uri = daemon.register(obj, None if ns else name)
            if names is not None and name:
                names.register(name, uri)
            if verbose:
                print(f"{name or type(obj).__name__}: {uri}")  # noqa: T201 - that is what verbose asks for
        if names is not None:
            names._pyroRelease()
        if verbose:
            print("ready")  # noqa: T201
        daemon.requestLoop()
    finally:
        if own:
            daemon.close()
