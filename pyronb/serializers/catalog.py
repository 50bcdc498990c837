"""The serializers that are there, by name and by number.

A serializer is loaded when it is first asked for: some need packages that may be missing, and cost time to import.
Those of pickle's kind run what they read, so a catalog has none of them but those that were chosen by name.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import Any, NamedTuple

from pyronb.dialects import UNSAFE, Dialect
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import Serializer

__all__ = ["Catalog", "catalog_for"]


class _Entry(NamedTuple):
    module: str
    serializer: str
    needs: str
    install: str


_KNOWN = {
    "serpent": _Entry("pyronb.serializers.serpent", "SerpentSerializer", "serpent", "serpent"),
    "json": _Entry("pyronb.serializers.json", "JsonSerializer", "json", "json"),
    "marshal": _Entry("pyronb.serializers.marshal", "MarshalSerializer", "marshal", "marshal"),
    "msgpack": _Entry("pyronb.serializers.msgpack", "MsgpackSerializer", "msgpack", "msgpack"),
    "native": _Entry("pyronb.serializers.native", "NativeSerializer", "msgpack", "msgpack"),
    "pickle": _Entry("pyronb.serializers.pickle", "PickleSerializer", "pickle", "pickle"),
    "dill": _Entry("pyronb.serializers.dill", "DillSerializer", "dill", '"pyronb[pickles]"'),
    "cloudpickle": _Entry(
        "pyronb.serializers.cloudpickle", "CloudpickleSerializer", "cloudpickle", '"pyronb[pickles]"'
    ),
}


@functools.lru_cache(maxsize=32)
def catalog_for(
    dialect: Dialect, options: WireOptions, *, pyronb_peer: bool, unsafe: frozenset[str] = frozenset()
) -> Catalog:
    """Give the catalog for these circumstances, the same one each time: connecting should not make serializers anew.

    Serializers keep nothing of what they write and read, so all connections and threads may share them.
    """
    return Catalog(dialect, options, pyronb_peer, unsafe)


class Catalog:
    """Gives the serializers of one dialect; each is made once.

    Args:
        dialect: the protocol above the header.
        options: how values are written; `json_module` names the module that does json's work.
        pyronb_peer: the peer said that it is pyronb. It takes exceptions of any class, while a real Pyro drops its
            connection over one that it does not know (see `exceptions`), and it knows `Dialect.own_serializers`.
        unsafe: names of the serializers of pickle's kind that may be used; nothing is read with any other.
    """

    def __init__(
        self, dialect: Dialect, options: WireOptions, pyronb_peer: bool, unsafe: frozenset[str] = frozenset()
    ) -> None:
        self._dialect = dialect
        self._options = options
        self.pyronb_peer = pyronb_peer
        self._unsafe = unsafe
        self._numbers = {**dialect.serializers, **(dialect.own_serializers if pyronb_peer else {})}
        self._names: tuple[str, ...] | None = None
        self._among: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
        self._made: dict[str, Serializer] = {}
        self._by_number: dict[int, Serializer] = {}

    def by_name(self, name: str) -> Serializer:
        """Give the serializer with this name.

        Raises:
            SerializeError: the peer knows none, a package for it is missing, or it was not chosen though it can run
                code.
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
        for name, known in self._numbers.items():
            if known == number:
                return self.by_name(name)
        there = ", ".join(f"{number} ({name})" for name, number in self._numbers.items() if self._usable(name))
        raise SerializeError(f"{self._dialect.family} has no serializer with number {number}; there is: {there}")

    def knows(self, number: int) -> bool:
        """Tell whether the peer has a serializer with this number, whatever may be read here."""
        return number in self._numbers.values()

    def names(self) -> tuple[str, ...]:
        """Tell the names of the serializers that the peer knows, may be used, and whose packages are installed."""
        if self._names is None:
            there = (name for name in self._numbers if self._usable(name))
            self._names = tuple(name for name in there if importlib.util.find_spec(_KNOWN[name].needs) is not None)
        return self._names

    def names_among(self, names: frozenset[str]) -> frozenset[str]:
        """Tell which of these are in `names`."""
        if names is not self._among[0]:
            self._among = names, names.intersection(self.names())
        return self._among[1]

    def _listed(self) -> str:
        return ", ".join(self.names())

    def _usable(self, name: str) -> bool:
        return name in _KNOWN and (name not in UNSAFE or name in self._unsafe)

    def _make(self, name: str) -> Serializer:
        entry = _KNOWN.get(name)
        if entry is None or name not in self._numbers:
            raise SerializeError(f"{self._dialect.family} has no serializer {name!r}; there is: {self._listed()}")
        if not self._usable(name):
            raise SerializeError(
                f"serializer {name!r} can run code of the peer's and was not chosen here; there is: {self._listed()} "
                f"(a daemon takes it with SERIALIZERS_ACCEPTED, a client with SERIALIZER or _pyroSerializer)"
            )
        extra: dict[str, Any] = {}
        module, install = entry.needs, entry.install
        if name == "json":
            module = install = self._options.json_module
        try:
            if name == "json":
                extra["module"] = importlib.import_module(module)
            make = getattr(importlib.import_module(entry.module), entry.serializer)
        except ImportError as cause:
            raise SerializeError(
                f"serializer {name!r} is not available, for {module} is not installed (pip install {install}); "
                f"there is: {self._listed()}"
            ) from cause
        serializer: Serializer = make(self._dialect, self._options, foreign_exceptions=self.pyronb_peer, **extra)
        return serializer
