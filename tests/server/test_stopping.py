"""How a daemon ends: at once, gracefully, and when its process is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from pyronb.errors import CommunicationError
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose, oneway
from pyronb.server.signals import stopping_on_signals
from pyronb.sync.proxy import Proxy
from tests.support.serving import ENGINES, LOCAL, RawClient, connect, daemon_options, looping, serving
from tests.support.waiting import deadline, eventually, scaled


@expose
class Thing:
    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.fired = []

    def echo(self, value):
        return value

    def wait(self):
        self.entered.release()
        assert self.go_on.wait(scaled(20))
        return "done"

    @oneway
    def fire(self):
        self.wait()
        self.fired.append(1)

    def large(self, size):
        return "x" * size


@pytest.fixture
def thing():
    made = Thing()
    yield made
    made.go_on.set()


def in_background(work):
    got = []

    def run():
        try:
            got.append(work())
        except BaseException as error:
            got.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, got


def entered(thing):
    assert thing.entered.acquire(timeout=scaled(5))


@pytest.mark.usefixtures("engine")
def test_draining_answers_the_calls_that_run(thing):
    """Nobody is taken in any more, idle clients go, and then the daemon is closed."""
    with serving(poll_timeout=60) as daemon:
        uri = daemon.register(thing)
        with RawClient(daemon.locationStr) as idle, connect(uri) as proxy:
            idle.greet()
            caller, got = in_background(proxy.wait)
            entered(thing)
            daemon.drain(scaled(20))
            if daemon._engine.name == "thread":
                assert idle.rest() == b""
                with pytest.raises(CommunicationError):
                    connect(uri)
            thing.go_on.set()
            caller.join(scaled(5))
            assert got == ["done"]
            assert idle.rest() == b""
        eventually(lambda: "closed" in repr(daemon))


@pytest.mark.usefixtures("engine")
def test_draining_waits_for_oneway_calls(thing):
    """Their clients do not wait for them, the daemon does."""
    with serving(poll_timeout=60) as daemon:
        with connect(daemon.register(thing)) as proxy:
            proxy.fire()
            entered(thing)
            daemon.drain(scaled(20))
            thing.go_on.set()
        eventually(lambda: "closed" in repr(daemon))

    assert thing.fired == [1]


@pytest.mark.usefixtures("engine")
def test_draining_sends_large_answers_to_their_end(thing):
    """Also to a client that takes its time."""
    with serving(poll_timeout=60) as daemon:
        daemon.register(thing, "thing")
        with RawClient(daemon.locationStr) as slow:
            slow.greet("thing")
            slow.send(slow.request("thing", "large", 20_000_000))
            begin = slow.exactly(1000)
            daemon.drain(scaled(20))

            assert len(begin) + len(slow.rest()) > 20_000_000
        eventually(lambda: "closed" in repr(daemon))


def test_draining_has_an_end(thing):
    """A call that does not end is left to itself, after the time that was given."""
    with looping(Daemon(LOCAL, options=daemon_options(poll_timeout=60))) as daemon:
        with connect(daemon.register(thing)) as proxy:
            caller, got = in_background(proxy.wait)
            entered(thing)
            daemon.drain(0.1)
            eventually(lambda: "closed" in repr(daemon), 5)
            caller.join(scaled(5))
        assert isinstance(got[0], CommunicationError)
        thing.go_on.set()


@pytest.mark.usefixtures("engine")
def test_shutdown_answers_the_call_that_asked_for_it(thing):
    """The loop ends, the daemon closes itself, and its port is free."""
    with serving(poll_timeout=60) as daemon:

        @expose
        class Stopper:
            def stop(self):
                daemon.shutdown()
                return "x" * 5_000_000

        with connect(daemon.register(Stopper())) as proxy:
            assert len(proxy.stop()) == 5_000_000
        eventually(lambda: "closed" in repr(daemon))
        host, _, port = daemon.locationStr.rpartition(":")
        Daemon(host, int(port)).close()


@pytest.mark.usefixtures("engine")
def test_shutdown_waits_for_running_calls_and_not_for_ever(thing):
    """Those that end in time are answered."""
    with serving(poll_timeout=60) as daemon:
        with connect(daemon.register(thing)) as proxy:
            caller, got = in_background(proxy.wait)
            entered(thing)
            daemon.shutdown()
            thing.go_on.set()
            caller.join(scaled(5))
        eventually(lambda: "closed" in repr(daemon))

    assert got == ["done"]


def test_signals_are_handled_as_before_afterwards():
    """Whatever handled them."""
    mine = lambda number, frame: None  # noqa: E731
    before = signal.signal(signal.SIGTERM, mine)
    try:
        with Daemon(LOCAL) as daemon, stopping_on_signals(daemon):
            assert signal.getsignal(signal.SIGTERM) is not mine
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_leave_signals_alone():
    """Only the main thread can handle them."""
    before = signal.getsignal(signal.SIGTERM)

    def work():
        with Daemon(LOCAL) as daemon, stopping_on_signals(daemon):
            return signal.getsignal(signal.SIGTERM)

    thread, got = in_background(work)
    thread.join(scaled(5))

    assert got == [before]


PROGRAM = """
import sys, time
import pyronb
pyronb.config.SERVERTYPE = sys.argv[1]

@pyronb.expose
class Thing:
    def wait(self, seconds):
        print("entered", flush=True)
        time.sleep(seconds)
        return "done"

pyronb.serveSimple({Thing(): "thing"}, host="127.0.0.1", ns=False)
print("ended", flush=True)
"""


class Server:
    """A process with `serveSimple` in its main thread."""

    def __init__(self, engine):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, engine], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.uri = self.process.stdout.readline().partition(": ")[2].strip()
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()

    def call(self, seconds):
        with Proxy(self.uri) as proxy:
            return proxy.wait(seconds)

    def signal(self, number=signal.SIGTERM):
        os.kill(self.process.pid, number)


@pytest.mark.parametrize("engine", ENGINES)
def test_sigterm_lets_running_calls_end(engine):
    """They are answered, then the program goes on after its loop and ends well."""
    with Server(engine) as server:
        caller, got = in_background(lambda: server.call(1))
        assert server.process.stdout.readline() == "entered\n"
        server.signal()
        caller.join(scaled(10))

        assert got == ["done"]
        assert server.process.stdout.readline() == "ended\n"
        assert server.process.wait(scaled(10)) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_second_sigterm_ends_at_once(engine):
    """Whatever runs, with the status that tells of the signal."""
    with Server(engine) as server:
        caller, got = in_background(lambda: server.call(60))
        assert server.process.stdout.readline() == "entered\n"
        server.signal()
        limit = deadline(10)
        while server.process.poll() is None and not limit.passed:
            # Signals that come too close together are one signal.
            time.sleep(0.05)
            server.signal()
        caller.join(scaled(10))

        # The latter where one more signal came when the handler was gone already; to a shell it is the same.
        assert server.process.wait(scaled(1)) in {128 + signal.SIGTERM, -signal.SIGTERM}
        assert isinstance(got[0], Exception)


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_ends_a_server(engine):
    """Also when it hits a call that runs in the loop's own thread."""
    with Server(engine) as server:
        caller, got = in_background(lambda: server.call(2))
        assert server.process.stdout.readline() == "entered\n"
        server.signal(signal.SIGINT)
        caller.join(scaled(10))

        assert server.process.wait(scaled(10)) != 0
        assert "KeyboardInterrupt" in server.process.stderr.read()
        assert len(got) == 1
