"""Scripted: a name server in this process, whose size, latency and failures a test sets."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from pyronb.errors import SecurityError
from pyronb.nameserver.daemon import NameServerDaemon
from tests.support.serving import LOCAL, daemon_options, looping

TAGS = ("stage", "camera", "laser", "pump")


class Scripted:
    """A real name server, and what a test may do to whoever asks it.

    Attributes:
        daemon: it.
        greetings: how often a client connected.
        latency: seconds by which each greeting is held up.
        refusal: why clients are refused; empty when they are not.
    """

    def __init__(self, daemon: NameServerDaemon) -> None:
        self.daemon = daemon
        self.greetings = 0
        self.latency = 0.0
        self.refusal = ""
        self._lock = threading.Lock()
        daemon.validateHandshake = self._greet  # type: ignore[method-assign]

    @property
    def address(self) -> str:
        """Where it is."""
        return str(self.daemon.locationStr)

    def register(self, name: str, uri: object = "PYRO:nobody@127.0.0.1:1", *tags: str) -> None:
        """Register a name."""
        self.daemon.nameserver.register(name, str(uri), metadata=tags)

    def fill(self, names: Iterable[str]) -> None:
        """Register many names quickly, with a tag each; nobody is told."""
        for number, name in enumerate(names):
            tags = frozenset({TAGS[number % len(TAGS)]})
            self.daemon._storage.put(name, f"PYRO:obj_{number:05}@{LOCAL}:{1 + number % 7}", tags, replace=True)

    def remove(self, name: str) -> None:
        """Remove a name."""
        self.daemon.nameserver.remove(name)

    def _greet(self, connection: Any, data: Any) -> str:
        del connection, data
        with self._lock:
            self.greetings += 1
        time.sleep(self.latency)
        if self.refusal:
            raise SecurityError(self.refusal)
        return "hello"


@contextlib.contextmanager
def scripted(names: Iterable[str] = (), port: int = 0) -> Iterator[Scripted]:
    """Run such a name server, with these names, until the block ends."""
    daemon = NameServerDaemon(LOCAL, port, options=daemon_options())
    script = Scripted(daemon)
    script.fill(names)
    with looping(daemon):
        yield script
