"""Many calls on their way over one connection, to daemons that answer in any order."""

from __future__ import annotations

import concurrent.futures
import random
import threading

import pytest

from pyronb.errors import CommunicationError, ConnectionClosedError, SerializeError, TimeoutError
from pyronb.net.stream import SocketStream
from pyronb.server.engines import _ENGINES
from pyronb.sync import line
from pyronb.sync.asynchronous import asyncproxy
from pyronb.sync.proxy import Proxy
from tests.support.serving import client_options, serving
from tests.support.together import Session, thing
from tests.support.waiting import eventually, scaled

__all__ = ["thing"]


@pytest.fixture(params=list(_ENGINES))
def engine(request):
    return request.param


@pytest.fixture
def daemon(engine, thing):
    with serving(engine=engine) as running:
        running.register(thing, "thing")
        running.register(Session, "session")
        yield running
        thing.go.set()


@pytest.fixture
def background(daemon):
    with Proxy(daemon.uriFor("thing"), options=client_options()) as proxy, asyncproxy(proxy) as made:
        yield made


threads_only = pytest.mark.parametrize("engine", ["thread"], indirect=True)


def test_answers_do_not_wait_for_the_last(daemon):
    """What is known of the first of many calls is told while the others run, though each of them is short."""
    with Proxy(daemon.uriFor("session"), options=client_options()) as proxy, asyncproxy(proxy) as background:
        futures = [background.add(number) for number in range(100)]

        assert futures[0].value == 1
        assert not futures[-1].done()
        assert [future.value for future in futures] == list(range(1, 101))


def test_one_connection(background, daemon):
    """All results come, each to its own call, over one connection."""
    futures = [background.give(number) for number in range(3000)]

    assert list(range(3000)) == [future.value for future in futures]
    assert daemon._engine.clients == 1


@threads_only
def test_no_call_waits_for_another(background, thing):
    """Some take long; those that came later are answered first."""
    slow = [background.wait(number) for number in range(20)]
    for _ in slow:
        assert thing.entered.acquire(timeout=scaled(10))

    assert list(range(500)) == [future.value for future in [background.give(number) for number in range(500)]]
    assert not any(future.ready for future in slow)
    thing.go.set()
    assert list(range(20)) == [future.value for future in slow]


@threads_only
def test_no_more_at_a_time_than_allowed(background, thing, monkeypatch):
    """The others wait, and nobody else has to wait for them."""
    monkeypatch.setattr("pyronb.server.engines.threads.MOST_TOGETHER", 3)
    slow = [background.wait(number) for number in range(10)]
    for _ in range(4):
        assert thing.entered.acquire(timeout=scaled(10))

    assert not thing.entered.acquire(timeout=0.05)
    with Proxy(background._link.uri, options=client_options()) as other:
        assert 3 == other.add(1, 2)
    thing.go.set()
    assert list(range(10)) == [future.value for future in slow]


def test_coroutines(background, thing):
    """They run at the same time, whichever the engine."""
    futures = [background.sleep(0.05, number) for number in range(100)]

    assert list(range(100)) == [future.value for future in futures]
    assert thing.most > 10


def test_session(daemon):
    """An instance of the client's own has one call at a time, in their order."""
    with Proxy(daemon.uriFor("session"), options=client_options()) as proxy, asyncproxy(proxy) as background:
        futures = [(background.add_later if number % 3 else background.add)(number) for number in range(60)]

        assert list(range(1, 61)) == [future.value for future in futures]
        assert list(range(60)) == background.all().value


def test_circumstances(background):
    """Each call has its own, also while others run."""
    numbers = [future.value for future in [background.look(0.005 * (number % 3)) for number in range(30)]]

    assert 30 == len(set(numbers))


@threads_only
def test_resources(background, thing, daemon):
    """They are closed when the client is gone and no call of it runs any more."""
    future = background.track()
    assert thing.entered.acquire(timeout=scaled(10))
    assert 3 == background.add(1, 2).value
    background._line._way.stream.shutdown()
    with pytest.raises(ConnectionClosedError):
        _ = future.value

    assert not thing.resources[0].closed.is_set()
    thing.go.set()
    assert thing.resources[0].closed.wait(scaled(10))
    assert eventually(lambda: daemon._engine.clients == 0)


