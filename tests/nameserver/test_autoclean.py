"""Names whose objects are gone are forgotten, after a while, and only those. Time is told by the tests."""

from __future__ import annotations

import logging
import threading

import pytest

from pyronb.config import config
from pyronb.errors import NamingError
from pyronb.nameserver.autoclean import AutoCleaner
from pyronb.nameserver.daemon import NameServerDaemon
from pyronb.nameserver.start import startNS
from pyronb.nameserver.storage.memory import MemoryStorage
from pyronb.net.probe import answering
from pyronb.options import DaemonOptions
from tests.support.programs import free_port
from tests.support.serving import LOCAL, connect, looping, serving
from tests.support.waiting import eventually, scaled

A, B = "PYRO:a@localhost:1", "PYRO:b@localhost:2"


class World:
    """Time, and who can be reached; `asked` is what was tried, how often."""

    def __init__(self, storage=None):
        self.now = 0.0
        self.there = set()
        self.asked = []
        self.storage = storage or MemoryStorage()
        self.cleaner = AutoCleaner(self.storage, 3.0, 7.0, probe=self.probe, clock=lambda: self.now)

    def register(self, **uris):
        for name, uri in uris.items():
            self.storage.put(name, uri, frozenset(), replace=True)

    def probe(self, places, seconds, stopped):
        assert seconds == 7.0
        assert not stopped()
        self.asked = [str(place.location) for place in places]
        return self.there & set(self.asked)

    def at(self, now):
        self.now = now
        return self.cleaner.clean()


@pytest.fixture
def world(storage):
    return World(storage)


def test_what_cannot_be_reached_for_twenty_seconds_is_forgotten(world):
    """Not before; the rest stays."""
    world.register(a=A, b=B)
    world.there = {"localhost:2"}
    assert world.at(0) == world.at(10) == world.at(19.9) == []
    assert world.at(20) == ["a"]

    assert world.storage.uris() == {"b": B}
    assert world.at(30) == []


def test_one_that_answers_again_starts_anew(world):
    """The twenty seconds are one after the other."""
    world.register(a=A)
    world.at(0)
    world.there = {"localhost:1"}
    world.at(15)
    world.there = set()
    assert world.at(21) == world.at(40.9) == []
    assert world.at(41) == ["a"]


def test_another_address_has_its_own_time(world):
    """Whoever registered anew is not blamed for what was there before, not even while it is being tried."""
    world.register(a=A)
    world.at(0)
    world.register(a=B)
    assert world.at(25) == []
    really = world.probe

    def meanwhile(*args):
        world.register(a=A)
        return really(*args)

    world.cleaner._probe = meanwhile
    assert world.at(50) == []
    assert world.storage.uris() == {"a": A}


def test_each_place_is_tried_once(world):
    """However many names lead there; names that lead on to names are not tried, nor is the name server."""
    world.register(a=A, b="PYRO:other@localhost:1", c="PYRONAME:a", d="PYROMETA:x", e="PYRO:u@./u:/tmp/x")
    world.register(**{"Pyro.NameServer": "PYRO:Pyro.NameServer@localhost:3"})
    world.at(0)
    assert sorted(world.asked) == ["./u:/tmp/x", "localhost:1"]
    assert sorted(world.at(20)) == ["a", "b", "e"]
    assert world.storage.uris().keys() == {"c", "d", "Pyro.NameServer"}


def test_a_storage_that_fails_is_tried_again(caplog):
    """The thread goes on."""
    calls = []

    class Failing(MemoryStorage):
        def uris(self, prefix=""):
            calls.append(1)
            raise NamingError("the disk is gone") if len(calls) % 2 else ValueError("this too")

    cleaner = AutoCleaner(Failing(), 0.001)
    with caplog.at_level(logging.WARNING, "pyronb"):
        cleaner.start()
        eventually(lambda: len(calls) > 3)
        cleaner.stop()
    assert "the disk is gone" in caplog.text
    assert not cleaner._thread.is_alive()


def test_nothing_is_forgotten_once_it_was_stopped():
    """What was under way has no consequences."""
    world = World()
    world.register(a=A)
    world.at(0)
    real = world.probe

    def stopping(*args):
        found = real(*args)
        world.cleaner.stop()
        return found

    world.cleaner._probe = stopping
    assert world.at(30) == []
    assert world.storage.uris() == {"a": A}


def test_a_name_server_cleans_up(monkeypatch):
    """While it serves, and whoever watches the names is told; closing ends the thread."""
    monkeypatch.setattr("pyronb.nameserver.autoclean._UNREACHABLE", scaled(1))
    gone = f"PYRO:gone@{LOCAL}:{free_port()}"
    with serving() as there:
        daemon = NameServerDaemon(LOCAL, 0, autoclean=0.05, options=DaemonOptions(poll_timeout=0.05))
        with looping(daemon):
            daemon.nameserver.register("there", f"PYRO:there@{there.locationStr}")
            daemon.nameserver.register("gone", gone)
            mark = daemon.nameserver.changes()["mark"]
            eventually(lambda: "gone" not in daemon.nameserver.list())
            assert daemon.nameserver.list().keys() == {"Pyro.NameServer", "there"}
            eventually(lambda: daemon.nameserver.changes(mark)["removed"] == ["gone"])
    assert not [thread for thread in threading.enumerate() if thread.name == "pyronb-autoclean"]


@pytest.mark.parametrize("where", ["tls", "unix"])
def test_real_daemons_stay(tmp_path, certificates, where):
    """One that talks TLS and one behind a Unix socket; that they were tried does not disturb their clients."""
    options = {"tls": certificates.daemon()} if where == "tls" else {"unixsocket": str(tmp_path / "there.sock")}
    world = World()
    world.cleaner._probe = answering
    with serving(**options) as there:
        world.register(there=f"PYRO:Pyro.Daemon@{there.locationStr}")
        tls = certificates.client() if where == "tls" else None
        with connect(there.uriFor("Pyro.Daemon"), tls=tls) as proxy:
            for now in (0, 30, 60):
                assert world.at(now) == []
                assert proxy.ping() is None
    assert world.at(90) == []
    assert world.at(120) == ["there"]


def test_serving_does_not_wait_for_it(monkeypatch):
    """However long an address takes."""
    go, begun = threading.Event(), threading.Event()

    def slow(places, seconds, stopped):
        begun.set()
        go.wait(scaled(10))
        return set()

    daemon = NameServerDaemon(LOCAL, 0, autoclean=0.01, options=DaemonOptions(poll_timeout=0.05))
    daemon._cleaner._probe = slow
    with looping(daemon):
        assert begun.wait(scaled(5))
        daemon.nameserver.register("a", A)
        assert daemon.nameserver.list("a") == {"a": A}
        go.set()


def test_the_configuration_switches_it_on(monkeypatch):
    """NS_AUTOCLEAN, in seconds; none by default."""
    for seconds, running in ((0.0, False), (3.0, True)):
        monkeypatch.setitem(config._values, "NS_AUTOCLEAN", seconds)
        with startNS(LOCAL, 0, enableBroadcast=False).daemon as daemon:
            assert daemon._cleaner._thread.is_alive() == running
