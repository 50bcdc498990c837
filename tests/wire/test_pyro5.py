"""The layout of protocol 502, against captures of real Pyro5 (wire specification)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.errors import ProtocolError
from pyronb.wire.message import CONNECT, CONNECTFAIL, CONNECTOK, INVOKE, PING, RESULT, Message
from pyronb.wire.pyro5 import Pyro5Layout
from tests.support.pair import joined

LAYOUT = Pyro5Layout()
SERPENT = b"# serpent utf-8 python3.2\n"


def captured(header, *rest):
    """Give the bytes of a capture: hex with spaces as the specification prints it, then text."""
    return bytes.fromhex(header) + b"".join(bytes(part) for part in rest)


EMPTY_ID = "00000000000000000000000000000000"
CORRELATION = bytes.fromhex("00112233445566778899aabbccddeeff")
ADD = SERPENT + b"('obj','add',(3,),{'b':4})"
STREAM_ERROR = (
    SERPENT + b"{'__class__':'Pyro5.errors.ProtocolError','__exception__':True,'args':('result of call is an iterator',"
    b"),'attributes':{'_pyroTraceback':None}}"
)
GREETING = SERPENT + b"{'handshake':'hello','object':'obj'}"
STREAM_ID = b"0890df90-b947-41f3-971b-85361d0972a8"
REFUSED = bytes.fromhex("fa1c696e76616c69642070726f746f636f6c2076657273696f6e3a203438")

# section, bytes, message
CAPTURES = {
    "8.4 CONNECT": (
        captured(f"5059524f 01f6 01 01 0000 0000 0000003e 00000000 {EMPTY_ID} 0000 4dc5", GREETING),
        Message(CONNECT, 1, 0, 0, GREETING),
    ),
    "8.4 CONNECTFAIL": (
        captured(
            "5059524f 01f6 03 01 0040 0000 0000002a 00000000 321527a087e449af8265182ae6c45118 0000 4dc5",
            SERPENT + b"'unknown object'",
        ),
        Message(
            CONNECTFAIL,
            1,
            0x40,
            0,
            SERPENT + b"'unknown object'",
            correlation_id=bytes.fromhex("321527a087e449af8265182ae6c45118"),
        ),
    ),
    "9.1 INVOKE": (
        captured("5059524f01f6040100400002000000340000000000112233445566778899aabbccddeeff00004dc5", ADD),
        Message(INVOKE, 1, 0x40, 2, ADD, correlation_id=CORRELATION),
    ),
    "9.1 RESULT": (
        captured("5059524f01f60501004000020000001b0000000000112233445566778899aabbccddeeff00004dc5", SERPENT + b"7"),
        Message(RESULT, 1, 0x40, 2, SERPENT + b"7", correlation_id=CORRELATION),
    ),
    "10 oneway": (
        captured(
            "5059524f01f604010004000700000032000000000000000000000000000000000000000000004dc5",
            SERPENT + b"('obj','fire',('x',),{})",
        ),
        Message(INVOKE, 1, 0x04, 7, SERPENT + b"('obj','fire',('x',),{})"),
    ),
    "13 stream": (
        captured(
            "5059524f01f605010051000a000000a80000002c5766eb2bd56e46f8aa5e807df3a5648a00004dc5",
            b"STRM\x00\x00\x00\x24",
            STREAM_ID,
            STREAM_ERROR,
        ),
        Message(
            RESULT,
            1,
            0x51,
            10,
            STREAM_ERROR,
            {"STRM": STREAM_ID},
            bytes.fromhex("5766eb2bd56e46f8aa5e807df3a5648a"),
        ),
    ),
    "15 PING": (
        captured("5059524f01f6062a0000000000000004000000000000000000000000000000000000000000004dc570696e67"),
        Message(PING, 42, 0, 0, b"ping"),
    ),
    "15 pong": (
        captured("5059524f01f6062a004000000000000400000000dd18a2d0d47c4f83ab04e0a73c573b9500004dc5706f6e67"),
        Message(PING, 42, 0x40, 0, b"pong", correlation_id=bytes.fromhex("dd18a2d0d47c4f83ab04e0a73c573b95")),
    ),
    "18 blob": (
        captured(
            f"5059524f01f6040100200018000000310000001b{EMPTY_ID}00004dc5",
            bytes.fromhex("424c4249000000132903da04696e666ffa036f626ada0472656376"),
            SERPENT + b"('obj','recv',[1,2],{})",
        ),
        Message(
            INVOKE,
            1,
            0x20,
            0x18,
            SERPENT + b"('obj','recv',[1,2],{})",
            {"BLBI": bytes.fromhex("2903da04696e666ffa036f626ada0472656376")},
        ),
    ),
    "25 mismatch": (
        captured("5059524f01f60302000000000000001e000000000000000000000000000000000000000000004dc5", REFUSED),
        Message(CONNECTFAIL, 2, 0, 0, REFUSED),
    ),
}


def unpack(data):
    """Read a message as the connection machine does."""
    header = LAYOUT.unpack_header(data[: LAYOUT.header_size])
    middle = LAYOUT.header_size + header.annotations_size
    chunks = LAYOUT.unpack_annotations(memoryview(data[LAYOUT.header_size : middle]))
    payload = data[middle:]
    assert header.payload_size == len(payload)
    return Message(header.type, header.serializer_id, header.flags, header.seq, payload, chunks, header.correlation_id)


@pytest.mark.parametrize("name", CAPTURES)
def test_writes_the_capture(name):
    """Byte for byte what a real Pyro5 sends."""
    data, message = CAPTURES[name]

    assert data == joined(LAYOUT.pack(message))


@pytest.mark.parametrize("name", CAPTURES)
def test_reads_the_capture(name):
    """A real Pyro5's message comes out in full."""
    data, message = CAPTURES[name]

    assert message == unpack(data)