def test_oneway(background, thing):
    """Its future is done when it was sent."""
    futures = [background.note(number) for number in range(20)]

    assert [None] * 20 == [future.value for future in futures]
    assert eventually(lambda: sorted(thing.calls) == list(range(20)))


def test_release_right_after_a_call(background, daemon):
    """The call is made all the same, and then its connection closes."""
    futures = []
    for number in range(100):
        futures.append(background.give(number))
        if number % 3 == 0:
            futures[-1].wait(scaled(10))
        background._pyroRelease()

    assert list(range(100)) == [future.value for future in futures]
    assert eventually(lambda: daemon._engine.clients == 0)


def test_release_with_many_calls_in_the_queue(background, thing, daemon, monkeypatch):
    """Those that were not sent yet are made over a connection that closes as well, and no thread waits for more."""
    monkeypatch.setattr(line, "_IDLE", scaled(60))
    monkeypatch.setattr(line, "_MOST", 5)
    futures = [background.give(number) for number in range(200)]
    background._pyroRelease()

    assert list(range(200)) == [future.value for future in futures]
    assert eventually(lambda: daemon._engine.clients == 0)
    assert eventually(lambda: not [thread for thread in threading.enumerate() if thread.name == "pyronb-async"])


@threads_only
def test_released_and_full(background, thing):
    """A queue for which there is no room after a release waits without holding up whoever makes the next call."""
    first = [background.wait(number) for number in range(20)]
    assert thing.entered.acquire(timeout=scaled(10))
    background._pyroRelease()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line, "_MOST", 1)
        later = [background.wait(number) for number in range(20)]
        background._line._dismissed = True
        others = threading.Thread(target=lambda: later.append(background.wait(20)))
        others.start()
        others.join(scaled(10))
        assert not others.is_alive()
        thing.go.set()

        assert list(range(20)) == [future.value for future in first]
        assert list(range(21)) == [future.value for future in later]


@threads_only
def test_oneway_over_a_lost_connection(background, daemon):
    """Its future tells."""
    background.add(1, 2).wait(scaled(10))
    background._line._way.stream.closed = True
    background._line._way.stream.socket.close()

    assert isinstance(background.note(1).exception(scaled(10)), ConnectionClosedError)
    assert 3 == background.add(1, 2).value


def test_errors(background):
    """They belong to their call."""
    futures = [background.fail("no") if number % 2 else background.give(number) for number in range(50)]
    told = [future.exception(scaled(10)) for future in futures]

    assert [ValueError, type(None)] * 25 == [type(error) for error in told[1:]] + [type(told[0])]
    assert 4 == futures[4].value


def test_what_cannot_travel(background):
    """Neither there nor back; the others do."""
    futures = [background.give(1), background.give(threading.Lock()), background.lock(), background.give(2)]

    assert isinstance(futures[1].exception(scaled(10)), SerializeError)
    assert isinstance(futures[2].exception(scaled(10)), SerializeError)
    assert [1, 2] == [futures[0].value, futures[3].value]


def test_a_value_that_nobody_can_look_at(background):
    """Whatever its own code raises belongs to its call alone."""

    class Odd(dict):
        def items(self):
            raise RecursionError("round and round")

    futures = [background.give(1), background.give(Odd(a=1)), background.give(2)]
    concurrent.futures.wait(futures, scaled(10))

    assert [1, 2] == [futures[0].value, futures[2].value]
    assert all(future.ready for future in futures)


@pytest.mark.parametrize("serializer", ["serpent", "msgpack", "native"])
def test_any_sizes(background, serializer):
    """Small and large, long and short: each answer finds its call."""
    background._link.serializer_name = serializer
    chance = random.Random(3)
    values = [str(number) * chance.choice([1, 10, 1000, 20_000]) for number in range(400)]
    futures = [
        background.nap(chance.choice([0, 0.003]), value) if chance.random() < 0.05 else background.give(value)
        for value in values
    ]

    assert values == [future.value for future in futures]


