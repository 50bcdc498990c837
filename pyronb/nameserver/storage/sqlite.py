"""Registrations in a SQLite file; they outlive the process.

One connection is kept, in write-ahead mode with ``synchronous=NORMAL``: an acknowledged registration survives the end
of the process by any means, kill -9 included. (A power failure may take the last ones; the servers that were registered
went down with it.) The tables are those of real Pyro, so a file of one can be opened by the other.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pyronb.errors import NamingError
from pyronb.nameserver.storage import Entry

__all__ = ["SqliteStorage"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pyro_names (
    id integer PRIMARY KEY, name nvarchar NOT NULL UNIQUE, uri nvarchar NOT NULL);
CREATE TABLE IF NOT EXISTS pyro_metadata (
    object integer NOT NULL, metadata nvarchar NOT NULL, FOREIGN KEY(object) REFERENCES pyro_names(id));
CREATE INDEX IF NOT EXISTS pyronb_metadata_object ON pyro_metadata(object);
CREATE INDEX IF NOT EXISTS pyronb_metadata_tag ON pyro_metadata(metadata);
"""
_SELECT = "SELECT n.name, n.uri, m.metadata FROM pyro_names n LEFT JOIN pyro_metadata m ON m.object = n.id"
_LAST = "\U0010ffff"
_SURROGATES, _BEHIND_SURROGATES = 0xD800, 0xE000
"""Between these numbers there are no characters."""


class SqliteStorage:
    """Keeps registrations in a file.

    Args:
        path: the file, which is made when it is not there.

    Raises:
        NamingError: the file cannot be opened, or is no such file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._closed = False
        try:
            # The lock guards it, so threads may share it.
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        except sqlite3.Error as error:
            raise NamingError(f"cannot open the name server's file {path!r}: {error}") from error
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._database.close()
            raise NamingError(f"cannot use {path!r} as the name server's file: {error}") from error

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """Do what follows as a whole or not at all."""
        with self._lock, self._translated():
            database = self._database
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise NamingError(f"the name server's file {self._path!r} failed: {error}") from error

    def _read(self, condition: str = "", values: tuple[str, ...] = ()) -> dict[str, Entry]:
        with self._lock, self._translated():
            rows = self._database.execute(_SELECT + condition, values).fetchall()
        found: dict[str, tuple[str, set[str]]] = {}
        for name, uri, tag in rows:
            tags = found.setdefault(name, (uri, set()))[1]
            if tag is not None:
                tags.add(tag)
        return {name: (uri, frozenset(tags)) for name, (uri, tags) in found.items()}

    def get(self, name: str) -> Entry | None:
        """Give a registration; None when there is none."""
        return self._read(" WHERE n.name = ?", (name,)).get(name)

    def put(self, name: str, uri: str, tags: frozenset[str], *, replace: bool) -> bool:
        """Keep a registration; False when the name is taken and may not be replaced."""
        with self._change() as database:
            row = database.execute("SELECT id FROM pyro_names WHERE name = ?", (name,)).fetchone()
            if row is not None and not replace:
                return False
            if row is not None:
                number = row[0]
                database.execute("UPDATE pyro_names SET uri = ? WHERE id = ?", (uri, number))
            else:
                number = database.execute("INSERT INTO pyro_names(name, uri) VALUES (?, ?)", (name, uri)).lastrowid
            _replace_tags(database, number, tags)
        return True

    def set_tags(self, name: str, tags: frozenset[str]) -> bool:
        """Replace the tags of a registration; False when there is none."""
        with self._change() as database:
            row = database.execute("SELECT id FROM pyro_names WHERE name = ?", (name,)).fetchone()
            if row is None:
                return False
            _replace_tags(database, row[0], tags)
        return True

    def remove(self, names: Iterable[str]) -> int:
        """Forget registrations and tell how many there were."""
        removed = 0
        with self._change() as database:
            for name in names:
                row = database.execute("SELECT id FROM pyro_names WHERE name = ?", (name,)).fetchone()
                if row is not None:
                    database.execute("DELETE FROM pyro_metadata WHERE object = ?", row)
                    database.execute("DELETE FROM pyro_names WHERE id = ?", row)
                    removed += 1
        return removed

    def count(self) -> int:
        """Count the registrations."""
        with self._lock, self._translated():
            return int(self._database.execute("SELECT count(*) FROM pyro_names").fetchone()[0])

    def all(self) -> dict[str, Entry]:
        """Give all registrations by name."""
        return self._read()

    def with_prefix(self, prefix: str) -> dict[str, Entry]:
        """Give the registrations whose name starts with this; the index on names finds them."""
        beyond = _after(prefix)
        if beyond is None:
            return {name: entry for name, entry in self._read().items() if name.startswith(prefix)}
        return self._read(" WHERE n.name >= ? AND n.name < ?", (prefix, beyond))

    def with_tags(self, tags: Iterable[str], *, every: bool) -> dict[str, Entry]:
        """Give the registrations that have every one, or any, of these tags."""
        wanted = sorted(set(tags))
        if not wanted:
            return self._read() if every else {}
        marks = ",".join("?" * len(wanted))
        least = len(wanted) if every else 1
        # Only question marks are put into the text.
        condition = (
            f" WHERE n.id IN (SELECT object FROM pyro_metadata WHERE metadata IN ({marks})"  # noqa: S608
            f" GROUP BY object HAVING count(DISTINCT metadata) >= {least})"
        )
        return self._read(condition, tuple(wanted))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._database.close()


def _replace_tags(database: sqlite3.Connection, number: int, tags: frozenset[str]) -> None:
    database.execute("DELETE FROM pyro_metadata WHERE object = ?", (number,))
    database.executemany("INSERT INTO pyro_metadata(object, metadata) VALUES (?, ?)", [(number, tag) for tag in tags])


def _after(prefix: str) -> str | None:
    """Give the first text that sorts after all that start with this; None when there is no such text."""
    head = prefix.rstrip(_LAST)
    if not head:
        return None
    following = ord(head[-1]) + 1
    return head[:-1] + chr(_BEHIND_SURROGATES if following == _SURROGATES else following)
