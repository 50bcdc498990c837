"""The serializers that are there, by name and by number.

A serializer is loaded when it is first asked for: serpent and msgpack need packages that may be missing, and cost time
to import.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import Any, NamedTuple

from pyronb.dialects import Dialect
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import Serializer

__all__ = ["Catalog", "catalog_for"]


class _Entry(NamedTuple):
    module: str
    serializer: str
    needs: str


_KNOWN = {
    "serpent": _Entry("pyronb.serializers.serpent", "SerpentSerializer", "serpent"),
    "json": _Entry("pyronb.serializers.json", "JsonSerializer", "json"),
    "marshal": _Entry("pyronb.serializers.marshal", "MarshalSerializer", "marshal"),
    "msgpack": _Entry("pyronb.serializers.msgpack", "MsgpackSerializer", "msgpack"),
}


@functools.lru_cache(maxsize=32)
def catalog_for(dialect: Dialect, options: WireOptions, *, foreign_exceptions: bool) -> Catalog:
    """Give the catalog for these circumstances, the same one each time: connecting should not make serializers anew.

    Serializers keep nothing of what they write and read, so all connections and threads may share them.
    """
    return Catalog(dialect, options, foreign_exceptions)


class Catalog:
    """Gives the serializers of one dialect; each is made once.

    Args:
        dialect: the protocol above the header.
        options: how values are written; `json_module` names the module that does json's work.
        foreign_exceptions: the peer takes exceptions of any class. False for a real Pyro, which drops its connection
            over one that it does not know; see `exceptions`.
    """

    def __init__(self, dialect: Dialect, options: WireOptions, foreign_exceptions: bool) -> None:
        self._dialect = dialect
        self._options = options
        self._foreign_exceptions = foreign_exceptions
        self._made: dict[str, Serializer] = {}
        self._by_number: dict[int, Serializer] = {}

    def by_name(self, name: str) -> Serializer:
        """Give the serializer with this name.

        Raises:
            SerializeError: the dialect has none, or a package for it is missing.
        """
        try:
            return self._made[name]
        except KeyError:
            pass
        serializer = self._made[name] = self._make(name)
        self._by_number[serializer.number] = serializer
        return serializer

    def by_number(self, number: int) -> Serializer:
        """Give the serializer with this number in the message header; raises as `by_name`."""
        try:
            return self._by_number[number]
        except KeyError:
            pass
        name = self._dialect.serializer_name(number)
        if name is None:
            known = ", ".join(f"{number} ({name})" for name, number in self._dialect.serializers.items())
            raise SerializeError(f"{self._dialect.family} has no serializer with number {number}; there is: {known}")
        return self.by_name(name)

    def names(self) -> tuple[str, ...]:
        """Tell the names of the serializers that the dialect has and whose packages are installed."""
        there = (name for name in self._dialect.serializers if name in _KNOWN)
        return tuple(name for name in there if importlib.util.find_spec(_KNOWN[name].needs) is not None)

    def _make(self, name: str) -> Serializer:
        entry = _KNOWN.get(name)
        if entry is None or name not in self._dialect.serializers:
            there = ", ".join(self.names())
            raise SerializeError(f"{self._dialect.family} has no serializer {name!r}; there is: {there}")
        extra: dict[str, Any] = {}
        module = self._options.json_module if name == "json" else entry.needs
        try:
            if name == "json":
                extra["module"] = importlib.import_module(module)
            make = getattr(importlib.import_module(entry.module), entry.serializer)
        except ImportError as cause:
            raise SerializeError(
                f"serializer {name!r} is not available, for {module} is not installed (pip install {module}); "
                f"there is: {', '.join(self.names())}"
            ) from cause
        serializer: Serializer = make(
            self._dialect, self._options, foreign_exceptions=self._foreign_exceptions, **extra
        )
        return serializer
