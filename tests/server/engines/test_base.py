"""What holds for every engine: who waits for whom, what a client costs, and how it ends."""

from __future__ import annotations

import gc
import logging
import resource
import socket
import threading
import time
import tracemalloc
from contextlib import ExitStack

import pytest

from pyronb.errors import CommunicationError
from pyronb.net.stream import SocketStream
from pyronb.server.daemon import Daemon
from tests.support.held import Thing, in_threads, join, started, workers
from tests.support.serving import LOCAL, RawClient, connect, daemon_options, serving
from tests.support.waiting import deadline, eventually, scaled

pytestmark = pytest.mark.usefixtures("engine")


def test_a_thousand_idle_clients_cost_no_threads():
    """They stay connected, the next one is served at once, and all of them can still call."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    if wanted < 2300:
        pytest.skip(f"this system allows no more than {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        with ExitStack() as stack:
            daemon = stack.enter_context(serving())
            uri = daemon.register(Thing(), "thing")
            clients = [stack.enter_context(RawClient(uri.location)) for _ in range(1000)]
            for client in clients:
                client.send(client.greeting("thing"))
            for client in clients:
                assert client.answer()[0] == 2
            idle = len(workers())
            with connect(uri) as proxy:
                began = time.monotonic()
                assert proxy.echo(1) == 1
                assert time.monotonic() - began < scaled(5)
            assert idle <= (80 if daemon._engine.name == "thread" else 0)
            assert daemon._engine.clients >= 1000
            for client in (clients[0], clients[500], clients[-1]):
                assert client.call("thing", "echo", 2).value == 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_an_idle_client_takes_little_memory():
    """No more than 3 KiB, after it has greeted and called."""
    with serving(workers=2) as daemon, ExitStack() as stack:
        host, _, port = daemon.register(Thing(), "thing").location.rpartition(":")
        with RawClient(daemon.locationStr) as model:
            data = model.greeting("thing") + model.request("thing", "echo", "called")
        # The clients' own ends are made first, so that they do not count.
        socks = [stack.enter_context(socket.socket()) for _ in range(400)]

        def call(sock):
            sock.settimeout(scaled(5))
            sock.connect((host, int(port)))
            sock.sendall(data)
            got = b""
            while not got.endswith(b"'called'"):
                got += sock.recv(65536)

        for sock in socks[:100]:  # what is made once for all, and threads
            call(sock)
        eventually(lambda: all(client.interest for client in daemon._engine._all_clients()))
        gc.collect()
        tracemalloc.start()
        stack.callback(tracemalloc.stop)
        before, _ = tracemalloc.get_traced_memory()
        for sock in socks[100:]:
            call(sock)
        # Workers stay with their clients for a moment, with room for what may come.
        eventually(lambda: all(client.interest for client in daemon._engine._all_clients()))
        gc.collect()
        now, _ = tracemalloc.get_traced_memory()

        assert (now - before) / 300 < 3 * 1024


def test_clients_that_say_nothing_delay_nobody():
    """With a single worker: connected and silent, greeted and silent, or silent in the middle of a message."""
    with ExitStack() as stack:
        daemon = stack.enter_context(serving(workers=1))
        uri = daemon.register(Thing(), "thing")
        silent = [stack.enter_context(RawClient(uri.location)) for _ in range(30)]
        for number, client in enumerate(silent):
            if number % 3 == 1:
                client.greet("thing")
            elif number % 3 == 2:
                client.send(client.greeting("thing")[:50])
        with connect(uri) as proxy:
            began = time.monotonic()
            assert proxy.echo(1) == 1
            assert time.monotonic() - began < scaled(5)


def test_busy_clients_leave_room_for_others():
    """Clients that call without a pause take turns with one who comes later, even when they hold all workers."""
    with serving(workers=2) as daemon:
        uri, stop, calls = daemon.register(Thing()), threading.Event(), []

        def chatter(_):
            with connect(uri) as proxy:
                while not stop.is_set():
                    calls.append(proxy.echo(1))

        threads = in_threads(4, chatter)
        try:
            eventually(lambda: len(calls) > 100)
            with connect(uri, timeout=scaled(5)) as proxy:
                began = time.monotonic()
                assert [proxy.echo(n) for n in range(10)] == list(range(10))
                assert time.monotonic() - began < scaled(5)
        finally:
            stop.set()
            join(threads)


def test_a_client_that_does_not_greet_is_let_go():
    """After `handshake_timeout`, even when it sends a byte now and then."""
    with serving(handshake_timeout=0.1) as daemon, RawClient(daemon.locationStr) as silent:
        assert silent.rest() == b""

        with RawClient(daemon.locationStr) as trickle:
            limit = deadline(5)
            with pytest.raises(ConnectionError):
                for byte in trickle.greeting() * 100:
                    trickle.send(bytes([byte]))
                    assert not limit.passed
                    time.sleep(0.005)  # this is the trickle


def test_a_client_that_stops_within_a_message_is_let_go():
    """After `timeout`; one that is idle between its calls is not."""
    with serving(timeout=0.1) as daemon:
        uri = daemon.register(Thing(), "thing")
        with RawClient(uri.location) as idle, RawClient(uri.location) as midway:
            idle.greet("thing")
            midway.greet("thing")
            midway.send(midway.request("thing", "echo", 1)[:-5])

            assert midway.rest() == b""
            assert idle.call("thing", "echo", 1).value == 1


def test_a_slow_message_arrives_as_long_as_it_moves():
    """The time-out is for silence, not for the whole message."""
    with serving(timeout=scaled(1)) as daemon:
        uri = daemon.register(Thing(), "thing")
        with RawClient(uri.location) as client:
            client.greet("thing")
            request = client.request("thing", "echo", "x" * 100)
            for at in range(0, len(request), 20):
                client.send(request[at : at + 20])
                time.sleep(scaled(0.2))  # this is the slowness

            assert client.codec.decode_reply(client.message()).value == "x" * 100


def test_a_client_that_does_not_read_delays_nobody():
    """A large answer waits for it while others are served; closing the daemon does not wait for it."""
    with serving() as daemon:
        uri = daemon.register(Thing(), "thing")
        with RawClient(uri.location) as deaf:
            deaf.greet("thing")
            deaf.send(deaf.request("thing", "large", 20_000_000))
            with connect(uri) as proxy:
                assert proxy.echo(1) == 1
            began = time.monotonic()
            daemon.close()

            assert time.monotonic() - began < scaled(3)


def test_oneway_calls_run_beside_the_clients_other_calls():
    """The client that fired goes on at once, and its next call does not wait for the fired one."""
    thing = Thing()
    with serving() as daemon, connect(daemon.register(thing)) as proxy:
        assert proxy.fire(1) is None
        started(thing)
        assert proxy.echo(2) == 2
        assert thing.fired == []
        thing.go_on.set()
        eventually(lambda: thing.fired == [1])

    assert thing.threads == ["pyronb-oneway"]


@pytest.mark.parametrize("threaded", [True, False])
def test_an_error_in_a_oneway_call_is_only_logged(caplog, threaded):
    """The client never hears of it, and its connection stays good."""
    caplog.set_level(logging.INFO, "pyronb")
    thing = Thing()
    with serving(oneway_threaded=threaded) as daemon, connect(daemon.register(thing)) as proxy:
        proxy.fire_and_fail()
        started(thing)
        eventually(lambda: "oneway call of client" in caplog.text)
        assert proxy.echo(1) == 1

    assert "nobody hears this" in caplog.text


def test_a_daemon_out_of_descriptors_serves_those_who_are_connected(caplog):
    """New clients wait until a descriptor is free again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving() as daemon, ExitStack() as stack:
        proxy = stack.enter_context(connect(daemon.register(Thing())))
        fillers = []
        # The last descriptor goes to the client's end of a connection, so that there is none for the daemon's end.
        spare = socket.socket()
        stack.callback(spare.close)
        host, _, port = daemon.locationStr.rpartition(":")
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(spare.fileno() + 30, soft), hard))
        try:
            while True:
                try:
                    fillers.append(socket.socket())
                except OSError:
                    break
            spare.connect((host, int(port)))
            eventually(lambda: "cannot accept a client" in caplog.text)
            assert proxy.echo(1) == 1
        finally:
            for filler in fillers:
                filler.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with connect(daemon.uriFor("Pyro.Daemon")) as late:
            assert late.ping() is None


