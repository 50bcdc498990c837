"""BroadcastServer: tells whoever asks the local network where the name server is. (Wire specification, section 22.)"""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import Any

from pyronb.net.broadcast import listen_for_broadcasts
from pyronb.net.sockets import address_towards, location_of
from pyronb.uri import URI

__all__ = ["BroadcastServer"]

log = logging.getLogger("pyronb.nameserver")

_QUESTION = b"GET_NSURI"
_AT_ONCE = 100
"""Datagrams that are read in one go, so that a flood of them keeps nothing else from being served."""


class BroadcastServer:
    """Answers broadcasts with the address of a name server.

    It has no loop of its own: whoever runs one watches its `fileno` and calls `processRequest` when there is something
    to read. The daemon that `startNS` gives does.

    Args:
        nsUri: the address of the name server.
        bchost: address to listen on; ``""`` hears broadcasts to any.
        bcport: port to listen on; 0 takes a free one.
        everywhere: the name server listens on all addresses of this machine, and each asker is told the one that it
            can reach; else it is told `nsUri` as it is.
        reuse_address: whether several programs on this machine may listen there.

    Raises:
        OSError: the address cannot be had.
    """

    def __init__(
        self,
        nsUri: URI | str,
        bchost: str = "",
        bcport: int = 9091,
        *,
        everywhere: bool = False,
        reuse_address: bool = True,
    ) -> None:
        self.nsUri = URI(nsUri)
        self._everywhere = everywhere
        self.sock = listen_for_broadcasts(bchost, bcport, reuse_address=reuse_address)
        self.locationStr: str = location_of(self.sock, bchost)

    @property
    def sockets(self) -> list[Any]:
        """All that has to be watched: this itself."""
        return [self]

    def fileno(self) -> int:
        """Give the descriptor to watch."""
        return self.sock.fileno()

    def getPort(self) -> int:
        """Give the port on which broadcasts are heard."""
        return int(self.sock.getsockname()[1])

    def events(self, eventobjects: Any) -> None:
        """Answer what has come, when this is among what there is something to read from."""
        if any(each is self for each in eventobjects):
            self.processRequest()

    def processRequest(self) -> None:
        """Answer what has come, without waiting; whatever is no question for a name server is dropped."""
        for _ in range(_AT_ONCE):
            try:
                asked, address = self.sock.recvfrom(len(_QUESTION) + 1)
            except OSError:
                return  # nothing more is there
            if asked == _QUESTION:
                self._answer(address)

    def _answer(self, address: Any) -> None:
        uri = URI(self.nsUri)
        if self._everywhere:
            with contextlib.suppress(OSError):
                uri.host = address_towards(socket.AF_INET, address[0])
        log.debug("telling %s where the name server is: %s", address, uri)
        # Who asked may be gone, or may not be who it says it is.
        with contextlib.suppress(OSError):
            self.sock.sendto(str(uri).encode("iso-8859-1", "replace"), address)

    def close(self) -> None:
        """Hear nothing more."""
        self.sock.close()

    def __enter__(self) -> BroadcastServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
