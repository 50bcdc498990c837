"""Kinds of connections with real Pyro5 and Pyro4: TLS, Unix sockets, connected sockets, broadcasts."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from importlib.util import find_spec

import pytest

from pyronb.core import expose
from pyronb.errors import CommunicationError, NamingError, ProtocolError
from pyronb.nameserver.start import startNS
from pyronb.options import LookupOptions
from pyronb.server.daemon import Daemon
from pyronb.sync.lookup import locateNS, resolve
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI
from tests.interop.conftest import ask_real_client, peer
from tests.net.test_sockets import needs_ipv6
from tests.support.serving import LOCAL, client_options, connect, daemon_options, looping, serving
from tests.support.waiting import scaled

SCRIPT = "network.py"
PROTOCOLS = {4: 48, 5: 502}

pytestmark = [
    pytest.mark.skipif(find_spec("Pyro4") is None or find_spec("Pyro5") is None, reason="the real ones are missing"),
    pytest.mark.parametrize("family", PROTOCOLS, ids="Pyro{}".format),
    pytest.mark.usefixtures("no_leaks"),
]


@expose
class Thing:
    def echo(self, value):
        return value

    def certificate(self):
        return shown[-1]


shown = [None]


class Doorkeeper(Daemon):
    """Keeps the certificates that clients show."""

    def validateHandshake(self, conn, data):
        shown.append(repr(conn.getpeercert()))
        return "hello"


@pytest.fixture
def real_tls(certificates):
    """Give the configuration of a real one that talks TLS, mutually."""
    return {
        "SSL": True,
        "SSL_SERVERCERT": certificates.file("daemon"),
        "SSL_CLIENTCERT": certificates.file("client"),
        "SSL_CACERTS": certificates.file("authority"),
        "SSL_REQUIRECLIENTCERT": True,
    }


def real_call(family, **options):
    """Have a real client call, and give what it found or the error that it met."""
    result = ask_real_client({"family": family, "role": "call", **options}, SCRIPT)
    assert result["seconds"] < scaled(20), result
    return result["found"]


@contextlib.contextmanager
def real_daemon(family, pass_fds=(), **options):
    """Give the address of the thing in a real daemon."""
    with peer(SCRIPT, {"family": family, "role": "daemon", **options}, pass_fds) as uri:
        yield uri


def call_all(proxy):
    """Check that calls come through."""
    for size in (0, 10, 100_000):
        assert "x" * size == proxy.echo("x" * size)


# TLS


@pytest.mark.parametrize("mutual", [False, True])
def test_a_real_client_over_tls(family, certificates, real_tls, mutual):
    """It can call, and our daemon sees its certificate when it asks for one."""
    with serving(Doorkeeper, tls=certificates.daemon(require_client=mutual)) as daemon:
        uri = str(daemon.register(Thing(), "thing"))
        found = real_call(family, uri=uri, config=real_tls)

    assert [True, True, True] == found[:3], found
    assert mutual is ("client@example.org" in found[3])


def test_our_client_over_tls(family, certificates, real_tls):
    """It can call a real daemon, which sees its certificate."""
    with real_daemon(family, config=real_tls) as uri:
        tls = certificates.client(certificate=certificates.file("client"))
        with connect(uri, tls=tls) as proxy:
            call_all(proxy)
            assert "client@example.org" in proxy.certificate()
            assert PROTOCOLS[family] == proxy._pyro.dialect.version
            proxy._pyroRelease()
            call_all(proxy)


def test_our_client_without_certificate(family, certificates, real_tls):
    """It is told what a real daemon misses."""
    with (
        real_daemon(family, config=real_tls) as uri,
        pytest.raises(CommunicationError, match="takes only clients that show a certificate; name ours in SSL_CLIENT"),
    ):
        connect(uri, tls=certificates.client())


def test_a_real_client_without_tls(family, certificates):
    """It can read why it is refused."""
    with serving(tls=certificates.daemon()) as daemon:
        found = real_call(family, uri=str(daemon.register(Thing(), "thing")))

    assert "rejected: this daemon talks TLS only" in found


def test_a_real_client_with_tls_on_a_plain_daemon(family, real_tls):
    """It is not left waiting; what it says is said by its own TLS."""
    with serving() as daemon:
        found = real_call(family, uri=str(daemon.register(Thing(), "thing")), config=real_tls)

    assert "CommunicationError" in found
    assert "SSL" in found


def test_our_client_without_tls(family, real_tls):
    """A real daemon hangs up without a word; ours says what that may mean."""
    with real_daemon(family, config=real_tls) as uri, pytest.raises(CommunicationError, match="TLS"):
        connect(uri)


def test_our_client_with_tls_on_a_plain_daemon(family, certificates):
    """It is told at once."""
    with real_daemon(family) as uri:
        began = time.monotonic()
        with pytest.raises(ProtocolError, match="the daemon does not talk TLS"):
            connect(uri, tls=certificates.client())

        assert time.monotonic() - began < scaled(5)


# Unix sockets


def test_a_real_client_on_a_unix_socket(family, tmp_path):
    """It can call."""
    with serving(unixsocket=str(tmp_path / "daemon")) as daemon:
        found = real_call(family, uri=str(daemon.register(Thing(), "thing")))

    assert [True, True, True] == found[:3], found


def test_our_client_on_a_unix_socket(family, tmp_path):
    """It can call a real daemon."""
    with real_daemon(family, unixsocket=str(tmp_path / "daemon")) as uri, connect(uri) as proxy:
        call_all(proxy)


# IPv6


@needs_ipv6
def test_a_real_client_over_ipv6(family):
    """It can call."""
    with looping(Daemon("::1", options=daemon_options())) as daemon:
        found = real_call(family, uri=str(daemon.register(Thing(), "thing")))

    assert [True, True, True] == found[:3], found


@needs_ipv6
def test_our_client_over_ipv6(family):
    """It can call a real daemon."""
    with real_daemon(family, host="::1") as uri, connect(uri) as proxy:
        assert "::1" == proxy._pyroUri.host
        call_all(proxy)


# Connected sockets


def test_a_real_client_on_a_connected_socket(family):
    """It can call without a handshake; our daemon learns from the first bytes what it speaks."""
    ours, theirs = socket.socketpair()
    with ours, theirs, Daemon(connected_socket=ours, options=daemon_options()) as daemon:
        daemon.register(Thing(), "thing")
        with looping(daemon):
            options = {"family": family, "role": "call", "fd": theirs.fileno()}
            with peer(SCRIPT, options, [theirs.fileno()]) as result:
                found = json.loads(result)["found"]

    assert [True, True, True] == found[:3], found


def test_our_client_on_a_connected_socket(family):
    """It can call a real daemon without a handshake, once it was told what that speaks."""
    ours, theirs = socket.socketpair()
    options = client_options(protocol=PROTOCOLS[family])
    with (
        ours,
        theirs,
        real_daemon(family, [theirs.fileno()], fd=theirs.fileno()),
        Proxy("thing", connected_socket=ours, options=options) as proxy,
    ):
        call_all(proxy)
        assert "echo" in proxy._pyroMethods


# Broadcasts


def test_a_real_client_looks_for_our_name_server(family):
    """It hears of it by a broadcast."""
    started = startNS("0.0.0.0", 0, bchost=LOCAL, bcport=0)
    items = {"NS_HOST": "192.0.2.1", "NS_BCPORT": started.broadcast.getPort(), "BROADCAST_ADDRS": LOCAL}
    if family == 5:
        items["BROADCAST_ADDRS"] = [LOCAL]
    with looping(started.daemon) as daemon:
        found = ask_real_client({"family": family, "role": "locate", "config": items}, SCRIPT)

        assert {"uri": f"PYRO:Pyro.NameServer@{LOCAL}:{daemon.uri.port}", "count": 1} == found


def test_our_client_looks_for_a_real_name_server(family):
    """It hears of it by a broadcast, and can ask it at once."""
    with peer(SCRIPT, {"family": family, "role": "ns", "host": "0.0.0.0", "bchost": LOCAL}) as started:
        bcport = json.loads(started)["bcport"]
        lookup = LookupOptions(host="192.0.2.1", port=1, broadcast_addresses=(LOCAL,), broadcast_port=bcport)
        options = client_options(lookup=lookup)
        with locateNS(options=options) as names:
            assert LOCAL == names._pyroUri.host
            assert 1 == names.count()
            names.register("somebody", "PYRO:x@y:1")
        assert URI("PYRO:x@y:1") == resolve("PYRONAME:somebody", options=options)
        with pytest.raises(NamingError):
            locateNS(broadcast=False, options=client_options(lookup=lookup, connect_timeout=scaled(0.5)))
