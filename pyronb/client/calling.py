"""Calling: what a client says and hears on a connected link, and what it does when that fails."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pyronb.calls import recordings
from pyronb.client.effects import Abandon, After, Connect, HangUp, Procedure, Reply, Send
from pyronb.client.hearing import Hearing, wants_output
from pyronb.client.link import Link
from pyronb.client.notices import show_notice
from pyronb.client.recording import recorded
from pyronb.context import ambient
from pyronb.dialects import Dialect
from pyronb.errors import (
    CommunicationError,
    ConnectionClosedError,
    ProtocolError,
    PyroError,
    SecurityError,
    SerializeError,
    TimeoutError,
)
from pyronb.rpc.call import DAEMON_ID, NOTHING, Call, Outcome, Raised, Returned
from pyronb.rpc.codec import Codec, stream_of
from pyronb.serializers.hooks import SPEAKER
from pyronb.wire.connection import OPEN
from pyronb.wire.events import Broken, Pinged, Replied
from pyronb.wire.message import HEARD, PING, WANTS_OUTPUT, Buffer, Message

__all__ = [
    "call",
    "calling",
    "check",
    "closing_of",
    "deliver_notes",
    "exchange",
    "explained",
    "forsake",
    "give_up",
    "invoke",
    "leave_note",
    "lend",
    "ping",
    "take_back",
    "understood",
]


def invoke(link: Link, what: Call) -> Procedure[Outcome]:
    """Connect if need be, say one call, and say it again as often as the link allows after a lost connection.

    While calls are recorded, this one is; it is the place that every call passes which takes no short-cut.

    A call without an object id goes to the link's own object, whose id and oneway methods may only be known once the
    link is connected. A call to another object of the daemon is never said again: for the next item of a far stream,
    that would skip one.

    Raises:
        CommunicationError: the call did not come through.
        SerializeError: an argument cannot be written, or the result cannot be read.
    """
    return recorded(link, what, _invoke(link, what)) if recordings else _invoke(link, what)


def _invoke(link: Link, what: Call) -> Procedure[Outcome]:
    own = not what.object_id
    tries = link.max_retries if own else 0
    wished = what.wishes.timeout
    # What somebody wished for this call holds for all of it, connecting and trying again too.
    until = (yield After(wished)) if wished else None
    while True:
        try:
            if not link.connected:
                yield Connect(link, what.annotations, until)
            if own:
                what.object_id = link.object_id
                if link.metadata is not None and what.method in link.metadata.oneway:
                    what.oneway = True
            if link.notes:
                yield from deliver_notes(link)
            deadline = until
            if wished is None and link.timeout is not None:
                deadline = yield After(link.timeout)
            return (yield from call(link, what, deadline, raw=own and link.raw))
        except (ConnectionClosedError, TimeoutError) as error:
            # Of an iterator, there is no knowing what was taken from it.
            if tries <= 0 or what.lent or (until is not None and isinstance(error, TimeoutError)):
                raise
            tries -= 1


def call(link: Link, what: Call, deadline: float | None, *, raw: bool = False) -> Procedure[Outcome]:
    """Say one call over a connected link, and wait for what became of it; `raw` gives the reply's message as value.

    The reply to an interrupted call is still owed; it is abandoned, so that it is not taken for another's.
    """
    connection, codec, serializer = link.connection, link.codec, link.serializer
    if connection is None:
        # In a room with many calls at once, another one may have hung up.
        raise ConnectionClosedError(f"the connection was released ({calling(link, what)})")
    assert codec is not None
    assert serializer is not None
    seq = link.sequence = connection.next_sequence()
    token = SPEAKER.set(link)
    try:
        message = codec.encode_call(what, serializer, seq)
        if connection.side and wants_output(link, what):
            message.flags |= WANTS_OUTPUT
        buffers = connection.call(message, oneway=what.oneway)
        if link.lent:
            lend(link, what)
    except (ProtocolError, SecurityError) as error:
        # Nothing was sent; the connection stays as it is.
        take_back(what, link)
        raise explained(error, calling(link, what)) from error
    finally:
        SPEAKER.reset(token)
    try:
        return (yield from exchange(link, what, seq, buffers, deadline, raw=raw))
    finally:
        if what.lent:
            take_back(what)


def lend(link: Link, what: Call) -> None:
    """Note with a call, after it was written, what it lends to the other side.

    Raises:
        SerializeError: nobody will know when the call is over.
    """
    what.lent, link.lent = link.lent, []
    if what.oneway:
        raise SerializeError(
            f"an iterator is asked for its items while a call runs, and {what.method!r} is oneway: nobody waits for "
            "its end. Take oneway away, or send a list"
        )


def take_back(what: Call, link: Link | None = None) -> None:
    """Take back what a call lends to the other side, when it is over; with a link, to which it could not be written."""
    if link is not None:
        what.lent, link.lent = (*what.lent, *link.lent), []
    for each in what.lent:
        each()


def exchange(
    link: Link, what: Call, seq: int, buffers: Sequence[Buffer], deadline: float | None, *, raw: bool = False
) -> Procedure[Outcome]:
    """Send a call that was laid out, and wait for what became of it; without buffers it was sent already."""
    connection, codec = link.connection, link.codec
    assert connection is not None
    assert codec is not None
    sent = not buffers
    hearing: Hearing | None = None
    try:
        if buffers:
            yield Send(link, buffers, deadline)
        if what.oneway:
            return NOTHING
        sent = True
        if connection.side:
            hearing = Hearing(what.wishes.listener or ambient().listener, what.wishes.on_progress, what)
        event = yield Reply(link, seq, deadline, hearing)
        # Before anything is called here, where an interrupt may strike.
        if event.message.flags & codec.dialect.item_stream:
            what.opening = event.message
    except GeneratorExit:
        raise
    except BaseException as error:
        told = yield from give_up(Abandon(link, connection, seq, sent), what, error)
        if told is error:
            raise
        raise told from error
    finally:
        if hearing is not None:
            hearing.finish()
    return Returned(event.message, event.message.annotations) if raw else understood(link, codec, what, event.message)


def understood(link: Link, codec: Codec, what: Call, reply: Message) -> Outcome:
    """Read what became of a call from the reply, on whose connection this was the codec."""
    try:
        outcome = codec.decode_reply(reply)
    except (ProtocolError, SecurityError) as error:
        # The whole reply was read; the connection stays as it is.
        raise explained(error, calling(link, what)) from error
    if outcome.annotations:
        show_notice(link, outcome)
    return outcome


_PATIENCE = 0.3
"""Seconds that whoever interrupts a call waits for what becomes of it over there."""


def give_up(owed: Abandon, what: Call, error: BaseException) -> Procedure[BaseException]:
    """Abandon the reply that is owed, and give the error that tells the caller.

    A pyronb peer is told that nobody wants the reply, when the caller was interrupted or the deadline has passed. What
    became of the call over there is left on the interrupt, as text in its attribute ``pyronb`` and as a note.
    """
    link, connection = owed.link, owed.connection
    if connection.side and connection.state is OPEN and owed.seq is not None and not what.oneway:
        if not isinstance(error, CommunicationError):
            owed.farewell, owed.patience = connection.withdraw(owed.seq), _PATIENCE
        elif isinstance(error, TimeoutError) and owed.sent:
            owed.farewell = connection.withdraw(owed.seq)
    answer = yield owed
    if not isinstance(error, CommunicationError):
        if owed.farewell:
            _leave_word(error, f"{what.method!r} of {what.object_id!r} {_became(link, what, answer)}")
        return error
    circumstances = calling(link, what)
    if isinstance(error, ConnectionClosedError) and not link.given_socket:
        circumstances += "; is its program still running? the next call connects again"
    if isinstance(error, TimeoutError):
        wished = what.wishes.timeout
        if wished:
            circumstances += f"; its timeout allows {wished:g} s"
        elif wished is None and link.timeout is not None:
            circumstances += f"; COMMTIMEOUT or _pyroTimeout allows {link.timeout:g} s"
    return explained(error, circumstances)


def _became(link: Link, what: Call, answer: Any) -> str:
    """Say what became of a call that was interrupted."""
    if answer is False:
        return "was told to stop over there; its result is dropped"
    if answer is None or link.codec is None:
        return "has not stopped over there so far; its result is dropped"
    if answer.message.flags & HEARD:
        return "was stopped over there"
    try:
        outcome = understood(link, link.codec, what, answer.message)
    except PyroError:
        return "has ended over there; its result is dropped"
    if isinstance(outcome, Raised):
        return f"has ended over there with {type(outcome.error).__name__}"
    leave_note(link.notes, link.dialect, answer.message)
    return "has ended over there; its result is dropped"


def forsake(link: Link, what: Call) -> None:
    """Leave a note for the daemon where a call was given up whose reply opened a far stream."""
    if what.opening is not None:
        leave_note(link.notes, link.dialect, what.opening)


def leave_note(notes: list[str], dialect: Dialect, reply: Message) -> None:
    """Add to the notes of a link the far stream that a reply opened, if it is such a reply."""
    if reply.flags & dialect.item_stream:
        with suppress(ProtocolError):
            stream_id = stream_of(reply)
            if stream_id is not None:
                notes.append(stream_id)


def _leave_word(error: BaseException, word: str) -> None:
    """Leave on an interrupt what became of the call that it hit."""
    with suppress(AttributeError):
        error.pyronb = word  # type: ignore[attr-defined]  # it is for whoever shows the interrupt
        add_note = getattr(error, "add_note", None)  # younger than Python 3.10
        if add_note is not None:
            add_note(word)


def calling(link: Link, what: Call) -> str:
    """Tell what was being done, for messages."""
    return f"while calling {what.method!r} of {what.object_id!r} at {link.place}"


def deliver_notes(link: Link) -> Procedure[None]:
    """Tell the daemon which far streams nobody iterates any more."""
    for stream_id in list(link.notes):
        # An interrupt leaves the note where it is, and another task or thread may be about to deliver the same one: to
        # be told twice does a daemon no harm.
        try:
            yield from call(link, closing_of(stream_id), None)
        except ConnectionClosedError:
            # The stream may outlive its connection; the next one tells the daemon.
            raise
        except Exception:
            _strike_off(link, stream_id)
            raise
        _strike_off(link, stream_id)


def closing_of(stream_id: str) -> Call:
    """Give the call that tells a daemon that nobody iterates a far stream any more."""
    return Call(DAEMON_ID, "close_stream", (stream_id,), {}, oneway=True)


def _strike_off(link: Link, stream_id: str) -> None:
    with suppress(ValueError):
        link.notes.remove(stream_id)


def ping(link: Link, deadline: float | None) -> Procedure[None]:
    """Ask the daemon for a sign of life, below the level of calls. (Section 15.)"""
    connection = link.connection
    assert connection is not None
    buffers = connection.ping(Message(PING, 42, 0, 0, b"ping"))
    sent = False
    try:
        yield Send(link, buffers, deadline)
        sent = True
        event = yield Reply(link, None, deadline)
    except GeneratorExit:
        raise
    except BaseException as error:
        yield Abandon(link, connection, None, sent)
        if not isinstance(error, CommunicationError):
            raise
        raise explained(error, f"while pinging {link.place}") from error
    if not isinstance(event, Pinged):
        yield HangUp(link)
        raise ProtocolError(f"{link.place} did not answer a ping")


def check(event: Any, seq: int | None) -> bool:
    """Tell whether this event is the one that a `Reply` effect waits for; drivers ask it.

    Raises:
        ProtocolError: the peer broke the protocol.
    """
    if isinstance(event, Broken):
        raise event.error
    return seq is None or (isinstance(event, Replied) and event.message.seq == seq)


def explained(error: PyroError, circumstances: str) -> PyroError:
    """Give the same kind of error with the circumstances in its text."""
    return type(error)(f"{error} ({circumstances})")
