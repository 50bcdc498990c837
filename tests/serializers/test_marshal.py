"""What is particular to marshal."""

from __future__ import annotations

import marshal
import struct
import uuid
from array import array
from collections.abc import Callable
from typing import Any

import pytest

from pyronb.dialects import PYRO5
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import CallParts
from pyronb.serializers.marshal import MarshalSerializer, marshal_text


@pytest.fixture
def codec() -> MarshalSerializer:
    """Give the serializer."""
    return MarshalSerializer(PYRO5, WireOptions(), foreign_exceptions=True)


def test_captured_call(codec: MarshalSerializer) -> None:
    """A call that was captured from the real Pyro is read."""
    data = bytes.fromhex("2904fa036f626ada03616464db01000000e901000000fbda0162e90200000030")

    assert ("obj", "add", [1], {"b": 2}) == codec.loads_call(data)


def test_the_standard_reader_reads_it(codec: MarshalSerializer) -> None:
    """What is written is plain marshal."""
    call = CallParts("obj", "<batch>", [("add", (1, 2), {}), ("noop", (), {})], None)

    assert tuple(call) == marshal.loads(codec.dumps_call(call))


def test_converts_at_any_depth(codec: MarshalSerializer) -> None:
    """Values that marshal refuses are converted wherever they are, keys included."""
    key = uuid.uuid4()

    assert {str(key): [({str(key)},)]} == codec.loads(codec.dumps({key: [({key},)]}))


AROUND: list[Callable[[Any], Any]] = [
    lambda value: [[1], {"s": [value]}],
    lambda value: ({"s": 1}, {(2, "s"): (value,)}),
    lambda value: ["s" * 5000, [value]],
]


@pytest.mark.parametrize("around", AROUND)
def test_what_shows_its_memory(codec: MarshalSerializer, around: Callable[[Any], Any]) -> None:
    """Marshal itself would write an array as bytes, wherever it is."""
    numbers = array("i", [7])

    assert around([7]) == codec.loads(codec.dumps(around(numbers)))
    call = CallParts("o", "m", (around(numbers), b"s"), {"a": around(numbers)})
    assert ("o", "m", (around([7]), b"s"), {"a": around([7])}) == codec.loads_call(codec.dumps_call(call))


def test_what_occurs_in_many_places(codec: MarshalSerializer) -> None:
    """Each part of a value is looked at once."""
    inside: list[Any] = [b"s"]
    inside.append(inside)
    often: Any = [b"s"]
    for _ in range(60):
        often = [often, often]

    for value in (inside, often):
        assert codec.dumps(value) == marshal.dumps(value, 4)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (marshal.dumps("no free workers", 4), "no free workers"),
        (marshal.dumps("é", 2), "é"),
        (bytes.fromhex("fa0461626364"), "abcd"),
        (memoryview(marshal.dumps("x")), "x"),
        (marshal.dumps(("a", 1)), "('a', 1)"),
    ],
)
def test_text_of_a_refusal(data: Any, text: str) -> None:
    """The text of a refused connection is read; any other value is shown as text."""
    assert text == marshal_text(data)


@pytest.mark.parametrize("data", [b"", b"garbage", b"u\x01\0\0\0\xff", b"<\x01\0\0\0[\0\0\0\0"])
def test_broken_text_of_a_refusal(data: bytes) -> None:
    """Anything but marshal data is a SerializeError."""
    with pytest.raises(SerializeError):
        marshal_text(data)


def test_shared_class_dicts(codec: MarshalSerializer) -> None:
    """Data that describes more places than there is time to visit is converted once for each part."""
    levels = 60
    data = b"(" + struct.pack("<i", levels + 1) + b"\xdb\x01\0\0\0\xfa\x09__class__"
    # Number 0 is the first list; its text has number 1, so the list at level n has number n + 1.
    for level in range(levels):
        below = 0 if level == 0 else level + 1
        data += b"\xdb\x02\0\0\0" + (b"r" + struct.pack("<i", below)) * 2

    actual = codec.loads(data)

    assert actual[-1][0] is actual[-1][1]
    assert levels + 1 == len(actual)


def test_list_inside_itself_with_a_class(codec: MarshalSerializer) -> None:
    """The walk for class dicts ends also in data that contains itself."""
    value: list[Any] = ["__class__", {}]
    value.append(value)
    value[1]["me"] = value

    actual = codec.loads(marshal.dumps(value, 4))

    assert actual[2] is actual
    assert actual[1]["me"] is actual
