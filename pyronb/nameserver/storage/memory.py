"""Registrations in memory; they are gone with the process."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Iterable

from pyronb.nameserver.storage import Entry, beyond

__all__ = ["MemoryStorage"]

_MANY = 100
"""From so many removals on, sorting the rest out costs less than taking them out one by one."""

_NOBODY: set[str] = set()


class MemoryStorage:
    """Keeps registrations in a dict, beside it the names in order and the names of each tag."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._ordered: list[str] = []
        self._tagged: dict[str, set[str]] = {}

    def get(self, name: str) -> Entry | None:
        """Give a registration; None when there is none."""
        return self._entries.get(name)

    def put(self, name: str, uri: str, tags: frozenset[str], *, replace: bool) -> bool:
        """Keep a registration; False when the name is taken and may not be replaced."""
        with self._lock:
            old = self._entries.get(name)
            if old is None:
                insort(self._ordered, name)
            elif not replace:
                return False
            else:
                self._forget_tags(name, old[1] - tags)
            self._entries[name] = (uri, tags)
            for tag in tags:
                self._tagged.setdefault(tag, set()).add(name)
            return True

    def set_tags(self, name: str, tags: frozenset[str]) -> bool:
        """Replace the tags of a registration; False when there is none."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return False
            self._forget_tags(name, entry[1] - tags)
            self._entries[name] = (entry[0], tags)
            for tag in tags:
                self._tagged.setdefault(tag, set()).add(name)
            return True

    def remove(self, names: Iterable[str]) -> int:
        """Forget registrations and tell how many there were."""
        with self._lock:
            doomed = {name for name in names if name in self._entries}
            for name in doomed:
                self._forget_tags(name, self._entries.pop(name)[1])
            if len(doomed) > _MANY:
                self._ordered = [name for name in self._ordered if name not in doomed]
            else:
                for name in doomed:
                    del self._ordered[bisect_left(self._ordered, name)]
            return len(doomed)

    def remove_unchanged(self, name: str, uri: str) -> bool:
        """Forget a registration unless it leads elsewhere by now; False when nothing was forgotten."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is None or entry[0] != uri:
                return False
            self._forget_tags(name, self._entries.pop(name)[1])
            del self._ordered[bisect_left(self._ordered, name)]
            return True

    def _forget_tags(self, name: str, tags: Iterable[str]) -> None:
        for tag in tags:
            names = self._tagged[tag]
            names.discard(name)
            if not names:
                del self._tagged[tag]

    def count(self) -> int:
        """Count the registrations."""
        return len(self._entries)

    def uris(self, prefix: str = "") -> dict[str, str]:
        """Give the addresses, by name, of the registrations whose name starts with this."""
        with self._lock:
            if not prefix:
                return {name: entry[0] for name, entry in self._entries.items()}
            return {name: self._entries[name][0] for name in self._starting(prefix)}

    def entries(self, prefix: str = "") -> dict[str, Entry]:
        """Give the registrations, by name, whose name starts with this."""
        with self._lock:
            if not prefix:
                return dict(self._entries)
            return {name: self._entries[name] for name in self._starting(prefix)}

    def _starting(self, prefix: str) -> list[str]:
        last = beyond(prefix)
        first = bisect_left(self._ordered, prefix)
        return self._ordered[first : len(self._ordered) if last is None else bisect_left(self._ordered, last)]

    def with_tags(self, tags: Iterable[str], *, every: bool) -> dict[str, Entry]:
        """Give the registrations that have every one, or any, of these tags."""
        with self._lock:
            sets = sorted((self._tagged.get(tag, _NOBODY) for tag in set(tags)), key=len)
            if not sets:
                return dict(self._entries) if every else {}
            found = sets[0].intersection(*sets[1:]) if every else sets[0].union(*sets[1:])
            return {name: self._entries[name] for name in found}

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._ordered.clear()
            self._tagged.clear()
