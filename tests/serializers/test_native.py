"""The native serializer: values arrive as they were."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import enum
import struct
from collections import Counter, OrderedDict, defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import NamingError, RemoteError, SecurityError, SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import BATCH_METHOD, CallParts, Scattered
from pyronb.serializers.catalog import Catalog
from pyronb.serializers.hooks import HOOKS, BatchError
from pyronb.serializers.native import _Writer
from pyronb.uri import URI

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
ZONE = dt.timezone(dt.timedelta(hours=5, minutes=30))


def native(dialect=PYRO5):
    """Give the serializer as two pyronb ends have it."""
    return Catalog(dialect, WireOptions(), pyronb_peer=True).by_name("native")


NATIVE = native()


def whole(data):
    """Give what goes over the network, in one piece of memory that can be written to, as it arrives."""
    return memoryview(bytearray(b"".join((data, *data.beside)) if isinstance(data, Scattered) else data))


def carried(value):
    """Give what becomes of a value at the other end."""
    return NATIVE.loads(whole(NATIVE.dumps(value)))


def same(one, other):
    """Tell whether two values are the same, types included; nan is itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, Decimal):
        return one.as_tuple() == other.as_tuple()
    if isinstance(one, complex):
        return struct.pack("dd", one.real, one.imag) == struct.pack("dd", other.real, other.imag)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(a, b) and same(v, w) for (a, v), (b, w) in zip(one.items(), other.items(), strict=True)
        )
    return one == other


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ZONES = st.none() | st.integers(-86_000, 86_000).map(lambda seconds: dt.timezone(dt.timedelta(seconds=seconds)))
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(1 << 200), 1 << 200),
    st.floats(),
    st.complex_numbers(),
    TEXT,
    st.binary(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.dates(),
    st.times(timezones=ZONES),
    st.datetimes(timezones=ZONES),
    st.timedeltas(),
)
KEYS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXT, st.binary(), st.uuids(), st.dates()),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
TREES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner)
        | st.dictionaries(TEXT, inner).map(OrderedDict)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
    ),
)


@given(TREES)
@example({"__class__": "builtins.ValueError", "__exception__": True, "args": [], "attributes": {}})
@example({"__class__": "no.such.Class"})
@example([-0.0, float("nan"), (), {()}, frozenset(), {(): ()}, 1 << 64, -(1 << 63) - 1])
@example(dt.datetime(2026, 10, 25, 2, 30, fold=1))
@example(dt.time(2, 30, fold=1, tzinfo=ZONE))
@example(range(3, -10, -2))
@example(Decimal("NaN"))
@relaxed
def test_values_survive(value):
    """With their types and their order."""
    arrived = carried(value)
    assert same(value, arrived)
    assert getattr(value, "fold", 0) == getattr(arrived, "fold", 0)


@given(st.binary(max_size=200))
@example(b"\xc1\x00\x00\x00\x05")
@example(b"\xc1\xff\xff\xff\xff" + bytes(100))
@relaxed
def test_no_bytes_raise_anything_else(data):
    """Whatever a stranger sends, it is a value, or a complaint of ours."""
    with contextlib.suppress(SerializeError, SecurityError):
        NATIVE.loads(data)


@given(st.binary(max_size=60), st.integers(0, 0x50))
@relaxed
def test_no_extension_raises_anything_else(data, code):
    """The inside of an extension is no more trusted than the rest."""
    with contextlib.suppress(SerializeError, SecurityError):
        NATIVE.loads(b"\xc7" + bytes([len(data), code]) + data)


class Colour(enum.Enum):
    RED = (1, 2)


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Reading:
    channel: int
    at: tuple


class Text(str):
    """A text of another class."""

    __slots__ = ()


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (Colour.RED, (1, 2)),
        (Level.HIGH, 3),
        (Reading(1, (2, 3)), {"channel": 1, "at": (2, 3)}),
        (Text("a"), "a"),
        (Point(1, 2), (1, 2)),
        (Counter("aab"), {"a": 2, "b": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        (np.float64(1.5), 1.5),
        (np.int16(-3), -3),
        (np.bool_(True), True),
    ],
)
def test_what_arrives_as_something_simpler(value, arrives):
    """Enums as their values, dataclasses as data, subclasses as what they are made of."""
    assert same(arrives, carried(value))


