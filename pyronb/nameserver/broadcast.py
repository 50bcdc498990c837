"""BroadcastServer: tells whoever asks the local network where the name server is. (Wire specification, section 22.)"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from typing import Any

from pyronb.net.broadcast import listen_for_broadcasts
from pyronb.net.sockets import address_towards, location_of
from pyronb.net.wakeup import Wakeup
from pyronb.uri import URI

__all__ = ["BroadcastServer"]

log = logging.getLogger("pyronb.nameserver")

_QUESTION = b"GET_NSURI"
_AT_ONCE = 100
"""Datagrams that are read in one go, so that a flood of them keeps nothing else from being served."""


class BroadcastServer:
    """Answers broadcasts with the address of a name server.

    It needs a loop: whoever runs one watches its `fileno` and calls `processRequest` when there is something to read.
    The loop of the daemon that `startNS` gives does; `runInThread` is for where there is no loop.

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
        self._thread: threading.Thread | None = None
        self._wakeup: Wakeup | None = None

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

    def runInThread(self) -> threading.Thread:
        """Answer in a thread until `close`, and give the thread."""
        if self._thread is None:
            self._wakeup = wakeup = Wakeup()
            self._thread = threading.Thread(target=self._run, args=(wakeup,), name="pyronb-broadcast", daemon=True)
            self._thread.start()
        return self._thread

    def _run(self, wakeup: Wakeup) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(wakeup, selectors.EVENT_READ)
            # Only `close` wakes it.
            while all(key.fileobj is self for key, _ in selector.select()):
                self.processRequest()

    def close(self) -> None:
        """Hear nothing more, and end the thread if there is one; closing again does nothing."""
        if self._wakeup is not None and self._thread is not None:
            self._wakeup.wake()
            self._thread.join()
            self._wakeup.close()
            self._wakeup = None
        self.sock.close()

    def __enter__(self) -> BroadcastServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
