"""DataFrames, Series and indexes of pandas as plain parts and arrays, and back. Loaded when the first one travels.

The parts are lists of text, numbers, arrays of numpy and, where pandas itself keeps a column in Arrow's memory, columns
of pyarrow. So nothing is pickled, the memory of columns is not copied, pyarrow is not needed for what does not use it,
and a stranger's parts can name no class: each becomes what this module makes of it, and pandas checks that it fits.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pandas as pd

from pyronb.errors import SerializeError

__all__ = ["from_parts", "to_parts"]

_FRAME, _SERIES, _INDEX = "frame", "series", "index"
_WITH_FREQUENCY = (pd.DatetimeIndex, pd.TimedeltaIndex)
_NAN = float("nan")
_PLAIN = frozenset(
    {
        *(type(None), bool, int, float, complex, str, bytes, Decimal, Fraction, UUID),
        *(dt.date, dt.time, dt.datetime, dt.timedelta),
    }
)
"""What may be in a column of objects, beside lists, tuples and dicts of it: what arrives as it was."""


def to_parts(value: Any) -> list[Any]:
    """Give the parts of a DataFrame, Series or Index.

    Raises:
        SerializeError: a column, which is named, holds what has no form.
    """
    if isinstance(value, pd.DataFrame):
        columns = [_column(column.array, f"column {label!r}") for label, column in value.items()]
        names = _index(value.columns, "the names of the columns")
        return [_FRAME, _index(value.index, "the index"), names, columns, value.attrs]
    if isinstance(value, pd.Series):
        column = _column(value.array, "the series" if value.name is None else f"the series {value.name!r}")
        return [_SERIES, _index(value.index, "the index"), value.name, column, value.attrs]
    return [_INDEX, _index(value, "the index")]


def from_parts(parts: Any) -> Any:
    """Make a DataFrame, Series or Index of its parts; columns lie in the memory of the arrays that they are given.

    Raises:
        SerializeError: there is no such thing. What else does not fit together, pandas complains of.
    """
    kind, index, *rest = parts
    made_index = _made_index(index)
    if kind == _INDEX and not rest:
        return made_index
    name, what, attrs = rest
    made: Any
    if kind == _SERIES:
        made = _made_series(what, made_index)
        made.name = name
    elif kind == _FRAME:
        made = pd.DataFrame(dict(enumerate(_made_series(each, made_index) for each in what)), made_index, copy=False)
        made.columns = _made_index(name)
    else:
        raise SerializeError(f"there is nothing in pandas that is a {kind!r}")
    if type(attrs) is not dict:
        raise SerializeError("the attributes of a DataFrame or Series are no dict")
    made.attrs = attrs
    return made


# Indexes


def _index(index: Any, where: str) -> list[Any]:
    if type(index) is pd.RangeIndex:
        return ["range", index.start, index.stop, index.step, index.name]
    if isinstance(index, pd.MultiIndex):
        levels = [_index(level, f"level {level.name!r} of {where}") for level in index.levels]
        return ["levels", levels, list(index.codes), list(index.names)]
    freq = getattr(index, "freqstr", None) if isinstance(index, _WITH_FREQUENCY) else None
    return ["values", _column(index.array, where), index.name, freq]


def _made_index(parts: Any) -> Any:
    kind, *rest = parts
    if kind == "range":
        start, stop, step, name = rest
        return pd.RangeIndex(start, stop, step, name=name)
    if kind == "levels":
        levels, codes, names = rest
        return pd.MultiIndex([_made_index(level) for level in levels], codes, names=names)
    if kind != "values":
        raise SerializeError(f"there is no index in pandas that is made of {kind!r}")
    column, name, freq = rest
    values = _made_column(column)
    index = pd.Index(values, dtype=values.dtype, name=name, copy=False)
    if freq is not None:
        if not isinstance(index, _WITH_FREQUENCY):
            raise SerializeError("an index has a frequency, and holds no moments")
        index.freq = freq  # pandas compares it with the values
    return index


# Columns


def _column(array: Any, where: str) -> list[Any]:
    dtype: Any = array.dtype
    if type(array) is pd.arrays.NumpyExtensionArray or not pd.api.types.is_extension_array_dtype(dtype):
        values = array.to_numpy()
        return _objects(values, where) if values.dtype.kind == "O" else ["numpy", values]
    if isinstance(dtype, pd.DatetimeTZDtype):
        return ["zoned", array.tz_convert(None).to_numpy(), _zone(dtype.tz, where)]
    if isinstance(dtype, pd.CategoricalDtype):
        return ["categories", array.codes, _index(array.categories, f"the categories of {where}"), array.ordered]
    if isinstance(dtype, pd.StringDtype):
        lost = dtype.na_value is pd.NA
        if dtype.storage.startswith("pyarrow"):
            return ["text", dtype.storage, lost, array.__arrow_array__()]
        return ["text", dtype.storage, lost, array.to_numpy(dtype=object, na_value=None).tolist()]
    if isinstance(dtype, pd.ArrowDtype):
        return ["arrow", array.__arrow_array__()]
    if type(array) in _MASKED.values():
        return ["masked", array.to_numpy(dtype=dtype.numpy_dtype, na_value=0), array.isna()]
    if isinstance(dtype, pd.PeriodDtype):
        return ["periods", pd.PeriodIndex(array).asi8, dtype.name.removeprefix("period[").removesuffix("]")]
    if isinstance(dtype, pd.IntervalDtype):
        return ["intervals", _index(array.left, where), _index(array.right, where), array.closed]
    raise SerializeError(f"{where} is of type {dtype}, which has no form here; convert it with astype")


def _objects(array: Any, where: str) -> list[Any]:
    values = array.tolist()
    kinds = set(map(type, values))
    missing: dict[str, list[int]] = {}
    for name, nothing in _NOTHING.items():
        if type(nothing) in kinds:
            kinds.discard(type(nothing))
            places = missing[name] = [at for at, value in enumerate(values) if value is nothing]
            for place in places:
                values[place] = None
    odd = {kind for value in values for kind in _odd(value)} if kinds - _PLAIN else set()
    if odd:
        names = ", ".join(sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in odd))
        raise SerializeError(
            f"{where} holds Python objects ({names}); convert it with astype, or send what they are made of"
        )
    return ["objects", values, missing]


def _odd(value: Any) -> set[type]:
    """Give the types, in a value and what is in it, that would not arrive as they are."""
    kind = type(value)
    if kind is list or kind is tuple:
        return {each for item in value for each in _odd(item)}
    if kind is dict:
        return _odd([*value, *value.values()])
    return set() if kind in _PLAIN else {kind}


_NOTHING = {"NA": pd.NA, "NaT": pd.NaT}
_MASKED = {
    "i": pd.arrays.IntegerArray,
    "u": pd.arrays.IntegerArray,
    "f": pd.arrays.FloatingArray,
    "b": pd.arrays.BooleanArray,
}
"""Arrays with a mask of what is missing, by the kind of their numbers."""


def _zone(zone: Any, where: str) -> Any:
    """Give the name of a time zone, or its seconds from UTC where those are always the same."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if isinstance(name, str):
        return name
    offset = zone.utcoffset(None)
    if offset is None:
        raise SerializeError(f"{where} has a time zone without a name ({zone!r}); convert it with dt.tz_convert")
    return offset.total_seconds()


