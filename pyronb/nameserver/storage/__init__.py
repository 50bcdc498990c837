"""Where a name server keeps its registrations.

A storage is a plain thing: it keeps (uri, tags) by name, is safe for threads, and does each change as a whole or not at
all. Prefixes and tags are indexed, so what is asked for costs by what is found and not by what there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

__all__ = ["Entry", "Storage", "beyond"]

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

    def remove_unchanged(self, name: str, uri: str) -> bool:
        """Forget a registration unless it leads elsewhere by now; gives False when nothing was forgotten."""

    def count(self) -> int:
        """Count the registrations."""

    def uris(self, prefix: str = "") -> dict[str, str]:
        """Give the addresses, by name, of the registrations whose name starts with this."""

    def entries(self, prefix: str = "") -> dict[str, Entry]:
        """Give the registrations, by name, whose name starts with this."""

    def with_tags(self, tags: Iterable[str], *, every: bool) -> dict[str, Entry]:
        """Give the registrations that have every one, or any, of these tags."""

    def close(self) -> None:
        """Give everything back; closing again does nothing."""


_LAST = "\U0010ffff"
_SURROGATES, _BEHIND_SURROGATES = 0xD800, 0xE000
"""Between these numbers there are no characters."""


def beyond(prefix: str) -> str | None:
    """Give the first text that sorts after all that start with this; None when there is no such text.

    The texts with a prefix are so a range, which an ordered index finds.
    """
    head = prefix.rstrip(_LAST)
    if not head:
        return None
    following = ord(head[-1]) + 1
    return head[:-1] + chr(_BEHIND_SURROGATES if following == _SURROGATES else following)
