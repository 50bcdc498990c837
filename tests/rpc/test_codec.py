"""Codec: calls to messages and back, in every serializer."""

from __future__ import annotations

import contextlib
import threading
import zlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.dialects import PYRO5
from pyronb.errors import MessageTooLargeError, ProtocolError, PyroError, RemoteError, SerializeError
from pyronb.options import WireOptions
from pyronb.rpc.blob import SerializedBlob
from pyronb.rpc.call import Call, Raised, Returned, StreamOpened
from pyronb.rpc.codec import Codec
from pyronb.serializers.base import BATCH_METHOD
from pyronb.serializers.catalog import Catalog
from pyronb.serializers.hooks import BatchError
from pyronb.wire.message import INVOKE, RESULT, Message

NAMES = ("serpent", "json", "marshal", "msgpack")
CORRELATION = UUID("00112233-4455-6677-8899-aabbccddeeff").bytes
SERPENT = b"# serpent utf-8 python3.2\n"


def codec_for(*, pyronb=True, **options):
    """Give a codec; `pyronb` says what the peer is."""
    wire = WireOptions(**options)
    return Codec(PYRO5, Catalog(PYRO5, wire, pyronb_peer=pyronb), wire)


@pytest.fixture(params=NAMES)
def name(request):
    """Give the name of each serializer in turn."""
    return request.param


@pytest.fixture
def codec():
    return codec_for()


def asked(codec, call, name, seq=7):
    """Carry a call over: encoded and decoded."""
    return codec.decode_call(codec.encode_call(call, codec.catalog.by_name(name), seq))


def request(codec, name, seq=7, **fields):
    """Give the request that a reply is for."""
    call = Call("obj", "method", (), {}, **fields)
    return codec.encode_call(call, codec.catalog.by_name(name), seq)


def tight(payload):
    """The payload without the spaces after commas and colons, which real Pyro does not write and nobody minds."""
    return payload.replace(b", ", b",").replace(b": ", b":")


def answered(codec, outcome, name, **fields):
    """Carry an outcome over: encoded and decoded."""
    return codec.decode_reply(codec.encode_outcome(outcome, request(codec, name, **fields)))


# Calls


def test_captured_call(codec):
    """The message is the one that real Pyro5 sends (section 9.1)."""
    call = Call("obj", "add", (3,), {"b": 4}, correlation_id=CORRELATION)
    message = codec.encode_call(call, codec.catalog.by_name("serpent"), 2)

    message.payload = tight(message.payload)

    assert Message(INVOKE, 1, 0, 2, SERPENT + b"('obj','add',(3,),{'b':4})", correlation_id=CORRELATION) == message


CAPTURED_CALLS = {
    "json": b'{"object": "obj", "method": "add", "params": [1], "kwargs": {"b": 2}}',
    "marshal": bytes.fromhex("2904fa036f626ada03616464db01000000e901000000fbda0162e90200000030"),
    "msgpack": bytes.fromhex("94a36f626aa3616464910181a16202"),
}


@pytest.mark.parametrize("serializer", CAPTURED_CALLS)
def test_captured_calls_are_read(codec, serializer):
    """Calls of real Pyro5 in other serializers (section 9.1)."""
    number = PYRO5.serializers[serializer]
    call = codec.decode_call(Message(INVOKE, number, 0, 1, CAPTURED_CALLS[serializer]))

    assert ("obj", "add", [1], {"b": 2}) == (call.object_id, call.method, list(call.args), call.kwargs)


@pytest.mark.parametrize("oneway", [False, True])
def test_calls(codec, name, oneway):
    """All of a call arrives: who, what, with what, and what goes beside it."""
    call = Call("obj", "m", ("text", 2, [3.5, None]), {"key": {"a": True}}, oneway, False, {"ABCD": b"x"}, CORRELATION)
    there = asked(codec, call, name)

    assert list(call.args) == list(there.args)
    assert call.kwargs == there.kwargs
    assert ("obj", "m", oneway, False) == (there.object_id, there.method, there.oneway, there.batch)
    assert {"ABCD": b"x"} == there.annotations
    assert CORRELATION == there.correlation_id


