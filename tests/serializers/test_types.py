"""What each type becomes on its way through each serializer: the table of the wire specification, section 16.2."""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import enum
import math
import uuid
from typing import Any, NamedTuple

import pytest

from pyronb.errors import SerializeError
from pyronb.serializers.base import Serializer
from pyronb.serializers.catalog import Catalog
from pyronb.uri import URI


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


REFUSED = object()
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
NOON = dt.datetime(2020, 1, 2, 12, 30, 15, 250000)
ZONED = dt.datetime(2020, 1, 2, 12, tzinfo=dt.timezone.utc)
B64 = {"data": "AP8=", "encoding": "base64"}
ORDERED = collections.OrderedDict([("b", 1), ("a", 2)])
MAP = collections.defaultdict(int, {"a": 1})
ITEMS = collections.deque([1, 2])

# value: serpent, json, marshal, msgpack
TABLE: list[tuple[str, Any, Any, Any, Any, Any]] = [
    ("none", None, None, None, None, None),
    ("bool", True, True, True, True, True),
    ("int", -7, -7, -7, -7, -7),
    ("int64", 2**63, 2**63, 2**63, 2**63, 2**63),
    ("bigint", -(2**100), -(2**100), -(2**100), -(2**100), -(2**100)),
    ("float", 1.5, 1.5, 1.5, 1.5, 1.5),
    ("inf", -math.inf, -math.inf, -math.inf, -math.inf, -math.inf),
    ("str", "né'\"\n", "né'\"\n", "né'\"\n", "né'\"\n", "né'\"\n"),
    ("complex", 3 - 4j, 3 - 4j, REFUSED, 3 - 4j, 3 - 4j),
    ("bytes", b"\0\xff", B64, REFUSED, b"\0\xff", b"\0\xff"),
    ("bytearray", bytearray(b"\0\xff"), B64, REFUSED, b"\0\xff", b"\0\xff"),
    ("memoryview", memoryview(b"\0\xff"), B64, REFUSED, b"\0\xff", b"\0\xff"),
    ("tuple", (1, 2), (1, 2), [1, 2], (1, 2), [1, 2]),
    ("list", [1, [2]], [1, [2]], [1, [2]], [1, [2]], [1, [2]]),
    ("set", {1}, {1}, [1], {1}, [1]),
    ("empty set", set(), (), [], set(), []),
    ("frozenset", frozenset({2}), {2}, [2], frozenset({2}), [2]),
    ("dict", {"a": {}}, {"a": {}}, {"a": {}}, {"a": {}}, {"a": {}}),
    ("int keys", {1: 2}, {1: 2}, {"1": 2}, {1: 2}, {1: 2}),
    ("tuple keys", {(1, "a"): 2}, {(1, "a"): 2}, REFUSED, {(1, "a"): 2}, REFUSED),
    ("bytes keys", {b"a": 2}, REFUSED, REFUSED, {b"a": 2}, {b"a": 2}),
    ("datetime", NOON, NOON.isoformat(), NOON.isoformat(), NOON.isoformat(), NOON),
    ("zoned datetime", ZONED, ZONED.isoformat(), ZONED.isoformat(), ZONED.isoformat(), REFUSED),
    ("date", NOON.date(), "2020-01-02", "2020-01-02", "2020-01-02", NOON.date()),
    ("time", NOON.time(), *["12:30:15.250000"] * 4),
    ("timedelta", dt.timedelta(minutes=1), *[60.0] * 4),
    ("decimal", decimal.Decimal("1.50"), *["1.50"] * 4),
    ("uuid", ID, *[str(ID)] * 4),
    ("array", array.array("i", [1, 2]), *[[1, 2]] * 4),
    ("enum", Color.RED, *["red"] * 4),
    ("intenum", Level.HIGH, *[3] * 4),
    ("ordered dict", ORDERED, *[dict(ORDERED)] * 4),
    ("defaultdict", MAP, *[{"a": 1}] * 4),
    ("deque", ITEMS, *[[1, 2]] * 4),
    ("user list", collections.UserList([1]), *[[1]] * 4),
    ("user dict", collections.UserDict({"a": 1}), *[{"a": 1}] * 4),
    ("user string", collections.UserString("a"), *["a"] * 4),
    ("dict view", {"a": 1}.keys(), *[["a"]] * 4),
    ("namedtuple", Point(1, 2), (1, 2), [1, 2], (1, 2), [1, 2]),
    ("range", range(3), *[REFUSED] * 4),
    ("type", int, *[REFUSED] * 4),
    ("own type", Point, *[REFUSED] * 4),
    ("function", len, *[REFUSED] * 4),
    ("lambda", lambda: 0, *[REFUSED] * 4),
    ("generator", (x for x in ()), *[REFUSED] * 4),
    ("object", object(), *[REFUSED] * 4),
    ("uri", URI("PYRO:x@localhost:1"), *[URI("PYRO:x@localhost:1")] * 4),
    ("meta uri", URI("PYROMETA:a,b"), *[URI("PYROMETA:a,b")] * 4),
]
COLUMNS = ("serpent", "json", "marshal", "msgpack")
CASES = [
    pytest.param(name, row[1], row[2 + column], id=f"{name}-{row[0]}")
    for column, name in enumerate(COLUMNS)
    for row in TABLE
]


