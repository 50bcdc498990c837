"""COMMTIMEOUT on the server's side: what it ends, and what it leaves alone. With each engine, with and without TLS."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time

import pytest

from pyronb.config import config
from pyronb.net.tls import client_context
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from pyronb.sync.proxy import Proxy
from tests.support.serving import LOCAL, RawClient, connect, looping, serving
from tests.support.waiting import eventually, scaled

pytestmark = pytest.mark.usefixtures("engine")

LIMIT = scaled(0.7)


@expose
class Thing:
    def echo(self, value):
        return value

    def large(self, size):
        return "x" * size


@pytest.fixture(params=["plain", "TLS"])
def tls(request, certificates):
    """Give the options of a daemon and of its clients: with TLS, and without."""
    if request.param == "plain":
        return {}, {}
    return {"tls": certificates.daemon()}, {"tls": certificates.client()}


@contextlib.contextmanager
def raw(daemon, options):
    """Give a client of raw bytes, over TLS where the options say so."""
    with RawClient(daemon.locationStr) as client:
        if options:
            context = client_context(options["tls"])
            client.socket = context.wrap_socket(client.socket, server_hostname=LOCAL, suppress_ragged_eofs=True)
        yield client


def hung_up(client):
    """Tell that the daemon hung up: nothing more comes, or a reset does."""
    try:
        while client.socket.recv(1 << 20):
            pass
    except (ConnectionError, ssl.SSLError):
        return True
    except TimeoutError:
        return False
    return True


def test_silence_in_a_message(tls):
    """It ends that connection only; who is silent between calls is left alone."""
    with serving(timeout=LIMIT, **tls[0]) as daemon:
        uri = daemon.register(Thing(), "thing")
        with connect(uri, **tls[1]) as idle, raw(daemon, tls[1]) as client:
            assert 1 == idle.echo(1)
            client.greet("thing")
            client.send(client.request("thing", "echo", 1)[:-3])
            assert hung_up(client)
            stream = idle._pyro.stream
            assert 2 == idle.echo(2)
            assert stream is idle._pyro.stream


def test_answer_that_is_not_read(tls):
    """Its connection ends when nothing of it was read for so long, and others are served meanwhile."""
    with serving(timeout=LIMIT, **tls[0]) as daemon:
        uri = daemon.register(Thing(), "thing")
        with connect(uri, **tls[1]) as proxy, raw(daemon, tls[1]) as deaf:
            deaf.greet("thing")
            deaf.send(deaf.request("thing", "large", 30_000_000))
            assert 1 == proxy.echo(1)
            eventually(lambda: daemon._engine.clients == 1, 10)
            assert 2 == proxy.echo(2)


def test_answer_that_is_read_slowly(tls):
    """It arrives as a whole, though that takes longer than the limit."""
    size, step = 20_000_000, 800_000
    with serving(timeout=LIMIT, **tls[0]) as daemon, raw(daemon, tls[1]) as slow:
        daemon.register(Thing(), "thing")
        slow.greet("thing")
        slow.send(slow.request("thing", "large", size))
        began = time.monotonic()
        for _ in range(0, size, step):
            slow.exactly(step)
            if time.monotonic() - began < 2 * LIMIT:
                time.sleep(LIMIT / 10)  # this is the slowness

        assert time.monotonic() - began > 2 * LIMIT


def test_long_call(tls):
    """A call may run for longer than the limit: nobody waits for the client meanwhile."""

    @expose
    class Patient:
        def wait(self):
            go.wait(scaled(10))
            return "done"

    go = threading.Event()
    timer = threading.Timer(LIMIT * 2, go.set)
    timer.start()
    with serving(timeout=LIMIT, **tls[0]) as daemon, connect(daemon.register(Patient()), **tls[1]) as proxy:
        assert "done" == proxy.wait()
    timer.join()


def test_configuration(monkeypatch):
    """COMMTIMEOUT holds for daemons that are made while it is set."""
    monkeypatch.setitem(config._values, "COMMTIMEOUT", LIMIT)
    monkeypatch.setitem(config._values, "POLLTIMEOUT", 0.05)
    with looping(Daemon(LOCAL)) as daemon:
        uri = daemon.register(Thing(), "thing")
        with RawClient(daemon.locationStr) as client, Proxy(uri) as proxy:
            client.greet("thing")
            client.send(client.request("thing", "echo", 1)[:-3])
            assert b"" == client.rest()
            assert 1 == proxy.echo(1)
