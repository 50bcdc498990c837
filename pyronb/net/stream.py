"""SocketStream: bytes over a connected socket, with deadlines.

This is the one place where an `OSError` becomes one of our exceptions.
"""

from __future__ import annotations

import builtins
import contextlib
import socket
from collections.abc import Iterator, Sequence

from pyronb.errors import ConnectionClosedError, TimeoutError
from pyronb.net.deadline import after, remaining
from pyronb.uri import URI

__all__ = ["SocketStream", "dial"]

_SMALL = 64 * 1024
_LARGE = 4 * 1024 * 1024
_MOST_BUFFERS = 64


# A socket in time-out mode raises BlockingIOError where its time-out is zero.
_NOT_IN_TIME = (builtins.TimeoutError, BlockingIOError)


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except _NOT_IN_TIME as error:
        raise TimeoutError(f"{doing}: no answer in time") from error
    except OSError as error:
        raise ConnectionClosedError(f"{doing}: {error.strerror or error}") from error


def dial(place: URI, deadline: float | None, *, nodelay: bool = True) -> SocketStream:
    """Connect to the place that a direct URI names.

    Args:
        place: a PYRO address.
        deadline: moment at which the connection must be there; None waits as long as the system does.
        nodelay: whether small messages leave at once.

    Raises:
        ConnectionClosedError: nobody answers there.
        TimeoutError: the deadline passed.
    """
    doing = f"cannot connect to {place}"
    if place.sockname is not None:
        with _translated(doing):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.settimeout(remaining(deadline))
                sock.connect(place.sockname)
            except BaseException:
                sock.close()
                raise
        return SocketStream(sock)
    with _translated(doing):
        # A zero time-out would mean "do not block"; a deadline that has passed still gives a first attempt its chance.
        limit = remaining(deadline)
        sock = socket.create_connection(
            (place.host or "localhost", place.port or 0), limit if limit is None else max(limit, 0.01)
        )
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if nodelay:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return SocketStream(sock)


class SocketStream:
    """A connected stream socket.

    Not for several threads at once, except that `close` and `shutdown` may come from any thread.

    Args:
        sock: the socket, which the stream takes over.
        stall: seconds without any progress after which a peer that does not read is given up; None waits for ever.
    """

    __slots__ = ("_limit", "_stall", "closed", "socket")

    def __init__(self, sock: socket.socket, *, stall: float | None = None) -> None:
        self.socket = sock
        self._stall = stall
        self.closed = False
        self._limit: float | None = -1.0  # what the socket's time-out is set to, to spare the call that sets it again
        self._set_limit(None)

    def _set_limit(self, limit: float | None) -> None:
        if limit != self._limit:
            self.socket.settimeout(limit)
            self._limit = limit

    def receive(self, deadline: float | None = None, *, missing: int = 0) -> bytes:
        """Wait for bytes and give what is there.

        Args:
            deadline: moment at which something must be there.
            missing: bytes that are known to come, which makes large messages arrive in large pieces.

        Raises:
            ConnectionClosedError: the peer closed the connection, or it broke.
            TimeoutError: the deadline passed.
        """
        with _translated("receiving"):
            self._set_limit(remaining(deadline))
            data = self.socket.recv(min(max(missing, _SMALL), _LARGE))
        if not data:
            raise ConnectionClosedError("receiving: the peer closed the connection")
        return data

    def receive_within(self, seconds: float, *, missing: int = 0) -> bytes | None:
        """Wait a moment for bytes; None when none came.

        Raises:
            ConnectionClosedError: the peer closed the connection, or it broke.
        """
        try:
            return self.receive(after(seconds), missing=missing)
        except TimeoutError:
            return None

    def send(self, buffers: Sequence[bytes | bytearray | memoryview], deadline: float | None = None) -> None:
        """Send buffers one after the other, as one write where the system allows.

        Raises:
            ConnectionClosedError: the connection is gone.
            TimeoutError: the deadline passed, or the peer did not read anything for too long.
        """
        with _translated("sending"):
            if len(buffers) == 1:
                sent = self._send_some(buffers[0], deadline)
                if sent == len(buffers[0]):
                    return
                views = [memoryview(buffers[0]).cast("B")[sent:]]
            else:
                views = [memoryview(buffer).cast("B") for buffer in buffers if len(buffer)]
            while views:
                limit = remaining(deadline)
                self._set_limit(self._stall if limit is None else limit)
                sent = self.socket.sendmsg(views[:_MOST_BUFFERS])
                while views and sent >= len(views[0]):
                    sent -= len(views.pop(0))
                if sent:
                    views[0] = views[0][sent:]

    def _send_some(self, buffer: bytes | bytearray | memoryview, deadline: float | None) -> int:
        limit = remaining(deadline)
        self._set_limit(self._stall if limit is None else limit)
        return self.socket.send(buffer)

    def fileno(self) -> int:
        """Give the file descriptor, for selectors."""
        return self.socket.fileno()

    def shutdown(self) -> None:
        """End the connection so that whoever waits on it, in any thread, wakes up."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def finish_sending(self) -> None:
        """Tell the peer that nothing more comes, while it may still be sending."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket; closing again does nothing."""
        if not self.closed:
            self.closed = True
            self.socket.close()

    def __del__(self) -> None:
        """Give the descriptor back when a proxy was dropped without being released."""
        self.close()
