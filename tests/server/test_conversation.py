"""Conversations: who says to the byte what was said before is answered in short, and just as the long way would."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pyronb.context import current_context
from pyronb.server.conversation import Conversation
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from pyronb.wire.message import CONNECTFAIL, CONNECTOK, Message
from tests.support.serving import ENGINES, RawClient, serving

KEY = "pyronb"
CALLER = "127.0.0.1", 1


@expose
class Thing:
    """Has a method."""

    def echo(self, value: Any) -> Any:
        """Give it back."""
        return value


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    """Give the name of each engine."""
    return request.param


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Message]]:
    """Note the greetings that are read, rather than known."""
    seen: list[Message] = []
    understood: Callable[..., Any] = Conversation._understood_greeting

    def note(self: Conversation, dialect: Any, message: Message) -> Any:
        seen.append(message)
        return understood(self, dialect, message)

    monkeypatch.setattr(Conversation, "_understood_greeting", note)
    return seen


def answers(daemon: Daemon, count: int = 3, **greeting: Any) -> list[Message]:
    """Greet so often, call once each time, and give the answers to the greetings."""
    found = []
    for number in range(count):
        with RawClient(daemon.locationStr) as client:
            client.send(client.greeting("thing", **greeting))
            found.append(client.message())
            if found[-1].type == CONNECTOK:
                assert number == client.call("thing", "echo", number).value
    return found


@pytest.mark.parametrize("more", [{}, {KEY: {"version": "9", "can": ["side"]}}, {KEY: {"wants": ["together"]}}])
def test_the_same_again(engine: str, read: list[Message], more: dict[str, Any]) -> None:
    """The first greeting is read, the others are known, and all are answered alike."""
    with serving(engine=engine) as daemon:
        daemon.register(Thing(), "thing")
        first, *others = answers(daemon, **more)

    assert CONNECTOK == first.type
    assert [first, first] == others
    assert 1 == len(read)


def test_each_is_validated(engine: str) -> None:
    """The daemon's own code hears each greeting, in its circumstances, and says something else, or refuses."""

    class Counting(Daemon):
        """Answers with a number, and refuses the third one."""

        count = itertools.count()

        def validateHandshake(self, conn: Any, data: Any) -> Any:
            heard.append((data, current_context.client is conn, current_context.client_sock_addr == conn.address))
            number = next(self.count)
            if number == 2:
                raise ValueError("no more")
            return "same" if number < 2 else str(number)

    heard: list[Any] = []
    with serving(Counting, engine=engine) as daemon:
        daemon.register(Thing(), "thing")
        told = answers(daemon, 2)
        with RawClient(daemon.locationStr) as client:
            refusal = client.greet("thing")
            assert b"" == client.rest()
        with RawClient(daemon.locationStr) as client:
            kind, answer = client.greet("thing")

    assert told[0] == told[1]
    assert (CONNECTFAIL, "no more") == refusal
    assert (CONNECTOK, "3") == (kind, answer["handshake"])
    assert [("hello", True, True)] * 4 == heard


def test_annotations_of_the_second_answer(engine: str) -> None:
    """What the daemon's own code lays beside one answer goes out with that one."""

    class Annotating(Daemon):
        """Lays something beside every second answer."""

        count = itertools.count()

        def validateHandshake(self, conn: Any, data: Any) -> Any:
            if next(self.count) % 2:
                current_context.response_annotations = {"ABCD": b"x"}
            return super().validateHandshake(conn, data)

    with serving(Annotating, engine=engine) as daemon:
        daemon.register(Thing(), "thing")
        told = answers(daemon, 4)

    assert [{}, {"ABCD": b"x"}] * 2 == [{key: bytes(value) for key, value in each.annotations.items()} for each in told]


def test_what_an_object_exposes_by_then(engine: str) -> None:
    """An object under the same name, or with another class, is described as it is now, and one that is gone is not."""
    with serving(engine=engine) as daemon:
        daemon.register(Thing(), "thing")
        before = answers(daemon, 2)
        daemon.unregister("thing")
        (gone,) = answers(daemon, 1)
        daemon.register(type("Other", (Thing,), {"more": expose(lambda self: 1)})(), "thing")
        after = answers(daemon, 2)

    assert before[0] == before[1]
    assert CONNECTFAIL == gone.type
    assert after[0] == after[1]
    assert b"more" in after[0].payload
    assert b"more" not in before[0].payload


@pytest.mark.parametrize("cut", [3, 40, 60])
def test_in_pieces(engine: str, cut: int) -> None:
    """A known greeting that comes in pieces is read; so is one with a call right behind it."""
    with serving(engine=engine) as daemon:
        daemon.register(Thing(), "thing")
        first, _ = answers(daemon, 2)
        with RawClient(daemon.locationStr) as client:
            greeting = client.greeting("thing")
            client.send(greeting[:cut])
            client.send(greeting[cut:] + client.request("thing", "echo", 5))
            answer, reply = client.message(), client.codec.decode_reply(client.message())

    assert first == answer
    assert 5 == reply.value


def test_no_more_than_some_are_known() -> None:
    """Strangers who all say something else do not fill the memory."""
    with serving() as daemon:
        daemon.register(Thing(), "thing")
        host = daemon._converse(CALLER)._host
        for number in range(250):
            conversation = daemon._converse(CALLER)
            with RawClient(daemon.locationStr) as client:
                greeting = client.greeting("thing", f"hello {number}")
            for task in conversation.receive(greeting):
                assert task.run()

        assert 0 < len(host.acquaintances) <= 100
