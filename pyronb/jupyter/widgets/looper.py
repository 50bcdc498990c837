"""Looper: a thread of a view, which works when there is something to do, with pauses, and ends when it is told to."""

from __future__ import annotations

import abc
import threading

__all__ = ["Looper"]


class Looper(abc.ABC):
    """Works on a thread of its own: when `_due` says so, or when as many seconds have passed as `_patience` gives.

    Args:
        name: of the thread.
        gap: least seconds between the end of one turn and the beginning of the next.
    """

    def __init__(self, name: str, gap: float) -> None:
        self._gap = gap
        self._changed = threading.Condition()
        """Held while what `_due` looks at is changed, and notified after it."""
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, at once when it waits, else after the present turn; this never waits."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while self._wait():
            self._turn()
            with self._changed:
                self._changed.wait_for(lambda: self._stopped, self._gap)

    def _wait(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._due(), self._patience())
            return not self._stopped

    @abc.abstractmethod
    def _due(self) -> bool:
        """Tell whether there is something to do."""

    @abc.abstractmethod
    def _patience(self) -> float | None:
        """Give the seconds after which there is something to do in any case; None for never."""

    @abc.abstractmethod
    def _turn(self) -> None:
        """Do it."""
