"""Daemons, proxies and name servers that talk TLS, by options and by configuration."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

import pytest

from pyronb.config import config
from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import CommunicationError, NamingError, ProtocolError, PyroError, SecurityError
from pyronb.nameserver.start import startNS
from pyronb.options import DaemonOptions, TLSOptions
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose, oneway
from pyronb.sync.batch import BatchProxy
from pyronb.sync.lookup import locateNS
from pyronb.sync.proxy import Proxy
from tests.support.fix_certs import yesterday
from tests.support.serving import LOCAL, RawClient, client_options, connect, looping, serving
from tests.support.waiting import eventually, scaled

pytestmark = pytest.mark.usefixtures("engine")

DIALECTS = pytest.mark.parametrize("dialect", [PYRO5, PYRO4], ids=str)


@expose
class Thing:
    def __init__(self):
        self.fired = []

    def echo(self, value):
        return value

    def count(self, to):
        yield from range(to)

    @oneway
    def fire(self, value):
        self.fired.append(value)

    def fail(self):
        raise ValueError("no")


class Doorkeeper(Daemon):
    """Takes only who shows a certificate of a friend, and keeps all certificates that were shown."""

    shown = ()

    def validateHandshake(self, conn, data):
        certificate = conn.getpeercert()
        self.shown = (*self.shown, certificate)
        if certificate is None or ("email", "client@example.org") not in certificate["subjectAltName"]:
            raise SecurityError("only friends come in")
        return "welcome"


@DIALECTS
def test_calls(certificates, dialect):
    """All kinds of calls come through, small and large."""
    with serving(tls=certificates.daemon()) as daemon:
        thing = Thing()
        uri = daemon.register(thing, "thing")
        with connect(uri, tls=certificates.client(), protocol=dialect.version) as proxy:
            assert dialect is proxy._pyro.dialect
            for size in (0, 1, 20_000, 3_000_000):
                assert "x" * size == proxy.echo("x" * size)
            assert list(range(5)) == list(proxy.count(5))
            with pytest.raises(ValueError, match="no"):
                proxy.fail()
            proxy.fire(1)
            batch = BatchProxy(proxy._pyro)
            batch.echo(1)
            batch.echo(2)
            assert [1, 2] == list(batch())
            assert proxy._pyroPing() >= 0
            eventually(lambda: thing.fired == [1])
            proxy._pyroRelease()
            assert 7 == proxy.echo(7)


def test_many_clients(certificates):
    """They all are served, and those that rest are found again when they call."""
    with serving(tls=certificates.daemon(), workers=2) as daemon, contextlib.ExitStack() as stack:
        uri = daemon.register(Thing(), "thing")
        proxies = [stack.enter_context(connect(uri, tls=certificates.client())) for _ in range(12)]
        for round_ in range(3):
            for number, proxy in enumerate(proxies):
                assert (round_, number) == tuple(proxy.echo([round_, number]))


def test_certificates_at_the_door(certificates):
    """`validateHandshake` looks at the client's certificate, and may refuse it for any reason."""
    friend = certificates.client(certificate=certificates.file("client"))
    other = certificates.client(certificate=certificates.issue("other", "other@example.org"))
    with serving(Doorkeeper, tls=certificates.daemon(require_client=True)) as daemon:
        uri = daemon.register(Thing(), "thing")
        with connect(uri, tls=friend) as proxy:
            assert 1 == proxy.echo(1)
        with pytest.raises(CommunicationError, match="only friends come in"):
            connect(uri, tls=other)
        with pytest.raises(CommunicationError, match="takes only clients that show a certificate"):
            connect(uri, tls=certificates.client())

        assert ["client@example.org", "other@example.org"] == [shown["subjectAltName"][0][1] for shown in daemon.shown]


def test_no_certificate_at_the_door(certificates):
    """Where none is asked for, and without TLS, there is none to look at."""
    for options, tls in (({"tls": certificates.daemon()}, certificates.client()), ({}, None)):
        with serving(Doorkeeper, **options) as daemon:
            uri = daemon.register(Thing(), "thing")
            with pytest.raises(CommunicationError, match="only friends come in"):
                connect(uri, tls=tls)
            assert (None,) == daemon.shown


@DIALECTS
def test_plain_client(certificates, dialect):
    """It reads at once that this daemon talks TLS, and no call of it is looked at."""
    with serving(Doorkeeper, tls=certificates.daemon()) as daemon:
        uri = daemon.register(Thing(), "thing")
        began = time.monotonic()
        with pytest.raises(CommunicationError, match=r"rejected: this daemon talks TLS only; switch it on with SSL"):
            connect(uri, protocol=dialect.version)

        assert time.monotonic() - began < scaled(5)
        assert () == daemon.shown
        with RawClient(daemon.locationStr) as client:
            client.send(client.greeting("thing") + client.request("thing", "echo", 1))
            assert b"talks TLS only" in client.rest()


