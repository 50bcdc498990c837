"""The managers of multiprocessing, in Python's own library: pickled calls, each thread with a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from multiprocessing.managers import BaseManager, IteratorProxy
from typing import Any

from tests.bench.peers.base import LOCAL, Connection, Peer, Target

KEY = b"bench"
"""Whoever unpickles asks for a key first; this one is good for a loopback address and a minute."""


class Served(BaseManager):
    """A manager that has the target."""


Served.register("Iterator", proxytype=IteratorProxy, create_method=False)
Served.register("target", Target, method_to_typeid={"items": "Iterator"})


class Manager(Peer):
    """A thread for each connection."""

    name = "manager"
    needs = "multiprocessing.managers"

    def serve(self, kind: str) -> Any:
        server = Served((LOCAL, 0), KEY).get_server()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.address

    def connect(self, address: Any, serializer: str) -> Connection:
        return ManagerConnection(tuple(address))


class ManagerConnection(Connection):
    """One proxy; it keeps a connection for each thread that uses it."""

    def __init__(self, address: tuple[str, int]) -> None:
        manager = Served(address, KEY)
        manager.connect()
        self.target: Any = manager.target()
        self.echo, self.put, self.get = self.target.echo, self.target.put, self.target.get
        self.put_frame, self.frame = self.target.put_frame, self.target.frame

    def items(self, count: int) -> Iterable[int]:
        return self.target.items(count)
