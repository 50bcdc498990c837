"""Registrations in a SQLite file; they outlive the process.

One connection is kept, in write-ahead mode with ``synchronous=NORMAL``. An acknowledged registration has left the
process, so it survives the end of the process by any means, kill -9 included. A power failure or a crash of the system
itself may take the last ones (the servers that were registered went down with it), and never damages the file.

The tables are those of real Pyro, so a file of one can be used by the other, before and after.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pyronb.errors import NamingError
from pyronb.nameserver.storage import Entry, beyond

__all__ = ["SqliteStorage"]

_NAMES = """CREATE TABLE IF NOT EXISTS pyro_names (
    id integer PRIMARY KEY, name nvarchar NOT NULL UNIQUE, uri nvarchar NOT NULL)"""
_TAGS = """CREATE TABLE IF NOT EXISTS pyro_metadata (
    object integer NOT NULL, metadata nvarchar NOT NULL, FOREIGN KEY(object) REFERENCES pyro_names(id))"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS pyronb_metadata_object ON pyro_metadata(object)",
    "CREATE INDEX IF NOT EXISTS pyronb_metadata_tag ON pyro_metadata(metadata, object)",
)
_URIS = "SELECT n.name, n.uri FROM pyro_names n"
_ENTRIES = "SELECT n.name, n.uri, m.metadata FROM pyro_names n LEFT JOIN pyro_metadata m ON m.object = n.id"


