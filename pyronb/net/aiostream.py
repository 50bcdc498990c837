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
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from pyronb.errors import CommunicationError, ConnectionClosedError, TimeoutError
from pyronb.net.stream import FIRST_ATTEMPT, translated
from pyronb.uri import URI

__all__ = ["AsyncStream", "Receiver", "adopt", "dial", "in_time"]

T = TypeVar("T")
Buffer = bytes | bytearray | memoryview

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
) -> AsyncStream:
    """Connect to the place that a direct URI names.

    Args:
        place: a PYRO address.
        receiver: takes what arrives.
        deadline: moment on the loop's clock at which the connection must be there; None waits as long as the system.
        nodelay: whether small messages leave at once.

    Raises:
        ConnectionClosedError: nobody answers there.
        TimeoutError: the deadline passed.
    """
    loop = asyncio.get_running_loop()

    def make() -> _Mover:
        return _Mover(loop, receiver)

    connecting: Coroutine[Any, Any, tuple[asyncio.BaseTransport, _Mover]]
    if place.sockname is not None:
        connecting = loop.create_unix_connection(make, place.sockname)
    else:
        connecting = loop.create_connection(make, place.host or "localhost", place.port or 0)
    # A deadline that has passed still gives a first attempt its chance.
    limit = None if deadline is None else max(deadline - loop.time(), FIRST_ATTEMPT)
    try:
        transport, mover = await asyncio.wait_for(connecting, limit)
    except asyncio.TimeoutError as error:
        raise TimeoutError(f"cannot connect to {place}: no answer in time") from error
    except (OSError, ValueError) as error:
        raise translated(f"cannot connect to {place}", error) from error
    sock = transport.get_extra_info("socket")
    if place.sockname is None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # The loop itself has set it.
        if not nodelay:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    return AsyncStream(mover)


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
        raise translated("cannot use the given socket", error) from error
    # Whether a socket blocks is a matter of both descriptors.
    mover.at_end = lambda: sock.settimeout(before)
    return AsyncStream(mover)


async def in_time(future: asyncio.Future[T], deadline: float | None, doing: str) -> T:
    """Wait for a future until a moment on the loop's clock.

    Raises:
        TimeoutError: the deadline passed.
    """
    if deadline is None:
        return await future
    timer = future.get_loop().call_at(deadline, _expire, future, doing)
    try:
        return await future
    finally:
        timer.cancel()


def _expire(future: asyncio.Future[Any], doing: str) -> None:
    if not future.done():
        future.set_exception(TimeoutError(f"{doing}: no answer in time"))


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
    def crowded(self) -> bool:
        """Whether `turn` has to be awaited before sending."""
        mover = self._mover
        return mover.paused or bool(mover.line)

    async def turn(self, deadline: float | None) -> None:
        """Wait in line until there is room for a message; it is to be sent at once, before anything else is awaited.

        Raises:
            ConnectionClosedError: the connection is gone.
            TimeoutError: the peer did not read until the deadline.
        """
        await self._mover.turn(deadline)

    def send(self, buffers: Sequence[Buffer], *, at_once: bool) -> None:
        """Send buffers one after the other, at once or with the rest of what this turn of the loop sends.

        Raises:
            ConnectionClosedError: the connection is gone.
        """
        self._mover.send(buffers, at_once=at_once)

    def close(self) -> None:
        """Close the connection, after what was sent has left; closing again does nothing."""
        self._mover.close()

    async def closed(self) -> None:
        """Wait until it is closed; a peer that does not read does not hold that up."""
        await self._mover.closed()

    def __del__(self) -> None:
        """Have the loop close a connection that was dropped without being released."""
        # The collector may run in any thread, and the loop may be over.
        with contextlib.suppress(RuntimeError):
            if not self._mover.gone:
                self.loop.call_soon_threadsafe(self._mover.close)


class _Mover(asyncio.BufferedProtocol):
    """Moves the bytes of one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receiver: Receiver) -> None:
        self.loop = loop
        self.receiver = receiver
        self.transport: Any = None
        self.paused = False
        self.gone = False
        self.line: deque[asyncio.Future[None]] = deque()
        self.at_end: Callable[[], None] | None = None
        self._ended: asyncio.Future[None] = loop.create_future()
        self._held: list[Buffer] = []
        self._held_size = 0
        self._space = bytearray(_SMALL)
        self._view = memoryview(self._space)

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.transport.set_write_buffer_limits(high=_OUTSTANDING)
        _close_with_loop(self.loop, self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        missing = self.receiver.received(bytes(self._view[:nbytes]))
        if self.receiver.impatient:
            # It holds for what arrives next, and is to be said each time.
            self._acknowledge_quickly()
        if missing is None:
            self.transport.abort()
        elif missing > len(self._space) < _LARGE:
            # A large message is coming, and may be followed by others.
            self._space = bytearray(_LARGE)
            self._view = memoryview(self._space)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._next_in_line()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.paused = False
        self._held.clear()
        if isinstance(exc, OSError):
            error = translated("receiving", exc)
            error.__cause__ = exc
        else:
            error = ConnectionClosedError("receiving: the peer closed the connection")
        self.receiver.lost(error)
        for waiter in self.line:
            if not waiter.done():
                waiter.set_result(None)
        if not self._ended.done():
            self._ended.set_result(None)
        if self.at_end is not None:
            self.at_end()

    # What the stream calls

    def send(self, buffers: Sequence[Buffer], *, at_once: bool) -> None:
        if self.gone or self.transport.is_closing():
            raise ConnectionClosedError("sending: the connection is closed")
        held = self._held
        if at_once and not held:
            self._write(buffers)
        else:
            if not held:
                self.loop.call_soon(self.flush)
            held.extend(buffers)
            self._held_size += sum(map(len, buffers))
            if self._held_size > _HELD:
                self.flush()
        if self.line:
            self._next_in_line()

    def flush(self) -> None:
        """Send what was held back."""
        if self._held and not self.gone:
            held, self._held, self._held_size = self._held, [], 0
            self._write(held)

    def _write(self, buffers: Sequence[Buffer]) -> None:
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
        self.line.append(waiter)
        try:
            await in_time(waiter, deadline, "sending")
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                # It was this one's turn: pass it on.
                self._next_in_line()
            raise
        finally:
            with contextlib.suppress(ValueError):
                self.line.remove(waiter)

    def _next_in_line(self) -> None:
        while self.line and not self.paused:
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
        if not self.gone:
            self.flush()
            self.transport.close()

    def abort(self) -> None:
        if not self.gone:
            self.transport.abort()

    async def closed(self) -> None:
        if not self.gone:
            impatience = self.loop.call_later(_LINGER, self.abort)
            try:
                await asyncio.shield(self._ended)
            finally:
                impatience.cancel()


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
