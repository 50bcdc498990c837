"""Publishing: what this kernel serves, from threads of its own, until it ends or the extension is unloaded."""

from __future__ import annotations

import atexit
import inspect
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyronb.config import config
from pyronb.errors import DaemonError
from pyronb.jupyter.addresses import LOOPBACK, default_address, parse_address
from pyronb.jupyter.explain import Explanation
from pyronb.jupyter.runtime import enter_name, leave_names
from pyronb.nameserver.start import startNS
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import members_of
from pyronb.uri import URI

__all__ = ["EmbeddedNameServer", "Publisher", "Served"]

_JOIN = 5.0
"""Seconds that calls have to end when their daemon does."""


class _Background:
    """A daemon whose loop runs in a thread of its own."""

    def __init__(self, daemon: Daemon, name: str) -> None:
        self.daemon = daemon
        self._thread = threading.Thread(target=daemon.requestLoop, name=f"pyronb-{name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.daemon.shutdown()
        self._thread.join(_JOIN)
        self.daemon.close()


@dataclass(frozen=True, slots=True)
class Served:
    """One object that this kernel serves.

    Attributes:
        name: the name that it was given, which is also its id.
        kind: name of its class.
        uri: its address.
        address: the name server that was asked to register it.
        told: what became of that; its state is ``ok`` when the name is registered.
    """

    name: str
    kind: str
    uri: URI
    address: str
    told: Explanation

    @property
    def registered(self) -> bool:
        """Whether the name server leads to it."""
        return self.told.state == "ok"

    @property
    def note(self) -> str:
        """What there is to say of it: a sentence or two, empty when all is well."""
        if not self.registered:
            return f"Not registered: {self.told.reason} {self.told.hint}"
        if self.uri.host in LOOPBACK and parse_address(self.address).host not in LOOPBACK:
            return (
                "It is registered with an address that only this machine can reach; set pyronb.config.HOST to the "
                "name of this machine, unload pyronb, and publish it again."
            )
        return ""


class Publisher:
    """Serves objects of this kernel under names, from one daemon."""

    def __init__(self) -> None:
        """Serve nothing yet."""
        self._background: _Background | None = None
        self._served: dict[str, Served] = {}

    @property
    def served(self) -> list[Served]:
        """What is served, by name."""
        # A copy: another thread may look while something is served or withdrawn.
        return [served for _, served in sorted(dict(self._served).items())]

    def serve(self, name: str, obj: Any, tags: Iterable[str] = (), address: str | None = None) -> Served:
        """Make an object, or a class, reachable under a name; what had the name here before is let go.

        Args:
            name: its name and its id.
            obj: what is called.
            tags: for the name server.
            address: of the name server; None for that of the configuration.

        Raises:
            DaemonError: the object is served under another name.
            OSError: the daemon gets no port.
            TypeError: the object exposes nothing.
            ValueError: an object cannot have this name.
        """
        cls = obj if inspect.isclass(obj) else type(obj)
        offered = members_of(cls, details=False, require_expose=config.REQUIRE_EXPOSE)
        if not offered.methods and not offered.attributes:
            raise TypeError(f"{cls.__name__} exposes nothing; put @pyronb.expose above the class, or above its methods")
        background = self._background
        if background is None:
            background = self._background = _Background(Daemon(), "kernel-daemon")
            atexit.register(self.close)
        daemon = background.daemon
        known = next((known for known, there in daemon.objectsById.items() if there is obj), None)
        if known is not None and known != name:
            raise DaemonError(f"it is served already, as {known}; %pyro_close {known} ends that")
        if known == name:
            uri = daemon.uriFor(name)
        else:
            if name in self._served:
                daemon.unregister(name)
            uri = daemon.register(obj, name)
        where = str(default_address()) if address is None else address
        told = enter_name(address, name, uri, tags)
        served = self._served[name] = Served(name, cls.__name__, uri, where, told)
        return served

    def withdraw(self, name: str) -> None:
        """Stop serving what has this name; nothing happens when nothing has."""
        served = self._served.pop(name, None)
        if served is None or self._background is None:
            return
        self._background.daemon.unregister(name)
        if served.registered:
            leave_names(served.address, {name: served.uri})

    def close(self) -> None:
        """Take the names back and stop serving."""
        atexit.unregister(self.close)
        served, self._served = self._served, {}
        for address in {each.address for each in served.values()}:
            leave_names(address, {n: s.uri for n, s in served.items() if s.address == address and s.registered})
        background, self._background = self._background, None
        if background is not None:
            background.stop()


class EmbeddedNameServer:
    """A name server in this kernel, which the configuration leads to while it runs."""

    def __init__(self) -> None:
        """Run none yet."""
        self._background: _Background | None = None
        self._before: tuple[str, int] | None = None
        self.address = ""
        """Where it is; empty when there is none."""

    def start(self, host: str, port: int) -> None:
        """Start it; what this kernel looks up from now on, it asks here.

        Raises:
            OSError: the address cannot be had.
        """
        started = startNS(host, port, storage="memory")
        self._background = _Background(started.daemon, "name-server")
        atexit.register(self.stop)
        self.address = str(started.uri.location)
        place = parse_address(self.address)
        if place.port is not None and place != default_address():
            self._before = config.NS_HOST, config.NS_PORT
            config.NS_HOST, config.NS_PORT = place.host, place.port

    def stop(self) -> None:
        """Stop it; its names are forgotten."""
        atexit.unregister(self.stop)
        background, self._background = self._background, None
        if background is None:
            return
        background.stop()
        before, self._before = self._before, None
        if before is not None and str(default_address()) == self.address:
            config.NS_HOST, config.NS_PORT = before
        self.address = ""
