"""WishedCalls: a proxy, seen so that its calls are made with some wishes of their own."""

from __future__ import annotations

from pyronb.aio.batch import BatchProxy
from pyronb.aio.methods import WishedMethod
from pyronb.client.wished import WishedFace

__all__ = ["WishedCalls"]


class WishedCalls(WishedFace):
    """Gives the members of a proxy's object; `Proxy._pyroCall` makes it. It has no connection of its own."""

    __slots__ = ()
    _room = "pyronb.aio"

    def __getattr__(self, name: str) -> WishedMethod:
        """Give a remote method, or a remote attribute, to be called or awaited. Nobody is asked."""
        if name in WishedFace.__slots__:
            # Not there yet, in a view that is just being copied.
            raise AttributeError(name)
        # It knows which names there are.
        getattr(self._proxy, name)
        return WishedMethod(self._proxy._pyro, name, self._wishes)

    def _pyroBatch(self) -> BatchProxy:
        """Give a batch that is sent with these wishes."""
        return BatchProxy(self._proxy._pyro, self._wishes)
