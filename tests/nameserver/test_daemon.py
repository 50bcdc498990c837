"""The name server as it is served, and how one is started."""

from __future__ import annotations

import threading

import pytest

from pyronb.config import config
from pyronb.errors import NamingError, PyroError
from pyronb.nameserver.daemon import NameServerDaemon
from pyronb.nameserver.start import startNS, startNSloop
from pyronb.options import DaemonOptions
from pyronb.sync.lookup import locateNS, resolve
from pyronb.uri import URI
from tests.support.serving import ENGINES, LOCAL, RawClient, client_options, connect, lookup_at, naming
from tests.support.waiting import eventually, scaled

A = "PYRO:a@localhost:1"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("serializer", ["serpent", "json", "marshal", "msgpack"])
def test_it_answers_over_the_wire(where, serializer, engine):
    """Every method, in every serializer; sets arrive as what the serializer has for them."""
    with naming(where, engine=engine) as daemon, connect(daemon.uri, serializer=serializer) as names:
        names.register("a", A, metadata=["one"])
        assert names.lookup("a") == URI(A)
        uri, tags = names.lookup("a", return_metadata=True)
        assert (str(uri), set(tags)) == (A, {"one"})
        names.set_metadata("a", ["two"])
        assert names.list("a") == {"a": A}
        assert names.list(None, "Pyro") == {"Pyro.NameServer": str(daemon.uri)}
        assert {name: set(tags) for name, (_, tags) in names.yplookup(["two"]).items()} == {"a": {"two"}}
        assert names.count() == 2
        assert names.ping() is None
        with pytest.raises(NamingError, match="unknown name: x"):
            names.lookup("x")
        with pytest.raises(NamingError, match="already registered"):
            names.register("a", A, safe=True)
        with pytest.raises(NamingError, match="invalid regex"):
            names.list(regex="(")
        with pytest.raises(TypeError, match="name must be a str"):
            names.lookup(3)
        with pytest.raises(PyroError, match="invalid uri"):
            names.register("b", "nonsense")
        with pytest.raises(ValueError, match="one thing at a time"):
            names.list("a", "b")
        assert names.remove("a") == 1
        assert names.remove("Pyro.NameServer") == 0


def test_it_is_registered_in_itself(where):
    """With the tag by which real peers know a name server."""
    with naming(where) as daemon:
        assert daemon.nameserver.lookup("Pyro.NameServer", True) == (
            daemon.uri,
            {"class:Pyro5.nameserver.NameServer"},
        )
        assert resolve("PYROMETA:class:Pyro5.nameserver.NameServer", options=asking(daemon)) == daemon.uri


def asking(daemon):
    return client_options(lookup=lookup_at(daemon.uri))


def test_names_and_tags_lead_to_addresses():
    """A PYRONAME or PYROMETA address is resolved by it; without tags nothing is found."""
    with naming() as daemon:
        daemon.nameserver.register("a", A, metadata=["x", "y"])

        assert resolve("PYRONAME:a", options=asking(daemon)) == URI(A)
        assert resolve("PYROMETA:x,y", options=asking(daemon)) == URI(A)
        for unknown in ("PYRONAME:b", "PYROMETA:x,z"):
            with pytest.raises(NamingError):
                resolve(unknown, options=asking(daemon))


def test_a_restart_keeps_names_and_refreshes_its_own_address(tmp_path):
    """On the same file; its own address is another one now."""
    storage, addresses = f"sql:{tmp_path / 'names.db'}", set()
    for _ in range(3):
        with naming(storage) as daemon, connect(daemon.uri) as names:
            names.register("a", A, metadata=["tag"])
            addresses.add(str(daemon.uri))
            uri, tags = names.lookup("Pyro.NameServer", True)
            assert uri == daemon.uri
            assert tags == {"class:Pyro5.nameserver.NameServer"}
            assert names.count() == 2
            assert names.yplookup(["tag"], return_metadata=False) == {"a": A}
    assert len(addresses) > 1


def test_ten_thousand_names_travel():
    """In one list, with their tags."""
    with naming() as daemon, connect(daemon.uri) as names:
        for number in range(10_000):
            daemon.nameserver.register(f"n{number}", A, metadata=["x"])
        assert len(names.list()) == 10_001
        assert len(names.list(return_metadata=True)) == 10_001


