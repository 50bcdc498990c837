"""The connection machines: bytes in, events out, and back. No sockets here.

`receive` takes whatever chunk of bytes arrived. `next_event` gives the next event, or None when more bytes are needed.
The methods named for what one says (`greet`, `call`, `accept`, ...) give the buffers to send. A machine never raises
for what the peer did: it gives `Broken` once and is closed for good.

States of a client machine, and the messages that each takes::

    NEW        (greet)           -> GREETING
    GREETING   CONNECTOK         -> OPEN          CONNECTFAIL -> CLOSED
    OPEN       RESULT, PING      -> OPEN
    CLOSED

States of a server machine::

    NEW        CONNECT           -> GREETING      (anything else breaks it; the peer can still be told why)
    GREETING   (accept)          -> OPEN          (refuse) -> CLOSED
    OPEN       INVOKE, PING      -> OPEN
    CLOSED

While a server machine is in GREETING it hands nothing out, so messages that a client sent ahead wait their turn.

Where both ends said so in the handshake (`side`), a RESULT can also tell something of a call that goes on (`Told`), and
an INVOKE can withdraw one (`Withdrawn`). What is told of a call that nobody waits for any more is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyronb.dialects import PYRO4, PYRO5, Dialect, dialect_for
from pyronb.errors import MessageTooLargeError, ProtocolError, SecurityError
from pyronb.wire.bare import BARE_MAGIC, BARE_SIZE, read_bare
from pyronb.wire.buffer import Block, ReceiveBuffer
from pyronb.wire.events import Accepted, Broken, Called, Event, Greeted, Pinged, Refused, Replied, Told, Withdrawn
from pyronb.wire.layout import PREAMBLE_SIZE, TAG, Header, Layout
from pyronb.wire.message import (
    CANCELS,
    CONNECT,
    CONNECTFAIL,
    CONNECTOK,
    INVOKE,
    PING,
    RESULT,
    TELLS,
    Buffer,
    Message,
)
from pyronb.wire.pyro4 import Pyro4Layout
from pyronb.wire.pyro5 import Pyro5Layout
from pyronb.wire.watching import Watch

__all__ = ["CLOSED", "GREETING", "LAYOUTS", "NEW", "OPEN", "ClientConnection", "OtherDialectError", "ServerConnection"]

NEW = "NEW"
GREETING = "GREETING"
OPEN = "OPEN"
CLOSED = "CLOSED"

LAYOUTS: Mapping[Dialect, Layout] = {PYRO5: Pyro5Layout(), PYRO4: Pyro4Layout()}

_MOSTLY = TAG + PYRO5.version.to_bytes(2, "big")
"""What most conversations begin with."""
_SEQUENCE_MASK = 0xFFFF
_TLS_RECORDS = (0x15, 0x16)
_TLS_MAJOR = 3
"""What TLS begins with: an alert or a greeting, and its version."""
_BLOCK = 128 * 1024
"""Bytes of a message from which on it gets memory of its own, into which it can be received."""
_TRUSTED = 16
_ENOUGH = 1 << 20
"""A header is only a claim: memory is reserved when this part of a message, or so many bytes of it, have arrived."""
_GREETING_LIMIT = 1 << 20
"""Most bytes of a greeting: before a client was taken in, it is not given much memory."""
_SIDE_LIMIT = 64 * 1024
"""Most bytes of a message that only tells something of a call."""


class OtherDialectError(ProtocolError):
    """The peer speaks another dialect than this conversation, and it is one that is spoken here."""

    def __init__(self, dialect: Dialect, ours: Dialect) -> None:
        """Keep the peer's dialect."""
        super().__init__(f"invalid protocol version: {dialect.version}; this conversation is in {ours.version}")
        self.dialect = dialect