@pytest.mark.parametrize("dialect", [PYRO5, PYRO4])
def test_our_own_classes(dialect):
    """They are objects on both ends."""
    serializer = native(dialect)
    values = (URI("PYRO:a@b:1"), [NamingError("unknown", 3)], {"e": BatchError(ValueError("x"))})
    uri, (error,), results = serializer.loads(serializer.dumps(values))

    assert URI("PYRO:a@b:1") == uri
    assert (NamingError, ("unknown", 3)) == (type(error), error.args)
    assert "x" == str(results["e"].exception)


class Motor:
    """A class that travels when hooks say so."""

    def __init__(self, axis):
        self.axis = axis


def test_hooks():
    """They come first, and only they make instances."""
    with pytest.raises(SerializeError, match="Motor"):
        carried([Motor(1)])
    HOOKS.register_class_to_dict(Motor, lambda motor: {"__class__": "Motor", "axis": motor.axis})
    HOOKS.register_dict_to_class("Motor", lambda name, data: Motor(data["axis"]))
    HOOKS.register_class_to_dict(Decimal, lambda value: {"__class__": "Dec", "text": str(value)})
    HOOKS.register_dict_to_class("Dec", lambda name, data: Fraction(data["text"]))

    motor, fraction = carried((Motor((1, Decimal("0.5"))), Decimal("1.5")))

    assert isinstance(motor, Motor)
    assert (1, Fraction(1, 2)) == motor.axis
    assert Fraction(3, 2) == fraction


def test_an_exception_of_an_unknown_class():
    """It is told of, with its arguments as they were."""

    class StalledError(Exception):
        pass

    error = carried(StalledError((1, 2), {3}))
    assert isinstance(error, RemoteError)
    assert "StalledError" in str(error)


def test_calls():
    """Arguments are a sequence, whatever they were given as."""
    parts = CallParts("id", "method", ((1, 2), {3}), {"k": (4,)})
    read = NATIVE.loads_call(NATIVE.dumps_call(parts))

    assert ("id", "method", [(1, 2), {3}], {"k": (4,)}) == tuple(read)


FLAT = st.lists(st.none() | st.booleans() | st.integers() | st.floats() | TEXT, max_size=20).map(tuple)


@given(FLAT)
@example((1 << 64,))
@example(tuple(range(15)))
@example(tuple(range(16)))
@relaxed
def test_tuples_of_atoms(value):
    """Whatever form they have, as a value and among the arguments of a call."""
    call = CallParts("target", "method", (value, 1, *value), {})

    assert same(value, carried(value))
    assert same([value, list(value)], carried([value, list(value)]))
    assert same(list(call.args), list(NATIVE.loads_call(whole(NATIVE.dumps_call(call))).args))


@given(st.lists(ATOMS, max_size=300))
@example([0] * 15)
@example([0] * 16)
@relaxed
def test_lists_stay_lists(value):
    """However many items they have, and though tuples of a few begin in nearly the same way."""
    assert same(value, carried(value))


def test_tuples_without_an_extension():
    """A call with nothing but atoms and tuples of them needs none; with a list, or a large int, tuples need them."""
    assert b"\xdc\0\2\1\2" == NATIVE.dumps((1, 2))
    assert b"\xdc\0\4\xa1o\xa1m\x91\x91\1\x80" == NATIVE.dumps_call(CallParts("o", "m", ((1,),), {}))
    assert b"\x94\xa1o\xa1m\x91\1\x80" == NATIVE.dumps_call(CallParts("o", "m", (1,), {}))
    assert b"\x94\xa1o\xa1m\x91\x91\1\x80" == NATIVE.dumps_call(CallParts("o", "m", ([1],), {}))
    assert b"\xc7" == NATIVE.dumps((1 << 64, 2))[:1]
    assert ((), (1,)) == NATIVE.loads(b"\xdc\0\2\x90\x91\1")


ROWS = st.one_of(*[st.lists(row, max_size=6) for row in (FLAT, st.tuples(ATOMS), st.tuples(TREES, TREES))])


