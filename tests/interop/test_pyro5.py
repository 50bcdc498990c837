"""pyronb and the real Pyro5, each as client, daemon and name server of the other."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pyronb.errors import SerializeError
from pyronb.sync.lookup import locateNS
from pyronb.uri import URI
from tests.interop.conftest import ask_real_client, peer
from tests.interop.ours import SETTINGS, compression, label, our_daemon, world
from tests.interop.peers import checks
from tests.support.paths import ROOT
from tests.support.serving import LOCAL, client_options, connect, naming
from tests.support.waiting import scaled

pytestmark = pytest.mark.skipif(find_spec("Pyro5") is None, reason="Pyro5 is not installed")


def cases(*, real):
    return [
        pytest.param(setting, name, id=f"{label(setting)}-{name}")
        for setting in SETTINGS
        for name in checks.CHECKS
        if checks.applies(name, setting[0], real=real)
    ]


# A real client and our daemon, in our name server


@pytest.fixture(scope="module")
def what_real_clients_found():
    """Run all checks of real clients; by setting."""
    found = {}
    for compressed in (False, True):
        with naming() as names, our_daemon(compression=compressed) as daemon:
            names.nameserver.register("interop.thing", daemon.uriFor("thing"))
            serializers = [serializer for serializer, mode in SETTINGS if mode == compressed]
            uri = f"PYRONAME:interop.thing@{names.locationStr}"
            options = {"uri": uri, "serializers": serializers, "compression": compressed}
            for key, result in ask_real_client(options).items():
                serializer, _, name = key.partition(" ")
                found[(serializer, compressed), name] = result
    return found


@pytest.mark.parametrize(("setting", "name"), cases(real=True))
def test_a_real_client_on_our_daemon(what_real_clients_found, setting, name):
    """It finds the object by name and cannot tell the difference."""
    result = what_real_clients_found[setting, name]

    assert result == "ok", result


# Our client and a real daemon, in a real name server


@pytest.fixture(scope="module")
def real_daemons(real_ns):
    """Start a real daemon without and one with compression, and give their names."""
    place = URI(real_ns)
    ns = [place.host, place.port]
    with (
        peer("pyro5_daemon.py", {"ns": ns, "name": "real.plain"}),
        peer("pyro5_daemon.py", {"ns": ns, "name": "real.compressed", "compression": True}),
    ):
        yield {False: f"PYRONAME:real.plain@{place.location}", True: f"PYRONAME:real.compressed@{place.location}"}


@pytest.mark.parametrize(("setting", "name"), cases(real=False))
def test_our_client_on_a_real_daemon(real_daemons, setting, name, no_leaks):
    """It finds the object by name and can do all that it can with one of ours."""
    serializer, compressed = setting
    with compression(compressed):
        checks.CHECKS[name][0](world(real_daemons[compressed], serializer, real_peer=True))


def test_a_real_daemon_is_given_no_iterators(real_daemons):
    """It could not ask for the items; the error says so, and what to do, and the connection goes on."""
    with connect(real_daemons[False]) as proxy, Path(__file__).open("rb") as file:
        for items in (iter([1, 2]), (item for item in "ab"), file):
            with pytest.raises(SerializeError, match="Pyro5: send a list of the items, or call a method for each"):
                proxy.echo(items)

        assert [1, 2] == proxy.echo([1, 2])


# Ours with ours, by the same checks


@pytest.fixture(scope="module")
def our_daemons():
    with our_daemon() as plain, our_daemon(compression=True) as compressed:
        yield {False: plain.uriFor("thing"), True: compressed.uriFor("thing")}


@pytest.mark.parametrize(("setting", "name"), cases(real=False))
def test_our_client_on_our_daemon(our_daemons, setting, name):
    """The same checks hold among ourselves."""
    serializer, compressed = setting
    with compression(compressed):
        checks.CHECKS[name][0](world(our_daemons[compressed], serializer))


# Name servers


def test_a_real_client_asks_our_name_server():
    """Every method, in every serializer."""
    with naming() as names:
        place = URI(names.uri)
        results = ask_real_client({"ns": [place.host, place.port]})

    assert results == dict.fromkeys(checks.ALL, "ok"), "\n".join(results.values())


def test_our_client_asks_a_real_name_server(real_ns):
    """Every method; in serpent, for a real one keeps tags in frozensets, which nothing else writes."""
    with connect(real_ns) as names:
        checks.nameserver(world(""), names)


@pytest.mark.parametrize("serializer", checks.ALL)
def test_our_client_asks_our_name_server(serializer):
    """The same checks hold among ourselves, in every serializer."""
    with naming() as daemon, connect(daemon.uri, serializer=serializer) as names:
        checks.nameserver(world("", serializer), names)


def test_our_nsc_asks_a_real_name_server(real_ns):
    """Each word of it."""
    place = URI(real_ns)

    def nsc(*words):
        command = [sys.executable, "-m", "pyronb", "nsc", "-n", place.host, "-p", str(place.port), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=scaled(30), cwd=ROOT, check=False)
        return done.returncode, done.stdout + done.stderr

    assert nsc("register", "nsc.a", "PYRO:a@localhost:1", "tag") == (0, "Registered nsc.a\n")
    assert nsc("lookup", "nsc.a") == (0, "PYRO:a@localhost:1\nmetadata: tag\n")
    assert nsc("list", "nsc.") == (0, "nsc.a --> PYRO:a@localhost:1\n    metadata: tag\n1 name starting with 'nsc.'\n")
    assert nsc("remove", "nsc.a") == (0, "Removed nsc.a\n")
    assert nsc("ping")[0] == 0
    code, text = nsc("lookup", "nsc.a")
    assert (code, text.count("\n")) == (1, 1)
    assert "unknown name: nsc.a" in text


def test_a_real_nsc_asks_our_name_server():
    """Each word of it."""
    with naming() as names:

        def nsc(*words):
            command = [sys.executable, "-m", "Pyro5.nsc", "-n", LOCAL, "-p", str(names.uri.port), *words]
            environment = {name: text for name, text in os.environ.items() if not name.startswith("PYRO")}
            done = subprocess.run(
                command, input="y\n", capture_output=True, text=True, timeout=scaled(30), env=environment, check=False
            )
            return done.stdout + done.stderr

        assert "Registered nsc.a" in nsc("register", "nsc.a", "PYRO:a@localhost:1")
        assert "PYRO:a@localhost:1" in nsc("lookup", "nsc.a")
        assert "nsc.a --> PYRO:a@localhost:1" in nsc("list")
        nsc("setmeta", "nsc.a", "tag")
        assert "nsc.a --> PYRO:a@localhost:1" in nsc("yplookup_all", "tag")
        nsc("removematching", "nsc.*")
        assert names.nameserver.list("nsc.") == {}
        assert "ping ok" in nsc("ping")


def test_crosswise(real_ns):
    """A real daemon in our name server for our client; our daemon in a real name server for a real client."""
    with naming() as names, our_daemon() as daemon:
        ours, theirs = URI(names.uri), URI(real_ns)
        with peer("pyro5_daemon.py", {"ns": [ours.host, ours.port], "name": "cross.real"}):
            for uri in (f"PYRONAME:cross.real@{ours.location}", f"PYROMETA:interop,cross.real@{ours.location}"):
                checks.CHECKS["calls"][0](world(uri, "serpent"))
            options = {"uri": f"PYRONAME:cross.real@{ours.location}", "serializers": ["serpent"], "only": ["calls"]}
            assert ask_real_client(options) == {"serpent calls": "ok"}
        with locateNS(theirs.host, theirs.port, options=client_options()) as real:
            real.register("cross.ours", daemon.uriFor("thing"), metadata=["interop", "mine"])
        for uri in (f"PYRONAME:cross.ours@{theirs.location}", f"PYROMETA:interop,mine@{theirs.location}"):
            options = {"uri": uri, "serializers": ["serpent", "json"], "only": ["calls", "attributes"]}
            assert set(ask_real_client(options).values()) == {"ok"}
            checks.CHECKS["calls"][0](world(uri, "serpent"))


def test_unix_sockets(tmp_path):
    """In both directions."""
    only = ["calls", "attributes", "streams", "errors", "pings", "unknown_objects"]
    with our_daemon(unixsocket=str(tmp_path / "ours.sock")) as daemon:
        uri = str(daemon.uriFor("thing"))
        assert uri == f"PYRO:thing@./u:{tmp_path / 'ours.sock'}"
        results = ask_real_client({"uri": uri, "serializers": ["serpent"], "only": only})
        assert set(results.values()) == {"ok"}, results
    with peer("pyro5_daemon.py", {"unixsocket": str(tmp_path / "theirs.sock")}) as uri:
        for name in only:
            checks.CHECKS[name][0](world(uri, "serpent"))


@pytest.mark.parametrize("serializer", checks.PICKLES)
def test_our_client_pickles_for_a_real_daemon(serializer):
    """There is no pickle in Pyro5: the error says so before anything is called, and what else there is."""
    with peer("pyro5_daemon.py") as uri:
        with pytest.raises(
            SerializeError, match=f"thing@.* does not accept the serializer '{serializer}', only: json, "
        ):
            connect(uri, serializer=serializer)
        with connect(uri) as proxy:
            with pytest.raises(SerializeError, match=f"does not accept the serializer '{serializer}'"):
                proxy._pyroSerializer = serializer
            assert proxy.add(1, 2) == 3
