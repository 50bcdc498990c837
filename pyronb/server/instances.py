"""Instances: which instance of a registered class serves a call. (Wire specification, section 9.3.)"""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["Instances"]


class Instances:
    """Makes and keeps instances of registered classes, by the mode that `behavior` set for each."""

    def __init__(self) -> None:
        """Start without instances."""
        self._lock = threading.RLock()
        self._singles: dict[type, Any] = {}

    def get(self, cls: type, session: dict[type, Any]) -> Any:
        """Give the instance for a call.

        Args:
            cls: the registered class.
            session: the instances of the client's connection.

        Raises:
            TypeError: the instance creator gave something else than an instance of the class.
        """
        mode, creator = getattr(cls, "_pyroInstancing", ("session", None))
        if mode == "percall":
            return _create(cls, creator)
        kept = self._singles if mode == "single" else session
        # Two first calls must not make two instances.
        with self._lock:
            if cls not in kept:
                kept[cls] = _create(cls, creator)
            return kept[cls]

    def forget(self, cls: type) -> None:
        """Let go of the single instance of a class."""
        with self._lock:
            self._singles.pop(cls, None)


def _create(cls: type, creator: Any) -> Any:
    if creator is None:
        return cls()
    instance = creator(cls)
    if not isinstance(instance, cls):
        raise TypeError(f"instance creator of {cls.__name__} gave a {type(instance).__name__}")
    return instance
