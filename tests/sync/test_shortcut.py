"""The short-cut for plain calls: it says and gives the same as the procedures, and leaves them what is not plain."""

from __future__ import annotations

import threading

import pytest

from pyronb.client import greeting
from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import ConnectionClosedError, MessageTooLargeError, RemoteError, SerializeError, TimeoutError
from pyronb.options import WireOptions
from pyronb.rpc.blob import SerializedBlob
from pyronb.sync import methods
from pyronb.sync.shortcut import NOT_TAKEN, ShortCut
from pyronb.wire.bare import bare_head, pack_bare
from pyronb.wire.connection import ClientConnection
from pyronb.wire.message import INVOKE
from tests.support.serving import connect, serving
from tests.support.waiting import scaled

SERIALIZERS = ("serpent", "json", "marshal", "msgpack")


@pytest.fixture
def ways(monkeypatch):
    """Note which way each call goes, in order: `short`, or `long`."""
    went = []
    real = ShortCut.call

    def call(self, *args):
        result = real(self, *args)
        if result is not NOT_TAKEN:
            went.append("short")
        return result

    def value_of(link, what, real=methods.value_of):
        went.append("long")
        return real(link, what)

    monkeypatch.setattr(ShortCut, "call", call)
    monkeypatch.setattr(methods, "value_of", value_of)
    return went


@pytest.fixture(params=SERIALIZERS)
def both(request, daemon):
    """Two proxies with the same settings: one goes the short way, the other may not."""
    with (
        connect(daemon.uriFor("bench"), serializer=request.param) as short,
        connect(daemon.uriFor("bench"), serializer=request.param, max_retries=1) as long,
    ):
        yield short, long


def outcome(call, proxy):
    """What becomes of a call: its value, or all that is told of its error."""
    try:
        return call(proxy)
    except Exception as error:
        return type(error), str(error), getattr(error, "extra", None), bool(getattr(error, "_pyroTraceback", ()))


@pytest.mark.parametrize(
    "call",
    [
        lambda p: p.add(1),
        lambda p: p.add(1, b=2),
        lambda p: p.give({"a": [1, 2.5, None, True], "b": "ü\x00"}),
        lambda p: p.zeros(20),
        lambda p: p.zeros(200_000),
        lambda p: p.give("x" * 200_000) == "x" * 200_000,
        lambda p: p.fail("no"),
        lambda p: p.stall(),
        lambda p: p.lock(),
        lambda p: list(p.count(3)),
        lambda p: p.fire(1),
        lambda p: p.add("a", 1),
        lambda p: p.add(),
        lambda p: p.give(threading.Lock()),
    ],
)
def test_both_ways_lead_to_the_same(both, ways, call):
    """Whatever becomes of a call, also again and again over the same connection."""
    short, long = both
    short.add(0)
    del ways[:]

    came = [outcome(call, proxy) for proxy in (short, long, short, long)]

    assert came[0] == came[1] == came[2] == came[3]
    assert 7 == short.add(3, 4) == long.add(3, 4)
    assert "short" in ways


def test_the_short_way_is_taken(proxy, ways):
    """From the first call on, and after another setting from the second one on."""
    assert [11, 12] == [proxy.add(n) for n in (1, 2)]
    assert ["short", "short"] == ways

    proxy._pyroSerializer = "json"
    assert [13, 14] == [proxy.add(n) for n in (3, 4)]
    assert ["long", "short"] == ways[2:]


@pytest.mark.parametrize("setting", ["retries", "compression", "log", "dialect"])
def test_settings_that_go_the_long_way(daemon, ways, setting):
    """What the short-cut does not know is not plain."""
    wire = {"compression": WireOptions(compression=True), "log": WireOptions(log=True)}.get(setting, WireOptions())
    with connect(daemon.uriFor("bench"), wire=wire, max_retries=int(setting == "retries")) as proxy:
        if setting == "dialect":
            proxy._pyroRelease()
            greeting._dialects.clear()
            proxy._pyro.dialect = PYRO4
        assert [11, 12] == [proxy.add(n) for n in (1, 2)]

    assert ["long", "long"] == ways


def test_changed_settings_hold_at_once(proxy, ways):
    """A serializer or retries that are set while connected."""
    proxy.add(1)
    proxy._pyroSerializer = "json"
    proxy.add(2)
    assert {"a": [1]} == proxy.give({"a": (1,)})
    assert ["short", "long", "short"] == ways

    proxy._pyroMaxRetries = 2
    proxy.add(1)
    assert "long" == ways[-1]