def test_nobody_can_spoil_the_list_for_others(where):
    """A name that one serializer can carry and another cannot is refused."""
    with naming(where) as daemon, RawClient(daemon.locationStr, "json") as client:
        client.greet("Pyro.NameServer")
        for name in ("a\0", "a\x01"):
            client.call("Pyro.NameServer", "register", name, A)
        for serializer in ("serpent", "json", "marshal", "msgpack"):
            with connect(daemon.uri, serializer=serializer) as names:
                assert "a\x01" in names.list()
                assert "a\0" not in names.list()


@pytest.mark.parametrize("engine", ENGINES)
def test_many_clients_register_at_once(where, engine):
    """All of their names are there."""
    with naming(where, engine=engine) as daemon:
        errors = []

        def work(number):
            try:
                with connect(daemon.uri) as names:
                    for step in range(20):
                        names.register(f"{number}.{step}", A, metadata=[str(number)])
                    assert len(names.list(prefix=f"{number}.")) == 20
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(scaled(20))
        assert errors == []
        assert daemon.nameserver.count() == 161


def test_an_unusable_storage_opens_no_port(tmp_path):
    """The error comes before anything else; so does a taken port before the storage is kept open."""
    with pytest.raises(NamingError, match="cannot"):
        NameServerDaemon(LOCAL, 0, storage=f"sql:{tmp_path}")
    with naming() as daemon, pytest.raises(OSError, match="cannot listen"):
        NameServerDaemon(LOCAL, daemon.uri.port, storage=f"sql:{tmp_path / 'names.db'}")


def test_it_may_listen_on_a_unix_socket(tmp_path):
    """And is found there."""
    path = str(tmp_path / "ns.sock")
    started = startNS(unixsocket=path, enableBroadcast=False)
    with started.daemon as daemon:
        thread = threading.Thread(target=daemon.requestLoop)
        thread.start()
        with locateNS(f"./u:{path}", options=client_options()) as names:
            assert names.lookup("Pyro.NameServer") == started.uri
        daemon.shutdown()
        thread.join(scaled(5))


def test_starting_gives_what_pyro_gives():
    """Address, daemon and responder to broadcasts, which is not there yet."""
    uri, daemon, broadcast = startNS(LOCAL, 0)
    with daemon:
        assert daemon.uri == uri
        assert uri.object == "Pyro.NameServer"
        assert broadcast is None


def test_the_loop_runs_until_its_condition_fails(monkeypatch):
    """And closes the name server then."""
    monkeypatch.setitem(config._values, "POLLTIMEOUT", 0.01)
    go_on, looked = threading.Event(), threading.Event()
    go_on.set()

    def condition():
        looked.set()
        return go_on.is_set()

    thread = threading.Thread(target=startNSloop, args=(LOCAL, 0), kwargs={"loopCondition": condition})
    thread.start()
    assert looked.wait(scaled(5))
    go_on.clear()
    thread.join(scaled(5))

    assert not thread.is_alive()


@pytest.mark.parametrize("end", ["shutdown", "drain"])
def test_who_waits_for_a_change_does_not_hold_up_the_end(where, end):
    """They are told that nothing has changed, and the loop ends."""
    with naming(where) as daemon, connect(daemon.uri) as names:
        mark = names.changes()["mark"]
        told = []
        waiting = threading.Thread(target=lambda: told.append(names.changes(mark, 30.0)))
        names._pyroTimeout = scaled(20)
        names._pyroRelease()
        waiting.start()
        eventually(lambda: daemon._changes._places._value < 8)
        getattr(daemon, end)()
        waiting.join(scaled(5))

        assert told[0]["names"] == {}


def test_closing_while_calls_come_in_is_no_crash(tmp_path):
    """Whoever calls meanwhile has an error."""
    daemon = NameServerDaemon(
        LOCAL, 0, storage=f"sql:{tmp_path / 'names.db'}", options=DaemonOptions(poll_timeout=0.05)
    )
    loop = threading.Thread(target=daemon.requestLoop)
    loop.start()
    done, failed = [], []

    def work():
        try:
            with connect(daemon.uri) as names:
                while True:
                    names.register("a", A)
                    done.append(1)
        except PyroError as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(done) > 20)
    daemon.close()
    for thread in (*threads, loop):
        thread.join(scaled(5))
        assert not thread.is_alive()

    assert len(failed) == 4
