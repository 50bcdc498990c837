"""Serve: registers the demo objects in a daemon, and under the same names in a name server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from pyronb.demo.host import Host
from pyronb.demo.scope import Scope
from pyronb.demo.store import Store
from pyronb.uri import URI

__all__ = ["DemoIncomplete", "DemoObjects", "register_demo"]

HOST, SCOPE, STORE = "demo.host", "demo.scope", "demo.store"


class Registry(Protocol):
    """What a daemon must offer."""

    def register(self, thing: Any, object_id: str, /) -> URI:
        """Make an object reachable under this id."""


@dataclass(slots=True)
class DemoObjects:
    """The demo objects of one daemon.

    Attributes:
        scope: the simulated oscilloscope.
        store: the store on disk.
        host: this machine; None when psutil is not installed.
        uris: addresses by object id.
    """

    scope: Scope
    store: Store
    host: Host | None = None
    uris: dict[str, URI] = field(default_factory=dict)

    def close(self) -> None:
        """End streams, threads and acquisitions, and close the store; the daemon stays as it is."""
        if self.host is not None:
            self.host.close()
        self.scope.abort()
        self.store.close()


class DemoIncomplete(ImportError):  # noqa: N818 - says what became of the demo
    """A demo object lacks a package; the others are registered and work.

    Attributes:
        objects: those that work, to be closed as always.
    """

    def __init__(self, message: str, objects: DemoObjects) -> None:
        super().__init__(message)
        self.objects = objects


def register_demo(
    daemon: Registry,
    nameserver_register: Callable[[str, URI, set[str]], None] | None = None,
    *,
    store_path: str | None = None,
) -> DemoObjects:
    """Register the three demo objects in a daemon.

    Args:
        daemon: where; under the ids `demo.host`, `demo.scope` and `demo.store`.
        nameserver_register: registers a name with an address and tags in a name server; None does without.
        store_path: file of the store; None takes a temporary one.

    Returns:
        The objects; close them after the daemon.

    Raises:
        DemoIncomplete: psutil is missing, so there is no `demo.host`; the other two are registered.
    """
    objects = DemoObjects(Scope(), Store(store_path))

    def register(name: str, thing: object) -> None:
        uri = objects.uris[name] = daemon.register(thing, name)
        if nameserver_register is not None:
            kind = type(thing)
            nameserver_register(name, uri, {"demo", f"class:{kind.__module__}.{kind.__qualname__}"})

    try:
        register(SCOPE, objects.scope)
        register(STORE, objects.store)
        try:
            objects.host = Host()
        except ImportError as error:
            raise DemoIncomplete(str(error), objects) from error
        register(HOST, objects.host)
    except DemoIncomplete:
        raise
    except BaseException:
        objects.close()
        raise
    return objects
