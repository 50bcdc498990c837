"""Holds: what this program was given to call back, as long as it has a proxy for it.

Each proxy that arrives for something that is reached over a connection of its own program has a hold, which its copies
share. That holds come and go is noted here, and told over there by whoever can (`pyronb.server.holds`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pyronb.uri import URI

__all__ = ["ARRIVALS", "CHANGES", "Hold"]

ARRIVALS: list[Callable[[str], None]] = []
"""Who is told the key of each proxy that arrives, in the thread that reads it."""

CHANGES: deque[tuple[str, str, int]] = deque(maxlen=100_000)
"""Key, object id, and 1 for a hold that came or -1 for one that went; the oldest first."""


class Hold:
    """Stands for one arrival of a proxy."""

    __slots__ = ("_key", "_object_id")

    def __init__(self, uri: URI) -> None:
        """Note that a proxy with this URI arrived, which names a key."""
        self._key, self._object_id = str(uri.back), str(uri.object)
        CHANGES.append((self._key, self._object_id, 1))
        for tell in ARRIVALS:
            tell(self._key)

    def __del__(self) -> None:
        """Note that it went; the collector may run in any thread."""
        CHANGES.append((self._key, self._object_id, -1))
