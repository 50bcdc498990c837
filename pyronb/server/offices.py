"""Offices: the daemons on which a program lets others call what it gave to calls as arguments.

One listens nowhere: it serves over connections that this program makes to pyronb peers (`pyronb.net.back`). Others, for
real Pyro peers, listen at one of the program's addresses each. They count calls, and run what is called in the context
in which it was given.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyronb.client.functions import FUNCTIONS
from pyronb.client.link import Link
from pyronb.errors import DaemonError
from pyronb.options import DaemonOptions
from pyronb.server.contexts import present_context
from pyronb.server.givenout import DIRECT, OWN_CONNECTION, Entry, GivenOut, key_of, name_of, same, weak_reference
from pyronb.server.officedaemon import OfficeDaemon
from pyronb.server.waysback import WayBack, place_of
from pyronb.sync.proxy import Proxy

__all__ = ["Office"]

log = logging.getLogger("pyronb.server")

_LATELY = 0.5
"""Seconds that a connection is kept after an iterator was lent, for the next one."""


class Office:
    """One daemon for what this program lets others call: at one of its addresses, or over its own connections."""

    def __init__(self, host: str | None, over: Callable[[Office], bool], options: DaemonOptions) -> None:
        """Start it, listening nowhere without a host; its thread asks `over` whether it may end with nothing left."""
        self.host = host
        self._daemon = OfficeDaemon(host, options)
        self._over = over
        self._lock = threading.Lock()
        self._entries: dict[Any, Entry] = {}
        self._ways: dict[Any, WayBack] = {}
        # Where from iterators that are lent are asked for their items; and until when it is worth having connections to
        # places where they were.
        self._lent: dict[object, str] = {}
        self._lately: dict[str, float] = {}
        # The collector leaves notes here, at any moment and in any thread.
        self._gone: deque[Entry] = deque()
        threading.Thread(target=self._serve, name="pyronb-callbacks", daemon=True).start()

    def _serve(self) -> None:
        with self._daemon:
            while True:
                self._daemon.requestLoop(self._wanted)
                if self._over(self):
                    return

    def _wanted(self) -> bool:
        with self._lock:
            self._bury()
            now = time.monotonic()
            self._lately = {place: until for place, until in self._lately.items() if until > now}
            needed = {place for entry in self._entries.values() for place in entry.to}
            needed.update(self._lent.values(), self._lately)
            for key in [key for key, way in self._ways.items() if way.place not in needed]:
                self._ways.pop(key).end()
            return bool(self._entries or self._lent or self._lately)

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return not self._wanted()

    def proxy_for(self, thing: Any, link: Link) -> tuple[Proxy, WayBack | None]:
        """Give the proxy for a function or an object, which can be called from then on, and the way on which it is."""
        with self._lock:
            self._bury()
            way = None if self.host is not None else self._way_from(link)
            key = key_of(thing)
            entry = self._entries.get(key)
            if entry is None or not same(entry.reference(), thing):
                entry = self._entries[key] = self._admit(thing)
            if way is not None:
                entry.hold(way, thing)
            entry.context = present_context()
            place = place_of(link)
            entry.to.pop(place, None)
            entry.to[place] = None
            return self._daemon.proxy_at(entry.object_id, way), way

    def lend(self, iterator: Iterator[Any], link: Link) -> tuple[Proxy, WayBack, Callable[[], None]]:
        """Give what stands for an iterator, the way on which it can be asked for items, and what takes it back."""
        key = object()
        with self._lock:
            way = self._way_from(link)
            proxy, close = self._daemon.lend(iterator, way)
            self._lent[key] = place_of(link)

        def take_back() -> None:
            close()
            with self._lock:
                place = self._lent.pop(key, None)
                if place is not None:
                    self._lately[place] = time.monotonic() + _LATELY

        return proxy, way, take_back

    def _way_from(self, link: Link) -> WayBack:
        key = place_of(link), link.options.tls
        way = self._ways.get(key)
        if way is None:
            way = self._ways[key] = WayBack(self._daemon, link)
        return way

    def _admit(self, thing: Any) -> Entry:
        # The note is left with the entry, which is not known yet when the reference is made.
        notes: list[Entry] = []

        def leave_note(_: Any) -> None:
            self._gone.extend(notes)

        reference = weak_reference(thing, leave_note)
        if isinstance(thing, FUNCTIONS):
            uri = self._daemon.register_function(reference, notes)
        else:
            uri = self._daemon.register(thing, force=True, weak=True)
        entry = Entry(str(uri.object), reference, name_of(thing))
        notes.append(entry)
        self._daemon.entries[entry.object_id] = entry
        return entry

    def _bury(self) -> None:
        """Let go of what the collector has taken; the lock is held."""
        self._gone.extend(entry for entry in self._entries.values() if entry.over)
        while self._gone:
            gone = self._gone.popleft()
            self._drop(gone)
            for key in [key for key, entry in self._entries.items() if entry is gone]:
                del self._entries[key]

    def _drop(self, entry: Entry) -> None:
        self._daemon.entries.pop(entry.object_id, None)
        try:
            self._daemon.unregister(entry.object_id)
        except DaemonError:
            log.debug("%s was unregistered already", entry.object_id)

    def withdraw(self, thing: Any) -> bool:
        """Let go of a function or an object; tell whether it was there."""
        with self._lock:
            self._bury()
            entry = self._entries.pop(key_of(thing), None)
            if entry is None:
                return False
            self._drop(entry)
            return True

    @property
    def entries(self) -> Mapping[str, Entry]:
        """What there is, by the ids under which others call it."""
        return self._daemon.entries

    def given_out(self) -> list[GivenOut]:
        """Tell what there is."""
        way = OWN_CONNECTION if self.host is None else DIRECT
        with self._lock:
            self._bury()
            return [entry.told(way) for entry in self._entries.values()]
