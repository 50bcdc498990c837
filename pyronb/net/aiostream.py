"""AsyncStream: bytes over a connected socket, in an event loop.

What arrives is handed to a *receiver* at once. What is sent within one turn of the loop leaves together, and whoever
wants to send while the peer does not read waits in line.

The loop holds the transport, the transport holds the protocol, and neither holds the stream: so a stream that is
dropped closes its connection, as a socket does. And what is still open when its loop shuts down is closed with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from threading import get_ident
from typing import Any, Protocol
from weakref import WeakSet

from pyronb.errors import CommunicationError, ConnectionClosedError, TimeoutError
from pyronb.net.back import PATIENCE, ask, give_up
from pyronb.net.sockets import in_order, tune
from pyronb.net.stream import FIRST_ATTEMPT, translated
from pyronb.net.tls import Session, client_context
from pyronb.options import TLSOptions
from pyronb.uri import URI
from pyronb.wire.message import Buffer

__all__ = ["AsyncStream", "Receiver", "adopt", "dial"]

_SMALL = 64 * 1024
_LARGE = 1024 * 1024
_HELD = 64 * 1024
"""Bytes that are held back for the end of the loop's turn; more than that leaves at once."""
_UNJOINED = 32 * 1024
"""Bytes of a buffer from which on copying it costs more than sending it by itself."""
_OUTSTANDING = 256 * 1024
"""Bytes that the system did not take yet, beyond which nobody may send."""
_LINGER = 2.0
"""Seconds that closing waits for a peer that does not read what was sent."""
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class Receiver(Protocol):
    """Takes what arrives."""

    @property
    def impatient(self) -> bool:
        """Whether the system should acknowledge at once what arrives next.

        A peer that has not switched Nagle's algorithm off waits for that before it sends another small message.
        """

    def received(self, data: bytes) -> int | None:
        """Take bytes; give how many are known to be missing, or None when the conversation is over."""

    def lost(self, error: CommunicationError) -> None:
        """Hear that nothing more comes."""


async def dial(
    place: URI,
    receiver: Receiver,
    deadline: float | None,
    *,
    nodelay: bool = True,
    ip_version: int = 0,
    tls: TLSOptions | None = None,
) -> AsyncStream:
    """Connect to the place that a direct URI names.

    Args:
        place: a PYRO address.
        receiver: takes what arrives.
        deadline: moment on the loop's clock at which the connection must be there; None waits as long as the system.
        nodelay: whether small messages leave at once.
        ip_version: 4 or 6 to try these addresses first where a host has both; 0 for the system's order.
        tls: how to talk over TLS; None talks without.

    Raises:
        ConnectionClosedError: nobody answers there.
        TimeoutError: the deadline passed.
        CommunicationError: the certificate over there or here is not trusted, or only one side talks TLS.
        PyroError: the options for TLS cannot be used.
    """
    session = None
    if tls is not None:
        # A Unix socket has no host of its own: its daemon is on this one. A card's number is no part of a name.
        session = Session(client_context(tls), (place.host or "localhost").partition("%")[0])
    doing = f"cannot connect to {place}"
    # A deadline that has passed still gives a first attempt its chance.
    limit = None if deadline is None else max(deadline - asyncio.get_running_loop().time(), FIRST_ATTEMPT)
    if place.back is not None:
        return await _taken(place.back, receiver, PATIENCE if limit is None else min(limit, PATIENCE))
    try:
        return await asyncio.wait_for(_dial(place, receiver, nodelay, ip_version, session), limit)
    except asyncio.TimeoutError as error:
        raise TimeoutError(f"{doing}: no answer in time") from error
    except CommunicationError as error:
        raise type(error)(f"{doing}: {error}") from error
    except (OSError, ValueError) as error:
        raise translated(doing, error) from error


async def _taken(key: str, receiver: Receiver, limit: float) -> AsyncStream:
    """Wait for a connection that a client of this program made, and take it."""
    future = ask(key)
    try:
        stream = await asyncio.wait_for(asyncio.wrap_future(future), limit)
    except asyncio.TimeoutError as error:
        raise give_up(key) from error
    sock, session = stream.release()
    sock.setblocking(False)
    return await _over(asyncio.get_running_loop(), sock, receiver, session)


