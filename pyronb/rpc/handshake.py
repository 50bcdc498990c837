"""The handshake: greeting, acceptance and refusal. (Wire specification, sections 8 and 32.)

Both maps carry one extra key, ``pyronb``, in which a pyronb peer says its version and what it can do. Real peers do not
look at it. Whatever goes beyond the plain protocol is used only when both ends listed it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pyronb.dialects import PYRO5, Dialect
from pyronb.errors import ProtocolError
from pyronb.rpc.metadata import Metadata
from pyronb.serializers.base import Serializer
from pyronb.version import __version__
from pyronb.wire.message import CONNECT, CONNECTFAIL, CONNECTOK, NO_ANNOTATIONS, Buffer, Message

__all__ = [
    "ABREAST",
    "ASIDE",
    "BACK",
    "DETAILS",
    "ITEMS",
    "ROWS",
    "SIDE",
    "TOGETHER",
    "Acceptance",
    "Greeting",
    "Peer",
    "decode_acceptance",
    "decode_greeting",
    "decode_refusal",
    "encode_acceptance",
    "encode_greeting",
    "encode_refusal",
]

KEY = "pyronb"
BACK = "back"
"""The peer keeps connections over which it calls whoever made them; under this name a greeting has its secret."""
DETAILS = "details"
"""The peer wants, or gives, documentation in its metadata."""
ITEMS = "items"
"""The peer gives, or asks for, several items of a far stream at once."""
ROWS = "rows"
"""The peer reads batches in which calls that are alike are one entry; see `pyronb.rpc.rows`."""
TOGETHER = "together"
"""The peer answers calls that are on their way together in any order, on a connection whose client wants that."""
ABREAST = "abreast"
"""The peer takes calls of one method that are on their way together in one message; see `pyronb.rpc.rows`."""
SIDE = "side"
"""The peer tells of calls while they run, and hears that they are not wanted any more."""

ASIDE = "beside"
"""The peer reads payloads that have values beside them, whatever serializer they are in."""

ABILITIES = (ABREAST, ASIDE, BACK, DETAILS, ITEMS, ROWS, TOGETHER, SIDE)
"""What this version can do."""

_MAX_TEXT = 2000
_MOST_WRITTEN = 16
"""Most handshakes that are kept for one object, as they were written."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end.

    Attributes:
        version: version of pyronb over there; empty for a real Pyro peer.
        abilities: what it says it can do.
        serializers: names of the serializers that it says requests may use; empty when it did not say.
        wants: which abilities it wants used on this connection, of those that are not used without being asked for.
        back: secret of the key under which the connection is to be kept for calls the other way; empty for an ordinary
            one.
    """

    version: str = ""
    abilities: frozenset[str] = frozenset()
    serializers: frozenset[str] = frozenset()
    wants: frozenset[str] = frozenset()
    back: str = ""

    @property
    def is_pyronb(self) -> bool:
        """Whether the peer runs pyronb."""
        return bool(self.version)

    def takes_rows(self, wants: Collection[str]) -> bool:
        """Whether calls to this peer may go abreast, on a connection whose greeting had these wishes."""
        return TOGETHER in wants and {ABREAST, TOGETHER} <= self.abilities


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a client says first."""

    object_id: str
    """Id of the object that it is for; empty when no metadata is wanted, for then it need not be told."""
    handshake: Any
    peer: Peer
    wants_metadata: bool = True


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a daemon answers when it takes a client in."""

    handshake: Any
    metadata: Metadata | None
    peer: Peer


def _introduction(
    serializers: Collection[str] = (),
    wants: Collection[str] = (),
    back: str = "",
    cannot: Collection[str] = (),
) -> dict[str, Any]:
    said: dict[str, Any] = {"version": __version__, "can": [word for word in ABILITIES if word not in cannot]}
    if back:
        said[BACK] = back
    if wants:
        said["wants"] = sorted(wants)
    if serializers:
        said["serializers"] = sorted(serializers)
    return said


def _peer(wire: object) -> Peer:
    if not isinstance(wire, Mapping):
        return Peer()
    version = wire.get("version")
    if not isinstance(version, str):
        return Peer()
    back = wire.get(BACK)
    return Peer(
        version[:50],
        _words(wire.get("can")),
        _words(wire.get("serializers")),
        _words(wire.get("wants")),
        back[:_MAX_TEXT] if isinstance(back, str) else "",
    )


def _words(wire: object) -> frozenset[str]:
    words = wire if isinstance(wire, list | tuple | set | frozenset) else ()
    return frozenset(word for word in words if isinstance(word, str))


def encode_greeting(
    serializer: Serializer,
    object_id: str,
    handshake: Any,
    seq: int,
    dialect: Dialect = PYRO5,
    *,
    metadata: bool = True,
    annotations: Mapping[str, Buffer] = NO_ANNOTATIONS,
    wants: Collection[str] = (),
    back: str = "",
    cannot: tuple[str, ...] = (),
) -> Message:
    """Make the CONNECT message.

    Args:
        serializer: what writes it.
        object_id: id of the object that the conversation is for.
        handshake: what the client has to say.
        seq: number of the message.
        dialect: protocol of the conversation.
        metadata: whether to ask what the object exposes; in some dialects everybody is told.
        annotations: chunks that go beside it.
        wants: abilities that are wanted on this connection.
        back: as in `Peer`.
        cannot: abilities that are not there on this connection.
    """
    about = object_id if metadata or not dialect.metadata_flag else None
    # A program mostly says the same to the same object. Each serializer is made for one dialect.
    key = (serializer, about, handshake, wants, cannot)
    keep = type(handshake) is str and type(wants) is tuple and len(handshake) <= _MAX_TEXT and not back
    written = _greetings.get(key) if keep else None
    if written is None:
        greeting: dict[str, Any] = {"handshake": handshake, KEY: _introduction(wants=wants, back=back, cannot=cannot)}
        if about is not None:
            greeting["object"] = about
        written = serializer.dumps(greeting)
        if keep:
            if len(_greetings) >= _MOST_GREETINGS:
                _greetings.clear()
            _greetings[key] = written
    flags = dialect.metadata_flag if metadata else 0
    return Message(CONNECT, serializer.number, flags, seq, written, annotations)


_greetings: dict[Any, bytes] = {}
_MOST_GREETINGS = 128


def decode_greeting(value: object, dialect: Dialect = PYRO5, flags: int = 0) -> Greeting:
    """Read the payload of a CONNECT message with these flags.

    Raises:
        ProtocolError: it is not shaped as a greeting.
    """
    if not isinstance(value, Mapping):
        raise ProtocolError(f"the greeting should be a map, not {type(value).__name__}")
    wants_metadata = not dialect.metadata_flag or bool(flags & dialect.metadata_flag)
    for key in ("handshake", "object") if wants_metadata else ("handshake",):
        if key not in value:
            raise ProtocolError(repr(key))  # the very text that real daemons give
    object_id = value["object"] if wants_metadata else ""
    if not isinstance(object_id, str):
        raise ProtocolError("the object id in the greeting should be a text")
    return Greeting(object_id, value["handshake"], _peer(value.get(KEY)), wants_metadata)


def encode_acceptance(
    serializer: Serializer,
    dialect: Dialect,
    metadata: Metadata | None,
    handshake: Any,
    peer: Peer,
    greeting: Message,
    serializers: Collection[str] = (),
    cannot: tuple[str, ...] = (),
) -> Message:
    """Make the CONNECTOK message; towards a real peer it holds nothing but what that expects.

    Without metadata, which protocol 48 allows, it is the bare answer to the handshake. A pyronb peer is told the names
    of the serializers that requests may use, and which abilities are not there on this connection.
    """
    if metadata is None:
        payload = serializer.dumps(handshake)
        return Message(CONNECTOK, serializer.number, 0, greeting.seq, payload, correlation_id=greeting.correlation_id)
    # Much is told in it, and the same to all clients. Each serializer is made for one dialect.
    known = metadata.written if type(handshake) is str and len(handshake) <= _MAX_TEXT else None
    key = (serializer, handshake, DETAILS in peer.abilities, peer.is_pyronb, frozenset(serializers), cannot)
    written = None if known is None else known.get(key)
    if written is None:
        answer: dict[str, Any] = {
            "handshake": handshake,
            "meta": metadata.to_wire(dialect, details=DETAILS in peer.abilities),
        }
        if peer.is_pyronb:
            answer[KEY] = _introduction(serializers, cannot=cannot)
        written = serializer.dumps(answer)
        if known is not None:
            if len(known) >= _MOST_WRITTEN:
                known.clear()  # what a client says may be part of the answer
            known[key] = written
    flags = dialect.metadata_flag
    return Message(CONNECTOK, serializer.number, flags, greeting.seq, written, correlation_id=greeting.correlation_id)


def decode_acceptance(value: object, dialect: Dialect = PYRO5, flags: int = 0) -> Acceptance:
    """Read the payload of a CONNECTOK message with these flags.

    Raises:
        ProtocolError: it is not shaped as an answer to a greeting.
    """
    if dialect.metadata_flag and not flags & dialect.metadata_flag:
        return Acceptance(value, None, Peer())
    if not isinstance(value, Mapping):
        raise ProtocolError(f"the answer to the greeting should be a map, not {type(value).__name__}")
    meta = value.get("meta")
    metadata = Metadata.from_wire(meta) if meta else None
    return Acceptance(value.get("handshake"), metadata, _peer(value.get(KEY)))


def encode_refusal(serializer: Serializer, text: str, seq: int = 0) -> Message:
    """Make the CONNECTFAIL message."""
    return Message(CONNECTFAIL, serializer.number, 0, seq, serializer.dumps(text))


def decode_refusal(value: object) -> str:
    """Read the payload of a CONNECTFAIL message; whatever it is, it becomes a text."""
    if isinstance(value, bytes | bytearray | memoryview):
        value = bytes(value).decode("utf-8", "replace")
    return str(value)[:_MAX_TEXT]
