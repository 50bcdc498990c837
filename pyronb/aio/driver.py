"""The driver of this room: it runs procedures and grants their effects with asyncio.

Many calls are in flight on one connection. Each waits for the reply with its number, which the connection's mailbox
hands to it; so a call that is cancelled, or takes too long, gives up its own reply and disturbs no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import math
import os
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pyronb.client.calling import leave_note
from pyronb.client.connecting import adopt, connect
from pyronb.client.effects import (
    Abandon,
    After,
    Broadcast,
    Choose,
    Connect,
    Dial,
    HangUp,
    Pause,
    Procedure,
    Reply,
    Send,
    has_ended,
)
from pyronb.client.hearing import Hearing
from pyronb.client.link import Link
from pyronb.errors import CommunicationError, ConnectionClosedError, PyroError, TimeoutError
from pyronb.net import aiostream
from pyronb.net.aiobroadcast import ask
from pyronb.net.aiostream import AsyncStream
from pyronb.wire.bare import BARE_SIZE, bares_in
from pyronb.wire.connection import CLOSED, ClientConnection
from pyronb.wire.events import Broken, Event, Replied, Told
from pyronb.wire.message import Buffer, Message

__all__ = ["Mailbox", "came_late", "connected", "hang_up", "released", "run", "run_on"]

T = TypeVar("T")

_MOST_EARLY = 64 * 1024
"""Most bytes that are kept of a peer that speaks first."""


async def run(procedure: Procedure[T]) -> T:
    """Run a procedure to its end and give its result, or raise what it raises.

    Whatever is raised meanwhile, here or in granting an effect, goes through the procedure, which decides about it.
    """
    failed: BaseException | None = None
    while True:
        try:
            effect = next(procedure) if failed is None else procedure.throw(failed)
            failed = None
            while True:
                kind = type(effect)
                grant = _AT_ONCE.get(kind)
                effect = procedure.send(await _IN_TIME[kind](effect) if grant is None else grant(effect))
        except BaseException as error:
            if not has_ended(procedure):
                failed = error
                continue
            # It is not to be kept alive by this frame, which it holds.
            failed = None
            if type(error) is not StopIteration:
                raise
            result: T = error.value
        return result


async def run_on(link: Link, procedure: Procedure[T]) -> T:
    """Run a procedure that talks over this link, in the loop that the link is connected in.

    Raises:
        PyroError: that is another loop than the running one.
    """
    _come_home(link)
    return await run(procedure)


def _come_home(link: Link) -> None:
    """Check that the link belongs to the running loop; one whose loop is over may come to this one."""
    loop = asyncio.get_running_loop()
    stream, attempt = link.stream, link.attempt
    if isinstance(stream, AsyncStream) and stream.loop is not loop:
        _check_over(link, stream.loop)
        _forget(link)
    if attempt is not None and attempt.loop is not loop:
        _check_over(link, attempt.loop)
        link.attempt = None


def _check_over(link: Link, loop: asyncio.AbstractEventLoop) -> None:
    if not loop.is_closed():
        raise PyroError(
            f"the proxy for {link.uri} is connected in another event loop: "
            f"give each loop a proxy of its own (copy.copy), or release it there first"
        )


class Mailbox:
    """Takes what arrives on one connection, and hands each event to whoever waits for it.

    It does not hold the link, which holds it, so that a proxy that is dropped closes its connection.
    """

    __slots__ = (
        "_bare",
        "_due",
        "_early",
        "_heads",
        "_hearings",
        "_largest",
        "_limits",
        "_loop",
        "_others",
        "_replies",
        "_rest",
        "_timer",
        "connection",
        "stock",
    )

    def __init__(self) -> None:
        """Take what arrives in the running loop."""
        self._loop = asyncio.get_running_loop()
        self.connection: ClientConnection | None = None
        self.stock = True
        """Whether the peer may be a real Pyro, which does not switch Nagle's algorithm off."""
        self._replies: dict[int, asyncio.Future[Any]] = {}
        # Greetings and pings have no numbers; their answers come in the order of the questions.
        self._others: deque[asyncio.Future[Event]] = deque()
        # For the short-cut: who would rather have the payload, and how the replies look that are nothing but one.
        self._bare: dict[int, asyncio.Future[Any]] = {}
        # Who hears what is told of a call meanwhile.
        self._hearings: dict[int, Callable[[Message, float], None]] = {}
        self._heads: frozenset[bytes] = frozenset()
        self._largest = 0
        self._rest = b""
        self._early = b""
        # Until when each of them waits that does not wait for ever. There is one timer for all: it is for the first of
        # those moments, or for one that is not needed any more.
        self._limits: dict[asyncio.Future[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf

    @property
    def busy(self) -> bool:
        """Whether anybody waits for a reply."""
        return bool(self._bare or self._replies)

    @property
    def impatient(self) -> bool:
        """Whether a reply may be held back over there until what came before it is acknowledged."""
        return self.stock and bool(self._bare or self._replies)

    def take_bare(self, heads: frozenset[bytes], largest: int) -> None:
        """From now on, hand out the payload alone of replies with these heads, to those who expect them bare."""
        self._heads, self._largest = heads, largest

    def expect(self, seq: int | None, deadline: float | None = None, *, bare: bool = False) -> asyncio.Future[Any]:
        """Give the future of the reply with this number, or, for None, of the next event that has none.

        It fails with a `TimeoutError` at the deadline, a moment on the loop's clock.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        if bare and seq is not None:
            self._bare[seq] = future
        elif seq is not None:
            self._replies[seq] = future
        else:
            self._others.append(future)
        if deadline is not None:
            self._limits[future] = deadline
            if deadline < self._due:
                self._remind(deadline)
        return future

    def _remind(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = moment
        self._timer = self._loop.call_at(moment, self._look_at_limits)

    def _look_at_limits(self) -> None:
        now = self._loop.time()
        for future, deadline in list(self._limits.items()):
            if deadline <= now:
                del self._limits[future]
                if not future.done():
                    future.set_exception(TimeoutError("receiving: no answer in time"))
        self._timer, self._due = None, math.inf
        if self._limits:
            self._remind(min(self._limits.values()))

    def catch_up(self) -> None:
        """Take what came before anything was said, now that somebody waits for an answer."""
        early, self._early = self._early, b""
        if early:
            self.received(early)

    def listen(self, seq: int, hearing: Hearing) -> None:
        """Have this hear what is told of a call until `deafen`, in the context of whoever makes the call."""
        context = contextvars.copy_context()
        self._hearings[seq] = lambda message, now: context.run(hearing.hear, message, now)

    def deafen(self, seq: int) -> None:
        """Undo `listen`."""
        self._hearings.pop(seq, None)

    def forget(self, seq: int) -> None:
        """Do not wait for this reply any more."""
        future = self._replies.pop(seq, None) or self._bare.pop(seq, None)
        if future is not None:
            self._limits.pop(future, None)

    def received(self, data: bytes) -> int | None:
        """Take bytes; give how many are missing, or None when the conversation is over."""
        connection = self.connection
        if connection is None:
            # Nothing was said to it yet. What it says of itself may tell who it is.
            self._early += data
            return 0 if len(self._early) <= _MOST_EARLY else None
        if self._heads and connection.idle:
            data = self._hand_out_bare(connection, data)
            if not data:
                return 0
        connection.receive(data)
        while (event := connection.next_event()) is not None:
            if type(event) is Replied:
                seq = event.message.seq
                future = self._replies.pop(seq, None) or self._bare.pop(seq, None)
            elif type(event) is Told:
                hear = self._hearings.get(event.message.seq)
                if hear is not None:
                    hear(event.message, asyncio.get_running_loop().time())
                continue
            elif type(event) is Broken:
                self._fail(event.error)
                return None
            else:
                future = self._others.popleft() if self._others else None
            if future is not None:
                self._limits.pop(future, None)
                if not future.done():
                    future.set_result(event)
        return None if connection.state is CLOSED else connection.missing

    def _hand_out_bare(self, connection: ClientConnection, data: bytes) -> bytes:
        """Hand out the bare replies that bytes begin with, and give what is for the connection machine."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        found, at, goes_on = bares_in(data, self._heads, self._largest)
        limits = self._limits
        for seq, begin, end in found:
            future = self._bare.pop(seq, None)
            if future is None:
                # It is for somebody else, or for nobody any more.
                return data[begin:]
            connection.calls_made.discard(seq)
            if limits:
                limits.pop(future, None)
            if not future.done():
                future.set_result(data[begin + BARE_SIZE : end])
        if goes_on:
            self._rest = data[at:]
            return b""
        return data[at:]

    def lost(self, error: CommunicationError) -> None:
        """Hear that nothing more comes."""
        if self.connection is not None:
            self.connection.close()
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        waiting = [*self._others, *self._replies.values(), *self._bare.values()]
        self._others.clear()
        self._replies.clear()
        self._bare.clear()
        self._limits.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._due = None, math.inf
        for future in waiting:
            if not future.done():
                future.set_exception(error)


class _Attempt:
    """An attempt to connect, shared by all who need the connection; it ends when nobody waits for it any more."""

    __slots__ = ("_link", "_task", "_waiting", "loop")

    def __init__(self, link: Link, annotations: Mapping[str, Buffer]) -> None:
        self.loop = asyncio.get_running_loop()
        self._link = link
        # In their order, which is that of the calls that go out first.
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._task = self.loop.create_task(_make_connection(link, annotations))
        self._task.add_done_callback(self._tell)
        link.attempt = self

    async def join(self) -> None:
        """Wait for what becomes of it."""
        future = self.loop.create_future()
        self._waiting[future] = None
        try:
            await future
        finally:
            del self._waiting[future]
            if not self._waiting:
                self.cancel()

    def cancel(self) -> None:
        """Give it up, unless it is over; those who wait are told."""
        if self._link.attempt is self:
            self._link.attempt = None
        self._task.cancel()

    def _tell(self, task: asyncio.Task[None]) -> None:
        if self._link.attempt is self:
            self._link.attempt = None
        error: BaseException | None
        if task.cancelled():
            error = ConnectionClosedError(f"the proxy for {self._link.uri} was released while it connected")
        else:
            error = task.exception()
        for future in list(self._waiting):
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


async def connected(link: Link, annotations: Mapping[str, Buffer]) -> bool:
    """Have the link connected; give whether that was still to be done. The annotations go beside the greeting."""
    _come_home(link)
    if link.connected:
        return False
    await _connect(Connect(link, annotations))
    return True


async def released(link: Link) -> None:
    """Close the link's connection, and wait until that is done."""
    _come_home(link)
    stream = link.stream
    hang_up(link)
    if isinstance(stream, AsyncStream):
        await stream.closed()


def hang_up(link: Link) -> None:
    """Close the link's connection, or give up the attempt to make one.

    Raises:
        PyroError: it belongs to a loop that runs in another thread.
    """
    for held in (link.stream, link.attempt):
        loop = getattr(held, "loop", None)
        if loop is not None and loop.is_running() and loop is not asyncio._get_running_loop():
            _check_over(link, loop)
    if link.attempt is not None:
        link.attempt.cancel()
    _close(link)


def _close(link: Link) -> None:
    stream = link.stream
    _forget(link)
    if isinstance(stream, AsyncStream) and not stream.loop.is_closed():
        stream.receiver.lost(ConnectionClosedError("the connection was released"))
        stream.close()


def _forget(link: Link) -> None:
    if link.connection is not None:
        link.connection.close()
    link.stream = link.connection = link.short = None


# Effects that are granted at once


def _abandon(effect: Abandon) -> bool:
    connection, seq = effect.connection, effect.seq
    if seq is None or connection.state is CLOSED:
        return False
    if effect.sent:
        connection.abandon(seq)
    else:
        # Here nothing is sent by halves.
        connection.take_back(seq)
        effect.farewell = ()
    link = effect.link
    if link.connection is connection and isinstance(link.stream, AsyncStream):
        link.stream.receiver.forget(seq)
        if effect.farewell and not link.stream.crowded:
            # Nobody waits here for what becomes of it: whoever is cancelled is to end.
            with contextlib.suppress(CommunicationError):
                link.stream.send(effect.farewell, at_once=False)
    return False


def _after(effect: After) -> float:
    return asyncio.get_running_loop().time() + effect.seconds


def _choose(effect: Choose) -> int:
    return int.from_bytes(os.urandom(8), "big") % effect.below


def _hang_up(effect: HangUp) -> None:
    _close(effect.link)


# Effects that take time


async def _connect(effect: Connect) -> None:
    attempt = effect.link.attempt or _Attempt(effect.link, effect.annotations)
    if effect.deadline is None:
        await attempt.join()
        return
    try:
        await asyncio.wait_for(attempt.join(), effect.deadline - asyncio.get_running_loop().time())
    except CommunicationError:
        raise
    except asyncio.TimeoutError as error:
        raise TimeoutError(f"cannot connect to {effect.link.place}: no answer in time") from error


async def _make_connection(link: Link, annotations: Mapping[str, Buffer]) -> None:
    if link.given_socket and link.stream is not None and link.connection is None:
        await _take_up(link)
    else:
        await run(connect(link, annotations=annotations))


async def _take_up(link: Link) -> None:
    """Begin to talk over the socket that the user gave."""
    loop, limit = asyncio.get_running_loop(), link.options.connect_timeout
    mailbox = Mailbox()
    link.stream = await aiostream.adopt(link.stream, mailbox)
    try:
        await run(adopt(link, None if limit is None else loop.time() + limit))
    except BaseException:
        _close(link)
        raise


async def _dial(effect: Dial) -> None:
    link = effect.link
    options = link.options
    link.stream = await aiostream.dial(
        effect.place,
        Mailbox(),
        effect.deadline,
        nodelay=options.nodelay,
        ip_version=options.ip_version,
        tls=options.tls,
    )


async def _send(effect: Send) -> None:
    link = effect.link
    stream = link.stream
    if stream is None:
        raise ConnectionClosedError("sending: the connection was released")
    if stream.crowded:
        await stream.turn(effect.deadline)
    mailbox = stream.receiver
    if mailbox.connection is None:
        mailbox.connection = link.connection
    elif mailbox.stock and link.remote is not None:
        mailbox.stock = not link.remote.is_pyronb
    # A call that is alone is not to wait for the end of the turn.
    stream.send(effect.buffers, at_once=not mailbox.busy)


async def _reply(effect: Reply) -> Event:
    stream, seq, hearing = effect.link.stream, effect.seq, effect.hearing
    if stream is None:
        raise ConnectionClosedError("receiving: the connection was released")
    mailbox: Mailbox = stream.receiver
    answer: asyncio.Future[Event] = mailbox.expect(seq, effect.deadline)
    if seq is None:
        mailbox.catch_up()
    if seq is not None and hearing is not None:
        mailbox.listen(seq, hearing)
    try:
        return await answer
    except asyncio.CancelledError:
        came_late(effect.link, answer)
        raise
    finally:
        if seq is not None:
            mailbox.deafen(seq)


def came_late(link: Link, answer: asyncio.Future[Any]) -> None:
    """Have the daemon told of a far stream if a reply opened one that came just as its caller was cancelled."""
    if answer.done() and not answer.cancelled() and answer.exception() is None:
        event = answer.result()
        if type(event) is Replied:
            leave_note(link.notes, link.dialect, event.message)


async def _broadcast(effect: Broadcast) -> Any:
    return await ask(
        effect.question,
        effect.addresses,
        effect.port,
        effect.accept,
        rounds=effect.rounds,
        patience=effect.patience,
        deadline=effect.deadline,
    )


async def _pause(effect: Pause) -> None:
    await asyncio.sleep(effect.seconds)


_AT_ONCE: Mapping[type, Callable[[Any], Any]] = {
    Abandon: _abandon,
    After: _after,
    Choose: _choose,
    HangUp: _hang_up,
}
_IN_TIME: Mapping[type, Callable[[Any], Awaitable[Any]]] = {
    Broadcast: _broadcast,
    Connect: _connect,
    Dial: _dial,
    Pause: _pause,
    Reply: _reply,
    Send: _send,
}
