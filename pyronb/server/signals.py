"""What SIGTERM does to a program that serves: it ends gracefully, and at once when told twice."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any, Protocol

__all__ = ["Drainable", "stopping_on_signals"]


class Drainable(Protocol):
    """What can end gracefully, as a daemon."""

    def drain(self, timeout: float) -> None:
        """End within so many seconds."""


@contextlib.contextmanager
def stopping_on_signals(daemon: Drainable, timeout: float = 10.0) -> Iterator[None]:
    """Have SIGTERM end a daemon's loop gracefully, as long as the block runs in the main thread.

    A second SIGTERM ends the program at once, by `SystemExit` with the status that shells give to a process that the
    signal ended. Afterwards signals are handled as they were before. In other threads, where signals cannot be handled,
    nothing changes.

    Args:
        daemon: what is to be ended.
        timeout: seconds that calls which run at that moment have to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told: list[int] = []

    def end(number: int, frame: Any) -> None:
        del frame
        told.append(number)
        if len(told) == 1:
            daemon.drain(timeout)
        else:
            daemon.drain(0)
            raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
        if len(told) > 1:
            # It hit a call that ran in this thread, whose caller has been told.
            raise SystemExit(128 + told[0])
    finally:
        # None stands for a handler that was not set from Python, and cannot be set from there either.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
