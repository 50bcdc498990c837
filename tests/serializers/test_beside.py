"""Bytes and arrays of the standard library whose memory travels beside the payload: what is copied, what is refused."""

from __future__ import annotations

import array
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyronb.dialects import PYRO5
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import CallParts, Scattered
from pyronb.serializers.catalog import Catalog

relaxed = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])

NATIVE = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("native")
LARGE = bytes(range(256)) * 1000
OTHER = LARGE[::-1]


def whole(data):
    """Give what goes over the network, in one piece of memory that can be written to, as it arrives."""
    return memoryview(bytearray(b"".join((data, *data.beside)) if isinstance(data, Scattered) else data))


def memory_of(data):
    """Give the objects whose memory goes out, without being copied."""
    return [piece.obj for piece in data.beside if isinstance(piece, memoryview)] if isinstance(data, Scattered) else []


@pytest.mark.parametrize("kind", [bytes, bytearray, lambda data: memoryview(bytearray(data))])
@pytest.mark.parametrize(
    "around",
    [
        lambda data: data,
        lambda data: [data],
        lambda data: (data, 1, data),
        lambda data: [{"name": "header"}, data],
    ],
)
def test_large_bytes_are_not_copied_by_the_writer(kind, around):
    """As a result or an argument, or at an end of a list or tuple; what arrives are bytes, at any size."""
    data = kind(LARGE)
    written = NATIVE.dumps(around(data))
    called = NATIVE.dumps_call(CallParts("id", "put", (3, around(data)), {}))

    own = data.obj if isinstance(data, memoryview) else data
    for each in (written, called):
        assert memory_of(each)
        assert all(memory is own for memory in memory_of(each))
    assert around(LARGE) == NATIVE.loads(whole(written))
    assert [3, around(LARGE)] == NATIVE.loads_call(whole(called)).args


@pytest.mark.parametrize("value", [{"data": LARGE}, [1, LARGE, 2], [[LARGE]], ({"a": (LARGE,)},)])
def test_large_bytes_deep_inside(value):
    """They are not searched for, and arrive all the same."""
    assert value == NATIVE.loads(whole(NATIVE.dumps(value)))


def test_bytes_of_other_layouts():
    """The items of a memoryview, in their order."""
    numbers = memoryview(array.array("d", range(20_000)))
    square = memoryview(bytearray(LARGE)).cast("B", [256, 1000])

    assert numbers.tobytes() == NATIVE.loads(whole(NATIVE.dumps(numbers)))
    assert LARGE == NATIVE.loads(whole(NATIVE.dumps([square])))[0]


@given(
    st.sampled_from("bBhHiIlLqQfd"),
    st.lists(st.integers(0, 100), max_size=20),
    st.sampled_from([1, 300, 3000]),
)
@relaxed
def test_arrays_of_the_standard_library(code, items, times):
    """Their type code and items are kept, whether they are small or large."""
    value = array.array(code, items * times)
    data = NATIVE.dumps({"in": (value, value)})
    arrived = NATIVE.loads(whole(data))["in"]

    for each in arrived:
        assert isinstance(each, array.array)
        assert (code, value) == (each.typecode, each)
    arrived[0].append(1)
    assert len(value) == len(arrived[1])


def test_large_arrays_of_the_standard_library_are_not_copied_by_the_writer():
    """What is sent is their own memory."""
    value = array.array("d", range(10_000))

    assert [value] == memory_of(NATIVE.dumps([0, {"a": value}]))


def extension(code, *parts):
    """Give an extension as a stranger may write it."""
    data = NATIVE.dumps(list(parts))
    return b"\xc8" + len(data).to_bytes(2, "big") + bytes([code]) + data


def test_arrays_of_other_machines():
    """Another order of bytes, and another size of a C long, are made ours."""
    order = "big" if sys.byteorder == "little" else "little"
    number = (258).to_bytes(4, order)
    for code in ("i", "l"):
        arrived = NATIVE.loads(extension(0x41, code, 4, order, 4, number))

        assert [258] == arrived.tolist()
        assert 4 == arrived.itemsize
    assert array.array("d", [1.5]) == NATIVE.loads(
        extension(0x41, "d", 8, sys.byteorder, 8, array.array("d", [1.5]).tobytes())
    )


