"""Registrations in memory; they are gone with the process."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from pyronb.nameserver.storage import Entry

__all__ = ["MemoryStorage"]


class MemoryStorage:
    """Keeps registrations in a dict."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}

    def get(self, name: str) -> Entry | None:
        """Give a registration; None when there is none."""
        return self._entries.get(name)

    def put(self, name: str, uri: str, tags: frozenset[str], *, replace: bool) -> bool:
        """Keep a registration; False when the name is taken and may not be replaced."""
        with self._lock:
            if not replace and name in self._entries:
                return False
            self._entries[name] = (uri, tags)
            return True

    def set_tags(self, name: str, tags: frozenset[str]) -> bool:
        """Replace the tags of a registration; False when there is none."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is None:
                return False
            self._entries[name] = (entry[0], tags)
            return True

    def remove(self, names: Iterable[str]) -> int:
        """Forget registrations and tell how many there were."""
        with self._lock:
            return sum(self._entries.pop(name, None) is not None for name in names)

    def count(self) -> int:
        """Count the registrations."""
        return len(self._entries)

    def all(self) -> dict[str, Entry]:
        """Give all registrations by name."""
        with self._lock:
            return dict(self._entries)

    def with_prefix(self, prefix: str) -> dict[str, Entry]:
        """Give the registrations whose name starts with this."""
        return {name: entry for name, entry in self.all().items() if name.startswith(prefix)}

    def with_tags(self, tags: Iterable[str], *, every: bool) -> dict[str, Entry]:
        """Give the registrations that have every one, or any, of these tags."""
        wanted = frozenset(tags)
        if every:
            return {name: entry for name, entry in self.all().items() if wanted <= entry[1]}
        return {name: entry for name, entry in self.all().items() if wanted & entry[1]}

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
