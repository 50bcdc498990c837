"""Calls that are alike and on their way together travel as one message, and are calls of their own all the same."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pyronb import aio
from pyronb.client.bare import BareCalls
from pyronb.errors import ConnectionClosedError, SerializeError
from pyronb.options import WireOptions
from pyronb.rpc.call import Raised, Returned
from pyronb.rpc.rows import MOST_ABREAST, abreast
from pyronb.serializers.base import SerializerBase
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import behavior, expose
from pyronb.sync import line
from pyronb.sync.asynchronous import asyncproxy
from pyronb.sync.proxy import Proxy
from pyronb.wire.message import CANCELS, INVOKE, ROW, Message
from tests.support.serving import RawClient, client_options, serving
from tests.support.together import Thing, thing
from tests.support.waiting import scaled

__all__ = ["thing"]

SERIALIZERS = ["serpent", "json", "marshal", "msgpack", "native"]


@expose
@behavior(instance_mode="session")
class Odd:
    """An object of which each client has its own, with methods that take many kinds of values."""

    def __init__(self):
        self.seen = []

    def take(self, value):
        """Keep a value, unless it is 13, and tell how many there are."""
        if value == 13:
            raise ValueError("no luck")
        self.seen.append(value)
        return len(self.seen)

    def none(self):
        """Take nothing."""
        return len(self.seen)

    async def later(self, value):
        """Give the value, as a coroutine."""
        return value

    def all(self):
        """Give all that was kept."""
        return self.seen


class Annotating(Daemon):
    """A daemon that reads rows the long way, for it may add something to each reply."""

    def annotations(self):
        return {}


@pytest.fixture(params=[Daemon, Annotating])
def daemon(request, thing):
    with serving(request.param) as running:
        running.register(thing, "thing")
        running.register(Odd, "odd")
        yield running
        thing.go.set()


@pytest.fixture
def rows(monkeypatch):
    """Count the calls in each row that is sent; calls are only looked at when `rows.go` is set."""

    class Rows(list):
        go = threading.Event()

    made, real, connected = Rows(), BareCalls._row_payload, line.Line._connected

    def row_payload(self, method, calls):
        payload = real(self, method, calls)
        if payload is not None:
            made.append(len(calls))
        return payload

    def wait(self):
        assert made.go.wait(scaled(10))
        return connected(self)

    monkeypatch.setattr(BareCalls, "_row_payload", row_payload)
    monkeypatch.setattr(line.Line, "_connected", wait)
    return made


def together(daemon, rows, name, *calls, serializer="msgpack", timeout=None):
    """Give the futures of calls (method, arguments) that are sent in one go."""
    options = client_options(serializer=serializer, timeout=timeout)
    with Proxy(daemon.uriFor(name), options=options) as proxy, asyncproxy(proxy) as background:
        futures = [getattr(background, method)(*args) for method, *args in calls]
        rows.go.set()
        for future in futures:
            future.wait(scaled(20))
        return futures


def values(futures):
    """Give what each has come to."""
    return [future.value if future.exception() is None else type(future.exception()) for future in futures]


@pytest.mark.parametrize("timeout", [None, scaled(20)])
@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_each_answer_to_its_call(daemon, rows, serializer, timeout):
    """In their order, as the object is the client's own; an error is that of its call alone."""
    calls = [("take", number) for number in range(1, 251)]
    futures = together(daemon, rows, "odd", *calls, serializer=serializer, timeout=timeout)

    assert [*range(1, 13), ValueError, *range(13, 250)] == values(futures)
    assert 250 == sum(rows) + len(rows)
    assert 50 < max(rows) <= MOST_ABREAST


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_values_of_all_kinds(daemon, rows, serializer):
    """They arrive as they would one by one, those that go as a row and those that do not."""
    some = [1, "ü", None, 2.5, True, -(2**70), (1, "a"), [1, 2], {"a": (1,)}, [], (), "__class__"]
    alone = []
    for value in some:
        with serving() as other, Proxy(other.register(Thing()), options=client_options(serializer=serializer)) as proxy:
            try:
                alone.append(proxy.give(value))
            except SerializeError:
                alone.append(SerializeError)
    kinds = [[value] * 3 for value in some]
    futures = together(
        daemon, rows, "thing", *(("give", value) for each in kinds for value in each), serializer=serializer
    )

    assert [value for value in alone for _ in range(3)] == values(futures)


