"""WishedCalls: a proxy, seen so that its calls are made with some wishes of their own."""

from __future__ import annotations

from typing import Any

from pyronb.client.link import Link
from pyronb.client.wished import WishedFace
from pyronb.rpc.call import Call
from pyronb.sync.batch import BatchProxy
from pyronb.sync.methods import WishedMethod, value_of

__all__ = ["WishedCalls"]


class WishedCalls(WishedFace):
    """Gives the members of a proxy's object; `Proxy._pyroCall` makes it. It has no connection of its own."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        """Give a remote method, or the value of a remote attribute."""
        if name in WishedFace.__slots__:
            # Not there yet, in a view that is just being copied.
            raise AttributeError(name)
        link: Link = self._proxy._pyro
        if self._proxy._pyro_is_attribute(name):
            return value_of(link, Call("", "__getattr__", (name,), None, wishes=self._wishes))
        return WishedMethod(link, name, self._wishes)

    def _pyroBatch(self) -> BatchProxy:
        """Give a batch that is sent with these wishes."""
        return BatchProxy(self._proxy._pyro, self._wishes)