async def _dial(place: URI, receiver: Receiver, nodelay: bool, ip_version: int, session: Session | None) -> AsyncStream:
    loop = asyncio.get_running_loop()
    sock = await _connected(loop, place, nodelay, ip_version)
    return await _over(loop, sock, receiver, session)


async def _over(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, receiver: Receiver, session: Session | None
) -> AsyncStream:
    try:
        _, mover = await loop.create_connection(lambda: _Mover(loop, receiver, session), sock=sock)
    except BaseException:
        sock.close()
        raise
    try:
        await mover.opened
    except BaseException:
        mover.abort()
        raise
    return AsyncStream(mover)


async def _connected(loop: asyncio.AbstractEventLoop, place: URI, nodelay: bool, ip_version: int) -> socket.socket:
    if place.sockname is not None:
        return await _connected_to(loop, socket.AF_UNIX, place.sockname)
    failed: OSError | None = None
    for family, address in await _addresses(loop, place.host or "localhost", place.port or 0, ip_version):
        try:
            sock = await _connected_to(loop, family, address)
        except OSError as error:
            failed = failed or error
        else:
            tune(sock, nodelay)
            return sock
    raise failed or OSError("no address is known for that host")


async def _connected_to(loop: asyncio.AbstractEventLoop, family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _addresses(
    loop: asyncio.AbstractEventLoop, host: str, port: int, ip_version: int
) -> list[tuple[socket.AddressFamily, Any]]:
    try:
        # A number needs no thread to be looked up in.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return in_order(found, ip_version)


async def adopt(sock: socket.socket, receiver: Receiver) -> AsyncStream:
    """Go on over a socket that is connected already; it stays open when the stream is closed.

    Raises:
        ConnectionClosedError: it is not connected.
    """
    loop = asyncio.get_running_loop()
    before = sock.gettimeout()
    try:
        own = sock.dup()
        own.setblocking(False)
        _, mover = await loop.create_connection(lambda: _Mover(loop, receiver), sock=own)
    except (OSError, ValueError) as error:
        # A socket over TLS, too: asyncio takes none that somebody else made.
        raise translated("cannot use the given socket", error) from error
    # Whether a socket blocks is a matter of both descriptors.
    mover.at_end = lambda: sock.settimeout(before)
    return AsyncStream(mover)


class AsyncStream:
    """A connected stream socket in an event loop; for that loop's thread alone.

    Attributes:
        loop: the loop.
    """

    __slots__ = ("__weakref__", "_mover", "loop")

    def __init__(self, mover: _Mover) -> None:
        """Take over a connection."""
        self._mover = mover
        self.loop = mover.loop

    @property
    def receiver(self) -> Any:
        """Who takes what arrives."""
        return self._mover.receiver

    @property
    def local_address(self) -> Any:
        """This end's address."""
        return self._mover.transport.get_extra_info("sockname")

    def getpeercert(self) -> dict[str, Any] | None:
        """Give the peer's certificate as a map, as ``ssl`` makes it; None when it showed none."""
        return self._mover.getpeercert()

    @property
    def crowded(self) -> bool:
        """Whether `turn` has to be awaited before sending."""
        mover = self._mover
        return mover.paused or bool(mover.line) or mover.closing

    @property
    def loaded(self) -> bool:
        """Whether this is in a turn of its loop that sends something already; then more may go with it, by `load`.

        That is sooner found out than whether it is the loop's thread at all and nothing is `crowded`.
        """
        mover = self._mover
        return bool(mover.held) and mover.thread == get_ident() and not mover.line and self.loop.is_running()

    async def turn(self, deadline: float | None) -> None:
        """Wait in line until there is room for a message; it is to be sent at once, before anything else is awaited.

        A connection that is just closing is gone after that, and the receiver knows it.

        Raises:
            TimeoutError: the peer did not read until the deadline.
        """
        await self._mover.turn(deadline)

    def send(self, buffers: Sequence[Buffer], *, at_once: bool) -> None:
        """Send buffers one after the other, at once or with the rest of what this turn of the loop sends.

        Raises:
            ConnectionClosedError: the connection is gone.
        """
        self._mover.send(buffers, at_once=at_once)

    def load(self, message: bytes) -> None:
        """Do as `send` for one small message, where something is on its way already: it was `loaded` just now.

        Raises:
            ConnectionClosedError: the connection is gone.
        """
        mover, held = self._mover, self._mover.held
        if mover.growing is not None:
            mover.lay_out()
        if not held:
            mover.send((message,), at_once=False)
            return
        held.append(message)
        mover.held_size += len(message)
        if mover.held_size > _HELD:
            mover.flush()

    def load_later(self, lay_out: Callable[[], Sequence[Buffer]]) -> None:
        """Do as `load` for what may yet grow: it is laid out before anything else is sent, or when the turn ends."""
        mover = self._mover
        mover.lay_out()
        if mover.held_size > _HELD:
            mover.flush()
        mover.growing = lay_out

    def close(self) -> None:
        """Close the connection, after what was sent has left; closing again does nothing."""
        self._mover.close()

    async def closed(self) -> None:
        """Wait until it is closed; a peer that does not read does not hold that up."""
        await self._mover.closed()

    def __del__(self) -> None:
        """Have the loop close a connection that was dropped without being released."""
        # The collector may run in any thread, and a loop that is over closed its connections itself.
        if not self._mover.gone and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._mover.close)


