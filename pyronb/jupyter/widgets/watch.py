"""Watch: asks a name server again and again, on one thread that ends with whoever it works for.

No widget is known here; whoever is interested is called on the watch's thread, and only held weakly.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable

from pyronb.jupyter.ipython.completion import known_names
from pyronb.jupyter.models import NamesModel, ObjectModel
from pyronb.jupyter.runtime import read_names, read_object
from pyronb.jupyter.widgets.looper import Looper

__all__ = ["MAX_DELAY", "MIN_GAP", "Watch"]

MIN_GAP = 0.05
"""Least seconds between two looks, which also limits how often a view changes."""
MAX_DELAY = 60.0
"""Most seconds between two looks at a name server that does not answer."""
_TIMEOUT = 2.0
"""Seconds that a question may take."""
_log = logging.getLogger(__name__)
_ANOTHER = 'name another with NameServerBrowser("HOST:PORT")'

NamesCallback = Callable[[NamesModel, "float | None"], None]
ObjectCallback = Callable[[ObjectModel], None]


class Watch(Looper):
    """Looks at one name server, and at one of its objects, and tells what it sees.

    Attributes:
        looked: set once there was a first answer, whatever it was.
    """

    def __init__(
        self, address: str | None, interval: float, on_names: NamesCallback, on_object: ObjectCallback
    ) -> None:
        """Prepare; the two callbacks are methods of an object that is held weakly."""
        super().__init__("pyronb-names", MIN_GAP)
        self.looked = threading.Event()
        self._address = address
        self._interval = max(interval, MIN_GAP)
        self._on_names = weakref.WeakMethod(on_names)
        self._on_object = weakref.WeakMethod(on_object)
        self._next = time.monotonic()
        self._refresh = True
        self._wanted = ""
        self._asked = ""
        self._failures = 0
        self._uris: dict[str, str] = {}
        self._object_state = ""

    def refresh(self) -> None:
        """Look again now, at the names and at the object."""
        with self._changed:
            self._refresh = True
            self._failures = 0
            self._asked = ""
            self._changed.notify_all()

    def want(self, name: str) -> None:
        """Ask for this object from now on; "" for none."""
        with self._changed:
            self._wanted = name
            self._asked = self._asked if name else ""
            self._changed.notify_all()

    def _due(self) -> bool:
        return self._refresh or self._wanted not in ("", self._asked)

    def _patience(self) -> float:
        return max(0.0, self._next - time.monotonic())

    def _turn(self) -> None:
        if self._on_names() is None:
            self.stop()
            return
        with self._changed:
            wanted, look = self._wanted, self._refresh or time.monotonic() >= self._next
            ask = bool(wanted) and wanted != self._asked
            self._refresh, self._asked = False, wanted
        try:
            if ask:
                self._ask(wanted)
            if look:
                self._next = time.monotonic() + self._look()
        except Exception:
            # Whoever is told may be closed at this moment; else the next look may go better.
            self._next = time.monotonic() + self._interval
            _log.debug("a look at the name server could not be shown", exc_info=True)

    def _look(self) -> float:
        """Ask for the names, tell them, and give the seconds until the next look."""
        model = read_names(self._address, timeout=_TIMEOUT, another=_ANOTHER)
        known_names.remember(model)
        delay = self._interval
        if model["state"] == "ok":
            self._failures = 0
            self._check_object(model)
        else:
            delay = min(MAX_DELAY, self._interval * 2.0**self._failures)
            self._failures = min(self._failures + 1, 30)
        on_names = self._on_names()
        if on_names is not None and not self._stopped:
            on_names(model, None if model["state"] == "ok" else delay)
        self.looked.set()
        return delay

    def _check_object(self, model: NamesModel) -> None:
        """Have the object asked again when it moved, or when it could not be reached."""
        old, self._uris = self._uris, {entry["name"]: entry["uri"] for entry in model["names"]}
        with self._changed:
            name = self._wanted
            moved = name in old and name in self._uris and old[name] != self._uris[name]
            if name and (moved or self._object_state not in ("", "ok")):
                self._asked = ""

    def _ask(self, name: str) -> None:
        model = read_object(self._address, name, timeout=_TIMEOUT, another=_ANOTHER)
        self._object_state = model["state"]
        on_object = self._on_object()
        if on_object is not None and not self._stopped:
            on_object(model)
