"""A few connections with one call each, and one thread for all of them."""

from __future__ import annotations

import concurrent.futures
import threading
import time

import pytest

from pyronb.context import current_context
from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError, SerializeError, TimeoutError
from pyronb.net.stream import SocketStream
from pyronb.net.wakeup import Wakeup
from pyronb.options import WireOptions
from pyronb.sync import pool
from pyronb.sync.asynchronous import asyncproxy
from pyronb.sync.measure import MOST
from pyronb.sync.proxy import Proxy
from pyronb.sync.streams import FarStream
from tests.support.fix_daemons import Bench, client_options
from tests.support.serving import serving
from tests.support.waiting import eventually, scaled


@pytest.fixture(autouse=True)
def _one_at_a_time(monkeypatch):
    """Have the daemon answer the calls of a connection one after the other, as real ones do."""
    monkeypatch.setattr("pyronb.sync.line.TOGETHER", "what no daemon does")


@pytest.fixture
def background(proxy):
    """An async proxy for the bench."""
    proxy._pyroBind()
    with asyncproxy(proxy) as background:
        yield background


def entered(bench, calls):
    """Wait until so many calls have begun to wait over there."""
    for _ in range(calls):
        assert bench.entered.acquire(timeout=scaled(10))


# How many connections there are


def test_many_quick_calls(background, dials):
    """They go over a few connections, which all stay."""
    futures = [background.add(number, 0) for number in range(2000)]

    assert list(range(2000)) == [future.value for future in futures]
    assert 1 <= len(dials) <= MOST
    eventually(lambda: len(dials) == len(background._stock))


def test_calls_that_wait_hold_up_nobody(background, bench):
    """Each holds but its own connection, until there are no more."""
    waiting = [background.wait(number) for number in range(MOST - 1)]
    entered(bench, MOST - 1)

    assert list(range(100)) == [future.result(scaled(10)) for future in [background.add(n, 0) for n in range(100)]]
    bench.go.set()
    assert list(range(MOST - 1)) == [future.value for future in waiting]


def test_a_daemon_that_takes_no_more_connections(background, bench, monkeypatch):
    """Those that there are do it all."""
    real, made = pool.connected, []

    def connected(link, *more):
        made.append(link)
        if len(made) > 3:
            raise CommunicationError("no free workers")
        real(link, *more)

    monkeypatch.setattr(pool, "connected", connected)
    waiting = [background.wait(number) for number in range(2)]
    entered(bench, 2)
    futures = [background.add(number, 0) for number in range(500)]

    assert list(range(500)) == [future.result(scaled(10)) for future in futures]
    bench.go.set()
    assert [0, 1] == [future.value for future in waiting]
    assert 3 == len(background._stock)


def test_no_connection_at_all(background, monkeypatch):
    """All that wait for it are told why; those after them try again."""
    real = pool.connected

    def connected(*_):
        raise CommunicationError("not today")

    monkeypatch.setattr(pool, "connected", connected)
    futures = [background.add(number, 0) for number in range(5)]
    for future in futures:
        with pytest.raises(CommunicationError, match="not today"):
            future.result(scaled(10))
    monkeypatch.setattr(pool, "connected", real)

    assert 3 == background.add(1, 2).result(scaled(10))


# Calls


def test_errors_of_methods(background):
    """They are read like results, and the connection goes on."""
    failing = [background.fail(str(number)) for number in range(20)]
    for number, future in enumerate(failing):
        with pytest.raises(ValueError, match=str(number)) as caught:
            future.result(scaled(10))
        assert caught.value._pyroTraceback
    assert 3 == background.add(1, 2).value


def test_what_cannot_be_written_or_read(background):
    """It fails its own call alone."""
    with pytest.raises(SerializeError):
        background.give(threading.Lock()).result(scaled(10))
    assert 3 == background.add(1, 2).value


def test_large_results_and_arguments(background):
    """They arrive in pieces, next to others; what is large here goes another way."""
    large = [background.zeros(300_000) for _ in range(5)]
    sent = [background.give("1" * 300_000) for _ in range(5)]
    small = [background.add(number, 0) for number in range(100)]

    assert list(range(100)) == [future.value for future in small]
    assert ["0" * 300_000] * 5 == [future.value for future in large]
    assert ["1" * 300_000] * 5 == [future.value for future in sent]


def test_a_call_that_goes_out_in_pieces(background, monkeypatch):
    """When the system takes but a part of it, the rest follows as soon as it can."""
    real, sent = SocketStream.send_small, []

    def send_small(stream, message):
        if threading.current_thread().name != "pyronb-async":
            return real(stream, message)
        sent.append(stream.socket.send(message[:10]))
        stream._unsent = (memoryview(message)[10:],)
        return False

    monkeypatch.setattr(SocketStream, "send_small", send_small)

    assert [3] * 20 == [future.result(scaled(10)) for future in [background.add(1, 2) for _ in range(20)]]
    assert [10] * 20 == sent