class SqliteStorage:
    """Keeps registrations in a file.

    Args:
        path: the file, which is made when it is not there.
        patience: seconds to wait for another program that is writing to the file.

    Raises:
        NamingError: the file cannot be opened, or is the file of something else; it is left as it was.
    """

    def __init__(self, path: str, *, patience: float = 10.0) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._closed = False
        try:
            # The lock guards it, so threads may share it.
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=patience)
        except sqlite3.Error as error:
            raise NamingError(f"cannot open the name server's file {path!r}: {error}") from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._database.close()
            raise NamingError(f"cannot use {path!r} as the name server's file: {error}") from error
        except NamingError:
            self._database.close()
            raise

    def _prepare(self) -> None:
        """Make the tables, unless they are there; a file that is not a name server's is left as it is."""
        tables = [row[0] for row in self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        names, tags = self._columns("pyro_names"), self._columns("pyro_metadata")
        fits = {"name", "uri"} <= names and tags in (set(), {"object", "metadata"})
        if tables and not fits:
            raise NamingError(f"{self._path!r} is a database, but not that of a name server; it was left alone")
        # Before Pyro knew metadata, names had no numbers.
        old = bool(names) and "id" not in names
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        with self._change() as database:
            if old:
                database.execute("ALTER TABLE pyro_names RENAME TO pyro_names_old")
            for statement in (_NAMES, _TAGS, *_INDEXES):
                database.execute(statement)
            if old:
                database.execute("INSERT INTO pyro_names(name, uri) SELECT name, uri FROM pyro_names_old")
                database.execute("DROP TABLE pyro_names_old")

    def _columns(self, table: str) -> set[str]:
        return {row[1] for row in self._database.execute(f"PRAGMA table_info({table})")}

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """Do what follows as a whole or not at all."""
        with self._lock, self._translated():
            database = self._database
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                # After some failures, a full disk among them, it has been rolled back already.
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise NamingError(f"the name server's file {self._path!r} failed: {error}") from error

    def _select(self, statement: str, values: Iterable[str | int] = ()) -> list[Any]:
        with self._lock, self._translated():
            return self._database.execute(statement, tuple(values)).fetchall()

    def get(self, name: str) -> Entry | None:
        """Give a registration; None when there is none."""
        return _by_name(self._select(f"{_ENTRIES} WHERE n.name = ?", (name,))).get(name)

    def put(self, name: str, uri: str, tags: frozenset[str], *, replace: bool) -> bool:
        """Keep a registration; False when the name is taken and may not be replaced."""
        with self._change() as database:
            number = _number(database, name)
            if number is None:
                number = database.execute("INSERT INTO pyro_names(name, uri) VALUES (?, ?)", (name, uri)).lastrowid
            elif not replace:
                return False
            else:
                database.execute("UPDATE pyro_names SET uri = ? WHERE id = ?", (uri, number))
                _forget_tags(database, number)
            _add_tags(database, number, tags)
        return True

    def set_tags(self, name: str, tags: frozenset[str]) -> bool:
        """Replace the tags of a registration; False when there is none."""
        with self._change() as database:
            number = _number(database, name)
            if number is None:
                return False
            _forget_tags(database, number)
            _add_tags(database, number, tags)
        return True

    def remove(self, names: Iterable[str]) -> int:
        """Forget registrations and tell how many there were."""
        removed = 0
        with self._change() as database:
            for name in names:
                number = _number(database, name)
                if number is not None:
                    _forget(database, number)
                    removed += 1
        return removed

    def remove_unchanged(self, name: str, uri: str) -> bool:
        """Forget a registration unless it leads elsewhere by now; False when nothing was forgotten."""
        with self._change() as database:
            row = database.execute("SELECT id FROM pyro_names WHERE name = ? AND uri = ?", (name, uri)).fetchone()
            if row is None:
                return False
            _forget(database, row[0])
        return True

    def count(self) -> int:
        """Count the registrations."""
        return int(self._select("SELECT count(*) FROM pyro_names")[0][0])

    def uris(self, prefix: str = "") -> dict[str, str]:
        """Give the addresses, by name, of the registrations whose name starts with this."""
        condition, values = _range(prefix)
        return dict(self._select(_URIS + condition, values))

    def entries(self, prefix: str = "") -> dict[str, Entry]:
        """Give the registrations, by name, whose name starts with this."""
        condition, values = _range(prefix)
        return _by_name(self._select(_ENTRIES + condition, values))

    def with_tags(self, tags: Iterable[str], *, every: bool) -> dict[str, Entry]:
        """Give the registrations that have every one, or any, of these tags."""
        wanted = sorted(set(tags))
        if not wanted:
            return self.entries() if every else {}
        if not every:
            marks = ",".join("?" * len(wanted))
            condition = f" WHERE n.id IN (SELECT object FROM pyro_metadata WHERE metadata IN ({marks}))"  # noqa: S608
            return _by_name(self._select(_ENTRIES + condition, wanted))
        # From the rarest tag on, fewest names have to be looked at.
        wanted.sort(key=lambda tag: self._select("SELECT count(*) FROM pyro_metadata WHERE metadata = ?", (tag,)))
        condition = " WHERE n.id IN (SELECT object FROM pyro_metadata WHERE metadata = ?)"
        also = " AND EXISTS (SELECT 1 FROM pyro_metadata WHERE metadata = ? AND object = n.id)"
        return _by_name(self._select(_ENTRIES + condition + also * (len(wanted) - 1), wanted))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._database.close()


def _number(database: sqlite3.Connection, name: str) -> int | None:
    row = database.execute("SELECT id FROM pyro_names WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


def _forget(database: sqlite3.Connection, number: int) -> None:
    _forget_tags(database, number)
    database.execute("DELETE FROM pyro_names WHERE id = ?", (number,))


def _forget_tags(database: sqlite3.Connection, number: int) -> None:
    database.execute("DELETE FROM pyro_metadata WHERE object = ?", (number,))


def _add_tags(database: sqlite3.Connection, number: int | None, tags: frozenset[str]) -> None:
    database.executemany("INSERT INTO pyro_metadata(object, metadata) VALUES (?, ?)", [(number, tag) for tag in tags])


def _range(prefix: str) -> tuple[str, tuple[str, ...]]:
    """Give the condition, with its values, for names that start with this; the index on names finds them."""
    if not prefix:
        return "", ()
    last = beyond(prefix)
    return (" WHERE n.name >= ?", (prefix,)) if last is None else (" WHERE n.name >= ? AND n.name < ?", (prefix, last))


def _by_name(rows: Iterable[tuple[str, ...]]) -> dict[str, Entry]:
    """Put the tags of each name together; there is one row for each tag, and one for a name without any."""
    found: dict[str, tuple[str, list[str]]] = {}
    for name, uri, tag in rows:
        entry = found.get(name)
        if entry is None:
            entry = found[name] = (uri, [])
        if tag is not None:
            entry[1].append(tag)
    return {name: (uri, frozenset(tags)) for name, (uri, tags) in found.items()}
