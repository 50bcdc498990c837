"""The layout of protocol 48, against captures of real Pyro4 (wire specification)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.dialects import PYRO4
from pyronb.errors import MessageTooLargeError, ProtocolError, SecurityError
from pyronb.wire.connection import ClientConnection, ServerConnection
from pyronb.wire.events import Broken, Called, Greeted
from pyronb.wire.message import CONNECT, CONNECTFAIL, CONNECTOK, INVOKE, PING, RESULT, Message
from pyronb.wire.pyro4 import Pyro4Layout
from pyronb.wire.signing import sign

LAYOUT = Pyro4Layout()
SERPENT = b"# serpent utf-8 python3.2\n"
GREETING = SERPENT + b"{'handshake':'hello','object':'obj'}"
ADD = SERPENT + b"('obj','add',(3,),{'b':4})"
CORRELATION = bytes.fromhex("00112233445566778899aabbccddeeff")
CORR = b"CORR\x00\x10"

# section, bytes, message
CAPTURES = {
    "8.4 CONNECT": (
        bytes.fromhex("5059524f 0030 0001 0010 0000 0000003e 0001 0000 0000 3569") + GREETING,
        Message(CONNECT, 1, 0x10, 0, GREETING),
    ),
    "8.4 CONNECT without metadata": (
        bytes.fromhex("5059524f 0030 0001 0000 0000 0000002f 0001 0000 0000 354a") + SERPENT + b"{'handshake':'hello'}",
        Message(CONNECT, 1, 0, 0, SERPENT + b"{'handshake':'hello'}"),
    ),
    "8.4 CONNECTOK without metadata": (
        bytes.fromhex("5059524f 0030 0002 0000 0000 00000021 0001 0016 0000 3553")
        + CORR
        + CORRELATION
        + SERPENT
        + b"'hello'",
        Message(CONNECTOK, 1, 0, 0, SERPENT + b"'hello'", correlation_id=CORRELATION),
    ),
    "9.1 INVOKE": (
        bytes.fromhex("5059524f003000040000000200000034000100160000356a") + CORR + CORRELATION + ADD,
        Message(INVOKE, 1, 0, 2, ADD, correlation_id=CORRELATION),
    ),
    "9.1 RESULT": (
        bytes.fromhex("5059524f00300005000000020000001b0001001600003552") + CORR + CORRELATION + SERPENT + b"7",
        Message(RESULT, 1, 0, 2, SERPENT + b"7", correlation_id=CORRELATION),
    ),
    "10 oneway": (
        bytes.fromhex("5059524f003000040004000600000032000100000000355a") + SERPENT + b"('obj','fire',('x',),{})",
        Message(INVOKE, 1, 0x04, 6, SERPENT + b"('obj','fire',('x',),{})"),
    ),
    "15 PING": (
        bytes.fromhex("5059524f003000060000000000000004002a00000000354d70696e67"),
        Message(PING, 42, 0, 0, b"ping"),
    ),
    "25 CONNECTFAIL": (
        bytes.fromhex("5059524f00300003000000000000002e000300000000354dfa2c")
        + b"invalid data or unsupported protocol version",
        Message(CONNECTFAIL, 3, 0, 0, b"\xfa\x2cinvalid data or unsupported protocol version"),
    ),
}


def heard(machine, data, chunk=None):
    """Give the events of these bytes, which arrive in chunks."""
    events = []
    for at in range(0, len(data), chunk or len(data)):
        machine.receive(data[at : at + (chunk or len(data))])
        while (event := machine.next_event()) is not None:
            events.append(event)
    return events


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_are_written(name):
    """What real Pyro4 sends is what we send."""
    data, message = CAPTURES[name]

    assert data == b"".join(LAYOUT.pack(message))


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_are_read(name):
    """What real Pyro4 sends is what we read."""
    data, message = CAPTURES[name]
    header = LAYOUT.unpack_header(data[:24])
    annotations = LAYOUT.unpack_annotations(memoryview(data)[24 : 24 + header.annotations_size])
    payload = data[24 + header.annotations_size :]

    assert header.payload_size == len(payload)
    assert message == LAYOUT.unpack_message(header, annotations, payload, None)


@pytest.mark.parametrize(
    ("at", "value", "text"),
    [(0, b"QYRO", "invalid data"), (5, b"\x2f", "invalid data"), (22, b"\0\0", "header checksum mismatch")],
)
def test_wrong_headers(at, value, text):
    """Wrong tag, version or checksum are told apart."""
    data = bytearray(CAPTURES["8.4 CONNECT"][0][:24])
    data[at : at + len(value)] = value
    with pytest.raises(ProtocolError, match=text):
        LAYOUT.unpack_header(bytes(data))


def test_reserved_field_is_ignored():
    """As real peers ignore it."""
    data = bytearray(CAPTURES["8.4 CONNECT"][0][:24])
    data[20:22] = b"\x12\x34"

    assert CONNECT == LAYOUT.unpack_header(bytes(data)).type


def test_too_many_annotations():
    """The block of annotations has a limit in this format, and it is said before anything is sent."""
    with pytest.raises(MessageTooLargeError, match="annotations"):
        LAYOUT.pack(Message(INVOKE, 1, 0, 1, b"", {"AAAA": bytes(40_000), "BBBB": bytes(40_000)}))
    with pytest.raises(MessageTooLargeError, match="'AAAA' is too large"):
        LAYOUT.pack(Message(INVOKE, 1, 0, 1, b"", {"AAAA": bytes(70_000)}))


# Signatures (section 5)


def test_signatures_of_the_specification():
    """Both were captured from real Pyro4."""
    assert "4f28a7885c63bcbfd4a08471dac999f09a0d2baf" == sign(b"secret", GREETING, {}).hex()
    payload = SERPENT + b"('obj','add',(1,2),{})"
    signature = sign(b"secret", payload, {"CORR": CORRELATION}).hex()

    assert "4ed6f9ffcacf1380e4697bd293e5bc810bc18708" == signature


def test_signed_call_of_the_specification():
    """The whole message as real Pyro4 sends it."""
    payload = SERPENT + b"('obj','add',(1,2),{})"
    data = (
        bytes.fromhex("5059524f0030000400000002000000300001003000003580")
        + CORR
        + CORRELATION
        + b"HMAC\x00\x14"
        + bytes.fromhex("4ed6f9ffcacf1380e4697bd293e5bc810bc18708")
        + payload
    )

    assert data == b"".join(LAYOUT.pack(Message(INVOKE, 1, 0, 2, payload, correlation_id=CORRELATION), b"secret"))


def greeted(key, data):
    """What a server machine with this key makes of these bytes."""
    (event,) = heard(ServerConnection(key=key), data)
    return event


@pytest.mark.parametrize("chunk", [None, 1, 7, 24, 30])
def test_signed_messages_are_read_in_any_chunks(chunk):
    """The signature is checked and taken out."""
    data = b"".join(LAYOUT.pack(Message(CONNECT, 1, 0x10, 0, GREETING, {"ABCD": b"x"}), b"secret"))
    (event,) = heard(ServerConnection(key=b"secret"), data, chunk)

    assert isinstance(event, Greeted)
    assert {"ABCD": b"x"} == event.message.annotations


@pytest.mark.parametrize(
    ("theirs", "ours", "text"),
    [
        (b"other", b"secret", "message hmac mismatch"),
        (None, b"secret", "hmac key config not symmetric: the peer signs nothing"),
        (b"secret", None, "hmac key config not symmetric: the peer signs its messages"),
    ],
)
def test_wrong_keys(theirs, ours, text):
    """The conversation ends with a security error, which can still be told to the client."""
    event = greeted(ours, b"".join(LAYOUT.pack(Message(CONNECT, 1, 0x10, 0, GREETING), theirs)))

    assert isinstance(event, Broken)
    assert isinstance(event.error, SecurityError)
    assert event.answerable
    assert text in str(event.error)


@given(st.integers(0, 23 + len(GREETING)))
def test_a_changed_byte_is_noticed(at):
    """With a key no byte of a message can be changed without notice, but for the reserved ones."""
    data = bytearray(b"".join(LAYOUT.pack(Message(CONNECT, 1, 0x10, 0, GREETING), b"secret")))
    data[at] ^= 0x55
    events = heard(ServerConnection(key=b"secret"), bytes(data))

    assert at in (20, 21) or not any(isinstance(event, Greeted | Called) for event in events)


def test_a_key_and_protocol_502():
    """What was meant to be signed is not sent without."""
    client = ClientConnection(PYRO4, key=b"secret")
    event = only_502(client)

    assert isinstance(event, Broken)


def only_502(client):
    """Let a client that greeted in 48 hear a 502 answer."""
    client.greet(Message(CONNECT, 1, 0x10, 0, GREETING))
    (event,) = heard(client, bytes.fromhex("5059524f01f603020000000000000000"))
    return event


@given(
    payload=st.binary(max_size=40),
    beside=st.sampled_from([(None, {}), (CORRELATION, {}), (CORRELATION, {"ABCD": b"x"}), (None, {"CORR": b"short"})]),
    change=st.tuples(st.integers(0, 60), st.integers(0, 255)),
    extra=st.sampled_from([b"", b"P"]),
)
def test_a_message_that_comes_alone(payload, beside, change, extra):
    """It is read in one go, and to the same end as in pieces; also where something in it is wrong."""
    correlation, annotations = beside
    [data] = LAYOUT.pack(Message(RESULT, 1, 0, 7, payload, annotations, correlation))
    changed = bytearray(data)
    changed[change[0] % len(data)] = change[1]
    for each in (data + extra, bytes(changed)):
        ends = []
        for chunk in (None, 1):
            client = ClientConnection(PYRO4)
            client.open()
            client.calls_made = set(range(0x10000))
            ends.append(
                [str(event.error) if isinstance(event, Broken) else event for event in heard(client, each, chunk)]
            )

        assert ends[0] == ends[1]
    usual = len(annotations) == 0
    assert usual == (LAYOUT.unpack_whole(data) is not None)
