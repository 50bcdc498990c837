"""TIME: timeouts and retries."""

from __future__ import annotations

import inspect
import socket
import threading
import time

import pytest

import pyronb
from tests.chapter.conftest import serving
from tests.support.waiting import eventually, scaled


@pyronb.expose
class Slow:
    """Answers when it is allowed to."""

    def __init__(self, patience=0):
        self.go = threading.Event()
        self.calls = 0
        self.patience = patience
        self.order = []

    def wait(self):
        self.calls += 1
        if self.calls > self.patience:
            self.go.wait(scaled(20))
        return self.calls

    def fail_until(self, attempt):
        self.calls += 1
        if self.calls < attempt:
            self.go.wait(scaled(20))
        return self.calls

    def soon(self):
        time.sleep(0.3)
        return "soon"

    @pyronb.oneway
    def slow_oneway(self):
        self.order.append("oneway begins")
        self.go.wait(scaled(20))

    def quick(self):
        self.order.append("quick")
        return "quick"


@pytest.fixture
def slow(serve):
    """Give the object itself and its address."""
    here = Slow()
    yield here, serve(slow=here).uriFor("slow")
    here.go.set()


def test_s85_waits_for_ever_by_default(slow):
    """There is no limit unless one is set."""
    _, uri = slow

    assert 0 == pyronb.config.COMMTIMEOUT
    with pyronb.Proxy(uri) as p:
        assert p._pyroTimeout is None
        assert "soon" == p.soon()


def test_s86_for_all_proxies(slow):
    """COMMTIMEOUT limits the calls of all proxies that are made from then on."""
    _, uri = slow
    pyronb.config.COMMTIMEOUT = 0.1
    with pyronb.Proxy(uri) as p:
        assert 0.1 == p._pyroTimeout
        with pytest.raises(pyronb.errors.TimeoutError):
            p.wait()


def test_s86_also_for_connecting():
    """A server that does not answer the greeting is given up in that time, and so is a name server."""
    pyronb.config.COMMTIMEOUT = 0.1
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pyronb.config.NS_PORT = silent.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(pyronb.errors.TimeoutError):
            pyronb.Proxy(f"PYRO:object@127.0.0.1:{pyronb.config.NS_PORT}")._pyroBind()
        with pytest.raises(pyronb.errors.NamingError):
            pyronb.locateNS(broadcast=False)

        assert time.monotonic() - began < 8


def test_s87_for_one_proxy(slow):
    """It can be set, changed and taken back while it is connected; others are not concerned."""
    here, uri = slow
    with pyronb.Proxy(uri) as p, pyronb.Proxy(uri) as other:
        assert "quick" == p.quick()
        p._pyroTimeout = scaled(0.5)
        with pytest.raises(pyronb.errors.TimeoutError):
            p.wait()
        assert "quick" == p.quick()
        assert other._pyroTimeout is None
        assert "soon" == other.soon()
        p._pyroTimeout = None
        here.go.set()
        assert "soon" == p.soon()


@pytest.mark.parametrize("threaded", [True, False])
def test_s88_oneway_threaded(threaded):
    """In a thread of its own a slow oneway call holds nobody up; without, later calls of that client wait for it."""
    assert pyronb.config.ONEWAY_THREADED
    pyronb.config.ONEWAY_THREADED = threaded
    here = Slow()
    with serving(slow=here) as daemon, pyronb.Proxy(daemon.uriFor("slow")) as p:
        p.slow_oneway()
        eventually(lambda: here.order)
        call = pyronb.Future(p.quick)()
        if threaded:
            assert "quick" == call.value
        else:
            assert not call.wait(0.2)
            with pyronb.Proxy(daemon.uriFor("slow")) as other:
                assert "quick" == other.quick()
        here.go.set()
        assert "quick" == call.value


def test_s89_retries_after_a_timeout(slow):
    """MAX_RETRIES says how often the call is made again before the exception is raised."""
    here, uri = slow
    pyronb.config.MAX_RETRIES, pyronb.config.COMMTIMEOUT = 2, scaled(0.4)
    with pyronb.Proxy(uri) as p:
        assert 3 == p.fail_until(3)
        here.calls = 0
        with pytest.raises(pyronb.errors.TimeoutError):
            p.fail_until(10)

    assert 3 == eventually(lambda: here.calls if here.calls >= 3 else 0)


@pytest.mark.parametrize("retries", [0, 1])
def test_s89_retries_after_a_lost_connection(free_port, retries):
    """A server that went away and came back is called again; without retries the exception is raised."""
    pyronb.config.MAX_RETRIES = retries
    p = pyronb.Proxy(f"PYRO:slow@127.0.0.1:{free_port}")
    for again in (False, True):
        with serving(port=free_port, slow=Slow()):
            if again and not retries:
                with pytest.raises(pyronb.errors.ConnectionClosedError):
                    p.quick()
            assert "quick" == p.quick()
    p._pyroRelease()


def test_s90_for_one_proxy(slow):
    """A proxy may have a number of its own."""
    here, uri = slow
    with pyronb.Proxy(uri) as p:
        assert 0 == p._pyroMaxRetries
        p._pyroTimeout, p._pyroMaxRetries = scaled(0.4), 1
        assert 2 == p.fail_until(2)
        here.calls = 0
        with pytest.raises(pyronb.errors.TimeoutError):
            p.fail_until(3)


def test_s91_the_method_runs_again(slow):
    """A call that timed out may have run: with retries it runs again, of which the documentation warns."""
    here, uri = slow
    with pyronb.Proxy(uri) as p:
        p._pyroTimeout, p._pyroMaxRetries = 0.2, 3
        with pytest.raises(pyronb.errors.TimeoutError):
            p.wait()

    assert 4 == eventually(lambda: here.calls if here.calls >= 4 else 0)
    assert "runs again" in inspect.getdoc(pyronb.Proxy._pyroMaxRetries)
