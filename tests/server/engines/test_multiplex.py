"""The multiplex engine: one thread for all, that nobody stops."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from pyronb.errors import CommunicationError, DaemonError
from pyronb.net import back
from pyronb.rpc.handshake import KEY
from pyronb.server.daemon import Daemon
from pyronb.server.engines import engine_named
from pyronb.server.engines.multiplex import _TURN, MultiplexEngine
from pyronb.server.exposure import expose
from tests.support.held import Thing, in_threads, join
from tests.support.serving import LOCAL, RawClient, connect, daemon_options, serving
from tests.support.waiting import deadline, eventually, scaled

MEGABYTE = 1 << 20


@expose
class Other:
    def __init__(self):
        self.threads = set()
        self.calls = []
        self.turn = None

    def call(self, value):
        self.threads.add(threading.current_thread().name)
        self.calls.append(value)
        return value

    def slow(self, seconds):
        time.sleep(seconds)  # this is the slowness
        self.calls.append(seconds)

    def large(self, size):
        self.calls.append(size)
        return "x" * size

    def take_turn(self):
        """Have the loop go on while this call runs."""
        self.turn()
        return "turned"


@pytest.fixture
def other():
    return Other()


@pytest.fixture
def daemon(other):
    with serving(engine="multiplex") as daemon:
        daemon.register(other, "other")
        yield daemon


def test_engines_have_names():
    """Those of SERVERTYPE; a daemon with another one cannot be made, and leaves nothing behind."""
    assert engine_named("multiplex").name == "multiplex"
    with pytest.raises(DaemonError, match="thread, multiplex"):
        engine_named("fibre")
    with pytest.raises(DaemonError):
        Daemon(LOCAL, options=daemon_options(engine="fibre"))


def test_all_calls_run_in_the_loops_thread(daemon, other):
    """However many clients there are."""

    def work(number):
        with connect(daemon.uriFor("other")) as proxy:
            for _ in range(20):
                assert proxy.call(number) == number

    join(in_threads(5, work))

    assert other.threads == {"pyronb-test-loop"}
    assert len(other.calls) == 100
    assert "multiplex" in daemon._info()


def test_a_client_that_asks_for_much_leaves_room_for_others(daemon, other):
    """A thousand calls that were sent at once are not run in one go."""
    with RawClient(daemon.locationStr) as busy, connect(daemon.uriFor("other")) as proxy:
        busy.greet("other")
        busy.send(b"".join(busy.request("other", "slow", 0.002) for _ in range(1000)))
        busy.message()
        assert proxy.call(1) == 1
        assert other.calls.count(0.002) < 1000


def test_a_client_that_does_not_read_is_asked_no_more(daemon, other):
    """What it asked for beyond that waits, and is answered in order when it reads at last."""
    with RawClient(daemon.locationStr) as client:
        client.greet("other")
        client.send(b"".join(client.request("other", "large", MEGABYTE + number) for number in range(40)))
        eventually(lambda: daemon._engine._all_clients()[0].stream.unsent >= MEGABYTE)
        with connect(daemon.uriFor("other")) as proxy:
            for number in range(20):
                proxy.call(number)
        asked = len([size for size in other.calls if size >= MEGABYTE])
        assert asked < 40
        for number in range(40):
            assert len(client.codec.decode_reply(client.message()).value) == MEGABYTE + number


def test_a_client_that_never_reads_is_given_up(other):
    """After COMMTIMEOUT without progress."""
    with serving(engine="multiplex", timeout=0.2) as daemon, RawClient(daemon.locationStr) as deaf:
        daemon.register(other, "other")
        deaf.greet("other")
        deaf.send(deaf.request("other", "large", 20 * MEGABYTE))
        eventually(lambda: daemon._engine.clients == 0)


def test_a_client_that_reads_slowly_is_not_given_up(other):
    """As long as it moves."""
    with serving(engine="multiplex", timeout=scaled(1)) as daemon, RawClient(daemon.locationStr) as slow:
        daemon.register(other, "other")
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.greet("other")
        slow.send(slow.request("other", "large", 12 * MEGABYTE))
        got = 0
        while got < 12 * MEGABYTE:
            piece = slow.socket.recv(MEGABYTE)
            assert piece
            got += len(piece)
            time.sleep(0.01)  # this is the slowness


def test_a_client_that_has_finished_sending_is_answered(daemon):
    """It said all it had to say, and reads to the end."""
    with RawClient(daemon.locationStr) as client:
        client.send(
            client.greeting("other")
            + client.request("other", "large", 5 * MEGABYTE)
            + client.request("other", "call", 7)
        )
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer()[0] == 2
        assert len(client.codec.decode_reply(client.message()).value) == 5 * MEGABYTE
        assert client.codec.decode_reply(client.message()).value == 7
        assert client.rest() == b""
    eventually(lambda: daemon._engine.clients == 0)


def test_a_call_may_let_the_loop_turn(daemon, other):
    """As programs with a user interface do; other clients are served inside of it, its own client in order."""
    with RawClient(daemon.locationStr) as first, RawClient(daemon.locationStr) as second:
        first.greet("other")
        second.greet("other")

        def turn():
            first.send(first.request("other", "call", "behind"))
            second.send(second.request("other", "call", "inside"))
            limit = deadline(5)
            while "inside" not in other.calls and not limit.passed:
                daemon.events()

        other.turn = turn
        first.send(first.request("other", "take_turn"))
        assert first.codec.decode_reply(first.message()).value == "turned"
        assert first.codec.decode_reply(first.message()).value == "behind"
        assert second.codec.decode_reply(second.message()).value == "inside"

    assert other.calls == ["inside", "behind"]


def test_oneway_calls_have_threads_of_their_own():
    """So that they do not stop the loop; with ONEWAY_THREADED off they run in it."""
    for threaded, name in ((True, "pyronb-oneway"), (False, "pyronb-test-loop")):
        thing = Thing()
        with serving(engine="multiplex", oneway_threaded=threaded) as daemon, connect(daemon.register(thing)) as proxy:
            if not threaded:
                thing.go_on.set()
            proxy.fire(1)
            if threaded:
                assert proxy.echo(1) == 1
                thing.go_on.set()
            eventually(lambda: thing.fired == [1])  # noqa: B023 - it is called at once
        assert thing.threads == [name]


def test_closing_during_a_call_waits_no_longer_than_patience():
    """The loop is inside the call; its thread is left to itself."""
    thing = Thing()
    with serving(engine="multiplex") as daemon, ExitStack() as stack:
        uri, failed = daemon.register(thing), []
        stack.callback(thing.go_on.set)

        def call(_):
            try:
                with connect(uri) as proxy:
                    proxy.wait()
            except CommunicationError as error:
                failed.append(error)

        threads = in_threads(1, call)
        assert thing.entered.acquire(timeout=scaled(5))
        began = time.monotonic()
        daemon.close()
        assert time.monotonic() - began < scaled(5)
        join(threads)

    assert len(failed) == 1


def test_a_connection_for_calls_the_other_way_waits_at_once(other, monkeypatch):
    """However long the greeting took: the next call may wait for just that one, and takes only new clients in."""
    turned = []
    do = MultiplexEngine._do

    def dawdle(engine, client, task):
        do(engine, client, task)
        if client.conversation.turned:
            time.sleep(2 * _TURN)
            turned.append(client)

    monkeypatch.setattr(MultiplexEngine, "_do", dawdle)
    with Daemon(LOCAL, options=daemon_options(engine="multiplex")) as daemon, RawClient(daemon.locationStr) as client:
        client.send(client.greeting(**{KEY: {"version": "1", "back": "0123456789abcdef" * 2}}))
        until = deadline(10)
        while not turned and not until.passed:
            daemon.events()

        assert 1 == back.waiting()
