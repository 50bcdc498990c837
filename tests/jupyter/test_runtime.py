"""The runtime of the Jupyter parts: what it makes of good and bad peers."""

from __future__ import annotations

import json
import os
import socket
import threading

import pytest

from pyronb import errors
from pyronb.config import config
from pyronb.jupyter import runtime
from pyronb.jupyter.addresses import parse_address
from pyronb.jupyter.runtime import read_names, read_object, read_values
from pyronb.server.exposure import expose
from pyronb.version import __version__
from tests.jupyter.server.peers import (
    BAD_PEERS,
    HOST,
    HOSTILE,
    Motor,
    NameServerLike,
    address_of,
    at_most,
    listening,
    nameserver,
    pyro4_nameserver,
    pyro5_nameserver,
    register,
    serving,
    silent,
    trickling,
)
from tests.support.paths import ROOT
from tests.support.programs import free_port
from tests.support.waiting import eventually

TIMEOUT = 2.0
MARGIN = 0.5


# Reading names


def test_models_have_the_keys_of_the_contract():
    """What is made here has the shape of the fixture that the front end is tested against."""
    contract = json.loads((ROOT / "tests" / "contract" / "models.json").read_text(encoding="utf-8"))
    names, thing = read_names(""), read_object("", "x")

    assert list(contract["names"]) == list(names)
    assert list(contract["names"]["nameserver"]) == list(names["nameserver"])
    assert list(contract["object"]) == list(thing)


def test_names_are_read():
    """A name server's registrations come sorted, with tags and who answered."""
    with nameserver() as daemon:
        register(daemon, "lab.b", "PYRO:b@127.0.0.1:1", metadata={"y", "x"})
        register(daemon, "lab.a", "PYRO:a@127.0.0.1:1")
        model = read_names(address_of(daemon))

    assert model["state"] == "ok"
    assert [row["name"] for row in model["names"]] == ["Pyro.NameServer", "lab.a", "lab.b"]
    assert model["names"][2] == {"name": "lab.b", "uri": "PYRO:b@127.0.0.1:1", "tags": ["x", "y"]}
    assert model["total"] == 3
    assert model["version"] == __version__
    assert model["nameserver"] == {
        "address": address_of(daemon),
        "default": False,
        "server": f"pyronb {__version__}",
    }
    assert model["viewpoint"].startswith("Python on ")
    assert (model["reason"], model["hint"], model["age"]) == ("", "", 0.0)


def test_names_of_the_default(monkeypatch):
    """Without an address the configuration's is asked, and it is known to be that."""
    with nameserver() as daemon:
        host, port = parse_address(address_of(daemon))
        monkeypatch.setattr(config, "NS_HOST", host)
        monkeypatch.setattr(config, "NS_PORT", port)
        model = read_names(None)

    assert model["state"] == "ok"
    assert model["nameserver"]["default"]


def test_names_are_limited():
    """No more than were asked for, but all are counted."""
    with serving({"Pyro.NameServer": NameServerLike({f"n{n}": ["PYRO:a@b:1", []] for n in range(30)})}) as daemon:
        model = read_names(address_of(daemon), limit=10)

    assert (len(model["names"]), model["total"]) == (10, 30)


@pytest.mark.interop
def test_names_of_a_real_pyro5():
    """The real name server is read just like our own, and so are its unknown names."""
    with pyro5_nameserver(dict(os.environ)) as address:
        model = read_names(address)
        unknown = read_object(address, "lab.moter")
        dead = read_object(address, "lab.motor")
        itself = read_object(address, "Pyro.NameServer")

    assert model["nameserver"]["server"] == "Pyro5"
    assert {"name": "lab.motor", "uri": "PYRO:motor@127.0.0.1:1", "tags": ["a", "b"]} in model["names"]
    assert unknown["state"] == "unknown"
    assert "'lab.motor'" in unknown["hint"]
    assert dead["state"] == "unreachable"
    assert dead["tags"] == ["a", "b"]
    assert itself["state"] == "ok"
    assert "lookup" in [method["name"] for method in itself["methods"]]


