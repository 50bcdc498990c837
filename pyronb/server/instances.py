"""Instances: which instance of a registered class serves a call. (Wire specification, section 9.3.)"""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["Instances", "Kept", "is_of_session"]


class Kept:
    """Instances by class, and the lock under which they are made: two first calls must not make two instances.

    Each session and each ``single`` class has its own, because the making of one may take long and may call others.
    """

    __slots__ = ("instances", "lock")

    def __init__(self) -> None:
        """Start without instances."""
        self.instances: dict[type, Any] = {}
        self.lock = threading.RLock()


class Instances:
    """Makes and keeps instances of registered classes, by the mode that `behavior` set for each."""

    def __init__(self) -> None:
        """Start without instances."""
        self._lock = threading.Lock()
        self._singles: dict[type, Kept] = {}

    def get(self, cls: type, session: Kept) -> Any:
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
        kept = session
        if mode == "single":
            with self._lock:
                kept = self._singles.setdefault(cls, Kept())
        with kept.lock:
            if cls not in kept.instances:
                kept.instances[cls] = _create(cls, creator)
            return kept.instances[cls]

    def made(self, cls: type, session: Kept) -> Any:
        """Give the instance for a call, if it was made already; None otherwise. See `get`."""
        mode, _ = getattr(cls, "_pyroInstancing", ("session", None))
        kept = self._singles.get(cls) if mode == "single" else session
        return None if mode == "percall" or kept is None else kept.instances.get(cls)

    def forget(self, cls: type) -> None:
        """Let go of the single instance of a class."""
        with self._lock:
            self._singles.pop(cls, None)


def is_of_session(cls: type) -> bool:
    """Tell whether each client has an instance of its own of a registered class, which may count on that."""
    return getattr(cls, "_pyroInstancing", ("session", None))[0] == "session"


def _create(cls: type, creator: Any) -> Any:
    if creator is None:
        return cls()
    instance = creator(cls)
    if not isinstance(instance, cls):
        raise TypeError(f"instance creator of {cls.__name__} gave a {type(instance).__name__}")
    return instance