def test_from_many_threads(background):
    """Whoever calls, each gets what belongs to it."""
    failed = []

    def work(first):
        futures = [background.give(number) for number in range(first, first + 300)]
        if list(range(first, first + 300)) != [future.value for future in futures]:
            failed.append(first)

    threads = [threading.Thread(target=work, args=(1000 * number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(20))

    assert [] == failed


@threads_only
def test_a_call_that_takes_too_long(daemon, thing):
    """It fails alone; its answer is dropped when it comes."""
    options = client_options(timeout=scaled(1))
    with Proxy(daemon.uriFor("thing"), options=options) as proxy, asyncproxy(proxy) as background:
        slow = background.wait()
        with pytest.raises(TimeoutError, match="while calling 'wait' of 'thing'"):
            _ = slow.value
        thing.go.set()

        assert list(range(100)) == [future.value for future in [background.give(number) for number in range(100)]]
        assert daemon._engine.clients == 1


@threads_only
def test_a_lost_connection(background, daemon, thing):
    """Calls that were on their way fail, each with its name; the next call connects again."""
    slow = [background.wait() for _ in range(5)]
    for _ in slow:
        assert thing.entered.acquire(timeout=scaled(10))
    background._line._way.stream.shutdown()
    for future in slow:
        with pytest.raises(ConnectionClosedError, match="while calling 'wait' of 'thing'"):
            _ = future.value

    assert 3 == background.add(1, 2).value
    thing.go.set()


@threads_only
def test_a_call_that_waits_its_turn_can_be_cancelled(background, thing, monkeypatch):
    """It is never sent; one that is on its way cannot be cancelled."""
    monkeypatch.setattr(line, "_MOST", 8)
    running = [background.wait() for _ in range(8)]
    for _ in running:
        assert thing.entered.acquire(timeout=scaled(10))
    waiting = [background.add(1, 2), background.add(2, 3)]

    assert waiting[0].cancel()
    assert not running[0].cancel()
    thing.go.set()
    concurrent.futures.wait(running, scaled(10))
    assert 5 == waiting[1].value
    assert [(2, 3)] == thing.calls


def test_steps_that_wait_for_other_calls(background):
    """What is done with a result does not keep other results waiting."""
    futures = [background.give(number).then(lambda value: background.add(value, 1).value) for number in range(10)]

    assert list(range(1, 11)) == [future.value for future in futures]


@pytest.mark.parametrize("ending", ["drain", "shutdown"])
def test_ending(thing, ending):
    """Calls that run are answered before the daemon ends."""
    with serving(engine="thread") as daemon:
        uri = daemon.register(thing, "thing")
        with Proxy(uri, options=client_options()) as proxy, asyncproxy(proxy) as background:
            slow = [background.wait(number) for number in range(5)] + [background.sleep(0.3, 5)]
            for _ in range(5):
                assert thing.entered.acquire(timeout=scaled(10))
            assert eventually(lambda: thing.running == 1)
            daemon.drain(scaled(10)) if ending == "drain" else daemon.shutdown()
            threading.Timer(0.1, thing.go.set).start()

            assert list(range(6)) == [future.value for future in slow]


def test_streams(background, daemon):
    """A far stream goes on over a connection of its own, and so does not disturb other calls."""
    stream = background.count(300).value

    assert [0, 1] == [next(stream), next(stream)]
    assert 3 == background.add(1, 2).value
    assert list(range(2, 300)) == list(stream)


def open_streams(daemon, count):
    """Wait until so many are open over there."""
    eventually(lambda: len(daemon._streams) == count, what=f"{count} open streams")


@threads_only
@pytest.mark.parametrize("wished", [True, False])
def test_a_stream_that_is_opened_for_nobody_any_more(daemon, thing, wished):
    """The call has taken too long when its reply comes: the daemon is told, with the next calls at the latest."""
    options = client_options(timeout=None if wished else scaled(0.5))
    with Proxy(daemon.uriFor("thing"), options=options) as proxy, asyncproxy(proxy) as background:
        calls = background._pyroCall(timeout=scaled(0.5)) if wished else background
        for future in [calls.count_on(3) for _ in range(3)]:
            with pytest.raises(TimeoutError):
                _ = future.value
        for _ in range(3):
            assert thing.entered.acquire(timeout=scaled(10))
        thing.go.set()

        eventually(lambda: background.give(1).wait(scaled(10)) and thing.streams.count("closed") == 3)
        open_streams(daemon, 0)
        assert daemon._engine.clients == 1


@threads_only
def test_a_stream_of_a_call_that_was_cancelled(background, daemon, thing):
    """Its future has it all the same; when that is dropped, the next call tells the daemon."""
    future = background.count_on(3)
    assert thing.entered.acquire(timeout=scaled(10))
    assert not future.cancel()
    thing.go.set()
    open_streams(daemon, 1)
    assert future.wait(scaled(10))
    del future
    eventually(lambda: background._link.notes)

    assert 3 == background.add(1, 2).value
    open_streams(daemon, 0)
    eventually(lambda: thing.streams[-1] == "closed")


@pytest.mark.parametrize("taken", [0, 1])
@pytest.mark.parametrize("closed", [True, False])
def test_streams_that_are_given_up(background, daemon, taken, closed):
    """The daemon is told at once of one that is closed, and with the next call of one that is dropped."""
    streams = [background.count(300).value for _ in range(3)]
    for stream in streams:
        assert list(range(taken)) == [next(stream) for _ in range(taken)]
    open_streams(daemon, 3)
    if closed:
        for stream in streams:
            stream.close()
    else:
        del streams, stream
        eventually(lambda: len(background._link.notes) == 3)
        assert 3 == background.add(1, 2).value

    open_streams(daemon, 0)
    eventually(lambda: daemon._engine.clients == 1)


def test_a_stream_that_cannot_have_its_connection(background, daemon, monkeypatch):
    """The call fails, and the daemon is told with the next one."""
    assert 3 == background.add(1, 2).value

    def connect(_link):
        raise CommunicationError("not today")

    with monkeypatch.context() as patched:
        patched.setattr(line, "connect", connect)
        with pytest.raises(CommunicationError, match="not today"):
            _ = background.count(3).value

    assert 3 == background.add(1, 2).value
    open_streams(daemon, 0)


@threads_only
def test_no_connection_is_made_for_a_stream_alone(background, daemon, thing):
    """After a release the notes wait for the next call."""
    stream, slow = background.count(3).value, background.wait()
    assert thing.entered.acquire(timeout=scaled(10))
    background._pyroRelease()
    stream._link.stream.close()
    stream.close()
    thing.go.set()
    assert slow.value is None
    eventually(lambda: daemon._engine.clients == 0)

    assert 3 == background.add(1, 2).value
    open_streams(daemon, 0)


@threads_only
def test_a_client_that_reads_late(daemon, monkeypatch):
    """Its further calls are made, when there is room for an answer only at the second attempt."""
    real, full = SocketStream.send_within, []

    def send_within(stream, seconds, buffers=()):
        if sum(map(len, buffers)) > 10_000 and not full:
            full.append(stream)
            stream._unsent = tuple(map(memoryview, buffers))
            return False
        return real(stream, seconds, buffers)

    monkeypatch.setattr(SocketStream, "send_within", send_within)
    with Proxy(daemon.uriFor("thing"), options=client_options()) as proxy, asyncproxy(proxy) as background:
        futures = [background.zeros(30_000) for _ in range(100)]

        assert {30_000} == {len(future.value) for future in futures}
        assert full


@threads_only
def test_a_client_that_does_not_read(daemon, thing, monkeypatch):
    """Its calls wait, and no worker waits with them."""
    with Proxy(daemon.uriFor("thing"), options=client_options()) as proxy, asyncproxy(proxy) as background:
        reading = threading.Event()
        real = line.Line._read_some

        def read(self, way):
            reading.wait(scaled(20))
            real(self, way)

        monkeypatch.setattr(line.Line, "_read_some", read)
        futures = [background.zeros(30_000) for _ in range(900)]
        with Proxy(daemon.uriFor("thing"), options=client_options()) as other:
            assert 3 == other.add(1, 2)
            assert eventually(lambda: any(client.stream.unfinished for client in daemon._engine._all_clients()))
            assert eventually(lambda: daemon._engine.waiting + 1 >= daemon._engine.workers)
        reading.set()

        assert {30_000} == {len(future.value) for future in futures}
