"""SocketStream: bytes over a connected socket, with deadlines.

This, `net/ready.py` and `net/aiostream.py` are where an `OSError` becomes one of our exceptions, by one function.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import math
import os
import socket
import struct
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from pyronb.errors import CommunicationError, ConnectionClosedError, TimeoutError
from pyronb.net.back import take
from pyronb.net.deadline import after, remaining
from pyronb.net.sockets import addresses, tune
from pyronb.options import TLSOptions
from pyronb.uri import URI
from pyronb.wire.message import Buffer

__all__ = [
    "FIRST_ATTEMPT",
    "SocketStream",
    "check_given",
    "check_tls",
    "dial",
    "given",
    "server_session",
    "stream_over",
    "translated",
]

_SMALL = 64 * 1024
_LARGE = 1024 * 1024
_MOST_BUFFERS = 64
_NEAR = 1 << 27
"""Bytes that a peer nearby takes in a second, at least."""
FIRST_ATTEMPT = 0.01
"""Seconds for connecting, even when the deadline has passed."""

# What a socket raises when a time-out is over: the second one where the system itself keeps the time.
_NOT_IN_TIME = (builtins.TimeoutError, BlockingIOError)
_TIMEVAL = struct.Struct("@ll")
_POSIX = os.name == "posix"
_LINUX = sys.platform == "linux"
_WAIT_FOR_ALL = socket.MSG_WAITALL if _POSIX else 0
"""Receives a large message with few calls; a time-out gives what has come until then."""
_AT_ONCE = getattr(socket, "MSG_DONTWAIT", 0)
"""Has sending fail rather than wait. A small message never waits, so it needs no time-out set."""
_RECEIVING, _SENDING = socket.SO_RCVTIMEO, socket.SO_SNDTIMEO
_MICRO = 1_000_000
_LONGEST = 1e8
"""Most seconds of a time-out; the system's own may overflow beyond it."""


def _set_timeout(sock: socket.socket, option: int, limit: float | None) -> None:
    """Set how long receiving or sending may take; None for no limit.

    The system's own time-outs spare the `poll` before each operation that Python's have.
    """
    if not _POSIX:
        sock.settimeout(limit)
        return
    # Zero means no limit there; a time that is over is as short as can be.
    micros = 0 if limit is None else max(1, int(min(limit, _LONGEST) * _MICRO))
    sock.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(*divmod(micros, _MICRO)))


def translated(doing: str, error: Exception) -> CommunicationError:
    """Give the exception of ours that says what a foreign one means."""
    if isinstance(error, _NOT_IN_TIME):
        return TimeoutError(f"{doing}: no answer in time")
    # A ValueError comes from a host name or path that the system would not even look at.
    return ConnectionClosedError(f"{doing}: {getattr(error, 'strerror', None) or error}")


def dial(
    place: URI,
    deadline: float | None,
    *,
    nodelay: bool = True,
    ip_version: int = 0,
    tls: TLSOptions | None = None,
) -> SocketStream:
    """Connect to the place that a direct URI names.

    Args:
        place: a PYRO address.
        deadline: moment at which the connection must be there; None waits as long as the system does.
        nodelay: whether small messages leave at once.
        ip_version: 4 or 6 to try these addresses first where a host has both; 0 for the system's order.
        tls: how to talk over TLS; None talks without.

    Raises:
        ConnectionClosedError: nobody answers there.
        TimeoutError: the deadline passed.
        CommunicationError: the certificate over there or here is not trusted, or only one side talks TLS.
        PyroError: the options for TLS cannot be used.
    """
    # A zero time-out would mean "do not block"; a deadline that has passed still gives a first attempt its chance.
    limit = remaining(deadline)
    limit = limit if limit is None else max(limit, FIRST_ATTEMPT)
    if place.back is not None:
        return stream_over(*take(place.back, deadline).release())
    try:
        sock = _connected(place, limit, nodelay, ip_version)
    except (OSError, ValueError) as error:
        raise translated(_connecting(place), error) from error
    if tls is None:
        return SocketStream(sock)
    try:
        # A Unix socket has no host of its own: its daemon is on this one.
        stream: SocketStream = _tls().connected(sock, tls, place.host or "localhost", deadline)
    except CommunicationError as error:
        sock.close()
        raise type(error)(f"{_connecting(place)}: {error}") from error
    except ValueError as error:  # a name that can be in no certificate
        sock.close()
        raise translated(_connecting(place), error) from error
    except BaseException:
        sock.close()
        raise
    return stream


