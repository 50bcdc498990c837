"""The plain forms of well-known types, for serializers that have no own form for them.

They are the forms that serpent gives these types, so that a value arrives the same whichever serializer carried it.
The types are known by name rather than by import: numpy, uuid and decimal are heavy, and a program that has such an
object has loaded them already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyronb.dialects import Dialect
from pyronb.errors import SerializeError
from pyronb.serializers.beside import leave
from pyronb.serializers.hooks import HOOKS, attributes_as_dict, class_name

__all__ = ["Plainer"]


def _array(value: Any) -> Any:
    return value.tounicode() if value.typecode == "u" else value.tolist()


def _numpy_scalar(value: Any) -> Any:
    plain = value.item()
    if type(plain).__module__ == "numpy":
        raise SerializeError(f"{class_name(value)} has no plain form; convert it to an int, float or str first")
    return plain


def _refused(advice: str) -> Callable[[Any], Any]:
    """Give the form of a type that has none, but an obvious way out."""

    def refuse(value: Any) -> Any:
        raise TypeError(f"{class_name(value)} has no form that can be written; {advice}")

    return refuse


def _leaving(advice: str) -> Callable[[Any], Any]:
    """Give the form of a type that has one beside the payload."""
    return lambda value: leave(value, class_name(value), advice)


_FORMS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("builtins", "set"): list,
    ("builtins", "frozenset"): list,
    ("array", "array"): _array,
    ("pyronb.serializers.beside", "Apart"): _leaving("less at once"),
    ("builtins", "dict_items"): list,
    ("builtins", "dict_keys"): list,
    ("builtins", "dict_values"): list,
    ("collections", "OrderedDict"): dict,
    ("collections", "UserDict"): dict,
    ("collections", "UserList"): list,
    ("collections", "UserString"): str,
    ("collections", "deque"): list,
    ("builtins", "range"): _refused("send a list of it"),
    ("builtins", "generator"): _refused("send a list of it, or return it from a method by itself, which streams it"),
    ("datetime", "date"): lambda value: value.isoformat(),
    ("datetime", "time"): str,
    ("datetime", "timedelta"): lambda value: value.total_seconds(),
    ("decimal", "Decimal"): str,
    ("enum", "Enum"): lambda value: value.value,
    ("numpy", "generic"): _numpy_scalar,
    ("numpy", "ndarray"): _leaving("its tolist()"),
    ("pandas", "DataFrame"): _leaving("its to_dict()"),
    ("pandas", "Index"): _leaving("its tolist()"),
    ("pandas", "Series"): _leaving("its tolist() or to_dict()"),
    ("polars", "DataFrame"): _leaving("its to_dicts()"),
    ("polars", "Series"): _leaving("its to_list()"),
    ("pyarrow", "Array"): _leaving("its to_pylist()"),
    ("pyarrow", "ChunkedArray"): _leaving("its to_pylist()"),
    ("pyarrow", "RecordBatch"): _leaving("its to_pydict()"),
    ("pyarrow", "Table"): _leaving("its to_pydict()"),
    ("pathlib", "PurePath"): str,
    ("pathlib._local", "PurePath"): str,
    ("uuid", "UUID"): str,
}


_DEEP = frozenset({"pandas", "polars", "pyarrow"})
"""Packages whose modules are nobody's business, and no two classes of which have the same name."""


class Plainer:
    """Gives what is written for objects that a serializer does not know, in one dialect."""

    __slots__ = ("dialect", "foreign_exceptions")

    def __init__(self, dialect: Dialect, *, foreign_exceptions: bool) -> None:
        """Make one for a dialect, and for peers that do or do not take exceptions of any class."""
        self.dialect = dialect
        self.foreign_exceptions = foreign_exceptions

    def hooked(self, obj: Any) -> Any:
        """Give what the hooks make of an object; the object itself when there is no hook for it."""
        return HOOKS.replacement(obj, self.dialect, foreign_exceptions=self.foreign_exceptions)

    def plain(self, obj: Any) -> Any:
        """Give the plain form of an object of a well-known type; the object itself when it is of no such type."""
        for kind in type(obj).__mro__:
            form = _FORMS.get((kind.__module__, kind.__name__))
            if form is None and "." in kind.__module__:
                package = kind.__module__.partition(".")[0]
                form = _FORMS.get((package, kind.__name__)) if package in _DEEP else None
            if form is not None:
                return form(obj)
        return obj

    def __call__(self, obj: Any) -> Any:
        """Give something simpler that is written in the place of an object.

        Raises:
            SerializeError: there is nothing.
            TypeError: the same, from `attributes_as_dict`.
        """
        other = self.hooked(obj)
        if other is obj:
            other = self.plain(obj)
        return attributes_as_dict(obj) if other is obj else other

    def without_hooked(self, value: Any) -> Any:
        """Give a copy of a value in which the hooks have replaced what serializers write without asking.

        Only needed while `HOOKS.touches_builtins`: a serializer in C writes an instance of a dict subclass as a dict.
        """
        kind = type(value)
        if kind in _ATOMS:
            return value
        if kind not in _CONTAINERS:
            other = self.hooked(value)
            if other is not value:
                return self.without_hooked(other)
        if isinstance(value, dict):
            return {key: self.without_hooked(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set):
            return [self.without_hooked(item) for item in value]
        return value


_ATOMS = frozenset({type(None), bool, int, float, str, bytes})
_CONTAINERS = frozenset({dict, list, tuple, set})
