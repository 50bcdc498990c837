"""The fast way through marshal gives what our own reader gives, or says that it cannot tell."""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import struct
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.dialects import PYRO5
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers import safemarshal
from pyronb.serializers.catalog import Catalog
from pyronb.serializers.safemarshal import UNKNOWN, may_hold_bytes, read
from pyronb.serializers.unmarshal import unmarshal

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(st.characters()),
    st.text(max_size=3).map(sys.intern),
    st.binary(),
)
KEYS = st.recursive(ATOMS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(KEYS)
        | st.lists(inner, min_size=1).map(lambda items: [items, items[0], items])
        | st.tuples(inner).map(lambda pair: [pair, pair])
    ),
)
# Type bytes of all kinds, references, and the beginnings of containers.
PIECES = st.sampled_from(
    [
        *(bytes([kind]) for kind in b"zZaAuts[({<>)lig0NTFS.c\xa9\xa8\xbe\xda\xfa\xdb\xfb\xe9\xec\0\1\xff"),
        *(b"r" + struct.pack("<i", index) for index in range(5)),
        *(b"\xa9\x01N", b")\x01", b"[\1\0\0\0", b"<\1\0\0\0", b"\xda\1a", b"[\0\1\0\0", b"\xa9\2"),
    ]
)


@given(VALUES, st.integers(min_value=0, max_value=4))
def test_reads_what_the_standard_library_writes(value: Any, version: int) -> None:
    """Values of every version are read as in the general way, types included."""
    data = marshal.dumps(value, version)
    fast = read(data)

    assert repr(unmarshal(data)) == repr(unmarshal(data) if fast is UNKNOWN else fast)


@given(VALUES, st.lists(st.tuples(st.integers(min_value=0), st.integers(0, 5), PIECES), min_size=1, max_size=4))
def test_damaged_data(value: Any, changes: list[tuple[int, int, bytes]]) -> None:
    """Nothing is read that the general way would refuse or read otherwise, and nothing crashes."""
    data = marshal.dumps(value)
    for at, drop, piece in changes:
        at %= len(data) + 1
        data = data[:at] + piece + data[at + drop :]
    fast = read(data)
    if fast is not UNKNOWN:
        assert repr(unmarshal(data)) == repr(fast)


ROWS = [{"id": 1, "name": "first", "values": [1.5, None]}, {"id": 2**40, "name": "é", "values": ["x" * 200]}]


@pytest.mark.parametrize(
    "value",
    [
        None,
        ("obj", "echo", ((1, "a"), [None, True, False]), {"key": {"k": [1e-7, 10**30]}}),
        ("obj", "echo", (ROWS, "name", "id"), {}),
        [ROWS] * 300,
        [(i, str(i)) for i in range(1000)],
        {"text": "é" * 300, "more": "a" * 300, "bytes": b"x" * 300, "complex": 1j},
        [frozenset({1, (2, "a")}), {1, 2}],
    ],
)
def test_usual_values_are_fast(value: Any) -> None:
    """The values that fill most messages do take the fast way, as they are written and written once more."""
    for data in (marshal.dumps(value, 4), marshal.dumps(marshal.loads(marshal.dumps(value)), 4)):
        assert value == read(data)


def references_to_tuples() -> list[bytes]:
    """Data in which a tuple is inside itself, unfinished when it is hashed, or larger than it looks."""
    growing = b"[" + struct.pack("<i", 31) + b"\xa9\x01N"
    for index in range(30):
        growing += b"\xa9\x02" + 2 * (b"r" + struct.pack("<i", index))
    return [
        b"\xa9\x01r\0\0\0\0",
        b"\xa9\x01<\1\0\0\0r\0\0\0\0",
        b"\xa9\x02{r\0\0\0\0N0N",
        b"\xa8\x01\0\0\0{r\0\0\0\0N0",
        b"\xbe\x01\0\0\0r\0\0\0\0",
        b"[\x02\0\0\0\xa9\x01Nr\0\0\0\0",
        b"[\x03\0\0\0\xa9\x01N\xfa\1rr\0\0\0\0",
        b"\xa9\4\xda\1t\xda\4echo\xa9\1\xda\5itemrr\0\0\0\0",
        b"[\x04\0\0\0\xfb0\xfb0\xa9\x01Nr\2\0\0\0",
        b"(\4\0\0\0\xfb\xda\1a00\xe9\1\0\0\0\xa9\1Nr\3\0\0\0",
        b"[\x03\0\0\0\xda\x01a\xa9\x01Nr\1\0\0\0",
        growing,
    ]


