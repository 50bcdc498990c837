"""The driver of this room: it runs procedures and grants their effects with blocking sockets.

One call is in flight on a link at a time, under the link's lock, without any further thread. A wait can be interrupted
by a signal, which then goes through the procedure like any other exception.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pyronb.client.acquaintances import Acquaintance, acquaintance
from pyronb.client.calling import check
from pyronb.client.connecting import connect, hang_up
from pyronb.client.effects import (
    Abandon,
    After,
    Broadcast,
    Choose,
    Connect,
    Dial,
    Effect,
    HangUp,
    Pause,
    Procedure,
    Reply,
    Send,
    has_ended,
)
from pyronb.client.greeting import absent, machine, unwelcome, welcomed
from pyronb.client.hearing import Hearing
from pyronb.client.link import Link
from pyronb.errors import CommunicationError, ConnectionClosedError, SecurityError, TimeoutError
from pyronb.net.broadcast import ask
from pyronb.net.deadline import after, remaining
from pyronb.net.stream import SocketStream, dial
from pyronb.wire.connection import ClientConnection, OtherDialectError
from pyronb.wire.events import Told
from pyronb.wire.message import NO_ANNOTATIONS, Buffer

__all__ = ["connected", "grant", "run", "withdraw"]

_MOMENT = 0.1
"""Seconds for telling a peer that an answer is not wanted."""

T = TypeVar("T")


def run(procedure: Procedure[T]) -> T:
    """Run a procedure to its end and give its result, or raise what it raises.

    Whatever is raised meanwhile, here or in granting an effect, goes through the procedure, which decides about it.
    """
    failed: BaseException | None = None
    while True:
        try:
            effect = next(procedure) if failed is None else procedure.throw(failed)
            failed = None
            while True:
                effect = procedure.send(_GRANTS[type(effect)](effect))
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


def grant(effect: Effect) -> Any:
    """Grant one effect here and now, and give the answer."""
    return _GRANTS[type(effect)](effect)


def connected(link: Link, deadline: float | None = None, annotations: Mapping[str, Buffer] = NO_ANNOTATIONS) -> None:
    """Do as the procedure `connect` does, in short where the link's object and its daemon are known."""
    if link.stream is None and link.connection is None and deadline is None and not annotations:
        known = acquaintance(link)
        if known is not None and _meet(link, known):
            return
    run(connect(link, deadline, annotations=annotations))


def _meet(link: Link, known: Acquaintance) -> bool:
    """Connect as before; False when the daemon has become another one, and all has to begin anew."""
    options, place = link.options, link.uri
    limit = options.connect_timeout
    deadline = None if limit is None else after(limit + options.lookup.delay)
    link.connected_uri = place
    try:
        stream = link.stream = dial(place, deadline, nodelay=options.nodelay, ip_version=options.ip_version)
    except ConnectionClosedError as error:
        told = absent(place, error)
        if told is error:
            raise
        raise told from error
    connection = link.connection = machine(link)
    try:
        try:
            data = stream.exchange(known.said, remaining(deadline))
        except (CommunicationError, SecurityError) as error:
            raise unwelcome(link, place, error) from error
        if not known.goes_on(link, data):
            connection.greet(known.greeting)
            connection.receive(data)
            run(welcomed(link, place, known.greeting, deadline))
    except OtherDialectError:
        return False
    except BaseException:
        run(hang_up(link))
        raise
    return True


def _connect(effect: Connect) -> None:
    connected(effect.link, effect.deadline, effect.annotations)
    effect.link.told = time.monotonic()


def _dial(effect: Dial) -> None:
    link = effect.link
    options = link.options
    link.stream = dial(
        effect.place, effect.deadline, nodelay=options.nodelay, ip_version=options.ip_version, tls=options.tls
    )


def _send(effect: Send) -> None:
    stream = effect.link.stream
    if stream is None:
        raise ConnectionClosedError("sending: the connection was released")
    stream.send(effect.buffers, effect.deadline)