def test_calls_that_are_not_alike(daemon, rows):
    """Other methods, so many arguments, and coroutines, in any order."""
    calls = [
        ("take", 1),
        ("none",),
        ("none",),
        ("take", 2),
        ("later", 3),
        ("later", 4),
        ("later", 5),
        ("take",),
        ("all",),
    ]
    futures = together(daemon, rows, "odd", *calls * 3, serializer="native")

    assert [1, 1, 1, 2, 3, 4, 5, TypeError] == values(futures[:8])
    assert [[1, 2] * 3] == values(futures[-1:])
    assert [2] * 3 == rows


def test_calls_without_arguments(daemon, rows):
    """There are none to be sent."""
    assert [0] * 30 == values(together(daemon, rows, "odd", *[("none",)] * 30))
    assert [29] == rows


def test_large_ones(daemon, rows):
    """They go one by one where few would find room."""
    texts = ["x" * size for size in (10, 100, 1000, 9000, 9000, 9000, 40_000, 40_000, 10, 10)]
    futures = together(daemon, rows, "thing", *(("give", text) for text in texts * 3))

    assert texts * 3 == values(futures)


@pytest.mark.parametrize("most", [0, 5000, 1 << 20])
def test_a_daemon_that_reads_little(thing, rows, most):
    """It gets no rows, which would end the connection."""
    with serving(wire=WireOptions(max_message_size=most)) as daemon:
        daemon.register(thing, "thing")
        futures = together(daemon, rows, "thing", *(("give", "x" * 20) for _ in range(100)))

    assert ["x" * 20] * 100 == values(futures)
    assert bool(rows) is (most != 5000)


def test_hooks_for_simple_types(daemon, rows):
    """What a hook makes of a value is known to the hook alone: such values go one by one."""

    class Text(str):
        __slots__ = ()

    SerializerBase.register_class_to_dict(Text, lambda text: {"__class__": "unknown.Text", "text": str(text)})
    try:
        futures = together(daemon, rows, "thing", *(("give", value) for value in ("a", Text("b"), "c", "d")))
    finally:
        SerializerBase.unregister_class_to_dict(Text)

    assert ["a", "c", "d"] == [values(futures)[index] for index in (0, 2, 3)]
    assert not rows


def test_cancelled_before_they_are_sent(daemon, rows):
    """The others go."""
    options = client_options(serializer="msgpack")
    with Proxy(daemon.uriFor("thing"), options=options) as proxy, asyncproxy(proxy) as background:
        futures = [background.add(number, 1) for number in range(20)]
        assert all(future.cancel() for future in futures[1::2])
        rows.go.set()

        assert list(range(1, 20, 2)) == [future.value for future in futures[::2]]
        assert [9] == rows


def test_slow_ones_hold_up_nobody(daemon, rows, thing):
    """Those of a row that come after them are answered first, and they run at the same time."""
    options = client_options(serializer="msgpack")
    with Proxy(daemon.uriFor("thing"), options=options) as proxy, asyncproxy(proxy) as background:
        slow, quick = [background.wait(number) for number in range(10)], [background.give(n) for n in range(50)]
        rows.go.set()
        for _ in slow:
            assert thing.entered.acquire(timeout=scaled(10))

        assert list(range(50)) == [future.value for future in quick]
        assert not any(future.ready for future in slow)
        thing.go.set()
        assert list(range(10)) == [future.value for future in slow]
        assert [9, 49] == rows


def test_a_lost_connection(daemon, rows, thing):
    """All that were on their way fail, each with its name."""
    options = client_options(serializer="msgpack")
    with Proxy(daemon.uriFor("thing"), options=options) as proxy, asyncproxy(proxy) as background:
        slow = [background.wait(number) for number in range(5)]
        rows.go.set()
        for _ in slow:
            assert thing.entered.acquire(timeout=scaled(10))
        background._line._way.stream.shutdown()

        for future in slow:
            with pytest.raises(ConnectionClosedError, match="while calling 'wait' of 'thing'"):
                _ = future.value
        assert [4] == rows


def test_numbers_come_round(daemon, rows):
    """Where numbers begin anew, and where some are in use, calls go one by one."""
    options = client_options(serializer="msgpack")
    with Proxy(daemon.uriFor("thing"), options=options) as proxy, asyncproxy(proxy) as background:
        rows.go.set()
        assert 3 == background.add(1, 2).value
        background._line._way.connection.sequence = 65_500
        background._line._way.connection._owed.add(300)
        for _ in range(3):
            futures = [background.add(number, 1) for number in range(500)]
            assert list(range(1, 501)) == [future.value for future in futures]


# In asyncio