def _connecting(place: URI) -> str:
    return f"cannot connect to {place}"


def server_session(tls: TLSOptions | None) -> Any:
    """Begin a TLS session with a client that a daemon accepted: its handshake happens inside receiving.

    Raises:
        PyroError: the options for TLS cannot be used.
    """
    return None if tls is None else _tls().server_session(tls)


def stream_over(sock: socket.socket, session: Any, *, stall: float | None = None) -> SocketStream:
    """Give a stream over a connected socket, and over the TLS session on it, if there is one."""
    kind: Any = SocketStream if session is None else partial(_tls().TLSStream, session=session)
    stream: SocketStream = kind(sock, stall=stall)
    return stream


def check_tls(tls: TLSOptions | None) -> None:
    """Make sure that a daemon can talk as these options say.

    Raises:
        PyroError: they cannot be used; the message names the file and the item of the configuration.
    """
    if tls is not None:
        _tls().server_context(tls)


def check_given(sock: socket.socket, tls: TLSOptions | None) -> socket.socket:
    """Make sure that a daemon can serve a socket that the user connected, and give it.

    Raises:
        OSError: it is not connected.
        ValueError: TLS is on, and this is no TLS socket.
    """
    try:
        sock.getpeername()
    except OSError as error:
        raise type(error)(error.errno, f"the given socket is not connected: {error.strerror}") from error
    if tls is not None and not _is_tls(sock):
        raise ValueError("SSL is on, and the given socket is no TLS socket; wrap it first, or switch SSL off")
    return sock


def _is_tls(sock: socket.socket) -> bool:
    # Only the sockets of `ssl` have certificates.
    return hasattr(sock, "getpeercert")


def given(sock: socket.socket, *, stall: float | None = None) -> SocketStream:
    """Give the stream of a socket that the user connected, over TLS or not; closing the stream leaves it open."""
    kind: type[SocketStream] = _tls().GivenTLSStream if _is_tls(sock) else SocketStream
    return kind(sock, stall=stall, keep_open=True)


def _tls() -> Any:
    return importlib.import_module("pyronb.net.tls")


def _connected(place: URI, limit: float | None, nodelay: bool, ip_version: int) -> socket.socket:
    if place.sockname is not None:
        return _connected_to(socket.AF_UNIX, place.sockname, limit)
    until = None if limit is None else after(limit)
    failed: OSError | None = None
    for family, address in addresses(place.host or "localhost", place.port or 0, ip_version):
        try:
            sock = _connected_to(family, address, limit)
        except OSError as error:
            failed = failed or error
            left = remaining(until)
            limit = left if left is None else max(left, FIRST_ATTEMPT)
        else:
            tune(sock, nodelay, family)
            return sock
    raise failed or OSError("no address is known for that host")


def _connected_to(family: socket.AddressFamily, address: Any, limit: float | None) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if _LINUX and family == socket.AF_INET and address[0].startswith("127."):
            # On this machine it is done at once, or refused; the wait that Python's own time-outs begin costs more.
            _set_timeout(sock, _SENDING, limit)
        else:
            sock.settimeout(limit)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


