"""Waiting: says in the cell that something takes its time, once it has taken longer than a moment.

The call that is waited for stays in the main thread, where it can be interrupted; what is shown comes from a thread.
"""

from __future__ import annotations

import contextvars
import threading
import time
from typing import Any

from IPython.display import display

from pyronb.jupyter.ipython.reprs import waiting_html, waiting_text

__all__ = ["Waiting"]

_BEAT = 0.5
"""Seconds between two looks at the clock that are shown."""
_JOIN = 5.0


class Waiting:
    """Shows for how long something has been waited for, while the block runs.

    Args:
        what: what is waited for.
        after: seconds that are not worth a word.
    """

    def __init__(self, what: str, after: float) -> None:
        self.what = what
        self._after = after
        self._began = 0.0
        self._handle: Any = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Waiting:
        """Begin to wait."""
        self._began = time.monotonic()
        # In the context of the cell, so that what is shown comes below it.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._watch,), name="pyronb-waiting", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *more: object) -> None:
        """Say how long it took, if anything was said before."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(_JOIN)
        if self._handle is not None:
            self._show("done" if kind is None else f"ended by {kind.__name__}")

    def _watch(self) -> None:
        if not self._over.wait(self._after):
            self._show("")
            while not self._over.wait(_BEAT):
                self._show("")

    def _show(self, end: str) -> None:
        seconds = time.monotonic() - self._began
        data = {
            "text/plain": waiting_text(self.what, seconds, end),
            "text/html": waiting_html(self.what, seconds, end),
        }
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # it has no types
        else:
            self._handle.update(data, raw=True)
