"""Conversation: what a daemon knows of one client. It eats bytes and yields work, whoever moves the bytes.

An engine feeds it what arrived and runs the `Task`s that come out, each of which gives the buffers to send back.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from pyronb.context import CallContext, context_of_call, enter, leave
from pyronb.dialects import PYRO5, SAFE, UNSAFE, Dialect
from pyronb.errors import CancelledError, ProtocolError, PyroError, SecurityError, SerializeError
from pyronb.net.stream import SocketStream
from pyronb.news import News
from pyronb.options import WireOptions
from pyronb.rpc.call import Call, Outcome, Raised
from pyronb.rpc.codec import Codec, in_result
from pyronb.rpc.handshake import (
    ABREAST,
    ASIDE,
    SIDE,
    TOGETHER,
    Greeting,
    decode_greeting,
    encode_acceptance,
    encode_refusal,
)
from pyronb.rpc.metadata import Metadata
from pyronb.rpc.rows import LARGEST_ROW, Row, read_row
from pyronb.rpc.side import encode_news
from pyronb.serializers.base import CallParts, Serializer
from pyronb.serializers.catalog import catalog_for
from pyronb.serializers.hooks import SPEAKER
from pyronb.serializers.recreate import MARK
from pyronb.server.coroutines import Pending
from pyronb.server.dispatch import Caller, Dispatcher
from pyronb.server.shortcut import RunOne, ShortCut
from pyronb.server.side import OVER, Side, Way
from pyronb.wire.bare import (
    BARE_SIZE,
    HEAD_SIZE,
    LARGEST_BARE,
    bare_bytes,
    bare_head,
    bares_in,
    read_bare,
    serializer_of,
)
from pyronb.wire.connection import CLOSED, ServerConnection
from pyronb.wire.events import Broken, Called, Event, Greeted, Pinged, Withdrawn
from pyronb.wire.message import CANCELS, HEARD, INVOKE, PING, ROW, WANTS_OUTPUT, Buffer, Message
from pyronb.wire.watching import watch_for

__all__ = ["Conversation", "Host", "Task"]

log = logging.getLogger("pyronb.server")

_beginning = threading.Lock()
"""Held while what goes beside a call is made, or is looked for to withdraw it; that takes no time."""

_LONGEST_GREETING = 1000
_MOST_GREETINGS = 100
"""Greetings that are kept, and how long they may be, for strangers can send anything."""
_MARK = MARK.encode("ascii")
_MOST_AHEAD = 2000
_MUCH_AHEAD = 1 << 20
"""Most messages, and bytes of their payloads, that are taken in while a call runs; beyond them nothing is heard."""
_NONE: set[int] = set()
_WITHDRAWAL = bare_head(INVOKE, 0, CANCELS)

Buffers = list[Buffer]
Answer = Buffers | None | Pending[Any]
"""What is to be sent back: nothing, something, or what comes out of a coroutine."""


@dataclass(frozen=True, slots=True)
class _Acquaintance:
    """A greeting, and the bytes that it was answered with when this answer and this metadata were to be told."""

    message: Message
    understood: tuple[Greeting, Codec, Serializer]
    answer: str
    metadata: Metadata | None
    said: bytes


@dataclass(frozen=True, slots=True)
class Host:
    """What all conversations of a daemon share.

    Attributes:
        dispatcher: runs calls.
        wire: limits and compression.
        serializers: names of the serializers that requests may use.
        greet: checks a greeting and gives the answer to it and the metadata of the object; raises to refuse.
        annotations: gives the annotations that the daemon adds to each reply.
        annotated: tells whether there may be such annotations.
        oneway_threaded: whether a oneway call gets a thread of its own.
        key: gives the shared key with which messages are signed; None for none.
        lend: gives the proxy for an object that one client may call until it goes; None when there is to be none.
        keep: keeps a connection over which the client is called from then on.
        output: whether callers that ask for it are sent what their calls print.
        codecs: the codecs, by dialect, whether the peer is pyronb and whether it takes values beside payloads; each is
            made when it is first needed.
        greetings: what greetings say, and how these clients are talked to, by the bytes of the greetings: most clients
            say one and the same.
        acquaintances: what greetings were answered with, by all the bytes of the greetings.
    """

    dispatcher: Dispatcher
    wire: WireOptions
    serializers: frozenset[str]
    greet: Callable[[Caller, Greeting], tuple[Any, Metadata | None]]
    annotations: Callable[[], Mapping[str, Buffer]]
    annotated: Callable[[], bool] = lambda: True
    oneway_threaded: bool = True
    key: Callable[[], bytes | None] = lambda: None
    lend: Callable[[Any, Caller], Any] = lambda _, __: None
    keep: Callable[[Conversation, SocketStream], None] = lambda _, stream: stream.close()
    output: bool = True
    codecs: dict[tuple[Dialect, bool, bool], Codec] = field(default_factory=dict)
    greetings: dict[Any, tuple[Greeting, Codec, Serializer]] = field(default_factory=dict)
    acquaintances: dict[bytes, _Acquaintance] = field(default_factory=dict)


@dataclass(slots=True)
class Task:
    """Something to do for a client.

    Attributes:
        run: does it and gives the buffers to send back; None for nothing; `Pending` for what only a coroutine tells.
        detached: may, and should, run in a thread of its own.
    """

    run: Callable[[], Answer]
    detached: bool = False


@dataclass(slots=True)
class _Unwanted:
    """The client called, and withdrew the call before it began."""

    message: Message


class Conversation:
    """One client's conversation with a daemon."""

    # Made when they are needed, for most clients need none of them: what goes beside calls that run, by their numbers;
    # what came while a call ran, and how large it is; and the numbers of calls that were withdrawn, and may yet ask.
    _sides: dict[int, Side] | None = None
    _ahead: deque[Event | _Unwanted] | None = None
    _ahead_size = 0
    _unwanted: set[int] = _NONE

    def __init__(self, host: Host, address: Any) -> None:
        """Start the conversation with a client at this address."""
        self.caller = Caller(address)
        self._host = host
        self._connection = ServerConnection(
            max_message_size=host.wire.max_message_size, key=host.key(), watch=watch_for(logged=host.wire.log)
        )
        self._codec: Codec | None = None
        self._accepted: tuple[int, ...] = ()
        self.short: ShortCut | None = None
        """The short-cut for plain calls, once the client has called and if the settings allow one. Bytes that arrive
        are offered to it first, and go to `receive` if it does not take them."""
        self.together = False
        """Whether calls may be answered in any order, as the client wants it."""
        self._tail = b""
        self._aside = False

    @property
    def closed(self) -> bool:
        """Whether it is over, and the socket should be closed once everything was sent."""
        return self._connection.state is CLOSED

    @property
    def greeted(self) -> bool:
        """Whether the client has been taken in."""
        return self._codec is not None

    @property
    def turned(self) -> bool:
        """Whether the client has been taken in so as to be called: nothing it says is heard, and `turn` comes next."""
        return self._codec is not None and bool(self.caller.peer.back)

    @property
    def new(self) -> bool:
        """Whether the client has still to be taken in, or to be turned."""
        return self._codec is None or bool(self.caller.peer.back)

    def turn(self, stream: SocketStream) -> None:
        """Give the connection away, after all was sent: from now on the client is called over it."""
        self._host.keep(self, stream)

    @property
    def called(self) -> bool:
        """Whether the client has made a call."""
        return bool(self._accepted)

    @property
    def midway(self) -> bool:
        """Whether a message has begun to arrive and is not complete."""
        return self._connection.midway or bool(self._tail)

    @property
    def missing(self) -> int:
        """Bytes that are known to be missing from the message that is arriving."""
        return self._connection.missing

    def open(self) -> None:
        """Go on without a greeting, on a socket that was connected by other means. (Section 28.)"""
        self._connection.open()

    def take_key(self) -> None:
        """Have messages signed with the key that the daemon has by now, where the client has not said anything yet."""
        if self._connection.dialect is None:
            self._connection.key = self._host.key()

    def close(self) -> None:
        """End it."""
        self._connection.close()
        # It holds what holds this conversation.
        self.short = None
        for side in list((self._sides or {}).values()):
            side.end()

    def receive(self, data: bytes) -> Iterator[Task]:
        """Take bytes in and give what is to be done; each task is to be run before the next one is taken."""
        if self.together:
            short = self.short or self.first_short(data)
            if short is not None:
                return self._together(short, data)
        elif self._codec is None:
            known = self._host.acquaintances.get(data)
            if known is not None and self._connection.meet():
                return iter((Task(partial(self._answer_greeting, known.message, known)),))
        self._connection.receive(data)
        return self._tasks()

    def answer_alone(self, data: bytes) -> Answer:
        """Run the call in bytes of a client that sends calls together, if they are but one; None to `receive` them."""
        short = self.short
        return None if short is None or self._tail or self._unwanted else short.answer(data)

    def _together(self, short: ShortCut, data: bytes) -> Iterator[Task]:
        """Take in bytes of a client that sends many calls together; those that are bare take the short-cut."""
        while self._connection.idle:
            data, self._tail = self._tail + data, b""
            found, at, goes_on = bares_in(data, short.heads, short.largest)
            calls, rows = deque(found), short.rows_in(data, found)
            if self._unwanted:
                self._unwanted.difference_update(
                    [seq for seq, _, _ in found], *[row.numbers for row, _ in rows.values()]
                )
            # What follows them is put aside at once, for `hear` may add to it while they run.
            self._tail, self._aside = data[at:], True
            task = Task(partial(self._answer_next, short, data, calls))
            while calls:
                if rows and calls[0][1] in rows:
                    row, run = rows.pop(calls.popleft()[1])
                    of_row = Task(partial(self._answer_next_of_row, row, run))
                    for _ in row.numbers:
                        yield of_row
                else:
                    yield task
            self._aside = False
            if goes_on and len(self._tail) == len(data) - at:
                return
            data, self._tail = self._tail, b""
            if not goes_on:
                break
        if data:
            self._connection.receive(data)
        yield from self._tasks()

    def _answer_next_of_row(self, row: Row, run: RunOne) -> Answer:
        seq, args = next(row.calls)
        answer = run(seq, args)
        return self._called(self._by_itself(row, seq, args)).run() if answer is None else answer

    def _answer_next(self, short: ShortCut, data: bytes, calls: deque[tuple[int, int, int]]) -> Answer:
        """Take the next one of the bare calls that bytes begin with, and run it."""
        seq, begin, end = calls.popleft()
        at = begin + BARE_SIZE
        answer = short.answer(b"", (data[begin : begin + HEAD_SIZE], seq, data[at:end]))
        if answer is None:
            self._connection.receive(data[begin:end])
            for task in self._tasks():
                return task.run()
        return answer

    @property
    def rest(self) -> memoryview | None:
        """Where the rest of a large message may be received to, to be told with `filled`; None when there is none."""
        return self._connection.rest

    def filled(self, count: int) -> Iterator[Task]:
        """Take note that so many bytes were received into `rest`, and give what is to be done, as `receive` does."""
        self._connection.filled(count)
        return self._tasks()

    def _tasks(self) -> Iterator[Task]:
        connection = self._connection
        while True:
            event = self._ahead.popleft() if self._ahead else connection.next_event()
            if event is None:
                self._ahead_size = 0
                return
            if type(event) is Called and event.message.flags & ROW and self.together:
                self._ahead = deque(self._calls_of_row(event.message))
            else:
                yield _TASKS[type(event)](self, event)

    def _calls_of_row(self, message: Message) -> list[Event | _Unwanted]:
        """Read a row of calls; there are none, and the conversation is over, when it is none."""
        codec = self._codec
        try:
            # A row follows a call in the same serializer.
            if codec is None or message.serializer_id not in self._accepted:
                raise ProtocolError("a row of calls came before any call")
            call = codec.decode_call(message)
            parts = call.object_id, call.method, call.args, call.kwargs
            row = read_row(message.serializer_id, message.seq, parts)
        except (PyroError, TypeError, ValueError) as error:
            log.warning("client %s sent a row of calls that is none: %s", self.caller.address, error)
            self._connection.close()
            return []
        return [self._by_itself(row, seq, args) for seq, args in row.calls]

    def _by_itself(self, row: Row, seq: int, args: Sequence[Any]) -> Called:
        """Give a call of a row as one that came by itself."""
        assert self._codec is not None
        serializer = self._codec.catalog.by_number(row.serializer_id)
        payload = serializer.dumps_call(CallParts(row.object_id, row.method, args, {}))
        return Called(Message(INVOKE, serializer.number, 0, seq, payload))

    # What each event leads to

    def _greeted(self, event: Greeted) -> Task:
        return Task(lambda: self._answer_greeting(event.message))

    def _called(self, event: Called) -> Task:
        message = event.message
        if self._unwanted:
            self._unwanted.discard(message.seq)
        codec = self._codec or self._ungreeted_codec()
        oneway = bool(message.flags & codec.dialect.oneway)
        detached = oneway and self._host.oneway_threaded and not message.flags & codec.dialect.batch
        return Task(lambda: self._answer_call(message, codec, oneway=oneway), detached)

    def _ungreeted_codec(self) -> Codec:
        """Make the codec for a client that did not introduce itself."""
        dialect = self._connection.dialect
        assert dialect is not None
        self.caller.dialect = dialect
        self._codec = self._codec_for(dialect, pyronb_peer=False)
        return self._codec

    def _pinged(self, event: Pinged) -> Task:
        asked = event.message
        answer = Message(
            PING, asked.serializer_id, 0, asked.seq, b"pong", self._host.annotations(), asked.correlation_id
        )
        return Task(lambda: self._connection.reply(answer))

    def _broken(self, event: Broken) -> Task:
        log.warning("client %s broke the protocol: %s", self.caller.address, event.error)
        if not event.answerable:
            return Task(lambda: None)
        return Task(lambda: self._refuse(str(event.error)))

    def _context(self, message: Message) -> CallContext:
        """Make the context in which the code of the user hears a message."""
        context = context_of_call(self.caller, message.seq, message.flags, message.serializer_id)
        if message.annotations:
            context.annotations = dict(message.annotations)
        if message.correlation_id:
            context.correlation_id = UUID(bytes=message.correlation_id)
        return context

    def _answer_greeting(self, message: Message, known: _Acquaintance | None = None) -> Buffers:
        dialect = self._connection.dialect
        assert dialect is not None
        self.caller.dialect = dialect
        try:
            understood = self._understood_greeting(dialect, message) if known is None else known.understood
        except (ProtocolError, SecurityError) as error:
            return self._refuse(str(error))
        greeting, codec, _ = understood
        self.caller.peer = greeting.peer
        self.together = TOGETHER in greeting.peer.wants
        context = self._context(message)
        token = enter(context)
        try:
            answer, metadata = self._host.greet(self.caller, greeting)
            if known is not None and self._is_as_before(known, answer, metadata, context):
                self._connection.open()
                buffers: Buffers = [known.said]
            else:
                buffers = self._accept_client(message, understood, answer, metadata, context)
            if greeting.peer.back:
                self._connection.close()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - user code; what it raises is its reason to refuse
            log.info("client %s was refused: %s", self.caller.address, error)
            return self._refuse(str(error) or type(error).__name__, message)
        finally:
            leave(token)
        self._codec = codec
        self._connection.side = SIDE in greeting.peer.abilities
        return buffers

    def _is_as_before(self, known: _Acquaintance, answer: Any, metadata: Metadata | None, context: CallContext) -> bool:
        same = type(answer) is str and answer == known.answer and metadata is known.metadata
        return same and not (context.response_annotations or self._host.annotated())

    def _accept_client(
        self,
        message: Message,
        understood: tuple[Greeting, Codec, Serializer],
        answer: Any,
        metadata: Metadata | None,
        context: CallContext,
    ) -> Buffers:
        """Say that a client is taken in, and keep how that was said where it may be said again."""
        (greeting, codec, serializer), host = understood, self._host
        taken = codec.catalog.names_among(host.serializers)
        cannot = (ABREAST,) if 0 < host.wire.max_message_size < LARGEST_ROW else ()
        acceptance = encode_acceptance(
            serializer, codec.dialect, metadata, answer, greeting.peer, message, taken, cannot
        )
        if context.response_annotations or host.annotated():
            acceptance.annotations = {**context.response_annotations, **host.annotations()}
        buffers = self._connection.accept(acceptance)
        payload = message.payload
        if (
            codec.dialect is PYRO5
            and type(payload) is bytes
            and len(payload) <= _LONGEST_GREETING
            and type(greeting.handshake) is type(answer) is str
            and not (message.seq or message.annotations or message.correlation_id or acceptance.annotations)
            and not (host.annotated() or host.wire.log or greeting.peer.back)
            and _MARK not in payload
            and len(buffers) == 1
            and type(said := buffers[0]) is bytes
            and len(said) <= LARGEST_BARE
        ):
            if len(host.acquaintances) >= _MOST_GREETINGS:
                host.acquaintances.clear()
            host.acquaintances[bare_bytes(message)] = _Acquaintance(message, understood, answer, metadata, said)
        return buffers

    def _understood_greeting(self, dialect: Dialect, message: Message) -> tuple[Greeting, Codec, Serializer]:
        """Read a greeting, and give how to talk to whoever says it, and what to answer the greeting in.

        Raises:
            ProtocolError: it is no such thing.
            SerializeError: it cannot be read, or its serializer is not accepted.
        """
        payload = message.payload
        known = self._host.greetings
        key = (dialect, message.serializer_id, message.flags, payload)
        keep = type(payload) is bytes and len(payload) <= _LONGEST_GREETING
        understood = known.get(key) if keep else None
        if understood is not None:
            return understood
        self._check_greeting(dialect, message.serializer_id)
        codec = self._codec_for(dialect, pyronb_peer=False)
        greeting = decode_greeting(codec.decode_payload(message), dialect, message.flags)
        serializer = codec.catalog.by_number(message.serializer_id)
        if greeting.peer.is_pyronb:
            codec = self._codec_for(dialect, pyronb_peer=True, beside=ASIDE in greeting.peer.abilities)
        # Only what is nothing but text can be shared, and what no hook had a part in.
        if keep and type(greeting.handshake) is str and _MARK not in payload:
            if len(known) >= _MOST_GREETINGS:
                known.clear()
            known[key] = greeting, codec, serializer
        return greeting, codec, serializer

    def _accept(self, number: int, codec: Codec) -> None:
        """Take note that calls in this serializer are accepted, and open the short-cut for them."""
        self._accepted += (number,)
        wire = self._host.wire
        if codec.dialect is PYRO5 and not (wire.compression or wire.log or self._host.annotated()):
            # Not before the first call: an idle client should cost little.
            if self.short is None:
                self.short = ShortCut(
                    self._connection, self.caller, self._host.dispatcher, self._reply, wire.max_message_size
                )
            serializer = codec.catalog.by_number(number)
            # What does not take the short-cut is read again, and a pickle runs whenever it is read.
            if serializer.name in SAFE:
                self.short.allow(serializer, apart=codec.sets_apart(serializer))

    def first_short(self, data: bytes) -> ShortCut | None:
        """Open the short-cut for what may be the first call; None when there is none, or it has to be found out."""
        codec = self._codec
        if codec is None or codec.dialect is not PYRO5 or self._accepted or len(data) < BARE_SIZE:
            return None
        number = serializer_of(data)
        try:
            self._check_serializer(codec.dialect, number)
            codec.catalog.by_number(number)
        except SerializeError:
            return None
        self._accept(number, codec)
        return self.short

    def _codec_for(self, dialect: Dialect, *, pyronb_peer: bool, beside: bool = False) -> Codec:
        codecs = self._host.codecs
        codec = codecs.get((dialect, pyronb_peer, beside))
        if codec is None:
            unsafe = self._host.serializers.intersection(UNSAFE)
            catalog = catalog_for(dialect, self._host.wire, pyronb_peer=pyronb_peer, unsafe=unsafe)
            codec = codecs[dialect, pyronb_peer, beside] = Codec(dialect, catalog, self._host.wire, beside=beside)
        return codec

    def _check_greeting(self, dialect: Dialect, number: int) -> None:
        # A serializer without a number in the protocol needs a greeting in another one, which is safe to read.
        if number == dialect.serializers["serpent"] and dialect.own_serializers.keys() & self._host.serializers:
            return
        self._check_serializer(dialect, number)

    def _check_serializer(self, dialect: Dialect, number: int) -> None:
        name = dialect.serializer_name(number)
        if name not in self._host.serializers:
            accepted = ", ".join(sorted(self._host.serializers))
            raise SerializeError(
                f"message used serializer that is not accepted: {name or number} (accepted: {accepted}; this is set "
                f"with SERIALIZERS_ACCEPTED, and a client's serializer with SERIALIZER or _pyroSerializer)"
            )

    def _refuse(self, text: str, message: Message | None = None) -> Buffers:
        # Before anything of the client could be read, marshal is what every peer understands.
        dialect = self._connection.dialect or PYRO5
        name = dialect.serializer_name(message.serializer_id) if message is not None else None
        catalog = catalog_for(dialect, self._host.wire, pyronb_peer=False)
        serializer = catalog.by_name(name if name in SAFE else "marshal")
        return self._connection.refuse(encode_refusal(serializer, text, message.seq if message else 0))

    def _answer_call(self, message: Message, codec: Codec, *, oneway: bool) -> Answer:
        if message.serializer_id not in self._accepted:
            try:
                self._check_serializer(codec.dialect, message.serializer_id)
                codec.catalog.by_number(message.serializer_id)
            except SerializeError as error:
                log.warning("client %s: %s", self.caller.address, error)
                return None if oneway else self._refuse_call(message, codec, error)
            self._accept(message.serializer_id, codec)
        context = self._context(message)
        if message.flags & WANTS_OUTPUT and self._connection.side and self._host.output:
            side = context.begin_side()
            if side is not None:
                side.want_output()
        call: Call | None = None
        try:
            call = codec.decode_call(message)
            outcome = self._host.dispatcher.run(call, self.caller, context)
        except (PyroError, ValueError) as error:
            outcome = Raised(error)
        if not oneway:
            return self._reply(outcome, message, call, context)
        if isinstance(outcome, Pending):
            return outcome.follow(self._keep_silent)
        self._keep_silent(outcome)
        return None

    def lend(self, obj: Any) -> Any:
        """Give the proxy under which this client can call an object that it is given, until it goes."""
        return self._host.lend(obj, self.caller)

    def _keep_silent(self, outcome: Outcome) -> None:
        if isinstance(outcome, Raised):
            log.warning("oneway call of client %s failed: %s", self.caller.address, outcome.error)

    def _reply(
        self, outcome: Outcome | Pending[Outcome], message: Message, call: Call | None, context: CallContext
    ) -> Answer:
        if isinstance(outcome, Pending):
            return outcome.follow(lambda known: self._reply(known, message, call, context))
        side, context.side = context.side, OVER
        if self._sides:
            self._sides.pop(message.seq, None)
        codec = self._codec
        assert codec is not None
        own = self._host.annotations()
        if own:
            outcome.annotations = {**outcome.annotations, **own}
        if side is None:
            return self._pack_outcome(codec, outcome, message, call)
        last = side.end()
        heard = self._connection.side and side.cancelled
        return [*last, *self._pack_outcome(codec, outcome, message, call, HEARD if heard else 0)]

    def begin_side(self, context: CallContext, way: Way) -> None:
        """Put what goes beside a call into its context, if that is not there yet."""
        with _beginning:
            if context.side is not None:
                return
            connection, codec, seq = self._connection, self._codec, context.seq
            if codec is None or context.msg_flags & codec.dialect.oneway:
                # Nobody waits for an answer, or a greeting is being answered.
                context.side = OVER
                return
            dialect = codec.dialect

            def pack(news: News) -> Buffers:
                return connection.reply(encode_news(news, seq, dialect))

            side = context.side = Side(way, pack if connection.side else None)
            if self._sides is None:
                self._sides = {}
            self._sides[seq] = side
            if seq in self._unwanted:
                side.cancel()

    @property
    def full(self) -> bool:
        """Whether much waits already for a call to end, and no more should be read."""
        if self._ahead and (len(self._ahead) >= _MOST_AHEAD or self._ahead_size >= _MUCH_AHEAD):
            return True
        return len(self._tail) >= _MUCH_AHEAD

    def hear(self, data: bytes) -> None:
        """Take in what comes while a call runs: what withdraws a call is heard at once, all else waits its turn."""
        if self._aside:
            self._tail += data
            self._withdraw_in(self._tail)
            return
        self._connection.receive(data)
        ahead = self._ahead = self._ahead or deque()
        while (event := self._connection.next_event()) is not None:
            if isinstance(event, Withdrawn):
                self._withdraw(event.message.seq)
            elif isinstance(event, Called) and event.message.flags & ROW and self.together:
                ahead += self._calls_of_row(event.message)
                self._ahead_size += len(event.message.payload)
            else:
                ahead.append(event)
                self._ahead_size += len(event.message.payload) if isinstance(event, Called) else 0

    def _withdraw_in(self, data: bytes) -> None:
        """Hear what withdraws a call among messages that are not read yet; some of it may have been heard before."""
        at = 0
        while len(data) - at >= BARE_SIZE:
            head, seq, payload_size, annotations_size, _ = read_bare(data, at)
            if head == _WITHDRAWAL:
                self._withdraw(seq)
            at += BARE_SIZE + payload_size + annotations_size

    def waiting(self) -> Iterator[Task] | None:
        """Give what is to be done after `hear`; None when there is nothing."""
        return self._tasks() if self._ahead else None

    @property
    def stoppable(self) -> bool:
        """Whether a call runs that can be stopped, so that what the client sends is to be heard meanwhile."""
        return any(side.stoppable for side in list((self._sides or {}).values()))

    def hung_up(self) -> None:
        """Take note that the client has gone while calls run."""
        for side in list((self._sides or {}).values()):
            side.cancel()

    def _withdrawn(self, event: Withdrawn) -> Task:
        return Task(lambda: self._withdraw(event.message.seq))

    def _withdraw(self, seq: int) -> None:
        side = self._sides.get(seq) if self._sides else None
        if side is not None:
            side.cancel()
            return
        for index, event in enumerate(self._ahead or ()):
            if isinstance(event, Called) and event.message.seq == seq:
                assert self._ahead is not None
                self._ahead[index] = _Unwanted(event.message)
                return
        if self.together:
            with _beginning:
                side = self._sides.get(seq) if self._sides else None
                if side is None:
                    # Most likely it was answered already; but it may run, and not have asked yet.
                    few = self._unwanted if len(self._unwanted) < _MOST_AHEAD else ()
                    self._unwanted = {*few, seq}
            if side is not None:
                side.cancel()

    def _called_in_vain(self, event: _Unwanted) -> Task:
        message, codec = event.message, self._codec or self._ungreeted_codec()
        if message.flags & codec.dialect.oneway:
            return Task(lambda: None)
        error = CancelledError("the call was cancelled before it began")
        return Task(lambda: self._connection.reply(codec.encode_outcome(Raised(error), message)))

    def _refuse_call(self, message: Message, codec: Codec, error: SerializeError) -> Buffers | None:
        """Tell a client that its call was not read, in the call's own serializer: clients take no other.

        Where that is not there, the connection ends, as it does with real daemons.
        """
        name = codec.dialect.serializer_name(message.serializer_id) or ""
        unsafe = frozenset({name}).intersection(UNSAFE)
        catalog = catalog_for(codec.dialect, self._host.wire, pyronb_peer=codec.catalog.pyronb_peer, unsafe=unsafe)
        try:
            serializer = catalog.by_name(name)
        except SerializeError:
            self._connection.close()
            return None
        return self._connection.reply(codec.encode_outcome(Raised(error), message, serializer))

    def _pack_outcome(self, codec: Codec, outcome: Any, message: Message, call: Call | None, flags: int = 0) -> Buffers:
        token = SPEAKER.set(self)
        try:
            reply = codec.encode_outcome(outcome, message, call=call)
            reply.flags |= flags
            return self._connection.reply(reply)
        except Exception as error:  # noqa: BLE001 - too large, or user code set annotations that are none
            # An error without annotations always fits.
            return self._connection.reply(codec.encode_outcome(Raised(in_result(error, call)), message))
        finally:
            SPEAKER.reset(token)


_TASKS: Mapping[type, Callable[[Conversation, Any], Task]] = {
    Greeted: Conversation._greeted,
    Called: Conversation._called,
    Pinged: Conversation._pinged,
    Withdrawn: Conversation._withdrawn,
    _Unwanted: Conversation._called_in_vain,
    Broken: Conversation._broken,
}