class _Connection:
    """What both ends share: the buffer, the dialect, the state and the reading of messages."""

    state: str
    dialect: Dialect | None
    """The dialect of the conversation; a server machine learns it from the first bytes."""
    side = False
    """Whether both ends know of side messages."""
    abreast = False
    """Whether both ends know of calls that come in rows, and the client wants its calls to run together."""

    def __init__(self, dialect: Dialect | None, max_message_size: int, key: bytes | None, watch: Watch | None) -> None:
        self.state = NEW
        self._watch = watch
        self.key = key
        """The shared key with which messages are signed; None for none."""
        self.dialect = dialect
        self._layout = LAYOUTS[dialect] if dialect is not None else None
        self._limit = max_message_size
        self._buffer = ReceiveBuffer()
        # A message that arrived alone and whole, as most do, is not put through the buffer.
        self._whole: Message | None = None
        self._header: Header | None = None
        self._block: Block | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes from the network."""
        if self._may_be_whole(data):
            assert self._layout is not None
            self._whole = self._layout.unpack_whole(data)
            if self._whole is not None:
                return
        if self._block is not None:
            data = self._block.feed(data)
        if self.state is not CLOSED:
            self._buffer.feed(data)

    def _may_be_whole(self, data: bytes) -> bool:
        """Whether these bytes may be a message that arrived alone, and may be as large as that."""
        state = self.state
        if state is CLOSED or self._whole is not None or self._header is not None or self._buffer.size or self.key:
            return False
        if self._layout is None:
            if data[:PREAMBLE_SIZE] != _MOSTLY:
                return False
            self._recognise(_MOSTLY)
        most = _GREETING_LIMIT if state is NEW else self._limit
        return not most or len(data) <= most

    @property
    def rest(self) -> memoryview | None:
        """Where the rest of a large message may be received to, to be told with `filled`; None when there is none.

        What arrives there need not be copied. It may as well be handed to `receive`.
        """
        return None if self._block is None or not self._block.missing else self._block.rest

    def filled(self, count: int) -> None:
        """Take note that so many bytes were received into `rest`."""
        assert self._block is not None
        self._block.filled(count)

    @property
    def idle(self) -> bool:
        """Whether the conversation stands, and nothing has arrived that was not taken."""
        return (
            self.state is OPEN
            and self._layout is not None
            and self._whole is None
            and self._header is None
            and not self._buffer
        )

    def take_bare(self, data: bytes) -> tuple[bytes, int, bytes] | None:
        """Read a bare message past the machine; None when it is none, or not the only thing that has arrived.

        The head is to be looked up among those that are expected: nothing in it was checked.

        What is None is to be handed to `receive`.
        """
        # As in `idle`, without its frame.
        size = len(data)
        if (
            self.state is not OPEN
            or self._whole is not None
            or self._header is not None
            or self._buffer.size
            or size < BARE_SIZE
            or size > self._limit > 0
        ):
            return None
        head, seq, payload_size, annotations_size, magic = read_bare(data)
        if annotations_size or payload_size + BARE_SIZE != size or magic != BARE_MAGIC:
            return None
        return head, seq, data[BARE_SIZE:]

    @property
    def midway(self) -> bool:
        """Whether a message has begun to arrive and is not complete."""
        return self._header is not None or len(self._buffer) > 0

    @property
    def missing(self) -> int:
        """Bytes that are known to be missing from the message that is arriving; 0 when that is not known."""
        if self._header is None:
            return 0
        if self._block is not None:
            return self._block.missing
        return max(0, self._header.annotations_size + self._header.payload_size - len(self._buffer))

    def close(self) -> None:
        """End the conversation on our side: nothing more is read or given out."""
        self.state = CLOSED
        self._buffer.clear()
        self._header = self._whole = self._block = None

    def leave(self) -> bytes:
        """End the conversation on our side, and give what has arrived and was not read, for whoever goes on."""
        rest = self._buffer.take(len(self._buffer))
        self.close()
        return rest

    def pack(self, message: Message) -> list[Buffer]:
        """Lay out a message in the dialect of the conversation.

        Raises:
            MessageTooLargeError: it is larger than MAX_MESSAGE_SIZE.
        """
        assert self._layout is not None, "the dialect is known once the first bytes were read"
        buffers = self._layout.pack(message, self.key)
        # As the receiver counts: everything but the header.
        size = (len(buffers[0]) if len(buffers) == 1 else sum(map(len, buffers))) - self._layout.header_size
        if size > self._limit > 0:
            raise MessageTooLargeError(f"message too large: {size} bytes, and MAX_MESSAGE_SIZE is {self._limit}")
        if self._watch is not None:
            self._watch("sent", message)
        return buffers

    def _break(self, error: ProtocolError | SecurityError, *, answerable: bool = False) -> Broken:
        self.close()
        return Broken(error, answerable)

    def _next_message(self) -> Message | None:
        """Read the next complete message, and have it watched.

        Raises:
            ProtocolError: the bytes are no message.
        """
        message = self._read_message()
        if message is not None and self._watch is not None:
            self._watch("received", message)
        return message

    def _read_message(self) -> Message | None:
        whole = self._whole
        if whole is not None:
            self._whole = None
            return whole
        header = self._header
        if header is None:
            if not self._buffer:
                return None
            header = self._next_header()
            if header is None:
                return None
        assert self._layout is not None
        annotations: dict[str, Buffer] = {}
        payload: Buffer
        if self._block is None:
            self._reserve(header.annotations_size + header.payload_size)
        if self._block is not None:
            if self._block.missing:
                return None
            whole_body = self._block.take()
            chunks, payload = whole_body[: header.annotations_size], whole_body[header.annotations_size :]
            self._block = None
        else:
            if len(self._buffer) < header.annotations_size + header.payload_size:
                return None
            chunks = memoryview(self._buffer.take(header.annotations_size))
            payload = self._buffer.take(header.payload_size)
        self._header = None
        if header.annotations_size:
            annotations = self._layout.unpack_annotations(chunks)
        return self._layout.unpack_message(header, annotations, payload, self.key)

    def _next_header(self) -> Header | None:
        buffer = self._buffer
        layout = self._layout
        if layout is None or self.state is not OPEN or len(buffer) < layout.header_size:
            # Foreign bytes are refused as soon as they show, not only when a whole header of them has come, and who
            # speaks another protocol is told apart from who speaks none.
            if len(buffer) < PREAMBLE_SIZE:
                return None
            layout = self._recognise(buffer.peek(PREAMBLE_SIZE))
            if len(buffer) < layout.header_size:
                return None
        raw = buffer.take(layout.header_size)
        try:
            header = layout.unpack_header(raw)
        except ProtocolError:
            # Another tag or protocol number is told as such, however many bytes of it came at once.
            self._recognise(raw[:PREAMBLE_SIZE])
            raise
        size = header.payload_size + header.annotations_size
        if self._limit and size > self._limit:
            raise MessageTooLargeError(f"message too large: {size} bytes, and MAX_MESSAGE_SIZE is {self._limit}")
        if self.state is NEW and size > _GREETING_LIMIT:
            raise MessageTooLargeError(f"message too large: a greeting of {size} bytes, and {_GREETING_LIMIT} may come")
        if size > _SIDE_LIMIT and self.side and header.type == RESULT and header.flags & TELLS:
            raise MessageTooLargeError(f"message too large: {size} bytes tell of a call, and {_SIDE_LIMIT} may come")
        self._header = header
        return header

    def _reserve(self, size: int) -> None:
        """Give a large message memory of its own, unless all of it is there already, or too little to believe it."""
        arrived = len(self._buffer)
        if size >= _BLOCK and min(size // _TRUSTED, _ENOUGH) <= arrived < size:
            try:
                self._block = Block(size)
            except (MemoryError, OSError) as error:
                raise MessageTooLargeError(f"message too large: there is no memory for {size} bytes") from error
            self._block.feed(self._buffer.take(arrived))

    def _recognise(self, preamble: bytes) -> Layout:
        """Learn the dialect from the first six bytes, or check that it did not change."""
        if preamble[0] in _TLS_RECORDS and preamble[1] == _TLS_MAJOR:
            raise ProtocolError("invalid data: the other end talks TLS, and it is not switched on here (SSL)")
        if preamble[:4] != TAG:
            raise ProtocolError(f"invalid data: not a Pyro peer (it sent {preamble!r})")
        version = int.from_bytes(preamble[4:6], "big")
        if self.dialect is None or version != self.dialect.version:
            dialect = dialect_for(version)
            if self.dialect is not None:
                other = OtherDialectError(dialect, self.dialect)
                # Only who greets can do so once more in that one.
                raise ProtocolError(str(other)) if self.state is OPEN else other
            self.dialect = dialect
            self._layout = LAYOUTS[dialect]
        assert self._layout is not None
        return self._layout


class ClientConnection(_Connection):
    """The asking end of a conversation."""

    def __init__(
        self,
        dialect: Dialect,
        *,
        max_message_size: int = 0,
        sequence: int = 0,
        key: bytes | None = None,
        watch: Watch | None = None,
        dropped: Callable[[Message], None] | None = None,
    ) -> None:
        """Start in this dialect; the sequence number goes on from an earlier connection of the same proxy.

        `dropped` hears of replies that nobody waits for any more.
        """
        super().__init__(dialect, max_message_size, key, watch)
        self.sequence = sequence
        self._dropped = dropped
        self.calls_made: set[int] = set()
        self.awaited: int | None = None
        """The call for whose answer somebody waits at the moment, in a room where that is one at a time."""
        self._owed: set[int] = set()

    def next_sequence(self) -> int:
        """Give the number of the next request, one that no answer is outstanding for.

        Raises:
            ProtocolError: all numbers are in use.
        """
        self.sequence = (self.sequence + 1) & _SEQUENCE_MASK
        if self.sequence in self.calls_made or self.sequence in self._owed:
            self.sequence = self._free_sequence()
        return self.sequence

    def next_sequences(self, count: int) -> range | None:
        """Give numbers for so many requests that follow one another; None where some of them are in use."""
        numbers = range(self.sequence + 1, self.sequence + 1 + count)
        if numbers[-1] > _SEQUENCE_MASK or not (self.calls_made.isdisjoint(numbers) and self._owed.isdisjoint(numbers)):
            return None
        self.sequence = numbers[-1]
        return numbers

    def _free_sequence(self) -> int:
        for ahead in range(1, _SEQUENCE_MASK + 1):
            number = (self.sequence + ahead) & _SEQUENCE_MASK
            if number not in self.calls_made and number not in self._owed:
                return number
        raise ProtocolError(f"{_SEQUENCE_MASK + 1} answers are outstanding, and the protocol has no further numbers")

    def greet(self, message: Message) -> list[Buffer]:
        """Say CONNECT."""
        self.state = GREETING
        return self.pack(message)

    def open(self) -> None:
        """Go on without greeting, on a socket that was connected by other means."""
        self.state = OPEN

    def call(self, message: Message, *, oneway: bool = False) -> list[Buffer]:
        """Say INVOKE; unless it is oneway, a reply with its number is expected from now on."""
        buffers = self.pack(message)
        if not oneway:
            self.calls_made.add(message.seq)
        return buffers

    def withdraw(self, seq: int) -> list[Buffer]:
        """Say that the answer to a call is not wanted any more; it comes all the same."""
        return self.pack(Message(INVOKE, 0, CANCELS, seq, b""))

    def ping(self, message: Message) -> list[Buffer]:
        """Say PING."""
        return self.pack(message)

    def owes(self, seq: int) -> bool:
        """Tell whether the answer to a call is still to come, and is waited for."""
        return self.state is OPEN and seq in self.calls_made

    def abandon(self, seq: int) -> None:
        """Stop waiting for a reply; it is dropped when it comes."""
        if seq in self.calls_made:
            self.calls_made.discard(seq)
            self._owed.add(seq)

    def take_back(self, seq: int) -> None:
        """Expect no reply to a request, which was not sent after all."""
        self.calls_made.discard(seq)

    def next_event(self) -> Event | None:
        """Give what the peer did next; None when more bytes are needed, or when it is all over."""
        while self.state is not CLOSED:
            try:
                message = self._next_message()
            except (ProtocolError, SecurityError) as error:
                return self._break(error)
            if message is None:
                return None
            if message.type == RESULT and self.state is OPEN:
                if self.side and message.flags & TELLS:
                    if message.seq in self.calls_made:
                        return Told(message)
                    continue
                if message.seq in self._owed:
                    self._owed.discard(message.seq)
                    if self._dropped is not None:
                        self._dropped(message)
                    continue
            return _CLIENT_READERS.get((self.state, message.type), _unexpected)(self, message)
        return None

    def _replied(self, message: Message) -> Event:
        if message.seq not in self.calls_made:
            return self._break(ProtocolError(f"reply sequence out of sync: got {message.seq}, which was not asked"))
        self.calls_made.discard(message.seq)
        return Replied(message)

    def _accepted(self, message: Message) -> Event:
        self.state = OPEN
        return Accepted(message)

    def _refused(self, message: Message) -> Event:
        self.close()
        return Refused(message)


class ServerConnection(_Connection):
    """The asked end of a conversation."""

    def __init__(self, *, max_message_size: int = 0, key: bytes | None = None, watch: Watch | None = None) -> None:
        """Start without a dialect; the first bytes of the client tell it."""
        super().__init__(None, max_message_size, key, watch)

    def next_event(self) -> Event | None:
        """Give what the peer did next; None when more bytes are needed, or when an answer to CONNECT is due first."""
        if self.state is CLOSED or self.state is GREETING:
            return None
        fresh = self.state is NEW
        try:
            message = self._next_message()
        except (ProtocolError, SecurityError) as error:
            return self._break(error, answerable=fresh)
        if message is None:
            return None
        if fresh and message.type != CONNECT:
            wrong = ProtocolError(f"invalid msg type {message.type} received (expected: {CONNECT})")
            return self._break(wrong, answerable=True)
        return _SERVER_READERS.get((self.state, message.type), _unexpected)(self, message)

    def open(self) -> None:
        """Go on without a greeting, on a socket that was connected by other means."""
        self.state = OPEN

    def meet(self) -> bool:
        """Take a bare greeting in protocol 502 as read, which is known to the byte; False where it has to be read.

        `accept` or `refuse` comes next, or `open` where the bytes of the answer are known too.
        """
        if self.state is not NEW or self._whole is not None or self._buffer.size or self.key or self._watch:
            return False
        self._recognise(_MOSTLY)
        self.state = GREETING
        return True

    def accept(self, message: Message) -> list[Buffer]:
        """Say CONNECTOK."""
        buffers = self.pack(message)
        self.state = OPEN
        return buffers

    def refuse(self, message: Message) -> list[Buffer]:
        """Say CONNECTFAIL, in protocol 502 when the client's own is not known; the conversation is over."""
        layout = self._layout or LAYOUTS[PYRO5]
        self.close()
        if self._watch is not None:
            self._watch("sent", message)
        return layout.pack(message, self.key if (self.dialect or PYRO5).signed else None)

    def reply(self, message: Message) -> list[Buffer]:
        """Say RESULT, answer a PING, or tell something of a call whose answer is yet to come."""
        return self.pack(message)

    def _greeted(self, message: Message) -> Event:
        self.state = GREETING
        return Greeted(message)

    def _called(self, message: Message) -> Event:
        if self.side and message.flags & CANCELS:
            return Withdrawn(message)
        return Called(message)


def _pinged(connection: _Connection, message: Message) -> Event:
    del connection
    return Pinged(message)


def _unexpected(connection: _Connection, message: Message) -> Event:
    return connection._break(ProtocolError(f"unexpected message of type {message.type}"))


# Which message may come in which state, and who reads it.
_CLIENT_READERS: Mapping[tuple[str, int], Callable[..., Event]] = {
    (GREETING, CONNECTOK): ClientConnection._accepted,
    (GREETING, CONNECTFAIL): ClientConnection._refused,
    (OPEN, RESULT): ClientConnection._replied,
    (OPEN, PING): _pinged,
}
_SERVER_READERS: Mapping[tuple[str, int], Callable[..., Event]] = {
    (NEW, CONNECT): ServerConnection._greeted,
    (OPEN, INVOKE): ServerConnection._called,
    (OPEN, PING): _pinged,
}
