"""Listening sockets, and what address to tell others."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import Any

__all__ = ["listen", "location_of"]

_BACKLOG = 1024
_UNIX = "./u:"
_MAX_PORT = 65535


def listen(host: str, port: int, *, unixsocket: str | None = None, reuse_address: bool = True) -> socket.socket:
    """Make a listening socket, which does not block.

    Args:
        host: address to bind to; ``""`` or ``0.0.0.0`` is every IPv4 address of this machine.
        port: 0 takes a free one.
        unixsocket: path of a Unix domain socket to listen on instead.
        reuse_address: whether the port can be taken again at once after a restart.

    Raises:
        OSError: the address cannot be had; the text names it.
    """
    if not 0 <= port <= _MAX_PORT:
        # The system's own complaint is an OverflowError that names no address.
        raise OSError(errno.EINVAL, f"cannot listen on {host}:{port}: ports are numbers from 0 to {_MAX_PORT}")
    try:
        return _listen_unix(unixsocket) if unixsocket is not None else _listen_tcp(host, port, reuse_address)
    except OSError as error:
        where = f"{host}:{port}" if unixsocket is None else unixsocket
        raise type(error)(error.errno, f"cannot listen on {where}: {error.strerror or error}") from error


def _listen_tcp(host: str, port: int, reuse_address: bool) -> socket.socket:
    family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    if host in ("", "0.0.0.0"):  # noqa: S104 - the user asked for it
        family = socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    if reuse_address:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return _listen(sock, (host, port))


def _listen_unix(path: str) -> socket.socket:
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


def location_of(sock: socket.socket, host: str) -> str:
    """Give the location of a listening socket as it is written in a URI.

    The host is told as it was asked for, because a name may be good where the number behind it is not; for "every
    address" it is the address of this machine by which others would reach it.
    """
    if sock.family == socket.AF_UNIX:
        return _UNIX + str(sock.getsockname())
    port = sock.getsockname()[1]
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = _outward_address(sock.family)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _outward_address(family: socket.AddressFamily) -> str:
    """Give the address from which this machine would reach others; no packet is sent to find it."""
    target = ("2001:db8::1", 9) if family == socket.AF_INET6 else ("192.0.2.1", 9)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(target)
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
