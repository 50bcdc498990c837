"""Interrupts: the kernel's interrupt reaches a cell that awaits, and what became of the call is said in one line.

A cell that awaits runs in the kernel's event loop. The interrupt has its task cancelled from a signal handler, which
does not wake a loop that has nothing to do; so the loop is woken now and then while a cell runs.
"""

from __future__ import annotations

import asyncio

from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Wakeful", "word_of"]

TICK = 0.1
"""Seconds after which an interrupt is noticed at the latest."""


class Wakeful:
    """Keeps the loop awake while cells run in it, from `install` to `remove`."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Keep awake for this shell."""
        self._shell = shell
        self._timer: asyncio.TimerHandle | None = None

    def install(self) -> None:
        """Begin with the next cell, or with this one."""
        self._shell.events.register("pre_run_cell", self._begin)
        self._shell.events.register("post_run_cell", self._end)
        self._begin()

    def remove(self) -> None:
        """Let the loop sleep."""
        self._shell.events.unregister("pre_run_cell", self._begin)
        self._shell.events.unregister("post_run_cell", self._end)
        self._end()

    def _begin(self, *_: object) -> None:
        self._end()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # The cell runs without one, and is interrupted like any other program.
        self._timer = loop.call_later(TICK, self._begin)

    def _end(self, *_: object) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


def word_of(error: BaseException) -> str:
    """Give what is known to have become of the call that an interrupt hit; empty where it hit none."""
    word = getattr(error, "pyronb", "")
    return word if isinstance(word, str) and isinstance(error, KeyboardInterrupt | asyncio.CancelledError) else ""
