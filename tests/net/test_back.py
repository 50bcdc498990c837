"""The lot of connections that wait: who gets which, how many there may be, and when they are noticed to be gone."""

from __future__ import annotations

import secrets
import socket
import threading

import pytest

from pyronb.errors import CommunicationError, ConnectionClosedError
from pyronb.net import back
from pyronb.net.deadline import after
from pyronb.net.stream import SocketStream
from tests.support.waiting import scaled


@pytest.fixture
def keeper():
    """Give something that keeps connections, as a daemon does."""
    made = object()
    back.begin(made)
    yield made
    back.end(made)
    assert not back.waiting()


@pytest.fixture
def key():
    return secrets.token_hex(16)


@pytest.fixture
def pair():
    """Make pairs of streams; both ends are closed in the end."""
    made = []

    def make():
        ends = [SocketStream(sock) for sock in socket.socketpair()]
        made.extend(ends)
        return ends

    yield make
    for stream in made:
        stream.close()


def test_the_oldest_first(keeper, key, pair):
    """Who asks gets the connection that has waited longest; one that is taken waits no more."""
    (first, _), (second, _) = pair(), pair()
    back.park(key, first, "host", keeper)
    back.park(key, second, "host", keeper)

    assert 2 == back.waiting()
    assert first is back.take(key, after(1))
    assert second is back.take(key, None)
    assert 0 == back.waiting()


def test_who_waits_gets_the_next(keeper, key, pair):
    """Those who ask before there is one get those that come, in their order; who has given up gets none."""
    impatient, patient = back.ask(key), back.ask(key)
    assert impatient.cancel()
    stream, _ = pair()
    back.park(key, stream, "host", keeper)

    assert stream is patient.result(scaled(5))
    assert 0 == back.waiting()


def test_other_keys(keeper, key, pair):
    """A connection is given to nobody who asks with another key."""
    stream, _ = pair()
    back.park(key, stream, "host", keeper)
    with pytest.raises(ConnectionClosedError, match="made no connection"):
        back.take(secrets.token_hex(16), after(0.01))
    assert 1 == back.waiting()


def test_limits(keeper, key, pair, monkeypatch):
    """Of one key, of one host, and in all: what is too much is closed."""
    for name, same_key, same_host in (("_MOST_OF_KEY", 1, 0), ("_MOST_OF_HOST", 0, 1), ("_MOST", 0, 0)):
        with monkeypatch.context() as patch:
            patch.setattr(back, name, 2)
            streams = [pair()[0] for _ in range(3)]
            for number, stream in enumerate(streams):
                mine = key if same_key else secrets.token_hex(16)
                back.park(mine, stream, "host" if same_host else f"host {number}", keeper)
            assert [False, False, True] == [stream.closed for stream in streams]
            with pytest.raises(CommunicationError, match="wait already"):
                back.room_for(key, "host" if same_host else "another", keeper)
            back.end(keeper)
            back.begin(keeper)


def test_dead_ones(keeper, key, pair):
    """One whose other end is gone, or has spoken, is given to nobody, and is closed with the next look."""
    (gone, other), (spoke, speaker), (fine, _) = pair(), pair(), pair()
    for stream in (gone, spoke, fine):
        back.park(key, stream, "host", keeper)
    other.close()
    speaker.send([b"x"])

    assert fine is back.take(key, after(1))
    assert gone.closed
    assert spoke.closed
    back.park(key, gone := pair()[0], "host", keeper)
    gone.shutdown()
    back.sweep(object())
    assert not gone.closed
    back.sweep(keeper)
    assert gone.closed
    with pytest.raises(ConnectionClosedError, match="has gone"):
        back.take(key, after(60))


def test_the_end_of_a_keeper(keeper, key, pair):
    """What waits there is closed, and who still waits for one is told at once."""
    stream, _ = pair()
    back.park(key, stream, "host", keeper)
    assert stream is back.take(key, None)
    waiting = back.ask(key)
    back.park(other := secrets.token_hex(16), left := pair()[0], "host", keeper)
    back.begin(later := object())
    back.end(keeper)

    assert left.closed
    assert isinstance(waiting.exception(scaled(5)), ConnectionClosedError)
    late, _ = pair()
    back.park(other, late, "host", keeper)
    assert late.closed
    back.end(later)


def test_nobody_keeps_any(key):
    """In a program without daemons nothing can come."""
    with pytest.raises(ConnectionClosedError, match="only the program that it was passed to"):
        back.take(key, after(60))


def test_own_keys(keeper, key, pair):
    """A program's own key leads back to itself, as long as it is one."""
    stream, _ = pair()
    back.be_own(key, lambda: stream)

    assert back.is_own(key)
    assert stream is back.take(key, None)
    back.be_own(key, None)
    assert not back.is_own(key)
    with pytest.raises(ConnectionClosedError, match="has gone"):
        back.take(key, after(60))


def test_help(keeper, key, pair):
    """A thread whose loop would take the connection in is helped by that loop, and no other thread is."""
    stream, _ = pair()
    threads = []

    def take_in(done, until):
        threads.append(threading.current_thread())
        back.park(key, stream, "host", keeper)
        assert done()

    back.HELP.loop = take_in
    try:
        assert stream is back.take(key, after(scaled(5)))
        with pytest.raises(ConnectionClosedError):
            raise_in_a_thread(lambda: back.take(secrets.token_hex(16), after(0.01)))
    finally:
        back.HELP.loop = None
    assert [threading.current_thread()] == threads


def raise_in_a_thread(function):
    """Run a function in another thread, and raise what it raises."""
    errors = []

    def run():
        try:
            function()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(scaled(10))
    raise errors[0]
