"""Embedded: a name server in a thread of the Jupyter server, for this machine alone, that a user starts and stops."""

from __future__ import annotations

import threading

from pyronb.config import config
from pyronb.jupyter.addresses import LOOPBACK
from pyronb.nameserver.daemon import NameServerDaemon
from pyronb.nameserver.start import startNS

__all__ = ["Embedded"]

_JOIN = 5.0
"""Seconds that the thread of a name server has to end."""
_HERE = "127.0.0.1"


class Embedded:
    """At most one name server; whoever uses this sees to it that only one thread does at a time."""

    def __init__(self) -> None:
        self._daemon: NameServerDaemon | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where it is; empty while there is none."""
        return "" if self._daemon is None else str(self._daemon.locationStr)

    def start(self) -> str:
        """Start it, unless it runs; give its address.

        It takes the usual port, where code finds it without being told, or a free one if that is taken.

        Raises:
            OSError: no port can be had.
        """
        if self._daemon is None:
            host = config.NS_HOST if config.NS_HOST in LOOPBACK else _HERE
            try:
                started = startNS(host, enableBroadcast=False, storage="memory")
            except OSError:
                started = startNS(host, 0, enableBroadcast=False, storage="memory")
            self._daemon = started.daemon
            self._thread = threading.Thread(target=self._daemon.requestLoop, name="pyronb-server-embedded", daemon=True)
            self._thread.start()
        return self.address

    def stop(self) -> None:
        """Stop it, if it runs; its names are forgotten."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            daemon.shutdown()
            if self._thread is not None:
                self._thread.join(_JOIN)
            daemon.close()
