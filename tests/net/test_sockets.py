"""Listening sockets, and what address is told to others."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path

import pytest

from pyronb.errors import ConnectionClosedError
from pyronb.net import sockets
from pyronb.net.deadline import after
from pyronb.net.sockets import SocketFile, addresses, in_order, listen, location_of, own_host_for, port_of, tune
from pyronb.net.stream import dial
from pyronb.uri import URI

pytestmark = pytest.mark.usefixtures("no_leaks")


def has_ipv6():
    """Tell whether this machine has an IPv6 loopback."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


def reach(sock, host):
    """Connect to a listening socket under the address that is told to others, and give that address."""
    location = location_of(sock, host)
    stream = dial(URI(f"PYRO:x@{location}"), after(5))
    sock.setblocking(True)
    sock.accept()[0].close()
    stream.close()
    return location


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_free_port(host):
    """Port 0 takes one, which is told together with the host as it was asked for."""
    with listen(host, 0) as sock:
        location = reach(sock, host)

        assert f"{host}:{sock.getsockname()[1]}" == location


@needs_ipv6
def test_ipv6():
    """The address is told in brackets."""
    with listen("::1", 0) as sock:
        assert f"[::1]:{sock.getsockname()[1]}" == reach(sock, "::1")


@pytest.mark.parametrize("host", ["", "0.0.0.0", pytest.param("::", marks=needs_ipv6)])
def test_every_address(host):
    """What is told is an address under which this machine can be reached."""
    with listen(host, 0) as sock:
        location = reach(sock, host)

        assert not location.startswith((":", "0.0.0.0", "[::]"))


def test_does_not_block():
    """Accepting without a client is an error at once."""
    with listen("127.0.0.1", 0) as sock, pytest.raises(BlockingIOError):
        sock.accept()


def test_taken_port():
    """The error is of the system's own class and names the address."""
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1:{port}: Address already in use") as caught:
            listen("127.0.0.1", port)

    assert caught.value.errno is not None


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_address_that_cannot_be_had(host):
    """A name nobody knows, or an address of another machine: the error names it."""
    with pytest.raises(OSError, match=f"cannot listen on {host}:0"):
        listen(host, 0)


def test_same_port_again():
    """A port can be taken again at once after a restart, unless that was switched off."""
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        stream = dial(URI(f"PYRO:x@127.0.0.1:{port}"), after(5))
        sock.setblocking(True)
        # The side that closes first keeps the port busy for a while.
        sock.accept()[0].close()
        stream.close()
    with listen("127.0.0.1", port) as again:
        assert port == again.getsockname()[1]


def test_unix_socket(tmp_path):
    """Its location is its path."""
    path = str(tmp_path / "s")
    with listen("ignored", 0, unixsocket=path) as sock:
        assert f"./u:{path}" == reach(sock, "ignored")


def test_stale_unix_socket(tmp_path):
    """A file that a dead process left behind is replaced."""
    path = str(tmp_path / "s")
    listen("", 0, unixsocket=path).close()
    assert Path(path).exists()
    with listen("", 0, unixsocket=path) as sock:
        assert f"./u:{path}" == reach(sock, "")


def test_unix_socket_in_use(tmp_path):
    """Where somebody listens, nothing is taken away."""
    path = str(tmp_path / "s")
    with listen("", 0, unixsocket=path) as first:
        with pytest.raises(OSError, match=f"cannot listen on {path}"):
            listen("", 0, unixsocket=path)
        first.setblocking(True)
        first.accept()[0].close()  # the second one's look

        assert f"./u:{path}" == reach(first, "")


def test_other_files_are_left_alone(tmp_path):
    """A file that is no socket is no leftover of ours."""
    path = tmp_path / "precious"
    path.write_text("data", encoding="ascii")
    with pytest.raises(OSError, match=f"cannot listen on {path}"):
        listen("", 0, unixsocket=str(path))

    assert "data" == path.read_text(encoding="ascii")


@pytest.mark.parametrize("path", ["x" * 300, "/no/such/folder/s"])
def test_unix_path_that_cannot_be_had(path):
    """The error names it."""
    with pytest.raises(OSError, match=f"cannot listen on {path}"):
        listen("", 0, unixsocket=path)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", None])
def test_address_towards_this_machine(host):
    """It is one at which this machine hears itself."""
    assert own_host_for(host) in {"127.0.0.1", "::1"}


def test_address_towards_nowhere():
    """A name that is not known leaves this machine itself."""
    assert own_host_for("no-such-host.invalid") == "127.0.0.1"


