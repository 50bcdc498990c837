"""Holds: tells programs that what they gave is not held here any more, so that they can let go of it too.

Daemons look now and then whether there is anything to tell (`tell`); one thread tells it, over a connection that the
other program made, and ends. What cannot be told is forgotten: that program is gone.
"""

from __future__ import annotations

import logging
import os
import threading

from pyronb.client.holds import ARRIVALS, CHANGES
from pyronb.errors import PyroError
from pyronb.net.back import expect, is_kept, is_own
from pyronb.options import ClientOptions
from pyronb.rpc.call import DAEMON_ID
from pyronb.sync.proxy import Proxy
from pyronb.uri import back_location

__all__ = ["tell"]

log = logging.getLogger("pyronb.server")

_LIMIT = 5.0
"""Seconds that telling one program may take."""
_MOST = 1000
"""Most objects that one program is told of at a time."""


class _Ledger:
    """What is held in this program. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # How many holds there are, and how many came in all, by key and object.
        self._held: dict[tuple[str, str], list[int]] = {}
        self._due: dict[str, dict[str, int]] = {}
        self._telling = False

    def tell(self) -> None:
        if not CHANGES:
            return
        with self._lock:
            while CHANGES:
                self._note(*CHANGES.popleft())
            if not self._due or self._telling:
                return
            self._telling = True
        threading.Thread(target=self._tell, name="pyronb-holds", daemon=True).start()

    def _note(self, key: str, object_id: str, change: int) -> None:
        if is_own(key) and not is_kept(key):
            return  # it came back to where it was given out
        count = self._held.setdefault((key, object_id), [0, 0])
        count[0] += change
        count[1] += change > 0
        if count[0] <= 0:
            del self._held[key, object_id]
            due = self._due.setdefault(key, {})
            if len(due) < _MOST:
                due[object_id] = due.get(object_id, 0) + count[1]

    def _tell(self) -> None:
        options = ClientOptions(timeout=_LIMIT, connect_timeout=_LIMIT)
        while True:
            with self._lock:
                if not self._due:
                    self._telling = False
                    return
                key, gone = self._due.popitem()
            try:
                with Proxy(f"PYRO:{DAEMON_ID}@{back_location(key)}", options=options) as office:
                    office.forget(gone)
            except (PyroError, OSError, AttributeError) as error:
                log.debug("a program was not told what is not held any more: %s", error)


_ledger = _Ledger()
ARRIVALS.append(expect)


def tell() -> None:
    """Have told what is not held any more, if there is anything; this does not wait."""
    _ledger.tell()


def _start_anew() -> None:
    """Forget all in the child of a fork: a lock may be held."""
    _ledger.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
