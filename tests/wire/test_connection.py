"""The connection machines, joined in memory and fed with whatever a peer might send."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import MessageTooLargeError, ProtocolError
from pyronb.wire import buffer
from pyronb.wire.connection import CLOSED, GREETING, NEW, OPEN, ClientConnection, OtherDialectError, ServerConnection
from pyronb.wire.events import Accepted, Broken, Called, Greeted, Pinged, Refused, Replied, Told, Withdrawn
from pyronb.wire.message import (
    CANCELS,
    CONNECT,
    CONNECTFAIL,
    CONNECTOK,
    INVOKE,
    PING,
    RESULT,
    TELLS_OUTPUT,
    TELLS_PROGRESS,
)
from pyronb.wire.pyro5 import Pyro5Layout
from tests.support.pair import Pair, heard, invoke, joined, message, pieces, result
from tests.wire.test_pyro5 import messages

LAYOUT = Pyro5Layout()


def packed(*messages):
    """Give the bytes of messages, one after the other."""
    return b"".join(joined(LAYOUT.pack(each)) for each in messages)


def kinds(events):
    """Give the classes of events."""
    return [type(event) for event in events]


def only(events):
    """Give the one event there is."""
    assert len(events) == 1, events
    return events[0]


def open_client(**options):
    """Give a client machine that was accepted."""
    client = ClientConnection(PYRO5, **options)
    client.open()
    return client


def describe(events):
    """Give events as values that can be compared."""
    return [
        (type(event), str(event.error), event.answerable) if isinstance(event, Broken) else (type(event), event.message)
        for event in events
    ]


# A conversation


@pytest.mark.parametrize("chunk", [None, 1, 7, 40])
def test_a_conversation(chunk):
    """Greeting, call, ping: each side hears what the other said, and both states follow the diagram."""
    pair = Pair(chunk=chunk)
    assert (NEW, NEW) == pair.states

    greeted = only(pair.to_server(pair.client.greet(message(CONNECT, payload=b"hello"))))

    assert Greeted(message(CONNECT, payload=b"hello")) == greeted
    assert (GREETING, GREETING) == pair.states

    accepted = only(pair.to_client(pair.server.accept(message(CONNECTOK))))

    assert Accepted(message(CONNECTOK)) == accepted
    assert (OPEN, OPEN) == pair.states

    called = only(pair.to_server(pair.client.call(invoke(1))))

    assert Called(invoke(1)) == called
    assert {1} == pair.client.calls_made

    replied = only(pair.to_client(pair.server.reply(result(1))))

    assert Replied(result(1)) == replied
    assert set() == pair.client.calls_made

    pinged = only(pair.to_server(pair.client.ping(message(PING))))
    answered = only(pair.to_client(pair.server.reply(message(PING))))

    assert (Pinged, Pinged) == (type(pinged), type(answered))
    assert (OPEN, OPEN) == pair.states
    assert (False, False) == (pair.client.midway, pair.server.midway)


def test_refusal_ends_both():
    """After a refusal nothing is heard on either side."""
    pair = Pair()
    pair.to_server(pair.client.greet(message(CONNECT)))
    refused = only(pair.to_client(pair.server.refuse(message(CONNECTFAIL))))

    assert Refused(message(CONNECTFAIL)) == refused
    assert (CLOSED, CLOSED) == pair.states
    assert [] == heard(pair.server, packed(invoke(1))) + heard(pair.client, packed(result(1)))


def test_pipelined_greeting_ping_and_call():
    """What a client sends ahead waits until it was accepted, and then comes in order."""
    server = ServerConnection()
    events = heard(server, packed(message(CONNECT), message(PING), invoke(1)))

    assert [Greeted] == kinds(events)

    server.accept(message(CONNECTOK))
    events = [server.next_event(), server.next_event(), server.next_event()]

    assert [Pinged, Called, type(None)] == kinds(events)


def test_a_greeting_that_is_known():
    """Without a byte of it the server is as it is after reading it, and goes on with all that comes."""
    known, read = ServerConnection(), ServerConnection()

    assert known.meet()
    only(heard(read, packed(message(CONNECT))))

    assert (GREETING, PYRO5) == (known.state, known.dialect) == (read.state, read.dialect)
    assert known.accept(message(CONNECTOK)) == read.accept(message(CONNECTOK))
    assert Called(invoke(1)) == only(heard(known, packed(invoke(1)), 7))


def test_a_greeting_that_has_to_be_read():
    """After a first byte, with a key, and where somebody watches, nothing is taken as read; nor is a second one."""
    begun, signed, watched, met = (
        ServerConnection(),
        ServerConnection(key=b"k"),
        ServerConnection(watch=lambda *_: None),
        ServerConnection(),
    )
    begun.receive(b"P")
    met.meet()

    assert not any(each.meet() for each in (begun, signed, watched, met))
    assert [NEW, NEW, NEW, GREETING] == [each.state for each in (begun, signed, watched, met)]


def test_oneway_calls_wait_for_nothing():
    """A oneway call leaves no reply owed."""
    client = open_client()
    client.call(invoke(1), oneway=True)

    assert set() == client.calls_made


# Sequence numbers


def test_sequence_wraps():
    """After 65535 comes 0, which is a number like any other."""
    pair = Pair().open()
    pair.client.sequence = 0xFFFE
    numbers = [pair.client.next_sequence() for _ in range(4)]

    assert [0xFFFF, 0, 1, 2] == numbers
    for number in numbers:
        pair.to_server(pair.client.call(invoke(number)))
        assert Replied(result(number)) == only(pair.to_client(pair.server.reply(result(number))))


def test_replies_may_come_in_any_order():
    """Replies are matched by their number."""
    client = open_client()
    for number in (1, 2, 3):
        client.call(invoke(number))
    events = heard(client, packed(result(3), result(1), result(2)))

    assert [3, 1, 2] == [event.message.seq for event in events]


@pytest.mark.parametrize("number", [0, 2, 0xFFFF])
def test_reply_out_of_sync(number):
    """A reply to what was not asked breaks the conversation."""
    client = open_client()
    client.call(invoke(1))
    event = only(heard(client, packed(result(number), result(1))))

    assert isinstance(event, Broken)
    assert f"reply sequence out of sync: got {number}" in str(event.error)
    assert CLOSED == client.state


def test_second_reply_to_one_call():
    """The number was used up by the first."""
    client = open_client()
    client.call(invoke(1))

    assert [Replied, Broken] == kinds(heard(client, packed(result(1), result(1))))


def test_abandoned_reply_is_dropped():
    """A reply nobody waits for any more disturbs nothing, and only the first with its number is dropped."""
    client = open_client()
    client.call(invoke(1))
    client.call(invoke(2))
    client.abandon(1)
    events = heard(client, packed(result(1), result(2)))

    assert [2] == [event.message.seq for event in events]
    assert [Broken] == kinds(heard(client, packed(result(1))))


def test_abandoning_what_was_not_asked():
    """It changes nothing: a reply with that number is still out of sync."""
    client = open_client()
    client.abandon(5)

    assert [Broken] == kinds(heard(client, packed(result(5))))


def test_numbers_in_use_are_skipped():
    """A number on which a reply is outstanding, waited for or abandoned, is not given again when they wrap."""
    client = open_client()
    client.sequence = 0xFFFE
    for seq in (0, 1, 2):
        client.call(invoke(seq))
    client.abandon(1)
    client.take_back(2)

    assert [0xFFFF, 2, 3] == [client.next_sequence() for _ in range(3)]


def test_all_numbers_in_use():
    """It is an error rather than a reply that goes astray."""
    client = open_client()
    client.calls_made.update(range(0x10000))

    with pytest.raises(ProtocolError, match="no further numbers"):
        client.next_sequence()


def test_request_that_was_not_sent():
    """Nothing is owed for it."""
    client = open_client()
    client.call(invoke(1))
    client.take_back(1)

    assert [Broken] == kinds(heard(client, packed(result(1))))


# What a peer must not send


@pytest.mark.parametrize("kind", [0, CONNECTOK, CONNECTFAIL, INVOKE, RESULT, PING, 7, 255])
def test_server_hears_something_else_than_a_greeting(kind):
    """It breaks, and the client can be told why, in the text of real daemons."""
    server = ServerConnection()
    event = only(heard(server, packed(message(kind))))

    assert event.answerable
    assert f"invalid msg type {kind} received (expected: 1)" == str(event.error)
    assert CLOSED == server.state


@pytest.mark.parametrize("kind", [0, CONNECT, CONNECTOK, CONNECTFAIL, RESULT, 7, 255])
def test_open_server_hears_what_is_no_request(kind):
    """It breaks without an answer, as real daemons close without one."""
    pair = Pair().open()
    event = only(heard(pair.server, packed(message(kind))))

    assert isinstance(event, Broken)
    assert not event.answerable
    assert f"unexpected message of type {kind}" == str(event.error)


@pytest.mark.parametrize("kind", [0, CONNECT, INVOKE, RESULT, PING, 7])
def test_greeting_client_hears_no_answer_to_it(kind):
    """Only acceptance and refusal answer a greeting."""
    client = ClientConnection(PYRO5)
    client.greet(message(CONNECT))

    assert [Broken] == kinds(heard(client, packed(message(kind))))


@pytest.mark.parametrize("kind", [0, CONNECT, CONNECTOK, CONNECTFAIL, INVOKE, 7])
def test_open_client_hears_what_is_no_reply(kind):
    """Anything but RESULT and PING breaks the conversation."""
    assert [Broken] == kinds(heard(open_client(), packed(message(kind))))


def test_broken_comes_once():
    """After it the machine is silent, whatever still arrives."""
    server = ServerConnection()

    assert [Broken] == kinds(heard(server, b"GET / HTTP/1.1\r\n\r\n" + packed(message(CONNECT)), 3))
    assert server.next_event() is None
    assert not server.midway


FOREIGN = {
    "http": (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "not a Pyro peer (it sent b'HTTP/1')"),
    "past": (b"PYRO\x00\x2f" + bytes(60), "invalid protocol version: 47; spoken here: 502 (Pyro5), 48 (Pyro4)"),
    "future": (b"PYRO\xff\xff" + bytes(60), "invalid protocol version: 65535; spoken here: 502 (Pyro5), 48 (Pyro4)"),
    "bad magic": (packed(message(CONNECT))[:38] + b"\0\0" + b"payload", "invalid message or protocol version"),
}


@pytest.mark.parametrize("chunk", [None, 1, 6, 24, 39, 40, 41])
@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_bytes_are_named_alike_in_any_chunks(name, chunk):
    """What the peer is gets said, by both machines, however the bytes arrive."""
    data, text = FOREIGN[name]
    client, server = ClientConnection(PYRO5), ServerConnection()
    client.greet(message(CONNECT))

    assert text in str(only(heard(client, data, chunk)).error)
    assert text in str(only(heard(server, data, chunk)).error)


@pytest.mark.parametrize("version", [47, 501, 503])
def test_foreign_version_is_answerable_at_six_bytes(version):
    """A client of another protocol need not send a whole header to learn it."""
    event = only(heard(ServerConnection(), b"PYRO" + version.to_bytes(2, "big")))

    assert event.answerable


@pytest.mark.parametrize("chunk", [None, 1, 6, 24, 40])
def test_a_server_of_the_other_dialect_is_recognised(chunk):
    """A client that greeted in 502 learns from the answer of a real Pyro4 daemon what is spoken there (section 25)."""
    answer = bytes.fromhex("5059524f00300003000000000000002e000300000000354dfa2c") + b"invalid data or unsupported"
    client = ClientConnection(PYRO5)
    client.greet(message(CONNECT))
    error = only(heard(client, answer, chunk)).error

    assert isinstance(error, OtherDialectError)
    assert error.dialect is PYRO4


def test_a_server_takes_the_dialect_of_its_client():
    """The first six bytes decide (section 25)."""
    server = ServerConnection()
    server.receive(b"PYRO\x00\x30")

    assert server.next_event() is None
    assert server.dialect is PYRO4


def test_version_change_in_mid_conversation():
    """A conversation stays in its dialect."""
    pair = Pair().open()
    event = only(heard(pair.server, b"PYRO\x00\x30" + bytes(50)))

    assert isinstance(event, Broken)
    assert not event.answerable


def test_refusal_before_the_dialect_is_known():
    """It is said in protocol 502."""
    server = ServerConnection()
    heard(server, b"garbage")
    data = joined(server.refuse(message(CONNECTFAIL, payload=b"no")))

    assert data.startswith(b"PYRO\x01\xf6\x03")


# Limits


@pytest.mark.parametrize(
    ("payload", "annotations"), [(0xFFFFFFFF, 0), (0, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (1001, 0), (990, 11)]
)
def test_huge_lengths_are_refused_with_the_header(payload, annotations):
    """The limit holds before anything of the message is waited for or allocated."""
    data = bytearray(packed(message(CONNECT, payload=b""))[:40])
    data[12:16], data[16:20] = payload.to_bytes(4, "big"), annotations.to_bytes(4, "big")
    server = ServerConnection(max_message_size=1000)
    event = only(heard(server, bytes(data)))

    assert isinstance(event.error, MessageTooLargeError)
    assert "MAX_MESSAGE_SIZE is 1000" in str(event.error)


@given(st.integers(0, 60), st.dictionaries(st.sampled_from(["AAAA", "BBBB"]), st.binary(max_size=20)))
def test_both_ends_count_alike(size, annotations):
    """What one end sends under its limit, the other takes under the same; and nothing is sent that it would refuse."""
    pair = Pair(max_message_size=60)
    greeting = message(CONNECT, payload=bytes(size), annotations=annotations)
    counted = size + sum(8 + len(value) for value in annotations.values())
    if counted > 60:
        with pytest.raises(MessageTooLargeError, match=f"{counted} bytes"):
            pair.client.greet(greeting)
    else:
        assert [Greeted] == kinds(pair.to_server(pair.client.greet(greeting)))


def test_message_too_large_to_send_leaves_no_reply_owed():
    """Nothing was sent, so nothing is awaited."""
    client = open_client(max_message_size=100)
    with pytest.raises(MessageTooLargeError):
        client.call(invoke(1, bytes(101)))

    assert set() == client.calls_made
    assert OPEN == client.state


def test_missing_bytes_are_known_with_the_header():
    """A large message can be read in large pieces."""
    server = ServerConnection()
    data = packed(message(CONNECT, payload=bytes(1000), annotations={"ABCD": b"12345"}))
    server.receive(data[:20])
    assert server.next_event() is None

    assert (0, True) == (server.missing, server.midway)

    server.receive(data[20:100])
    assert server.next_event() is None

    assert (len(data) - 100, True) == (server.missing, server.midway)

    server.receive(data[100:])

    assert isinstance(server.next_event(), Greeted)
    assert (0, False) == (server.missing, server.midway)


# Any bytes, in any chunks

STREAMS = st.lists(
    st.one_of(
        messages(st.binary(max_size=100)).map(packed),
        st.binary(max_size=60),
        st.sampled_from([each[0] for each in FOREIGN.values()]),
    ),
    max_size=5,
).map(lambda parts: packed(message(CONNECT)) + b"".join(parts))
CUTS = st.lists(st.integers(1, 50), min_size=1, max_size=30)


def cut(data, sizes):
    """Cut bytes into chunks of these sizes, again and again."""
    at, turn = 0, 0
    while at < len(data):
        step = sizes[turn % len(sizes)]
        yield data[at : at + step]
        at, turn = at + step, turn + 1


def hear_as_server(chunks):
    """Feed chunks to a server machine that accepts whoever greets it."""
    server, events = ServerConnection(max_message_size=40_000), []
    for chunk in chunks:
        server.receive(chunk)
        while (event := server.next_event()) is not None:
            events.append(event)
            if isinstance(event, Greeted):
                server.accept(message(CONNECTOK))
    return events


class Everything(set):
    """A set of all numbers."""

    def __contains__(self, number):
        return True


def hear_as_client(chunks):
    """Feed chunks to a client machine that has asked for every number."""
    client, events = open_client(max_message_size=40_000), []
    client.calls_made = Everything()
    for chunk in chunks:
        client.receive(chunk)
        while (event := client.next_event()) is not None:
            events.append(event)
    return events


@settings(max_examples=300)
@given(STREAMS, CUTS)
def test_any_chunking_gives_the_same_events(data, sizes):
    """How the network cuts the bytes makes no difference, and no bytes raise anything."""
    for hear in (hear_as_server, hear_as_client):
        whole, small, odd = hear([data]), hear(pieces(data, 1)), hear(cut(data, sizes))

        assert describe(whole) == describe(small)
        assert describe(whole) == describe(odd)
        assert sum(isinstance(event, Broken) for event in whole) <= 1


@settings(max_examples=300)
@given(st.binary(max_size=300), st.binary(max_size=40))
def test_no_bytes_raise(data, tail):
    """Whatever comes, the machines give events; what is wrong is told as ProtocolError in a Broken."""
    for start in (b"", b"PYRO", b"PYRO\x01\xf6", packed(message(CONNECT)), packed(message(CONNECT))[:36] + tail):
        for event in hear_as_server([start + data]) + hear_as_client([start + data]):
            if isinstance(event, Broken):
                assert isinstance(event.error, ProtocolError)


@settings(max_examples=200)
@given(st.data())
def test_one_flipped_byte(data):
    """A message with any one byte changed gives a message, perhaps with a broken rest, an error, or awaits its end."""
    original = packed(message(CONNECT, payload=b"x" * 20, annotations={"ABCD": b"12345"}))
    at = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[at] = data.draw(st.integers(0, 255))
    events = hear_as_server([bytes(changed)])

    assert kinds(events) in ([Greeted], [Greeted, Broken], [Broken], [])


@pytest.mark.parametrize("chunk", [None, 7_919, 70_000, 1 << 20])
@pytest.mark.parametrize("annotated", [False, True])
def test_large_messages_between_small_ones(chunk, annotated):
    """Whatever the chunks are, a large message is taken out of the middle of them."""
    pair = Pair(chunk=chunk).open()
    payload = bytes(range(256)) * 3_000
    annotations = {"ABCD": b"x" * 200_000} if annotated else {}
    said = [
        *pair.client.call(invoke(1)),
        *pair.client.call(message(INVOKE, 2, payload, annotations=annotations)),
        *pair.client.call(invoke(3)),
    ]

    heard_of = [event.message for event in pair.to_server(said)]

    assert [b"call", payload, b"call"] == [bytes(each.payload) for each in heard_of]
    assert annotations == {name: bytes(value) for name, value in heard_of[1].annotations.items()}
    assert pair.server.idle


def test_a_large_message_is_received_into_its_own_memory():
    """Its rest can be filled from outside, partly or wholly, and is then there without a copy."""
    pair = Pair().open()
    data = joined(pair.client.call(invoke(1, b"z" * 300_000)))
    server = pair.server
    server.receive(data[:50_000])
    assert server.rest is None, "nobody has looked at what came yet"
    assert server.next_event() is None
    assert len(data) - 50_000 == server.missing == len(server.rest)

    server.rest[:1000] = data[50_000:51_000]
    server.filled(1000)
    assert server.next_event() is None
    server.receive(data[51_000:60_000])
    server.rest[:] = data[60_000:]
    server.filled(len(data) - 60_000)
    assert server.rest is None

    event = server.next_event()
    assert b"z" * 300_000 == event.message.payload
    assert isinstance(event.message.payload, memoryview)
    assert server.rest is None
    assert server.idle


@pytest.mark.parametrize("size", [1 << 17, 31 << 20, 1 << 30])
def test_a_large_message_has_no_memory_before_some_of_it_came(size):
    """Whoever sends a header claims a size, and has to send a part of the message before it is believed."""
    header = packed(invoke(1, b""))[:40]
    pair = Pair().open()
    server = pair.server
    server.receive(header[:12] + size.to_bytes(4, "big") + header[16:])
    assert server.next_event() is None
    assert (size, None) == (server.missing, server.rest)

    piece = bytes(min(size // 16, 1 << 20))
    server.receive(piece[1:])
    assert server.next_event() is None
    assert server.rest is None

    server.receive(b"x")
    assert server.next_event() is None
    assert size - len(piece) == server.missing == len(server.rest)


def test_a_message_for_which_there_is_no_memory(monkeypatch):
    """It is an error like any other message that is too large."""

    def full(size):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(buffer, "_reserved", full)
    pair = Pair().open()
    event = only(pair.to_server([joined(pair.client.call(invoke(1, bytes(300_000))))[:50_000]]))

    assert isinstance(event.error, MessageTooLargeError)
    assert "there is no memory for 300000 bytes" in str(event.error)


def test_closing_lets_go_of_a_large_message():
    """Also in the middle of it."""
    pair = Pair().open()
    pair.server.receive(joined(pair.client.call(invoke(1, b"z" * 300_000)))[:50_000])
    assert pair.server.next_event() is None
    pair.server.close()

    assert pair.server.rest is None
    assert 0 == pair.server.missing


# Side messages: only between ends that said so


def open_pair(**options):
    """Give two machines that both know of side messages."""
    pair = Pair(**options).open()
    pair.client.side = pair.server.side = True
    return pair


@pytest.mark.parametrize("chunk", [None, 1, 50])
@pytest.mark.parametrize("flag", [TELLS_PROGRESS, TELLS_OUTPUT])
def test_a_call_tells_of_itself(flag, chunk):
    """As often as it likes, before its answer."""
    pair = open_pair(chunk=chunk)
    pair.to_server(pair.client.call(invoke(3)))

    told = [pair.to_client(pair.server.reply(message(RESULT, 3, text, flags=flag))) for text in (b"one", b"two")]
    replied = pair.to_client(pair.server.reply(result(3)))

    assert [[Told], [Told], [Replied]] == [*map(kinds, told), kinds(replied)]
    assert [b"one", b"two"] == [bytes(only(events).message.payload) for events in told]
    assert set() == pair.client.calls_made


@pytest.mark.parametrize("flag", [TELLS_PROGRESS, TELLS_OUTPUT])
def test_what_is_told_of_no_call_is_dropped(flag):
    """Of one that is unknown, was answered, or was given up; the conversation goes on."""
    pair = open_pair()
    for seq in (3, 4):
        pair.to_server(pair.client.call(invoke(seq)))
    pair.to_client(pair.server.reply(result(3)))
    pair.client.abandon(4)

    events = [pair.to_client(pair.server.reply(message(RESULT, seq, flags=flag))) for seq in (3, 4, 5)]
    late = pair.to_client(pair.server.reply(result(4)))
    pair.to_server(pair.client.call(invoke(5)))

    assert [[], [], []] == events
    assert [] == late
    assert Replied is type(only(pair.to_client(pair.server.reply(result(5)))))


def test_telling_much_breaks_it():
    """Nothing that is told of a call is large, so nobody need make room for it."""
    client = open_client()
    client.side = True
    client.call(invoke(3))

    event = only(heard(client, packed(message(RESULT, 3, bytes(64 * 1024 + 1), flags=TELLS_PROGRESS))[:100]))

    assert isinstance(event, Broken)
    assert isinstance(event.error, MessageTooLargeError)


def test_a_call_is_withdrawn():
    """The answer is still due, and comes."""
    pair = open_pair()
    pair.to_server(pair.client.call(invoke(3)))

    withdrawn = only(pair.to_server(pair.client.withdraw(3)))

    assert (Withdrawn, 3) == (type(withdrawn), withdrawn.message.seq)
    assert Replied is type(only(pair.to_client(pair.server.reply(result(3)))))


def test_flags_mean_nothing_between_others():
    """Where the ends did not say so, high flag bits are ignored, as real peers do."""
    pair = Pair().open()

    called = only(pair.to_server(pair.client.call(message(INVOKE, 3, flags=CANCELS))))
    replied = only(pair.to_client(pair.server.reply(message(RESULT, 3, flags=TELLS_PROGRESS))))

    assert (Called, Replied) == (type(called), type(replied))


@pytest.mark.parametrize("kind", [RESULT, INVOKE])
def test_nothing_is_told_before_the_greeting(kind):
    """It breaks the conversation, as every message does that comes too early."""
    client, server = ClientConnection(PYRO5), ServerConnection()
    client.side = server.side = True
    client.greet(message(CONNECT))

    for machine in (client, server):
        assert Broken is type(only(heard(machine, packed(message(kind, 0, flags=TELLS_PROGRESS)))))
