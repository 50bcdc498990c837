"""Actors of dask's distributed: a scheduler and a worker in the server's process, and a client with an actor there."""

from __future__ import annotations

import importlib
from typing import Any

from tests.bench.peers.base import LOCAL, Connection, Peer, Target


class Dask(Peer):
    """An actor's methods run in a thread of the worker, one after the other."""

    name = "dask"
    needs = "distributed"

    def serve(self, kind: str) -> Any:
        distributed = importlib.import_module("distributed")
        self.cluster = distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", host=LOCAL, dashboard_address=None
        )
        return self.cluster.scheduler_address

    def connect(self, address: Any, serializer: str) -> Connection:
        return DaskConnection(address)


class DaskConnection(Connection):
    """A client of the scheduler, which talks with the worker itself for calls of its actor."""

    def __init__(self, address: str) -> None:
        self.client = importlib.import_module("distributed").Client(address)
        self.target: Any = self.client.submit(Target, actor=True, pure=False).result()

    def echo(self, value: Any) -> Any:
        return self.target.echo(value).result()

    def put(self, data: Any) -> int:
        return self.target.put(data).result()

    def get(self, size: int) -> bytes:
        return self.target.get(size).result()

    def floats(self, count: int) -> Any:
        return self.target.floats(count).result()

    def put_frame(self, frame: Any) -> int:
        return self.target.put_frame(frame).result()

    def frame(self, rows: int) -> Any:
        return self.target.frame(rows).result()

    def close(self) -> None:
        self.client.close()
