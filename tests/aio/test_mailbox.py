"""What arrives at an asynchronous client: however it is cut, everybody who waits gets what was meant for them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyronb.aio.driver import Mailbox
from pyronb.dialects import PYRO5
from pyronb.errors import ConnectionClosedError, ProtocolError, TimeoutError
from pyronb.wire.bare import bare_head
from pyronb.wire.connection import LAYOUTS, ClientConnection
from pyronb.wire.message import CONNECT, PING, RESULT, Message
from tests.support.pair import joined
from tests.support.waiting import scaled

LAYOUT = LAYOUTS[PYRO5]
HEADS = frozenset({bare_head(RESULT, 1)})
LARGEST = 64

REPLIES = st.lists(
    st.tuples(
        st.binary(max_size=100),
        st.booleans(),  # whether it is awaited bare
        st.sampled_from([1, 1, 1, 4]),  # the serializer; only one of them has the short-cut
        st.sampled_from([{}, {}, {"ABCD": b"chunk"}]),
    ),
    max_size=8,
)


async def taken(replies, chunks, pings):
    """Have a mailbox take chunks, and give what each waiter got: the payload."""
    mailbox = Mailbox()
    mailbox.connection = ClientConnection(PYRO5)
    mailbox.connection.open()
    mailbox.take_bare(HEADS, LARGEST)
    futures = []
    for seq, (_, bare, _, _) in enumerate(replies):
        mailbox.connection.calls_made.add(seq)
        futures.append(mailbox.expect(seq, bare=bare))
    others = [mailbox.expect(None) for _ in range(pings)]
    for chunk in chunks:
        assert mailbox.received(chunk) is not None
    assert not mailbox.busy
    assert not mailbox.connection.calls_made
    answers = [await future for future in futures]
    assert [b"pong"] * pings == [bytes((await other).message.payload) for other in others]
    return [answer if type(answer) is bytes else bytes(answer.message.payload) for answer in answers]


@settings(max_examples=200)
@given(REPLIES, st.randoms(use_true_random=False), st.lists(st.integers(1, 90), min_size=1), st.integers(0, 2))
def test_any_chunking_gives_everybody_their_reply(replies, random, sizes, pings):
    """In any order of the replies, by the short-cut and by the long way, with pings among them."""
    messages = [
        Message(RESULT, number, 0, seq, payload, annotations)
        for seq, (payload, _, number, annotations) in enumerate(replies)
    ]
    messages += [Message(PING, 42, 0, 0, b"pong")] * pings
    random.shuffle(messages)
    data = b"".join(joined(LAYOUT.pack(each)) for each in messages)
    chunks, at = [], 0
    while at < len(data):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(data[at : at + size])
        at += size

    got = asyncio.run(taken(replies, chunks, pings))

    assert [payload for payload, *_ in replies] == got


def test_a_peer_that_speaks_first_is_heard_once_somebody_waits():
    """So that it can be told what it is; there is a limit to what is kept of it."""

    async def main():
        mailbox = Mailbox()
        assert 0 == mailbox.received(b"220 mail")
        assert 0 == mailbox.received(b" ESMTP\r\n")
        mailbox.connection = ClientConnection(PYRO5)
        mailbox.connection.greet(Message(CONNECT, 1, 0, 0, b"{}"))
        answer = mailbox.expect(None)
        mailbox.catch_up()
        with pytest.raises(ProtocolError, match="not a Pyro peer"):
            await answer

        flooded = Mailbox()
        assert 0 == flooded.received(b"x" * 64 * 1024)
        assert flooded.received(b"x") is None

    asyncio.run(main())


async def test_limits():
    """Who waits only until a moment is told when it has passed, in any order; who has the answer is not."""
    loop = asyncio.get_running_loop()
    mailbox = Mailbox()
    mailbox.connection = ClientConnection(PYRO5)
    mailbox.connection.open()
    mailbox.take_bare(HEADS, LARGEST)
    for seq in range(5):
        mailbox.connection.calls_made.add(seq)
    now = loop.time()
    late = mailbox.expect(0, now + scaled(60))
    soon = mailbox.expect(1, now + 0.02, bare=True)
    sooner = mailbox.expect(2, now + 0.01)
    answered = mailbox.expect(3, now + 0.015, bare=True)
    patient = mailbox.expect(4)
    mailbox.received(joined(LAYOUT.pack(Message(RESULT, 1, 0, 3, b"yes"))))
    for hasty in (sooner, soon):
        with pytest.raises(TimeoutError, match="receiving: no answer in time"):
            await hasty
    assert b"yes" == await answered
    assert not late.done()
    assert not patient.done()

    mailbox.lost(ConnectionClosedError("gone"))
    assert isinstance(late.exception(), ConnectionClosedError)
    assert isinstance(patient.exception(), ConnectionClosedError)
    assert not mailbox._limits
    assert mailbox._timer is None