def test_batches(codec, name):
    """The calls of a batch arrive, and no keyword arguments at all (section 11)."""
    calls = [("add", (1, 2), {}), ("noop", (), {"a": 1})]
    there = asked(codec, Call("obj", BATCH_METHOD, calls, None, batch=True, oneway=True), name)

    assert [("add", [1, 2], {}), ("noop", [], {"a": 1})] == [(n, list(a), k) for n, a, k in there.args]
    assert (None, True, True) == (there.kwargs, there.batch, there.oneway)


def test_captured_batch(codec):
    """The payload is the one that real Pyro5 sends (section 11)."""
    calls = [("add", (1, 2), {}), ("noop", (), {}), ("err", (), {}), ("add", (5, 6), {})]
    batch = Call("obj", BATCH_METHOD, calls, None, batch=True)
    message = codec.encode_call(batch, codec.catalog.by_name("serpent"), 0x11)

    assert (0x08, 0x11) == (message.flags, message.seq)
    assert (
        SERPENT + b"('obj','<batch>',[('add',(1,2),{}),('noop',(),{}),('err',(),{}),('add',(5,6),{})],None)"
        == tight(message.payload)
    )


def test_attribute_calls(codec):
    """Getting and setting attributes look as they do from real Pyro5 (section 12)."""
    serializer = codec.catalog.by_name("serpent")
    get = codec.encode_call(Call("obj", "__getattr__", ("val",), None), serializer, 1)
    put = codec.encode_call(Call("obj", "__setattr__", ("val", 77), None), serializer, 1)

    assert SERPENT + b"('obj','__getattr__',('val',),None)" == tight(get.payload)
    assert SERPENT + b"('obj','__setattr__',('val',77),None)" == tight(put.payload)


def test_unserializable_argument(codec, name):
    """It is an error that names the type; nothing was sent."""
    with pytest.raises(SerializeError, match="lock"):
        codec.encode_call(Call("obj", "m", (threading.Lock(),), {}), codec.catalog.by_name(name), 1)


@pytest.mark.parametrize(
    "payload", [b"", b"\xff\xfe", b"[1, 2]", b"{}", b"(1, 2, 3, 4)", b"('obj','m',5,{})", b"('o','m',(),{1:2})"]
)
def test_what_is_no_call(codec, name, payload):
    """A request of any other shape is a ProtocolError, whatever the serializer."""
    with pytest.raises(ProtocolError):
        codec.decode_call(Message(INVOKE, PYRO5.serializers[name], 0, 1, payload))


@given(st.binary(max_size=100), st.sampled_from(range(6)), st.integers(0, 0xFFFF))
def test_no_bytes_raise_anything_else(payload, number, flags):
    """A hostile request or reply raises one of our errors and nothing else."""
    codec = codec_for(max_message_size=10_000)
    message = Message(INVOKE, number, flags, 1, payload, {"BLBI": payload, "STRM": payload})
    for decode in (codec.decode_call, codec.decode_reply):
        with contextlib.suppress(PyroError):
            decode(message)


# Outcomes


def test_values(codec, name):
    """A value comes back, under the number of its request."""
    message = codec.encode_outcome(
        Returned([1, "two", None], {"ABCD": b"x"}), request(codec, name, correlation_id=CORRELATION)
    )
    outcome = codec.decode_reply(message)

    assert (RESULT, 7, CORRELATION) == (message.type, message.seq, message.correlation_id)
    assert PYRO5.serializers[name] == message.serializer_id
    assert Returned([1, "two", None], {"ABCD": b"x"}) == outcome


def test_exceptions(codec, name):
    """An exception comes back as itself, with attributes and remote traceback."""
    error = ValueError("boom", 7)
    error.extra = "attr"
    error._pyroTraceback = ["line\n"]
    outcome = answered(codec, Raised(error), name)

    assert isinstance(outcome, Raised)
    assert ValueError is type(outcome.error)
    assert ("boom", 7) == outcome.error.args
    assert ("attr", ["line\n"]) == (outcome.error.extra, outcome.error._pyroTraceback)


class MotorStalled(Exception):
    """An exception that the other side does not know."""


@pytest.mark.parametrize("pyronb", [False, True])
def test_unknown_exceptions(name, pyronb):
    """An exception of an unknown class arrives as RemoteError, whatever was said to a peer that knows no such thing."""
    outcome = answered(codec_for(pyronb=pyronb), Raised(MotorStalled("axis", 3)), name)

    assert isinstance(outcome.error, RemoteError)
    assert outcome.error.class_name.endswith(".MotorStalled")
    assert ("axis", 3) == outcome.error.args[1:]