@given(ROWS, TREES)
@example([(1, "a"), (2, "b")], 0)
@example([(1,), ((2,), [(3,)])], ())
@example([(1, (2,)), ([(3,)], {4}), (1 << 64, None), ((), [])], ())
@example([()] * 5, ())
@relaxed
def test_lists_of_tuples(rows, more):
    """As a result, as an argument, inside of others, and as the arguments of a batch's calls."""
    assert same(rows, carried(rows))
    assert same([*rows, more], carried([*rows, more]))
    for args in ((rows, more), (rows,), (more, rows)):
        assert same(list(args), NATIVE.loads_call(whole(NATIVE.dumps_call(CallParts("o", "m", args, {})))).args)
    entries = [("m", rows, 1), ("n", tuple(rows), {"k": rows}), ("o", (more, rows), {})]
    read = NATIVE.loads_call(whole(NATIVE.dumps_call(CallParts("o", BATCH_METHOD, entries, None))))
    assert same([[name, list(args), named] for name, args, named in entries], read.args)


def test_many_tuples_take_one_extension():
    """Where they are of one size; and what is there in the place of rows is refused."""
    assert b"\xc7\x06\x09\x95\1\1\2\3\4" == NATIVE.dumps([(1,), (2,), (3,), (4,)])
    for data in (b"\x01", b"\x80", b"\x90", b"\x92\xc3\1", b"\x92\0\1", b"\x92\xff\1", b"\x94\2\1\1\1", b"\x91\1"):
        with pytest.raises(SerializeError, match="native"):
            NATIVE.loads(bytes([0xC7, len(data), 0x09]) + data)
    with pytest.raises(SerializeError, match="native data has 1 items in tuples of 4294967295"):
        NATIVE.loads(b"\xc7\x07\x09\x92\xce\xff\xff\xff\xff\0")
    with pytest.raises(SerializeError, match=r"cannot write this builtins\.list: "):
        NATIVE.dumps([("\udc80",)] * 5)


def test_large_bytes_after_tuples():
    """They go apart, as they do after anything else."""
    value = [*[(1, 2)] * 5, bytes(1 << 17)]

    assert isinstance(NATIVE.dumps(value), Scattered)
    assert same(value, carried(value))


def test_text_that_cannot_be_written():
    """Half a surrogate is refused, in whatever it is, and the next value is written."""
    for value in ("\udc80", ("\udc80",)):
        with pytest.raises(SerializeError, match="native cannot write"):
            NATIVE.dumps(value)
        with pytest.raises(SerializeError, match="native cannot write"):
            NATIVE.dumps_call(CallParts("o", "m", (value,), {}))
        assert (1, "a") == carried((1, "a"))


@pytest.mark.parametrize("make", [lambda v: (v,), lambda v: frozenset([v])])
def test_deep_nesting(make):
    """There is a limit, the same on both ends, and it is told."""
    value = 0
    for _ in range(64):
        value = make(value)
    assert value == carried(value)
    with pytest.raises(SerializeError, match="64"):
        NATIVE.dumps(make(value))
    assert value == carried(value)

    data = b"\xc0"
    for _ in range(70):
        data = b"\x91" + data
        data = b"\xc8" + len(data).to_bytes(2, "big") + b"\x01" + data
    with pytest.raises(SerializeError, match="64"):
        NATIVE.loads(data)


def test_what_cannot_be_written():
    """It is named."""
    for value in (object(), lambda: 0, Motor(1).__init__):
        with pytest.raises(SerializeError, match=r"native cannot write this|function"):
            NATIVE.dumps([value])
    circle = []
    circle.append(circle)
    with pytest.raises(SerializeError):
        NATIVE.dumps(circle)
    assert (1,) == carried((1,))


# Arrays


def same_array(one, other):
    """Tell whether two arrays are the same in type, shape, order of memory where it counts, and content."""
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and other.flags.writeable
        and other.flags.aligned
        and np.array_equal(
            one.view(np.uint8) if one.dtype.kind == "V" and one.nbytes else one,
            other.view(np.uint8) if one.dtype.kind == "V" and one.nbytes else other,
            equal_nan=one.dtype.kind in "fcmM",
        )
    )


SCALARS = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(),
    hnp.complex_number_dtypes(),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
    hnp.byte_string_dtypes(),
)


