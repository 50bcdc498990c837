"""Store: keys, values and small tables on disk, in SQLite.

Every write is one transaction that is on the disk when the call returns (write-ahead log, synchronous=FULL); one that
fails leaves what was there before. One connection is used by all threads, one at a time. No text of a caller ever
becomes SQL but names that were checked; values are always bound.
"""

from __future__ import annotations

import difflib
import json
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyronb.demo.checks import whole
from pyronb.demo.values import check_json, check_key, check_name, check_row, parse_columns
from pyronb.server.exposure import expose

__all__ = ["Store", "StoreConflict"]

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that writes to the same file."""
MAX_LIMIT = 100_000
MAX_SUGGESTED_FROM = 2000
"""Most names that are searched for ones like a misspelt one."""

# Names of users begin with a letter, so these cannot be theirs.
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS _items (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS _tables (name TEXT PRIMARY KEY COLLATE NOCASE, columns TEXT NOT NULL) WITHOUT ROWID;
"""


class StoreConflict(Exception):  # noqa: N818 - a state of things, not a mistake
    """The value is not the one that was expected; somebody else wrote it first.

    Attributes:
        key: whose value it is.
        actual: the value that is there.
    """

    def __init__(self, message: str, key: str = "", actual: Any = None) -> None:
        super().__init__(message)
        self.key = key
        self.actual = actual


