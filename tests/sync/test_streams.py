"""Far streams: iterators over there, iterated here."""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import threading

import pytest

from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError, PyroError, RemoteError
from pyronb.options import WireOptions
from pyronb.server.exposure import expose
from pyronb.sync import driver
from pyronb.sync.proxy import Proxy
from pyronb.sync.shortcut import ShortCut
from pyronb.sync.streams import FarStream
from pyronb.tracebacks import getPyroTraceback
from tests.support.serving import client_options, connect, serving
from tests.support.strikes import Strikes
from tests.support.waiting import eventually, scaled
from tests.sync.test_proxy import SERIALIZERS

pytestmark = pytest.mark.usefixtures("engine")


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_items(proxy, bench, serializer):
    """Each item is asked for when it is wanted; the end over there is the end here."""
    proxy._pyroSerializer = serializer
    stream = proxy.count(3)

    assert isinstance(stream, FarStream)
    assert [] == bench.streams
    assert 0 == next(stream)
    assert ["item 0"] == bench.streams
    assert [1, 2] == list(stream)
    assert "closed" == bench.streams[-1]
    with pytest.raises(StopIteration):
        next(stream)


def test_calls_in_between(proxy):
    """The connection is free between two items, and two streams can go on at once."""
    first, second = proxy.count(5), proxy.count(5)

    assert [0, 3, 0, 1] == [next(first), proxy.add(1, 2), next(second), next(first)]
    assert [2, 3, 4] == list(first)
    assert [1, 2, 3, 4] == list(second)


def test_error_in_the_generator(proxy):
    """It is raised here after the items before it, and ends the stream; the connection survives."""
    stream = proxy.count(2, fail=True)

    assert [0, 1] == [next(stream), next(stream)]
    with pytest.raises(RemoteError, match="MotorStalled: in mid-stream") as caught:
        next(stream)
    assert "in count" in "".join(getPyroTraceback(caught.value))
    with pytest.raises(StopIteration):
        next(stream)
    assert 3 == proxy.add(1, 2)


def test_close(proxy, bench, daemon):
    """The daemon is told at once, the generator ends over there, and closing again does nothing."""
    stream = proxy.count(100)
    next(stream)
    stream.close()
    stream.close()

    assert eventually(lambda: "closed" in bench.streams)
    assert [] == list(stream)
    assert "(ended)" in repr(stream)
    assert 0 == len(daemon._streams)


def test_dropped(proxy, bench, sends):
    """A stream that is dropped sends nothing by itself; the next call tells the daemon."""
    stream = proxy.count(100)
    next(stream)
    sends.clear()
    del stream
    gc.collect()

    assert [] == sends
    assert 1 == len(proxy._pyro.notes)
    assert 3 == proxy.add(1, 2)
    assert eventually(lambda: "closed" in bench.streams)
    assert [] == proxy._pyro.notes


def test_loop_that_is_left(proxy, bench):
    """Leaving a for loop drops its stream."""
    for item in proxy.count(100):
        if item == 2:
            break
    gc.collect()
    proxy.add(1, 2)

    assert eventually(lambda: "closed" in bench.streams)
    assert ["item 0", "item 1", "item 2", "closed"] == bench.streams


def test_close_while_the_connection_is_in_use(proxy, bench):
    """Closing never waits for another thread's call: the next call tells the daemon."""
    stream = proxy.count(100)
    next(stream)
    thread = threading.Thread(target=proxy.wait)
    thread.start()
    assert bench.entered.acquire(timeout=5)
    stream.close()

    assert "closed" not in bench.streams
    bench.go.set()
    thread.join(scaled(5))
    proxy.add(1, 2)
    assert eventually(lambda: "closed" in bench.streams)


def test_close_after_the_daemon_went(bench):
    """There is nobody to tell; that is no error."""
    with serving() as daemon:
        proxy = connect(daemon.register(bench, "bench"))
        stream = proxy.count(100)
        next(stream)
    for _ in range(3):
        stream.close()
    proxy._pyroRelease()


def test_release_in_between(proxy):
    """The stream says so; after connecting again it goes on where it was."""
    stream = proxy.count(3)
    next(stream)
    proxy._pyroRelease()

    with pytest.raises(ConnectionClosedError, match=f"the proxy for {proxy._pyroUri} was released; reconnect"):
        next(stream)
    proxy._pyroReconnect(1)
    assert [1, 2] == list(stream)


