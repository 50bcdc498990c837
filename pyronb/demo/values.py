"""Values: what the demo store takes in, and how it says no.

Pure: keys, names, types of columns and values are checked here before any of them comes near the database.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["check_json", "check_key", "check_name", "check_row", "parse_columns"]

MAX_KEY = 500
MAX_JSON = 10_000_000
MAX_DEPTH = 100
MAX_COLUMNS = 100
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_TYPES: Mapping[str, tuple[type, ...]] = {"TEXT": (str,), "INTEGER": (int,), "REAL": (int, float)}
_COLUMN = re.compile(r"(TEXT|INTEGER|REAL)((?: (?:PRIMARY KEY|UNIQUE|NOT NULL))*)")


def check_key(key: object, what: str = "key") -> str:
    """Give the key back when it is one.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(key, str):
        raise ValueError(f"{what} should be text, not {type(key).__name__}")
    if not 1 <= len(key) <= MAX_KEY:
        raise ValueError(f"{what} should have 1 to {MAX_KEY} characters, not {len(key)}")
    if "\0" in key or not _encodable(key):
        raise ValueError(f"{what} {key!r} holds characters that cannot be stored")
    return key


def check_name(what: str, name: object) -> str:
    """Give the name of a table or column back when it may be one; it is safe to be put in double quotes then.

    Raises:
        ValueError: it may not.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower().startswith("sqlite_"):
        raise ValueError(
            f"{name!r} cannot name a {what}: use a letter, then up to 62 letters, digits or underscores (of ASCII), "
            "and do not begin with sqlite_"
        )
    return name


def parse_columns(columns: object) -> dict[str, str]:
    """Check the columns of a new table, and give them with their types as SQL has them.

    Raises:
        ValueError: a name or a type is not allowed.
    """
    if not isinstance(columns, Mapping) or not 1 <= len(columns) <= MAX_COLUMNS:
        raise ValueError(f"columns should be a dict of 1 to {MAX_COLUMNS} types by name")
    parsed: dict[str, str] = {}
    for name, kind in columns.items():
        check_name("column", name)
        text = " ".join(str(kind).upper().split())
        if not _COLUMN.fullmatch(text):
            raise ValueError(
                f"column {name!r} cannot be {kind!r}: use text, integer or real, "
                "each with any of primary key, unique, not null"
            )
        if "PRIMARY KEY" in text and not text.startswith("INTEGER") and "NOT NULL" not in text:
            text += " NOT NULL"  # SQLite would let them be NULL, and more than one of them
        parsed[name] = text
    if len({name.lower() for name in parsed}) < len(parsed):
        raise ValueError("two columns have the same name: upper and lower case make no difference")
    if sum("PRIMARY KEY" in kind for kind in parsed.values()) > 1:
        raise ValueError("only one column can be the primary key")
    return parsed


def check_row(row: object, columns: Mapping[str, str], number: int | None = None) -> list[Any]:
    """Check values by column, and give one for each column, in order; None where there is none.

    Raises:
        ValueError: there is no such column, or a value is not of its type; the text says in which row.
    """
    place = "" if number is None else f"row {number}: "
    if not isinstance(row, Mapping):
        raise ValueError(f"{place}values should be a dict by column, not {type(row).__name__}")
    for name, value in row.items():
        if name not in columns:
            raise ValueError(f"{place}no column {name!r}; the columns are {', '.join(columns)}")
        kind = columns[name].split()[0]
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, _TYPES[kind]):
            raise ValueError(f"{place}column {name!r} is {kind.lower()} and cannot hold {value!r}")
        if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
            raise ValueError(f"{place}{value!r} in column {name!r} needs more than 64 bits")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{place}{value!r} in column {name!r} is not finite")
        if isinstance(value, str) and not _encodable(value):
            raise ValueError(f"{place}the text in column {name!r} holds characters that cannot be stored")
    return [row.get(name) for name in columns]


def check_json(value: object, *, sort_keys: bool = False) -> str:
    """Write a value as JSON when JSON can hold it without loss.

    Raises:
        ValueError: it cannot; the text names the path to what is wrong.
    """
    _check_part(value, "value", 0)
    text = json.dumps(value, sort_keys=sort_keys)
    if len(text) > MAX_JSON:
        raise ValueError(f"the value is too large: {len(text)} characters as JSON, of {MAX_JSON} at most")
    return text


def _check_part(value: object, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"{path[:80]}... is nested more than {MAX_DEPTH} deep")
    if value is None or isinstance(value, bool | int | str):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path} is {value!r}, which JSON cannot hold")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            _check_part(part, f"{path}[{index}]", depth + 1)
    elif isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{path} has the key {key!r}: only text can be a key in JSON")
            _check_part(part, f"{path}[{key!r}]", depth + 1)
    else:
        raise ValueError(f"{path} is of type {type(value).__name__}, which JSON cannot hold")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
