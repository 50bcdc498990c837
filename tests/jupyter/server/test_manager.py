"""The manager alone: how often it really asks, what it remembers, and that it never keeps anybody waiting."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from pyronb.jupyter import runtime
from pyronb.jupyter.addresses import parse_address
from pyronb.jupyter.server import manager as module
from pyronb.jupyter.server.manager import Manager, ManagerClosedError
from tests.jupyter.server.peers import (
    BAD_PEERS,
    HOST,
    Motor,
    NameServerLike,
    address_of,
    at_most,
    free_port,
    listening,
    nameserver,
    register,
    serving,
    silent,
)
from tests.support.waiting import eventually, scaled

LONG = 3600.0


@pytest.fixture
def managing():
    """Make managers that are closed at the end, with nothing left of their threads."""
    made = []

    def make(*args, **kwargs):
        made.append(Manager(*args, **kwargs))
        return made[-1]

    yield make
    for manager in made:
        assert manager.close(seconds=scaled(10))
    eventually(lambda: not [t.name for t in threading.enumerate() if t.name.startswith("pyronb-server")])


@pytest.fixture
def counted(monkeypatch):
    """Count what the manager really asks, by kind, and let a test hold the answers back."""

    class Counted:
        names = objects = 0
        at_once = most_at_once = 0
        lock = threading.Lock()
        go_on = threading.Event()

    counted = Counted()
    counted.go_on = threading.Event()
    counted.go_on.set()

    def watch(kind, read):
        def reading(*args, **kwargs):
            with counted.lock:
                setattr(counted, kind, getattr(counted, kind) + 1)
                counted.at_once += 1
                counted.most_at_once = max(counted.most_at_once, counted.at_once)
            counted.go_on.wait(scaled(30))
            try:
                return read(*args, **kwargs)
            finally:
                with counted.lock:
                    counted.at_once -= 1

        return reading

    monkeypatch.setattr(module, "read_names", watch("names", runtime.read_names))
    monkeypatch.setattr(module, "read_object", watch("objects", runtime.read_object))
    return counted


async def test_names(managing):
    """The names come with where they were asked for and from."""
    with nameserver() as daemon:
        register(daemon, "lab.motor", "PYRO:motor@127.0.0.1:1", {"stage"})
        model = await managing(address_of(daemon)).names()

    assert model["state"] == "ok"
    assert [row["name"] for row in model["names"]] == ["Pyro.NameServer", "lab.motor"]
    assert model["viewpoint"].startswith("Jupyter server on ")
    assert model["nameserver"]["address"] == address_of(daemon)


async def test_object(managing):
    """An object comes with its members."""
    with nameserver() as daemon, serving({"motor": Motor()}) as other:
        register(daemon, "lab.motor", f"PYRO:motor@{address_of(other)}")
        manager = managing(address_of(daemon))
        model = await manager.object("lab.motor")
        unknown = await manager.object("lab.moter")

    assert [method["name"] for method in model["methods"]] == ["move", "stop"]
    assert (unknown["state"], unknown["hint"]) == ("unknown", "Did you mean 'lab.motor'?")


async def test_unconfigured(managing):
    """Without an address the hint is one for whoever configures the server."""
    model = await managing("").names()

    assert model["state"] == "unconfigured"
    assert "PyronbServer.name_server" in model["hint"]


async def test_hint_is_for_a_server(managing):
    """A Jupyter server has no --ns."""
    model = await managing(f"{HOST}:{free_port()}").names()

    assert "PyronbServer.name_server" in model["hint"]
    assert "--ns" not in model["hint"]


async def test_fifty_ask_and_the_name_server_is_asked_once(managing):
    """Everybody gets the answer to the one question that is under way."""
    like = NameServerLike({"lab.motor": ["PYRO:a@b:1", []]})
    like.may_answer.clear()
    with serving({"Pyro.NameServer": like}) as daemon:
        manager = managing(address_of(daemon), timeout=scaled(5))
        asking = [asyncio.ensure_future(manager.names(fresh=n % 2 == 0)) for n in range(50)]
        await asyncio.sleep(0)
        like.may_answer.set()
        models = await asyncio.gather(*asking)

    assert [model["total"] for model in models] == [1] * 50
    assert like.calls == 1


async def test_polling_is_answered_from_memory(managing, counted):
    """Fifty clients that poll twenty times each within the lifetime of an answer are one question."""
    with nameserver() as daemon:
        manager = managing(address_of(daemon), cache_seconds=LONG)

        async def poll():
            for _ in range(20):
                assert (await manager.names())["state"] == "ok"

        await asyncio.gather(*[poll() for _ in range(50)])

    assert counted.names == 1


async def test_fresh_is_asked_anew(managing, counted):
    """Whoever presses the button gets what is there now, and never more than one question is under way."""
    with nameserver() as daemon:
        manager = managing(address_of(daemon), cache_seconds=LONG)
        before = await manager.names()
        register(daemon, "lab.motor", "PYRO:motor@127.0.0.1:1")
        remembered = await manager.names()
        fresh = await manager.names(fresh=True)
        after = await manager.names()

    assert [model["total"] for model in (before, remembered, fresh, after)] == [1, 1, 2, 2]
    assert counted.names == 2
    assert counted.most_at_once == 1


async def test_age_counts_from_the_question(managing, monkeypatch):
    """An answer from memory says how old it is."""
    with nameserver() as daemon:
        manager = managing(address_of(daemon), cache_seconds=LONG)
        await manager.names()
        now = time.monotonic()
        monkeypatch.setattr(module.time, "monotonic", lambda: now + 42)
        model = await manager.names()

    assert model["age"] == pytest.approx(42, abs=5)


async def test_failures_are_believed_longer_each_time(managing, counted, monkeypatch):
    """A name server that is gone is asked less and less often, but at least every 15 seconds."""
    now = 1000.0
    monkeypatch.setattr(module, "time", type("Clock", (), {"monotonic": staticmethod(lambda: now)}))
    manager = managing(f"{HOST}:{free_port()}", cache_seconds=1.0)
    asked_at = []
    while now < 1080:
        before = counted.names
        await manager.names()
        if counted.names > before:
            asked_at.append(now - 1000)
        now += 0.5

    assert asked_at == [0, 2, 6, 14, 29, 44, 59, 74]


async def test_name_server_goes_and_comes_back(managing):
    """The state follows, and after a success failures are forgotten."""
    states = []
    with nameserver() as daemon:
        port = parse_address(address_of(daemon)).port
        manager = managing(address_of(daemon), cache_seconds=0)
        states.append((await manager.names())["state"])
    states += [(await manager.names())["state"] for _ in range(3)]
    with nameserver(port=port):
        states.append((await manager.names())["state"])

    assert states == ["ok", "unreachable", "unreachable", "unreachable", "ok"]
    assert manager._failures == 0


@pytest.mark.parametrize("peer", BAD_PEERS, ids=lambda peer: peer.__name__)
async def test_bad_peers_take_no_longer_than_they_may(managing, peer):
    """Whatever is at the address, there is an answer in time, and the event loop was never held up."""
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            await asyncio.sleep(0.02)
            beats += 1

    with listening(peer) as address:
        beating = asyncio.ensure_future(beat())
        began = time.monotonic()
        with at_most(1.5):
            model = await managing(address, timeout=1.0).names()
        took = time.monotonic() - began
        beating.cancel()

    assert BAD_PEERS[peer] == model["state"]
    assert beats >= took / 0.02 / 4 - 1


async def test_objects_do_not_keep_names_waiting(managing):
    """A dozen objects that hang leave the list as quick as ever; further ones are told to come again."""
    with nameserver() as daemon, listening(silent) as place:
        for n in range(module.MAX_ASKING + 1):
            register(daemon, f"lab.hung{n}", f"PYRO:hung@{place}")
        manager = managing(address_of(daemon), timeout=1.0)
        asking = [asyncio.ensure_future(manager.object(f"lab.hung{n}")) for n in range(module.MAX_ASKING)]
        await asyncio.sleep(0)
        with at_most(0.5):
            names = await manager.names()
        with at_most(0.5):
            busy = await manager.object(f"lab.hung{module.MAX_ASKING}")
        with at_most(1.5):
            models = await asyncio.gather(*asking)

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

    assert {model["state"] for model in models} == {again["state"]} == {"ok"}
    assert counted.objects == 1


async def test_object_is_asked_anew_after_a_moment(managing, counted, monkeypatch):
    """Two seconds later it may be another one."""
    with nameserver() as daemon:
        manager = managing(address_of(daemon))
        await manager.object("lab.motor")
        now = time.monotonic()
        monkeypatch.setattr(module.time, "monotonic", lambda: now + module.OBJECT_SECONDS)
        await manager.object("lab.motor")

    assert counted.objects == 2


async def test_few_objects_are_remembered(managing, counted):
    """Asking for all kinds of names does not fill the memory; those asked for last stay."""
    manager = managing("")
    for n in range(module.MAX_OBJECTS + 10):
        await manager.object(f"n{n}")
    await manager.object(f"n{module.MAX_OBJECTS + 9}")

    assert len(manager._objects) == module.MAX_OBJECTS
    assert counted.objects == module.MAX_OBJECTS + 10


async def test_who_gives_up_does_not_spoil_it_for_others(managing, counted):
    """A browser tab that goes away leaves the question to those who still wait."""
    counted.go_on.clear()
    with nameserver() as daemon:
        manager = managing(address_of(daemon), timeout=scaled(5))
        first, second = asyncio.ensure_future(manager.names()), asyncio.ensure_future(manager.names())
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        counted.go_on.set()

        assert (await second)["state"] == "ok"
    assert counted.names == 1


async def test_closed_manager_asks_no_more(managing):
    """After closing there are no answers and no threads; what was under way still ends well."""
    with listening(silent) as address:
        manager = managing(address, timeout=0.5)
        asking = asyncio.ensure_future(manager.names())
        await asyncio.sleep(0)
        assert not manager.close()
        for question in (manager.names(fresh=True), manager.object("lab.motor")):
            if question.__name__ == "names":
                # It joins the one that is under way.
                assert (await question)["state"] == "unreachable"
            else:
                with pytest.raises(ManagerClosedError):
                    await question

        assert (await asking)["state"] == "unreachable"
    with pytest.raises(ManagerClosedError):
        await manager.names(fresh=True)


async def test_close_drops_what_waits(managing, monkeypatch):
    """A question that has not begun never begins; who waits for it is told."""
    go_on = threading.Event()
    manager = managing("")
    blocker = manager._names_pool.submit(go_on.wait, scaled(30))
    asking = asyncio.ensure_future(manager.names())
    await asyncio.sleep(0)
    manager.close()
    with pytest.raises(ManagerClosedError):
        await asking
    go_on.set()

    assert blocker.result(scaled(5))


async def test_unexpected_failure_is_raised_and_not_kept(managing, monkeypatch):
    """A mistake of ours does not block the next question."""

    def broken(*args, **kwargs):
        raise ZeroDivisionError

    manager = managing("")
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_names", broken)
        patch.setattr(module, "read_object", broken)
        with pytest.raises(ZeroDivisionError):
            await manager.names()
        with pytest.raises(ZeroDivisionError):
            await manager.object("x")

    assert (await manager.names())["state"] == "unconfigured"
    assert (await manager.object("x"))["state"] == "unconfigured"