def test_unknown_stream(proxy):
    """One that the daemon has forgotten is an error, once."""
    proxy._pyroBind()
    stream = FarStream(proxy._pyro, "no-such-id")

    with pytest.raises(PyroError, match="item stream terminated"):
        next(stream)
    assert [] == list(stream)


def test_daemon_that_does_not_stream(bench):
    """The error names the daemon."""
    with serving(streaming=False) as daemon, connect(daemon.register(bench)) as proxy:
        with pytest.raises(ProtocolError, match=f"the daemon at {proxy._pyroUri} does not stream"):
            proxy.count(3)
        assert 3 == proxy.add(1, 2)


def test_item_that_takes_too_long(proxy, bench, daemon):
    """A timeout closes the connection; the item is not asked for again, whatever retries are allowed."""
    asked = []

    @expose
    class Slow:
        def items(self):
            for number in range(3):
                asked.append(number)
                if number == 1:
                    bench.go.wait(scaled(20))
                yield number

    with connect(daemon.register(Slow())) as slow:
        slow._pyroMaxRetries = 3
        stream = slow.items()
        next(stream)
        slow._pyroTimeout = scaled(0.4)
        with pytest.raises(CommunicationError, match="no answer in time"):
            next(stream)

        assert [0, 1] == asked
        bench.go.set()


def test_threads_share_a_stream(proxy):
    """Each item goes to one of them, and each of them sees the end."""
    stream, items = proxy.count(200), []
    threads = [threading.Thread(target=lambda: items.extend(stream)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(20))

    assert list(range(200)) == sorted(items)


def test_closing_from_many_threads(proxy):
    """Notes are delivered by whoever comes first; nobody stumbles over another's."""
    failed = []

    def work():
        try:
            for _ in range(30):
                stream = proxy.count(5)
                next(stream)
                stream.close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(20))

    assert [] == failed


def test_outlives_its_proxy(daemon):
    """As long as the stream is there, the connection is."""
    proxy = connect(daemon.uriFor("bench"))
    stream = proxy.count(3)
    del proxy
    gc.collect()

    assert [0, 1, 2] == list(stream)
    del stream
    gc.collect()
    assert eventually(lambda: daemon._engine.clients == 0)


def test_shows_itself(proxy):
    """By the object that it comes from."""
    stream = proxy.count(3)

    assert f"<far stream of {proxy._pyroUri}>" == repr(stream)
    assert iter(stream) is stream


def test_lost_connections(bench, monkeypatch):
    """Whether a request or its answer was lost: over the next connection each item is given once and in its order."""
    chance = random.Random(11)
    real_send, real_reply = driver._GRANTS[driver.Send], driver._GRANTS[driver.Reply]
    losing = threading.Event()

    def lose(effect, real):
        if losing.is_set() and chance.random() < 0.2:
            raise ConnectionClosedError("lost")
        return real(effect)

    monkeypatch.setitem(driver._GRANTS, driver.Send, lambda effect: lose(effect, real_send))
    monkeypatch.setitem(driver._GRANTS, driver.Reply, lambda effect: lose(effect, real_reply))
    with serving() as daemon, connect(daemon.register(bench, "bench")) as proxy:
        for _ in range(5):
            stream, items = proxy.count(300), []
            while len(items) < 300:
                losing.set()
                with contextlib.suppress(CommunicationError):
                    items.append(next(stream))
                    continue
                losing.clear()
                proxy._pyroReconnect(1)
            losing.clear()

            assert list(range(300)) == items
            assert [] == list(stream)


def test_items_that_are_large(daemon):
    """What would not fit into one message comes in several."""

    @expose
    class Frames:
        def frames(self):
            for number in range(40):
                yield {"number": number, "data": bytes(300_000)}

    options = client_options(wire=WireOptions(max_message_size=3_000_000))
    with Proxy(daemon.register(Frames()), options=options) as proxy:
        proxy._pyroSerializer = "msgpack"

        assert list(range(40)) == [frame["number"] for frame in proxy.frames()]


def test_answers_that_make_no_sense(daemon):
    """A daemon that says it can and gives something else breaks the protocol."""
    with connect(daemon.uriFor("bench")) as proxy:
        proxy._pyroBind()
        stream = proxy.count(3)
        daemon._streams.next_items = lambda *_: 5

        with pytest.raises(ProtocolError, match="gave a int where a list of items was expected"):
            next(stream)


