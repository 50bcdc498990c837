"""Relays: stand for what was passed on, are called in its place, and call on."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from pyronb.rpc.call import FUNCTION_PREFIX
from pyronb.rpc.metadata import Metadata
from pyronb.server.exposure import expose, is_private
from pyronb.sync.proxy import Proxy

__all__ = ["Relay", "relay_for"]


class Relay:
    """Stands for something that was passed on: it is called here, and calls on.

    Each has a class of its own, which exposes what the proxy offers.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self._pyro_lent_as: str | None = None


def relay_for(proxy: Proxy) -> Relay:
    """Make the object that offers what a proxy does."""

    def forwarding(name: str) -> Callable[..., Any]:
        def forward(self: Relay, *args: Any, **kwargs: Any) -> Any:
            return getattr(self.proxy, name)(*args, **kwargs)

        forward.__name__ = name
        return expose(forward)

    def attribute(name: str) -> property:
        return property(
            expose(lambda self: getattr(self.proxy, name)), lambda self, value: setattr(self.proxy, name, value)
        )

    metadata = proxy._pyro.metadata or Metadata()
    members: dict[str, Any] = {name: attribute(name) for name in metadata.attributes if not is_private(name)}
    members.update({name: forwarding(name) for name in metadata.methods if not is_private(name)})
    made: Relay = type("Relay", (Relay,), members)(proxy)
    if str(proxy._pyroUri.object).startswith(FUNCTION_PREFIX):
        made._pyro_lent_as = FUNCTION_PREFIX + uuid.uuid4().hex
    return made
