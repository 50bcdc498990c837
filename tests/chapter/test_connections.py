"""CONN: proxies, connections, threads and cleaning up."""

from __future__ import annotations

import gc
import threading

import pytest

import pyronb
from tests.support.waiting import eventually, scaled


@pyronb.expose
class Telling:
    """Tells who calls, and in which thread."""

    def __init__(self):
        self.meeting = threading.Barrier(2)

    def caller(self):
        return list(pyronb.current_context.client_sock_addr)

    def thread(self):
        self.meeting.wait(scaled(10))
        return threading.get_ident()

    def fail(self):
        raise ValueError("inside")


class Counting(pyronb.Daemon):
    """Knows how many clients there are."""

    def __init__(self, **options):
        self.clients = []
        super().__init__(**options)

    def validateHandshake(self, conn, data):
        self.clients.append(conn)
        return super().validateHandshake(conn, data)

    def clientDisconnect(self, conn):
        self.clients.remove(conn)


@pytest.fixture
def daemon(serve):
    """Give one that counts, with something to call."""
    return serve(Counting, telling=Telling())


def test_s45_each_proxy_has_its_connection(daemon):
    """Two proxies for one object are two clients."""
    with pyronb.Proxy(daemon.uriFor("telling")) as one, pyronb.Proxy(daemon.uriFor("telling")) as other:
        assert one.caller() != other.caller()
        assert one.caller() == one.caller()
        assert 2 == len(daemon.clients)


def in_threads(*works):
    """Do these at the same time, and give their results in order."""
    results = [None] * len(works)

    def do(number, work):
        results[number] = work()

    threads = [threading.Thread(target=do, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(20))
    return results


def test_s46_shared_between_threads(daemon):
    """Threads that share a proxy share its connection."""
    with pyronb.Proxy(daemon.uriFor("telling")) as p:
        first, *others = in_threads(p.caller, p.caller, p.caller)

        assert [first, first] == others
        assert first == p.caller()


def test_s47_a_thread_for_each_connection(daemon):
    """Calls over two connections run at the same time, in two threads."""
    with pyronb.Proxy(daemon.uriFor("telling")) as one, pyronb.Proxy(daemon.uriFor("telling")) as other:
        threads = in_threads(one.thread, other.thread)

    assert 2 == len(set(threads))
    assert None not in threads


def test_s48_as_long_as_the_proxy(daemon):
    """The connection stays while the proxy lives, and goes with it."""
    p = pyronb.Proxy(daemon.uriFor("telling"))
    address = p.caller()
    gc.collect()
    assert address == p.caller()
    del p

    eventually(lambda: not daemon.clients)


def test_s49_s51_release(daemon):
    """It closes the connection; the proxy connects again when it is used again."""
    p = pyronb.Proxy(daemon.uriFor("telling"))
    first = p.caller()
    p._pyroRelease()
    eventually(lambda: not daemon.clients)
    second = p.caller()

    assert first != second
    p._pyroRelease()
    p._pyroRelease()


def test_s50_with_statement(daemon):
    """Leaving the block releases it, also by an error."""
    with pyronb.Proxy(daemon.uriFor("telling")) as p:
        p.caller()
        assert 1 == len(daemon.clients)
    eventually(lambda: not daemon.clients)
    with pytest.raises(ValueError, match="inside"), p:
        p.fail()
    eventually(lambda: not daemon.clients)


@pytest.mark.parametrize("use", [pyronb.Proxy._pyroBind, pyronb.Proxy._pyroReconnect, lambda p: p.caller()])
def test_s52_connects_when_it_is_needed(daemon, use):
    """Making a proxy, and looking at it, connects to nobody; the first use does."""
    pyronb.Proxy("PYRO:nobody@nowhere.invalid:1")
    p = pyronb.Proxy(daemon.uriFor("telling"))
    assert "not connected" in repr(p)
    assert p == pyronb.Proxy(daemon.uriFor("telling"))
    assert [] == daemon.clients
    use(p)

    assert 1 == len(daemon.clients)
    p._pyroRelease()


def test_s112_idle_proxies_cost_the_server(daemon):
    """Each holds a connection there until it is released."""
    proxies = [pyronb.Proxy(daemon.uriFor("telling")) for _ in range(5)]
    for p in proxies:
        p._pyroBind()
    assert 5 == len(daemon.clients)
    for p in proxies:
        p._pyroRelease()

    eventually(lambda: not daemon.clients)