@pytest.mark.parametrize("data", references_to_tuples())
def test_no_reference_to_a_tuple(data: bytes) -> None:
    """They are left to the general way."""
    assert read(data) is UNKNOWN


def test_many_tuples_beside_references() -> None:
    """Numbered tuples and references are told apart exactly, however many of either there are."""
    kept = [(number, "a text", f"number {number}", "é", ("inner", number)) for number in range(300)]
    calls = ("object", "method", [("echo", (each,), {}) for each in kept], None)
    data = marshal.dumps(calls, 4)

    assert data.count(b"\xa9\x05") == len(kept)
    assert calls == read(data)

    last = data.rindex(b"\xa9\x05")
    scan = safemarshal._Scan(data[:last])
    assert scan.harmless()
    numbered = list(scan.numbered_kinds(data[:last], one_by_one=False))
    assert numbered == list(scan.numbered_kinds(data[:last], one_by_one=True))
    number = len(numbered)
    early = numbered.index(b"\xa9", 1)
    assert early < safemarshal._EARLY < number
    for wrong, harm in ((number, True), (number + 1, False), (early, True), (early - 1, False)):
        changed = data[:-1] + b"[\1\0\0\0r" + struct.pack("<i", wrong)
        assert (read(changed) is UNKNOWN) == harm


@given(st.lists(st.sampled_from([b"r", b"\0", b"\1", b"a", b"r\1\0\0\0", b"r\1\0\0\0ab", b"rr\0\0\0"])).map(b"".join))
def test_no_reference_is_overlooked(data: bytes) -> None:
    """Wherever there is an r there may be one, whatever is around it."""
    there = {data[at + 1 : at + 5] for at in range(len(data) - 4) if data[at] == ord("r")}

    assert there == set(safemarshal._find_references(data))


def test_late_references() -> None:
    """References to what is numbered after the last tuple are no danger."""
    assert ["x", ("y",), "x", ["x"]] == read(b"[\4\0\0\0\xda\1x)\1z\1yr\0\0\0\0[\1\0\0\0r\0\0\0\0")
    assert [("y",), "x", "x"] == read(b"[\3\0\0\0\xa9\1z\1y\xda\1xr\1\0\0\0")


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"NN",
            b"N0",
            b"0",
            b"S",
            b".",
            b"\xff",
            b"R\0\0\0\0",
            b"i\0",
            b"{N",
            b"z\5abc",
            b"z\1\xe9",
            b"[\1\0\0\0",
        ),
        *(b"l\1\0\0\0\0\0", b"r\0\0\0\0", b"r\xff\xff\xff\xff", b"a\1\0\0\0\xe9", b"u\1\0\0\0\xff", b"{[\0\0\0\0N0"),
        marshal.dumps(compile("1", "x", "eval")),
        marshal.dumps([10**1000] * 2),
        b"[\1\0\0\0" * 3000 + b"[\0\0\0\0",
        b")\1" * 3000 + b"N",
    ],
)
def test_left_to_the_general_way(data: bytes) -> None:
    """Broken data, what is no value, and what nests too deeply."""
    assert read(data) is UNKNOWN