def test_the_loop_looks_at_its_condition():
    """It ends when the condition is no longer true, and can be entered again."""
    with Daemon(LOCAL, options=daemon_options(poll_timeout=0.01)) as daemon:
        looks = []
        for _ in range(2):
            looks.clear()
            daemon.requestLoop(lambda: looks.append(1) or len(looks) < 5)
            assert len(looks) == 5


def test_closing_is_quick_when_nothing_runs():
    """Connected clients see the end of the connection."""
    with serving() as daemon, connect(daemon.register(Thing())) as proxy:
        proxy.echo(1)
        began = time.monotonic()
        daemon.close()

        assert time.monotonic() - began < scaled(1.5)
        with pytest.raises(CommunicationError):
            proxy.echo(2)


def test_a_connection_that_the_loop_has_not_taken_up_is_closed_with_the_engine():
    """Whoever made it has handed it over, so nobody else would; nor is one kept that comes later."""
    daemon = Daemon(options=daemon_options())
    early, late = socket.socketpair(), socket.socketpair()
    daemon._engine.adopt(SocketStream(early[0]), daemon._converse("early"), b"")
    daemon.close()
    daemon._engine.adopt(SocketStream(late[0]), daemon._converse("late"), b"")

    for ours, theirs in (early, late):
        with theirs:
            theirs.settimeout(scaled(5))
            assert b"" == theirs.recv(1)
            assert -1 == ours.fileno()


@pytest.mark.parametrize("where", ["housekeeping", "condition", "disconnect"])
def test_a_daemon_may_be_closed_by_what_its_loop_calls(where):
    """At once, and without waiting for the loop that is further up."""
    took = []

    class Closing(Daemon):
        def stop(self):
            began = time.monotonic()
            self.close()
            took.append(time.monotonic() - began)

        def housekeeping(self):
            if where == "housekeeping":
                self.stop()

        def clientDisconnect(self, conn):
            if where == "disconnect":
                self.stop()

    daemon = Closing(LOCAL, options=daemon_options(poll_timeout=0.01, timeout=0.1))
    with daemon, ExitStack() as stack:
        loop = threading.Thread(
            target=daemon.requestLoop, args=(lambda: where != "condition" or daemon.stop() is not None,)
        )
        loop.start()
        if where == "disconnect":
            client = stack.enter_context(RawClient(daemon.locationStr))
            client.greet()
            client.send(client.request("Pyro.Daemon", "ping")[:10])
        loop.join(scaled(5))

        assert not loop.is_alive()
        assert took[0] < scaled(1)
