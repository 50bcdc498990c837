"""The walk over decoded data that turns dicts with a ``__class__`` into objects.

Sets, lists, tuples and the values of dicts are walked; keys and frozensets are not. Serpent, json and marshal convert
from the outside in: what is inside a class dict is left to its converter. Msgpack converts from the inside out. (Wire
specification, section 17.) What is inside an *exception* is always walked, and left as it is where it cannot be
converted, for no exception may be lost over an argument.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from pyronb.dialects import Dialect
from pyronb.errors import SecurityError, SerializeError
from pyronb.serializers.hooks import HOOKS

__all__ = ["MARK", "recreate"]

MARK = "__class__"
"""Data in whose bytes this does not occur needs no walk."""


def recreate(value: Any, dialect: Dialect, room: str = "", *, inside_out: bool = False, shared: bool = False) -> Any:
    """Give a copy of decoded data with objects in the place of class dicts.

    Args:
        value: the data.
        dialect: which names the library's own classes have.
        room: the room that proxies are made for; see `WireOptions`.
        inside_out: convert what is inside a class dict before the dict itself.
        shared: parts of the data may occur in several places, as they do in marshal. Each is then converted once:
            a few hundred bytes can describe more places than there is time in the world.

    Raises:
        SerializeError: a class is not known, its converter failed, or the data is nested too deeply.
        SecurityError: a class name is refused.
    """
    return _Walk(dialect, room, inside_out=inside_out, seen={} if shared else None).walk(value)


class _Walk:
    """One walk; `seen` has what became of each container, by the id of the container, for data with shared parts."""

    __slots__ = ("dialect", "inside_out", "room", "seen")

    def __init__(self, dialect: Dialect, room: str, *, inside_out: bool, seen: dict[int, Any] | None) -> None:
        self.dialect = dialect
        self.room = room
        self.inside_out = inside_out
        self.seen = seen

    def walk(self, value: Any) -> Any:
        convert = _CONTAINERS.get(type(value))
        if convert is None:
            return value
        seen = self.seen
        if seen is None:
            return convert(self, value)
        if id(value) not in seen:
            made = convert(self, value)
            seen[id(value)] = made
            return made
        return seen[id(value)]

    def leniently(self, value: Any) -> Any:
        """Convert what is inside an exception; what cannot be converted stays as it is."""
        try:
            return self.walk(value)
        except (SerializeError, SecurityError):
            return value

    def as_list(self, value: list[Any]) -> list[Any]:
        made: list[Any] = []
        self.remember(value, made)
        made.extend([self.walk(item) for item in value])
        return made

    def as_tuple(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple([self.walk(item) for item in value])

    def as_set(self, value: set[Any]) -> set[Any]:
        return {self.walk(item) for item in value}

    def as_dict(self, value: dict[Any, Any]) -> Any:
        if MARK not in value:
            made: dict[Any, Any] = {}
            self.remember(value, made)
            for key, item in value.items():
                made[key] = self.walk(item)
            return made
        if self.inside_out:
            walk = self.leniently if value.get("__exception__") else self.walk
            value = {key: walk(item) for key, item in value.items()}
        special = _SPECIAL.get(value[MARK]) if type(value[MARK]) is str else None
        if special is not None:
            return special(self, value)
        return HOOKS.from_dict(value, self.dialect, self.leniently, self.room)

    def remember(self, value: Any, made: Any) -> None:
        """Note what a list or dict becomes before its items are walked: it may be inside itself."""
        if self.seen is not None:
            self.seen[id(value)] = made


def _float(_walk: _Walk, data: dict[Any, Any]) -> float:
    """Read a float for which serpent has no literal: nan."""
    value = data.get("value")
    if not isinstance(value, str | float):
        raise SerializeError("a serialized float lacks its value")
    try:
        return float(value)
    except ValueError as cause:
        raise SerializeError("a serialized float has a value that is no number") from cause


def _complex(walk: _Walk, data: dict[Any, Any]) -> complex:
    """Read a complex number with a part for which serpent has no literal."""
    real, imag = walk.walk(data.get("real")), walk.walk(data.get("imag"))
    if not isinstance(real, int | float) or not isinstance(imag, int | float):
        raise SerializeError("a serialized complex number lacks a part")
    try:
        return complex(real, imag)
    except OverflowError as cause:
        raise SerializeError("a serialized complex number is too large") from cause


def _ordered(walk: _Walk, data: dict[Any, Any]) -> OrderedDict[Any, Any]:
    """Read an OrderedDict, which real Pyro writes with serpent and cannot read."""
    try:
        return OrderedDict((key, walk.walk(value)) for key, value in data["items"])
    except (KeyError, TypeError, ValueError) as cause:
        raise SerializeError("a serialized OrderedDict lacks its items") from cause


_CONTAINERS: dict[type, Callable[[_Walk, Any], Any]] = {
    list: _Walk.as_list,
    tuple: _Walk.as_tuple,
    set: _Walk.as_set,
    dict: _Walk.as_dict,
}
_SPECIAL: dict[str, Callable[[_Walk, dict[Any, Any]], Any]] = {
    "float": _float,
    "complex": _complex,
    "collections.OrderedDict": _ordered,
    "OrderedDict": _ordered,
}