async def gathered(daemon, name, *calls, serializer="msgpack", timeout=None):
    """Give what each of some calls (method, arguments) comes to that are made in one turn of the loop."""
    options = client_options(serializer=serializer, timeout=timeout)
    async with aio.Proxy(daemon.uriFor(name), options=options) as proxy:
        # The first call finds out that others are plain.
        await (proxy.none() if name == "odd" else proxy.give(0))
        made = [getattr(proxy, method)(*args) for method, *args in calls]
        told = await asyncio.gather(*made, return_exceptions=True)
        return [type(value) if isinstance(value, Exception) else value for value in told]


@pytest.mark.parametrize("timeout", [None, scaled(20)])
@pytest.mark.parametrize("serializer", SERIALIZERS)
async def test_each_answer_to_its_call_in_asyncio(daemon, rows, serializer, timeout):
    """As in the other room."""
    calls = [("take", number) for number in range(1, 251)]
    told = await gathered(daemon, "odd", *calls, serializer=serializer, timeout=timeout)

    assert [*range(1, 13), ValueError, *range(13, 250)] == told
    # The first two open the turn.
    assert 248 == sum(rows)
    assert 50 < max(rows) <= MOST_ABREAST


@pytest.mark.parametrize("serializer", SERIALIZERS)
async def test_order_in_asyncio(daemon, rows, serializer):
    """An object that is the client's own hears all in their order, also what goes the long way or alone."""
    some = ["a", 1, [2], "x" * 500, {"b": 3}, "y" * 40_000, (1, "z"), (2, [3]), True, None]
    calls = [("take", value) for value in some * 2 for _ in range(4)]
    told = await gathered(daemon, "odd", *calls, ("all",), serializer=serializer)

    assert list(range(1, 81)) == told[:-1]

    def plain(value):
        return [*map(plain, value)] if isinstance(value, list | tuple) else value

    assert [plain(value) for value in some * 2 for _ in range(4)] == plain(told[-1])
    assert rows


async def test_calls_that_are_not_alike_in_asyncio(daemon, rows):
    """Other methods, so many arguments, and coroutines, in any order."""
    calls = [("take", 1), ("none",), ("none",), ("take", 2), ("later", 3), ("later", 4), ("later", 5), ("take",)]
    told = await gathered(daemon, "odd", *calls * 3, serializer="native")

    assert [1, 1, 1, 2, 3, 4, 5, TypeError] == told[:8]
    assert {2, 3} == set(rows)


@pytest.mark.parametrize("serializer", ["serpent", "json", "msgpack", "native"])
async def test_what_cannot_be_written_in_asyncio(daemon, rows, serializer):
    """Its call fails alone."""
    text = "\ud800"
    told = await gathered(
        daemon, "thing", *(("give", value) for value in ("a", "b", "c", text, "d", 3)), serializer=serializer
    )

    assert ["a", "b", "c"] == told[:3]
    assert ["d", 3] == told[4:]


async def test_large_ones_in_asyncio(daemon, rows):
    """They go one by one where few would find room, and others in rows again."""
    texts = ["x" * size for size in (10, 100, 1000, 9000, 9000, 9000, 40_000, 40_000)] + ["x"] * 300

    assert texts * 3 == await gathered(daemon, "thing", *(("give", text) for text in texts * 3))
    assert rows


async def test_cancelled_in_asyncio(daemon, rows):
    """A call that is given up in the turn in which it was made gives up its own answer; the others have theirs."""
    options = client_options(serializer="msgpack")
    async with aio.Proxy(daemon.uriFor("thing"), options=options) as proxy:
        await proxy.give(0)
        calls = [asyncio.create_task(proxy.add(number, 1)) for number in range(20)]
        asyncio.get_running_loop().call_soon(calls[7].cancel)
        told = await asyncio.gather(*calls, return_exceptions=True)

        assert isinstance(told.pop(7), asyncio.CancelledError)
        assert [number + 1 for number in range(20) if number != 7] == told
        assert 5 == await proxy.add(2, 3)
        assert rows


async def test_released_in_asyncio(daemon, rows):
    """Calls of a turn that ends with a release fail, all of them."""
    async with aio.Proxy(daemon.uriFor("thing"), options=client_options(serializer="msgpack")) as proxy:
        await proxy.give(0)
        calls = [asyncio.create_task(proxy.add(number, 1)) for number in range(20)]
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, proxy._pyroRelease())
        told = await asyncio.gather(*calls, return_exceptions=True)

        assert {ConnectionClosedError} == set(map(type, told))
        assert 5 == await proxy.add(2, 3)


