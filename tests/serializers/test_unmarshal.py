"""Our reader of marshal data against the standard one, and against data made to hurt."""

from __future__ import annotations

import marshal
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.errors import SerializeError
from pyronb.serializers.unmarshal import unmarshal

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(st.characters()),
    st.binary(),
    st.just(Ellipsis),
)
KEYS = st.recursive(ATOMS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
        | st.lists(inner, min_size=1).map(lambda items: [items, items[0], items])
    ),
)


@given(VALUES, st.integers(min_value=0, max_value=4))
def test_reads_what_the_standard_library_writes(value: Any, version: int) -> None:
    """Values of every version are read as the standard reader reads them, types included."""
    data = marshal.dumps(value, version)

    assert repr(marshal.loads(data)) == repr(unmarshal(data))


@pytest.mark.parametrize("version", range(5))
def test_shared_parts(version: int) -> None:
    """Parts that occur in several places are the right ones, also around tuples and frozensets."""
    text, pair = "x" * 300, (2**70, "pair")
    value = [text, pair, {"a": text, "b": frozenset({pair}), "c": [pair, text]}, (text, (pair,)), {pair}, pair, text]

    assert value == unmarshal(marshal.dumps(value, version))


def test_list_inside_itself() -> None:
    """A list or dict may contain itself, as with the standard reader."""
    value: list[Any] = [1]
    value.append({"me": value})

    actual = unmarshal(marshal.dumps(value, 4))

    assert actual[1]["me"] is actual


def test_large_tuple_and_long() -> None:
    """Sizes beyond one byte are read; a long int does not take quadratic time."""
    value = (tuple(range(300)), 1 << 300_000, -(1 << 70), StopIteration)

    assert value == unmarshal(marshal.dumps(value))


def test_int_of_64_bits() -> None:
    """The int of 64 bits of older Pythons is read."""
    assert -(2**40) == unmarshal(b"I" + struct.pack("<q", -(2**40)))


@pytest.mark.parametrize("code", [compile("1", "x", "eval"), [compile("1", "x", "eval")], (lambda: 0).__code__])
def test_code_is_refused(code: Any) -> None:
    """Code objects are never read."""
    with pytest.raises(SerializeError, match="code"):
        unmarshal(marshal.dumps(code))


@pytest.mark.parametrize("kind", list(b"([<>sutaA") + [c | 0x80 for c in b"([<>sutaA"])
@pytest.mark.parametrize("size", [2**31 - 1, -1, -(2**31), 10**6])
def test_huge_lengths_allocate_nothing(kind: int, size: int) -> None:
    """A length beyond the data is refused before memory is taken for it."""
    tracemalloc.start()
    try:
        with pytest.raises(SerializeError):
            unmarshal(bytes([kind]) + struct.pack("<i", size) + b"NN")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [2**31 - 1, -(2**31), 10**6])
def test_huge_ints_allocate_nothing(size: int) -> None:
    """The number of digits of an int is not believed either; its sign is that of the int."""
    with pytest.raises(SerializeError):
        unmarshal(b"l" + struct.pack("<i", size) + b"NN")


@pytest.mark.parametrize("opening", [b"[\x01\0\0\0", b")\x01", b"\xa9\x01", b"(\x01\0\0\0", b"{N", b">\x01\0\0\0"])
def test_deep_nesting(opening: bytes) -> None:
    """Deep nesting is refused."""
    with pytest.raises(SerializeError, match="deep"):
        unmarshal(opening * 100_000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"0",
        b"?",
        b"R\0\0\0\0",
        b"NN",
        b"i\0",
        b"g\0",
        b"f\x02x",
        b"z\x05abc",
        b"r\0\0\0\0",
        b"r\xff\xff\xff\xff",
        b"l\x01\0\0\0\0\0",
        b"l\x01\0\0\0\xff\xff",
        b"\xa9\x01r\0\0\0\0",
        b"\xbe\x01\0\0\0r\0\0\0\0",
        b"{NN",
        b"{",
        b"y\0",
    ],
)
def test_broken_data(data: bytes) -> None:
    """Data that breaks the rules of the format is a SerializeError."""
    with pytest.raises(SerializeError):
        unmarshal(data)


def test_keys_that_grow() -> None:
    """Tuples of tuples by reference, whose hash would take longer than anyone waits, are refused."""
    data = b"[" + struct.pack("<i", 61) + b"\xa9\x01N"
    for index in range(59):
        reference = b"r" + struct.pack("<i", index)
        data += b"\xa9\x02" + reference + reference
    data += b"<\x01\0\0\0r" + struct.pack("<i", 59)

    with pytest.raises(SerializeError, match="keys"):
        unmarshal(data)


def test_large_ints_as_keys() -> None:
    """An int is hashed anew each time; references make that longer than the data justifies."""
    number = marshal.dumps(1 << 3_000_000)
    data = b"[\2\0\0\0" + bytes([number[0] | 0x80]) + number[1:] + b"{" + b"r\0\0\0\0N" * 1_000_000 + b"0"

    with pytest.raises(SerializeError, match="keys"):
        unmarshal(data)


def test_key_without_a_value() -> None:
    """It is dropped, as by the standard reader."""
    data = b"{z\1ai\1\0\0\0z\1b0"

    assert {"a": 1} == marshal.loads(data) == unmarshal(data)