def _reply(effect: Reply) -> Any:
    link, seq, deadline = effect.link, effect.seq, effect.deadline
    if link.connection is not None:
        link.connection.awaited = seq
        if link.unwanted:
            withdraw(link)
    received = False
    while True:
        connection, stream = link.connection, link.stream
        if connection is None or stream is None:
            raise ConnectionClosedError("receiving: the connection was released")
        event = connection.next_event()
        if type(event) is Told:
            if effect.hearing is not None:
                _hear(effect.hearing, event, link)
        elif event is not None and check(event, seq):
            connection.awaited = None
            return event
        if received and deadline is not None and not remaining(deadline):
            # A peer that never stops sending is no reason to wait for ever.
            raise TimeoutError("receiving: no answer in time")
        if event is None:
            received = True
            rest = connection.rest if stream.direct else None
            if rest is None:
                connection.receive(stream.receive(deadline, missing=connection.missing))
            else:
                connection.filled(stream.receive_into(rest, deadline))


def _hear(hearing: Hearing, event: Told, link: Link) -> None:
    """Let the caller's code hear what is told; a call that it makes over the same link needs another connection."""
    connection, stream, short, sequence = link.connection, link.stream, link.short, link.sequence
    link.connection = link.stream = link.short = None
    try:
        hearing.hear(event.message, time.monotonic())
    finally:
        # First of all, so that an interrupt finds it done.
        other, others = link.connection, link.stream
        link.connection, link.stream, link.short, link.sequence = connection, stream, short, sequence
        _close(other, others)


def _abandon(effect: Abandon) -> Any:
    """Tell the peer, and wait for the answer, if that is worth it.

    With one call at a time, a connection on which an answer is owed is of no more use, and hanging up says as much; so
    it does where it is not known how much of the request went out.
    """
    link, seq = effect.link, effect.seq
    waits = effect.sent and bool(effect.patience)
    if waits and seq is not None and link.stream is not None and link.connection is effect.connection:
        # A second interrupt ends the waiting.
        with contextlib.suppress(CommunicationError, KeyboardInterrupt):
            link.stream.send(effect.farewell, after(_MOMENT))
            effect.connection.calls_made.add(seq)
            return _reply(Reply(link, seq, after(effect.patience)))
    _hang_up(effect)
    return None if waits else False


def withdraw(link: Link) -> None:
    """Tell the peer that the answer is not wanted for which another thread waits, or is about to.

    That thread must not begin another call over the link meanwhile.
    """
    link.unwanted = True
    connection, stream = link.connection, link.stream
    if connection is not None and stream is not None and connection.side and connection.awaited is not None:
        with contextlib.suppress(CommunicationError):
            stream.send(connection.withdraw(connection.awaited), after(_MOMENT))


def _hang_up(effect: HangUp | Abandon) -> None:
    link = effect.link
    stream, connection = link.stream, link.connection
    link.stream = link.connection = link.short = None
    _close(connection, stream)


def _close(connection: ClientConnection | None, stream: SocketStream | None) -> None:
    if connection is not None:
        connection.close()
    if stream is not None:
        stream.close()


def _pause(effect: Pause) -> None:
    time.sleep(effect.seconds)


def _after(effect: After) -> float:
    return after(effect.seconds)


def _broadcast(effect: Broadcast) -> Any:
    return ask(
        effect.question,
        effect.addresses,
        effect.port,
        effect.accept,
        rounds=effect.rounds,
        patience=effect.patience,
        deadline=effect.deadline,
    )


def _choose(effect: Choose) -> int:
    return int.from_bytes(os.urandom(8), "big") % effect.below


_GRANTS: Mapping[type, Callable[[Any], Any]] = {
    Abandon: _abandon,
    After: _after,
    Broadcast: _broadcast,
    Choose: _choose,
    Connect: _connect,
    Dial: _dial,
    HangUp: _hang_up,
    Pause: _pause,
    Reply: _reply,
    Send: _send,
}