@pytest.mark.interop
def test_names_of_a_real_pyro4():
    """The name server of Pyro4 is read like any other, and its family is told."""
    with pyro4_nameserver(dict(os.environ)) as address:
        model = read_names(address)

    assert model["state"] == "ok"
    assert model["nameserver"]["server"] == "Pyro4"
    assert "Pyro.NameServer" in [row["name"] for row in model["names"]]


@pytest.mark.parametrize("address", ["", "  "])
def test_no_address_is_unconfigured(address):
    """Nothing is asked when nothing is configured."""
    assert read_names(address)["state"] == "unconfigured"
    assert read_object(address, "x")["state"] == "unconfigured"


def test_wrong_address_is_an_error():
    """A mistake in the configuration is told, not raised."""
    model = read_names("lab:port")

    assert model["state"] == "error"
    assert "the port" in model["reason"]
    assert model["nameserver"]["address"] == "lab:port"


def test_dead_name_server():
    """Nothing listens there."""
    address = f"{HOST}:{free_port()}"
    model = read_names(address)

    assert model["state"] == "unreachable"
    assert model["reason"] == f"The name server at {address} is not running: nothing listens there."
    assert "`pyronb ns`" in model["hint"]


@pytest.mark.parametrize("peer", BAD_PEERS, ids=lambda peer: peer.__name__)
@pytest.mark.parametrize(
    "read", [read_names, lambda *a, **k: read_object(*a, "lab.motor", **k)], ids=["names", "object"]
)
def test_bad_name_servers(peer, read):
    """Whatever answers instead of a name server, it is a state, and in time."""
    with listening(peer) as address, at_most(TIMEOUT + MARGIN):
        model = read(address, timeout=TIMEOUT)

    assert BAD_PEERS[peer] == model["state"]
    assert address in model["reason"]
    assert model["hint"]


def test_daemon_that_is_no_name_server():
    """The port of some other daemon is answered with its refusal."""
    with serving({"motor": Motor()}) as daemon:
        model = read_names(address_of(daemon))

    assert model["state"] == "refused"
    assert address_of(daemon) in model["reason"]


def test_slow_name_server_is_given_up():
    """A peer that greets and then is silent takes no more than the time it is given."""
    like = NameServerLike()
    like.may_answer.clear()
    with serving({"Pyro.NameServer": like}) as daemon:
        try:
            with at_most(1.0 + MARGIN):
                model = read_names(address_of(daemon), timeout=1.0)
        finally:
            like.may_answer.set()

    assert model["state"] == "unreachable"


def test_slow_resolver_is_given_up(monkeypatch):
    """Looking a host name up knows no deadline; the question has one all the same."""
    go_on = threading.Event()

    def resolve(*args, **kwargs):
        go_on.wait(30)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    try:
        with at_most(0.5 + MARGIN):
            model = read_names("no-such-host:9090", timeout=0.5)
    finally:
        go_on.set()
    eventually(lambda: not [t for t in threading.enumerate() if t.name == "pyronb-question"])

    assert model["state"] == "unreachable"
    assert "no-such-host:9090" in model["reason"]