# Names that have addresses of both versions


@pytest.fixture
def both(monkeypatch):
    """Have the host `both.example` stand for the IPv6 and the IPv4 loopback, in this order."""
    real = socket.getaddrinfo

    def look_up(host, port, *args, **kwargs):
        if host != "both.example":
            return real(host, port, *args, **kwargs)
        kind = (socket.SOCK_STREAM, 6, "")
        return [
            (socket.AF_INET6, *kind, ("::1", port, 0, 0)),
            (socket.AF_INET, *kind, ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_numbers_are_not_looked_up(monkeypatch):
    """A plain IPv4 address is what the system would make of it."""
    expected = in_order(socket.getaddrinfo("127.0.0.1", 5, type=socket.SOCK_STREAM), 0)
    monkeypatch.delattr(socket, "getaddrinfo")

    assert expected == addresses("127.0.0.1", 5) == addresses("127.0.0.1", 5, 6)


@pytest.mark.usefixtures("both")
def test_preferred_addresses():
    """Those of the preferred version come first; without a preference the system's order stays."""
    six, four = (socket.AF_INET6, ("::1", 5, 0, 0)), (socket.AF_INET, ("127.0.0.1", 5))

    assert [[six, four], [four, six], [six, four]] == [addresses("both.example", 5, version) for version in (0, 4, 6)]


@needs_ipv6
@pytest.mark.usefixtures("both")
def test_listening_by_preference():
    """A name with both is bound to the preferred one."""
    for version, family in ((0, socket.AF_INET6), (4, socket.AF_INET), (6, socket.AF_INET6)):
        with listen("both.example", 0, ip_version=version) as sock:
            assert family == sock.family


@needs_ipv6
@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("version", [0, 4, 6])
def test_dialling_by_preference(host, version):
    """A daemon is reached under the one address that it has, whichever is tried first."""
    with listen(host, 0) as sock:
        stream = dial(URI(f"PYRO:x@both.example:{port_of(sock)}"), after(5), ip_version=version)
        assert host == stream.local_address[0]
        stream.close()


@needs_ipv6
@pytest.mark.usefixtures("both")
def test_dialling_the_preferred_one():
    """Where both answer, the preferred one is taken."""
    with listen("127.0.0.1", 0) as four, listen("::1", port_of(four)):
        for version, host in ((4, "127.0.0.1"), (6, "::1")):
            stream = dial(URI(f"PYRO:x@both.example:{port_of(four)}"), after(5), ip_version=version)
            assert host == stream.local_address[0]
            stream.close()


@pytest.mark.usefixtures("both")
def test_dialling_nobody():
    """The error is that of the first attempt, and the time limit holds for all of them together."""
    with listen("127.0.0.1", 0) as sock:
        port = port_of(sock)
    with pytest.raises(ConnectionClosedError, match=f"cannot connect to PYRO:x@both.example:{port}"):
        dial(URI(f"PYRO:x@both.example:{port}"), after(5))


@pytest.mark.usefixtures("both")
def test_listening_without_ipv6(monkeypatch):
    """A machine that lacks one version takes the other; a port that is taken is not looked for elsewhere."""
    real = socket.socket.bind

    def bind(sock, address):
        if sock.family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "no such address here")
        return real(sock, address)

    monkeypatch.setattr(sockets.socket, "socket", type("Socket", (socket.socket,), {"bind": bind}))
    with listen("both.example", 0) as sock:
        assert socket.AF_INET == sock.family
        with pytest.raises(OSError, match="Address already in use"):
            listen("both.example", port_of(sock))


# What connected sockets are told


@pytest.mark.parametrize("nodelay", [True, False])
def test_tune(nodelay):
    """A dead peer is noticed; small messages leave at once where that is wanted; Unix sockets have no such thing."""
    with socket.socket() as sock:
        tune(sock, nodelay)

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert nodelay is bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    with socket.socket(socket.AF_UNIX) as sock:
        tune(sock, nodelay)


def test_socket_file(tmp_path):
    """It goes with its socket, but not when something else is there by now."""
    path = str(tmp_path / "s")
    with listen("", 0, unixsocket=path):
        file = SocketFile(path)
    file.remove()
    assert not Path(path).exists()
    Path(path).write_text("other", encoding="ascii")
    file.remove()
    SocketFile(str(tmp_path / "missing")).remove()
    SocketFile("\0abstract").remove()

    assert Path(path).exists()
