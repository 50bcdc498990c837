"""Iterators that stay here while a client asks for their items, with a clock that the test turns."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.errors import PyroError
from pyronb.server.streams import Streams
from tests.support.waiting import eventually, scaled


@pytest.fixture(scope="module", autouse=True)
def _moment():
    """Have a moment be so long that items which come at once are made in it on a busy machine, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyronb.server.streams._MOMENT", scaled(0.3))
        yield


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


class Noted:
    """A generator that notes its end."""

    def __init__(self, items=(1, 2, 3), fails=None):
        self.closed = False
        self.fails = fails
        self.iterator = self.generate(items)

    def generate(self, items):
        try:
            yield from items
            if self.fails:
                raise self.fails
        finally:
            self.closed = True


def gone(streams, stream_id):
    with pytest.raises(PyroError, match="item stream terminated"):
        streams.next_item(stream_id, "anybody")
    return True


def test_items_come_one_by_one_until_the_end(clock):
    """After the last item the stream is forgotten."""
    streams = Streams(0, 30, clock)
    stream_id = streams.open(iter([1, 2]), "me")
    assert [streams.next_item(stream_id, "me") for _ in range(2)] == [1, 2]
    with pytest.raises(StopIteration):
        streams.next_item(stream_id, "me")

    assert gone(streams, stream_id)
    assert len(streams) == 0


def test_an_error_of_the_iterator_ends_the_stream(clock):
    """The error goes to the caller as it is."""
    streams = Streams(0, 30, clock)
    stream_id = streams.open(Noted((), ValueError("boom")).iterator, "me")
    with pytest.raises(ValueError, match="boom"):
        streams.next_item(stream_id, "me")

    assert gone(streams, stream_id)


def test_closing_runs_the_generators_end(clock):
    """What a generator holds open is closed with it; closing twice, or what is not there, does nothing."""
    streams, noted = Streams(0, 30, clock), Noted()
    stream_id = streams.open(noted.iterator, "me")
    streams.next_item(stream_id, "me")
    streams.close(stream_id)
    streams.close(stream_id)
    streams.close("never was")

    assert noted.closed
    assert gone(streams, stream_id)


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, GeneratorExit])
def test_an_error_at_the_generators_end_bothers_nobody(clock, error):
    """Nobody is left to whom it would matter."""

    def stubborn():
        try:
            yield 1
        finally:
            raise error

    streams = Streams(0, 30, clock)
    stream_id = streams.open(stubborn(), "me")
    streams.next_item(stream_id, "me")
    streams.close(stream_id)

    assert len(streams) == 0


def test_a_stream_lives_no_longer_than_its_lifetime(clock):
    """Even while its items are asked for."""
    streams, noted = Streams(5.0, 30, clock), Noted()
    stream_id = streams.open(noted.iterator, "me")
    streams.next_item(stream_id, "me")
    clock.now += 4.9
    streams.expire()
    assert streams.next_item(stream_id, "me") == 2
    clock.now += 0.2
    streams.expire()

    assert gone(streams, stream_id)
    assert noted.closed


def test_without_a_lifetime_a_stream_does_not_age(clock):
    """A client that is connected may take all the time in the world."""
    streams = Streams(0, 30, clock)
    stream_id = streams.open(iter([1]), "me")
    clock.now += 1e9
    streams.expire()

    assert streams.next_item(stream_id, "me") == 1


def test_a_stream_waits_for_its_owner_to_come_back(clock):
    """For as long as it lingers; whoever knows its id can go on, and is its owner from then on."""
    streams = Streams(0, 30, clock)
    stream_id = streams.open(iter([1, 2, 3]), "me")
    streams.disconnected("me")
    clock.now += 29
    streams.expire()
    assert streams.next_item(stream_id, "me again") == 1
    clock.now += 29
    streams.expire()
    streams.disconnected("me")
    clock.now += 31
    streams.expire()
    assert streams.next_item(stream_id, "me again") == 2
    streams.disconnected("me again")
    clock.now += 31
    streams.expire()

    assert gone(streams, stream_id)


