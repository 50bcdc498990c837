"""Greeting: how a link dials a place, what it says there first, and what it knows from the answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pyronb.client.acquaintances import remember
from pyronb.client.calling import call, explained, leave_note
from pyronb.client.effects import After, Dial, HangUp, Procedure, Reply, Send
from pyronb.client.face import annotations_of_owner
from pyronb.client.link import Link
from pyronb.client.speech import agree, codec_for, for_greeting
from pyronb.dialects import PYRO4, Dialect
from pyronb.errors import (
    CommunicationError,
    ConnectionClosedError,
    ProtocolError,
    PyroError,
    SecurityError,
    TimeoutError,
)
from pyronb.options import ClientOptions
from pyronb.rpc.call import DAEMON_ID, NAMESERVER_ID, Call, Raised, Returned
from pyronb.rpc.codec import Codec
from pyronb.rpc.handshake import ASIDE, SIDE, Acceptance, Peer, decode_acceptance, decode_refusal, encode_greeting
from pyronb.rpc.metadata import Metadata
from pyronb.serializers.recreate import MARK
from pyronb.uri import URI
from pyronb.wire.connection import ClientConnection, OtherDialectError
from pyronb.wire.events import Accepted, Refused
from pyronb.wire.message import Buffer, Message
from pyronb.wire.watching import watch_for

__all__ = ["absent", "ask_metadata", "limited", "machine", "reach", "unwelcome", "welcomed"]


def limited(options: ClientOptions, deadline: float | None) -> Procedure[float | None]:
    """Give the moment at which connecting ends, looking names up too: by `connect_timeout`, and at the deadline."""
    limit = options.connect_timeout
    if limit is None:
        return deadline
    own: float = yield After(limit + options.lookup.delay)
    return own if deadline is None else min(own, deadline)


def reach(link: Link, place: URI, deadline: float | None, annotations: Mapping[str, Buffer]) -> Procedure[None]:
    """Dial a place and greet there, once more in the other dialect if need be; raises as `connect`."""
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
        # It is not to hold the link, which holds it.
        dropped=partial(leave_note, link.notes, link.dialect),
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
    connection.side, connection.abreast = SIDE in answer.peer.abilities, answer.peer.takes_rows(link.wants)
    if link.options.metadata:
        metadata = answer.metadata or (yield from ask_metadata(link, place.object, deadline))
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


def ask_metadata(link: Link, object_id: str, deadline: float | None) -> Procedure[Metadata]:
    """Ask the daemon what an object exposes, where the handshake did not tell.

    Raises:
        PyroError: the daemon does not tell, or whatever else it raised.
    """
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
