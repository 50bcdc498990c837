"""Link: what a proxy knows of its object, and of the way to it.

A link is plain data. The procedures change it; the driver keeps the socket in it; nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyronb.dialects import PYRO5, Dialect, dialect_for
from pyronb.options import ClientOptions
from pyronb.rpc.codec import Codec
from pyronb.rpc.handshake import Peer
from pyronb.rpc.metadata import Metadata
from pyronb.serializers.base import Serializer
from pyronb.uri import URI
from pyronb.wire.connection import OPEN, ClientConnection
from pyronb.wire.message import NO_ANNOTATIONS, Buffer

__all__ = ["Link"]


@dataclass(slots=True, eq=False, repr=False)
class Link:
    """What a proxy knows.

    Attributes:
        uri: the address that the proxy was made with, or bound to.
        options: how to talk; the fields below that a user can change start from it.
        timeout: seconds that a call may take; None waits for ever.
        max_retries: how often a call is sent again after a lost connection or a timeout.
        serializer_name: the serializer for requests.
        handshake: what is said to the daemon when connecting.
        raw: results are given as the messages that they came in.
        owner: the proxy, where its class has a say in handshakes or annotations; see `ProxyFace`.
        dialect: the dialect to speak; the first connection finds out which one the peer speaks.
        key: shared key with which messages are signed, where the protocol knows that; None for none.
        connection: the connection machine; None when not connected.
        stream: the driver's socket; None when not connected.
        codec: calls to messages and back, on the present connection.
        serializer: the serializer for requests, on the present connection.
        connected_uri: the direct address of the present or last connection; None before the first.
        metadata: what the object exposes, as told by the last handshake; None before the first.
        remote: who is at the other end, as told by the last handshake; None before the first.
        handshake_answer: what the daemon answered to `handshake`.
        handshake_annotations: what came beside that answer.
        told: moment, on the clock of the synchronous room, at which the metadata was told; None when that is unknown.
        latency: seconds that the last connecting took; None before the first.
        sequence: number of the last request, kept over reconnects.
        notes: ids of far streams that nobody iterates any more; the next call tells the daemon. All links of an async
            proxy have the same ones.
        wants: abilities of a pyronb daemon that are wanted on connections of this link.
        back: secret of the key under which the daemon is to keep connections of this link, for calls the other way;
            empty for none.
        hold: stands for the arrival of the proxy that this link is of, or a copy of; None where nobody counts them.
        lent: what takes back what the call that is being written lends to the other side; see `Call`.
        unwanted: another thread than the one that waits does not want the answer to the present call.
        given_socket: the connection was given by the user: no handshake, and releasing leaves it open.
        lock: held while somebody talks over this link; belongs to the room that drives it.
        attempt: the connecting that is under way, in a room where others may join it; None when there is none.
        methods: remote methods by name, made once. It is what the proxy has as ``__dict__``, where Python itself finds
            them; names that begin with an underscore are the proxy's own.
        short: the room's short-cut for plain calls, on the present connection; None when there is none.
    """

    uri: URI
    options: ClientOptions
    timeout: float | None = None
    max_retries: int = 0
    serializer_name: str = "serpent"
    handshake: Any = "hello"
    raw: bool = False
    owner: Any = None
    dialect: Dialect = PYRO5
    key: bytes | None = None
    connection: ClientConnection | None = None
    stream: Any = None
    codec: Codec | None = None
    serializer: Serializer | None = None
    connected_uri: URI | None = None
    metadata: Metadata | None = None
    remote: Peer | None = None
    handshake_answer: Any = None
    handshake_annotations: Mapping[str, Buffer] = field(default_factory=lambda: NO_ANNOTATIONS)
    told: float | None = None
    latency: float | None = None
    sequence: int = 0
    notes: list[str] = field(default_factory=list)
    wants: tuple[str, ...] = ()
    back: str = ""
    hold: Any = None
    lent: list[Callable[[], None]] = field(default_factory=list)
    unwanted: bool = False
    given_socket: bool = False
    lock: Any = None
    attempt: Any = None
    methods: dict[str, Any] = field(default_factory=dict)
    short: Any = None

    @classmethod
    def to(cls, uri: URI, options: ClientOptions) -> Link:
        """Make a link that is not connected yet."""
        return cls(
            uri,
            options,
            timeout=options.timeout,
            max_retries=options.max_retries,
            serializer_name=options.serializer,
            dialect=dialect_for(options.protocol),
        )

    def twin(self) -> Link:
        """Make a link with the same settings and the same knowledge, and no connection."""
        return Link(
            URI(self.uri),
            self.options,
            timeout=self.timeout,
            max_retries=self.max_retries,
            serializer_name=self.serializer_name,
            handshake=self.handshake,
            raw=self.raw,
            owner=self.owner,
            dialect=self.dialect,
            key=self.key,
            connected_uri=self.connected_uri,
            metadata=self.metadata,
            remote=self.remote,
            hold=self.hold,
        )

    def sibling(self) -> Link:
        """Make a twin for a further connection of the same proxy: whichever of them talks next delivers the notes."""
        link = self.twin()
        link.notes = self.notes
        return link

    def learn(self, metadata: Metadata) -> None:
        """Know what the object offers; where that is something else than before, its methods are made anew."""
        known, self.metadata = self.metadata, metadata
        if self.methods and known is not metadata and known != metadata:
            self.forget_methods()

    def forget_methods(self) -> None:
        """Have the remote methods made anew, for the object may have others now."""
        # Another thread may add to them meanwhile.
        for name in list(self.methods):
            if not name.startswith("_"):
                self.methods.pop(name, None)

    @property
    def connected(self) -> bool:
        """Whether calls can be made at once."""
        return self.connection is not None and self.connection.state is OPEN and self.attempt is None

    @property
    def object_id(self) -> str:
        """Id of the object at its daemon; it is known once the link was connected."""
        name = (self.connected_uri or self.uri).object
        return name if isinstance(name, str) else ""

    @property
    def peer(self) -> str:
        """Who serves the object, for people: ``pyronb 0.1.0`` or ``Pyro5``; empty before the first connection."""
        if self.remote is None:
            return ""
        return f"pyronb {self.remote.version}" if self.remote.is_pyronb else self.dialect.family

    @property
    def place(self) -> str:
        """The address, for messages: with the direct one where that was looked up."""
        if self.connected_uri is None or self.connected_uri == self.uri:
            return str(self.uri)
        return f"{self.uri} ({self.connected_uri.location})"