def test_without_linger_a_stream_goes_with_its_owner(clock):
    """At once, and only with its own."""
    streams, mine, other = Streams(0, 0, clock), Noted(), Noted()
    my_id, other_id = streams.open(mine.iterator, "me"), streams.open(other.iterator, "other")
    streams.next_item(my_id, "me")
    streams.disconnected("me")

    assert mine.closed
    assert gone(streams, my_id)
    assert streams.next_item(other_id, "other") == 1


def test_clearing_ends_all(clock):
    """As a daemon does when it is closed."""
    streams, noted = Streams(0, 30, clock), [Noted(), Noted()]
    for each in noted:
        streams.next_item(streams.open(each.iterator, "me"), "me")
    streams.clear()

    assert len(streams) == 0
    assert all(each.closed for each in noted)


def test_a_stream_can_be_closed_while_an_item_is_made(clock):
    """Whoever closes does not wait for the item, which still arrives."""
    entered, go_on, got = threading.Event(), threading.Event(), []

    def slow():
        entered.set()
        assert go_on.wait(scaled(5))
        yield 1

    streams = Streams(0, 30, clock)
    stream_id = streams.open(slow(), "me")
    thread = threading.Thread(target=lambda: got.append(streams.next_item(stream_id, "me")))
    thread.start()
    assert entered.wait(scaled(5))
    streams.close(stream_id)
    assert thread.is_alive()
    go_on.set()
    thread.join(scaled(5))

    assert got == [1]
    assert gone(streams, stream_id)


# Several items at once


@pytest.fixture(params=[True, False], ids=["threads", "inline"])
def streams(request, clock):
    return Streams(0, 30, clock, threads=request.param)


def test_several_items(streams):
    """As many as were asked for; what has not arrived is given again, and so is the end."""
    stream_id = streams.open(iter(range(10)), "me")

    assert [0] == streams.next_items(stream_id, 0, 1, "me")
    assert [1, 2, 3, 4] == streams.next_items(stream_id, 1, 4, "me")
    assert [1, 2, 3, 4] == streams.next_items(stream_id, 1, 4, "me")
    assert [1] == streams.next_items(stream_id, 1, -5, "me")
    assert [3, 4, 5] == streams.next_items(stream_id, 3, 3, "me")
    assert [6, 7, 8, 9] == streams.next_items(stream_id, 6, 10**9, "me")
    for _ in range(3):
        with pytest.raises(StopIteration):
            streams.next_items(stream_id, 10, 5, "me")
    assert gone(streams, stream_id)


def test_items_that_are_not_at_hand(streams):
    """Neither what has arrived nor what was never given; the stream goes on."""
    stream_id = streams.open(iter(range(10)), "me")
    streams.next_items(stream_id, 0, 3, "me")
    streams.next_items(stream_id, 3, 1, "me")
    for arrived in (0, 2, 5, -1):
        with pytest.raises(PyroError, match="not at hand"):
            streams.next_items(stream_id, arrived, 1, "me")
    for wrong in ("3", None, 3.0, True):
        with pytest.raises(TypeError, match="whole numbers"):
            streams.next_items(stream_id, wrong, 1, "me")
        with pytest.raises(TypeError, match="whole numbers"):
            streams.next_items(stream_id, 3, wrong, "me")

    assert [3, 4] == streams.next_items(stream_id, 3, 2, "me")


@given(
    total=st.integers(0, 40),
    fails=st.booleans(),
    threads=st.booleans(),
    asks=st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=60),
)
def test_neither_lost_nor_doubled(total, fails, threads, asks):
    """Whatever is asked for and whichever answers are lost, items come once and in their order, then the end."""
    streams, noted = Streams(0, 30, Clock(), threads=threads), Noted(range(total), KeyError("x") if fails else None)
    stream_id, got = streams.open(noted.iterator, "me"), []
    end = None
    for most, arrives in asks:
        try:
            items = streams.next_items(stream_id, len(got), most, "me")
        except (StopIteration, KeyError) as error:
            end = error
            break
        assert 1 <= len(items) <= most
        if arrives:
            got += items
    assert list(range(len(got))) == got
    if end is not None:
        assert (total, fails, True) == (len(got), isinstance(end, KeyError), noted.closed)
    streams.clear()
    assert eventually(lambda: noted.iterator.gi_frame is None)


