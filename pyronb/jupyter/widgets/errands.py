"""Errands: what a view asks a remote object, on one thread and one connection of its own."""

from __future__ import annotations

import contextlib
import copy
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from pyronb.sync.proxy import Proxy

__all__ = ["Errand", "Errands"]

CONNECT_TIMEOUT = 5.0
"""Most seconds for connecting; a view that is closed has no more patience than that."""
_log = logging.getLogger(__name__)

Errand = Callable[[Proxy], "float | None"]
"""Asks the object, and gives the seconds after which to ask again; None for never."""


class Errands:
    """Does one thing after the other with a connection that nobody else uses.

    Args:
        proxy: which object; it is copied, and nothing is sent.
        timeout: most seconds that a call may take; None for as long as it may with the proxy.

    Raises:
        PyroError: the proxy is on a given socket, and there can be no second connection.
    """

    def __init__(self, proxy: Proxy, timeout: float | None = None) -> None:
        self.proxy = copy.copy(proxy)
        link = self.proxy._pyro
        limits = [limit for limit in (link.options.connect_timeout, CONNECT_TIMEOUT) if limit]
        link.options = replace(link.options, connect_timeout=min(limits))
        if timeout is not None:
            self.proxy._pyroTimeout = min(timeout, self.proxy._pyroTimeout or timeout)
        # What was given up must not be done once more.
        self.proxy._pyroMaxRetries = 0
        self._changed = threading.Condition(threading.RLock())
        self._due: list[tuple[float, Errand]] = []
        self._started = False
        self._stopped = False

    def do(self, errand: Errand) -> None:
        """Have this done, after what is to be done already; does not wait for it."""
        with self._changed:
            if self._stopped:
                return
            self._due.append((time.monotonic(), errand))
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="pyronb-errands", daemon=True).start()
            self._changed.notify_all()

    def do_now(self, errand: Errand) -> None:
        """Have this done now, and not once more at the time when it was to be done again."""
        with self._changed:
            self._due = [entry for entry in self._due if entry[1] != errand]
            self.do(errand)

    def give_up(self) -> None:
        """Have a call that is on its way fail at once; over there it may go on."""
        stream = self.proxy._pyroConnection
        if stream is not None:
            stream.shutdown()

    def stop(self) -> None:
        """End the thread and its connection; this never waits."""
        with self._changed:
            self._stopped = True
            self._due.clear()
            self._changed.notify_all()
        self.give_up()

    def _run(self) -> None:
        while (errand := self._next()) is not None:
            try:
                again = errand(self.proxy)
            except Exception:
                again = None
                _log.debug("an errand of a view failed", exc_info=True)
            if again is not None:
                with self._changed:
                    # It may have been asked for anew meanwhile.
                    if not any(entry[1] == errand for entry in self._due):
                        self._due.append((time.monotonic() + again, errand))
            # Not to be kept alive while waiting.
            del errand
        with contextlib.suppress(Exception):
            self.proxy._pyroRelease()

    def _next(self) -> Errand | None:
        """Wait for what is due next; None when it is over."""
        with self._changed:
            while not self._stopped:
                first = min(self._due, key=lambda entry: entry[0], default=None)
                rest = None if first is None else first[0] - time.monotonic()
                if first is not None and rest is not None and rest <= 0:
                    self._due.remove(first)
                    return first[1]
                self._changed.wait(rest)
            return None
