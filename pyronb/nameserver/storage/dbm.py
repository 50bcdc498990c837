"""Registrations in a dbm file, as Pyro4 keeps them: the name leads to the URI, both in UTF-8.

It is here for files that there are already. As with Pyro4, tags are not kept, and what the file survives depends on the
kind of dbm of this Python (the plainest one can lose names when it is killed while it writes): ``sql:`` is the better
choice for a new file.

The file is read once and opened for each change; what is asked for comes from memory.
"""

from __future__ import annotations

import dbm
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from pyronb.errors import NamingError, PyroError
from pyronb.nameserver.storage import Entry
from pyronb.nameserver.storage.memory import MemoryStorage
from pyronb.uri import URI

__all__ = ["DbmStorage"]

log = logging.getLogger("pyronb.nameserver")

_NO_TAGS: frozenset[str] = frozenset()
_ERRORS = (*dbm.error, ValueError, KeyError)
"""What the various kinds of dbm raise for a file that is damaged or cannot be used; `OSError` is among them."""
_OWNER_ONLY = 0o600


class DbmStorage:
    """Keeps registrations in a file; tags are not kept.

    Args:
        path: the file without the endings that some kinds of dbm add; it is made when it is not there.

    Raises:
        NamingError: the file cannot be opened, or is the file of something else.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known = MemoryStorage()
        self._closed = False
        self._with_file(self._read, "c")

    def _read(self, file: Any) -> None:
        try:
            for key in file.keys():  # noqa: SIM118 - not every kind of dbm can be iterated over
                self._known.put(key.decode(), str(URI(file[key].decode())), _NO_TAGS, replace=True)
        except (PyroError, UnicodeDecodeError) as error:
            raise NamingError(f"{self._path!r} is a dbm file, but not that of a name server: {error}") from error

    def _with_file(self, work: Callable[[Any], None], flag: str) -> None:
        """Open the file, do this with it, and close it, after which the work is kept."""
        if self._closed:
            raise NamingError(f"the name server's file {self._path!r} was closed")
        try:
            with dbm.open(self._path, flag, _OWNER_ONLY) as file:  # type: ignore[arg-type]
                work(file)
        except _ERRORS as error:
            raise NamingError(f"the name server's file {self._path!r} failed: {error}") from error

    def get(self, name: str) -> Entry | None:
        """Give a registration; None when there is none."""
        return self._known.get(name)

    def put(self, name: str, uri: str, tags: frozenset[str], *, replace: bool) -> bool:
        """Keep a registration; False when the name is taken and may not be replaced."""
        _say_no_tags(tags)
        with self._lock:
            if not replace and self._known.get(name) is not None:
                return False
            self._with_file(lambda file: file.__setitem__(name.encode(), uri.encode()), "w")
            return self._known.put(name, uri, _NO_TAGS, replace=True)

    def set_tags(self, name: str, tags: frozenset[str]) -> bool:
        """Do nothing, for tags are not kept; False when there is no such registration."""
        _say_no_tags(tags)
        return self._known.get(name) is not None

    def remove(self, names: Iterable[str]) -> int:
        """Forget registrations and tell how many there were."""
        with self._lock:
            doomed = {name for name in names if self._known.get(name) is not None}
            return self._remove(doomed)

    def remove_unchanged(self, name: str, uri: str) -> bool:
        """Forget a registration unless it leads elsewhere by now; False when nothing was forgotten."""
        with self._lock:
            entry = self._known.get(name)
            return entry is not None and entry[0] == uri and bool(self._remove({name}))

    def _remove(self, names: set[str]) -> int:
        def delete(file: Any) -> None:
            for name in names:
                del file[name.encode()]

        if names:
            self._with_file(delete, "w")
        return self._known.remove(names)

    def count(self) -> int:
        """Count the registrations."""
        return self._known.count()

    def uris(self, prefix: str = "") -> dict[str, str]:
        """Give the addresses, by name, of the registrations whose name starts with this."""
        return self._known.uris(prefix)

    def entries(self, prefix: str = "") -> dict[str, Entry]:
        """Give the registrations, by name, whose name starts with this."""
        return self._known.entries(prefix)

    def with_tags(self, tags: Iterable[str], *, every: bool) -> dict[str, Entry]:
        """Refuse: nothing would ever be found.

        Raises:
            NamingError: always, as with Pyro4.
        """
        raise NamingError("a dbm file keeps no metadata, so names cannot be found by it; use sql:FILENAME")

    def close(self) -> None:
        """Take no more changes."""
        self._closed = True
        self._known.close()


def _say_no_tags(tags: frozenset[str]) -> None:
    if tags:
        log.warning("a dbm file keeps no metadata; not kept: %s", ", ".join(sorted(tags)))
