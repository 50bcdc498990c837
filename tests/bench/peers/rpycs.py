"""rpyc. What it cannot carry as a value it passes by reference; such things are fetched whole, as users do it."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from tests.bench.peers.base import LOCAL, Connection, Peer, Target

SETTINGS = {"allow_pickle": True, "allow_public_attrs": True}


class Rpyc(Peer):
    """A thread for each connection."""

    name = "rpyc"
    needs = "rpyc"

    def serve(self, kind: str) -> Any:
        rpyc = importlib.import_module("rpyc")
        server = importlib.import_module("rpyc.utils.server")
        obtain = importlib.import_module("rpyc.utils.classic").obtain

        class Service(rpyc.Service):
            exposed_echo = Target.echo
            exposed_put = Target.put
            exposed_get = Target.get
            exposed_items = Target.items

            exposed_frame = Target.frame

            def exposed_put_frame(self, frame: Any) -> int:
                return len(obtain(frame))

            def exposed_copy(self, value: Any) -> Any:
                return obtain(value)

        serving = server.ThreadedServer(Service(), LOCAL, 0, protocol_config=SETTINGS)
        threading.Thread(target=serving.start, daemon=True).start()
        return serving.port

    def connect(self, address: Any, serializer: str) -> Connection:
        return RpycConnection(address)


class RpycConnection(Connection):
    """One connection."""

    def __init__(self, port: int) -> None:
        rpyc = importlib.import_module("rpyc")
        self.obtain = importlib.import_module("rpyc.utils.classic").obtain
        self.connection = rpyc.connect(LOCAL, port, config=SETTINGS)
        self.root = self.connection.root
        self.later = rpyc.async_(self.root.echo)

    def echo(self, value: Any) -> Any:
        return self.obtain(self.root.copy(value)) if isinstance(value, dict) else self.root.echo(value)

    def put(self, data: bytes) -> int:
        return self.root.put(data)

    def get(self, size: int) -> bytes:
        return self.root.get(size)

    def put_frame(self, frame: Any) -> int:
        return self.root.put_frame(frame)

    def frame(self, rows: int) -> Any:
        return self.obtain(self.root.frame(rows))

    def items(self, count: int) -> Iterable[int]:
        return self.root.items(count)

    def outstanding(self, values: Sequence[Any]) -> list[Any]:
        return [result.value for result in [self.later(value) for value in values]]

    def close(self) -> None:
        self.connection.close()
