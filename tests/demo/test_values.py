"""What the store refuses, and how it says where the fault is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.demo.values import check_json, check_key, check_name, check_row, parse_columns

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON)
def test_json_comes_back_as_it_was(value):
    back = json.loads(check_json(value))

    assert back == value
    assert repr(back) == repr(value)


def deep(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def circle():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "value is nan"),
        ([1, {"a": (0, float("inf"))}], "value[1]['a'][1] is inf"),
        ({"a": b"x"}, "value['a'] is of type bytes"),
        ({"a": {1: 2}}, "value['a'] has the key 1"),
        ({1, 2}, "value is of type set"),
        (1j, "of type complex"),
        (deep(101), "nested more than 100 deep"),
        (circle(), "nested more than 100 deep"),
        ("x" * 10_000_001, "too large"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_path(value, text):
    with pytest.raises(ValueError) as caught:
        check_json(value)

    assert text in str(caught.value)


@pytest.mark.parametrize("key", ["a", "a b", "naïve/ключ", "'; DROP TABLE _items; --", "%", "x" * 500])
def test_keys_may_be_any_text(key):
    assert check_key(key) == key


@pytest.mark.parametrize("key", ["", "x" * 501, "a\0b", "\ud800", 1, None, b"a", ["a"]])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError, match="key"):
        check_key(key)


@pytest.mark.parametrize("name", ["a", "Readings", "select", "table_2", "x" * 63])
def test_names_of_tables(name):
    assert check_name("table", name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "1a", "_items", "_rowid_", "a-b", "a b", 'a"b', "a;b", "a\n", "é", "x" * 64, "sqlite_master", "SQLITE_x"),
        *(None, 3, ["a"]),
    ],
)
def test_what_cannot_be_a_name(name):
    with pytest.raises(ValueError, match="cannot name a table"):
        check_name("table", name)


def test_types_of_columns_are_made_uniform():
    columns = {
        "id": "integer  primary key",
        "name": "Text unique not null",
        "volts": "REAL",
        "code": "text primary key",
    }

    assert parse_columns({k: v for k, v in columns.items() if k != "code"}) == {
        "id": "INTEGER PRIMARY KEY",
        "name": "TEXT UNIQUE NOT NULL",
        "volts": "REAL",
    }
    # SQLite would take NULL for such a primary key, again and again.
    assert parse_columns({"code": columns["code"]}) == {"code": "TEXT PRIMARY KEY NOT NULL"}


@pytest.mark.parametrize(
    "columns",
    [
        {},
        [],
        None,
        {"a": "blob"},
        {"a": ""},
        {"a": None},
        {"a": "text default 'x'"},
        {"a": "text); DROP TABLE _items; --"},
        {"a": "integer references b(c)"},
        {'a" text, "b': "text"},
        {"a": "text", "A": "text"},
        {"a": "integer primary key", "b": "text primary key"},
        {f"c{n}": "text" for n in range(101)},
    ],
)
def test_what_cannot_be_columns(columns):
    with pytest.raises(ValueError):
        parse_columns(columns)


COLUMNS = {"id": "INTEGER PRIMARY KEY", "name": "TEXT", "volts": "REAL"}


def test_rows_are_put_in_order_and_filled_up():
    assert check_row({"volts": 1, "id": 2**63 - 1}, COLUMNS) == [2**63 - 1, None, 1]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"colour": "x"}, "row 7: no column 'colour'; the columns are id, name, volts"),
        ({"id": "1"}, "row 7: column 'id' is integer and cannot hold '1'"),
        ({"id": True}, "cannot hold True"),
        ({"id": 1.0}, "cannot hold 1.0"),
        ({"id": 2**63}, "64 bits"),
        ({"name": 1}, "column 'name' is text"),
        ({"name": "\ud800"}, "cannot be stored"),
        ({"volts": float("nan")}, "not finite"),
        ({"volts": [1]}, "cannot hold [1]"),
        ([1], "row 7: values should be a dict by column, not list"),
        ({1: 1}, "no column 1"),
    ],
)
def test_wrong_rows_are_refused(row, text):
    with pytest.raises(ValueError) as caught:
        check_row(row, COLUMNS, 7)

    assert text in str(caught.value)