@pytest.mark.parametrize(
    "parts",
    [
        ["d", 8, "little", 8, 0],
        ["d", 8, "little", 8, bytes(9)],
        ["d", 8, "little", 7, bytes(7)],
        ["d", 4, "little", 8, bytes(8)],
        ["d", 8, "middle", 8, bytes(8)],
        ["d", 8, "little", -8, 0],
        ["x", 8, "little", 8, bytes(8)],
        ["", 8, "little", 8, bytes(8)],
        [3, 8, "little", 8, bytes(8)],
        ["d", [8], "little", 8, bytes(8)],
        ["d", 8, "little", 8],
        ["u", 5],
        ["d"],
        [],
    ],
)
def test_arrays_that_are_none(parts):
    """A complaint, and no memory is touched."""
    with pytest.raises(SerializeError):
        NATIVE.loads(extension(0x41, *parts))


def place(where, size):
    """Give the extension for bytes at a place."""
    return b"\xc7\x10\x42" + where.to_bytes(8, "little") + size.to_bytes(8, "little")


def with_memory(inner, memory):
    """Lay memory beside a msgpack as native does."""
    head = b"\xc1" + len(inner).to_bytes(4, "big") + inner
    return head + bytes(-len(head) % 64) + memory


@pytest.mark.parametrize(
    "inner",
    [
        place(0, 129),
        place(1, 128),
        place(1 << 63, 1),
        place(0, 1 << 63),
        place((1 << 64) - 1, 2),
        b"\xc7\x03\x42abc",
    ],
)
def test_places_that_are_not_there(inner):
    """Neither beyond the end nor before the beginning."""
    with pytest.raises(SerializeError):
        NATIVE.loads(with_memory(inner, bytes(128)))


def array_at(description, shape, where):
    """Give the extension for an array of numpy in memory that follows."""
    data = NATIVE.dumps([description, shape, "C", where])
    return b"\xc8" + len(data).to_bytes(2, "big") + b"\x40" + data


@pytest.mark.parametrize(
    ("description", "shape", "where"),
    [
        ("<f8", (17,), 0),
        ("<f8", (16,), 8),
        ("<f8", (1 << 61,), 0),
        ("<f8", (1 << 62, 4), 0),
        ("<f8", (-1, -16), 0),
        ("<f8", (16,), -128),
        ("<f8", (16,), 1 << 63),
        ("<f8", (1.0,), 0),
        ("<f8", (True,), 0),
        ("|S0", (1 << 40,), 0),
        ("<U0", (5,), 0),
        ("|O", (16,), 0),
        ("<f8,|O", (8,), 0),
        ([["a", "|O"]], (16,), 0),
        ([("a", "<f8"), ("b", [("c", "|O")])], (8,), 0),
        ([("a", "<f8", (1 << 40,))], (1,), 0),
        ("os.system", (1,), 0),
        ({"names": ["a"], "formats": ["O"]}, (1,), 0),
        (b"<f8", (16, 0, 2, 3, 4, "x"), 0),
        ("<f8", (1,) * 100, 0),
    ],
)
def test_arrays_of_strangers(description, shape, where):
    """Sizes that are negative, overflow or lie beyond the memory, and types with objects: all are refused."""
    with pytest.raises(SerializeError):
        NATIVE.loads(with_memory(array_at(description, shape, where), bytes(128)))


def test_many_arrays_in_one_place():
    """A small message does not become many large arrays."""
    one, other = array_at("<f8", (8,), 0), array_at("<f8", (8,), 64)
    assert [[0.0] * 8] * 2 == [each.tolist() for each in NATIVE.loads(with_memory(b"\x92" + one + other, bytes(128)))]

    with pytest.raises(SerializeError, match="lacks"):
        NATIVE.loads(with_memory(b"\x93" + one * 3, bytes(128)))


def test_one_place_is_not_given_many_times():
    """A small message must not become a large value."""
    memory = bytes(range(128))
    assert [memory[:64], memory[64:]] == NATIVE.loads(with_memory(b"\x92" + place(0, 64) + place(64, 64), memory))

    with pytest.raises(SerializeError, match="lacks"):
        NATIVE.loads(with_memory(b"\x92" + place(0, 128) + place(0, 128), memory))
    with pytest.raises(SerializeError, match="lacks"):
        NATIVE.loads(place(0, 1))