@pytest.mark.parametrize("kind", list(b"([<>sutaAl)") + [c | 0x80 for c in b"([<>sutaAl)"])
@pytest.mark.parametrize("size", [2**31 - 1, -1, -(2**31), 10**6, 1000])
def test_lengths_are_not_believed(kind: int, size: int) -> None:
    """No memory is taken for a length that the data cannot hold, however often it is announced."""
    data = (bytes([kind]) + struct.pack("<i", size)) * 1000
    tracemalloc.start()
    try:
        assert read(data) is UNKNOWN
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "value",
    [
        [b""],
        {"a": (1, b"x")},
        [[b"x"] * 2, "y"],
        b"x" * 70_000,
        *({"tags": [1] * 3, "z": [data, "tags", "x" * 900]} for data in (b"", b"s" * 9, bytes(91 + 256))),
        [b"x", "texts and more texts " * 100, "nuls \0\0\0\0\0"],
    ],
)
def test_bytes_are_found(value: Any) -> None:
    """No string of bytes is overlooked, numbered or not."""
    for data in (marshal.dumps(value), marshal.dumps(value, 2)):
        assert may_hold_bytes(data)


def holds_bytes(value: Any) -> bool:
    """Tell it by walking through all of a value."""
    if isinstance(value, dict):
        return any(map(holds_bytes, value)) or any(map(holds_bytes, value.values()))
    return isinstance(value, bytes) or (
        isinstance(value, list | tuple | set | frozenset) and any(map(holds_bytes, value))
    )


@given(VALUES, st.integers(min_value=0, max_value=4))
def test_bytes_are_found_beside_anything(value: Any, version: int) -> None:
    """Whatever follows or comes before them."""
    if holds_bytes(value):
        assert may_hold_bytes(marshal.dumps(value, version))


def test_texts_are_not_taken_for_bytes() -> None:
    """What follows an s in a text may be a length, but it is no token."""
    for value in (
        ["items", "s", "texts with an s", {"flags": [1, 2], "s": 5}],
        [ROWS[:1] * 90, {"tags": [1] * 2}],
        ["s\0\0\0\0", "short texts\0\0", {"tags": [1] * 3, "more": ["s" * 40] * 9 + ["y" * 900]}],
    ):
        assert not may_hold_bytes(marshal.dumps(value))