def test_stream_that_is_closed_with_items_at_hand(proxy, bench):
    """They are gone with it."""
    stream = proxy.count(100)
    taken = [next(stream) for _ in range(5)]
    stream.close()

    assert [0, 1, 2, 3, 4] == taken
    assert [] == list(stream)
    assert eventually(lambda: "closed" in bench.streams)


@pytest.mark.parametrize("short", [True, False])
def test_an_interrupt_leaves_no_stream_open(bench, monkeypatch, short):
    """Wherever it strikes while a stream is opened or given up: the daemon is told, or its connection ends."""
    unheard = []
    # Where the answer is lost between two calls here, no waiting brings it back.
    monkeypatch.setattr("pyronb.client.calling._PATIENCE", 0.01)
    monkeypatch.setattr(sys, "unraisablehook", lambda failed: unheard.append(failed.exc_value))

    def interrupt():
        raise KeyboardInterrupt

    def work(proxy):
        if not short:
            proxy._pyro.short = None
        stream = proxy.count(3)
        stream.close()

    with serving(stream_linger=0.0) as daemon, connect(daemon.register(bench, "bench")) as proxy:
        for _ in range(2):
            work(proxy)
        number = 0
        while True:
            with Strikes(number, interrupt) as strikes, contextlib.suppress(KeyboardInterrupt):
                work(proxy)
            assert 3 == proxy.add(1, 2), strikes.place
            eventually(lambda: not daemon._streams, what=f"the daemon to be told after {strikes.place}")
            if not strikes.place:
                break
            number += 1

    assert number > 50
    assert [] == [error for error in unheard if not isinstance(error, KeyboardInterrupt)]


@pytest.fixture
def one_by_one(monkeypatch):
    """Have daemons asked as real ones are; give the items that were got in short."""
    monkeypatch.setattr("pyronb.client.streams.one_by_one", lambda _: True)
    monkeypatch.setattr("pyronb.sync.streams.one_by_one", lambda _: True)
    got, next_item = [], ShortCut.next_item

    def noted(short, link, stream_id):
        item = next_item(short, link, stream_id)
        got.append(item)
        return item

    monkeypatch.setattr(ShortCut, "next_item", noted)
    return got


def test_daemons_that_give_one_item_at_a_time(proxy, bench, one_by_one):
    """Each item takes the way of a plain call, and the object's own calls go on in between."""
    proxy.add(1, 2)
    stream = proxy.count(5)

    assert [0, 1] == [next(stream), next(stream)]
    assert ["item 0", "item 1"] == bench.streams
    assert 3 == proxy.add(1, 2)
    assert [2, 3, 4] == list(stream)
    assert [0, 1, 2, 3, 4] == one_by_one
    assert "(ended)" in repr(stream)
    with pytest.raises(StopIteration):
        next(stream)


def test_streams_side_by_side_whose_items_come_one_at_a_time(proxy, one_by_one):
    """Each gets its own items, also after the connection has become another one."""
    proxy.add(1, 2)
    first, second = proxy.count(6), proxy.count(6)
    both = [next(stream) for stream in (first, second, first, first, second)]
    proxy._pyroReconnect(1)
    proxy.add(1, 2)
    both += [next(stream) for stream in (second, first, second)]

    assert [0, 0, 1, 2, 1, 2, 3, 3] == both == one_by_one
    assert [[4, 5], [4, 5]] == [list(first), list(second)]


def test_error_from_a_daemon_that_gives_one_item_at_a_time(proxy, one_by_one):
    """It ends the stream; the connection survives."""
    proxy.add(1, 2)
    stream = proxy.count(2, fail=True)

    assert [0, 1] == [next(stream), next(stream)]
    with pytest.raises(RemoteError, match="in mid-stream"):
        next(stream)
    assert [] == list(stream)
    assert 3 == proxy.add(1, 2)
    assert [0, 1] == one_by_one


def test_release_between_items_that_come_one_at_a_time(proxy, one_by_one):
    """The stream says so, and goes on after connecting again."""
    proxy.add(1, 2)
    stream = proxy.count(3)
    next(stream)
    proxy._pyroRelease()
    with pytest.raises(ConnectionClosedError, match="was released; reconnect"):
        next(stream)
    proxy._pyroReconnect(1)

    assert [1, 2] == list(stream)
