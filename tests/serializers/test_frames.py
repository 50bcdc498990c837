"""DataFrames, Series and indexes of pandas: what arrives is what was sent, and nothing else comes in that way."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import struct
import subprocess
import sys
import zoneinfo
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as hpd

from pyronb.dialects import PYRO5
from pyronb.errors import SecurityError, SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import Scattered
from pyronb.serializers.catalog import Catalog
from tests.support.paths import ROOT

relaxed = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

NATIVE = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("native")
MANY = 3000
"""Rows whose memory is large enough to travel beside the payload."""


def whole(data):
    """Give what goes over the network, in one piece of memory that can be written to, as it arrives."""
    return memoryview(bytearray(b"".join((data, *data.beside)) if isinstance(data, Scattered) else data))


def carried(value):
    """Give what becomes of a value at the other end."""
    return NATIVE.loads(whole(NATIVE.dumps(value)))


def assert_same(one, other):
    """Compare two things of pandas in all that they have."""
    assert type(one) is type(other)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_freq=True, check_exact=True)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_freq=True, check_exact=True)
    else:
        pd.testing.assert_index_equal(one, other, exact=True)
        assert getattr(one, "freq", None) == getattr(other, "freq", None)
    if not isinstance(one, pd.Index):
        assert one.attrs == other.attrs


def columns(rows):
    """Give a column of each type that pandas has, by what it is called."""
    ints = np.arange(rows)
    odd = ints % 3 == 1
    texts = [None if gone else f"x{n}" for n, gone in enumerate(odd)]
    return {
        "float64": ints + 0.5,
        "float with nan": np.where(odd, np.nan, ints),
        "float16": ints.astype(np.float16),
        "uint8": ints.astype(np.uint8),
        "bool": odd,
        "complex": ints * 1j,
        "text": pd.Series([f"x{n}" for n in ints]),
        "text with gaps": pd.array(texts, dtype="string"),
        "text in Python": pd.array(texts, dtype=pd.StringDtype("python")),
        "text in Arrow": pd.array(texts, dtype=pd.StringDtype("pyarrow")),
        "category": pd.Categorical.from_codes(ints % 3 - 1, ["b", "a"], ordered=True),
        "category of dates": pd.Categorical.from_codes(ints % 2, pd.date_range("2020", periods=2)),
        "datetime": pd.date_range("2020", periods=rows, freq="s"),
        "datetime in ns": pd.date_range("2020", periods=rows, freq="s", unit="ns"),
        "datetime in UTC": pd.date_range("2020", periods=rows, freq="s", tz="UTC"),
        "datetime of a place": pd.date_range("2020-10-24", periods=rows, freq="h", tz="Europe/Berlin"),
        "datetime of an offset": pd.date_range("2020", periods=rows, tz=dt.timezone(dt.timedelta(hours=5, minutes=30))),
        "timedelta": pd.timedelta_range("1s", periods=rows),
        "period": pd.period_range("2020", periods=rows, freq="D"),
        "interval": pd.IntervalIndex.from_arrays(ints, ints + 1.5, closed="left"),
        "Int64": pd.array([None if gone else n for n, gone in enumerate(odd)], dtype="Int64"),
        "UInt8": pd.array([None if gone else n % 9 for n, gone in enumerate(odd)], dtype="UInt8"),
        "Float32": pd.array([None if gone else n / 2 for n, gone in enumerate(odd)], dtype="Float32"),
        "boolean": pd.array([None if gone else bool(n % 2) for n, gone in enumerate(odd)], dtype="boolean"),
        "int64[pyarrow]": pd.array([None if gone else n for n, gone in enumerate(odd)], dtype="int64[pyarrow]"),
        "objects": pd.Series(
            [(None, "a", 1, 1.5, b"x", (1, [2, {"a": Decimal(1)}]))[n % 6] for n in ints], dtype=object
        ),
        "objects with gaps": pd.Series([(pd.NA, pd.NaT, "a")[n % 3] for n in ints], dtype=object),
    }


@pytest.mark.parametrize("rows", [0, 1, 7, MANY])
def test_every_type_of_column(rows):
    """In one frame, and alone."""
    frame = pd.DataFrame({name: pd.Series(values) for name, values in columns(rows).items()})

    assert_same(frame, carried(frame))
    for name in frame:
        assert_same(frame[name], carried(frame[name]))


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(1, 9, 2, name="r"),
        pd.Index([3, 1, 2, 2]),
        pd.Index(["a", 5, None, (1, 2)], name=("q", 1)),
        pd.date_range("2020", periods=4, freq="MS", tz="America/New_York", name="when"),
        pd.DatetimeIndex(["2020-01-01", "2020-01-05", None, "2020-01-02"]),
        pd.timedelta_range("1h", periods=4, freq="h"),
        pd.CategoricalIndex(["a", "b", "a", None]),
        pd.IntervalIndex.from_breaks([0, 1, 2, 3, 4]),
        pd.period_range("2020-01", periods=4, freq="M"),
        pd.MultiIndex.from_product([["a", "b"], pd.date_range("2020", periods=2)], names=["level", None]),
        pd.MultiIndex.from_tuples([("a", 1), ("a", None), (None, 2), ("b", 2)], names=[0, ("x", "y")]),
    ],
    ids=lambda index: f"{type(index).__name__}-{index.dtype}",
)
def test_every_index(index):
    """By itself, as that of rows, and as the names of columns."""
    assert_same(index, carried(index))
    assert_same(pd.Series(range(4), index=index), carried(pd.Series(range(4), index=index)))
    frame = pd.DataFrame(np.arange(16).reshape(4, 4), index=index, columns=index)
    assert_same(frame, carried(frame))


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=range(5)),
        pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame(np.arange(4.0).reshape(2, 2), columns=["same", "same"]),
        pd.DataFrame({1: [1], "1": [2], None: [3], (1, 2): [4], 1.5: [5]}),
    ],
    ids=["nothing", "rows only", "columns only", "one name twice", "names of all kinds"],
)
def test_shapes_and_names(frame):
    """Frames that many formats cannot hold."""
    assert_same(frame, carried(frame))


def test_attributes_and_names():
    """What belongs to a frame or series stays with it."""
    frame = pd.DataFrame({"a": [1, 2]})
    frame.attrs = {"unit": ("V", 1), 3: {"by": dt.date(2020, 1, 2)}}
    series = pd.Series([1], name=dt.date(2020, 1, 2))
    series.attrs["scale"] = 0.5

    for each in (frame, series):
        arrived = carried(each)
        assert_same(each, arrived)
        assert each.attrs == arrived.attrs
    assert series.name == carried(series).name


@given(
    hpd.data_frames(
        [
            hpd.column("f", dtype=float),
            hpd.column("i", dtype=np.int32),
            hpd.column("b", dtype=bool),
            hpd.column("t", elements=st.text(st.characters(exclude_categories=["Cs"]), max_size=5), dtype=object),
            hpd.column("d", dtype="datetime64[ns]"),
        ],
        index=hpd.range_indexes(max_size=20) | hpd.indexes(dtype=np.int64, max_size=20),
    )
)
@relaxed
def test_any_frame(frame):
    """Whatever is in it."""
    assert_same(frame, carried(frame))


def test_memory_is_neither_copied_nor_lost():
    """Large columns go out from where they lie and lie in what was received; the frame can be changed."""
    numbers = np.arange(100_000.0)
    frame = pd.DataFrame({"a": numbers, "b": numbers.astype(np.int32)}, copy=False)
    data = NATIVE.dumps(frame)
    pieces = [np.frombuffer(piece, np.uint8) for piece in data.beside if len(piece) > 10_000]
    assert 2 == len(pieces)
    assert any(np.shares_memory(frame["a"].to_numpy(), piece) for piece in pieces)

    received = whole(data)
    arrived = NATIVE.loads(received)
    assert np.shares_memory(arrived["a"].to_numpy(), np.frombuffer(received, np.uint8))
    arrived.loc[5, "a"] = -1.0
    assert 5.0 == frame.loc[5, "a"]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (pd.DataFrame({"fine": [1], "odd": [object()]}), r"column 'odd'.*builtins\.object.*astype"),
        (pd.DataFrame({("a", 1): [[{object()}]]}), r"column \('a', 1\)"),
        (pd.DataFrame({"thin": pd.arrays.SparseArray([0, 1])}), r"column 'thin'.*Sparse"),
        (pd.Series([range(3)], name="s", dtype=object), r"series 's'.*range"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([frozenset()])), "the index.*frozenset"),
        (pd.DataFrame([[1]], columns=pd.Index([frozenset()])), "names of the columns"),
    ],
)
def test_columns_that_are_refused(value, named):
    """The message says which, and what to do; there is no pickle by the back door."""
    with pytest.raises(SerializeError, match=named):
        NATIVE.dumps(value)


def test_a_zone_without_a_name():
    """It cannot be found again over there."""

    counts = struct.pack(">6I", 0, 0, 0, 1, 2, 8)
    kinds = struct.pack(">iBBiBB", 0, 0, 0, 3600, 1, 4)
    file = b"TZif" + bytes(16) + counts + struct.pack(">iB", 10**9, 1) + kinds + b"ONE\0TWO\0"
    zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(file))

    with pytest.raises(SerializeError, match=r"column 'z'.*tz_convert"):
        NATIVE.dumps(pd.DataFrame({"z": pd.DatetimeIndex(["2020-01-01"], tz=zone)}))


def extension(parts):
    """Give an extension as a stranger may write it."""
    data = NATIVE.dumps(parts)
    return b"\xc9" + len(data).to_bytes(4, "big") + b"\x44" + data


ROWS = ["range", 0, 2, 1, None]
NUMBERS = ["numpy", np.array([1, 2])]
NAMES = ["values", ["objects", ["a"], {}], None, None]


@pytest.mark.parametrize(
    "parts",
    [
        [],
        ["frame"],
        ["table", ROWS, NAMES, [NUMBERS], {}],
        ["frame", ROWS, NAMES, [["numpy", np.array([1, 2, 3])]], {}],
        ["frame", ROWS, NAMES, [["numpy", [1, 2]]], {}],
        ["frame", ROWS, NAMES, [["numpy", np.zeros((2, 2))]], {}],
        ["frame", ROWS, NAMES, [NUMBERS, NUMBERS], {}],
        ["frame", ROWS, NAMES, [NUMBERS], []],
        ["frame", ROWS, NAMES, NUMBERS, {}],
        ["frame", ["range", 0, "2", 1, None], NAMES, [NUMBERS], {}],
        ["frame", ["range", 0, 1 << 70, 1, None], NAMES, [NUMBERS], {}],
        ["series", ROWS, [], NUMBERS, {}],
        ["series", ROWS, None, ["pickle", b"x"], {}],
        ["series", ROWS, None, ["objects", ["a", "b"], {"NA": [7]}], {}],
        ["series", ROWS, None, ["objects", ["a", "b"], {"os": [0]}], {}],
        ["series", ROWS, None, ["categories", np.array([0, 5]), NAMES, True], {}],
        ["series", ROWS, None, ["categories", np.array([0, 0]), ["values", NUMBERS, None, "D"], True], {}],
        ["series", ROWS, None, ["zoned", np.array([1, 2], "M8[s]"), "../../../etc/passwd"], {}],
        ["series", ROWS, None, ["zoned", np.array([1, 2], "M8[s]"), "dateutil//etc/passwd"], {}],
        ["series", ROWS, None, ["zoned", np.array([1, 2], "M8[s]"), 1e9], {}],
        ["series", ROWS, None, ["masked", np.array([1, 2]), np.array([True])], {}],
        ["series", ROWS, None, ["masked", np.array([1, 2]), 5], {}],
        ["series", ROWS, None, ["masked", np.array(["a", "b"]), np.array([True, False])], {}],
        ["series", ROWS, None, ["periods", np.array([1, 2]), "nonsense"], {}],
        ["series", ROWS, None, ["text", "nonsense", True, ["a", "b"]], {}],
        ["series", ROWS, None, ["text", "pyarrow", True, "ab"], {}],
        ["series", ROWS, None, ["arrow", np.array([1, 2])], {}],
        ["series", ROWS, None, ["intervals", ROWS, NAMES, "left"], {}],
        ["index", ["levels", [NAMES], [np.array([0, 9])], [None]]],
        ["index", ["levels", [NAMES], [], [None]]],
        ["index", ["values", ["numpy", np.array([1, 5], "M8[D]")], None, "D"]],
        ["index", ROWS, 5],
        "frame",
    ],
)
def test_parts_that_are_none(parts):
    """Whatever a stranger describes, it fits together or is refused."""
    with pytest.raises(SerializeError):
        NATIVE.loads(extension(parts))


PIECES = st.recursive(
    st.sampled_from(
        [
            *("frame", "series", "index", "range", "values", "levels", "numpy", "objects", "zoned", "categories"),
            *("text", "arrow", "masked", "periods", "intervals", "UTC", "D", "python", None, 0, 2, True),
            *(np.array([0, 1]), np.array([1.5, 2.5]), np.array([True, False]), np.array([1, 2], "M8[s]"), {}, ROWS),
        ]
    ),
    lambda inner: st.lists(inner, max_size=5),
)


@given(st.sampled_from([["frame"], ["series"], ["index"]]), st.lists(PIECES, max_size=5))
@relaxed
def test_no_parts_raise_anything_else(start, rest):
    """Nor do they end the program."""
    with contextlib.suppress(SerializeError, SecurityError):
        NATIVE.loads(extension(start + rest))


def test_a_zone_is_found_by_its_name():
    """It is what pandas makes of that name, whatever class the zone had here."""
    arrived = carried(pd.Series(pd.date_range("2020", periods=2, tz=zoneinfo.ZoneInfo("Asia/Tokyo"))))

    assert pd.DatetimeTZDtype("ns", "Asia/Tokyo").tz == arrived.dt.tz


def test_arrow_is_not_loaded_before_it_is_needed():
    """Numbers and dates need none of it."""
    program = """
import sys
import pandas as pd
from pyronb.dialects import PYRO5
from pyronb.options import WireOptions
from pyronb.serializers.catalog import Catalog
native = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("native")
frame = pd.DataFrame({"a": [1.5], "d": pd.date_range("2020", periods=1)}, index=pd.RangeIndex(1))
frame.columns = pd.Index([1, 2])
assert native.loads(native.dumps(frame)).equals(frame)
print([name for name in sys.modules if name in ("pyronb.serializers.arrow", "pyronb.serializers.polars", "polars")])
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True)

    assert "[]" == ran.stdout.strip()


@pytest.mark.parametrize(("package", "value"), [("pandas", pd.Series([1])), ("numpy", np.array([1]))])
def test_a_package_that_is_missing(monkeypatch, package, value):
    """The receiver is told what to install."""
    data = whole(NATIVE.dumps(value))
    for name in ("arrays", "frames"):
        monkeypatch.delitem(sys.modules, f"pyronb.serializers.{name}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(SerializeError, match=f"pip install {package}"):
        NATIVE.loads(data)