def test_a_blob_goes_the_long_way(proxy, ways):
    """Its argument is not to be written here."""
    proxy.add(1)
    assert ["info", [5]] == proxy.blob(SerializedBlob("info", [5]))
    assert ["short", "long"] == ways


def test_a_timeout(proxy, daemon):
    """It holds for calls on the short way, closes the connection, and says what was called."""
    proxy.add(1)
    proxy._pyroTimeout = 0.05
    with pytest.raises(TimeoutError, match=r"receiving: no answer in time \(while calling 'wait' of 'bench' at PYRO:"):
        proxy.wait()
    assert not proxy._pyro.connected
    daemon.objectsById["bench"].go.set()

    proxy._pyroTimeout = scaled(20)
    assert 11 == proxy.add(1)


def test_a_lost_connection():
    """It is told once, without sending the call again; the next call connects."""
    from tests.support.fix_daemons import Bench

    with serving() as daemon:
        uri = daemon.register(Bench(), "bench")
        proxy = connect(uri)
        proxy.add(1)
        proxy.add(1)
    with proxy, pytest.raises(ConnectionClosedError, match=r"while calling 'add'.*the next call connects again"):
        proxy.add(2)
    assert proxy._pyro.short is None


@pytest.mark.parametrize("side", [True, False])
def test_an_interrupt(proxy, monkeypatch, side):
    """A reply is owed, which must not be taken for another's: it is read, or, of a real Pyro, never comes."""
    proxy.add(1)
    stream = proxy._pyro.stream
    proxy._pyro.connection.side = side

    def exchange(message, limit):
        type(stream).send(stream, [message])
        raise KeyboardInterrupt

    class Interrupted(type(stream)):
        __slots__ = ()

    monkeypatch.setattr(Interrupted, "exchange", staticmethod(exchange), raising=False)
    stream.__class__ = Interrupted
    with pytest.raises(KeyboardInterrupt):
        proxy.give("lost")
    stream.__class__ = Interrupted.__base__

    assert side == proxy._pyro.connected
    assert "found" == proxy.give("found")


def test_a_message_too_large(daemon):
    """Nothing is sent, and the connection stays."""
    with connect(daemon.uriFor("bench"), wire=WireOptions(max_message_size=40_000)) as proxy:
        proxy.add(1)
        for size in (39_999, 100_000):
            with pytest.raises(MessageTooLargeError, match=r"MAX_MESSAGE_SIZE is 40000 \(while calling 'give'"):
                proxy.give("x" * size)
        assert proxy._pyro.connected
        assert 11 == proxy.add(1)


def test_threads_share_a_proxy(proxy):
    """One call at a time, each with its own answer."""
    proxy.add(1)
    wrong = []

    def work(mine):
        wrong.extend(n for n in range(100) if proxy.give([mine, n]) != [mine, n])

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(20))

    assert [] == wrong


def test_a_dropped_proxy_closes_its_connection(daemon, ways):
    """The short-cut does not keep it."""
    proxy = connect(daemon.uriFor("bench"))
    proxy.add(1)
    proxy.add(1)
    stream = proxy._pyro.stream
    number = stream.fileno()
    del proxy, stream

    with connect(daemon.uriFor("bench")) as other:
        assert number == other._pyro.stream.fileno()
    assert ["short", "short"] == ways


def test_errors_name_the_call(proxy):
    """What cannot be written is told before anything is sent."""
    proxy._pyroSerializer = "json"
    proxy.add(1)
    with pytest.raises(SerializeError, match=r"json cannot write .* \(while calling 'give' of 'bench' at PYRO:bench@"):
        proxy.give(object())
    with pytest.raises(RemoteError, match="MotorStalled"):
        proxy.stall()
    assert 11 == proxy.add(1)


def test_bare_messages():
    """What is laid out is taken; anything else is none."""
    connection = ClientConnection(PYRO5, max_message_size=1000)
    connection.open()
    head = bare_head(INVOKE, 4)
    data = pack_bare(head, 77, b"payload")

    assert (head, 77, b"payload") == connection.take_bare(data)
    assert connection.take_bare(data + b"x") is None
    assert connection.take_bare(data[:-1]) is None
    assert connection.take_bare(data[:20]) is None
    assert connection.take_bare(data[:39] + b"\0" + data[40:]) is None, "another magic number"
    assert connection.take_bare(data[:19] + b"\x01" + data[20:]) is None, "annotations"
    assert connection.take_bare(pack_bare(head, 77, bytes(1000))) is None, "too large"
    assert bare_head(INVOKE, 4, 1) == connection.take_bare(bare_head(INVOKE, 4, 1) + data[10:])[0]

    connection.receive(data[:30])
    assert connection.take_bare(data) is None, "something has arrived before"
