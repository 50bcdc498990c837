"""WishedCalls: a proxy, seen so that its calls are made with some wishes of their own."""

from __future__ import annotations

from typing import Any

from pyronb.aio.batch import BatchProxy
from pyronb.aio.methods import WishedMethod
from pyronb.client.face import describe, local_names
from pyronb.rpc.call import Wishes

__all__ = ["WishedCalls"]


class WishedCalls:
    """Gives the members of a proxy's object; `Proxy._pyroCall` makes it. It has no connection of its own."""

    __slots__ = ("_proxy", "_wishes")

    def __init__(self, proxy: Any, wishes: Wishes) -> None:
        """See a proxy like this."""
        self._proxy = proxy
        self._wishes = wishes

    def __getattr__(self, name: str) -> WishedMethod:
        """Give a remote method, or a remote attribute, to be called or awaited. Nobody is asked."""
        if name in WishedCalls.__slots__:
            # Not there yet, in a view that is just being copied.
            raise AttributeError(name)
        # It knows which names there are.
        getattr(self._proxy, name)
        return WishedMethod(self._proxy._pyro, name, self._wishes)

    def _pyroBatch(self) -> BatchProxy:
        """Give a batch that is sent with these wishes."""
        return BatchProxy(self._proxy._pyro, self._wishes)

    def __dir__(self) -> list[str]:
        """List the remote names, as far as they are known."""
        return [*super().__dir__(), *local_names(self._proxy._pyro)]

    def __repr__(self) -> str:
        """Show the address."""
        return f"<calls of pyronb.aio.Proxy {describe(self._proxy._pyro)}>"
