"""ReadyStream: bytes over a connected socket for a loop that serves many: nothing here ever waits."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any

from pyronb.errors import CommunicationError, ConnectionClosedError
from pyronb.net.stream import _LARGE, _MOST_BUFFERS, _SMALL, SocketStream, translated
from pyronb.wire.message import Buffer

__all__ = ["ReadyStream"]


class ReadyStream(SocketStream):
    """A connected stream socket that does not block; what the system does not take at once is kept until `flush`.

    Over TLS the handshake happens inside its receiving.

    Args:
        sock: the socket, which the stream takes over.
        session: the TLS session over it; None for a connection without TLS.
    """

    __slots__ = ("_out", "_session", "unsent")

    def __init__(self, sock: socket.socket, session: Any = None) -> None:
        super().__init__(sock)
        sock.setblocking(False)
        self._session = session
        # Made when it is needed: an idle client has no use for it.
        self._out: deque[memoryview] | None = None
        self.unsent = 0
        """Bytes that were said and wait until the peer reads."""

    def receive_now(self, *, missing: int = 0) -> bytes | None:
        """Give the bytes that are there; None when there are none yet.

        Args:
            missing: bytes that are known to come, which makes large messages arrive in large pieces.

        Raises:
            ConnectionClosedError: the peer closed the connection, or it broke.
            CommunicationError: over TLS, the peer cannot be talked to.
        """
        try:
            data = self.socket.recv(min(max(missing, _SMALL), _LARGE))
        except BlockingIOError:
            return None
        except OSError as error:
            raise translated("receiving", error) from error
        if not data:
            raise ConnectionClosedError("receiving: the peer closed the connection")
        return data if self._session is None else self._decrypted(data)

    def _decrypted(self, data: bytes) -> bytes | None:
        session = self._session
        try:
            plain: bytes = session.feed(data)
        except CommunicationError:
            # It may still hear why, and did not have to.
            with contextlib.suppress(CommunicationError):
                self._put(session.outgoing())
            raise
        self._put(session.outgoing())
        if session.ended and not plain:
            raise ConnectionClosedError("receiving: the peer closed the connection")
        return plain or None

    def say(self, buffers: Sequence[Buffer]) -> None:
        """Send buffers one after the other, after what is unsent.

        Raises:
            ConnectionClosedError: the connection is gone.
        """
        self._put(*(buffers if self._session is None else self._session.encrypt(buffers)))

    def _put(self, *buffers: Buffer) -> None:
        views = [memoryview(buffer).cast("B") for buffer in buffers if len(buffer)]
        if self._out is None:
            # The usual case: a small answer to a client that waits for it.
            if len(views) == 1:
                sent = self._send_now(views)
                views = [views[0][sent:]] if sent < len(views[0]) else []
            if not views:
                return
            self._out = deque()
        self._out.extend(views)
        self.unsent += sum(map(len, views))
        self.flush()
        if self._out is not None:
            # Whoever owns a buffer may write to it before the rest of it is sent.
            self._out = deque(view if view.readonly else memoryview(bytes(view)) for view in self._out)

    def flush(self) -> int:
        """Send as much as the system takes of what is unsent, and give the number of bytes.

        Raises:
            ConnectionClosedError: the connection is gone.
        """
        before, out = self.unsent, self._out
        while out and (sent := self._send_now(list(islice(out, _MOST_BUFFERS)))):
            self.unsent -= sent
            while out and sent >= len(out[0]):
                sent -= len(out.popleft())
            if sent:
                out[0] = out[0][sent:]
        if not out:
            self._out = None
        return before - self.unsent

    def _send_now(self, views: list[memoryview]) -> int:
        try:
            return self.socket.send(views[0]) if len(views) == 1 else self.socket.sendmsg(views)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise translated("sending", error) from error

    def finish_sending(self) -> None:
        """Tell the peer that nothing more comes, while it may still be sending; what is unsent is lost."""
        if self._session is not None:
            self._session.finish()
            with contextlib.suppress(CommunicationError):
                self._put(self._session.outgoing())
        super().finish_sending()

    def release(self) -> tuple[socket.socket, Any]:
        """Give the connection away; as for `SocketStream`. Nothing may be unsent."""
        return super().release()[0], self._session

    def getpeercert(self) -> dict[str, Any] | None:
        """Give the peer's certificate as a map, as ``ssl`` makes it; None when it showed none, or without TLS."""
        certificate: dict[str, Any] | None = None if self._session is None else self._session.getpeercert()
        return certificate
