"""pyronb, Pyro5 and Pyro4, which have nearly the same names.

Kinds of server: `thread` and `multiplex` with room for all clients of the workloads, `shipped` as it comes, `memory`
and `sql` for a name server with that storage.
"""

from __future__ import annotations

import importlib
import tempfile
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.bench.peers.base import LOCAL, Connection, Peer, Target

OBJECT = "bench.target"
THREADS = 8
MOST_CLIENTS = 400


class Pyro(Peer):
    """What the three have in common."""

    def serve(self, kind: str) -> Any:
        self.configure(kind)
        if kind in ("memory", "sql"):
            # Removed when the process ends.
            self.folder = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
            storage = "memory" if kind == "memory" else f"sql:{Path(self.folder.name) / 'names.sql'}"
            daemon, uri = self.name_server(storage)
        else:
            daemon = self.daemon()
            uri = daemon.register(self.expose(Target)(), OBJECT)
        threading.Thread(target=daemon.requestLoop, daemon=True).start()
        return str(uri)

    @property
    def api(self) -> Any:
        """The module with the public names."""
        return importlib.import_module(self.needs)

    def configure(self, kind: str) -> None:
        config = self.api.config
        if kind != "shipped":
            config.SERVERTYPE = "multiplex" if kind == "multiplex" else "thread"
            config.THREADPOOL_SIZE = MOST_CLIENTS

    def daemon(self) -> Any:
        return self.api.Daemon(LOCAL)

    def expose(self, cls: type) -> type:
        # A class of its own: the three packages mark what they expose in the class itself.
        return self.api.expose(type(cls.__name__, (), {k: v for k, v in vars(cls).items() if not k.startswith("__")}))

    def name_server(self, storage: str) -> tuple[Any, Any]:
        raise NotImplementedError

    def connect(self, address: Any, serializer: str) -> Connection:
        return PyroConnection(self.proxy(address, serializer))

    def proxy(self, address: Any, serializer: str) -> Any:
        """Give a proxy that is connected."""
        proxy = self.api.Proxy(address)
        if serializer:
            proxy._pyroSerializer = serializer
        proxy._pyroBind()
        return proxy


class PyroConnection(Connection):
    """One proxy."""

    def __init__(self, proxy: Any) -> None:
        self.proxy = proxy

    def echo(self, value: Any) -> Any:
        return self.proxy.echo(value)

    def put(self, data: bytes) -> int:
        return self.proxy.put(data)

    def get(self, size: int) -> Any:
        return self.proxy.get(size)

    def floats(self, count: int) -> Any:
        return self.proxy.floats(count)

    def put_frame(self, frame: Any) -> int:
        return self.proxy.put_frame(frame)

    def frame(self, rows: int) -> Any:
        return self.proxy.frame(rows)

    def items(self, count: int) -> Iterable[int]:
        return self.proxy.items(count)

    def collect(self, batch: Any, values: Sequence[Any]) -> list[Any]:
        for value in values:
            batch.echo(value)
        return list(batch())

    def close(self) -> None:
        self.proxy._pyroRelease()


class Pyronb(Pyro):
    """What all this is about."""

    name = "pyronb"
    needs = "pyronb"

    def name_server(self, storage: str) -> tuple[Any, Any]:
        uri, daemon, _ = self.api.startNS(LOCAL, 0, enableBroadcast=False, storage=storage)
        return daemon, uri

    def connect(self, address: Any, serializer: str) -> Connection:
        return PyronbConnection(self.proxy(address, serializer))


class PyronbConnection(PyroConnection):
    """A proxy of pyronb; for calls in the background it has another one."""

    def __init__(self, proxy: Any) -> None:
        super().__init__(proxy)
        self.background: Any = None

    def batch(self, values: Sequence[Any]) -> list[Any]:
        return self.collect(importlib.import_module("pyronb").batch(self.proxy), values)

    def outstanding(self, values: Sequence[Any]) -> list[Any]:
        if self.background is None:
            self.background = importlib.import_module("pyronb").asyncproxy(self.proxy)
        return [result.value for result in [self.background.echo(value) for value in values]]

    def close(self) -> None:
        super().close()
        if self.background is not None:
            self.background._pyroRelease()


class Pyro5(Pyro):
    """The real Pyro5."""

    name = "Pyro5"
    needs = "Pyro5"

    @property
    def api(self) -> Any:
        return importlib.import_module("Pyro5.api")

    def name_server(self, storage: str) -> tuple[Any, Any]:
        names = importlib.import_module("Pyro5.nameserver")
        uri, daemon, _ = names.start_ns(LOCAL, 0, enableBroadcast=False, storage=storage)
        return daemon, uri

    def connect(self, address: Any, serializer: str) -> Connection:
        return Pyro5Connection(self, address, serializer)


class Pyro5Connection(PyroConnection):
    """A proxy of Pyro5; for calls in the background it has but threads, with a proxy for each."""

    def __init__(self, peer: Pyro5, address: Any, serializer: str) -> None:
        super().__init__(peer.proxy(address, serializer))
        self.more = lambda: peer.proxy(address, serializer)
        self.pool: ThreadPoolExecutor | None = None
        self.own = threading.local()

    def batch(self, values: Sequence[Any]) -> list[Any]:
        return self.collect(importlib.import_module("Pyro5.api").BatchProxy(self.proxy), values)

    def outstanding(self, values: Sequence[Any]) -> list[Any]:
        if self.pool is None:
            self.pool = ThreadPoolExecutor(THREADS)
        return list(self.pool.map(self.echo_in_thread, values))

    def echo_in_thread(self, value: Any) -> Any:
        if not hasattr(self.own, "proxy"):
            self.own.proxy = self.more()
        return self.own.proxy.echo(value)

    def close(self) -> None:
        super().close()
        if self.pool is not None:
            self.pool.shutdown()


class Pyro4(Pyro):
    """The real Pyro4."""

    name = "Pyro4"
    needs = "Pyro4"

    def configure(self, kind: str) -> None:
        super().configure(kind)
        self.api.config.SERIALIZERS_ACCEPTED.add("msgpack")

    def name_server(self, storage: str) -> tuple[Any, Any]:
        names = importlib.import_module("Pyro4.naming")
        uri, daemon, _ = names.startNS(LOCAL, 0, enableBroadcast=False, storage=storage)
        return daemon, uri

    def connect(self, address: Any, serializer: str) -> Connection:
        return Pyro4Connection(self.proxy(address, serializer))


class Pyro4Connection(PyroConnection):
    """A proxy of Pyro4."""

    def batch(self, values: Sequence[Any]) -> list[Any]:
        return self.collect(importlib.import_module("Pyro4").batch(self.proxy), values)
