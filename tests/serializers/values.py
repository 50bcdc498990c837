"""What each value becomes with each serializer, found out by sending it: makes `pyronb/serializers/VALUES.md`.

`python -c 'from tests.serializers import values; values.write()'` writes it anew, and `test_values.py` fails while
it is not true.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import math
import pathlib
import sys
import types
import uuid
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

from pyronb.dialects import PYRO5, SAFE, UNSAFE
from pyronb.errors import SecurityError, SerializeError
from pyronb.options import WireOptions
from pyronb.rpc.call import Call
from pyronb.rpc.codec import Codec
from pyronb.serializers.catalog import Catalog
from pyronb.uri import URI
from pyronb.wire.message import Message
from tests.support.paths import PACKAGE

DOCUMENT = PACKAGE / "serializers" / "VALUES.md"

HEAD = """\
# What values become

Made by `tests/serializers/values.py` from really sending each value, between two ends that run pyronb and with the
default settings. *Kept* means that an equal value of the same type arrives. *Refused* means that the sender, or the
receiver where that is said, gets a `SerializeError` or `SecurityError`, and that the connection stays.

Instances of your own classes need hooks (`SerializerBase`), except with pickle, dill and cloudpickle. Those three can
run code on whoever reads them, and are used only where they were switched on: by `SERIALIZERS_ACCEPTED` for a daemon,
by `SERIALIZER` or `_pyroSerializer` for a client.

Functions, and objects of classes marked with `by_reference`, are lent rather than sent where they are arguments of a
call; by themselves they are what the tables say.
"""


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Reading:
    value: float = 1.5


class Text(str):
    __slots__ = ()


class Count(int):
    pass


class Shelf(dict):  # type: ignore[type-arg]
    pass


class Row(NamedTuple):
    """A kind of value.

    Attributes:
        kind: what it is called.
        example: one of them.
        shown: how that is written in the document; its `repr` when empty.
        values: more of them.
    """

    kind: str
    example: Any
    shown: str = ""
    values: Any = None


def round_and_round() -> list[Any]:
    """Give a list that contains itself."""
    value: list[Any] = [1]
    value.append(value)
    return value


def nested(depth: int) -> list[Any]:
    """Give a list in a list in a list."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def exists(moment: dt.datetime) -> bool:
    """Tell whether there is this local time; a clock that is put forward leaves some out, and one put back repeats."""
    return dt.datetime.fromtimestamp(moment.timestamp()) == moment


def example_function() -> int:
    """Be an example."""
    return 5


_SMALL = st.integers(-(2**63), 2**63 - 1)
# Lone surrogates have no UTF-8, and a dict with a class name is no plain value.
_TEXT = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: text != "__class__")
_ATOMS = st.none() | st.booleans() | _SMALL | st.floats(allow_nan=False) | _TEXT
_MOMENTS = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2200, 1, 1))
_ITEMS = st.lists(_SMALL, max_size=5)