def test_client_of_a_plain_daemon(certificates):
    """It hears at once that the daemon does not talk TLS."""
    with serving() as daemon:
        uri = daemon.register(Thing(), "thing")
        began = time.monotonic()
        with pytest.raises(ProtocolError, match="the daemon does not talk TLS; switch SSL off here"):
            connect(uri, tls=certificates.client())

        assert time.monotonic() - began < scaled(5)


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
def test_silent_in_the_middle_of_the_handshake(certificates, sent):
    """Nobody waits for such a client, and it is let go when its time is up."""
    tls = certificates.client()
    with serving(tls=certificates.daemon(), workers=2, handshake_timeout=scaled(3)) as daemon:
        uri = daemon.register(Thing(), "thing")
        host, _, port = daemon.locationStr.partition(":")
        with contextlib.ExitStack() as stack:
            silent = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(5)]
            for sock in silent:
                sock.sendall(sent)
            began = time.monotonic()
            with connect(uri, tls=tls) as proxy:
                assert 1 == proxy.echo(1)
            assert time.monotonic() - began < scaled(2.8)
            for sock in silent:
                sock.settimeout(scaled(10))
                assert b"" == sock.recv(100)


def test_expired_certificate(certificates):
    """The client says what is wrong with whose certificate, and where."""
    file = certificates.issue("expired", "localhost", LOCAL, not_after=yesterday())
    with serving(tls=certificates.daemon(certificate=file)) as daemon:
        uri = daemon.register(Thing(), "thing")
        with pytest.raises(CommunicationError, match=f"cannot connect to {uri}: the daemon's certificate has expired"):
            connect(uri, tls=certificates.client())


def test_unixsocket(certificates, tmp_path):
    """The daemon on a Unix socket is on this machine, and its certificate has to say so."""
    path = str(tmp_path / "daemon")
    with (
        serving(unixsocket=path, tls=certificates.daemon()) as daemon,
        connect(daemon.register(Thing(), "thing"), tls=certificates.client()) as proxy,
    ):
        assert 1 == proxy.echo(1)


def test_daemon_that_cannot_talk(certificates, tmp_path):
    """Its files are looked at before anything is listened on."""
    path = tmp_path / "daemon"
    with pytest.raises(PyroError, match=r"cannot read .*SSL_SERVERCERT"):
        Daemon(unixsocket=str(path), options=DaemonOptions(tls=TLSOptions(certificate=str(tmp_path / "none"))))

    assert not path.exists()


def test_certificate_that_goes_missing(certificates):
    """New clients are turned away, who is connected is served on, and all is well once it is back."""
    file = certificates.issue("moving", "localhost", LOCAL)
    with serving(tls=certificates.daemon(certificate=file)) as daemon:
        uri = daemon.register(Thing(), "thing")
        with connect(uri, tls=certificates.client()) as proxy:
            Path(file).write_text("nothing", encoding="utf-8")
            with pytest.raises(CommunicationError):
                connect(uri, tls=certificates.client())
            assert 1 == proxy.echo(1)
        certificates.issue("moving", "localhost", LOCAL)
        with connect(uri, tls=certificates.client()) as proxy:
            assert 2 == proxy.echo(2)


@pytest.fixture
def switched_on(certificates, monkeypatch):
    """Switch mutual TLS on in the configuration."""
    items = {
        "SSL": True,
        "SSL_SERVERCERT": certificates.file("daemon"),
        "SSL_REQUIRECLIENTCERT": True,
        "SSL_CLIENTCERT": certificates.file("client"),
        "SSL_CACERTS": certificates.file("authority"),
        "POLLTIMEOUT": 0.05,
    }
    for name, value in items.items():
        monkeypatch.setitem(config._values, name, value)


@pytest.mark.usefixtures("switched_on")
def test_configuration(monkeypatch):
    """SSL holds for daemons, proxies and name servers alike."""
    with looping(startNS(LOCAL, 0).daemon) as names, looping(Daemon(LOCAL)) as daemon:
        monkeypatch.setitem(config._values, "NS_HOST", LOCAL)
        monkeypatch.setitem(config._values, "NS_PORT", names.uri.port)
        with locateNS() as server:
            server.register("thing", daemon.register(Thing(), "thing"))
        with Proxy("PYRONAME:thing") as proxy:
            assert 1 == proxy.echo(1)
            assert proxy._pyro.stream.getpeercert()["subjectAltName"]
        with pytest.raises(NamingError, match="this daemon talks TLS only"):
            locateNS(LOCAL, names.uri.port, options=client_options())


def test_pyro_local_socket(certificates):
    """A proxy tells its own end of the connection, as long as there is one."""
    for tls, options in ((None, {}), (certificates.client(), {"tls": certificates.daemon()})):
        with serving(**options) as daemon:
            uri = daemon.register(Thing(), "thing")
            proxy = Proxy(uri, options=client_options(tls=tls))
            assert proxy._pyroLocalSocket is None
            proxy._pyroBind()
            host, port = proxy._pyroLocalSocket
            assert (LOCAL, True) == (host, port != uri.port)
            proxy._pyroRelease()
            assert proxy._pyroLocalSocket is None
