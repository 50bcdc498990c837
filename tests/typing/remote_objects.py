"""What a type checker makes of remote objects of a known class; `make types` reads it, and nobody runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

from typing_extensions import assert_type

import pyronb
import pyronb.aio


class Store:
    """A class that the server has, which is made from other things than a URI."""

    def __init__(self, path: str, size: int) -> None:
        """Open it."""

    def get(self, key: str, default: float = 0.0) -> float:
        """Read a value."""
        return default


class Meter(Protocol):
    """An interface."""

    @property
    def unit(self) -> str:
        """An attribute."""
        raise NotImplementedError

    def read(self, channel: int) -> float:
        """A method."""
        raise NotImplementedError


class Pump(ABC):
    """Another kind of interface."""

    @abstractmethod
    async def start(self) -> bool:
        """A method."""
        raise NotImplementedError


store = pyronb.Proxy[Store]("PYRONAME:store")
assert_type(store, Store)
assert_type(store.get("a"), float)
# The proxy's own members come back where it is asked for what it is.
assert isinstance(store, pyronb.Proxy)
assert_type(store._pyroTimeout, "float | None")
assert_type(store.get("a", default=1), float)

meter = pyronb.Proxy[Meter](pyronb.URI("PYRO:meter@lab7:4000"), options=None)
assert_type(meter, Meter)
assert_type(meter.unit, str)
assert_type(meter.read(1), float)

# Without an interface all is as it was.
assert_type(pyronb.Proxy("PYRONAME:store").get("a"), Any)


async def in_the_other_room() -> None:
    """The same, of methods that are awaited."""
    pump = pyronb.aio.Proxy[Pump]("PYRONAME:pump")
    assert_type(pump, Pump)
    assert_type(await pump.start(), bool)
