"""News of calls in cells: how far they are and what they print over there, shown in the cell that waits for them."""

from __future__ import annotations

import time
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from pyronb.client.hearing import show
from pyronb.context import ambient
from pyronb.jupyter.ipython.waiting import MOMENT, Waited, place_of_cell, settle_cell
from pyronb.news import News, Progress
from pyronb.rpc.call import BATCH_METHOD, Call

__all__ = ["CellNews"]


class CellNews:
    """Listens to the calls that cells make, from `install` to `remove`."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Listen for this shell."""
        self._shell = shell
        self._before: Any = None

    def install(self) -> None:
        """Begin to listen to the calls of this thread, which is the one that runs cells."""
        context = ambient()
        self._before = context.listener
        context.listener = self
        self._shell.events.register("post_run_cell", self._settle)

    def remove(self) -> None:
        """Listen no more."""
        context, before = ambient(), self._before
        if context.listener is self:
            context.listener = before
        self._shell.events.unregister("post_run_cell", self._settle)

    def attend(self, call: Call) -> _CallNews:
        """Give the listener for one call."""
        return _CallNews(call)

    def __call__(self, news: News) -> None:
        """Hear of a call in the background: its future knows how far it is, and what it prints is shown here."""
        show(news)

    def _settle(self, *_: object) -> None:
        """Have a cell that ends show the last state of what it waited for."""
        settle_cell()


class _CallNews:
    """Listens to one call."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._waited: Waited | None = None

    def __call__(self, news: News) -> None:
        if isinstance(news, Progress):
            if self._waited is None:
                self._waited = Waited(_words(self._call), place_of_cell(), MOMENT, time.monotonic() - news.seconds)
            self._waited.tell(news)
        else:
            show(news)

    def over(self) -> None:
        if self._waited is not None:
            told = self._waited.progress
            self._waited.finish("done" if told is not None and told.fraction == 1 else "over")


def _words(call: Call) -> str:
    if call.method == BATCH_METHOD:
        return f"batch of {len(call.args)} calls"
    return f"{call.object_id}.{call.method}()" if call.object_id else f"{call.method}()"