class _Mover(asyncio.BufferedProtocol):
    """Moves the bytes of one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receiver: Receiver, session: Session | None = None) -> None:
        self.loop = loop
        self.receiver = receiver
        self.transport: Any = None
        self.opened: asyncio.Future[None] = loop.create_future()
        self.paused = False
        self.gone = False
        self.line: deque[asyncio.Future[None]] = deque()
        self.at_end: Callable[[], None] | None = None
        self._session = session
        self._failure: CommunicationError | None = None
        self._ended: asyncio.Future[None] = loop.create_future()
        self.held: list[Buffer] = []
        self.held_size = 0
        # Gives what comes after that.
        self.growing: Callable[[], Sequence[Buffer]] | None = None
        # Which thread the loop runs in, as of when something was last held back.
        self.thread = 0
        self._space = bytearray(_SMALL)
        self._view = memoryview(self._space)

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.transport.set_write_buffer_limits(high=_OUTSTANDING)
        _close_with_loop(self.loop, self)
        if self._session is None:
            self.opened.set_result(None)
        else:
            self._decrypt(self._session, b"")

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self._view[:nbytes])
        if self._session is not None:
            data = self._decrypt(self._session, data)
        if data:
            self._receive(data)
        if self._session is not None and self._session.ended:
            self.eof_received()

    def _receive(self, data: bytes) -> None:
        missing = self.receiver.received(data)
        if self.receiver.impatient:
            # It holds for what arrives next, and is to be said each time.
            self._acknowledge_quickly()
        if missing is None:
            self.transport.abort()
        elif missing > len(self._space) < _LARGE:
            # A large message is coming, and may be followed by others.
            self._space = bytearray(_LARGE)
            self._view = memoryview(self._space)

    def _decrypt(self, session: Session, data: bytes) -> bytes:
        """Take bytes of a connection over TLS and give the plain ones, after the handshake."""
        plain = b""
        try:
            plain = session.feed(data)
        except CommunicationError as error:
            self._fail(error)
        out = session.outgoing()
        if out:
            # On failure too: the peer may still hear why.
            self.transport.write(out)
        if session.open and not self.opened.done():
            self.opened.set_result(None)
        if session.ended or self._failure is not None:
            self.transport.close()
        return plain

    def eof_received(self) -> None:
        # The loop closes the connection in a later turn; nobody is to call over it until then.
        self._fail(self._failure or ConnectionClosedError("receiving: the peer closed the connection"))

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._next_in_line()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.paused = False
        self.growing = None
        self.held.clear()
        error = self._failure
        if error is None and isinstance(exc, OSError):
            error = translated("receiving", exc)
            error.__cause__ = exc
        self._fail(error or ConnectionClosedError("receiving: the peer closed the connection"))
        for waiter in self.line:
            if not waiter.done():
                waiter.set_result(None)
        if not self._ended.done():
            self._ended.set_result(None)
        if self.at_end is not None:
            self.at_end()

    def _fail(self, error: CommunicationError) -> None:
        self._failure = error
        if not self.opened.done():
            self.opened.set_exception(error)
        self.receiver.lost(error)

    # What the stream calls

    @property
    def closing(self) -> bool:
        """Whether the connection is about to be gone; before it is, the receiver is told."""
        return not self.gone and self.transport.is_closing()

    def send(self, buffers: Sequence[Buffer], *, at_once: bool) -> None:
        if self.gone or self.closing:
            raise ConnectionClosedError("sending: the connection is closed")
        if self.growing is not None:
            self.lay_out()
        held = self.held
        if at_once and not held:
            self._write(buffers)
        else:
            if not held:
                self.thread = get_ident()
                self.loop.call_soon(self.flush)
            held.extend(buffers)
            self.held_size += sum(map(len, buffers))
            if self.held_size > _HELD:
                self.flush()
        if self.line:
            self._next_in_line()

    def lay_out(self) -> None:
        """Hold back what has grown to its end."""
        lay_out, self.growing = self.growing, None
        if lay_out is not None:
            buffers = lay_out()
            self.held.extend(buffers)
            self.held_size += sum(map(len, buffers))

    def flush(self) -> None:
        """Send what was held back."""
        self.lay_out()
        if self.held and not self.gone:
            held, self.held, self.held_size = self.held, [], 0
            self._write(held)

    def _write(self, buffers: Sequence[Buffer]) -> None:
        if self._session is not None:
            for piece in self._session.encrypt(buffers):
                self.transport.write(piece)
            return
        if len(buffers) == 1 and isinstance(buffers[0], bytes):
            self.transport.write(buffers[0])
            return
        small: list[Buffer] = []
        for buffer in buffers:
            if len(buffer) < _UNJOINED:
                small.append(buffer)
                continue
            if small:
                self.transport.write(b"".join(small))
                small = []
            self.transport.write(buffer if isinstance(buffer, bytes) else memoryview(buffer).cast("B"))
        if small:
            self.transport.write(b"".join(small))

    async def turn(self, deadline: float | None) -> None:
        waiter = self.loop.create_future()
        timer = None if deadline is None else self.loop.call_at(deadline, _expire, waiter)
        self.line.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                # It was this one's turn: pass it on.
                self._next_in_line()
            raise
        finally:
            with contextlib.suppress(ValueError):
                self.line.remove(waiter)
            if timer is not None:
                timer.cancel()

    def _next_in_line(self) -> None:
        while self.line and not self.paused and not self.closing:
            waiter = self.line.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _acknowledge_quickly(self) -> None:
        sock = self.transport.get_extra_info("socket")
        if _QUICKACK is not None and sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def close(self) -> None:
        if not self.gone and not self.transport.is_closing():
            self.flush()
            if self._session is not None:
                self._session.finish()
                self.transport.write(self._session.outgoing())
            self.transport.close()

    def abort(self) -> None:
        if not self.gone:
            self.transport.abort()

    def getpeercert(self) -> dict[str, Any] | None:
        return self._session.getpeercert() if self._session is not None else None

    async def closed(self) -> None:
        if not self.gone:
            impatience = self.loop.call_later(_LINGER, self.abort)
            try:
                await asyncio.shield(self._ended)
            finally:
                impatience.cancel()


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError("sending: no answer in time"))


_keepers: dict[asyncio.AbstractEventLoop, tuple[AsyncGenerator[None, None], WeakSet[_Mover]]] = {}


def _close_with_loop(loop: asyncio.AbstractEventLoop, mover: _Mover) -> None:
    """Have the connection closed when its loop shuts down, as `asyncio.run` does at the end.

    A loop knows the asynchronous generators that were begun in it, and ends them when it shuts down: it is the one
    hook that there is.
    """
    if loop not in _keepers:
        for other in [other for other in _keepers if other.is_closed()]:
            del _keepers[other]
        keeper = _keep(loop)
        # Up to its yield it does not wait for anything.
        with contextlib.suppress(StopIteration):
            keeper.__anext__().send(None)
        _keepers[loop] = (keeper, WeakSet())
    _keepers[loop][1].add(mover)


async def _keep(loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        _, movers = _keepers.pop(loop)
        for mover in list(movers):
            mover.abort()
        # The transports close their sockets in the next turn of the loop.
        await asyncio.sleep(0)