def test_what_is_there_is_given(clock):
    """An item that takes its time holds back neither those before it nor, later, itself."""
    go_on, noted = threading.Event(), []

    def items():
        try:
            yield from (1, 2)
            assert go_on.wait(scaled(10))
            yield 3
        finally:
            noted.append("closed")

    streams = Streams(0, 30, time.monotonic)
    stream_id = streams.open(items(), "me")

    assert [1, 2] == streams.next_items(stream_id, 0, 10, "me")
    threading.Timer(0.05, go_on.set).start()
    assert [3] == streams.next_items(stream_id, 2, 10, "me")
    streams.close(stream_id)
    assert eventually(lambda: noted == ["closed"])


def test_closing_ends_an_iterator_that_runs_ahead():
    """Once it is through with the item that it is busy with; nobody waits for that."""
    go_on, noted = threading.Event(), []

    def items():
        try:
            yield 1
            assert go_on.wait(scaled(10))
            yield 2
        finally:
            noted.append("closed")

    streams = Streams(0, 30, time.monotonic)
    stream_id = streams.open(items(), "me")
    streams.next_items(stream_id, 0, 10, "me")
    streams.close(stream_id)

    assert gone(streams, stream_id)
    assert [] == noted
    go_on.set()
    assert eventually(lambda: noted == ["closed"])


def test_no_more_threads_than_allowed(monkeypatch):
    """Beyond that, and where the system has none, iterators run where they are asked."""
    ran = []

    def items():
        for number in range(3):
            ran.append(threading.current_thread())
            yield number

    monkeypatch.setattr("pyronb.server.streams._THREADS", 0)
    streams = Streams(0, 30, time.monotonic)
    assert [0, 1, 2] == streams.next_items(streams.open(items(), "me"), 0, 3, "me")

    def start(self):
        raise RuntimeError("can't start new thread")

    streams = Streams(0, 30, time.monotonic)
    streams._most_threads = 5
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert [0, 1, 2] == streams.next_items(streams.open(items(), "me"), 0, 3, "me")
    assert {threading.current_thread()} == set(ran)
    assert 0 == streams._threads