def test_batch_results(codec, name):
    """The results of a batch come back, its error last, without the flag of an exception (section 11)."""
    message = codec.encode_outcome(Returned([3, None, BatchError(ValueError("no"))]), request(codec, name, batch=True))
    outcome = codec.decode_reply(message)

    assert PYRO5.batch == message.flags
    assert [3, None] == outcome.value[:2]
    assert isinstance(outcome.value[2], BatchError)
    assert ("no",) == outcome.value[2].exception.args


def test_streams(codec, name):
    """A stream is announced by its id, with an error as payload for peers that know of no streams (section 13)."""
    message = codec.encode_outcome(StreamOpened("some-id", {"ABCD": b"x"}), request(codec, name))
    outcome = codec.decode_reply(message)

    assert PYRO5.exception | PYRO5.item_stream == message.flags
    assert "some-id" == outcome.stream_id
    assert {"ABCD": b"x", "STRM": b"some-id"} == outcome.annotations
    assert isinstance(codec.decode_payload(message), ProtocolError)


def test_streams_that_are_switched_off(codec, name):
    """Without an id the daemon does not stream."""
    assert StreamOpened(None) == answered(codec, StreamOpened(None), name)


def test_unserializable_result_becomes_an_error(codec, name):
    """The caller learns that the result could not be written."""
    outcome = answered(codec, Returned(threading.Lock(), {"ABCD": b"x"}), name)

    assert isinstance(outcome, Raised)
    assert isinstance(outcome.error, SerializeError)
    assert "lock" in str(outcome.error)
    assert {"ABCD": b"x"} == outcome.annotations


class Unspeakable(Exception):
    """An exception that cannot be shown."""

    def __str__(self):
        raise RuntimeError("no text")


UNWRITABLE = {
    "argument": (ValueError(threading.Lock()), "ValueError"),
    "text": (ValueError("\ud800"), "ValueError"),
    "no text": (Unspeakable(threading.Lock()), "Unspeakable"),
    "nul": (ValueError("\0", threading.Lock()), "ValueError"),
}


@pytest.mark.parametrize("case", UNWRITABLE)
def test_unserializable_exception_becomes_one_that_tells_of_it(codec, name, case):
    """A reply always comes out: at worst one that names the class and keeps the traceback."""
    error, text = UNWRITABLE[case]
    error._pyroTraceback = ["line \ud800 one\n"]
    outcome = answered(codec, Raised(error), name)

    assert isinstance(outcome, Raised)
    if not isinstance(outcome.error, type(error)) or outcome.error.args != error.args:
        told = outcome.error.class_name if isinstance(outcome.error, RemoteError) else type(outcome.error).__name__
        assert text in told
        assert "not all of this exception could be sent" in outcome.error.__notes__[-1]
        assert ["line \\ud800 one\n"] == outcome.error._pyroTraceback


def test_exception_flag_on_a_plain_value(codec):
    """A peer that reports an exception and sends none breaks the protocol."""
    with pytest.raises(ProtocolError, match="reported an exception and sent a int"):
        codec.decode_reply(Message(RESULT, 1, PYRO5.exception, 1, SERPENT + b"5"))


def test_stream_id_that_is_no_text(codec):
    """The id of a stream is ASCII."""
    with pytest.raises(ProtocolError, match="ASCII"):
        codec.decode_reply(Message(RESULT, 1, PYRO5.item_stream, 1, b"", {"STRM": b"\xff"}))


def test_unknown_serializer(codec):
    """A reply in a serializer that the dialect has not is an error that lists those it has."""
    with pytest.raises(SerializeError, match="no serializer with number 9"):
        codec.decode_reply(Message(RESULT, 9, 0, 1, b""))


# Compression


@pytest.mark.parametrize("size", [0, 50, 100, 5000])
def test_compression(name, size):
    """Payloads above the dialect's size are compressed; each is read whatever its own setting."""
    squeezing, plain = codec_for(compression=True), codec_for()
    call = Call("obj", "m", ("x" * size,), {})
    message = squeezing.encode_call(call, squeezing.catalog.by_name(name), 1)
    flat = plain.encode_call(call, plain.catalog.by_name(name), 1)

    assert (len(flat.payload) > 100) == bool(message.flags & PYRO5.compressed)
    assert ["x" * size] == list(plain.decode_call(message).args)