ROWS = [
    Row("None", None, values=st.none()),
    Row("bool", True, values=st.booleans()),
    Row("int", -7, values=_SMALL),
    Row("int beyond 64 bits", 2**70, "2**70", st.integers(2**64) | st.integers(max_value=-(2**64))),
    Row("float", 1.5, values=st.floats(allow_nan=False, allow_infinity=False)),
    Row("inf", math.inf, values=st.sampled_from([math.inf, -math.inf])),
    Row("nan", math.nan, values=st.just(math.nan)),
    Row("complex", 3 - 4j, values=st.complex_numbers(allow_nan=False).map(lambda value: value + 0)),
    Row("str", "né\n", values=_TEXT),
    Row("bytes", b"\x00\xff", values=st.binary()),
    Row("bytes, many", bytes(100_000), "bytes(100_000)", st.integers(70_000, 80_000).map(bytes)),
    Row("bytearray", bytearray(b"ab"), values=st.binary().map(bytearray)),
    Row("memoryview", memoryview(b"ab"), "memoryview(b'ab')", st.binary().map(memoryview)),
    Row("array.array", array.array("d", [1.5]), values=_ITEMS.map(lambda items: array.array("q", items))),
    Row("list", [1, [2]], values=st.recursive(_ATOMS, st.lists, max_leaves=10).map(lambda value: [value])),
    Row("tuple", (1, (2,)), values=st.tuples(_ATOMS, st.tuples(_ATOMS))),
    Row("named tuple", Point(1, 2), values=st.builds(Point, _SMALL, _SMALL)),
    Row("set", {1}, values=st.sets(_SMALL | _TEXT, min_size=1)),
    Row("empty set", set(), values=st.just(set())),
    Row("frozenset", frozenset({1}), values=st.frozensets(_SMALL | _TEXT, min_size=1)),
    Row("dict", {"a": {"b": 1}}, values=st.dictionaries(_TEXT, st.dictionaries(_TEXT, _ATOMS))),
    Row("dict with int keys", {1: "a"}, values=st.dictionaries(_SMALL, _ATOMS, min_size=1)),
    Row(
        "dict with tuples as keys", {(1, "a"): 2}, values=st.dictionaries(st.tuples(_SMALL, _TEXT), _ATOMS, min_size=1)
    ),
    Row("dict with bytes as keys", {b"a": 1}, values=st.dictionaries(st.binary(), _ATOMS, min_size=1)),
    Row("dict with None as key", {None: 1}, values=st.just({None: 1})),
    Row("subclass of dict", Shelf(a=1), values=st.dictionaries(_TEXT, _ATOMS).map(Shelf)),
    Row("OrderedDict", collections.OrderedDict(a=1), "OrderedDict(a=1)"),
    Row("defaultdict", collections.defaultdict(int, a=1), "defaultdict(int, a=1)"),
    Row("Counter", collections.Counter("aab"), values=st.dictionaries(_TEXT, _SMALL).map(collections.Counter)),
    Row("deque", collections.deque([1, 2]), values=_ITEMS.map(collections.deque)),
    Row("keys, values or items of a dict", {"a": 1}.keys()),
    Row("range", range(3), values=st.builds(range, st.integers(-5, 5))),
    Row("subclass of str", Text("a"), "Text('a')", _TEXT.map(Text)),
    Row("subclass of int", Count(5), "Count(5)", _SMALL.map(Count)),
    Row("Enum", Color.RED, "Color.RED", st.sampled_from(Color)),
    Row("IntEnum", Level.HIGH, "Level.HIGH", st.sampled_from(Level)),
    Row("Flag", Right.READ, "Right.READ"),
    Row("datetime", dt.datetime(2020, 1, 2, 12, 30), values=_MOMENTS.filter(exists)),
    Row(
        "datetime with a zone",
        dt.datetime(2020, 1, 2, 12, 30, tzinfo=dt.timezone.utc),
        values=_MOMENTS.map(lambda moment: moment.replace(tzinfo=dt.timezone.utc)),
    ),
    Row("date", dt.date(2020, 1, 2), values=st.dates()),
    Row("time", dt.time(12, 30), values=st.times()),
    Row("timedelta", dt.timedelta(minutes=1), values=st.timedeltas()),
    Row("Decimal", decimal.Decimal("1.50"), values=st.decimals(allow_nan=False)),
    Row("Fraction", fractions.Fraction(1, 3), values=st.fractions()),
    Row("UUID", uuid.UUID(int=5), values=st.uuids()),
    Row("Path", pathlib.PurePosixPath("a/b"), values=st.just(pathlib.PurePosixPath("/c/d.e"))),
    Row("numpy int", np.int32(3), "np.int32(3)", values=st.integers(-(2**31), 2**31 - 1).map(np.int32)),
    Row("numpy float", np.float64(1.5), "np.float64(1.5)", values=st.floats(allow_nan=False).map(np.float64)),
    Row("numpy bool", np.bool_(True), "np.bool_(True)", values=st.booleans().map(np.bool_)),
    Row("numpy datetime64", np.datetime64("2020-01-02"), "np.datetime64('2020-01-02')"),
    Row("numpy array", np.array([1, 2]), values=_ITEMS.map(lambda items: np.array(items, dtype=np.int64))),
    Row("pandas DataFrame", pd.DataFrame({"a": [1]}), "DataFrame({'a': [1]})"),
    Row("pandas Series", pd.Series([1], name="a"), "Series([1], name='a')"),
    Row("pandas Index", pd.Index([1]), "Index([1])"),
    Row("table of Arrow", pa.table({"a": [1]}), "pa.table({'a': [1]})"),
    Row("batch of Arrow", pa.RecordBatch.from_pydict({"a": [1]}), "RecordBatch"),
    Row("polars DataFrame", pl.DataFrame({"a": [1]}), "pl.DataFrame({'a': [1]})"),
    Row(
        "URI", URI("PYRO:thing@host:99"), values=st.integers(1, 65535).map(lambda port: URI(f"PYRO:thing@host:{port}"))
    ),
    Row("exception", ValueError("boom", 7), values=_TEXT.map(ValueError)),
    Row("dataclass", Reading(), "Reading(value=1.5)", st.floats(allow_nan=False).map(Reading)),
    Row("object with attributes", types.SimpleNamespace(a=1), "SimpleNamespace(a=1)"),
    Row("class", dict, "dict"),
    Row("function of a module", example_function, "function"),
    Row("lambda", lambda: 5, "lambda: 5"),
    Row("generator", (item for item in ()), "generator"),
    Row("module", sys, "sys"),
    Row("list nested 100 deep", nested(100), "[[[...]]]"),
    Row("list nested 100000 deep", nested(100_000), "[[[...]]]"),
    Row("list that contains itself", round_and_round(), "[1, [...]]"),
]