def test_many_ask_at_once():
    """Clients that share a stream get each item once."""
    streams, got = Streams(0, 30, time.monotonic), []
    stream_id = streams.open(iter(range(500)), "me")

    def work():
        with contextlib.suppress(StopIteration, PyroError):
            while True:
                got.append(streams.next_item(stream_id, "me"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(20))

    assert list(range(500)) == sorted(got)


def test_heavy_items_are_given_before_they_are_too_many(streams):
    """A list of all of them might be too large for a message."""
    streams._heavy = 1_000_000
    stream_id = streams.open(iter([bytes(400_000)] * 10), "me")

    assert 3 == len(streams.next_items(stream_id, 0, 10, "me"))
    assert 3 == len(streams.next_items(stream_id, 3, 10, "me"))


# Blocks, which are made ahead


class Blocks:
    """A generator of blocks that can be held up, and notes what it made."""

    size = 20_000

    def __init__(self, total=50, fails_at=None):
        self.made, self.closed, self.go = 0, False, threading.Event()
        self.go.set()
        self.iterator = self.generate(total, fails_at)

    def generate(self, total, fails_at):
        try:
            for number in range(total):
                if number == fails_at:
                    raise KeyError("in the middle")
                assert self.go.wait(scaled(10))
                self.made += 1
                yield number.to_bytes(2, "big") * (self.size // 2)
        finally:
            self.closed = True


@pytest.fixture
def ahead():
    return Streams(0, 30, time.monotonic, heavy=100_000)


def numbers(items):
    return [int.from_bytes(item[:2], "big") for item in items]


def at_rest(streams):
    return eventually(lambda: streams._threads == 0)


def test_blocks_are_made_while_those_before_them_are_on_their_way(ahead):
    """As many as go into one answer, and no more: who takes his time holds the iterator up."""
    blocks = Blocks()
    stream_id = ahead.open(blocks.iterator, "me")

    assert [0, 1, 2, 3, 4] == numbers(ahead.next_items(stream_id, 0, 20, "me"))
    assert at_rest(ahead)
    assert 10 == blocks.made
    assert [0, 1, 2, 3, 4] == numbers(ahead.next_items(stream_id, 0, 20, "me"))
    assert at_rest(ahead)
    assert 10 == blocks.made
    assert [5, 6, 7, 8, 9] == numbers(ahead.next_items(stream_id, 5, 20, "me"))
    assert at_rest(ahead)
    assert 15 == blocks.made
    ahead.clear()


@pytest.mark.parametrize("kind", ["one at a time", "small items", "no threads"])
def test_nothing_else_is_made_ahead(kind, monkeypatch):
    """An item that was asked for alone may depend on what the client does next; of small ones enough come at once."""
    streams, blocks = Streams(0, 30, time.monotonic, threads=kind != "no threads", heavy=100_000), Blocks()
    if kind == "small items":
        monkeypatch.setattr(blocks, "size", 200)
    most = 1 if kind == "one at a time" else 3
    stream_id = streams.open(blocks.iterator, "me")

    assert [*range(most)] == numbers(streams.next_items(stream_id, 0, most, "me"))
    assert at_rest(streams)
    assert most == blocks.made
    streams.clear()


def test_error_among_blocks_that_were_made_ahead(ahead):
    """It comes after the blocks before it."""
    blocks = Blocks(fails_at=7)
    stream_id = ahead.open(blocks.iterator, "me")
    ahead.next_items(stream_id, 0, 20, "me")
    assert eventually(lambda: blocks.closed)

    assert [5, 6] == numbers(ahead.next_items(stream_id, 5, 20, "me"))
    with pytest.raises(KeyError, match="in the middle"):
        ahead.next_items(stream_id, 7, 20, "me")
    assert gone(ahead, stream_id)


def test_closing_ends_what_is_made_ahead(ahead):
    """After the block that the iterator is busy with."""
    blocks = Blocks()
    stream_id = ahead.open(blocks.iterator, "me")
    ahead.next_items(stream_id, 0, 2, "me")
    assert at_rest(ahead)
    blocks.go.clear()
    ahead.next_items(stream_id, 2, 2, "me")
    ahead.close(stream_id)
    assert not blocks.closed
    blocks.go.set()

    assert eventually(lambda: blocks.closed)
    assert 5 >= blocks.made


@given(
    sizes=st.lists(st.integers(1, 60_000), max_size=30),
    asks=st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=60),
)
def test_no_block_is_lost_or_doubled(sizes, asks):
    """However large they are, and whichever answers are lost."""
    streams, got = Streams(0, 30, time.monotonic, heavy=100_000), []
    stream_id = streams.open((bytes(size) for size in sizes), "me")
    for most, arrives in asks:
        try:
            items = streams.next_items(stream_id, len(got), most, "me")
        except StopIteration:
            assert len(got) == len(sizes)
            break
        # The last one may be as large as it is.
        assert 1 <= len(items) <= most
        assert sum(map(len, items[:-1])) < 100_000
        if arrives:
            got += items

    assert sizes[: len(got)] == list(map(len, got))
    streams.clear()
    assert at_rest(streams)


# Async iterators


class NotedLater:
    """An async generator that notes its end, which waits before the items that a gate stands before."""

    def __init__(self, total, fails=None, gate=None, wait=0):
        self.ended = []
        self.gate = asyncio.Event()
        self.iterator = self.generate(total, fails, gate, wait)

    async def generate(self, total, fails, gate, wait):
        try:
            for number in range(total):
                if number == gate:
                    await self.gate.wait()
                if wait is not None:
                    await asyncio.sleep(wait)
                yield number
            if fails:
                raise fails
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        finally:
            self.ended.append("closed")


def started():
    """Give streams that close async iterators on the loop that runs, with the tasks in which they do."""
    tasks = []
    streams = Streams(0, 30, time.monotonic, lambda coroutine: tasks.append(asyncio.create_task(coroutine)))
    return streams, tasks


async def ended(noted):
    """Wait until the generator has ended, and tell how."""

    async def end():
        while "closed" not in noted.ended:
            await asyncio.sleep(0.001)

    await asyncio.wait_for(end(), scaled(5))
    return noted.ended


@given(
    total=st.integers(0, 40),
    fails=st.booleans(),
    waits=st.booleans(),
    asks=st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=60),
)
def test_neither_lost_nor_doubled_later(total, fails, waits, asks):
    """As of other iterators."""

    async def main():
        streams, tasks = started()
        noted = NotedLater(total, KeyError("x") if fails else None, wait=0 if waits else None)
        stream_id, got, end = streams.open(noted.iterator, "me"), [], None
        for most, arrives in asks:
            try:
                items = await streams.next_items(stream_id, len(got), most, "me")
            except (StopAsyncIteration, KeyError) as error:
                end = error
                break
            assert 1 <= len(items) <= most
            if arrives:
                got += items
        assert list(range(len(got))) == got
        if end is not None:
            assert (total, fails, ["closed"]) == (len(got), isinstance(end, KeyError), noted.ended)
        streams.clear()
        await asyncio.gather(*tasks)
        assert noted.iterator.ag_frame is None

    asyncio.run(main())


