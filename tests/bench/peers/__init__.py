"""Those who take part: for each a server, and a client that can do what the workloads ask for."""

from __future__ import annotations

import importlib.util

from tests.bench.peers.base import Peer
from tests.bench.peers.dasks import Dask
from tests.bench.peers.floor import Raw
from tests.bench.peers.managers import Manager
from tests.bench.peers.pyros import Pyro4, Pyro5, Pyronb
from tests.bench.peers.rpycs import Rpyc

PEERS: dict[str, Peer] = {peer.name: peer for peer in (Raw(), Pyronb(), Pyro5(), Pyro4(), Rpyc(), Manager(), Dask())}


def missing() -> list[str]:
    """Name those that are not installed."""
    return [name for name, peer in PEERS.items() if importlib.util.find_spec(peer.needs) is None]