def test_unknown_host(monkeypatch):
    """A host that nobody knows is told as that."""

    def resolve(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    model = read_names("no-such-host:9090")

    assert model["state"] == "unreachable"
    assert "does not know the host" in model["reason"]


def test_abandoned_questions_are_limited(monkeypatch):
    """However often somebody asks, hanging questions do not pile up; afterwards all is well again."""
    monkeypatch.setattr(runtime, "_slots", threading.BoundedSemaphore(2))
    go_on = threading.Event()

    def resolve(*args, **kwargs):
        go_on.wait(30)
        raise socket.gaierror(-2, "Name or service not known")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        try:
            states = [read_names("no-such-host:9090", timeout=0.1)["state"] for _ in range(5)]
            hanging = [thread for thread in threading.enumerate() if thread.name == "pyronb-question"]
        finally:
            go_on.set()
        eventually(lambda: not any(thread.is_alive() for thread in hanging))

    assert states == ["unreachable"] * 5
    assert len(hanging) == 2
    with nameserver() as daemon:
        assert read_names(address_of(daemon))["state"] == "ok"


HOSTILE_LISTS = [
    ("a text", "error"),
    (["lab.motor"], "error"),
    (None, "error"),
    (7, "error"),
    (ValueError("<b>no</b>"), "error"),
    ({}, "ok"),
    ({"": "PYRO:a@b:1", "x": 7, "y": [1, 2], "z": ["PYRO:a@b:1", [], 3]}, "ok"),
]


@pytest.mark.parametrize(("answer", "state"), HOSTILE_LISTS, ids=[repr(row[0]) for row in HOSTILE_LISTS])
def test_answers_of_a_wrong_shape(answer, state):
    """What makes no sense is left out, or is an error as a whole."""
    with serving({"Pyro.NameServer": NameServerLike(answer)}) as daemon:
        model = read_names(address_of(daemon))

    assert state == model["state"]
    assert model["names"] == []
    assert model["total"] == 0


@pytest.fixture
def serpent_only(monkeypatch):
    """Let daemons that are made now take serpent and nothing else."""
    monkeypatch.setitem(config._values, "SERIALIZERS_ACCEPTED", {"serpent"})


def test_name_server_that_takes_serpent_only(serpent_only):
    """JSON is quicker, but serpent is what every name server takes; there, names can even be no texts."""
    answer = {7: "PYRO:a@b:1", ("x",): "PYRO:a@b:1", "lab.motor": ("PYRO:a@b:1", {"a"})}
    with serving({"Pyro.NameServer": NameServerLike(answer, lookup=7)}) as daemon:
        model = read_names(address_of(daemon))

    assert model["state"] == "ok"
    assert model["names"] == [{"name": "lab.motor", "uri": "PYRO:a@b:1", "tags": ["a"]}]


def test_hostile_registrations_are_cleaned():
    """Texts are shortened, tags of a wrong kind left out; markup stays text, for whoever shows it to escape."""
    answer = {
        HOSTILE: ["PYRO:a@b:1", [HOSTILE, 7, None, ["x"], ""]],
        "n" * 1000: ["PYRO:" + "u" * 5000 + "@b:1", ["t" * 1000]],
        "many": ["PYRO:a@b:1", [f"t{n:03}" for n in range(500)]],
        "odd": ["PYRO:a@b:1", "tags as text"],
        "alone": "PYRO:a@b:1",
    }
    with serving({"Pyro.NameServer": NameServerLike(answer)}) as daemon:
        model = read_names(address_of(daemon))
    rows = {row["name"]: row for row in model["names"]}

    assert model["total"] == 5
    assert rows[HOSTILE]["tags"] == [HOSTILE]
    assert len(rows["n" * 500]["uri"]) == 1000
    assert rows["n" * 500]["tags"] == ["t" * 200]
    assert len(rows["many"]["tags"]) == 50
    assert rows["odd"]["tags"] == rows["alone"]["tags"] == []


def test_huge_answer_is_refused(monkeypatch):
    """An answer beyond all reason is not even read."""
    monkeypatch.setattr(runtime, "MAX_ANSWER", 100_000)
    with serving({"Pyro.NameServer": NameServerLike({"n" * 200_000: "PYRO:a@b:1"})}) as daemon:
        model = read_names(address_of(daemon))

    assert model["state"] == "error"
    assert "too large" in model["reason"]


@pytest.mark.parametrize("peer", [silent, trickling], ids=lambda peer: peer.__name__)
def test_short_timeouts_are_kept(peer):
    """Less time than usual is less time."""
    with listening(peer) as address, at_most(0.3 + MARGIN):
        assert read_names(address, timeout=0.3)["state"] == "unreachable"


# Reading objects


def test_object_is_read():
    """Members with signatures and documentation, who serves it, and how far away it is."""
    with nameserver() as daemon, serving({"motor": Motor()}) as other:
        uri = f"PYRO:motor@{address_of(other)}"
        register(daemon, "lab.motor", uri, metadata={"stage"})
        model = read_object(address_of(daemon), "lab.motor")

    assert (model["state"], model["reason"], model["hint"]) == ("ok", "", "")
    assert (model["name"], model["uri"], model["tags"]) == ("lab.motor", uri, ["stage"])
    assert model["server"] == f"pyronb {__version__}"
    assert model["serializer"] == "native"
    assert 0 < model["latency"] < TIMEOUT
    assert model["class_name"].endswith("Motor")
    assert model["doc"] == "Moves the stage."
    assert [method["name"] for method in model["methods"]] == ["move", "stop"]
    assert model["methods"][0]["signature"] == "(to: float, *, slowly: bool = False) -> float"
    assert model["methods"][0]["doc"] == "Go there."
    assert [method["oneway"] for method in model["methods"]] == [False, True]
    assert [(row["name"], row["writable"]) for row in model["attributes"]] == [("position", False), ("speed", True)]


def test_unknown_object_has_suggestions():
    """A mistyped name is answered with those that are like it."""
    with nameserver() as daemon:
        register(daemon, "lab.motor", "PYRO:motor@127.0.0.1:1")
        model = read_object(address_of(daemon), "lab.mtor")

    assert model["state"] == "unknown"
    assert model["reason"] == f"No object is registered as 'lab.mtor' at {address_of(daemon)}."
    assert model["hint"] == "Did you mean 'lab.motor'?"


def test_unknown_object_without_anything_like_it():
    """Where nothing is like it, the hint is a general one."""
    with nameserver() as daemon:
        model = read_object(address_of(daemon), "zzz")

    assert model["state"] == "unknown"
    assert "spelling" in model["hint"]


def test_unknown_object_at_a_name_server_that_lists_nothing():
    """Suggestions are a courtesy; without them the answer is the same."""
    like = NameServerLike(ValueError("no"), lookup=errors.NamingError("unknown name: x"))
    with serving({"Pyro.NameServer": like}) as daemon:
        model = read_object(address_of(daemon), "x")

    assert model["state"] == "unknown"
    assert "spelling" in model["hint"]


def test_stale_object():
    """The name is there, its daemon is gone; what is known is told."""
    with nameserver() as daemon:
        place = f"{HOST}:{free_port()}"
        register(daemon, "lab.motor", f"PYRO:motor@{place}", metadata={"stage"})
        model = read_object(address_of(daemon), "lab.motor")

    assert model["state"] == "unreachable"
    assert model["reason"] == f"The object 'lab.motor' at {place} is not running: nothing listens there."
    assert model["tags"] == ["stage"]
    assert model["latency"] is None


def test_object_that_is_gone_from_its_daemon():
    """The daemon is there and knows no such object."""
    with nameserver() as daemon, serving({"motor": Motor()}) as other:
        register(daemon, "lab.motor", f"PYRO:gone@{address_of(other)}")
        model = read_object(address_of(daemon), "lab.motor")

    assert model["state"] == "refused"
    assert "lab.motor" in model["reason"]
    assert "Register it again" in model["hint"]


@pytest.mark.parametrize("peer", BAD_PEERS, ids=lambda peer: peer.__name__)
def test_object_at_a_bad_peer(peer):
    """The name server is fine; what answers at the object's address is not."""
    with nameserver() as daemon, listening(peer) as place:
        register(daemon, "lab.motor", f"PYRO:motor@{place}")
        with at_most(TIMEOUT + MARGIN):
            model = read_object(address_of(daemon), "lab.motor", timeout=TIMEOUT)

    assert BAD_PEERS[peer] == model["state"]
    assert f"'lab.motor' at {place}" in model["reason"]
    assert model["uri"] == f"PYRO:motor@{place}"


@pytest.mark.parametrize(
    "found",
    [None, 7, "no uri", ["PYRONAME:other", []], ["PYROMETA:a,b", []], [7, []], [], ValueError("no")],
    ids=repr,
)
def test_lookup_of_a_wrong_shape(found):
    """What is registered must be the address of an object."""
    with serving({"Pyro.NameServer": NameServerLike(lookup=found)}) as daemon:
        model = read_object(address_of(daemon), "lab.motor")

    assert model["state"] == "error"
    assert model["reason"].endswith(".")


def test_loopback_address_from_elsewhere(monkeypatch):
    """A daemon that was started on localhost cannot be reached from other machines; that is worth a hint."""
    found = ["PYRO:motor@127.0.0.1:1", []]
    with serving({"Pyro.NameServer": NameServerLike(lookup=found)}) as daemon:
        # The name server is on this machine, under a name that is none of the loopback's.
        real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: real(HOST if host == "lab" else host, *a, **k))
        model = read_object(f"lab:{parse_address(address_of(daemon)).port}", "lab.motor")

    assert model["state"] == "unreachable"
    assert "only its own machine" in model["hint"]