@pytest.mark.parametrize(("name", "value", "expected"), CASES)
def test_what_a_value_becomes(catalog: Catalog, name: str, value: Any, expected: Any) -> None:
    """Every type arrives in the form of the table, or is refused with a SerializeError that names the serializer."""
    serializer = catalog.by_name(name)
    if expected is REFUSED:
        with pytest.raises(SerializeError, match=name):
            serializer.loads(serializer.dumps(value))
        return

    actual = serializer.loads(serializer.dumps(value))

    assert expected == actual
    assert type(expected) is type(actual)


@pytest.mark.parametrize(("name", "value", "expected"), CASES)
def test_what_a_nested_value_becomes(catalog: Catalog, name: str, value: Any, expected: Any) -> None:
    """The form is the same for a value inside another."""
    serializer = catalog.by_name(name)
    if expected is REFUSED:
        with pytest.raises(SerializeError, match=name):
            serializer.loads(serializer.dumps([{"k": value}]))
        return

    assert [{"k": expected}] == serializer.loads(serializer.dumps([{"k": value}]))


def test_nan(serializer: Serializer) -> None:
    """A nan arrives as a nan, alone and inside other values."""
    actual = serializer.loads(serializer.dumps([math.nan, {"a": math.nan}]))

    assert math.isnan(actual[0])
    assert math.isnan(actual[1]["a"])


@pytest.mark.parametrize("name", ["serpent", "marshal", "msgpack"])
def test_complex_with_nan(catalog: Catalog, name: str) -> None:
    """A complex number with a nan or an infinite part keeps both parts."""
    serializer = catalog.by_name(name)

    actual = serializer.loads(serializer.dumps([complex(math.nan, 1), complex(-math.inf, math.nan)]))

    assert math.isnan(actual[0].real)
    assert 1 == actual[0].imag
    assert -math.inf == actual[1].real
    assert math.isnan(actual[1].imag)


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Ratio(float):
    def __repr__(self) -> str:
        return f"np.float64({float(self)})"


class Blob(bytes):
    pass


def test_subclasses_of_builtins_keep_their_value(serializer: Serializer) -> None:
    """An instance of a subclass of str, int or float arrives as one of the builtin type."""
    actual = serializer.loads(serializer.dumps([Text("a"), Number(5), Ratio(1.5), {Text("k"): 1}]))

    assert ["a", 5, 1.5, {"k": 1}] == actual
    assert [str, int, float] == [type(item) for item in actual[:3]]


@pytest.mark.parametrize("name", ["marshal", "msgpack"])
def test_subclass_of_bytes(catalog: Catalog, name: str) -> None:
    """An instance of a subclass of bytes arrives as bytes."""
    serializer = catalog.by_name(name)

    assert b"a" == serializer.loads(serializer.dumps(Blob(b"a")))


@pytest.fixture
def numpy_scalar() -> Any:
    """Give a stand-in for a scalar of numpy, which is told by the names of its classes."""
    generic = type("generic", (), {"__module__": "numpy", "__slots__": ()})
    return type("int32", (generic,), {"__module__": "numpy", "item": lambda _: 42, "__slots__": ()})()


def test_numbers_of_numpy(serializer: Serializer, numpy_scalar: Any) -> None:
    """A scalar of numpy arrives as a plain number."""
    assert [42] == serializer.loads(serializer.dumps([numpy_scalar]))


def test_numpy_scalar_without_a_plain_form(serializer: Serializer) -> None:
    """A scalar of numpy that stays one (longdouble) is refused rather than written for ever."""
    generic = type("generic", (), {"__module__": "numpy", "__slots__": ()})
    scalar = type("longdouble", (generic,), {"__module__": "numpy", "item": lambda self: self, "__slots__": ()})()

    with pytest.raises(SerializeError, match="longdouble"):
        serializer.dumps(scalar)


def test_values_that_contain_themselves(catalog: Catalog) -> None:
    """A value that contains itself is refused, except by marshal, which can write it."""
    value: list[Any] = []
    value.append(value)

    for name in ("serpent", "json", "msgpack"):
        with pytest.raises(SerializeError, match=name):
            catalog.by_name(name).dumps(value)
    marshal = catalog.by_name("marshal")
    actual = marshal.loads(marshal.dumps(value))
    assert actual is actual[0]