def test_acceptance_of_section_8():
    """The header of the captured CONNECTOK tells type, flags, sizes and correlation id."""
    data = bytes.fromhex("5059524f01f6020100400000000000c300000000bf1d5fab479d40b6b3d8d0f2c7a08c8f00004dc5")
    header = LAYOUT.unpack_header(data)

    assert (CONNECTOK, 1, 0x40, 0, 0xC3, 0, bytes.fromhex("bf1d5fab479d40b6b3d8d0f2c7a08c8f")) == header


def test_reserved_field_is_not_looked_at():
    """Real peers ignore it, and pyronb may come to use it."""
    data = bytearray(CAPTURES["15 PING"][0])
    data[0x24:0x26] = b"\xff\xff"

    assert PING == unpack(bytes(data)).type


def test_correlation_id_without_its_flag_is_ignored():
    """The bytes mean something only with the flag."""
    data = bytearray(CAPTURES["9.1 INVOKE"][0])
    data[8:10] = b"\0\0"

    assert unpack(bytes(data)).correlation_id is None


@pytest.mark.parametrize(("at", "value"), [(0, 0x51), (4, 0x02), (5, 0x30), (0x26, 0), (0x27, 0)])
def test_foreign_header_is_refused(at, value):
    """Another tag, version or magic is no header of this protocol."""
    data = bytearray(CAPTURES["15 PING"][0][:40])
    data[at] = value

    with pytest.raises(ProtocolError, match="invalid message or protocol version"):
        LAYOUT.unpack_header(bytes(data))


NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=4, max_size=4)


def messages(payloads):
    """Give messages with such payloads."""
    return st.builds(
        Message,
        st.integers(0, 255),
        st.integers(0, 255),
        st.integers(0, 0xFFFF).map(lambda flags: flags & ~0x40),
        st.integers(0, 0xFFFF),
        payloads,
        st.dictionaries(NAMES, st.binary(max_size=50), max_size=4),
        st.none() | st.binary(min_size=16, max_size=16),
    )


@given(messages(st.binary(max_size=100) | st.integers(32_000, 33_000).map(bytes)))
def test_round_trip(message):
    """Any message comes back, small as one buffer or large as several."""
    back = unpack(joined(LAYOUT.pack(message)))
    # The flag that the correlation id counts is the layout's own affair.
    back.flags &= ~0x40

    assert message == back


def test_large_payload_is_not_joined():
    """A large payload is handed on as the object it is."""
    payload = bytes(100_000)
    buffers = LAYOUT.pack(Message(INVOKE, 1, 0, 1, payload, {"ABCD": b"x"}))

    assert buffers[-1] is payload
    assert 2 == len(buffers)


def test_memory_view_of_larger_items():
    """An annotation may be any view of memory; its bytes count, not its items."""
    view = memoryview(bytes(range(16))).cast("i")
    message = unpack(joined(LAYOUT.pack(Message(INVOKE, 1, 0, 1, b"payload", {"ABCD": view}))))

    assert bytes(range(16)) == message.annotations["ABCD"]
    assert b"payload" == message.payload


@pytest.mark.parametrize("name", ["", "abc", "abcde", "ab\xe4c", "\u20acabc"])
def test_annotation_names_have_four_characters(name):
    """A name that does not fit is refused before anything is sent."""
    with pytest.raises(ProtocolError, match="exactly 4 ASCII characters"):
        LAYOUT.pack(Message(INVOKE, 1, 0, 1, b"", {name: b""}))


class Huge(bytes):
    """Bytes that say they are more than they are."""

    def __len__(self):
        return 0x1_0000_0000


def test_payload_beyond_the_format():
    """What does not fit into four bytes of length is refused."""
    with pytest.raises(ProtocolError, match="too large for the format"):
        LAYOUT.pack(Message(INVOKE, 1, 0, 1, Huge()))


ANNOTATION_FAULTS = {
    "truncated head": b"ABCD\0\0\0",
    "past the end": b"ABCD\0\0\0\x05abcd",
    "far past the end": b"ABCD\xff\xff\xff\xffabcd",
    "second truncated": b"ABCD\0\0\0\x01aX",
    "name not ASCII": b"AB\xffD\0\0\0\0",
    "more than anybody needs": b"ABCD\0\0\0\0" * 10_001,
}


@pytest.mark.parametrize("name", ANNOTATION_FAULTS)
def test_wrong_annotations(name):
    """Chunks that do not add up are a protocol error."""
    with pytest.raises(ProtocolError, match="annotation"):
        LAYOUT.unpack_annotations(memoryview(ANNOTATION_FAULTS[name]))


def test_very_many_annotations():
    """As many as protocol 48 could carry are taken."""
    names = [f"{number:04}" for number in range(10_000)]

    assert names == list(LAYOUT.unpack_annotations(memoryview(b"".join(name.encode() + bytes(4) for name in names))))


def test_of_two_annotations_with_one_name_the_later_wins():
    """As with real peers."""
    found = LAYOUT.unpack_annotations(memoryview(b"ABCD\0\0\0\x01aABCD\0\0\0\x02bb"))

    assert {"ABCD": b"bb"} == found
