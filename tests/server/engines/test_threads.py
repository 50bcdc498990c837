"""The thread engine: who waits for whom, what is left behind, and how it ends."""

from __future__ import annotations

import logging
import resource
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from pyronb.errors import CommunicationError
from pyronb.options import DaemonOptions
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose, oneway
from tests.support.serving import LOCAL, RawClient, connect, serving
from tests.support.waiting import deadline, eventually, scaled


@expose
class Thing:
    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.running = self.most = 0
        self.lock = threading.Lock()
        self.fired = []
        self.threads = []

    def echo(self, value):
        return value

    def wait(self):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.entered.release()
        assert self.go_on.wait(scaled(10))
        with self.lock:
            self.running -= 1
        return "done"

    @oneway
    def fire(self, value):
        self.entered.release()
        assert self.go_on.wait(scaled(10))
        self.threads.append(threading.current_thread().name)
        self.fired.append(value)

    @oneway
    def fire_and_fail(self):
        self.entered.release()
        raise ValueError("nobody hears this")

    def large(self, size):
        return "x" * size


def workers():
    return [thread for thread in threading.enumerate() if thread.name == "pyronb-worker"]


def started(thing, count=1):
    limit = deadline(5)
    for _ in range(count):
        assert thing.entered.acquire(timeout=limit.remaining), "the method was not called"


def in_threads(count, work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads):
    limit = deadline(20)
    for thread in threads:
        thread.join(limit.remaining)
        assert not thread.is_alive()


def test_calls_of_different_clients_run_at_the_same_time():
    """Each has a worker while it runs."""
    thing = Thing()
    with serving() as daemon:
        uri = daemon.register(thing)

        def call(_):
            with connect(uri) as proxy:
                assert proxy.wait() == "done"

        threads = in_threads(5, call)
        started(thing, 5)
        thing.go_on.set()
        join(threads)

    assert thing.most == 5


def test_more_clients_than_workers_wait_and_are_all_served():
    """No more calls run at once than there are workers, and nobody is refused."""
    thing = Thing()
    with serving(workers=2) as daemon:
        uri, got = daemon.register(thing), []

        def call(_):
            with connect(uri) as proxy:
                got.append(proxy.wait())

        threads = in_threads(8, call)
        started(thing, 2)
        thing.go_on.set()
        join(threads)

    assert got == ["done"] * 8
    assert thing.most == 2


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
                assert time.monotonic() - began < scaled(2)
        finally:
            stop.set()
            join(threads)


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
                assert time.monotonic() - began < scaled(1)
            assert idle <= 80
            assert daemon._engine.clients >= 1000
            for client in (clients[0], clients[500], clients[-1]):
                assert client.call("thing", "echo", 2).value == 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


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
            assert time.monotonic() - began < scaled(1)


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
    with serving(timeout=0.3) as daemon:
        uri = daemon.register(Thing(), "thing")
        with RawClient(uri.location) as client:
            client.greet("thing")
            request = client.request("thing", "echo", "x" * 100)
            for at in range(0, len(request), 20):
                client.send(request[at : at + 20])
                time.sleep(0.1)  # this is the slowness

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


def test_oneway_calls_run_in_order_where_they_have_no_threads():
    """With `oneway_threaded` off they run in line: the client does not wait, its next call does."""
    thing = Thing()
    with serving(oneway_threaded=False) as daemon, connect(daemon.register(thing)) as proxy:
        for value in range(3):
            proxy.fire(value)
        started(thing)
        thing.go_on.set()
        assert proxy.echo(2) == 2
        assert thing.fired == [0, 1, 2]

    assert set(thing.threads) == {"pyronb-worker"}


def test_a_flood_of_oneway_calls_does_not_become_a_flood_of_threads():
    """Beyond some number of them the client's own worker runs them, so that the client has to slow down."""
    thing = Thing()
    with serving() as daemon, connect(daemon.register(thing)) as proxy:
        for value in range(400):
            proxy.fire(value)
        started(thing, 201)
        assert sum(thread.name == "pyronb-oneway" for thread in threading.enumerate()) == 200
        thing.go_on.set()
        eventually(lambda: len(thing.fired) == 400)
        assert proxy.echo(1) == 1


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


def test_workers_end_when_there_is_nothing_to_do(monkeypatch):
    """An idle daemon keeps no threads but its loop, and those that it was told to keep."""
    monkeypatch.setattr("pyronb.server.engines.threads._IDLE", 0.05)
    with serving(workers_kept=0) as daemon, connect(daemon.register(Thing())) as proxy:
        assert proxy.echo(1) == 1
        eventually(lambda: not workers())
        assert daemon._engine.workers == 0
        assert proxy.echo(2) == 2


def test_a_system_without_threads_does_not_end_the_daemon(monkeypatch, caplog):
    """The client waits until a thread can be had, or until a worker is free."""
    with serving() as daemon, connect(daemon.register(Thing())) as proxy:
        real, failures = threading.Thread.start, []

        def start(thread):
            if thread.name == "pyronb-worker" and len(failures) < 2:
                failures.append(thread)
                raise RuntimeError("can't start new thread")
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)
        eventually(lambda: daemon._engine._waiting == daemon._engine.workers)
        assert proxy.echo(1) == 1
        with RawClient(daemon.locationStr) as one, RawClient(daemon.locationStr) as other:
            assert one.greet()[0] == 2
            assert other.greet()[0] == 2


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
    with Daemon(LOCAL, options=DaemonOptions(poll_timeout=0.01)) as daemon:
        looks = []
        for _ in range(2):
            looks.clear()
            daemon.requestLoop(lambda: looks.append(1) or len(looks) < 5)
            assert len(looks) == 5


def test_closing_waits_for_running_calls_and_no_longer_than_patience():
    """A call that does not end is left to itself; its thread ends with it."""
    thing = Thing()
    with serving() as daemon:
        uri, failed = daemon.register(thing), []

        def call(_):
            try:
                with connect(uri) as proxy:
                    proxy.wait()
            except CommunicationError as error:
                failed.append(error)

        threads = in_threads(1, call)
        started(thing)
        began = time.monotonic()
        daemon.close()
        took = time.monotonic() - began
        daemon.close()
        join(threads)
        thing.go_on.set()

    assert took < scaled(3.5)
    assert len(failed) == 1
    eventually(lambda: not workers())


def test_closing_is_quick_when_nothing_runs():
    """Connected clients see the end of the connection."""
    with serving() as daemon, connect(daemon.register(Thing())) as proxy:
        proxy.echo(1)
        began = time.monotonic()
        daemon.close()

        assert time.monotonic() - began < scaled(0.5)
        with pytest.raises(CommunicationError):
            proxy.echo(2)


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

    daemon = Closing(LOCAL, options=DaemonOptions(poll_timeout=0.01, timeout=0.1))
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
