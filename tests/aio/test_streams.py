"""Far streams: iterators over there, iterated here with ``async for``."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import threading

import pytest

from pyronb.aio import Proxy
from pyronb.aio.driver import Mailbox
from pyronb.aio.shortcut import ShortCut
from pyronb.aio.streams import FarStream
from pyronb.client.bare import NOT_TAKEN
from pyronb.context import current_context
from pyronb.errors import ConnectionClosedError, PyroError, RemoteError, TimeoutError
from pyronb.server.exposure import expose
from tests.support.serving import client_options, serving
from tests.support.waiting import eventually, scaled


async def test_items(make, bench):
    """Each item is asked for when it is wanted; the end over there is the end here."""
    async with make() as proxy:
        stream = await proxy.count(3)

        assert isinstance(stream, FarStream)
        assert [] == bench.streams
        assert 0 == await anext(stream)
        assert [1, 2] == [item async for item in stream]
        assert "closed" == bench.streams[-1]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_loop_in_one_go(make):
    """The call is awaited, its result iterated."""
    async with make() as proxy:
        assert [0, 1, 2] == [item async for item in await proxy.count(3)]


async def test_calls_in_between(make):
    """Two streams and calls go on side by side, in tasks of their own."""
    async with make() as proxy:

        async def drain():
            return [item async for item in await proxy.count(50)]

        results = await asyncio.gather(drain(), drain(), *(proxy.add(number, 0) for number in range(50)))

        assert [list(range(50))] * 2 == results[:2]
        assert list(range(50)) == results[2:]


async def test_error_in_the_generator(make):
    """It comes after the items before it, and ends the stream; the connection survives."""
    async with make() as proxy:
        stream = await proxy.count(2, fail=True)

        assert [0, 1] == [await anext(stream), await anext(stream)]
        with pytest.raises(RemoteError, match="in mid-stream"):
            await anext(stream)
        assert [] == [item async for item in stream]
        assert 3 == await proxy.add(1, 2)


async def test_aclose(make, bench, daemon):
    """The daemon is told at once; closing again does nothing."""
    async with make() as proxy:
        stream = await proxy.count(100)
        await anext(stream)
        await stream.aclose()
        await stream.aclose()

        assert await asyncio.to_thread(eventually, lambda: "closed" in bench.streams)
        assert [] == [item async for item in stream]
        assert "(ended)" in repr(stream)
        assert 0 == len(daemon._streams)


async def test_dropped(make, bench):
    """A stream that is dropped leaves a note, and the next call delivers it."""
    async with make() as proxy:
        async for item in await proxy.count(100):
            if item == 2:
                break
        gc.collect()

        assert 1 == len(proxy._pyro.notes)
        assert 3 == await proxy.add(1, 2)
        assert [] == proxy._pyro.notes
        assert await asyncio.to_thread(eventually, lambda: "closed" in bench.streams)


async def test_tasks_share_a_stream(make):
    """Each item goes to one of them, and all see the end."""
    async with make() as proxy:
        stream = await proxy.count(100)

        async def drain():
            return [item async for item in stream]

        results = await asyncio.gather(*(drain() for _ in range(4)))

        assert list(range(100)) == sorted(item for items in results for item in items)


async def test_cancelled_item(make):
    """Cancelling loses nothing: that item is given again."""
    async with make() as proxy:
        stream = await proxy.count(3)
        task = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert [0, 1, 2] == [item async for item in stream]


async def test_release_in_between(make):
    """The stream says so; after connecting again it goes on where it was."""
    await released_between_items(make)


async def released_between_items(make):
    async with make() as proxy:
        stream = await proxy.count(3)
        await anext(stream)
        await proxy._pyroRelease()
        with pytest.raises(ConnectionClosedError, match="was released; reconnect"):
            await anext(stream)
        await proxy._pyroReconnect(1)

        assert [1, 2] == [item async for item in stream]


async def test_closing_after_the_daemon_went(bench):
    """There is nobody to tell; that is no error."""
    with serving() as daemon:
        proxy = Proxy(daemon.register(bench, "bench"), options=client_options())
        stream = await proxy.count(100)
        await anext(stream)
    await stream.aclose()
    await proxy._pyroRelease()


async def test_unknown_stream(make):
    """One that the daemon has forgotten is an error, once."""
    async with make() as proxy:
        await proxy._pyroBind()
        stream = FarStream(proxy._pyro, "no-such-id")
        with pytest.raises(PyroError, match="item stream terminated"):
            await anext(stream)

        assert [] == [item async for item in stream]


async def test_outlives_its_proxy(make, daemon):
    """As long as the stream is there, the connection is."""
    proxy = make()
    stream = await proxy.count(3)
    del proxy
    gc.collect()

    assert [0, 1, 2] == [item async for item in stream]
    del stream
    gc.collect()
    await asyncio.sleep(0)
    assert await asyncio.to_thread(eventually, lambda: daemon._engine.clients == 0, scaled(5))


@pytest.mark.parametrize("generator", ["count", "count_later", "blocks"])
async def test_cancelled_items(daemon, generator):
    """However often that happens, each item is given once and in its order."""

    @expose
    class Counter:
        def count(self):
            yield from range(200)

        async def count_later(self):
            for number in range(60):
                await asyncio.sleep(0)
                yield number

        def blocks(self):
            return (number.to_bytes(2, "big") * 20_000 for number in range(200))

    async with Proxy(daemon.register(Counter()), options=client_options()) as proxy:
        proxy._pyroSerializer = "msgpack"
        stream, items = await getattr(proxy, generator)(), []
        chance = random.Random(7)
        while True:
            task = asyncio.create_task(anext(stream, None))
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            if chance.random() < 0.3:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                item = await task
                if item is None:
                    break
                items.append(item)

    if generator == "blocks":
        assert {40_000} == set(map(len, items))
        items = [int.from_bytes(item[:2], "big") for item in items]
    assert list(range(60 if generator == "count_later" else 200)) == items


async def test_a_stream_that_is_opened_for_nobody_any_more(make, daemon):
    """The call was cancelled, or took too long, before its reply came: the daemon is told with the next one."""
    entered, go = threading.Semaphore(0), threading.Event()

    @expose
    class Slow:
        def count(self):
            entered.release()
            assert go.wait(scaled(10))
            return iter(range(3))

        def add(self, a, b):
            return a + b

    async with Proxy(daemon.register(Slow()), options=client_options()) as proxy:
        call = asyncio.create_task(proxy.count())
        assert await asyncio.to_thread(entered.acquire, timeout=scaled(5))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        go.set()
        await asyncio.to_thread(eventually, lambda: len(daemon._streams) == 1)
        await asyncio.to_thread(eventually, lambda: proxy._pyro.notes)
        assert 3 == await proxy.add(1, 2)

        await asyncio.to_thread(eventually, lambda: len(daemon._streams) == 0)


@pytest.mark.parametrize("short", [True, False])
async def test_a_stream_whose_reply_comes_as_the_call_is_cancelled(make, daemon, monkeypatch, short):
    """Nobody takes it, and the daemon is told with the next call."""
    async with make() as proxy:
        await proxy.add(1, 2)
        if not short:
            proxy._pyro.short = None
        call = asyncio.create_task(proxy.count(3))
        received = Mailbox.received

        def cancelling(mailbox, data):
            missing = received(mailbox, data)
            call.cancel()
            return missing

        monkeypatch.setattr(Mailbox, "received", cancelling)
        with pytest.raises(asyncio.CancelledError):
            await call
        assert 1 == len(daemon._streams) == len(proxy._pyro.notes)
        assert 3 == await proxy.add(1, 2)

        await asyncio.to_thread(eventually, lambda: len(daemon._streams) == 0)


@pytest.fixture
def one_by_one(monkeypatch):
    """Have daemons asked as real ones are; give the items that were got in short."""
    monkeypatch.setattr("pyronb.client.streams.one_by_one", lambda _: True)
    monkeypatch.setattr("pyronb.aio.streams.one_by_one", lambda _: True)
    got, next_item = [], ShortCut.next_item

    async def noted(*args):
        item = await next_item(*args)
        if item is not NOT_TAKEN:
            got.append(item)
        return item

    monkeypatch.setattr(ShortCut, "next_item", noted)
    return got


async def test_daemons_that_give_one_item_at_a_time(make, bench, one_by_one):
    """Each item takes the way of a plain call, and the object's own calls go on in between."""
    async with make() as proxy:
        stream = await proxy.count(5)

        assert [0, 1] == [await anext(stream), await anext(stream)]
        assert ["item 0", "item 1"] == bench.streams
        assert 3 == await proxy.add(1, 2)
        assert [2, 3, 4] == [item async for item in stream]
        assert [0, 1, 2, 3, 4] == one_by_one
        assert "(ended)" in repr(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_streams_and_calls_at_once_whose_items_come_one_at_a_time(make, one_by_one):
    """Each task gets what is its own, and tasks that share a stream get each item once."""
    async with make() as proxy:
        first, shared = await proxy.count(50), await proxy.count(50)

        async def drain(stream):
            return [item async for item in stream]

        results = await asyncio.gather(
            drain(first), drain(shared), drain(shared), *(proxy.add(number, 0) for number in range(50))
        )

        assert list(range(50)) == results[0] == sorted(results[1] + results[2]) == results[3:]
        assert 100 == len(one_by_one)


async def test_error_from_a_daemon_that_gives_one_item_at_a_time(make, one_by_one):
    """It ends the stream; the connection survives."""
    async with make() as proxy:
        stream = await proxy.count(2, fail=True)

        assert [0, 1] == [await anext(stream), await anext(stream)]
        with pytest.raises(RemoteError, match="in mid-stream"):
            await anext(stream)
        assert [] == [item async for item in stream]
        assert 3 == await proxy.add(1, 2)
        assert [0, 1] == one_by_one


async def test_cancelled_items_that_come_one_at_a_time(make, daemon, one_by_one):
    """The item is lost at most; those after it come in their order, and the daemon is told when nobody goes on."""
    async with make() as proxy:
        stream, items = await proxy.count(200), []
        chance = random.Random(7)
        for _ in range(100):
            task = asyncio.create_task(anext(stream))
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            if chance.random() < 0.3:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                items.append(await task)

        assert sorted(set(items)) == items == one_by_one
        assert 50 < len(items) < 100
        assert 3 == await proxy.add(1, 2)
        assert 1 == len(daemon._streams)
        await stream.aclose()
        await asyncio.to_thread(eventually, lambda: len(daemon._streams) == 0)


async def test_an_item_that_takes_too_long_and_comes_alone(daemon, one_by_one):
    """It is lost, as from a real daemon; the stream goes on with the next."""
    go = threading.Event()

    @expose
    class Slow:
        def count(self):
            yield 0
            assert go.wait(scaled(10))
            yield 1
            yield 2

    async with Proxy(daemon.register(Slow()), options=client_options()) as proxy:
        stream = await proxy.count()
        assert 0 == await anext(stream)
        proxy._pyroTimeout = scaled(0.4)
        with pytest.raises(TimeoutError, match=r"while calling 'get_next_stream_item' of 'Pyro.Daemon'"):
            await anext(stream)
        proxy._pyroTimeout = scaled(10)
        go.set()

        assert [2] == [item async for item in stream]
        assert [0, 2] == one_by_one


async def test_item_that_comes_alone_over_a_lost_connection(bench, one_by_one):
    """The one who waits is told."""
    with serving() as daemon:
        proxy = Proxy(daemon.register(bench, "bench"), options=client_options())
        stream = await proxy.count(100)
        assert 0 == await anext(stream)
    with pytest.raises(ConnectionClosedError):
        await anext(stream)
    assert [0] == one_by_one
    await proxy._pyroRelease()


async def test_release_between_items_that_come_one_at_a_time(make, one_by_one):
    """The stream says so, and goes on after connecting again."""
    await released_between_items(make)


async def test_annotations_go_beside_the_question_for_an_item(make, one_by_one):
    """Such a question takes the long way."""
    async with make() as proxy:
        stream = await proxy.count(3)
        current_context.annotations = {"TEST": b"abc"}

        assert [0, 1, 2] == [item async for item in stream]
        assert [] == one_by_one
