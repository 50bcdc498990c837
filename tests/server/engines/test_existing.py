"""Daemons on a socket that somebody else connected."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import CommunicationError, ConnectionClosedError
from pyronb.net.tls import client_context, server_context
from pyronb.options import DaemonOptions
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from pyronb.sync.proxy import Proxy
from tests.support.serving import LOCAL, client_options
from tests.support.waiting import scaled

OPTIONS = DaemonOptions(poll_timeout=0.05)


@expose
class Thing:
    def echo(self, value):
        return value

    def count(self, to):
        yield from range(to)

    def fail(self):
        raise ValueError("no")


@contextlib.contextmanager
def serving_on(sock, **options):
    """Serve a thing on a connected socket until the block ends; give its daemon and the thread of its loop."""
    with Daemon(connected_socket=sock, options=OPTIONS, **options) as daemon:
        daemon.register(Thing(), "thing")
        thread = threading.Thread(target=daemon.requestLoop)
        thread.start()
        yield daemon, thread
    thread.join(scaled(5))
    assert not thread.is_alive()


@pytest.fixture
def pair():
    """Give two sockets that are connected to each other."""
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def connected(sock, **changes):
    """Give a proxy for the thing over a connected socket."""
    return Proxy("thing", connected_socket=sock, options=client_options(**changes))


@pytest.mark.parametrize("dialect", [PYRO5, PYRO4], ids=str)
def test_calls(pair, dialect):
    """They need no handshake, in either protocol; the sockets belong to whoever made them."""
    pair[0].settimeout(7)
    pair[1].settimeout(8)
    with serving_on(pair[0]) as (daemon, _):
        proxy = connected(pair[1], protocol=dialect.version)
        assert "PYRO:thing@<<connected-socket>>:0" == str(proxy._pyroUri)
        assert {"echo", "count", "fail"} == proxy._pyroMethods
        assert "x" * 100_000 == proxy.echo("x" * 100_000)
        assert [0, 1, 2] == list(proxy.count(3))
        with pytest.raises(ValueError, match="no"):
            proxy.fail()
        assert proxy._pyroPing() >= 0
        assert "./u:<<not-bound>>" == daemon.locationStr
        assert "existing" in daemon._info()
        assert pair[0] is daemon.sock
        proxy._pyroRelease()
        with pytest.raises(ConnectionClosedError, match="given is no longer in use"):
            proxy.echo(1)

    assert (7, 8) == (pair[0].gettimeout(), pair[1].gettimeout())
    pair[0].sendall(b"still open")
    assert b"still open" == pair[1].recv(100)


def test_new_proxy_on_the_same_socket(pair):
    """A socket that a proxy was released from can be given to another one."""
    with serving_on(pair[0]):
        for number in range(3):
            with connected(pair[1]) as proxy:
                assert number == proxy.echo(number)


def test_the_loop_ends_with_the_connection(pair):
    """Nobody else will ever come."""
    with serving_on(pair[0]) as (_, thread):
        with connected(pair[1]) as proxy:
            assert 1 == proxy.echo(1)
        pair[1].close()
        thread.join(scaled(5))

        assert not thread.is_alive()
        assert pair[0].fileno() >= 0


def test_garbage(pair):
    """It ends the conversation, and the other end is told that nothing more comes."""
    with serving_on(pair[0]):
        pair[1].sendall(b"garbage garbage garbage garbage garbage garbage")
        pair[1].settimeout(scaled(5))

        assert b"" == pair[1].recv(100)


def test_tcp():
    """A socket with an address is told by it."""
    with socket.create_server((LOCAL, 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours = listener.accept()[0]
    with ours, theirs, serving_on(ours) as (daemon, _), connected(theirs) as proxy:
        assert 1 == proxy.echo(1)
        assert f"{LOCAL}:{ours.getsockname()[1]}" == daemon.locationStr


def test_tls(pair, certificates):
    """A TLS socket of `ssl` can be given on both ends, with certificates to look at."""
    made = []
    accept = threading.Thread(
        target=lambda: made.append(
            server_context(certificates.daemon(require_client=True)).wrap_socket(pair[0], server_side=True)
        )
    )
    accept.start()
    tls = certificates.client(certificate=certificates.file("client"))
    theirs = client_context(tls).wrap_socket(pair[1], server_hostname="localhost")
    accept.join()
    with made[0] as ours, theirs, serving_on(ours) as (daemon, _), connected(theirs) as proxy:
        assert "x" * 100_000 == proxy.echo("x" * 100_000)
        (client,) = daemon._engine._clients
        assert (("email", "client@example.org"),) == client.conversation.caller.getpeercert()["subjectAltName"]


def test_senseless_arguments(pair, certificates, tmp_path):
    """Each is an error that says what is wrong."""
    with socket.socket() as unconnected, pytest.raises(OSError, match="the given socket is not connected"):
        Daemon(connected_socket=unconnected, options=OPTIONS)
    with pytest.raises(ValueError, match="unixsocket together with connected_socket"):
        Daemon(unixsocket=str(tmp_path / "x"), connected_socket=pair[0], options=OPTIONS)
    with pytest.raises(ValueError, match="cannot use nathost"):
        Daemon(nathost="x", connected_socket=pair[0], options=OPTIONS)
    with pytest.raises(ValueError, match="SSL is on, and the given socket is no TLS socket"):
        Daemon(connected_socket=pair[0], options=DaemonOptions(tls=certificates.daemon()))


def test_other_end_is_gone(pair):
    """A proxy says so at once."""
    pair[0].close()
    with pytest.raises(CommunicationError):
        connected(pair[1])
