"""DataFrames and Series of polars as tables of Arrow, and back. Loaded when the first one travels."""

from __future__ import annotations

from typing import Any

import polars as pl

from pyronb.errors import SerializeError

__all__ = ["from_parts", "to_parts"]

_FRAME, _SERIES = "frame", "series"


def to_parts(value: Any) -> list[Any]:
    """Give what a DataFrame or Series is, and the table that it becomes, of which Series are a column.

    Raises:
        SerializeError: a column has no form in Arrow, or pyarrow is not installed.
    """
    kind = _SERIES if isinstance(value, pl.Series) else _FRAME
    frame = value.to_frame() if kind == _SERIES else value
    objects = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    if objects:
        raise SerializeError(f"column {objects[0]!r} holds Python objects; convert it with cast or map_elements")
    try:
        return [kind, frame.to_arrow()]
    except ImportError as error:
        raise SerializeError("to send what polars has, pyarrow is needed (pip install pyarrow)") from error


def from_parts(parts: Any) -> Any:
    """Make a DataFrame or Series of a table.

    Raises:
        SerializeError: there is nothing of this kind.
    """
    kind, table = parts
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame) or kind not in (_FRAME, _SERIES) or (kind == _SERIES and frame.width != 1):
        raise SerializeError(f"there is nothing in polars that is a {kind!r}")
    return frame.to_series() if kind == _SERIES else frame
