"""Broadcasts: a question to all who listen on a port of the local network. (Wire specification, section 22.)"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from typing import TypeVar

from pyronb.net.deadline import after, remaining

__all__ = ["MOST", "ask", "broadcaster", "listen_for_broadcasts", "send"]

T = TypeVar("T")

log = logging.getLogger("pyronb.net")

MOST = 2048
"""Bytes of an answer that are looked at."""


def ask(
    question: bytes,
    addresses: Sequence[str],
    port: int,
    accept: Callable[[bytes], T | None],
    *,
    rounds: int,
    patience: float,
    deadline: float | None = None,
) -> T | None:
    """Send a datagram to all these addresses and give the first answer that is of use; None when none came.

    Args:
        question: the datagram.
        addresses: where to; ``<broadcast>`` is everybody on the local network. Those that cannot be reached are left
            out.
        port: the port there.
        accept: makes something of an answer; None when it is of no use, for anybody can send anything.
        rounds: how often to ask.
        patience: seconds to wait for answers each time.
        deadline: moment at which waiting ends in any case.
    """
    with broadcaster() as sock:
        for _ in range(rounds):
            until = after(patience) if deadline is None else min(after(patience), deadline)
            # When nobody can be asked at all, nobody will answer.
            if not send(sock, question, addresses, port):
                return None
            while left := remaining(until):
                answer = _receive(sock, left)
                accepted = None if answer is None else accept(answer)
                if accepted is not None:
                    return accepted
    return None


def broadcaster() -> socket.socket:
    """Make a socket that may send broadcasts."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def send(sock: socket.socket, question: bytes, addresses: Sequence[str], port: int) -> bool:
    """Send a datagram to all addresses that can be reached, and tell whether there were any."""
    sent = False
    for address in addresses:
        try:
            sock.sendto(question, (address, port))
            sent = True
        except (OSError, ValueError, TypeError, OverflowError) as error:
            log.debug("cannot broadcast to %s:%s: %s", address, port, error)
    return sent


def _receive(sock: socket.socket, limit: float) -> bytes | None:
    sock.settimeout(limit)
    try:
        return sock.recv(MOST)
    except OSError:
        return None  # the time is up, or the system tells that somebody was not there


def listen_for_broadcasts(host: str, port: int, *, reuse_address: bool = True) -> socket.socket:
    """Make a socket that hears broadcasts, which does not block.

    Args:
        host: address to listen on; ``""`` hears those to any.
        port: 0 takes a free one.
        reuse_address: whether several programs on this machine may listen there.

    Raises:
        OSError: the address cannot be had; the text names it.
    """
    sock = broadcaster()
    try:
        if reuse_address:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.setblocking(False)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            where = f"{host or '*'}:{port}"
            raise type(error)(error.errno, f"cannot listen for broadcasts on {where}: {error.strerror}") from error
        raise
    return sock