def test_over_tls(certificates):
    """Small and large, all of it is encrypted."""
    with serving(tls=certificates.daemon()) as daemon:
        uri = daemon.register(Bench(), "bench")
        with Proxy(uri, options=client_options(tls=certificates.client())) as proxy, asyncproxy(proxy) as background:
            futures = [background.add(number, 0) for number in range(100)]
            large = background.give("1" * 300_000)

            assert list(range(100)) == [future.result(scaled(10)) for future in futures]
            assert "1" * 300_000 == large.result(scaled(10))


def test_what_is_not_plain_keeps_its_turn(background, bench):
    """Annotations, calls without an answer: they go out in a thread of their own, when it is their turn."""
    current_context.annotations = {"TEST": b"x"}
    beside = background.context()
    current_context.annotations = {}
    background.fire("fired").wait(scaled(10))

    assert ["TEST"] == [name for name, _ in beside.value["annotations"]]
    assert bench.entered.acquire(timeout=scaled(10))
    assert ["fired"] == bench.calls


def test_streams_have_their_connections(background, dials):
    """They can be iterated while calls go on, and close them at their end."""
    streams = [background.count(3).value for _ in range(3)]

    assert [FarStream] * 3 == [type(stream) for stream in streams]
    assert 3 == background.add(1, 2).value
    assert [[0, 1, 2]] * 3 == [list(stream) for stream in streams]
    assert not any(stream._link.connected for stream in streams)
    assert len(dials) - 3 == len(background._stock)


@pytest.mark.parametrize("taken", [0, 1])
@pytest.mark.parametrize("closed", [True, False])
def test_streams_that_are_given_up(background, daemon, bench, taken, closed):
    """The daemon is told at once of one that is closed, and with the next calls of one that is dropped."""
    streams = [background.count(300).value for _ in range(3)]
    for stream in streams:
        assert list(range(taken)) == [next(stream) for _ in range(taken)]
    assert 3 == len(daemon._streams)
    if closed:
        for stream in streams:
            stream.close()
    else:
        del streams, stream

    eventually(lambda: (closed or background.add(1, 2).value == 3) and len(daemon._streams) == 0)
    eventually(lambda: bench.streams.count("closed") == 3 * taken)


def test_a_stream_of_a_call_that_was_cancelled(background, daemon, bench):
    """Its future has it all the same; when that is dropped, the next calls tell the daemon."""
    future = background.count_on(3)
    entered(bench, 1)
    assert not future.cancel()
    bench.go.set()
    assert future.wait(scaled(10))
    assert 1 == len(daemon._streams)
    del future

    eventually(lambda: background.add(1, 2).value == 3 and bench.streams[-1] == "closed")
    assert 0 == len(daemon._streams)


def test_a_stream_whose_connection_is_lost(background, daemon):
    """It is closed all the same, over another one."""
    stream = background.count(300).value
    assert 0 == next(stream)
    stream._link.stream.shutdown()
    stream.close()

    eventually(lambda: background.add(1, 2).value == 3 and len(daemon._streams) == 0)


def test_what_users_do_with_results_holds_up_nobody(background):
    """It runs in another thread."""
    go, done = threading.Event(), threading.Event()
    blocking = background.add(1, 2).then(lambda _: go.wait(scaled(20)))
    blocking.add_done_callback(lambda _: done.set())

    assert list(range(100)) == [future.result(scaled(10)) for future in [background.add(n, 0) for n in range(100)]]
    assert not blocking.ready
    go.set()
    assert done.wait(scaled(10))


def test_results_are_not_held_back(background, bench):
    """One that is there is published, though all connections are held by others, and further calls wait for them."""
    first = background.wait("first")
    entered(bench, 1)
    quick = background.add(1, 2)
    assert 3 == quick.result(scaled(10))
    waiting = [background.wait() for _ in range(2 * MOST)]
    assert concurrent.futures.wait([first], 0).not_done
    bench.go.set()

    assert "first" == first.value
    concurrent.futures.wait(waiting, scaled(20))


# Ends


def test_time_outs(background, bench):
    """Each call has its own moment; its connection is given up with it, and the next one finds another."""
    background._pyroTimeout = limit = scaled(1)
    began = time.monotonic()
    futures = [background.wait() for _ in range(3)]
    for future in futures:
        with pytest.raises(TimeoutError, match=r"calling 'wait' .* _pyroTimeout allows"):
            future.result(scaled(10))

    assert time.monotonic() - began >= limit
    assert 3 == background.add(1, 2).value
    bench.go.set()