def test_captured_compression():
    """The payload is the one that real Pyro5 makes (section 6)."""
    codec = codec_for(compression=True)
    message = codec.encode_call(Call("obj", "recv", ("a" * 300,), {}), codec.catalog.by_name("serpent"), 1)

    assert message.payload.startswith(bytes.fromhex("785e5356284e2d2a48cd2b51282d49d3b55028a82cc9c8cf33d633e2d250"))


def test_results_and_errors_are_compressed(name):
    """Replies follow the same rule."""
    codec = codec_for(compression=True)
    for outcome in (Returned("x" * 5000), Raised(ValueError("x" * 5000))):
        message = codec.encode_outcome(outcome, request(codec, name))

        assert message.flags & PYRO5.compressed
        assert type(outcome) is type(codec.decode_reply(message))


def test_zip_bomb(name):
    """The ceiling holds for what comes out of a compressed payload."""
    codec = codec_for(max_message_size=10_000)
    bomb = Message(INVOKE, PYRO5.serializers[name], PYRO5.compressed, 1, zlib.compress(bytes(1_000_000)))

    for decode in (codec.decode_call, codec.decode_reply):
        with pytest.raises(MessageTooLargeError):
            decode(bomb)


# Blobs


def test_captured_blob(codec):
    """A blob's message is the one that real Pyro5 sends (section 18)."""
    blob = SerializedBlob("info", [1, 2])
    message = codec.encode_call(Call("obj", "recv", (blob,), {}), codec.catalog.by_name("serpent"), 0x18)

    assert (PYRO5.keep_serialized, SERPENT + b"('obj','recv',[1,2],{})") == (message.flags, tight(message.payload))
    read = codec.decode_call(
        Message(
            INVOKE,
            1,
            PYRO5.keep_serialized,
            1,
            message.payload,
            {"BLBI": bytes.fromhex("2903da04696e666ffa036f626ada0472656376")},
        )
    )
    assert ("obj", "recv", "info") == (read.object_id, read.method, read.args[0].info)


@pytest.mark.parametrize("data", [[1, 2], "text", 5, None, {"a": [1]}])
def test_blobs(codec, name, data):
    """The one in the middle sees the info, passes the rest on untouched, and the last one decodes it."""
    first = codec.encode_call(
        Call("hub", "pass_on", (SerializedBlob(["topic"], data),), {}), codec.catalog.by_name(name), 1
    )
    middle = codec.decode_call(first)
    (blob,) = middle.args

    assert ("hub", "pass_on", ["topic"]) == (middle.object_id, middle.method, blob.info)

    second = codec.encode_call(Call("sink", "take", (blob,), {}), codec.catalog.by_name("serpent"), 2)

    assert (first.payload, first.serializer_id) == (second.payload, second.serializer_id)
    last = codec.decode_call(second)
    assert ("sink", "take", data) == (last.object_id, last.method, last.args[0].deserialized())


def test_a_blob_that_the_next_one_could_not_read():
    """In a serializer that only pyronb has a number for, it is written anew for a real peer."""
    ours, real = (
        Codec(PYRO5, Catalog(PYRO5, WireOptions(), pyronb_peer=pyronb, unsafe=frozenset({"pickle"})), WireOptions())
        for pyronb in (True, False)
    )
    first = ours.encode_call(Call("hub", "m", (SerializedBlob("i", [1]),), {}), ours.catalog.by_name("pickle"), 1)
    (blob,) = ours.decode_call(first).args
    passed_on = [
        codec.encode_call(Call("sink", "m", (blob,), {}), codec.catalog.by_name("json"), 2) for codec in (ours, real)
    ]

    assert [PYRO5.own_serializers["pickle"], PYRO5.serializers["json"]] == [each.serializer_id for each in passed_on]
    assert [1] == real.decode_call(passed_on[1]).args[0].deserialized()


def test_blob_of_ones_own(codec):
    """Before it travels, a blob gives the value it was made with."""
    assert [1] == SerializedBlob("info", [1]).deserialized()


@pytest.mark.parametrize("annotations", [{}, {"BLBI": b""}, {"BLBI": b"\xe9\x01\0\0\0"}, {"BLBI": b"N"}])
def test_broken_blobs(codec, annotations):
    """A blob without the annotation that says where it goes is a ProtocolError."""
    with pytest.raises(ProtocolError):
        codec.decode_call(Message(INVOKE, 1, PYRO5.keep_serialized, 1, b"", annotations))
