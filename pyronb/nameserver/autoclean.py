"""AutoCleaner: forgets names whose objects have not been reachable for a while. (Wire specification, section 21.)

It works in a thread of its own, so that serving never waits for it. As with Pyro, reachable means that somebody takes
connections at the address, seen from the name server; and the names of the daemon's own objects stay.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from pyronb.errors import NamingError, PyroError
from pyronb.nameserver.storage import Storage
from pyronb.net.probe import answering
from pyronb.rpc.call import DAEMON_ID, NAMESERVER_ID
from pyronb.uri import URI

__all__ = ["AutoCleaner"]

log = logging.getLogger("pyronb.nameserver")

_UNREACHABLE = 20.0
"""Seconds that an object has to be unreachable before its name is forgotten."""
_PATIENCE = 5.0
"""Seconds that a connection may take."""
_JOIN = 2.0
"""Seconds that the thread has to end."""

Probe = Callable[[Iterable[URI], float, Callable[[], bool]], "set[str]"]


class AutoCleaner:
    """Looks at all registered addresses again and again.

    Args:
        storage: the registrations.
        period: seconds between two looks.
        patience: seconds that a connection may take; None for the usual.
        probe: finds out at which places anybody answers, within so many seconds for each, unless it is stopped.
        forgot: is told each name that was forgotten.
        clock: gives seconds.
    """

    def __init__(
        self,
        storage: Storage,
        period: float,
        patience: float | None = None,
        *,
        probe: Probe = answering,
        forgot: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._period = period
        self._patience = patience or _PATIENCE
        self._probe = probe
        self._forgot = forgot
        self._clock = clock
        self._since: dict[tuple[str, str], float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pyronb-autoclean", daemon=True)

    def start(self) -> None:
        """Begin, with a pause."""
        self._thread.start()

    def stop(self) -> None:
        """End; a look-up of host names that is under way ends by itself later, and changes nothing any more."""
        self._stopped.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_JOIN)

    def _run(self) -> None:
        while not self._stopped.wait(self._period):
            try:
                self.clean()
            except NamingError as error:
                log.warning("cannot clean up names: %s", error)
            except Exception:
                log.exception("cleaning up names failed")

    def clean(self) -> list[str]:
        """Look once, and give the names that were forgotten."""
        registered = self._direct()
        places = {str(place.location): place for place in registered.values()}
        answer = self._probe(places.values(), self._patience, self._stopped.is_set)
        now, since, forgotten = self._clock(), {}, []
        for (name, uri), place in registered.items():
            if self._stopped.is_set():
                break
            if str(place.location) in answer:
                continue
            first = self._since.get((name, uri), now)
            if now - first < _UNREACHABLE:
                since[name, uri] = first
            elif self._storage.remove_unchanged(name, uri):
                log.info("forgot %r: nobody has answered at %s for %.0f seconds", name, place.location, now - first)
                forgotten.append(name)
                self._forgot(name)
        self._since = since
        return forgotten

    def _direct(self) -> dict[tuple[str, str], URI]:
        """Give the registrations with a place; others lead on to further names."""
        found = {}
        for name, uri in self._storage.uris().items():
            try:
                place = URI(uri)
            except PyroError:
                continue  # written by somebody else
            if place.protocol == "PYRO" and name not in (NAMESERVER_ID, DAEMON_ID):
                found[name, uri] = place
        return found