def test_a_daemon_that_ends(background, bench, daemon):
    """What is on its way fails, and so does what waits, for nobody is there any more."""
    waiting = [background.wait() for _ in range(3 * MOST)]
    entered(bench, MOST)
    threading.Thread(target=daemon.close).start()
    failed = [future.exception(scaled(20)) for future in waiting]
    bench.go.set()

    assert {ConnectionClosedError} == {type(error) for error in failed if error is not None}
    assert failed.count(None) <= MOST


def test_a_connection_that_is_lost(background, bench):
    """Only the call on it fails."""
    waiting = [background.wait(number) for number in range(3)]
    entered(bench, 3)
    next(iter(background._pool._busy)).stream.shutdown()
    lost = [
        future for future in waiting if future in concurrent.futures.wait(waiting, scaled(10), "FIRST_COMPLETED").done
    ]
    bench.go.set()

    assert 1 == len(lost)
    with pytest.raises(ConnectionClosedError, match="calling 'wait'"):
        lost[0].result()
    assert {0, 1, 2} > {future.result(scaled(10)) for future in waiting if future not in lost}


def test_a_reply_that_is_none(background, bench):
    """A daemon that does not keep to the protocol fails the call, and is left."""
    waiting = background.wait()
    entered(bench, 1)
    (way,) = background._pool._busy
    way.connection.take_back(way.seq)
    way.seq += 1
    bench.go.set()

    with pytest.raises(ProtocolError, match=r"out of sync.* calling 'wait'"):
        waiting.result(scaled(10))
    assert not way.link.connected
    assert 3 == background.add(1, 2).result(scaled(10))


def test_a_release_while_calls_wait(proxy, bench, daemon):
    """They are all made, and then every connection closes."""
    proxy._pyroBind()
    with asyncproxy(proxy) as background:
        futures = [background.wait(number) for number in range(40)]
        entered(bench, 1)
    bench.go.set()

    assert list(range(40)) == [future.result(scaled(20)) for future in futures]
    eventually(lambda: daemon._engine.clients == 1, 5)


def test_a_thread_that_cannot_be_started(background, monkeypatch):
    """Who calls is told; the next call starts it."""

    def start(_thread):
        raise RuntimeError("no more threads")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="no more threads"):
            background.add(1, 2)

    assert 5 == background.add(2, 3).result(scaled(10))


def test_a_thread_whose_place_was_taken_before_it_began(background):
    """It ends at once, and leaves alone what belongs to the other one."""
    assert 3 == background.add(1, 2).result(scaled(5))
    crew = background._pool
    selector, late = crew._selector, Wakeup()
    late.close()
    thread = threading.Thread(target=crew._run, args=(late,))
    thread.start()
    thread.join()

    assert crew._selector is selector
    assert 3 == background.add(1, 2).result(scaled(5))


def test_what_should_never_happen(background, bench, monkeypatch):
    """All that wait are told, and the next call starts anew."""

    def hear(_pool, _way):
        raise MemoryError("none left")

    with monkeypatch.context() as patched:
        patched.setattr(pool.Pool, "_hear", hear)
        with pytest.raises(MemoryError, match="none left"):
            background.add(1, 2).result(scaled(10))

    assert 5 == background.add(2, 3).result(scaled(10))


# Calls that are not plain


def test_a_connection_that_comes_too_late(background, bench, monkeypatch):
    """Where all was given up while a call was to be made again, nobody needs it any more."""
    real, asked, go = pool.connected, threading.Event(), threading.Event()

    def connected(link, *more):
        asked.set()
        assert go.wait(scaled(10))
        real(link, *more)

    def fail():
        raise MemoryError("none left")

    background._pyroMaxRetries = 1
    waiting = background.wait()
    entered(bench, 1)
    monkeypatch.setattr(pool, "connected", connected)
    (way,) = background._pool._busy
    way.stream.shutdown()
    assert asked.wait(scaled(10))
    background._pool._send_for(fail)
    with pytest.raises(MemoryError, match="none left"):
        waiting.result(scaled(10))
    go.set()

    assert 3 == background.add(1, 2).result(scaled(10))
    eventually(lambda: way.link.connection is None)


def test_calls_that_are_over_at_once(background, dials):
    """No connection is made for calls that have been made already."""
    background.add(1, 2).result(scaled(10))
    before = len(dials)
    for _ in range(5):
        with pytest.raises(SerializeError):
            background.give(threading.Lock()).result(scaled(10))
        background.fire("fired").result(scaled(10))
    assert 3 == background.add(1, 2).result(scaled(10))
    assert before == len(dials)


