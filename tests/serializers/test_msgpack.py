"""What is particular to msgpack."""

from __future__ import annotations

import datetime as dt
import struct
from typing import Any

import msgpack
import pytest

from pyronb.dialects import PYRO5
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import CallParts, SerializerBase
from pyronb.serializers.msgpack import MsgpackSerializer


@pytest.fixture
def codec() -> MsgpackSerializer:
    """Give the serializer."""
    return MsgpackSerializer(PYRO5, WireOptions(), foreign_exceptions=True)


def test_call_bytes(codec: MsgpackSerializer) -> None:
    """A call is written byte for byte as the real Pyro does it."""
    data = bytes.fromhex("94a36f626aa3616464910181a16202")

    assert data == codec.dumps_call(CallParts("obj", "add", (1,), {"b": 2}))
    assert ("obj", "add", [1], {"b": 2}) == codec.loads_call(data)


@pytest.mark.parametrize("form", ["=i", "=q"])
def test_dates_of_other_platforms(codec: MsgpackSerializer, form: str) -> None:
    """A date is read in 4 and in 8 bytes, for a C long differs between platforms."""
    day = dt.date(2020, 1, 2)

    assert day == codec.loads(msgpack.packb(msgpack.ExtType(0x33, struct.pack(form, day.toordinal()))))


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (0x30, b"x"),
        (0x31, b"x"),
        (0x31, b""),
        (0x32, b""),
        (0x32, struct.pack("d", 1e300)),
        (0x33, b"123"),
        (0x33, b"\0" * 8),
        (5, b""),
    ],
)
def test_broken_extensions(codec: MsgpackSerializer, code: int, data: bytes) -> None:
    """Extensions of unknown type or with wrong contents are a SerializeError."""
    with pytest.raises(SerializeError):
        codec.loads(msgpack.packb(msgpack.ExtType(code, data)))


@pytest.mark.parametrize(
    "data", [b"\xdd\x7f\xff\xff\xff", b"\xdf\x7f\xff\xff\xff", b"\xc6\x7f\xff\xff\xff", b"\xdb\x7f\xff\xff\xff"]
)
def test_huge_lengths(codec: MsgpackSerializer, data: bytes) -> None:
    """A length beyond the data is refused."""
    with pytest.raises(SerializeError):
        codec.loads(data)


def test_converts_inside_out(codec: MsgpackSerializer) -> None:
    """A converter gets what is inside its dict converted already."""
    SerializerBase.register_dict_to_class("inner", lambda _, data: data["x"])
    SerializerBase.register_dict_to_class("outer", lambda _, data: [data["inner"]])

    assert [7] == codec.loads(codec.dumps({"__class__": "outer", "inner": {"__class__": "inner", "x": 7}}))


def test_hook_that_writes_itself(codec: MsgpackSerializer) -> None:
    """A hook may use the serializer while it is at work."""

    class Nested:
        pass

    SerializerBase.register_class_to_dict(Nested, lambda _: {"data": codec.dumps([1])})

    assert [{"data": b"\x91\x01"}, 2] == codec.loads(codec.dumps([Nested(), 2]))


def test_after_an_error(codec: MsgpackSerializer) -> None:
    """A value that could not be written leaves no half message behind."""
    codec.dumps(1)
    with pytest.raises(SerializeError):
        codec.dumps([1, 2, object()])

    assert b"\x01" == codec.dumps(1)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_all_kinds_of_buffers(codec: MsgpackSerializer, kind: Any) -> None:
    """Data is read from any buffer, with and without classes in it."""
    error = codec.loads(kind(codec.dumps(ValueError(1))))

    assert ValueError is type(error)
    assert [1] == codec.loads(kind(codec.dumps([1])))


def test_large_messages_leave_no_memory(codec: MsgpackSerializer) -> None:
    """The packer of a large message is not kept."""
    codec.dumps(b"x" * (1 << 21))

    assert [] == codec._idle
