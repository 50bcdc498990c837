"""serveSimple: a server in one line. (Feature inventory B2.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyronb.server.daemon import Daemon

__all__ = ["serveSimple"]


def serveSimple(
    objects: Mapping[Any, str | None],
    host: str | None = None,
    port: int = 0,
    daemon: Daemon | None = None,
    ns: bool = True,
    verbose: bool = True,
) -> None:
    """Serve these objects until interrupted: `Daemon.serveSimple`, which describes the arguments.

    Raises:
        NamingError: there is no name server.
    """
    Daemon.serveSimple(objects, host, port, daemon, ns, verbose)