class Store:
    """A small store of keys with values, and of tables, kept on disk.

    Values are what JSON can hold: None, True and False, numbers, text, lists, and dicts with text as keys; tuples come
    back as lists. When a method that writes returns, its change is on the disk, whole; when it raises, nothing changed.

    Args:
        path: the SQLite file, which is made when there is none; None takes a temporary one, deleted by `close`.

    Raises:
        FileNotFoundError: the file's folder does not exist.
        sqlite3.DatabaseError: the file is something else.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._lock = threading.Lock()
        self._temporary = tempfile.mkdtemp(prefix="pyronb-demo-") if path is None else None
        self._path = Path(self._temporary, "store.db") if self._temporary else Path(path or "").absolute()
        if not self._path.parent.is_dir():
            raise FileNotFoundError(f"cannot make {self._path.name} in {self._path.parent}: there is no such folder")
        self._connection: sqlite3.Connection | None = None
        # isolation_level=None: transactions begin where this file says so, not where sqlite3 guesses.
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    @property
    @expose
    def path(self) -> str:
        """The file, on the machine that serves the store."""
        return str(self._path)

    @property
    @expose
    def size_bytes(self) -> int:
        """Bytes on the disk, the write-ahead log included."""
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    @property
    @expose
    def count(self) -> int:
        """Number of keys; rows of tables do not count."""
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM _items").fetchone()[0])

    @expose
    def __len__(self) -> int:
        """Count the keys."""
        return self.count

    def __bool__(self) -> bool:
        """Be true even when empty."""
        return True

    @expose
    def get(self, key: str, default: Any = ...) -> Any:
        """Get the value of a key.

        Args:
            key: text of 1 to 500 characters.
            default: what to return when there is no such key; without one, that is an error.

        Returns:
            The value.

        Raises:
            KeyError: there is no such key; the text names similar ones.
        """
        check_key(key)
        with self._reading() as connection:
            value = _value(connection, key)
            if value is not None:
                return json.loads(value)
            if default is ...:
                raise KeyError(_unknown("key", key, _column(connection, "SELECT key FROM _items LIMIT ?")))
        return default

    @expose
    def put(self, key: str, value: Any) -> None:
        """Set the value of a key, new or not.

        Args:
            key: text of 1 to 500 characters.
            value: anything that JSON can hold, up to 10 million characters as JSON.

        Raises:
            ValueError: the key is no key, or the value holds something that JSON cannot; the text says where.
        """
        self.put_many({key: value})

    @expose
    def put_many(self, mapping: Mapping[str, Any]) -> int:
        """Set the values of several keys at once: all or, when anything is wrong, none.

        Args:
            mapping: values by key.

        Returns:
            The number of keys.

        Raises:
            ValueError: a key is no key, or a value holds something that JSON cannot; the text says where.
        """
        if not isinstance(mapping, Mapping):
            raise ValueError(f"put_many takes a dict, not {type(mapping).__name__}")
        rows = [(check_key(key), check_json(value)) for key, value in mapping.items()]
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO _items VALUES (?, ?)", rows)
        return len(rows)

    @expose
    def delete(self, key: str) -> None:
        """Remove a key and its value.

        Args:
            key: text of 1 to 500 characters.

        Raises:
            KeyError: there is no such key; the text names similar ones.
        """
        check_key(key)
        with self._writing() as connection:
            if not connection.execute("DELETE FROM _items WHERE key = ?", (key,)).rowcount:
                raise KeyError(_unknown("key", key, _column(connection, "SELECT key FROM _items LIMIT ?")))

    @expose
    def keys(self, prefix: str = "") -> list[str]:
        """List the keys in order.

        Args:
            prefix: only keys that begin with this text.

        Returns:
            The keys.
        """
        return [key for key, _ in self._select_items(prefix, -1, "key, NULL")]

    @expose
    def items(self, prefix: str = "", limit: int = 100) -> list[tuple[str, Any]]:
        """List keys with their values, in order of the keys.

        Args:
            prefix: only keys that begin with this text.
            limit: the most to list, 1 to 100000.

        Returns:
            Pairs of key and value.
        """
        rows = self._select_items(prefix, whole("limit", limit, 1, MAX_LIMIT), "key, value")
        return [(key, json.loads(value)) for key, value in rows]

    def _select_items(self, prefix: str, limit: int, what: str) -> list[tuple[str, str]]:
        prefix = check_key(prefix, "prefix") if prefix else ""
        # substr, because LIKE has wildcards and does not see upper and lower case; >=, because it uses the index.
        begins = "key >= :prefix AND substr(key, 1, length(:prefix)) = :prefix"
        query = f"SELECT {what} FROM _items WHERE {begins} ORDER BY key LIMIT :limit"  # noqa: S608 - constants
        with self._reading() as connection:
            return connection.execute(query, {"prefix": prefix, "limit": limit}).fetchall()

    @expose
    def increment(self, key: str, by: float = 1) -> float:
        """Add to a number, in one step that nobody can come between.

        Args:
            key: text of 1 to 500 characters; a new one counts from 0.
            by: what to add; whole numbers stay whole.

        Returns:
            The new value.

        Raises:
            ValueError: the value there is no number, or `by` is none.
        """
        check_key(key)
        if not _is_number(by):
            raise ValueError(f"by should be a number, not {by!r}")
        with self._writing() as connection:
            text = _value(connection, key)
            value = 0 if text is None else json.loads(text)
            if not _is_number(value):
                raise ValueError(f"the value of {key!r} is no number but {type(value).__name__}")
            try:
                value += by
            except OverflowError:
                raise ValueError(f"the value of {key!r} is too large to add {by!r} to it") from None
            connection.execute("INSERT OR REPLACE INTO _items VALUES (?, ?)", (key, check_json(value)))
        return value

    @expose
    def compare_and_set(self, key: str, expected: Any, value: Any) -> None:
        """Set the value of a key if it still is what the caller believes, in one step that nobody can come between.

        Args:
            key: text of 1 to 500 characters.
            expected: the value that must be there; None also stands for a key that does not exist yet. 1, 1.0 and True
                are three different values.
            value: anything that JSON can hold.

        Raises:
            StoreConflict: another value is there; its attributes `key` and `actual` tell which.
            ValueError: the key is no key, or a value holds something that JSON cannot.
        """
        check_key(key)
        wanted, new = check_json(expected, sort_keys=True), check_json(value)
        with self._writing() as connection:
            text = _value(connection, key)
            actual = None if text is None else json.loads(text)
            if check_json(actual, sort_keys=True) != wanted:
                raise StoreConflict(f"the value of {key!r} is not the expected one any more", key, actual)
            connection.execute("INSERT OR REPLACE INTO _items VALUES (?, ?)", (key, new))

    @expose
    def create_table(self, name: str, columns: Mapping[str, str]) -> None:
        """Make a table.

        Args:
            name: a letter, then up to 62 letters, digits or underscores (of ASCII), like all names here.
            columns: type by name: `text`, `integer` or `real`, each with any of `primary key`, `unique`, `not null`
                behind it, as in `{"id": "integer primary key", "volts": "real not null"}`.

        Raises:
            ValueError: a name or a type is not allowed, or there is such a table (upper or lower case do not matter).
        """
        check_name("table", name)
        parsed = parse_columns(columns)
        body = ", ".join(f'"{column}" {kind}' for column, kind in parsed.items())
        with self._writing() as connection:
            if connection.execute("SELECT 1 FROM _tables WHERE name = ?", (name,)).fetchone():
                raise ValueError(f"there is a table {name!r} already")
            connection.execute(f'CREATE TABLE "{name}" ({body})')
            connection.execute("INSERT INTO _tables VALUES (?, ?)", (name, json.dumps(parsed)))

    @expose
    def drop_table(self, name: str) -> None:
        """Remove a table with all its rows.

        Args:
            name: the table.

        Raises:
            KeyError: there is no such table; the text names similar ones.
        """
        with self._writing() as connection:
            _columns(connection, name)
            connection.execute(f'DROP TABLE "{name}"')
            connection.execute("DELETE FROM _tables WHERE name = ?", (name,))

    @expose
    def tables(self) -> dict[str, dict[str, str]]:
        """List the tables.

        Returns:
            For each table, by its name: the types of its columns, by their names.
        """
        with self._reading() as connection:
            rows = connection.execute("SELECT name, columns FROM _tables ORDER BY name").fetchall()
        return {name: json.loads(columns) for name, columns in rows}

    @expose
    def insert(self, table: str, rows: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> int:
        """Add rows to a table: all or, when anything is wrong, none.

        Args:
            table: the table.
            rows: a list of dicts, or one dict, with values by column; columns that are left out hold None.

        Returns:
            The number of rows.

        Raises:
            KeyError: there is no such table.
            ValueError: there is no such column, or a value is not of its column's type.
            sqlite3.IntegrityError: a value that must be unique is there already, or one that must not be None is.
        """
        listed = _listed(rows)
        with self._writing() as connection:
            columns = _columns(connection, table)
            checked = [check_row(row, columns, number) for number, row in enumerate(listed)]
            names = ", ".join(f'"{column}"' for column in columns)
            marks = ", ".join("?" * len(columns))
            connection.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', checked)  # noqa: S608 - checked names
        return len(checked)

    @expose
    def select(
        self, table: str, where: Mapping[str, Any] | None = None, order_by: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Find rows of a table.

        Args:
            table: the table.
            where: values by column, which must all be equal; None takes all rows.
            order_by: a column, rising; with a minus before it falling; None takes the order of insertion, or of
                an integer primary key.
            limit: the most rows, 1 to 100000.

        Returns:
            For each row, values by column.

        Raises:
            KeyError: there is no such table.
            ValueError: there is no such column, or a value is not of its column's type.
        """
        limit = whole("limit", limit, 1, MAX_LIMIT)
        with self._reading() as connection:
            columns = _columns(connection, table)
            query = f'SELECT {", ".join(map(_quoted, columns))} FROM "{table}"'  # noqa: S608 - checked names
            values: list[Any] = []
            if where:
                complete = dict(zip(columns, check_row(where, columns), strict=True))
                values = [complete[column] for column in where]
                query += " WHERE " + " AND ".join(f"{_quoted(column)} IS ?" for column in where)
            order = ""
            if order_by is not None:
                column = str(order_by).removeprefix("-")
                if column not in columns:
                    raise ValueError(f"cannot order by {order_by!r}; the columns are {', '.join(columns)}")
                order = f"{_quoted(column)} {'DESC' if column != order_by else 'ASC'}, "
            # No column of a user can be called _rowid_.
            found = connection.execute(f"{query} ORDER BY {order}_rowid_ LIMIT ?", (*values, limit)).fetchall()
        return [dict(zip(columns, row, strict=True)) for row in found]

    def close(self) -> None:
        """Close the file, and delete it if it was a temporary one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._temporary is not None:
                shutil.rmtree(self._temporary, ignore_errors=True)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                raise RuntimeError("the store is closed")
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            # At once for writing: what is read here cannot be changed by another process before it is written.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _listed(rows: object) -> list[object]:
    if isinstance(rows, Mapping):
        return [rows]
    if isinstance(rows, str) or not isinstance(rows, Iterable):
        raise ValueError(f"rows should be a list of dicts, not {type(rows).__name__}")
    return list(rows)


def _quoted(column: str) -> str:
    return f'"{column}"'


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(connection: sqlite3.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM _items WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def _column(connection: sqlite3.Connection, query: str) -> list[str]:
    return [row[0] for row in connection.execute(query, (MAX_SUGGESTED_FROM,))]


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """Give the types of a table's columns by their names; only names that are found here become SQL."""
    check_name("table", table)
    names = connection.execute("SELECT name, columns FROM _tables").fetchall()
    for name, columns in names:
        if name == table:
            found: dict[str, str] = json.loads(columns)
            return found
    raise KeyError(_unknown("table", table, [name for name, _ in names]))


def _unknown(what: str, name: str, known: list[str]) -> str:
    similar = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, similar))}?" if similar else ""
    return f"no {what} {name!r}{hint}"
