"""SHAR: proxy sharing."""

from __future__ import annotations

import copy
import threading

import pytest

import pyronb
from tests.support.waiting import eventually, scaled


@pyronb.expose
class Room:
    """Counts who is in it at the same time."""

    def __init__(self):
        self.inside = self.most = 0
        self.go = threading.Event()
        self.lock = threading.Lock()

    def enter(self, value):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.go.wait(scaled(20))
        with self.lock:
            self.inside -= 1
        return value

    def caller(self):
        return list(pyronb.current_context.client_sock_addr)


@pytest.fixture
def room(serve):
    """Give the object itself and a proxy for it."""
    here = Room()
    with pyronb.Proxy(serve(room=here).uriFor("room")) as proxy:
        yield here, proxy
        here.go.set()


def test_s97_one_call_at_a_time(room):
    """Threads can share a proxy: each gets its own answer, and only one is inside."""
    here, p = room
    calls = [pyronb.Future(p.enter)(number) for number in range(5)]
    eventually(lambda: here.inside)
    here.go.set()

    assert list(range(5)) == [call.value for call in calls]
    assert 1 == here.most


def test_s98_separate_proxies_run_in_parallel(room):
    """Sharing one does not."""
    here, p = room
    first, second = pyronb.Future(p.enter)(1), pyronb.Future(p.enter)(2)
    eventually(lambda: here.inside)
    assert not second.wait(0.1)
    assert 1 == here.inside
    with copy.copy(p) as own:
        third = pyronb.Future(own.enter)(3)
        eventually(lambda: here.inside == 2)
        here.go.set()

        assert [1, 2, 3] == [call.value for call in (first, second, third)]


def test_s99_copy(room):
    """A copy has the settings, and a connection of its own."""
    _, p = room
    p._pyroTimeout = scaled(15)
    with copy.copy(p) as other:
        assert (p, p._pyroTimeout) == (other, other._pyroTimeout)
        assert p.caller() != other.caller()


def test_s100_new_proxy_from_the_uri(room):
    """It is independent of the old one."""
    _, p = room
    with pyronb.Proxy(p._pyroUri) as other:
        assert p.caller() != other.caller()


def test_s101_made_in_the_thread(room):
    """A thread that is given the address makes its own."""
    here, p = room
    here.go.set()

    def work(uri):
        with pyronb.Proxy(uri) as own:
            return own.enter("from a thread")

    assert "from a thread" == pyronb.Future(work)(p._pyroUri).value