def _made_zone(zone: Any) -> Any:
    if isinstance(zone, str):
        # Pandas, which has a type of its own for zones of this name, would open any file for others.
        return zoneinfo.ZoneInfo(zone).key
    return dt.timezone(dt.timedelta(seconds=zone)) if zone else dt.timezone.utc


def _made_text(storage: Any, lost: Any, values: Any) -> Any:
    dtype: Any = pd.StringDtype(storage) if lost else pd.StringDtype(storage, na_value=_NAN)
    if isinstance(values, list):
        return pd.array(values, dtype=dtype)
    return dtype.__from_arrow__(values)


def _made_objects(values: Any, missing: Any) -> Any:
    for name, places in missing.items():
        for place in places:
            values[place] = _NOTHING[name]
    return pd.Series(values, dtype=object).array


def _made_masked(values: Any, mask: Any) -> Any:
    return _MASKED[values.dtype.kind](values, mask)


_MADE: dict[str, Callable[..., Any]] = {
    "numpy": lambda values: values,
    "objects": _made_objects,
    "zoned": lambda values, zone: pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(_made_zone(zone)).array,
    "categories": lambda codes, categories, ordered: pd.Categorical.from_codes(
        codes, dtype=pd.CategoricalDtype(_made_index(categories), ordered)
    ),
    "text": _made_text,
    "arrow": pd.arrays.ArrowExtensionArray,
    "masked": _made_masked,
    "periods": lambda ordinals, freq: pd.PeriodIndex.from_ordinals(ordinals, freq=freq).array,
    "intervals": lambda left, right, closed: pd.arrays.IntervalArray.from_arrays(
        _made_index(left), _made_index(right), closed
    ),
}


def _made_column(parts: Any) -> Any:
    kind, *rest = parts
    if kind not in _MADE:
        raise SerializeError(f"there is no column in pandas that is made of {kind!r}")
    return _MADE[kind](*rest)


def _made_series(parts: Any, index: Any) -> Any:
    values = _made_column(parts)
    return pd.Series(values, index, dtype=values.dtype, copy=False)
