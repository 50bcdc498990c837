"""The manager alone: whom it lets be asked, how often it really asks, and that it keeps nobody waiting."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from pyronb.config import config
from pyronb.jupyter import runtime
from pyronb.jupyter.server import manager as module
from pyronb.jupyter.server.manager import Manager, ManagerClosedError, NotAllowedError, UnknownNameServerError
from pyronb.server.exposure import expose
from pyronb.sync.lookup import locateNS
from tests.jupyter.server.peers import (
    HOST,
    Motor,
    NameServerLike,
    address_of,
    at_most,
    listening,
    nameserver,
    register,
    serving,
    silent,
)
from tests.support.paths import ROOT
from tests.support.programs import free_port
from tests.support.waiting import eventually, scaled

MOTOR = "PYRO:motor@127.0.0.1:1"


@pytest.fixture
def managing():
    """Make managers that are closed at the end, with nothing left of their threads."""
    made = []

    def make(*addresses, **settings):
        made.append(Manager(addresses, **{"timeout": scaled(2), "interval": 0.05, **settings}))
        return made[-1]

    yield make
    for manager in made:
        assert manager.close(seconds=scaled(10))
    eventually(lambda: not [t.name for t in threading.enumerate() if t.name.startswith("pyronb-server")])


@pytest.fixture
def counted(monkeypatch):
    """Count the questions about objects, and let a test hold the answers back."""

    class Counted:
        objects = 0
        go_on = threading.Event()

    counted = Counted()
    counted.go_on.set()

    def reading(*args, **kwargs):
        counted.objects += 1
        counted.go_on.wait(scaled(30))
        return runtime.read_object(*args, **kwargs)

    monkeypatch.setattr(module, "read_object", reading)
    return counted


async def test_models_have_the_keys_of_the_contract(managing):
    """What is made here has the shape of the fixture that the front end is tested against."""
    contract = json.loads((ROOT / "tests" / "contract" / "models.json").read_text(encoding="utf-8"))
    with nameserver() as daemon:
        manager = managing(address_of(daemon))
        listing = await manager.names()
        news = await manager.names("", listing["mark"])
        known = await manager.nameservers()
        health = await manager.health(["Pyro.NameServer"])
        outcome = await manager.unregister("x", MOTOR)

    for model, name in ((listing, "listing"), (news, "news"), (known, "nameservers"), (outcome, "outcome")):
        assert set(contract[name]) == set(model)
    assert set(contract["nameservers"]["nameservers"][0]) == set(known["nameservers"][0])
    assert set(contract["health"]["objects"][0]) == set(health["objects"][0])


# Which name servers may be asked


async def test_name_servers_of_the_configuration(managing):
    """They are told in their order, and which one code finds by itself."""
    model = await managing("lab:9090", f"localhost:{config.NS_PORT}").nameservers()

    assert [(row["address"], row["origin"], row["default"]) for row in model["nameservers"]] == [
        ("lab:9090", "configured", False),
        (f"localhost:{config.NS_PORT}", "configured", True),
    ]
    assert (model["read_only"], model["may_add"]) == (False, True)
    assert model["viewpoint"].startswith("Jupyter server on ")


async def test_only_known_name_servers_are_asked(managing):
    """Any other is refused, whatever is asked."""
    like = NameServerLike()
    with serving({"Pyro.NameServer": like}) as daemon:
        other, manager = address_of(daemon), managing("lab:9090")
        for question in (
            manager.names(other),
            manager.object("x", other),
            manager.health(["x"], other),
            manager.unregister("x", MOTOR, other),
        ):
            with pytest.raises(UnknownNameServerError, match=other):
                await question

    assert like.calls == 0


async def test_adding_and_forgetting(managing):
    """A user adds one by its address, in any form, once; and only what was added can be forgotten."""
    with nameserver() as daemon:
        address, manager = address_of(daemon), managing("lab:9090")
        await manager.add(f" {address} ")
        model = await manager.add(address)
        assert [row["origin"] for row in model["nameservers"]] == ["configured", "added"]
        assert (await manager.names(address))["state"] == "ok"
        model = await manager.forget(address)
        assert [row["address"] for row in model["nameservers"]] == ["lab:9090"]
        with pytest.raises(UnknownNameServerError):
            await manager.names(address)
        for left in (address, "lab:9090"):
            with pytest.raises(UnknownNameServerError, match="not added here"):
                await manager.forget(left)


@pytest.mark.parametrize("text", ["", "lab:port", "lab:99999", "a b", "::1", "./u:"])
async def test_what_is_no_address_is_not_added(managing, text):
    """The message says what is wrong."""
    with pytest.raises(ValueError, match=r"needs|port|host|colons"):
        await managing("lab:9090").add(text)


async def test_adding_can_be_forbidden(managing):
    """Then one of the configuration can still be "added", which changes nothing."""
    manager = managing("lab:9090", may_add=False)
    assert len((await manager.add("lab:9090"))["nameservers"]) == 1
    with pytest.raises(NotAllowedError, match="configuration"):
        await manager.add("other:9090")


async def test_not_too_many_are_added(managing):
    """The list is bounded."""
    manager = managing("lab:9090")
    for n in range(module.MAX_ADDED):
        await manager.add(f"lab{n}")
    with pytest.raises(NotAllowedError, match=str(module.MAX_ADDED)):
        await manager.add("one-more")


async def test_name_server_inside(managing, monkeypatch):
    """It is there at once, is found without being told when its port is the usual one, and goes with its names."""
    monkeypatch.setitem(config._values, "NS_PORT", free_port())
    manager = managing()
    assert (await manager.names())["state"] == "unconfigured"
    (row,) = (await manager.start_embedded())["nameservers"]
    again = await manager.start_embedded()
    assert [row["address"] for row in again["nameservers"]] == [row["address"]]
    assert (row["origin"], row["default"]) == ("embedded", True)
    assert (await manager.names())["total"] == 1
    assert (await manager.stop_embedded())["nameservers"] == []
    assert (await manager.stop_embedded())["nameservers"] == []


async def test_name_server_inside_takes_another_port(managing, monkeypatch):
    """When the usual one is taken."""
    with nameserver() as daemon:
        monkeypatch.setitem(config._values, "NS_PORT", int(address_of(daemon).rpartition(":")[2]))
        manager = managing(address_of(daemon))
        rows = (await manager.start_embedded())["nameservers"]

    assert [row["origin"] for row in rows] == ["configured", "embedded"]
    assert not rows[1]["default"]


async def test_name_server_inside_at_an_address_of_the_configuration(managing, monkeypatch):
    """It is the same name server; it stays in the list when it is stopped."""
    port = free_port()
    monkeypatch.setitem(config._values, "NS_PORT", port)
    manager = managing(f"{config.NS_HOST}:{port}")
    started = (await manager.start_embedded())["nameservers"]
    stopped = (await manager.stop_embedded())["nameservers"]

    assert [[row["origin"] for row in rows] for rows in (started, stopped)] == [["embedded"], ["configured"]]


async def test_looking_only(managing):
    """Nothing can be changed then."""
    with nameserver() as daemon:
        register(daemon, "lab.motor", MOTOR)
        manager = managing(address_of(daemon), read_only=True)
        for question in (
            manager.unregister("lab.motor", MOTOR),
            manager.start_embedded(),
            manager.stop_embedded(),
        ):
            with pytest.raises(NotAllowedError, match="read_only"):
                await question

        assert (await manager.names())["total"] == 2


# Names


async def test_names(managing):
    """The names come with where they were asked for and from."""
    with nameserver() as daemon:
        register(daemon, "lab.motor", MOTOR, {"stage"})
        model = await managing(address_of(daemon)).names()

    assert model["state"] == "ok"
    assert [row["name"] for row in model["names"]] == ["Pyro.NameServer", "lab.motor"]
    assert model["viewpoint"].startswith("Jupyter server on ")
    assert model["nameserver"]["address"] == address_of(daemon)


async def test_unconfigured(managing):
    """Without an address the hint is one for a user of the panel, and for whoever configures the server."""
    model = await managing().names()

    assert model["state"] == "unconfigured"
    assert "PyronbServer.name_server" in model["hint"]
    assert "in the panel" in model["hint"]


async def test_hint_is_for_a_server(managing):
    """A Jupyter server has no --ns."""
    model = await managing(f"{HOST}:{free_port()}").names()

    assert "PyronbServer.name_server" in model["hint"]
    assert "--ns" not in model["hint"]


async def test_fifty_tabs_are_one_connection(managing):
    """Fifty tabs that follow the names through twenty changes cost the name server what one does."""
    greetings, asked = [], []
    with nameserver() as daemon:
        real = daemon._changes.since
        daemon._changes.since = lambda *args: (asked.append(1), real(*args))[1]
        daemon.validateHandshake = lambda connection, data: greetings.append(1)
        manager = managing(address_of(daemon))

        async def tab():
            model = await manager.names()
            seen = {row["name"] for row in model["names"]}
            while len(seen) < 21:
                model = await manager.names("", model["mark"], scaled(20))
                seen.update(row["name"] for row in model["names"])

        tabs = [asyncio.ensure_future(tab()) for _ in range(50)]
        await asyncio.sleep(0.1)
        for n in range(20):
            daemon.nameserver.register(f"lab.{n}", MOTOR)
        await asyncio.gather(*tabs)

    assert len(greetings) == 1
    # One for each change at most, and the first; changes in quick succession are told together.
    assert len(asked) <= 23


async def test_several_name_servers(managing):
    """Each is followed by itself; the first is meant where none is named."""
    with nameserver() as one, nameserver() as other:
        register(one, "lab.one", MOTOR)
        register(other, "lab.other", MOTOR)
        manager = managing(address_of(one), address_of(other))
        models = [await manager.names(), await manager.names(address_of(one)), await manager.names(address_of(other))]

    assert [model["names"][1]["name"] for model in models] == ["lab.one", "lab.one", "lab.other"]


# Objects


async def test_object(managing):
    """An object comes with its members."""
    with nameserver() as daemon, serving({"motor": Motor()}) as other:
        register(daemon, "lab.motor", f"PYRO:motor@{address_of(other)}")
        manager = managing(address_of(daemon))
        model = await manager.object("lab.motor")
        unknown = await manager.object("lab.moter")

    assert [method["name"] for method in model["methods"]] == ["move", "stop"]
    assert (unknown["state"], unknown["hint"]) == ("unknown", "Did you mean 'lab.motor'?")


@pytest.mark.parametrize(("told", "expected"), [({}, "native"), ({"SERIALIZER": "json"}, "json")])
async def test_object_is_asked_with_the_configured_serializer(managing, monkeypatch, told, expected):
    """What SERIALIZER says holds here as everywhere."""
    for item, value in told.items():
        monkeypatch.setitem(config._values, item, value)
    with nameserver() as daemon, serving({"motor": Motor()}) as other:
        register(daemon, "lab.motor", f"PYRO:motor@{address_of(other)}")
        model = await managing(address_of(daemon)).object("lab.motor")

    assert model["serializer"] == expected


async def test_objects_do_not_keep_names_waiting(managing):
    """A dozen objects that hang leave the list as quick as ever; further ones are told to come again."""
    with nameserver() as daemon:
        manager = managing(address_of(daemon), timeout=scaled(20))
        with listening(silent) as place:
            for n in range(module.MAX_ASKING + 1):
                register(daemon, f"lab.hung{n}", f"PYRO:hung@{place}")
            asking = [asyncio.ensure_future(manager.object(f"lab.hung{n}")) for n in range(module.MAX_ASKING)]
            await asyncio.sleep(0)
            names = await manager.names()
            busy = await manager.object(f"lab.hung{module.MAX_ASKING}")
            hanging = [not asked.done() for asked in asking]
        # The peer has hung up.
        models = await asyncio.gather(*asking)

    assert all(hanging)
    assert names["state"] == "ok"
    assert (busy["state"], busy["name"]) == ("error", f"lab.hung{module.MAX_ASKING}")
    assert "too many" in busy["reason"]
    assert {model["state"] for model in models} == {"unreachable"}


async def test_object_is_asked_once_for_all(managing, counted):
    """Questions for one object are shared, and its answer serves for a moment."""
    counted.go_on.clear()
    with nameserver() as daemon, serving({"motor": Motor()}) as other:
        register(daemon, "lab.motor", f"PYRO:motor@{address_of(other)}")
        manager = managing(address_of(daemon), timeout=scaled(5))
        asking = [asyncio.ensure_future(manager.object("lab.motor")) for _ in range(50)]
        await asyncio.sleep(0)
        counted.go_on.set()
        models = await asyncio.gather(*asking)
        again = await manager.object("lab.motor")
        assert counted.objects == 1
        fresh = await manager.object("lab.motor", fresh=True)

    assert {model["state"] for model in models} == {again["state"]} == {fresh["state"]} == {"ok"}
    assert counted.objects == 2


async def test_object_is_asked_anew_after_a_moment(managing, counted, monkeypatch):
    """It may be another one by then."""
    monkeypatch.setattr(module, "OBJECT_SECONDS", 0.0)
    with nameserver() as daemon:
        manager = managing(address_of(daemon))
        await manager.object("lab.motor")
        await manager.object("lab.motor")

    assert counted.objects == 2


async def test_few_objects_are_remembered(managing, counted):
    """Asking for all kinds of names does not fill the memory; those asked for last stay."""
    manager = managing()
    for n in range(module.MAX_OBJECTS + 10):
        await manager.object(f"n{n}")
    await manager.object(f"n{module.MAX_OBJECTS + 9}")

    assert len(manager._objects) == module.MAX_OBJECTS
    assert counted.objects == module.MAX_OBJECTS + 10


async def test_who_gives_up_does_not_spoil_it_for_others(managing, counted):
    """A browser tab that goes away leaves the question to those who still wait."""
    counted.go_on.clear()
    with nameserver() as daemon, serving({"motor": Motor()}) as other:
        register(daemon, "lab.motor", f"PYRO:motor@{address_of(other)}")
        manager = managing(address_of(daemon), timeout=scaled(5))
        first, second = (asyncio.ensure_future(manager.object("lab.motor")) for _ in range(2))
        await asyncio.sleep(0.05)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        counted.go_on.set()

        assert (await second)["state"] == "ok"
    assert counted.objects == 1


async def test_health(managing):
    """Of each object that is registered, whether it can be reached."""
    with nameserver() as daemon, serving({"motor": Motor()}) as other:
        register(daemon, "lab.motor", f"PYRO:motor@{address_of(other)}")
        register(daemon, "lab.gone", f"PYRO:gone@{HOST}:{free_port()}")
        manager = managing(address_of(daemon))
        model = await manager.health(["lab.motor", "lab.gone", "lab.unknown"], wait=scaled(10))

    assert {row["name"]: row["state"] for row in model["objects"]} == {"lab.motor": "ok", "lab.gone": "unreachable"}


async def test_unregister(managing):
    """A name goes when it still leads where it was seen to lead."""
    with nameserver() as daemon:
        register(daemon, "lab.motor", MOTOR)
        manager = managing(address_of(daemon))
        elsewhere = await manager.unregister("lab.motor", "PYRO:motor@127.0.0.1:2")
        unknown = await manager.unregister("lab.moter", MOTOR)
        gone = await manager.unregister("lab.motor", MOTOR)
        protected = await manager.unregister("Pyro.NameServer", str(daemon.uri))
        with locateNS(HOST, int(address_of(daemon).rpartition(":")[2])) as names:
            left = list(names.list())

    assert (elsewhere["state"], "registered anew" in elsewhere["reason"]) == ("refused", True)
    assert unknown["state"] == "unknown"
    assert gone == {"state": "ok", "reason": "", "hint": ""}
    assert protected["state"] == "error"
    assert left == ["Pyro.NameServer"]


# The end


async def test_event_loop_is_never_held_up(managing):
    """Whatever a name server does, the server's own loop goes on."""
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            await asyncio.sleep(0.02)
            beats += 1

    with listening(silent) as address:
        beating = asyncio.ensure_future(beat())
        model = await managing(address, timeout=scaled(2)).names()
        beating.cancel()

    assert model["state"] == "unreachable"
    # Of a hundred; a busy machine leaves out many, a loop that is held up leaves out all.
    assert beats >= 3