@given(hnp.arrays(SCALARS, hnp.array_shapes(min_dims=0, min_side=0)))
@relaxed
def test_arrays_survive(array):
    """Every type without objects, every shape, empty ones too, in either byte order."""
    assert same_array(array, carried(array))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(40_000.0).reshape(200, 200),
        np.asfortranarray(np.arange(40_000.0).reshape(200, 200)),
        np.arange(40_000.0).reshape(200, 200)[::2, ::-3],
        np.broadcast_to(np.arange(1000.0), (50, 1000)),
        np.arange(30_000, dtype=">i4"),
        np.zeros(5_000, [("a", "<i4"), ("b", ">f8", (2, 3)), ("c", "S3")]),
        np.zeros((0, 5)),
        np.array(3.5),
        np.array(["ab", "c"]),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
@pytest.mark.parametrize("readonly", [False, True])
def test_layouts(array, readonly):
    """Any layout arrives; sending changes nothing."""
    array = array.copy("K") if not readonly else array
    if readonly:
        array = array.view()
        array.flags.writeable = False
    before = array.copy()

    arrived = carried({"a": [array, (array, 1)]})

    for each in (arrived["a"][0], arrived["a"][1][0]):
        assert each.dtype == array.dtype
        assert each.shape == array.shape
        assert each.tobytes() == before.tobytes()
        assert each.flags.writeable
        assert each.flags.aligned
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        assert arrived["a"][0].flags.f_contiguous
    assert array.tobytes() == before.tobytes()


def test_large_arrays_are_not_copied():
    """What is sent is the array's own memory, what arrives lies in the memory that was received."""
    array = np.arange(100_000.0)
    data = NATIVE.dumps([array, array[:10]])

    assert isinstance(data, Scattered)
    assert data.beside[0].obj.base is not None
    assert np.shares_memory(array, np.frombuffer(data.beside[0], np.uint8))

    received = whole(data)
    arrived = NATIVE.loads(received)
    assert np.shares_memory(arrived[0], np.frombuffer(received, np.uint8))
    assert arrived[0].ctypes.data % 8 == 0


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["a", None]), np.ma.masked_array([1], [True])])
def test_arrays_that_are_refused(array):
    """No pickle by the back door; the message says what to do."""
    with pytest.raises(SerializeError, match=r"astype|filled"):
        NATIVE.dumps(array)


@pytest.mark.parametrize(
    "parts",
    [
        ["O", (1,), "C", bytes(8)],
        ["<f8", (2,), "C", bytes(8)],
        ["<f8", (-1,), "C", bytes(8)],
        ["<f8", [1], "C", bytes(8)],
        ["<f8", (1,), "X", bytes(8)],
        ["<f8", (1,), "C", 0],
        ["<f8", (1,), "C", -8],
        ["<f8", (1 << 70,), "C", bytes(8)],
        ["nonsense", (1,), "C", bytes(8)],
        [[("a", "O")], (1,), "C", bytes(8)],
        [3, (1,), "C", bytes(8)],
        ["<f8", (1,), "C", "text"],
        ["<f8", (1,), "C"],
        ["<f8", (0, 1 << 62), "C", b""],
    ],
)
def test_arrays_that_are_none(parts):
    """A stranger's description is checked before memory is touched."""
    data = NATIVE.dumps(parts)
    with pytest.raises(SerializeError):
        value = NATIVE.loads(b"\xc8" + len(data).to_bytes(2, "big") + b"\x40" + data)
        assert value.nbytes == 0, "an empty array does no harm"
        raise SerializeError


def test_another_thread_writes_before_the_memory_was_taken(monkeypatch):
    """What one of them has set beside its payload is nobody else's."""
    serializer, ours, theirs, written = native(), np.full(100_000, 1), np.full(100_000, 2), []
    with_memory = _Writer.with_memory

    def interrupted(writer, data):
        monkeypatch.setattr(_Writer, "with_memory", with_memory)
        written.append(serializer.dumps(theirs))
        return with_memory(writer, data)

    monkeypatch.setattr(_Writer, "with_memory", interrupted)
    written.append(serializer.dumps(ours))

    assert [2, 1] == [serializer.loads(whole(data))[0] for data in written]


def test_hostile_uuid_and_numbers():
    """Wrong sizes are complaints."""
    for code in (0x05, 0x08):
        with pytest.raises(SerializeError):
            NATIVE.loads(b"\xc7\x03" + bytes([code]) + b"abc")
    assert UUID(int=5) == carried(UUID(int=5))
