"""What a client does: connect, call, retry. Each is a generator procedure; none of them touches a socket or a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pyronb.calls import recordings
from pyronb.client.acquaintances import remember
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
)
from pyronb.client.face import annotations_of_owner
from pyronb.client.hearing import Hearing, wants_output
from pyronb.client.link import Link
from pyronb.client.notices import show_notice
from pyronb.client.recording import recorded
from pyronb.client.speech import agree, codec_for, for_greeting
from pyronb.context import ambient
from pyronb.dialects import PYRO4, Dialect
from pyronb.errors import (
    CommunicationError,
    ConnectionClosedError,
    NamingError,
    ProtocolError,
    PyroError,
    SecurityError,
    SerializeError,
    TimeoutError,
)
from pyronb.options import ClientOptions
from pyronb.rpc.call import DAEMON_ID, NAMESERVER_ID, NOTHING, Call, Outcome, Raised, Returned, StreamOpened
from pyronb.rpc.codec import Codec
from pyronb.rpc.handshake import ASIDE, SIDE, Acceptance, Peer, decode_acceptance, decode_refusal, encode_greeting
from pyronb.rpc.metadata import Metadata
from pyronb.serializers.hooks import SPEAKER
from pyronb.serializers.recreate import MARK
from pyronb.uri import URI
from pyronb.wire.connection import OPEN, ClientConnection, OtherDialectError
from pyronb.wire.events import Accepted, Broken, Pinged, Refused, Replied
from pyronb.wire.message import HEARD, NO_ANNOTATIONS, PING, WANTS_OUTPUT, Buffer, Message
from pyronb.wire.watching import watch_for

__all__ = [
    "absent",
    "adopt",
    "call",
    "calling",
    "check",
    "connect",
    "deliver_notes",
    "exchange",
    "explained",
    "give_up",
    "hang_up",
    "invoke",
    "lend",
    "locate",
    "lookup",
    "lookup_by_tags",
    "machine",
    "ping",
    "reconnect",
    "resolve",
    "take_back",
    "understood",
    "unwelcome",
    "welcomed",
]

_PAUSE = 2.0
"""Seconds between two attempts to reconnect."""
_LOOK_AGAIN = 0.2
"""Seconds between two looks for a name."""


# Connecting


def connect(
    link: Link, deadline: float | None = None, annotations: Mapping[str, Buffer] = NO_ANNOTATIONS
) -> Procedure[None]:
    """Connect and greet, unless the link is connected.

    All of it together, looking names up too, may take as long as the link's `connect_timeout`, and until the deadline.
    The annotations go beside the greeting.

    Raises:
        NamingError: the name is not known, or no name server was found.
        ConnectionClosedError: nobody answers there.
        TimeoutError: no answer in time.
        ProtocolError: what answers is no Pyro peer, or speaks another protocol.
        CommunicationError: the daemon refused; the message holds its reason.
        PyroError: the object exposes nothing, or the daemon does not tell what it exposes.
        Exception: whatever the link's owner refuses the daemon's answer with.
    """
    if link.connected:
        return
    if link.given_socket:
        raise ConnectionClosedError(f"the socket that the proxy for {link.uri} was given is no longer in use")
    yield HangUp(link)
    limit = link.options.connect_timeout
    if limit is not None:
        own = yield After(limit + link.options.lookup.delay)
        deadline = own if deadline is None else min(own, deadline)
    place = yield from resolve(link.uri, link.options, deadline, link.key)
    link.connected_uri = place
    # Only one dialect knows keys, and what was meant to be signed is not to be sent unsigned.
    location = str(place.location)
    link.dialect = PYRO4 if link.key is not None else _dialects.get(location, link.dialect)
    try:
        yield from _dial_and_greet(link, place, deadline, annotations)
    except OtherDialectError as error:
        yield HangUp(link)
        link.dialect = error.dialect
        yield from _dial_and_greet(link, place, deadline, annotations)
    if _dialects.get(location) is not link.dialect:
        _remember(location, link.dialect)


_dialects: dict[str, Dialect] = {}
"""Which dialect is spoken where, so that a peer is only once greeted in the wrong one."""
_MOST_DIALECTS = 1000


def _remember(location: str, dialect: Dialect) -> None:
    if len(_dialects) >= _MOST_DIALECTS:
        _dialects.clear()
    _dialects[location] = dialect


def _dial_and_greet(
    link: Link, place: URI, deadline: float | None, annotations: Mapping[str, Buffer]
) -> Procedure[None]:
    try:
        yield Dial(link, place, deadline)
    except ConnectionClosedError as error:
        told = absent(place, error)
        if told is error:
            raise
        raise told from error
    try:
        yield from _greet(link, place, deadline, annotations)
    except GeneratorExit:
        raise
    except BaseException:
        yield HangUp(link)
        raise


def absent(place: URI, error: ConnectionClosedError) -> ConnectionClosedError:
    """Give the error for nobody answering there, which may be the one that told so."""
    if place.back is not None:
        return ConnectionClosedError(f"cannot connect to {place}: {error}")
    if place.object == NAMESERVER_ID:
        return error
    return ConnectionClosedError(f"{error}; is the program that serves it running?")


def machine(link: Link) -> ClientConnection:
    """Make the connection machine for a link."""
    wire = link.options.wire
    return ClientConnection(
        link.dialect,
        max_message_size=wire.max_message_size,
        sequence=link.sequence,
        key=link.key,
        watch=watch_for(logged=wire.log),
    )


def _greet(link: Link, place: URI, deadline: float | None, annotations: Mapping[str, Buffer]) -> Procedure[None]:
    codec = codec_for(link, Peer())
    serializer = for_greeting(link, codec)
    connection = machine(link)
    link.connection = connection
    assert isinstance(place.object, str)
    greeting = encode_greeting(
        serializer,
        place.object,
        link.handshake,
        link.sequence,
        link.dialect,
        metadata=link.options.metadata,
        annotations={**annotations_of_owner(link), **annotations},
        wants=link.wants,
        back=link.back,
        # Whoever is given the messages themselves reads their payloads by other means.
        cannot=() if link.options.beside and not link.raw else (ASIDE,),
    )
    try:
        yield Send(link, connection.greet(greeting), deadline)
    except (CommunicationError, SecurityError) as error:
        raise unwelcome(link, place, error) from error
    yield from welcomed(link, place, greeting, deadline)


def welcomed(link: Link, place: URI, greeting: Message, deadline: float | None) -> Procedure[None]:
    """Hear the answer to a greeting that was sent, and have the link know all that comes of it; raises as `connect`."""
    connection, codec = link.connection, codec_for(link, Peer())
    assert connection is not None
    assert isinstance(place.object, str)
    serializer = for_greeting(link, codec)
    try:
        event = yield Reply(link, None, deadline)
        answer = None
        if isinstance(event, Accepted):
            answer = _understood_acceptance(codec, event.message)
    except OtherDialectError:
        raise
    except (CommunicationError, SecurityError) as error:
        raise unwelcome(link, place, error) from error
    if isinstance(event, Refused):
        text = decode_refusal(_refusal_payload(codec, event.message))
        if _SERIALIZER in text and serializer.name not in text:
            # Real daemons tell but its number.
            text += f" (which is {serializer.name}; choose another one with SERIALIZER or _pyroSerializer)"
        raise CommunicationError(f"connection to {link.place} rejected: {text}")
    if answer is None:
        raise ProtocolError(f"{link.place} did not answer the greeting")
    agree(link, answer.peer)
    link.handshake_answer, link.handshake_annotations = answer.handshake, event.message.annotations
    link.remote = answer.peer
    connection.side = SIDE in answer.peer.abilities
    if link.options.metadata:
        metadata = answer.metadata or (yield from _ask_metadata(link, place.object, deadline))
        link.learn(metadata)
        if not metadata.methods and not metadata.attributes:
            raise PyroError(
                f"remote object at {link.place} doesn't expose any methods or attributes; mark them with @expose"
            )
    if link.owner is not None:
        link.owner._pyroValidateHandshake(answer.handshake)
        if link.handshake_annotations:
            link.owner._pyroResponseAnnotations(link.handshake_annotations, event.message.type)
    remember(link, greeting, event.message, answer)


def unwelcome(link: Link, place: URI, error: CommunicationError | SecurityError) -> PyroError:
    """Give the error for a handshake that failed."""
    if isinstance(error, ConnectionClosedError):
        return ConnectionClosedError(f"{error}; {_why_closed(link, place)} (while connecting to {link.place})")
    circumstances = f"while connecting to {link.place}"
    limit = link.options.connect_timeout
    if isinstance(error, TimeoutError) and limit is not None:
        circumstances += f"; CONNECT_TIMEOUT and COMMTIMEOUT allow {limit:g} s"
    return explained(error, circumstances)


def _why_closed(link: Link, place: URI) -> str:
    if place.back is not None:
        return "the program that passed it has gone, or does not offer it any more"
    # Real daemons that talk TLS hang up on who does not without a word, and mostly on who shows no certificate.
    over_tls = link.options.tls is not None
    return "it may want a certificate, SSL_CLIENTCERT" if over_tls else "if it talks TLS, switch SSL on"


_SERIALIZER = "serializer that is not accepted"
"""What daemons of all families say, and before it `message used`."""


def _refusal_payload(codec: Codec, message: Message) -> object:
    try:
        return codec.decode_payload(message)
    except (ProtocolError, SecurityError):
        # The reason matters more than its encoding.
        return message.payload


def _ask_metadata(link: Link, object_id: str, deadline: float | None) -> Procedure[Metadata]:
    asked = yield from call(link, Call(DAEMON_ID, "get_metadata", (object_id,), {}), deadline)
    if isinstance(asked, Raised):
        if isinstance(asked.error, AttributeError):
            raise PyroError(
                f"the daemon at {link.place} does not tell what its objects expose: {asked.error}. It is older than "
                "that; set METADATA to False (pyronb.config.METADATA) to call it without"
            ) from asked.error
        raise asked.error
    return Metadata.from_wire(asked.value if isinstance(asked, Returned) else None)


_acceptances: dict[Any, Acceptance] = {}
"""What was told in a handshake, by its bytes: a daemon tells all clients the same, and much of it."""
_MOST_ACCEPTANCES = 32
_LONGEST_ACCEPTANCE = 64 * 1024


def _understood_acceptance(codec: Codec, message: Message) -> Acceptance:
    """Read the answer to a greeting.

    Raises:
        ProtocolError: it is no such thing.
        SerializeError: it cannot be read.
    """
    payload, dialect = message.payload, codec.dialect
    key = (codec.catalog, message.serializer_id, message.flags, payload)
    keep = type(payload) is bytes and len(payload) <= _LONGEST_ACCEPTANCE
    known = _acceptances.get(key) if keep else None
    if known is not None:
        return known
    answer = decode_acceptance(codec.decode_payload(message), dialect, message.flags)
    # Only what is nothing but text can be shared, and what no hook had a part in.
    if keep and type(answer.handshake) is str and not message.flags & dialect.compressed and _MARK not in payload:
        if len(_acceptances) >= _MOST_ACCEPTANCES:
            _acceptances.clear()
        _acceptances[key] = answer
    return answer


_MARK = MARK.encode("ascii")


def adopt(link: Link, deadline: float | None) -> Procedure[None]:
    """Take up a socket that is connected already: there is no handshake, and metadata is asked for. (Section 28.)"""
    link.remote = Peer()
    agree(link, link.remote)
    link.connection = machine(link)
    link.connection.open()
    assert isinstance(link.uri.object, str)
    if link.options.metadata:
        link.metadata = yield from _ask_metadata(link, link.uri.object, deadline)


def hang_up(link: Link) -> Procedure[None]:
    """Close the connection, if there is one; the link can connect again."""
    yield HangUp(link)


def reconnect(link: Link, tries: int) -> Procedure[None]:
    """Close the connection and connect again, trying so often with pauses in between.

    Raises:
        ConnectionClosedError: no attempt succeeded; the last one's error is its cause.
    """
    yield HangUp(link)
    if link.given_socket:
        yield Connect(link)  # says that it cannot
    failed: Exception | None = None
    for attempt in range(tries):
        if attempt:
            yield Pause(_PAUSE)
        try:
            yield Connect(link)
        except (CommunicationError, NamingError) as error:
            failed = error
        else:
            return
    raise ConnectionClosedError(f"failed to reconnect to {link.place}: {failed}") from failed


# Calling


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
    if isinstance(outcome, StreamOpened) and outcome.stream_id is not None:
        link.notes.append(outcome.stream_id)
    return "has ended over there; its result is dropped"


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
    while link.notes:
        closed = Call(DAEMON_ID, "close_stream", (link.notes.pop(),), {}, oneway=True)
        yield from call(link, closed, None)


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


# Finding by name


def locate(
    options: ClientOptions,
    host: str | None,
    port: int | None,
    deadline: float | None,
    key: bytes | None = None,
    *,
    broadcast: bool = True,
) -> Procedure[Link]:
    """Find a name server and connect to it; with a key, messages to it are signed.

    Where a host is given, the name server is there. Without, it is looked for on this machine, if that is where the
    options expect it, then by a broadcast, then where the options say. (Wire specification, sections 21 and 22.)

    Raises:
        NamingError: there is none; the cause says why.
    """
    wanted = options.lookup
    if host:
        return (yield from _locate_at(options, host, port or wanted.port, deadline, key))
    for place in _nearby(wanted.host):
        # The second place is a guess that must not cost much.
        limit = deadline if place == wanted.host else (yield After(_GUESS))
        try:
            return (yield from _locate_at(options, place, port or wanted.port, limit, key))
        except NamingError:
            continue
    # There are no broadcasts in IPv6.
    broadcast = broadcast and options.ip_version != _IPV6
    if broadcast:
        addresses, bcport = wanted.broadcast_addresses, port or wanted.broadcast_port
        found = yield Broadcast(_QUESTION, addresses, bcport, _announced, _ROUNDS, _ROUND, deadline)
        if found is not None:
            return (yield from _locate_at(options, str(found.host), found.port or wanted.port, deadline, key))
    return (yield from _locate_at(options, wanted.host, wanted.port, deadline, key, last=broadcast))


_IPV6 = 6
_QUESTION = b"GET_NSURI"
_ROUNDS = 3
_ROUND = 0.7
"""Seconds to wait for answers each time that the question is broadcast."""
_GUESS = 0.5
"""Seconds for connecting where a name server may be but nobody said so."""
_LONGEST_ANNOUNCEMENT = 100


def _nearby(host: str) -> tuple[str, ...]:
    """List where a name server on this machine may be, when that is where it is expected."""
    if host == "::1" or host.startswith("./u:"):
        return (host,)
    if host == "localhost" or host.startswith("127."):
        # To which some systems resolve their own name.
        return (host,) if host == "127.0.1.1" else (host, "127.0.1.1")
    return ()


def _announced(answer: bytes) -> URI | None:
    """Give the address that a name server announced; None when that is no such thing, for anybody can send anything."""
    if len(answer) > _LONGEST_ANNOUNCEMENT:
        return None
    try:
        uri = URI(answer.decode("iso-8859-1"))
    except PyroError:
        return None
    return uri if uri.object == NAMESERVER_ID and uri.protocol == "PYRO" and uri.host else None


def _locate_at(
    options: ClientOptions, host: str, port: int, deadline: float | None, key: bytes | None, *, last: bool = False
) -> Procedure[Link]:
    """Connect to the name server at this place; `last` when a broadcast was tried before.

    Raises:
        NamingError: there is none; the cause says why.
    """
    where = f"[{host}]" if ":" in host and not host.startswith("./u:") else host
    place = where if where.startswith("./u:") else f"{where}:{port}"
    link = Link.to(URI(f"PYRO:{NAMESERVER_ID}@{place}"), options)
    link.key = key
    link.serializer_name = "serpent"  # every name server takes it
    try:
        yield from connect(link, deadline)
    except PyroError as error:
        also = ", nor by a broadcast" if last else ""
        # What was there and cannot be talked to has said what to do.
        absent = isinstance(error, ConnectionClosedError | TimeoutError)
        hint = ". Start one with 'pyronb ns', or set NS_HOST and NS_PORT" if absent else ""
        raise NamingError(f"no name server found at {place}{also}: {error}{hint}") from error
    return link


def lookup(server: Link, name: str, deadline: float | None) -> Procedure[URI]:
    """Ask a connected name server for the address of a name.

    Raises:
        NamingError: the name is not known there.
    """
    found = yield from _ask(server, Call(NAMESERVER_ID, "lookup", (name,), {}), deadline)
    if not isinstance(found, URI):
        raise ProtocolError(f"the name server at {server.place} answered a lookup with {type(found).__name__}")
    return found


def lookup_by_tags(server: Link, tags: list[str], deadline: float | None) -> Procedure[list[URI]]:
    """Ask a connected name server for the addresses of all objects that have all these tags.

    Raises:
        NamingError: there is none.
    """
    if server.dialect.tag_lookup:
        question = Call(NAMESERVER_ID, "yplookup", (tags, None, False), {})
    else:
        question = Call(NAMESERVER_ID, "list", (), {"metadata_all": tags})
    found = yield from _ask(server, question, deadline)
    if not isinstance(found, dict):
        raise ProtocolError(f"the name server at {server.place} answered a lookup by tags with {type(found).__name__}")
    if not found:
        raise NamingError(f"no object with the tags {', '.join(tags)} is registered")
    return [URI(uri) for _, uri in sorted(found.items())]


def _ask(server: Link, question: Call, deadline: float | None) -> Procedure[Any]:
    asked = yield from call(server, question, deadline)
    if isinstance(asked, Returned):
        return asked.value
    if isinstance(asked, Raised):
        raise asked.error
    raise ProtocolError(f"the name server at {server.place} answered a lookup with a stream")


def _find(server: Link, uri: URI, delay: float, deadline: float | None) -> Procedure[list[URI]]:
    """Ask for what an address names, again and again for so many seconds while it is not registered."""
    waited = 0.0
    while True:
        try:
            if isinstance(uri.object, str):
                return [(yield from lookup(server, uri.object, deadline))]
            return (yield from lookup_by_tags(server, sorted(uri.object), deadline))
        except NamingError as error:
            if waited >= delay:
                raise explained(error, f"while looking up {uri} at {server.place}") from error
        step = min(_LOOK_AGAIN, delay - waited)
        yield Pause(step)
        waited += step


def resolve(uri: URI, options: ClientOptions, deadline: float | None, key: bytes | None = None) -> Procedure[URI]:
    """Find the direct address that a PYRONAME or PYROMETA address stands for.

    Raises:
        NamingError: no name server was found, or it does not know the name or tags.
    """
    if uri.protocol == "PYRO":
        return uri
    host = f"./u:{uri.sockname}" if uri.sockname else uri.host
    server = yield from locate(options, host, uri.port, deadline, key)
    try:
        found = yield from _find(server, uri, options.lookup.delay, deadline)
    except GeneratorExit:
        raise
    except BaseException:
        yield HangUp(server)
        raise
    yield HangUp(server)
    if len(found) == 1:
        return found[0]
    choice = yield Choose(len(found))
    return found[choice]