class SocketStream:
    """A connected stream socket.

    Not for several threads at once, except that `close` and `shutdown` may come from any thread.

    Args:
        sock: the socket, which the stream takes over.
        stall: seconds without any progress after which a peer that does not read is given up; None waits for ever.
        keep_open: the socket is somebody else's: closing the stream leaves it open.
    """

    __slots__ = ("_keep_open", "_limits", "_stall", "_timeout", "_unsent", "closed", "socket")

    _two_limits = _POSIX
    """Whether each direction has a time-out of its own; where both share one, it is set anew each time."""

    def __init__(self, sock: socket.socket, *, stall: float | None = None, keep_open: bool = False) -> None:
        self.socket = sock
        self._stall = stall
        self._keep_open = keep_open
        self._unsent: Sequence[memoryview] = ()
        self.closed = False
        self._timeout = sock.gettimeout()
        if self._timeout is not None:
            sock.settimeout(None)
        # What the time-outs are set to, to spare the calls that set them again.
        # That of sending may be what connecting took; it counts from the first time that sending has to wait.
        self._limits: dict[int, float | None] = {_SENDING: math.nan}
        if not self._two_limits:
            self._limits[_RECEIVING] = math.nan

    def _set_limit(self, option: int, limit: float | None) -> None:
        if limit != self._limits.get(option):
            _set_timeout(self.socket, option, limit)
            self._limits[option] = limit if self._two_limits else math.nan

    def receive(self, deadline: float | None = None, *, missing: int = 0) -> bytes:
        """Wait for bytes and give what is there.

        Args:
            deadline: moment at which something must be there.
            missing: bytes that are known to come, which makes large messages arrive in large pieces.

        Raises:
            ConnectionClosedError: the peer closed the connection, or it broke.
            TimeoutError: the deadline passed.
        """
        try:
            self._set_limit(_RECEIVING, remaining(deadline))
            data = self.socket.recv(min(max(missing, _SMALL), _LARGE))
        except OSError as error:
            raise translated("receiving", error) from error
        if not data:
            raise ConnectionClosedError("receiving: the peer closed the connection")
        return data

    def receive_into(self, memory: memoryview, deadline: float | None) -> int:
        """Wait for bytes, put what is there into this memory, and tell how many they are; raises as `receive`."""
        try:
            self._set_limit(_RECEIVING, remaining(deadline))
            count = self.socket.recv_into(memory, 0, _WAIT_FOR_ALL)
        except OSError as error:
            raise translated("receiving", error) from error
        if not count:
            raise ConnectionClosedError("receiving: the peer closed the connection")
        return count

    def exchange(self, message: bytes, limit: float | None) -> bytes:
        """Send a small message and give what arrives next, with the same limit, in seconds, each time.

        Raises:
            ConnectionClosedError: the connection is gone.
            TimeoutError: one of the two took longer than the limit.
        """
        # As below, without a further frame in the usual case.
        doing = "sending"
        try:
            if not self._two_limits:
                self._send_rest([message], 0, None if limit is None else after(limit))
            else:
                try:
                    sent = self.socket.send(message, _AT_ONCE)
                except BlockingIOError:
                    sent = 0
                if sent != len(message):
                    self._send_rest([message], sent, None if limit is None else after(limit))
            doing = "receiving"
            if self._limits.get(_RECEIVING) != limit:
                self._set_limit(_RECEIVING, limit)
            data = self.socket.recv(_SMALL)
        except OSError as error:
            raise translated(doing, error) from error
        if not data:
            raise ConnectionClosedError("receiving: the peer closed the connection")
        return data

    def receive_within(self, seconds: float, *, missing: int = 0) -> bytes | None:
        """Wait a moment for bytes; None when none came.

        Raises:
            ConnectionClosedError: the peer closed the connection, or it broke.
        """
        # Unlike a deadline, the same time-out each time need not be set each time.
        try:
            if self._limits.get(_RECEIVING) != seconds:
                self._set_limit(_RECEIVING, seconds)
            data = self.socket.recv(_SMALL if missing <= _SMALL else min(missing, _LARGE))
        except _NOT_IN_TIME:
            return None
        except OSError as error:
            raise translated("receiving", error) from error
        if not data:
            raise ConnectionClosedError("receiving: the peer closed the connection")
        return data

    def exchange_within(self, message: Buffer, seconds: float) -> bytes | None:
        """Send a small message and wait a moment for what arrives next.

        Returns:
            It; None when nothing came, or when the message did not go out at once and `send_within` has to go on.

        Raises:
            ConnectionClosedError: the connection is gone.
        """
        # As `send_small` and `receive_within`, without their frames.
        doing = "sending"
        try:
            sent = 0
            if self._two_limits and not self._unsent:
                try:
                    sent = self.socket.send(message, _AT_ONCE)
                except BlockingIOError:
                    sent = 0
            if sent != len(message):
                self._unsent = (*self._unsent, memoryview(message)[sent:])
                return None
            doing = "receiving"
            if self._limits.get(_RECEIVING) != seconds:
                self._set_limit(_RECEIVING, seconds)
            data = self.socket.recv(_SMALL)
        except _NOT_IN_TIME:
            return None
        except OSError as error:
            raise translated(doing, error) from error
        if not data:
            raise ConnectionClosedError("receiving: the peer closed the connection")
        return data

    def receive_into_within(self, seconds: float, memory: memoryview) -> int | None:
        """Wait a moment for bytes, put what came into this memory, and tell how many; None when none came.

        Raises:
            ConnectionClosedError: the peer closed the connection, or it broke.
        """
        try:
            if self._limits.get(_RECEIVING) != seconds:
                self._set_limit(_RECEIVING, seconds)
            count = self.socket.recv_into(memory, 0, _WAIT_FOR_ALL)
        except _NOT_IN_TIME:
            return None
        except OSError as error:
            raise translated("receiving", error) from error
        if not count:
            raise ConnectionClosedError("receiving: the peer closed the connection")
        return count

    def send(self, buffers: Sequence[Buffer], deadline: float | None = None) -> None:
        """Send buffers one after the other, as one write where the system allows.

        Raises:
            ConnectionClosedError: the connection is gone.
            TimeoutError: the deadline passed, or the peer did not read anything for too long.
        """
        try:
            sent = self._send_at_once(buffers[0]) if len(buffers) == 1 else 0
            if len(buffers) != 1 or sent != len(buffers[0]):
                self._send_rest(buffers, sent, deadline)
        except OSError as error:
            raise translated("sending", error) from error

    def _send_at_once(self, buffer: Buffer) -> int:
        """Send as much of a buffer as the system takes without waiting, and tell how many bytes that is."""
        if not self._two_limits:
            return 0
        try:
            return self.socket.send(buffer, _AT_ONCE)
        except BlockingIOError:
            return 0

    def _send_rest(self, buffers: Sequence[Buffer], sent: int, deadline: float | None) -> None:
        views = [memoryview(buffer).cast("B") for buffer in buffers if len(buffer)]
        while True:
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if not views:
                return
            views[0] = views[0][sent:]
            limit = remaining(deadline)
            self._set_limit(_SENDING, self._stall if limit is None else limit)
            sent = self._send_some(views)

    def send_small(self, message: Buffer) -> bool:
        """Send a small message, which mostly takes no waiting; False when `send_within` has to go on.

        Raises:
            ConnectionClosedError: the connection is gone.
        """
        sent = 0
        if self._two_limits and not self._unsent:
            try:
                sent = self.socket.send(message, _AT_ONCE)
            except BlockingIOError:
                pass
            except OSError as error:
                raise translated("sending", error) from error
            if sent == len(message):
                return True
        self._unsent = (*self._unsent, memoryview(message)[sent:])
        return False

    @property
    def unfinished(self) -> bool:
        """Whether `send_within` has to go on."""
        return bool(self._unsent)

    def send_within(self, seconds: float, buffers: Sequence[Buffer] = ()) -> bool:
        """Send buffers for a moment, or, without any, go on with what is unsent; False when something is left.

        Many bytes are given the time that they take where both ends are near, as long as some go all the time: what is
        left is copied.

        Raises:
            ConnectionClosedError: the connection is gone.
        """
        views: list[memoryview] = []
        sent = 0
        try:
            if len(buffers) == 1 and not self._unsent:
                # The usual case: a small answer to a client that waits for it.
                sent = self._send_at_once(buffers[0])
                if sent == len(buffers[0]):
                    return True
            if self._limits.get(_SENDING) != seconds:
                self._set_limit(_SENDING, seconds)
            views = [*self._unsent, *(memoryview(buffer).cast("B") for buffer in buffers if len(buffer))]
            until = after(seconds + sum(map(len, views)) / _NEAR if seconds else 0)
            tried = False
            while True:
                while views and sent >= len(views[0]):
                    sent -= len(views.pop(0))
                if not views:
                    break
                views[0] = views[0][sent:]
                # What the system takes at once goes out even where there is no time at all.
                if tried and not remaining(until):
                    break
                tried = True
                sent = self._send_some(views)
        except _NOT_IN_TIME:
            pass
        except OSError as error:
            raise translated("sending", error) from error
        # Whoever owns a buffer may write to it before the rest of it is sent.
        self._unsent = tuple(view if view.readonly else memoryview(bytes(view)) for view in views)
        return not views

    # What `ssl` does in another way.

    direct = True
    """Whether `receive_into`, `receive_into_within` and `exchange_within` may be used."""

    def _send_some(self, views: Sequence[memoryview]) -> int:
        return self.socket.sendmsg(views[:_MOST_BUFFERS])

    @property
    def readable(self) -> bool:
        """Whether receiving would not have to wait: something has arrived, or nothing more will."""
        if not _AT_ONCE:
            return True
        try:
            self.socket.recv(1, socket.MSG_PEEK | _AT_ONCE)
        except BlockingIOError:
            return False
        except OSError:
            pass  # Receiving tells what it is.
        return True

    @property
    def pending(self) -> bool:
        """Whether bytes were received that `receive` has not given yet, of which no selector tells; only over TLS."""
        return False

    def getpeercert(self) -> dict[str, Any] | None:
        """Give the peer's certificate as a map, as ``ssl`` makes it; None when it showed none, or without TLS."""
        return None

    @property
    def local_address(self) -> Any:
        """The address of this end, in the form that its kind of network gives it; None when it was closed."""
        try:
            return self.socket.getsockname()
        except OSError:
            return None

    def fileno(self) -> int:
        """Give the file descriptor, for selectors."""
        return self.socket.fileno()

    def release(self) -> tuple[socket.socket, Any]:
        """Give the connection away: the socket, and the TLS session over it, or None. The stream is closed by that."""
        for option in (_RECEIVING, _SENDING):
            self._set_limit(option, None)
        self.closed = True
        return self.socket, None

    def shutdown(self) -> None:
        """End the connection so that whoever waits on it, in any thread, wakes up; if the socket is ours."""
        if self._keep_open:
            return
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def finish_sending(self) -> None:
        """Tell the peer that nothing more comes, while it may still be sending."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket, if it is ours; closing again does nothing."""
        if not self.closed:
            self.closed = True
            if self._keep_open:
                self._give_back()
            else:
                self.socket.close()

    def _give_back(self) -> None:
        """Leave no time-outs behind on a socket of somebody else, who may have closed it already."""
        with contextlib.suppress(OSError):
            for option in self._limits:
                self._set_limit(option, None)
            self.socket.settimeout(self._timeout)

    def __del__(self) -> None:
        """Give the descriptor back when a proxy was dropped without being released."""
        self.close()