# Attributes


@expose
class Gauge:
    """Attributes of all kinds."""

    def __init__(self):
        self.go = threading.Event()

    @property
    def level(self) -> float:
        return 2.5

    @property
    def text(self) -> str:
        return "x" * 5000

    @property
    def broken(self) -> float:
        raise ValueError("out of order")

    @property
    def slow(self) -> float:
        self.go.wait(20)
        return 0.0


def test_attributes_are_read():
    """Each for itself: a value, an error over there, and one that is not there."""
    with serving({"gauge": Gauge()}) as daemon, nameserver() as names:
        register(names, "lab.gauge", daemon.uriFor("gauge"))
        model = read_values(address_of(names), "lab.gauge", ["level", "text", "broken", "nothing"], timeout=TIMEOUT)
        at = runtime.read_values_at(daemon.uriFor("gauge"), ["level"], timeout=TIMEOUT)

    assert ("ok", "", "") == (model["state"], model["reason"], model["hint"])
    assert {"text": "2.5", "number": 2.5, "error": ""} == model["values"]["level"] == at["values"]["level"]
    assert len(model["values"]["text"]["text"]) <= 100
    assert model["values"]["text"]["number"] is None
    assert "ValueError: out of order" == model["values"]["broken"]["error"]
    assert "no attribute" in model["values"]["nothing"]["error"]


def test_attributes_of_a_silent_object():
    """What was read before is there, and why the rest is not."""
    gauge = Gauge()
    with serving({"gauge": gauge}) as daemon, nameserver() as names:
        register(names, "lab.gauge", daemon.uriFor("gauge"))
        with at_most(1.0 + MARGIN):
            model = read_values(address_of(names), "lab.gauge", ["level", "slow"], timeout=1.0)
        gauge.go.set()
        unknown = read_values(address_of(names), "lab.gaug", ["level"], timeout=TIMEOUT)

    assert ("unreachable", ["level"]) == (model["state"], list(model["values"]))
    assert "unknown" == unknown["state"]
    assert "unconfigured" == read_values("", "lab.gauge", ["level"])["state"]


def test_huge_attribute_is_refused(monkeypatch):
    """No more is read than can be shown."""
    monkeypatch.setattr(runtime, "MAX_VALUE", 1000)
    with serving({"gauge": Gauge()}) as daemon:
        model = runtime.read_values_at(daemon.uriFor("gauge"), ["text"], timeout=TIMEOUT)

    assert "error" == model["state"]
    assert "too large" in model["reason"]
