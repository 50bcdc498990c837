"""Calls of one asyncio proxy that are in flight at the same time run at the same time, on daemons of pyronb."""

from __future__ import annotations

import asyncio

import pytest

from pyronb.aio import Proxy, batch
from pyronb.errors import TimeoutError
from tests.support.serving import client_options, serving
from tests.support.together import Session, thing
from tests.support.waiting import eventually, scaled

__all__ = ["thing"]


@pytest.fixture
def daemon(thing):
    with serving(engine="thread") as running:
        running.register(thing, "thing")
        running.register(Session, "session")
        yield running
        thing.go.set()


@pytest.fixture
def proxy(daemon):
    # It connects in the loop of the test, which closes what it leaves open.
    return Proxy(daemon.uriFor("thing"), options=client_options())


async def entered(thing, calls):
    """Wait until so many calls of `wait` run."""
    for _ in range(calls):
        assert await asyncio.to_thread(thing.entered.acquire, timeout=scaled(10))


async def test_they_run_at_the_same_time(proxy, daemon):
    """All of them, over one connection; on the first calls that are made, too."""
    for _ in range(3):
        assert list(range(5)) == sorted(await asyncio.gather(*(proxy.be_five() for _ in range(5))))
    assert 1 == daemon._engine.clients


async def test_no_call_waits_for_another(proxy, thing):
    """Some take long; those that were made later are answered first, one by one and many at once."""
    slow = [asyncio.create_task(proxy.wait(number)) for number in range(10)]
    await entered(thing, 10)

    assert [3] * 5 == [await proxy.add(1, 2) for _ in range(5)]
    assert list(range(1000)) == await asyncio.gather(*map(proxy.give, range(1000)))
    assert not any(task.done() for task in slow)
    thing.go.set()
    assert list(range(10)) == await asyncio.gather(*slow)


async def test_no_more_at_a_time_than_allowed(proxy, thing, monkeypatch):
    """The others wait."""
    monkeypatch.setattr("pyronb.server.engines.threads.MOST_TOGETHER", 3)
    slow = [asyncio.create_task(proxy.wait(number)) for number in range(10)]
    await entered(thing, 4)

    assert not await asyncio.to_thread(thing.entered.acquire, timeout=0.05)
    thing.go.set()
    assert list(range(10)) == await asyncio.gather(*slow)


async def test_session(daemon):
    """An instance of the client's own has one call at a time, in their order."""
    async with Proxy(daemon.uriFor("session"), options=client_options()) as proxy:
        assert list(range(1, 31)) == await asyncio.gather(*map(proxy.add, range(30)))


async def test_circumstances(proxy):
    """Each call has its own, also while others run."""
    numbers = await asyncio.gather(*(proxy.look(0.005 * (number % 3)) for number in range(30)))

    assert 30 == len(set(numbers))


async def test_cancelled_and_timed_out(proxy, thing):
    """They disturb no other; the next one is answered."""
    slow = [asyncio.create_task(proxy.wait(number)) for number in range(3)]
    await entered(thing, 3)
    slow[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow[1]
    with pytest.raises(TimeoutError):
        await proxy._pyroCall(timeout=0.05).wait(3)

    assert 3 == await proxy.add(1, 2)
    thing.go.set()
    assert [0, 2] == [await slow[0], await slow[2]]
    assert 3 == await proxy.add(1, 2)


async def test_errors_and_oneway_calls_among_others(proxy, thing):
    """Each has its own end."""
    work = [proxy.fail("no") if number % 3 == 0 else proxy.give(number) for number in range(60)]
    work += [proxy.note(number) for number in range(10)]
    ends = await asyncio.gather(*work, return_exceptions=True)

    assert all(isinstance(end, ValueError) for end in ends[:60:3])
    assert [1, 2, 4, 5] == [end for end in ends[:7] if not isinstance(end, Exception)]
    assert [None] * 10 == ends[60:]
    assert eventually(lambda: sorted(thing.calls) == list(range(10)))


async def test_far_streams_and_batches_among_calls(proxy, thing):
    """The items of each come in their order, and the calls of a batch one after the other."""
    slow = asyncio.create_task(proxy.wait("slow"))
    await entered(thing, 1)

    async def collect():
        return [item async for item in await proxy.count(20)]

    async def many():
        calls = batch(proxy)
        for number in range(20):
            calls.give(number)
        return list(await calls())

    got = await asyncio.gather(collect(), many(), *map(proxy.give, range(50)), collect())

    assert list(range(20)) == got[0] == got[1] == got[-1]
    assert list(range(50)) == got[2:-1]
    thing.go.set()
    assert "slow" == await slow


async def test_one_after_the_other_and_then_long(proxy, thing):
    """A worker that answers calls that come alone is not held by one that takes long."""
    for number in range(200):
        assert number == await proxy.give(number)
    slow = asyncio.create_task(proxy.wait("slow"))
    await entered(thing, 1)

    assert [0, 1, 2] == [await proxy.give(number) for number in range(3)]
    thing.go.set()
    assert "slow" == await slow
