"""Health: which objects can be reached, and how gently that is found out."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from pyronb.jupyter.addresses import Address
from pyronb.jupyter.runtime import ONLY_THERE
from pyronb.jupyter.server import health as module
from pyronb.jupyter.server.health import Health
from tests.jupyter.server.peers import BAD_PEERS, HOST, Motor, address_of, at_most, listening, patience_with, serving
from tests.support.programs import free_port
from tests.support.waiting import scaled

HERE = Address(HOST, 9090)
WAIT = scaled(10)


@pytest.fixture
def health(monkeypatch):
    monkeypatch.setattr(module, "GAP", 0.0)
    return Health(scaled(2))


async def test_object_that_answers(health):
    """Its latency, and who serves it."""
    with serving({"motor": Motor()}) as daemon:
        (model,) = await health.look({"lab.motor": f"PYRO:motor@{address_of(daemon)}"}, HERE, wait=WAIT)

    assert (model["name"], model["state"], model["reason"]) == ("lab.motor", "ok", "")
    assert model["latency"] > 0
    assert model["server"].startswith("pyronb ")


async def test_object_that_is_not_there(health):
    """Its daemon answers, and does not know it."""
    with serving({"motor": Motor()}) as daemon:
        (model,) = await health.look({"lab.old": f"PYRO:old@{address_of(daemon)}"}, HERE, wait=WAIT)

    assert model["state"] == "refused"
    assert "Register it again" in model["hint"]


@pytest.mark.parametrize("peer", BAD_PEERS, ids=lambda peer: peer.__name__)
async def test_bad_peers(peer):
    """Each has its state, in time."""
    health = Health(patience_with(peer))
    with listening(peer) as address, at_most(8):
        (model,) = await health.look({"lab.x": f"PYRO:x@{address}"}, HERE, wait=WAIT)

    assert BAD_PEERS[peer] == model["state"]


async def test_what_is_registered_may_make_no_sense(health):
    """It is an error, not an exception."""
    (model,) = await health.look({"lab.x": "no uri at all"}, HERE, wait=WAIT)

    assert model["state"] == "error"


async def test_address_that_only_another_machine_reaches(health):
    """The hint says so."""
    uris = {"lab.x": f"PYRO:x@{HOST}:{free_port()}"}
    (model,) = await health.look(uris, Address("elsewhere", 9090), wait=WAIT)

    assert (model["state"], model["hint"]) == ("unreachable", ONLY_THERE)


async def test_who_does_not_wait_is_told_that_it_is_being_checked(health):
    """What is not known yet has a state of its own."""
    with serving({"motor": Motor()}) as daemon:
        uris = {"lab.motor": f"PYRO:motor@{address_of(daemon)}"}
        (before,) = await health.look(uris, HERE)
        (after,) = await health.look(uris, HERE, wait=WAIT)

    assert (before["state"], after["state"]) == ("checking", "ok")


class Counting:
    """Counts how many questions there are at one time."""

    def __init__(self):
        self.now = self.most = self.all = 0
        self.lock = threading.Lock()

    def __call__(self, connection, data):
        with self.lock:
            self.now += 1
            self.all += 1
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self.lock:
            self.now -= 1


async def test_daemon_is_asked_one_question_at_a_time(health):
    """However many of its objects are on view, and however many look."""
    counting = Counting()
    with serving({f"m{n}": Motor() for n in range(10)}) as daemon:
        daemon.validateHandshake = counting
        uris = {f"lab.m{n}": f"PYRO:m{n}@{address_of(daemon)}" for n in range(10)}
        found = await asyncio.gather(*[health.look(uris, HERE, wait=WAIT) for _ in range(50)])

    assert {model["state"] for models in found for model in models} == {"ok"}
    assert (counting.most, counting.all) == (1, 10)


async def test_where_nobody_listens_nobody_is_asked_again(health, monkeypatch):
    """One question tells about all objects of a daemon that is gone; each is told under its own name."""
    asked = []
    real = health._ask

    async def ask(proxy):
        asked.append(proxy)
        return await real(proxy)

    health._ask = ask
    place = f"{HOST}:{free_port()}"
    models = await health.look({f"lab.{n}": f"PYRO:o{n}@{place}" for n in range(20)}, HERE, wait=WAIT)

    assert {model["state"] for model in models} == {"unreachable"}
    assert "'lab.7'" in models[7]["reason"]
    assert len(asked) == 1


async def test_findings_are_believed_for_a_while(health, monkeypatch):
    """Then, or when somebody wants it fresh, the object is asked again."""
    counting = Counting()
    with serving({"motor": Motor()}) as daemon:
        daemon.validateHandshake = counting
        uris = {"lab.motor": f"PYRO:motor@{address_of(daemon)}"}
        for _ in range(3):
            await health.look(uris, HERE, wait=WAIT)
        assert counting.all == 1
        await health.look(uris, HERE, wait=WAIT, fresh=True)
        assert counting.all == 2
        monkeypatch.setattr(module, "BELIEVED", -1.0)
        await health.look(uris, HERE, wait=0.3)

    assert counting.all >= 3


async def test_few_daemons_are_asked_at_once(health):
    """Hundreds of daemons do not get hundreds of questions at the same moment."""
    here = most = 0

    async def ask(proxy):
        nonlocal here, most
        here += 1
        most = max(most, here)
        await asyncio.sleep(0.01)
        here -= 1
        raise ConnectionRefusedError

    health._ask = ask
    await health.look({f"n{n}": f"PYRO:x@h:{n + 1}" for n in range(30)}, HERE, wait=WAIT)

    assert most == module.AT_ONCE


async def test_what_is_no_longer_on_view_is_not_asked(health, monkeypatch):
    """Scrolling through thousands of names leaves no questions behind."""
    asked = []

    async def ask(proxy):
        asked.append(proxy)
        await asyncio.sleep(0.05)
        raise ZeroDivisionError

    health._ask = ask
    monkeypatch.setattr(module, "_WANTED", 0.01)
    await health.look({f"n{n}": f"PYRO:x{n}@h:1" for n in range(1000)}, HERE, wait=0.2)

    assert len(asked) == 1
    assert len(health._wanted) == 0