CATALOG = Catalog(PYRO5, WireOptions(), pyronb_peer=True, unsafe=frozenset(UNSAFE))
CODEC = Codec(PYRO5, CATALOG, WireOptions(), beside=True)
KEPT = "kept"
REFUSED = "*refused*"
REFUSED_BY_READER = "*refused by the receiver*"
_WIDTH = 60


def arrival(name: str, value: Any) -> Any:
    """Send a value with this serializer, and give what arrives."""
    return received(sent(name, value))


def sent(name: str, value: Any) -> Message:
    """Give the message that goes over the network for a call with a value."""
    message = CODEC.encode_call(Call("id", "method", (value,)), CATALOG.by_name(name), 1)
    message.payload = b"".join((message.payload, *message.beside))
    return message


def received(message: Message) -> Any:
    """Give what arrives with such a message."""
    return CODEC.decode_call(message).args[0]


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are of one type and equal, as far as such values can be compared."""
    if type(one) is not type(other):
        return False
    if isinstance(one, BaseException):
        return one.args == other.args
    if isinstance(one, types.FunctionType):
        return one() == other()
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other))
    if type(one).__module__.partition(".")[0] in {"pandas", "polars", "pyarrow"}:
        return bool(one.equals(other))
    try:
        # A nan is not equal to itself.
        return bool(one == other) or (one != one and repr(one) == repr(other))  # noqa: PLR0124
    except RecursionError:
        return repr(one) == repr(other)


def outcome(name: str, value: Any) -> str:
    """Tell in the document's words what becomes of a value."""
    try:
        message = sent(name, value)
    except (SerializeError, SecurityError):
        return REFUSED
    try:
        actual = received(message)
    except (SerializeError, SecurityError):
        return REFUSED_BY_READER
    return KEPT if same(value, actual) else _code(repr(actual))


def document() -> str:
    """Give the whole document."""
    parts = [HEAD]
    for name in (*SAFE, *UNSAFE):
        rows = [(row.kind, _code(row.shown or repr(row.example)), outcome(name, row.example)) for row in ROWS]
        lines = ["| value | for example | arrives |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
        parts.append(f"## {name}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _code(text: str) -> str:
    return f"`{text if len(text) <= _WIDTH else text[:_WIDTH] + '…'}`"


def write() -> None:
    """Write the document."""
    DOCUMENT.write_text(document(), encoding="utf-8")