async def test_several_items_later():
    """They come together, and those that take their time hold back neither the others nor, later, themselves."""
    streams, _ = started()
    noted = NotedLater(8, gate=5)
    stream_id = streams.open(noted.iterator, "me")

    assert [0] == await streams.next_items(stream_id, 0, 1, "me")
    assert [1, 2, 3] == await streams.next_items(stream_id, 1, 3, "me")
    assert [4] == await streams.next_items(stream_id, 4, 10, "me")
    asyncio.get_running_loop().call_later(0.02, noted.gate.set)
    assert 5 == (await streams.next_items(stream_id, 5, 10, "me"))[0]
    assert [6, 7] == await streams.next_items(stream_id, 6, 10, "me")
    for _ in range(2):
        with pytest.raises((StopAsyncIteration, StopIteration)):
            await streams.next_items(stream_id, 8, 10, "me")
    assert ["closed"] == noted.ended


async def test_an_iterator_that_never_waits_leaves_time_for_others():
    """What it has made in a moment is given, whatever was asked for."""
    streams, _ = started()

    async def busy():
        while True:
            time.sleep(0.001)
            yield 1

    stream_id = streams.open(busy(), "me")

    assert 0 < len(await streams.next_items(stream_id, 0, 10_000, "me")) < 10_000
    streams.clear()


@pytest.mark.parametrize("most", [1, 5])
async def test_closing_ends_an_async_iterator(most):
    """What nobody waits for any more is cancelled; an item that somebody asked for alone comes first."""
    streams, tasks = started()
    noted = NotedLater(5, gate=1)
    stream_id = streams.open(noted.iterator, "me")
    await streams.next_items(stream_id, 0, most, "me")
    waiting = asyncio.create_task(streams.next_items(stream_id, 1, most, "me"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    streams.close(stream_id)
    if most == 1:
        noted.gate.set()
        assert [1] == await waiting
    else:
        with pytest.raises(PyroError, match="item stream terminated"):
            await waiting
    await asyncio.gather(*tasks)

    assert (["closed"] if most == 1 else ["cancelled", "closed"]) == await ended(noted)


@pytest.mark.parametrize("most", [1, 5])
async def test_a_request_that_is_withdrawn(most):
    """The iterator is told, and the stream has ended."""
    streams, _ = started()
    noted = NotedLater(5, gate=1)
    stream_id = streams.open(noted.iterator, "me")
    await streams.next_items(stream_id, 0, 1, "me")
    waiting = asyncio.create_task(streams.next_items(stream_id, 1, most, "me"))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert ["cancelled", "closed"] == await ended(noted)
    assert gone(streams, stream_id)


async def test_two_who_ask_for_the_same_items():
    """One whose connection is gone, who has asked over another one meanwhile, gets the same."""
    streams, _ = started()
    noted = NotedLater(5, gate=2)
    stream_id = streams.open(noted.iterator, "me")
    for most in (1, 5):
        arrived = len(await streams.next_items(stream_id, 0, 1, "me")) if most == 1 else 2
        both = [asyncio.create_task(streams.next_items(stream_id, arrived, most, who)) for who in ("me", "again")]
        asyncio.get_running_loop().call_later(0.02, noted.gate.set)

        assert [arrived, arrived] == [(await each)[0] for each in both]
    streams.clear()
