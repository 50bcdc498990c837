"""Follower: what it asks, how often, what it tells, and that it stops when nobody listens."""

from __future__ import annotations

import asyncio
import os

import pytest

from pyronb.jupyter.server import following as module
from pyronb.jupyter.server.following import Follower, Manners
from tests.jupyter.server.peers import (
    BAD_PEERS,
    HOST,
    NameServerLike,
    address_of,
    at_most,
    listening,
    nameserver,
    patience_with,
    pyro4_nameserver,
    pyro5_nameserver,
    register,
    serving,
    silent,
    unregister,
)
from tests.support.programs import free_port
from tests.support.waiting import scaled

LONG = 3600.0


@pytest.fixture
def following(jp_asyncio_loop):
    """Make followers that are closed at the end."""
    made = []

    def make(address, **manners):
        made.append(Follower(address, Manners(**{"timeout": scaled(5), "interval": 0.05, **manners})))
        return made[-1]

    yield make
    for follower in made:
        jp_asyncio_loop.run_until_complete(follower.close())


def names_of(model):
    return [row["name"] for row in model["names"]]


async def registered(daemon, name, uri="PYRO:x@h:1"):
    """Register in another thread, as another program would."""
    await asyncio.to_thread(register, daemon, name, uri)


async def test_first_answer_is_complete(following):
    """Who has no mark is told everything."""
    with nameserver() as daemon:
        register(daemon, "lab.motor", "PYRO:motor@127.0.0.1:1", {"stage"})
        model = await following(address_of(daemon)).listing()

    assert (model["state"], model["complete"], model["removed"]) == ("ok", True, [])
    assert names_of(model) == ["Pyro.NameServer", "lab.motor"]
    assert model["names"][1]["tags"] == ["stage"]
    assert model["nameserver"]["server"].startswith("pyronb ")
    assert model["live"]


async def test_changes_are_told_when_they_are_made(following):
    """Who waits with a mark hears of a change at once, and of nothing else."""
    with nameserver() as daemon:
        follower = following(address_of(daemon), interval=LONG)
        first = await follower.listing()
        waiting = asyncio.ensure_future(follower.listing(first["mark"], scaled(20)))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await registered(daemon, "lab.new")
        came = await waiting
        await asyncio.to_thread(unregister, daemon, "lab.new")
        went = await follower.listing(came["mark"], scaled(20))

    assert (names_of(came), came["removed"], came["complete"], came["total"]) == (["lab.new"], [], False, 2)
    assert (names_of(went), went["removed"], went["complete"], went["total"]) == ([], ["lab.new"], False, 1)


async def test_nothing_new(following):
    """After the time that was given there is an answer without changes."""
    with nameserver() as daemon:
        follower = following(address_of(daemon))
        first = await follower.listing()
        second = await follower.listing(first["mark"], 0.05)

    assert (names_of(second), second["removed"], second["complete"]) == ([], [], False)
    assert second["mark"] == first["mark"]


async def test_fifty_wait_and_one_connection_is_enough(following):
    """However many wait, the name server sees one client, which asks once for each change."""
    greetings, asked = [], []
    with nameserver() as daemon:
        real = daemon._changes.since
        daemon._changes.since = lambda *args: (asked.append(1), real(*args))[1]
        daemon.validateHandshake = lambda connection, data: greetings.append(1)
        follower = following(address_of(daemon))
        first = await follower.listing()
        waiting = [asyncio.ensure_future(follower.listing(first["mark"], scaled(20))) for _ in range(50)]
        await asyncio.sleep(0.05)
        greetings_before = len(greetings)
        daemon.nameserver.register("lab.new", "PYRO:x@h:1")
        models = await asyncio.gather(*waiting)

    assert {tuple(names_of(model)) for model in models} == {("lab.new",)}
    assert greetings_before == len(greetings) == 1
    assert len(asked) <= 3


async def test_name_server_that_tells_nothing_is_asked_again_and_again(following):
    """One that knows no `changes` is asked for its list, over one connection, and the difference is told."""
    like = NameServerLike({"lab.a": ["PYRO:a@b:1", []], "lab.b": ["PYRO:b@b:1", []]})
    with serving({"Pyro.NameServer": like}) as daemon:
        follower = following(address_of(daemon))
        first = await follower.listing()
        like.names = {"lab.a": ["PYRO:anew@b:1", []], "lab.c": ["PYRO:c@b:1", []]}
        second = await follower.listing(first["mark"], scaled(20))

    assert not first["live"]
    assert (names_of(second), second["removed"], second["complete"]) == (["lab.a", "lab.c"], ["lab.b"], False)


@pytest.mark.interop
@pytest.mark.parametrize("real", [pyro4_nameserver, pyro5_nameserver])
async def test_real_name_servers_are_polled(following, real):
    """Pyro's own know nothing of changes; what becomes of them is told all the same."""
    with real(os.environ) as address:
        follower = following(address)
        first = await follower.listing()
        second = await follower.listing(first["mark"], 0.3)

    assert (first["state"], first["live"]) == ("ok", False)
    assert "Pyro.NameServer" in names_of(first)
    assert first["nameserver"]["server"] in {"Pyro4", "Pyro5"}
    assert names_of(second) == []


async def test_who_asks_seldom_is_not_asked_for_often(following):
    """The longest pause that all who wait are content with is taken."""
    like = NameServerLike({})
    with serving({"Pyro.NameServer": like}) as daemon:
        follower = following(address_of(daemon), interval=0.01)
        first = await follower.listing(every=LONG)
        await follower.listing(first["mark"], 0.3, every=LONG)

    assert like.calls == 1


