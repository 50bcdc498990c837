"""Procedures by hand: a procedure and a list of answers, no sockets, no clock.

An answer is given to the next effect of its class: `(Dial, None)`, `(Reply, event)`; an exception as answer is raised
into the procedure, and a callable is asked with the effect. `Abandon`, `After`, `Broadcast`, `Connect`, `HangUp` and
`Send` need no answer; the first hangs up, as in a room with one call at a time, and nobody hears broadcasts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pyronb.client.calling import check
from pyronb.client.connecting import connect
from pyronb.client.effects import Abandon, After, Broadcast, Connect, Dial, Effect, HangUp, Procedure, Reply, Send
from pyronb.client.link import Link
from pyronb.dialects import PYRO5
from pyronb.options import ClientOptions, WireOptions
from pyronb.rpc.call import Call, Outcome, Returned
from pyronb.rpc.codec import Codec
from pyronb.rpc.handshake import Greeting, decode_greeting, encode_acceptance, encode_refusal
from pyronb.rpc.metadata import Metadata
from pyronb.serializers.catalog import Catalog
from pyronb.uri import URI
from pyronb.wire.connection import ServerConnection
from pyronb.wire.events import Called, Greeted
from pyronb.wire.message import CONNECTOK, PING, RESULT, Message
from tests.support.pair import joined

Answer = tuple[type, Any]

HERE = "PYRO:obj@here:4711"


class ByHand:
    """Runs one procedure after the other, and keeps all effects they asked for.

    Args:
        answers: what the effects are answered with, in order.
    """

    def __init__(self, answers: Sequence[Answer] = ()) -> None:
        self.answers = deque(answers)
        self.effects: list[Effect] = []

    def run(self, procedure: Procedure[Any]) -> Any:
        """Run a procedure to its end and give its result, or raise what it raises."""
        try:
            effect = next(procedure)
            while True:
                self.effects.append(effect)
                try:
                    answer = self.grant(effect)
                except BaseException as error:
                    effect = procedure.throw(error)
                else:
                    effect = procedure.send(answer)
        except StopIteration as stop:
            return stop.value

    def grant(self, effect: Effect) -> Any:
        """Answer an effect, from the list or in the usual way."""
        if self.answers and isinstance(effect, self.answers[0][0]):
            answer = self.answers.popleft()[1]
            if callable(answer) and not isinstance(answer, type):
                answer = answer(effect)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        if isinstance(effect, HangUp | Abandon):
            effect.link.connection = effect.link.stream = None
        elif isinstance(effect, Connect):
            self.run(connect(effect.link))
        elif isinstance(effect, After):
            return effect.seconds
        elif not isinstance(effect, Send | Broadcast):
            raise AssertionError(f"no answer for {effect}; next are {list(self.answers)[:3]}")
        return None

    def asked(self, kind: type) -> list[Any]:
        """Give the effects of this class."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    @property
    def kinds(self) -> list[str]:
        """Give the names of all effects."""
        return [type(effect).__name__ for effect in self.effects]


class Desk(ByHand):
    """Runs procedures against a daemon that is a function, with real bytes and no network.

    Args:
        serve: gives what becomes of a call.
        greet: gives the metadata of an object, or raises to refuse.
        answers: answers that come before those of the daemon, for effects of their class.
    """

    def __init__(
        self,
        serve: Callable[[Call], Outcome],
        greet: Callable[[Greeting], Metadata] = lambda _: Metadata(frozenset({"add", "fire"}), frozenset({"fire"})),
        answers: Sequence[Answer] = (),
    ) -> None:
        super().__init__(answers)
        self.serve, self.greet = serve, greet
        self.calls: list[Call] = []
        self.greetings: list[Greeting] = []
        options = WireOptions()
        self.codec = Codec(PYRO5, Catalog(PYRO5, options, pyronb_peer=True), options)
        self.servers: dict[int, ServerConnection] = {}

    def grant(self, effect: Effect) -> Any:
        """Answer from the list, else as a network with this daemon in it would."""
        if self.answers and isinstance(effect, self.answers[0][0]):
            return super().grant(effect)
        if isinstance(effect, Dial):
            self.servers[id(effect.link)] = ServerConnection()
            effect.link.stream = "a stream"
            return None
        if isinstance(effect, Send):
            return self.hear(effect)
        if isinstance(effect, Reply):
            event = effect.link.connection.next_event()
            while event is not None and not check(event, effect.seq):
                event = effect.link.connection.next_event()
            assert event is not None, f"nothing was said to {effect.link.uri}"
            return event
        return super().grant(effect)

    def hear(self, effect: Send) -> None:
        """Take what a client says, and put the answers into its machine at once."""
        server = self.servers[id(effect.link)]
        server.receive(joined(effect.buffers))
        while (event := server.next_event()) is not None:
            effect.link.connection.receive(joined(self.answer(server, event)))

    def answer(self, server: ServerConnection, event: Any) -> list[Any]:
        """Give the buffers of the answer to an event."""
        message = event.message
        if isinstance(event, Greeted):
            serializer = self.codec.catalog.by_number(message.serializer_id)
            greeting = decode_greeting(self.codec.decode_payload(message))
            self.greetings.append(greeting)
            try:
                metadata = self.greet(greeting)
            except ValueError as error:
                return server.refuse(encode_refusal(serializer, str(error)))
            return server.accept(encode_acceptance(serializer, PYRO5, metadata, "welcome", greeting.peer, message))
        if isinstance(event, Called):
            call = self.codec.decode_call(message)
            self.calls.append(call)
            outcome = self.serve(call)
            return [] if call.oneway else server.reply(self.codec.encode_outcome(outcome, message))
        return server.reply(Message(PING, message.serializer_id, 0, message.seq, b"pong"))


def bare(kind: int, value: Any, seq: int = 0, *, flags: int = 0) -> Message:
    """Give a message with a value in serpent."""
    serializer = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("serpent")
    return Message(kind, serializer.number, flags, seq, serializer.dumps(value))


def reply(seq: int, value: Any) -> Message:
    """Give a reply with a value."""
    return bare(RESULT, value, seq)


def acceptance(methods: Sequence[str] = ("add",), **more: Any) -> Message:
    """Give the acceptance of a real peer."""
    return bare(
        CONNECTOK, {"handshake": "hello", "meta": {"methods": list(methods), "oneway": [], "attrs": []}, **more}
    )


def link_to(uri: str = HERE, **options: Any) -> Link:
    """Give a link with these options."""
    return Link.to(URI(uri), ClientOptions(**options))


def echo(what: Call) -> Outcome:
    """Serve a call by giving back its arguments."""
    return Returned(list(what.args))


def connected(desk: ByHand, **options: Any) -> Link:
    """Give a link that is connected to the desk's daemon."""
    link = link_to(**options)
    desk.run(connect(link))
    desk.effects.clear()
    return link