async def test_closed_manager_answers_no_more(managing):
    """Who waits is told, and so is who comes later."""
    with nameserver() as daemon, listening(silent) as address:
        manager = managing(address_of(daemon), address, timeout=scaled(20))
        first = await manager.names()
        waiting = [
            asyncio.ensure_future(manager.names(address_of(daemon), first["mark"], 20.0)),
            asyncio.ensure_future(manager.names(address)),
        ]
        await asyncio.sleep(0.1)
        with at_most(10):
            assert manager.close(scaled(9))
            for question in (*waiting, manager.names(), manager.object("x"), manager.add("lab")):
                with pytest.raises(ManagerClosedError):
                    await question


async def test_closing_ends_the_name_server_inside(managing, monkeypatch):
    """Nothing is left listening."""
    monkeypatch.setitem(config._values, "NS_PORT", free_port())
    manager = managing()
    (row,) = (await manager.start_embedded())["nameservers"]
    manager.close(scaled(5))

    model = await managing(row["address"]).names()
    assert model["state"] == "unreachable"


async def test_unexpected_failure_is_raised_and_not_kept(managing, monkeypatch):
    """A mistake of ours does not block the next question."""

    def broken(*args, **kwargs):
        raise ZeroDivisionError

    manager = managing()
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_object", broken)
        with pytest.raises(ZeroDivisionError):
            await manager.object("x")

    assert (await manager.object("x"))["state"] == "unconfigured"


async def test_attributes_are_read_once_for_all(managing):
    """Fifty tabs that watch the same attribute make the object work once."""
    motor = CountedMotor()
    with nameserver() as daemon, serving({"motor": motor}) as other:
        register(daemon, "lab.motor", f"PYRO:motor@{address_of(other)}")
        manager = managing(address_of(daemon))
        models = await asyncio.gather(*(manager.values("lab.motor", ["position"]) for _ in range(50)))
        unknown = await manager.values("lab.moter", ["position"])

    assert {"position": {"text": "1.5", "number": 1.5, "error": ""}} == models[0]["values"]
    assert motor.reads == 1
    assert (unknown["state"], unknown["values"]) == ("unknown", {})
    with pytest.raises(UnknownNameServerError):
        await manager.values("lab.motor", ["position"], "elsewhere:1")


@expose
class CountedMotor:
    """A motor that counts how often it was asked where it is."""

    def __init__(self):
        self.reads = 0

    @property
    def position(self) -> float:
        self.reads += 1
        return 1.5
