"""A site: a name server and the demo objects in processes of their own, which a test may stop and start again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_server

from pyronb.errors import NamingError
from pyronb.sync.lookup import locateNS
from pyronb.sync.proxy import Proxy
from tests.support.programs import LOCAL, Program
from tests.support.serving import client_options

DEMO = {"demo.host", "demo.scope", "demo.store"}


class Site:
    """A name server that stays at one port however often it is restarted, and the demo objects in it."""

    def __init__(self) -> None:
        self._names: Program | None = None
        self._demo: Program | None = None
        self.port = 0

    @property
    def address(self) -> str:
        """The address of the name server."""
        return f"{LOCAL}:{self.port}"

    def start(self) -> None:
        """Start what does not run."""
        if self._names is None:
            self._names = Program("ns", "-n", LOCAL, "-p", str(self.port))
            self.port = int(self._names.wait_for(r"^name server at \S+:(\d+)")[1])
        if self._demo is None:
            self._demo = Program("demo", "-n", LOCAL, "-p", str(self.port))
            self._demo.wait_for("registered in the name server")

    def stop_names(self) -> None:
        """Stop the name server, and forget its names."""
        if self._names is not None:
            self._names.end()
            self._names = None

    def stop_demo(self) -> None:
        """Stop the demo objects."""
        if self._demo is not None:
            self._demo.end()
            self._demo = None

    def stop(self) -> None:
        """Stop it all."""
        self.stop_demo()
        self.stop_names()

    def restore(self) -> None:
        """Have it all run, with no names but those of the demo objects."""
        if self._names is None:
            self.stop_demo()
        self.start()
        with self.names() as names:
            for name in set(names.list()) - DEMO - {"Pyro.NameServer"}:
                names.remove(name)

    @contextmanager
    def names(self) -> Iterator[Proxy]:
        """Talk to the name server."""
        with locateNS(LOCAL, self.port, options=client_options()) as names:
            yield names

    def register(self, name: str, uri: object, *tags: str) -> None:
        """Register a name."""
        with self.names() as names:
            names.register(name, str(uri), metadata=set(tags))

    def remove(self, name: str) -> None:
        """Remove a name, if it is there."""
        with self.names() as names, contextlib.suppress(NamingError):
            names.remove(name)


@contextmanager
def web_server() -> Iterator[int]:
    """Answer every connection as a web server does that was asked nonsense; gives its port."""
    with create_server((LOCAL, 0)) as server:

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer, contextlib.suppress(OSError):
                    peer.settimeout(5)
                    peer.recv(65536)
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(2)
    thread.join(5)
