"""The lookout: one of many threads waits for all, and nobody depends on it."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from pyronb.errors import CommunicationError, ConnectionClosedError, TimeoutError
from pyronb.net import lookout
from pyronb.net.lookout import LOOKOUT
from pyronb.net.stream import SocketStream
from tests.support.paths import ROOT
from tests.support.waiting import deadline, eventually, scaled

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif(sys.platform != "linux", reason="there is a lookout on Linux only"),
]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two callers are many, as on slow machines a test cannot have many that wait at the same time."""
    monkeypatch.setattr("pyronb.net.stream.FEW", 1)
    monkeypatch.setattr(LOOKOUT, "helps", True)


class Far:
    """The other ends of some streams, in a thread: it echoes, and what begins with `slow` it keeps until it may go."""

    def __init__(self, count):
        pairs = [socket.socketpair() for _ in range(count)]
        self.streams = [SocketStream(ours) for ours, _ in pairs]
        self.ends = [theirs for _, theirs in pairs]
        self.kept = []
        self.go_on = threading.Event()
        self.over = threading.Event()
        self.selector = selectors.DefaultSelector()
        for end in self.ends:
            self.selector.register(end, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over.is_set():
            for key, _ in self.selector.select(0.01):
                data = key.fileobj.recv(1000)
                if data.startswith(b"slow"):
                    self.kept.append((key.fileobj, data))
                elif data:
                    key.fileobj.send(data)
                else:
                    self.selector.unregister(key.fileobj)
            if self.go_on.is_set():
                while self.kept:
                    end, data = self.kept.pop()
                    end.send(data)

    def close(self):
        self.over.set()
        self.thread.join()
        self.selector.close()
        for one in (*self.streams, *self.ends):
            one.close()


@contextmanager
def far(count):
    """Give streams, and who is at their other ends."""
    with ExitStack() as stack:
        other = Far(count)
        stack.callback(other.close)
        yield other


def in_threads(count, work):
    """Start so many threads, each of which works with its number."""
    failed = []

    def run(number):
        try:
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()

    def join():
        for thread in threads:
            thread.join(scaled(20))
            assert not thread.is_alive()
        if failed:
            raise failed[0]

    return join


def at_rest():
    """Tell whether nobody waits, and nobody has the lookout."""
    return not (LOOKOUT._taken or LOOKOUT._waiting or LOOKOUT._found or LOOKOUT.callers)


def test_everybody_gets_the_own_answer():
    """Whoever calls when, and however many do."""
    with far(12) as other:

        def work(number):
            for turn in range(200):
                said = b"%d of %d" % (turn, number)
                assert other.streams[number].exchange(said, None) == said

        in_threads(12, work)()
        assert all(stream._seat is not None for stream in other.streams)
        eventually(at_rest)
    assert not LOOKOUT._seats


def test_few_wait_by_themselves(monkeypatch):
    """Then nothing is made for them."""
    monkeypatch.setattr("pyronb.net.stream.FEW", 8)
    with far(3) as other:
        in_threads(3, lambda number: [other.streams[number].exchange(b"hello", None) for _ in range(20)])()
        assert all(stream._seat is None for stream in other.streams)


@pytest.mark.parametrize("often", [0, 1000])
def test_a_connection_finds_out_where_to_wait(monkeypatch, often):
    """It counts how often its thread waits, now and then: for a new one that it is like the last."""
    monkeypatch.setattr(LOOKOUT, "helps", False)
    monkeypatch.setattr(lookout, "_OFTEN", often)
    monkeypatch.setattr(lookout, "_USE", 20)
    seen = [set(), set()]
    with far(2) as other:

        def call(number):
            stream, limit = other.streams[number], deadline(20)
            while len(seen[number]) < (4 if not often else 2) and not limit.passed:
                stream.exchange(b"hello", None)
                seat = stream._seat
                if seat is not None:
                    seen[number].add((seat.used, bool(seat.calls)))
            stream.exchange(b"slow", None)

        join = in_threads(2, call)
        eventually(lambda: len(other.kept) == 2)
        assert LOOKOUT.helps == (not often)
        other.go_on.set()
        join()
    places = {(False, True), (False, False)}
    assert seen == [places if often else places | {(True, True), (True, False)}] * 2


def test_what_takes_long_holds_nobody_up(monkeypatch):
    """Neither do those who wait for such a thing, nor those who are busy after they got theirs."""
    monkeypatch.setattr(lookout, "STAY", 0.02)
    with far(9) as other:
        got = []
        busy = threading.Event()

        def wait(number):
            if number == 3:
                other.streams[number].exchange(b"quick", None)
                busy.wait(scaled(20))
            else:
                got.append(other.streams[number].exchange(b"slow %d" % number, None))

        waited = in_threads(4, wait)
        eventually(lambda: len(other.kept) == 3)
        limit = deadline(10)

        def call(number):
            for _ in range(100):
                assert other.streams[4 + number].exchange(b"hello", 30) == b"hello"
                assert not limit.passed

        in_threads(5, call)()
        assert not got
        other.go_on.set()
        busy.set()
        waited()
        assert sorted(got) == [b"slow 0", b"slow 1", b"slow 2"]
        eventually(at_rest)


@pytest.mark.parametrize("stay", [1.0, 0.05])
def test_limits(monkeypatch, stay):
    """A call that takes longer than its limit fails in time, and the others do not notice."""
    monkeypatch.setattr(lookout, "STAY", stay)
    monkeypatch.setattr("pyronb.net.stream.STAY", stay)
    with far(4) as other:
        took = []

        def call(number):
            begin = time.monotonic()
            with pytest.raises(TimeoutError):
                other.streams[number].exchange(b"slow", 0.2)
            took.append(time.monotonic() - begin)
            other.streams[number].close()

        in_threads(3, call)()
        assert min(took) >= 0.19
        assert other.streams[3].exchange(b"hello", None) == b"hello"
        eventually(at_rest)


def test_closed_by_another_thread():
    """Whoever waits hears of it, as without a lookout."""
    with far(4) as other:
        failed = []

        def call(number):
            try:
                other.streams[number].exchange(b"slow", None)
            except CommunicationError as error:
                failed.append(error)

        join = in_threads(4, call)
        eventually(lambda: len(other.kept) == 4)
        for stream in other.streams[:2]:
            stream.shutdown()
        for end in other.ends[2:]:
            end.shutdown(socket.SHUT_RDWR)
        join()
        assert [type(error) for error in failed] == [ConnectionClosedError] * 4
        eventually(at_rest)


def test_a_connection_given_away_is_forgotten():
    """What comes there then is no affair of ours."""
    with far(2) as other:
        barrier = threading.Barrier(2)

        def call(number):
            for _ in range(50):
                barrier.wait(scaled(10))
                other.streams[number].exchange(b"hello", None)

        in_threads(2, call)()
        assert LOOKOUT._seats
        bare = [stream.release()[0] for stream in other.streams]
        assert not LOOKOUT._seats
        for sock in bare:
            sock.close()


def test_the_main_thread_waits_by_itself():
    """Signals interrupt it, and may do so anywhere."""
    with far(3) as other:
        join = in_threads(2, lambda number: other.streams[number].exchange(b"slow", None))
        eventually(lambda: len(other.kept) == 2)
        assert len(LOOKOUT.callers) == 2
        assert other.streams[2].exchange(b"hello", None) == b"hello"
        assert other.streams[2]._seat is None
        other.go_on.set()
        join()


def test_a_descriptor_that_is_used_again():
    """The next connection with it has a seat of its own, whatever became of the last one."""
    for _ in range(5):
        with far(3) as other:

            def call(number, other=other):
                for _ in range(20):
                    assert other.streams[number].exchange(b"hello", 30) == b"hello"

            in_threads(3, call)()


FORKED = """
import os, socket, sys, threading
from pyronb.net import stream
from pyronb.net.lookout import LOOKOUT

stream.FEW = 0

def exchange(times):
    LOOKOUT.helps = True
    ours, theirs = socket.socketpair()
    mine = stream.SocketStream(ours)
    def far():
        while data := theirs.recv(100):
            theirs.send(data)
    def near():
        for _ in range(times):
            assert mine.exchange(b"hello", 10) == b"hello"
        mine.close()
    threads = [threading.Thread(target=target, daemon=True) for target in (far, near)]
    for thread in threads:
        thread.start()
    threads[1].join(10)
    assert not threads[1].is_alive()
    theirs.close()

exchange(3)
LOOKOUT._lock.acquire()
LOOKOUT.callers.append(None)
if os.fork() == 0:
    exchange(3)
    assert not LOOKOUT.callers
    print("served", flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_forked_process():
    """The child begins anew, whatever was going on in its parent."""
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=scaled(30), check=False)
    assert done.stdout == "served\n", done.stderr
