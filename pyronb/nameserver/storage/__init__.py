"""Where a name server keeps its registrations.

A storage is a plain thing: it keeps (uri, tags) by name, is safe for threads, and does each change as a whole or not at
all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

__all__ = ["Entry", "Storage"]

Entry = tuple[str, frozenset[str]]
"""A registration: its URI as text, and its tags."""


class Storage(Protocol):
    """Keeps registrations."""

    def get(self, name: str) -> Entry | None:
        """Give a registration; None when there is none."""

    def put(self, name: str, uri: str, tags: frozenset[str], *, replace: bool) -> bool:
        """Keep a registration; gives False, and changes nothing, when the name is taken and may not be replaced."""

    def set_tags(self, name: str, tags: frozenset[str]) -> bool:
        """Replace the tags of a registration; gives False when there is none."""

    def remove(self, names: Iterable[str]) -> int:
        """Forget registrations and tell how many there were."""

    def count(self) -> int:
        """Count the registrations."""

    def all(self) -> dict[str, Entry]:
        """Give all registrations by name."""

    def with_prefix(self, prefix: str) -> dict[str, Entry]:
        """Give the registrations whose name starts with this."""

    def with_tags(self, tags: Iterable[str], *, every: bool) -> dict[str, Entry]:
        """Give the registrations that have every one, or any, of these tags."""

    def close(self) -> None:
        """Give everything back; closing again does nothing."""
