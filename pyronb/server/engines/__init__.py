"""Engines move bytes between sockets and conversations, and say where calls run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyronb.errors import DaemonError
from pyronb.server.engines.base import Engine
from pyronb.server.engines.multiplex import MultiplexEngine
from pyronb.server.engines.threads import ThreadEngine

__all__ = ["engine_named"]

_ENGINES: Mapping[str, type[Engine[Any]]] = {engine.name: engine for engine in (ThreadEngine, MultiplexEngine)}


def engine_named(name: str) -> type[Engine[Any]]:
    """Give the engine that SERVERTYPE names.

    Raises:
        DaemonError: there is none of this name.
    """
    try:
        return _ENGINES[name]
    except KeyError:
        raise DaemonError(f"there is no server type {name!r}; use one of {', '.join(_ENGINES)}") from None
