"""DaemonObject: what every daemon offers under the id ``Pyro.Daemon``. (Wire specification, section 20.)"""

from __future__ import annotations

from typing import Any, Protocol

from pyronb.context import current_context
from pyronb.dialects import PYRO5
from pyronb.rpc.weight import HEAVY
from pyronb.server.exposure import expose
from pyronb.server.registry import Registry
from pyronb.server.streams import Streams

__all__ = ["DaemonObject", "Served"]


class Served(Protocol):
    """What this object has to know of a daemon."""

    _objects: Registry
    _streams: Streams

    def _info(self) -> str: ...


@expose
class DaemonObject:
    """The daemon itself, as an object that can be called.

    A subclass that is given to `Daemon` as its `interface` may offer more, which it exposes as any object does.

    Args:
        daemon: the daemon.
    """

    def __init__(self, daemon: Served) -> None:
        self.daemon = daemon

    def registered(self) -> list[str]:
        """List the ids of all objects."""
        return self.daemon._objects.ids()

    def ping(self) -> None:
        """Do nothing; that an answer comes is the answer."""

    def info(self) -> str:
        """Describe the daemon in a line."""
        return self.daemon._info()

    def get_metadata(self, object_id: str, as_lists: bool = False) -> dict[str, Any]:
        """Tell the methods, oneway methods and attributes that an object exposes.

        Raises:
            DaemonError: there is no such object.
        """
        wire = self.daemon._objects.metadata(object_id).to_wire(PYRO5, details=False)
        return {key: list(names) for key, names in wire.items()} if as_lists else wire

    def get_next_stream_item(self, stream_id: str) -> Any:
        """Give the next item of a stream.

        Raises:
            StopIteration: the stream is at its end.
            PyroError: there is no such stream (any more).
        """
        return self.daemon._streams.next_item(stream_id, current_context.client)

    def get_next_stream_items(self, stream_id: str, arrived: int, most: int, heavy: int = HEAVY) -> Any:
        """Give the next items of a stream, in a list: one at least, and as many more as come without waiting.

        Only pyronb clients know this. What was given before and has not arrived is given again.

        Args:
            stream_id: the stream.
            arrived: how many items the client has had so far.
            most: how many it wants.
            heavy: bytes, as far as they can be told, after which it wants no further item.

        Raises:
            StopIteration: there are no more.
            PyroError: there is no such stream (any more), or no such items.
        """
        return self.daemon._streams.next_items(stream_id, arrived, most, current_context.client, heavy)

    def close_stream(self, stream_id: str) -> None:
        """Give a stream up before its end."""
        self.daemon._streams.close(stream_id)
