"""Wakeup: lets other threads wake a selector."""

from __future__ import annotations

import contextlib
import socket

__all__ = ["Wakeup"]


class Wakeup:
    """A pair of sockets: `wake` makes the one that the selector watches readable."""

    def __init__(self) -> None:
        """Make the pair."""
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def fileno(self) -> int:
        """Give the descriptor that a selector should watch."""
        return self._ours.fileno()

    def wake(self) -> None:
        """Wake the selector; safe from any thread and any signal handler, and after `close`."""
        # When the buffer is full the selector will wake up anyhow.
        with contextlib.suppress(OSError):
            self._theirs.send(b"!")

    def drain(self) -> None:
        """Take in what `wake` sent."""
        with contextlib.suppress(OSError):
            while self._ours.recv(4096):
                pass

    def close(self) -> None:
        """Close the pair."""
        self._ours.close()
        self._theirs.close()
