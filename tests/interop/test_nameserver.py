"""Name servers and what they keep: real clients on each storage of ours, and files that change hands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import pytest

from pyronb.config import config
from pyronb.errors import PyroError
from pyronb.nameserver.start import startNS
from pyronb.options import DaemonOptions
from pyronb.sync.lookup import locateNS, resolve
from pyronb.uri import URI
from tests.interop.conftest import ask_real_client, peer
from tests.interop.peers import checks
from tests.support.serving import LOCAL, client_options, connect, looping, naming
from tests.support.waiting import eventually, scaled

pytestmark = pytest.mark.skipif(
    find_spec("Pyro4") is None or find_spec("Pyro5") is None, reason="Pyro4 or Pyro5 is not installed"
)

A, B = "PYRO:a@localhost:1", "PYRO:b@localhost:2"
CLIENTS = {"Pyro4": "pyro4_client.py", "Pyro5": "pyro5_client.py"}
SERVERS = {"Pyro4": "pyro4_ns.py", "Pyro5": "pyro5_ns.py"}


@pytest.mark.parametrize("family", CLIENTS)
def test_real_clients_ask_a_name_server_that_keeps_a_file(tmp_path, family):
    """Every method, in every serializer; the file is SQLite."""
    with naming(f"sql:{tmp_path / 'names.db'}") as names:
        results = ask_real_client({"ns": [names.uri.host, names.uri.port]}, CLIENTS[family])

    assert results == dict.fromkeys(checks.ALL, "ok"), "\n".join(results.values())


@pytest.mark.parametrize("storage", ["memory", "sql", "dbm"])
@pytest.mark.parametrize("family", CLIENTS)
def test_real_tools_ask_each_storage(tmp_path, family, storage):
    """The words that have nothing to do with tags, which not every storage has."""
    with naming(storage if storage == "memory" else f"{storage}:{tmp_path / 'names'}") as names:

        def nsc(*words):
            tool = [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                f"{family}.nsc",
                "-n",
                LOCAL,
                "-p",
                str(names.uri.port),
                *words,
            ]
            environment = {name: text for name, text in os.environ.items() if not name.startswith("PYRO")}
            done = subprocess.run(
                tool, input="y\n", capture_output=True, text=True, timeout=scaled(30), env=environment, check=False
            )
            return done.stdout + done.stderr

        assert "Registered nsc.a" in nsc("register", "nsc.a", A)
        assert A in nsc("lookup", "nsc.a")
        for words in (["list"], ["list", "nsc."], ["listmatching", r"nsc\.."]):
            assert f"nsc.a --> {A}" in nsc(*words)
        assert "Removed nsc.a" in nsc("remove", "nsc.a")
        assert names.nameserver.list("nsc.") == {}
        assert "ping ok" in nsc("ping")


def told(names):
    """Give all that a name server has, but for its own entry."""
    found = names.list(return_metadata=True)
    return {name: (uri, set(tags)) for name, (uri, tags) in found.items() if name != "Pyro.NameServer"}


@pytest.mark.parametrize("family", SERVERS)
def test_a_site_switches_over_and_back(tmp_path, family):
    """On one SQLite file: from real to ours, to real and to ours again; nothing is lost, whoever wrote it."""
    storage, kept = f"sql:{tmp_path / 'names.db'}", {}
    for round_ in range(2):
        with peer(SERVERS[family], {"storage": storage}) as uri, connect(uri) as names:
            assert told(names) == kept
            names.register(f"real{round_}", A, metadata=["one", "two"])
            names.register("shared", A, metadata=["real"])
            kept |= {f"real{round_}": (A, {"one", "two"}), "shared": (A, {"real"})}
        with naming(storage) as daemon, connect(daemon.uri) as names:
            assert told(names) == kept
            assert names.lookup("Pyro.NameServer") == daemon.uri
            assert names.yplookup(["one", "two"]).keys() == {f"real{round_}"}
            names.register(f"ours{round_}", B, metadata=["one"])
            names.register("shared", B, metadata=["ours"])
            names.set_metadata("real0", ["three"])
            kept |= {f"ours{round_}": (B, {"one"}), "shared": (B, {"ours"}), "real0": (A, {"three"})}
            if round_:
                names.remove("ours0")
    with peer(SERVERS[family], {"storage": storage}) as uri, connect(uri) as names:
        del kept["ours0"]
        assert told(names) == kept


def test_a_dbm_file_of_a_real_pyro4_is_used(tmp_path):
    """And the other way round."""
    storage = f"dbm:{tmp_path / 'names'}"
    with peer("pyro4_ns.py", {"storage": storage}) as uri, connect(uri) as names:
        names.register("real", A)
    with naming(storage) as daemon, connect(daemon.uri) as names:
        assert told(names) == {"real": (A, set())}
        names.register("ours", B)
    with peer("pyro4_ns.py", {"storage": storage}) as uri, connect(uri) as names:
        assert told(names) == {"real": (A, set()), "ours": (B, set())}


# Names that are not there yet


@pytest.mark.parametrize("server", ["Pyro4", "Pyro5", "pyronb"])
@pytest.mark.parametrize("kind", ["PYRONAME:late", "PYROMETA:soon,late"])
def test_our_client_waits_for_a_name(server, kind):
    """With any name server."""
    with peer(SERVERS[server]) if server in SERVERS else naming() as there:
        place = URI(there if server in SERVERS else there.uri)
        with connect(place) as names, ThreadPoolExecutor() as do:
            waiting = do.submit(resolve, f"{kind}@{place.location}", scaled(20), options=client_options())
            names.register("other", B, metadata=["soon"])
            assert not waiting.done()
            names.register("late", A, metadata=["soon", "late"])
            assert waiting.result(scaled(20)) == URI(A)


def test_a_real_client_waits_for_a_name():
    """With ours."""
    with naming() as names, ThreadPoolExecutor() as do:
        uris = [f"PYRONAME:late@{names.locationStr}", f"PYROMETA:soon,late@{names.locationStr}"]

        def ask():
            with peer("pyro5_waits.py", {"uris": uris, "seconds": scaled(20)}) as found:
                return json.loads(found)

        waiting = do.submit(ask)
        eventually(lambda: names._engine.clients, 20)
        names.nameserver.register("late", A, metadata=["soon", "late"])
        assert waiting.result(scaled(30)) == [A, A]


# Keys and pickles


def test_a_name_server_is_started_with_a_key():
    """Whoever has it is served."""
    started = startNS(LOCAL, 0, enableBroadcast=False, hmac="secret")
    with looping(started.daemon):
        with locateNS(LOCAL, started.uri.port, hmac_key="secret", options=client_options()) as names:
            names.register("a", A)
            assert names.lookup("a") == URI(A)
        results = ask_real_client({"ns": [LOCAL, started.uri.port], "key": "secret"}, "pyro4_client.py")
        assert results == dict.fromkeys(checks.ALL, "ok"), "\n".join(results.values())


@pytest.mark.parametrize("serializer", ["pickle", "dill", "cloudpickle"])
def test_a_name_server_that_was_told_to_takes_pickles(serializer):
    """From its own configuration or options; any other refuses them. (S32)"""
    with naming() as daemon, pytest.raises(PyroError, match="does not accept"):
        connect(daemon.uri, serializer=serializer)
    accepted = DaemonOptions().serializers | {serializer}
    with naming(serializers=frozenset(accepted)) as daemon, connect(daemon.uri, serializer=serializer) as names:
        names.register("a", A, metadata={"one"})
        uri, tags = names.lookup("a", return_metadata=True)
        assert (uri, set(tags)) == (URI(A), {"one"})
        assert names.list(prefix="a") == {"a": A}


def test_the_configuration_switches_pickles_on(monkeypatch):
    """SERIALIZERS_ACCEPTED holds for name servers as for daemons. (S32)"""
    monkeypatch.setitem(config._values, "SERIALIZERS_ACCEPTED", {"serpent", "pickle"})
    started = startNS(LOCAL, 0, enableBroadcast=False)
    with looping(started.daemon), connect(started.uri, serializer="pickle") as names:
        names.register("a", A)
        assert names.lookup("a") == URI(A)


# In a program or a notebook


def test_a_name_server_in_a_thread():
    """It ends when it is closed, from whatever thread, and its port can be had again."""
    started = startNS(LOCAL, 0, enableBroadcast=False)
    thread = threading.Thread(target=started.daemon.requestLoop)
    thread.start()
    with connect(started.uri) as names:
        names.register("a", A)
    started.daemon.close()
    thread.join(scaled(10))

    assert not thread.is_alive()
    with startNS(LOCAL, started.uri.port, enableBroadcast=False).daemon as daemon:
        assert daemon.uri == started.uri
