"""NameServerDaemon: a daemon with a name server in it, which is also registered in itself."""

from __future__ import annotations

import socket

from pyronb.errors import NamingError
from pyronb.nameserver.autoclean import AutoCleaner
from pyronb.nameserver.broadcast import BroadcastServer
from pyronb.nameserver.changes import Changes
from pyronb.nameserver.names import NameServer, is_local
from pyronb.nameserver.storage import Storage
from pyronb.nameserver.storage.dbm import DbmStorage
from pyronb.nameserver.storage.memory import MemoryStorage
from pyronb.nameserver.storage.sqlite import SqliteStorage
from pyronb.options import DaemonOptions
from pyronb.rpc.call import NAMESERVER_ID
from pyronb.server.daemon import Daemon
from pyronb.uri import URI

__all__ = ["NameServerDaemon", "open_storage"]

_TAG = "class:Pyro5.nameserver.NameServer"
"""The tag under which real peers know a name server."""


def open_storage(storage: str | None) -> Storage:
    """Make the storage that a text names: ``memory``, or ``sql:`` or ``dbm:`` and the path of a file.

    Raises:
        NamingError: there is no such kind of storage, or the file cannot be used.
    """
    kind, _, path = (storage or "memory").partition(":")
    if kind == "memory" and not path:
        return MemoryStorage()
    if kind in ("sql", "sqlite") and path:
        return SqliteStorage(path)
    if kind == "dbm" and path:
        return DbmStorage(path)
    raise NamingError(f"unknown storage {storage!r}; use memory, sql:FILENAME or dbm:FILENAME")


class NameServerDaemon(Daemon):
    """A daemon that serves a name server.

    Args:
        host: address to bind to.
        port: 0 takes a free one.
        unixsocket: path of a Unix domain socket to listen on instead.
        storage: see `open_storage`.
        nathost: host that others are told, as for `Daemon`.
        natport: port that others are told, as for `Daemon`.
        autoclean: seconds between two looks at whether registered objects can be reached; 0 for never.
        options: how to serve, instead of what the configuration says.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int = 0,
        unixsocket: str | None = None,
        storage: str | None = None,
        *,
        nathost: str | None = None,
        natport: int | None = None,
        autoclean: float = 0.0,
        options: DaemonOptions | None = None,
    ) -> None:
        self._storage = open_storage(storage)
        try:
            super().__init__(host, port, unixsocket, nathost, natport, options=options)
        except BaseException:
            self._storage.close()
            raise
        place = self.uriFor(NAMESERVER_ID)
        self._changes = Changes()
        if self._options.engine != "thread":
            self._changes.close()  # who waits would keep all others from being served
        self.nameserver = NameServer(self._storage, None if is_local(place) else place, self._changes)
        self._responder: BroadcastServer | None = None
        self._cleaner = AutoCleaner(self._storage, autoclean, self._options.timeout, forgot=self._changes.note)
        try:
            self.uri: URI = self.register(self.nameserver, NAMESERVER_ID)
            self.nameserver.register(NAMESERVER_ID, self.uri, metadata={_TAG})
            if autoclean:
                self._cleaner.start()
        except BaseException:
            self.close()
            raise

    def answer_broadcasts(self, host: str, port: int) -> BroadcastServer | None:
        """Have the loop tell whoever asks the local network where this name server is.

        It is the daemon's own address that they are told, for the outer one is of no use to whoever hears broadcasts.

        Args:
            host: address to listen on; ``""`` hears broadcasts to any.
            port: port to listen on; 0 takes a free one.

        Returns:
            What answers; None for a name server that nobody else could reach, or not over IPv4.

        Raises:
            OSError: the address cannot be had.
        """
        listener = self._engine.listener
        assert listener is not None
        bound = listener.getsockname()[0] if listener.family == socket.AF_INET else ""
        if not bound or bound.startswith("127."):
            return None
        responder = BroadcastServer(
            self.uriFor(NAMESERVER_ID, nat=False),
            host,
            port,
            everywhere=bound == "0.0.0.0",  # noqa: S104 - compared, not bound
            reuse_address=self._options.reuse_address,
        )
        self._responder = responder
        self._engine.watch(responder, responder.processRequest)
        return responder

    def shutdown(self) -> None:
        """Have the loop end soon, as any daemon's; clients that are waited with do not hold it up."""
        self._changes.close()
        super().shutdown()

    def drain(self, timeout: float = 10.0) -> None:
        """End gracefully, as any daemon; clients that are waited with are answered now."""
        self._changes.close()
        super().drain(timeout)

    def close(self) -> None:
        """End it all, the storage too."""
        self._changes.close()
        super().close()
        if self._responder is not None:
            self._responder.close()
        self._cleaner.stop()
        self._storage.close()
