"""Where daemons listen, what address they tell others, and what is at their own id."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pyronb.config import config
from pyronb.core import DaemonObject
from pyronb.errors import DaemonError
from pyronb.options import DaemonOptions
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from tests.net.test_sockets import needs_ipv6
from tests.support.serving import LOCAL, connect, looping, serving

OPTIONS = DaemonOptions(poll_timeout=0.05)


@expose
class Thing:
    def echo(self, value):
        return value

    def itself(self):
        return self


# Behind address translation


def test_nat():
    """Others are told the outer address, unless one asks for the inner one."""
    with Daemon(LOCAL, nathost="outside.example", natport=4444, options=OPTIONS) as daemon:
        thing = Thing()

        assert "PYRO:thing@outside.example:4444" == str(daemon.register(thing, "thing"))
        assert "outside.example:4444" == daemon.natLocationStr
        assert f"PYRO:thing@{daemon.locationStr}" == str(daemon.uriFor(thing, nat=False))
        assert "PYRO:other@outside.example:4444" == str(daemon.uriFor("other"))
        assert "outside.example" == daemon.proxyFor(thing)._pyroUri.host
        assert LOCAL == daemon.proxyFor(thing, nat=False)._pyroUri.host
        assert f"bound on {daemon.locationStr}, NAT outside.example:4444, 2 objects" in daemon._info()


def test_nat_port_zero():
    """It stands for the daemon's own port, and an IPv6 address is told in brackets."""
    with Daemon(LOCAL, nathost="2001:db8::1", natport=0, options=OPTIONS) as daemon:
        port = daemon.locationStr.rpartition(":")[2]

        assert f"[2001:db8::1]:{port}" == daemon.natLocationStr
        assert "2001:db8::1" == daemon.uriFor("x").host


def test_nat_by_configuration(monkeypatch):
    """NATHOST and NATPORT hold for daemons with a host; a Unix socket has no address that could be translated."""
    monkeypatch.setitem(config._values, "NATHOST", "outside.example")
    monkeypatch.setitem(config._values, "NATPORT", 5)
    with Daemon(LOCAL) as daemon, Daemon(LOCAL, nathost="another.example") as other:
        assert "outside.example:5" == daemon.natLocationStr
        assert "another.example:5" == other.natLocationStr


def test_nat_objects_travel_with_the_outer_address():
    """A registered object in a result is a proxy that others can reach."""
    with (
        looping(Daemon(LOCAL, nathost="localhost", natport=0, options=OPTIONS)) as daemon,
        connect(daemon.register(Thing(), "thing")) as proxy,
        proxy.itself() as same,
    ):
        assert "localhost" == same._pyroUri.host
        assert 1 == same.echo(1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"natport": 5}, "must provide natport with nathost"),
        ({"nathost": "a", "natport": 65536}, "natport=65536 is out of range"),
        ({"nathost": "a", "natport": -1}, "natport=-1 is out of range"),
        ({"nathost": "a", "unixsocket": "x"}, "cannot use nathost and natport together with unixsocket"),
    ],
)
def test_nat_that_makes_no_sense(words, says):
    """It is an error before anything is listened on."""
    with pytest.raises(ValueError, match=says):
        Daemon(LOCAL, options=OPTIONS, **words)


# Unix sockets


def test_unixsocket(tmp_path):
    """It can be called there; the file is gone with the daemon."""
    path = tmp_path / "daemon.sock"
    with serving(unixsocket=str(path)) as daemon:
        assert f"./u:{path}" == daemon.locationStr
        with connect(daemon.register(Thing(), "thing")) as proxy:
            assert 1 == proxy.echo(1)

    assert not path.exists()


def test_stale_unixsocket(tmp_path):
    """The file of a daemon that died is taken over, that of one that lives is not; nor is any other file."""
    path = tmp_path / "daemon.sock"
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(path))
    dead.close()
    with serving(unixsocket=str(path)) as daemon, connect(daemon.register(Thing(), "thing")) as proxy:
        assert 1 == proxy.echo(1)
        with pytest.raises(OSError, match=f"cannot listen on {path}"):
            Daemon(unixsocket=str(path), options=OPTIONS)
        assert 2 == proxy.echo(2)
    path.write_text("not a socket")
    with pytest.raises(OSError, match="cannot listen on"):
        Daemon(unixsocket=str(path), options=OPTIONS)

    assert "not a socket" == path.read_text()


def test_unixsocket_of_another_daemon(tmp_path):
    """A daemon whose file was taken away does not take away that of its successor."""
    path = tmp_path / "daemon.sock"
    with Daemon(unixsocket=str(path), options=OPTIONS) as first:
        path.unlink()
        with serving(unixsocket=str(path)) as daemon:
            first.close()
            with connect(daemon.register(Thing(), "thing")) as proxy:
                assert 1 == proxy.echo(1)

    assert not path.exists()


@pytest.mark.skipif(not Path("/proc/net/unix").exists(), reason="only Linux has Unix sockets without a file")
def test_abstract_unixsocket():
    """A name that begins with a null byte is in no folder, and works as any other."""
    name = f"\0pyronb-test-{os.getpid()}"
    with serving(unixsocket=name) as daemon, connect(daemon.register(Thing(), "thing")) as proxy:
        assert 1 == proxy.echo(1)
        assert f"./u:{name}" == daemon.locationStr


# IPv6


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6(host):
    """The address is told in brackets, and clients get there."""
    with looping(Daemon(host, options=OPTIONS)) as daemon:
        assert daemon.locationStr.startswith("[")
        with connect(daemon.register(Thing(), "thing")) as proxy:
            assert 1 == proxy.echo(1)


@needs_ipv6
def test_ipv6_by_preference():
    """ "Every address" is every IPv6 address then; a client that would rather have IPv4 still gets there."""
    with looping(Daemon("", options=DaemonOptions(poll_timeout=0.05, ip_version=6))) as daemon:
        uri = daemon.register(Thing(), "thing")
        assert ":" in uri.host
        with connect(uri, ip_version=4) as proxy:
            assert 1 == proxy.echo(1)


def test_port_in_use():
    """Two daemons cannot have one port, whether or not it may be taken again after a restart."""
    with Daemon(LOCAL, options=OPTIONS) as daemon:
        port = daemon.uriFor("x").port
        for reuse in (True, False):
            with pytest.raises(OSError, match=f"cannot listen on {LOCAL}:{port}"):
                Daemon(LOCAL, port, options=DaemonOptions(reuse_address=reuse))


# The daemon's own object


@expose
class Talkative(DaemonObject):
    """A daemon that tells more of itself."""

    def how_many(self):
        return len(self.daemon.objectsById)


def test_interface():
    """Another class can be at the daemon's own id; what a daemon must offer, it still does."""
    with looping(Daemon(LOCAL, interface=Talkative, options=OPTIONS)) as daemon:
        daemon.register(Thing(), "thing")
        with connect(f"PYRO:Pyro.Daemon@{daemon.locationStr}") as proxy:
            assert 2 == proxy.how_many()
            assert {"thing", "Pyro.Daemon"} == set(proxy.registered())
            assert "2 objects registered" in proxy.info()


def test_interface_that_cannot_be_made():
    """Its error is told, and nothing is left behind."""

    def fail(daemon):
        raise DaemonError("not today")

    with pytest.raises(DaemonError, match="not today"):
        Daemon(LOCAL, interface=fail, options=OPTIONS)