async def test_numbers_come_round_in_asyncio(daemon, rows):
    """Where numbers begin anew, or one is in use, so does the row."""
    async with aio.Proxy(daemon.uriFor("thing"), options=client_options(serializer="msgpack")) as proxy:
        await proxy.give(0)
        proxy._pyro.connection.sequence = 65_500
        proxy._pyro.connection._owed.add(300)
        for _ in range(3):
            assert list(range(1, 501)) == await asyncio.gather(*(proxy.add(number, 1) for number in range(500)))


# By hand


@pytest.fixture
def client(daemon):
    with RawClient(daemon.locationStr) as made:
        made.greet("thing", pyronb={"version": "9", "can": ["side", "together", "abreast"], "wants": ["together"]})
        yield made


def row(client, seq, method, args, **more):
    """Give the bytes of a row; the arguments come with how many calls there are."""
    payload = client.serializer.dumps_call(("thing", method, args, more))
    return client.packed(Message(INVOKE, client.serializer.number, ROW, seq, payload))


def outcomes(client, count):
    """Read so many answers, and give their numbers and outcomes."""
    messages = [client.message() for _ in range(count)]
    return sorted((message.seq, client.codec.decode_reply(message)) for message in messages)


def test_any_chunking(client):
    """A row may come in pieces, and among calls."""
    calls = [client.request("thing", "add", 1, 1), client.request("thing", "add", 2, 2)]
    rows = [row(client, 10, "add", abreast([(1, 2), (3, 4)])), row(client, 20, "add", (1, 5, 6))]
    data = b"".join([calls[0], *rows, calls[1]])
    whole = [(1, 2), (2, 4), (10, 3), (11, 7), (20, 11)]
    for size in (1, 7, 50, 90, 1000):
        for at in range(0, len(data), size):
            client.send(data[at : at + size])

        assert whole == [(seq, outcome.value) for seq, outcome in outcomes(client, 5)]


def test_withdrawn_within_a_row(client, thing):
    """A call that runs is told so; the others are not."""
    client.send(client.request("thing", "add", 1, 1) + row(client, 10, "wait", (3, 1, 2, 3)))
    for _ in range(3):
        assert thing.entered.acquire(timeout=scaled(10))
    client.send(client.packed(Message(INVOKE, 0, CANCELS, 11, b"")))
    thing.go.set()

    assert [(1, 2), (10, 1), (11, 2), (12, 3)] == [(seq, outcome.value) for seq, outcome in outcomes(client, 4)]


def test_one_that_does_not_exist(client):
    """Each call has its own error."""
    client.send(client.request("thing", "add", 1, 1) + row(client, 10, "nothing", (2, 1, 2)))
    told = outcomes(client, 3)

    assert [(1, Returned), (10, Raised), (11, Raised)] == [(seq, type(outcome)) for seq, outcome in told]
    assert isinstance(told[1][1].error, AttributeError)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("args", [(), (0,), (3, 1, 2), ("2", 1, 2), (10**9,), (-1,), (2, 1, 2)])
def test_what_is_no_row_ends_the_conversation(daemon, client, first, args):
    """So does one that comes before any call in its serializer where that is not known to be taken."""
    if first:
        assert 2 == client.call("thing", "add", 1, 1).value
    if args == (2, 1, 2):
        client.send(row(client, 10, "add", args, b=3))
    else:
        client.send(row(client, 10, "add", args))

    assert b"" == client.socket.recv(1)
    with Proxy(daemon.uriFor("thing"), options=client_options()) as proxy:
        assert 3 == proxy.add(1, 2)


def test_a_serializer_that_is_not_taken(thing):
    """A row in it is not read."""
    with serving(serializers=frozenset({"serpent"})) as daemon, RawClient(daemon.locationStr) as client:
        daemon.register(thing, "thing")
        client.greet("thing", pyronb={"version": "9", "can": ["together", "abreast"], "wants": ["together"]})
        assert 2 == client.call("thing", "add", 1, 1).value
        client.serializer = client.catalog.by_name("msgpack")
        client.send(row(client, 10, "add", (1, 1, 2)))

        assert b"" == client.socket.recv(1)


def test_a_stranger_sends_no_rows(daemon):
    """Without calls that run together the flag means nothing, as for a real Pyro: the message is a call."""
    with RawClient(daemon.locationStr) as client:
        client.greet("thing")
        client.send(row(client, 10, "add", (1, 2)))

        assert [(10, 3)] == [(seq, outcome.value) for seq, outcome in outcomes(client, 1)]
