"""DaemonObject: what every daemon offers under the id ``Pyro.Daemon``. (Wire specification, section 20.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyronb.context import current_context
from pyronb.dialects import PYRO5
from pyronb.server.exposure import expose
from pyronb.server.registry import Registry
from pyronb.server.streams import Streams

__all__ = ["DaemonObject"]


@expose
class DaemonObject:
    """The daemon itself, as an object that can be called."""

    def __init__(self, registry: Registry, streams: Streams, info: Callable[[], str]) -> None:
        """Serve these objects and streams; `info` describes the daemon."""
        self._objects = registry
        self._streams = streams
        self._info = info

    def registered(self) -> list[str]:
        """List the ids of all objects."""
        return self._objects.ids()

    def ping(self) -> None:
        """Do nothing; that an answer comes is the answer."""

    def info(self) -> str:
        """Describe the daemon in a line."""
        return self._info()

    def get_metadata(self, object_id: str, as_lists: bool = False) -> dict[str, Any]:
        """Tell the methods, oneway methods and attributes that an object exposes.

        Raises:
            DaemonError: there is no such object.
        """
        wire = self._objects.metadata(object_id).to_wire(PYRO5, details=False)
        return {key: list(names) for key, names in wire.items()} if as_lists else wire

    def get_next_stream_item(self, stream_id: str) -> Any:
        """Give the next item of a stream.

        Raises:
            StopIteration: the stream is at its end.
            PyroError: there is no such stream (any more).
        """
        return self._streams.next_item(stream_id, current_context.client)

    def close_stream(self, stream_id: str) -> None:
        """Give a stream up before its end."""
        self._streams.close(stream_id)
