"""Listening sockets, and what address is told to others."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from pyronb.net.deadline import after
from pyronb.net.sockets import listen, location_of, own_host_for
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