@pytest.mark.parametrize("value", [ROWS, [1, (2, {"__class__": "float", "value": "nan"})], [(1, 2)] * 3, {1, "a"}])
def test_either_way_through_the_serializer(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fast way switched off the serializer gives the same."""
    serializer = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("marshal")
    fast = serializer.loads(serializer.dumps(value))
    monkeypatch.setattr(safemarshal, "read", lambda _data: UNKNOWN)

    general = serializer.loads(serializer.dumps(value))

    assert repr(general) == repr(fast)


@pytest.mark.parametrize("data", references_to_tuples()[:5])
def test_error_of_the_general_way(data: bytes) -> None:
    """What the fast way does not touch is refused with a reason."""
    with pytest.raises(SerializeError, match="contains itself"):
        Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("marshal").loads(data)


def test_references_in_calls() -> None:
    """Strings may be referred to in a call whose tuples are numbered, as they are when the caller keeps them."""
    args = (ROWS[:1], {"id": 2})
    call = ("object", "method", args, {})
    data = marshal.dumps(call)

    assert data.startswith(b"\xa9\x04")
    assert call == read(data)
    for number in range(4):
        assert read(data[:-1] + b"\xdb\1\0\0\0r%c\0\0\0" % number) is UNKNOWN


def test_frozensets_in_frozensets() -> None:
    """Few can be written in a time that is in proportion, and no more are read; beside each other there may be many."""
    serializer = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("marshal")
    for kind in (b">\1\0\0\0", b"\xbe\1\0\0\0", b">\1\0\0\0)\1"):
        assert serializer.dumps(serializer.loads(kind * 8 + b"N"))
        with pytest.raises(SerializeError, match="frozensets"):
            serializer.loads(kind * 9 + b"N")
    referred = b"".join(b"\xbe\1\0\0\0r" + struct.pack("<i", number) for number in range(60))
    with pytest.raises(SerializeError, match="frozensets"):
        serializer.loads(b"[\x3d\0\0\0\xbe\0\0\0\0" + referred)
    value = [frozenset({frozenset({number})}) for number in range(300)]
    assert value == serializer.loads(serializer.dumps(value))


@pytest.mark.parametrize("around", [b"[\1\0\0\0", b")\1"])
def test_levels_are_counted(around: bytes) -> None:
    """As many are read as the interpreter's reader takes, which are too few to harm it; more are an error."""
    serializer = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("marshal")
    for levels in (150, 900):
        value = serializer.loads(around * levels + b")\0")
        for _ in range(levels):
            (value,) = value
        assert value == ()
    for levels in (3000, 100_000):
        with pytest.raises(SerializeError, match="deep"):
            serializer.loads(around * levels + b")\0")


@pytest.fixture
def forgotten() -> Any:
    """Have nothing known, before and after, and give the serializer."""
    safemarshal.KNOWN.clear()
    yield Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("marshal")
    safemarshal.KNOWN.clear()


def test_data_that_is_met_again(forgotten: Any) -> None:
    """It is known the second time, and gives a value of its own each time."""
    data = forgotten.dumps(("object", "method", (ROWS, os.urandom(8).hex()), {}))
    values = [forgotten.loads(data) for _ in range(4)]

    assert [data] == list(safemarshal.KNOWN)
    assert [values[0]] * 4 == values
    assert len({id(value[2][0]) for value in values}) == 4


@pytest.mark.parametrize(
    "data",
    [
        marshal.dumps("long" * 2000),
        marshal.dumps({"__class__": "float", "value": "nan"}),
        *references_to_tuples()[-2:],
        b"NN",
        b">\1\0\0\0" * 9 + b"N",
        marshal.dumps(compile("1", "x", "eval")),
    ],
)
def test_what_is_never_known(forgotten: Any, data: bytes) -> None:
    """What is long, what is more than its data, and what the standard reader must not see."""
    for _ in range(3):
        with contextlib.suppress(SerializeError):
            forgotten.loads(data)

    assert not safemarshal.KNOWN


def test_little_is_known(forgotten: Any) -> None:
    """Data that is met again and again cannot fill the memory."""
    for number in range(300):
        data = forgotten.dumps(["x" * 4000, number])
        assert [forgotten.loads(data) for _ in range(3)] == [["x" * 4000, number]] * 3
        assert len(safemarshal.KNOWN) <= 64


@given(VALUES, st.lists(st.tuples(st.integers(min_value=0), st.integers(0, 5), PIECES), max_size=4))
def test_again_is_as_at_first(value: Any, changes: list[tuple[int, int, bytes]]) -> None:
    """Damaged or not, data is read or refused as it was the first time."""
    data = marshal.dumps(value)
    for at, drop, piece in changes:
        at %= len(data) + 1
        data = data[:at] + piece + data[at + drop :]
    serializer = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("marshal")

    def told() -> str:
        try:
            return repr(serializer.loads(data))
        except SerializeError as error:
            return str(error)

    assert len({told() for _ in range(3)}) == 1


@pytest.fixture
def since_3_12(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the module as it is where Python keeps interned strings for ever."""
    monkeypatch.setattr(sys, "version_info", max(sys.version_info, (3, 12)))
    spec = importlib.util.find_spec(safemarshal.__name__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "beside",
    [None, 218, 0xDADADADA, struct.unpack("<d", b"\xda" * 8)[0], "\u0690", b"\xda", "Z" * 90, [None] * 300],
)
def test_interned_strings_are_not_kept(since_3_12: Any, beside: Any) -> None:
    """They are read as others, and what has the same byte in it as it is."""
    name = sys.intern("a name that is known")
    value = ("obj", name, [{name: beside, "more": (beside, name)}], beside)
    for data in (marshal.dumps(value, 4), marshal.dumps(marshal.loads(marshal.dumps(value, 4)), 4)):
        fast = since_3_12.read(data)

        assert value == fast
        assert fast[1] is not name
        since_3_12.read(data)
        known = since_3_12.KNOWN[data]
        assert marshal.loads(known) == value
        assert marshal.loads(known)[1] is not name
    assert since_3_12.read(b"[\2\0\0\0Z\1a\xda\1b") == ["a", "b"]
    assert not since_3_12.may_hold_bytes(marshal.dumps(["interned", {"items": [1] * 3, "more": "y" * 900}], 4))
