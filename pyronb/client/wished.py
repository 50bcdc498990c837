"""WishedFace: what a proxy, seen so that its calls are made with some wishes, is in either room."""

from __future__ import annotations

from typing import Any, ClassVar

from pyronb.client.face import describe, local_names
from pyronb.rpc.call import Wishes

__all__ = ["WishedFace"]


class WishedFace:
    """Sees a proxy with wishes for its calls. It has no connection of its own."""

    __slots__ = ("_proxy", "_wishes")
    _room: ClassVar[str] = "pyronb"

    def __init__(self, proxy: Any, wishes: Wishes) -> None:
        """See a proxy like this."""
        self._proxy = proxy
        self._wishes = wishes

    def __dir__(self) -> list[str]:
        """List the remote names, as far as they are known."""
        return [*super().__dir__(), *local_names(self._proxy._pyro)]

    def __repr__(self) -> str:
        """Show the room and the address."""
        return f"<calls of {self._room}.Proxy {describe(self._proxy._pyro)}>"