@pytest.mark.parametrize(
    "changes",
    [{"remote_output": True}, {"wire": WireOptions(log=True)}, {"wire": WireOptions(compression=True)}],
    ids=["output", "log", "compression"],
)
def test_where_there_is_no_short_cut(daemon, bench, dials, changes):
    """Calls go over few connections all the same; those that are large or have no answer too."""
    options = client_options(**changes)
    with Proxy(daemon.uriFor("bench"), options=options) as proxy, asyncproxy(proxy) as background:
        futures = [background.add(number, 0) for number in range(500)]
        large, wrong = background.give("1" * 300_000), background.give(threading.Lock())

        assert list(range(500)) == [future.result(scaled(10)) for future in futures]
        assert "1" * 300_000 == large.result(scaled(10))
        with pytest.raises(SerializeError, match="calling 'give'"):
            wrong.result(scaled(10))
        assert background.fire("fired").result(scaled(10)) is None
        eventually(lambda: "fired" in bench.calls)
    # One more was made to see whether calls can share it.
    assert len(dials) <= MOST + 1


def test_a_call_that_is_made_again(background, bench):
    """Over another connection, after its own was lost; others wait for neither."""
    background._pyroMaxRetries = 1
    waiting = background.wait("again")
    entered(bench, 1)
    (way,) = background._pool._busy
    lost = way.connection
    way.stream.shutdown()
    assert list(range(100)) == [future.result(scaled(10)) for future in [background.add(n, 0) for n in range(100)]]
    entered(bench, 1)
    bench.go.set()

    assert "again" == waiting.result(scaled(10))
    assert way.link.connection is not lost


def test_a_call_that_is_lost_each_time(background, bench):
    """It fails when there are no more tries, also where there is nobody to connect to any more."""
    background._pyroMaxRetries = 2
    waiting = background.wait()
    for _ in range(3):
        entered(bench, 1)
        eventually(lambda: any(way.seq is not None for way in background._pool._busy))
        next(iter(background._pool._busy)).link.stream.shutdown()

    with pytest.raises(ConnectionClosedError, match="calling 'wait'"):
        waiting.result(scaled(10))
    assert 3 == background.add(1, 2).result(scaled(10))


def test_connecting_is_tried_again(background, monkeypatch):
    """As often as the proxy says."""
    real, tried = pool.connected, []

    def connected(link, *more):
        tried.append(link)
        if len(tried) < 3:
            raise ConnectionClosedError("not today")
        real(link, *more)

    monkeypatch.setattr(pool, "connected", connected)
    background._pyroMaxRetries = 1
    with pytest.raises(ConnectionClosedError, match="not today"):
        background.add(1, 2).result(scaled(10))

    assert 3 == background.add(1, 2).result(scaled(10))
    assert 3 == len(tried)


def test_a_class_that_has_its_say(daemon):
    """It runs in another thread, and holds up nobody; what it raises is in the future."""
    go, heard = threading.Event(), []

    class Saying(Proxy):
        def _pyroAnnotations(self):
            return {"MINE": b"x"}

        def _pyroResponseAnnotations(self, annotations, msgtype):
            heard.append(sorted(annotations))
            if len(heard) == 1:
                go.wait(scaled(20))
            raise ValueError("not this")

    with Saying(daemon.uriFor("bench"), options=client_options()) as proxy, asyncproxy(proxy) as background:
        first = background.context()
        eventually(lambda: heard)
        assert list(range(100)) == [future.result(scaled(10)) for future in [background.add(n, 0) for n in range(100)]]
        assert not first.ready
        go.set()
        with pytest.raises(ValueError, match="not this"):
            first.result(scaled(10))

    assert [["RESP"]] == heard


def test_timeouts_of_single_calls(background, bench):
    """Each has its own, whatever others have."""
    background._pyroTimeout = scaled(20)
    calls = [background._pyroCall(timeout=seconds).wait(seconds) for seconds in (0.05, 0, 0.1)]
    calls.append(background.wait("plain"))
    for future in (calls[0], calls[2]):
        with pytest.raises(TimeoutError, match="its timeout allows"):
            future.result(scaled(10))
    bench.go.set()

    assert [0, "plain"] == [calls[1].result(scaled(10)), calls[3].result(scaled(10))]


def test_many_without_an_answer(background, bench):
    """Each makes room for the next one as soon as it is sent."""
    began = time.monotonic()
    futures = [background.fire(number) for number in range(500)]
    assert [None] * 500 == [future.result(scaled(10)) for future in futures]
    entered(bench, 500)

    assert set(range(500)) == set(bench.calls)
    assert time.monotonic() - began < scaled(10)
