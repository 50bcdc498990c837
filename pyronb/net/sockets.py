"""Listening sockets, and what address to tell others."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Sequence
from typing import Any

from pyronb.uri import MAX_PORT

__all__ = [
    "INHERITED",
    "SocketFile",
    "address_towards",
    "addresses",
    "in_order",
    "keep_alive",
    "listen",
    "location_at",
    "location_of",
    "port_of",
    "tune",
]

INHERITED = sys.platform == "linux"
"""Whether the options that `tune` sets on a listening socket are those of the sockets that it accepts."""
_BACKLOG = 1024
_UNIX = "./u:"
_UNBOUND = "<<not-bound>>"
_IPV6 = 6
_KEEPING = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds of silence before the first question whether the other end is there, between two, and how many there are."""
_ABSTRACT = "\0"
"""Before the name of a Unix socket that is in no folder (Linux)."""
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""What binding gives when the machine does not have that address at all, for example no IPv6."""


def listen(
    host: str, port: int, *, unixsocket: str | None = None, reuse_address: bool = True, ip_version: int = 0
) -> socket.socket:
    """Make a listening socket, which does not block.

    Args:
        host: address to bind to; ``""`` or ``0.0.0.0`` is every IPv4 address of this machine, ``::`` every address.
        port: 0 takes a free one.
        unixsocket: path of a Unix domain socket to listen on instead.
        reuse_address: whether the port can be taken again at once after a restart.
        ip_version: 4 or 6 for names that have both, and for "every address"; 0 for the system's choice.

    Raises:
        OSError: the address cannot be had; the text names it.
    """
    if not 0 <= port <= MAX_PORT:
        # The system's own complaint is an OverflowError that names no address.
        raise OSError(errno.EINVAL, f"cannot listen on {host}:{port}: ports are numbers from 0 to {MAX_PORT}")
    try:
        if unixsocket is not None:
            return _listen_unix(unixsocket)
        return _listen_tcp(host, port, reuse_address, ip_version)
    except OSError as error:
        where = unixsocket if unixsocket is not None else location_at(host, port)
        raise type(error)(error.errno, f"cannot listen on {where}: {error.strerror or error}") from error


def _listen_tcp(host: str, port: int, reuse_address: bool, ip_version: int) -> socket.socket:
    host = host or ("::" if ip_version == _IPV6 else "0.0.0.0")  # noqa: S104 - the user asked for it
    *others, last = addresses(host, port, ip_version)
    for family, address in others:
        try:
            return _listen_at(family, address, reuse_address)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
    return _listen_at(*last, reuse_address)


def _listen_at(family: socket.AddressFamily, address: Any, reuse_address: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    # Elsewhere this option lets several programs have one port.
    if reuse_address and os.name == "posix":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return _listen(sock, address)


def addresses(host: str, port: int, ip_version: int = 0) -> list[tuple[socket.AddressFamily, Any]]:
    """Give the families and addresses of a host, those of the preferred IP version first.

    Raises:
        OSError: the host is not known.
    """
    # What is a number needs no looking up; of IPv6 there are more forms than this.
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        pass
    else:
        return [(socket.AF_INET, (host, port))]
    return in_order(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), ip_version)


def in_order(found: Sequence[tuple[Any, ...]], ip_version: int) -> list[tuple[socket.AddressFamily, Any]]:
    """Give the families and addresses of what `getaddrinfo` found, those of the preferred IP version first."""
    pairs = [(info[0], info[4]) for info in found]
    preferred = {4: socket.AF_INET, _IPV6: socket.AF_INET6}.get(ip_version)
    return sorted(pairs, key=lambda each: each[0] != preferred) if preferred is not None else pairs


def tune(sock: socket.socket, nodelay: bool, family: int | None = None) -> None:
    """Have a TCP socket notice that its peer is gone, and small messages leave at once; of a `family` that is known.

    Raises:
        OSError: the connection is gone already.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if nodelay and (sock.family if family is None else family) != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def keep_alive(sock: socket.socket) -> None:
    """Have a connection that is silent for long stay known to the routers on its way, and noticed when it is dead."""
    if sock.family == socket.AF_UNIX:
        return
    for name, value in _KEEPING.items():
        option = getattr(socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _listen_unix(path: str) -> socket.socket:
    if not path.startswith(_ABSTRACT):
        _remove_stale(path)
    return _listen(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), path)


def _listen(sock: socket.socket, address: Any) -> socket.socket:
    try:
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """Remove the file of a Unix socket on which nobody listens any more."""
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                probe.settimeout(1)
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)
            finally:
                probe.close()


def location_of(sock: socket.socket, host: str | None) -> str:
    """Give the location of a socket of ours as it is written in a URI; `host` is what it was asked to be bound to.

    The host is told as it was asked for, because a name may be good where the number behind it is not; for "every
    address" it is the address of this machine by which others would reach it.
    """
    if sock.family == socket.AF_UNIX:
        return _UNIX + (os.fsdecode(sock.getsockname()) or _UNBOUND)
    if host is None:
        host = str(sock.getsockname()[0])
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = _outward_address(sock.family)
    return location_at(host, port_of(sock))


def port_of(sock: socket.socket) -> int:
    """Give the port that a listening TCP socket is bound to."""
    return int(sock.getsockname()[1])


def location_at(host: str, port: int) -> str:
    """Give a host and a port as they are written in a URI, where an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class SocketFile:
    """The file of a Unix socket that is listened on, which goes with the socket.

    Args:
        path: where it is; one that begins with a null byte is in no folder.
    """

    __slots__ = ("_mark", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._mark = self._look()

    def _look(self) -> tuple[int, ...] | None:
        if self._path.startswith(_ABSTRACT):
            return None
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns

    def remove(self) -> None:
        """Remove it, unless something else is there by now."""
        if self._mark is not None and self._mark == self._look():
            with contextlib.suppress(OSError):
                os.unlink(self._path)


def own_host_for(host: str | None) -> str:
    """Give the address of this machine at which a program on the host with this name can reach it.

    Without a name the program is on this machine; it talks over a Unix domain socket.
    """
    with contextlib.suppress(OSError):
        for family, address in addresses(host or "127.0.0.1", 9):
            with contextlib.suppress(OSError):
                return address_towards(family, address[0])
    return "127.0.0.1"


def _outward_address(family: socket.AddressFamily) -> str:
    """Give the address from which this machine would reach others."""
    try:
        return address_towards(family, "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1")
    except OSError:
        return "::1" if family == socket.AF_INET6 else "127.0.0.1"


def address_towards(family: socket.AddressFamily, address: str) -> str:
    """Give this machine's own address on the way to another one; no packet is sent to find it.

    Raises:
        OSError: there is no way to that address.
    """
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        return str(probe.getsockname()[0])