async def test_fresh_asks_now(following):
    """Whoever presses the button gets what is there now; who presses at the same time shares the answer."""
    like = NameServerLike({})
    with serving({"Pyro.NameServer": like}) as daemon:
        follower = following(address_of(daemon), interval=LONG)
        await follower.listing()
        like.names = {"lab.a": ["PYRO:a@b:1", []]}
        models = await asyncio.gather(*[follower.listing(fresh=True) for _ in range(20)])

    assert {model["total"] for model in models} == {1}
    assert like.calls == 2


async def test_fresh_asks_also_a_name_server_that_tells_its_changes(following):
    """It may have died without a word; only a new question shows."""
    with nameserver() as daemon:
        follower = following(address_of(daemon))
        first = await follower.listing()
        await follower.listing(first["mark"], 0.05)
        with at_most(module.LIVE_WAIT / 2):
            model = await follower.listing(first["mark"], fresh=True)

    assert model["state"] == "ok"
    assert model["age"] < scaled(module.LIVE_WAIT / 2)


async def test_who_rings_is_heard_before_anybody_waits():
    """Who is about to wait is woken as well: whoever asks for something fresh in that moment need not wait for more."""
    bell = module._Bell()
    heard = bell.heard()
    bell.ring()

    await asyncio.wait_for(heard, scaled(5))


async def test_name_server_goes_and_comes_back(following):
    """The state is told like any change; the names stay, and are told anew by the new one."""
    with nameserver() as daemon:
        address, port = address_of(daemon), int(address_of(daemon).rpartition(":")[2])
        register(daemon, "lab.old", "PYRO:x@h:1")
        follower = following(address)
        first = await follower.listing()
    gone = await follower.listing(first["mark"], scaled(20))
    with nameserver(port=port) as daemon:
        back = await follower.listing(gone["mark"], scaled(20))

    assert (gone["state"], gone["live"], gone["total"]) == ("unreachable", False, 2)
    assert gone["retry"] is not None
    assert (back["state"], back["live"], back["retry"]) == ("ok", True, None)
    assert back["removed"] == ["lab.old"]


async def test_failures_are_followed_by_longer_and_longer_pauses(following, monkeypatch):
    """A name server that is gone is asked less and less often, but at least every 15 seconds."""
    monkeypatch.setattr(module, "LINGER", LONG)
    pauses = []
    follower = following(f"{HOST}:{free_port()}", interval=1.0)

    async def heard(seconds=None):
        pauses.append(seconds)
        if len(pauses) == 7:
            follower._wanted = 0.0

    follower._nudge.heard = heard
    await follower.listing()
    await asyncio.wait([follower._task], timeout=scaled(5))

    assert pauses == [1, 2, 4, 8, 15, 15, 15]


@pytest.mark.parametrize("peer", BAD_PEERS, ids=lambda peer: peer.__name__)
async def test_bad_peers_take_no_longer_than_they_may(following, peer):
    """Whatever is at the address, there is an answer in time."""
    with listening(peer) as address, at_most(10):
        model = await following(address, timeout=patience_with(peer), interval=LONG).listing()

    assert BAD_PEERS[peer] == model["state"]
    assert model["reason"]


@pytest.mark.parametrize("answer", [5, ["lab.a"], {"lab.a": 5}, {"": ["x", []]}, "text", None])
async def test_senseless_answers(following, answer):
    """What is no map of names is an error; entries that make no sense are left out."""
    like = NameServerLike()
    like.names = answer
    with serving({"Pyro.NameServer": like}) as daemon:
        model = await following(address_of(daemon)).listing()

    assert model["state"] == ("ok" if isinstance(answer, dict) else "error")
    assert model["total"] == 0


async def test_name_server_that_does_not_really_wait(following):
    """One that answers at once that nothing has changed is not asked again at once."""
    asked = []
    with nameserver() as daemon:
        daemon._changes.close()
        real = daemon._changes.since
        daemon._changes.since = lambda *args: (asked.append(1), real(*args))[1]
        follower = following(address_of(daemon), interval=LONG)
        first = await follower.listing()
        await follower.listing(first["mark"], 0.3)

    assert len(asked) == 2


async def test_nobody_listens(following, monkeypatch):
    """Some time after the last question the connection is closed; the next question is answered by a new one."""
    monkeypatch.setattr(module, "LINGER", 0.05)
    monkeypatch.setattr(module, "LIVE_WAIT", 0.1)
    with nameserver() as daemon:
        follower = following(address_of(daemon))
        await follower.listing()
        await asyncio.wait([follower._task], timeout=scaled(5))
        assert follower._task.done()
        assert follower._ns is None
        await registered(daemon, "lab.new")
        model = await follower.listing()

    assert "lab.new" in names_of(model)


async def test_more_names_than_fit(following):
    """Then each answer is complete as far as it goes, and says how many there are."""
    like = NameServerLike({f"n{n}": ["PYRO:a@b:1", []] for n in range(5)})
    with serving({"Pyro.NameServer": like}) as daemon:
        follower = following(address_of(daemon), limit=3)
        first = await follower.listing()
        again = await follower.listing(first["mark"])

    assert (names_of(first), first["total"]) == (["n0", "n1", "n2"], 5)
    assert again["complete"]


async def test_wrong_address(following):
    """It is told, and who waits for a change waits."""
    follower = following("")
    first = await follower.listing()
    with at_most(5):
        again = await follower.listing(first["mark"], 0.05)

    assert first["state"] == again["state"] == "unconfigured"


async def test_closing_in_the_middle_of_a_question(following):
    """It does not wait for an answer."""
    with listening(silent) as address:
        follower = following(address, timeout=LONG)
        asking = asyncio.ensure_future(follower.listing())
        await asyncio.sleep(0.05)
        with at_most(5):
            await follower.close()
            await asking
