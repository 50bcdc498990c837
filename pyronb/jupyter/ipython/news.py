"""News of calls in cells: how far they are and what they print over there, shown in the cell that made them."""

from __future__ import annotations

import contextvars
import re
import sys
import threading
import time
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from pyronb.context import ambient
from pyronb.jupyter.ipython.style import clean, shorten
from pyronb.jupyter.ipython.waiting import MOMENT, Waited, place_of_cell, settle_cell
from pyronb.news import News, Output, Progress
from pyronb.rpc.call import Call
from pyronb.serializers.base import BATCH_METHOD

__all__ = ["CellNews"]

_WHO = 40
"""Most characters of the name before what an object prints."""


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
        """Hear of a call of which nobody knows which it is."""
        if isinstance(news, Output):
            _Writer("remote").write(news)

    def _settle(self, *_: object) -> None:
        """Have a cell that ends show the last state of what it waited for."""
        settle_cell()


class _CallNews:
    """Listens to one call, and shows what it tells in the cell that made it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._waited: Waited | None = None
        self._writer: _Writer | None = None
        # A call in the background is heard of in another thread, which belongs to no cell.
        self._cell = contextvars.copy_context()
        self._thread = threading.get_ident()

    def __call__(self, news: News) -> None:
        here = threading.get_ident() == self._thread
        if isinstance(news, Output):
            (self._write if here else self._write_elsewhere)(news)
        elif here:
            # The future of a call in the background knows by itself how far it is.
            self._tell(news)

    def _tell(self, progress: Progress) -> None:
        if self._waited is None:
            began = time.monotonic() - progress.seconds
            self._waited = Waited(_words(self._call), place_of_cell(), MOMENT, began)
        self._waited.tell(progress)

    def _write(self, output: Output) -> None:
        if self._writer is None:
            self._writer = _Writer(shorten(self._call.object_id or "remote", _WHO))
        self._writer.write(output)

    def _write_elsewhere(self, output: Output) -> None:
        self._cell.run(self._write, output)

    def over(self) -> None:
        """Take note that the call is over."""
        if self._waited is not None:
            told = self._waited.progress
            self._waited.finish("done" if told is not None and told.fraction == 1 else "over")
        if self._writer is not None:
            self._writer.finish()


class _Writer:
    """Writes what was printed over there, each line marked with who printed it; logs go where errors go."""

    def __init__(self, who: str) -> None:
        self._mark = f"{who}| "
        self._open: dict[str, bool] = {}
        """Whether the last line of a stream goes on."""

    def write(self, output: Output) -> None:
        """Write it to the stream that it was written to; nothing of it is obeyed."""
        name = "stdout" if output.stream == "stdout" else "stderr"
        goes_on = self._open.get(name, False)
        pieces = re.split(r"(\r\n|\r|\n)", output.text)
        written = []
        # Lines and their ends take turns; behind the last end there is a line that has not begun.
        for line, end in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
            if line or end:
                written.append(f"{'' if goes_on else self._mark}{clean(line)}{end and chr(10)}")
                goes_on = not end
        self._open[name] = goes_on
        _stream(name).write("".join(written))
        _stream(name).flush()

    def finish(self) -> None:
        """End lines that go on."""
        for name, goes_on in self._open.items():
            if goes_on:
                _stream(name).write("\n")
        self._open.clear()


def _stream(name: str) -> Any:
    return sys.stdout if name == "stdout" else sys.stderr


def _words(call: Call) -> str:
    if call.method == BATCH_METHOD:
        return f"batch of {len(call.args)} calls"
    return f"{call.object_id}.{call.method}()" if call.object_id else f"{call.method}()"
