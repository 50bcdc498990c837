"""Hooks: how instances of classes become dicts, and dicts with a ``__class__`` become instances.

There is one registry in the process, `HOOKS`. Programs reach it through `SerializerBase`; higher floors put the
library's own classes (proxy, daemon) into it, so that this floor needs to know none of them. (Wire specification,
section 17.)

What an object is written as is decided in this order: the hook that a program registered for its class, a substitute,
the library's own classes, exceptions, and last the dict of its attributes. Where several registrations fit, the most
specific class wins, whatever the order in which they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyronb.dialects import DIALECTS, Dialect
from pyronb.errors import SecurityError, SerializeError
from pyronb.serializers.beside import PLACEHOLDER, come_back
from pyronb.serializers.exceptions import exception_from_dict, exception_to_dict, is_library_error, unwrapped
from pyronb.uri import URI

__all__ = ["HOOKS", "SPEAKER", "BatchError", "Hooks", "attributes_as_dict", "class_name", "register_uri"]

ToDict = Callable[[Any], Mapping[str, Any]]
FromDict = Callable[[str, dict[str, Any]], Any]
ToState = Callable[[Any, Dialect], tuple[Any, ...]]
FromState = Callable[["tuple[Any, ...] | list[Any]", Dialect], Any]
Substitute = Callable[[Any], "Any | None"]

_OF_A_DAEMON = ("_pyroId", "_pyroDaemon")
"""What registering an object puts on it, which is no part of its value."""

_FAMILIES = {tag: dialect for dialect in DIALECTS.values() for tag in dialect.tags.values()}
"""Which dialect names a class of the library's own so, and so shapes its state."""

_WRITTEN_NATIVELY = (dict, list, tuple, str, int, float, bytes, bytearray)


@dataclass(frozen=True, slots=True, eq=False)
class BatchError:
    """Stands in the results of a batch for the call that failed (wire specification, section 11)."""

    exception: BaseException


class _LibraryClass(NamedTuple):
    tag_key: str
    to_state: ToState
    from_state: FromState
    room: str


class Hooks:
    """A registry of how classes are written and read."""

    def __init__(self) -> None:
        """Make a registry without any registration."""
        self._to_dict: dict[type, ToDict] = {}
        self._from_dict: dict[str, FromDict] = {}
        self._library: dict[type, _LibraryClass] = {}
        self._named: dict[tuple[Dialect, str, str], _LibraryClass] = {}
        self._substitutes: dict[type, Substitute] = {}
        self.touches_builtins = False
        """Some registered class inherits from a type that serializers write by themselves, without asking."""

    def register_class_to_dict(self, cls: type, converter: ToDict) -> None:
        """Have instances of this class and its subclasses written as what the converter makes of them."""
        _check_class(cls)
        self._to_dict[cls] = converter
        self._note_builtins()

    def unregister_class_to_dict(self, cls: type) -> None:
        """Take back `register_class_to_dict`; nothing happens when there was none."""
        self._to_dict.pop(cls, None)
        self._note_builtins()

    def register_dict_to_class(self, name: str, converter: FromDict) -> None:
        """Have dicts whose ``__class__`` is exactly this name read by the converter."""
        self._from_dict[name] = converter

    def unregister_dict_to_class(self, name: str) -> None:
        """Take back `register_dict_to_class`; nothing happens when there was none."""
        self._from_dict.pop(name, None)

    def reads(self, name: str) -> bool:
        """Tell whether a program has its own way to read dicts whose ``__class__`` is exactly this name."""
        return name in self._from_dict

    def register_library_class(
        self, cls: type, tag_key: str, to_state: ToState, from_state: FromState, room: str = ""
    ) -> None:
        """Have instances of a class of the library travel as ``{"__class__": tag, "state": ...}``.

        Several classes may have one tag, each in a room of its own: what arrives becomes that of the receiving room.

        Args:
            cls: the class; its subclasses travel as it.
            tag_key: key of `Dialect.tags`, which has the name on the wire.
            to_state: gives the state of an instance in a dialect.
            from_state: makes an instance of a state in a dialect. The state comes from the peer; whatever this
                raises becomes a SerializeError.
            room: the room that the class is for; see `WireOptions`.
        """
        _check_class(cls)
        self._library[cls] = _LibraryClass(tag_key, to_state, from_state, room)
        self._named.clear()
        self._note_builtins()

    def register_substitute(self, cls: type, substitute: Substitute) -> None:
        """Have another object written in the place of instances of this class and its subclasses.

        The substitute function gives that object, or None when the instance is to be written as it is.
        """
        _check_class(cls)
        self._substitutes[cls] = substitute
        self._note_builtins()

    def unregister_substitute(self, cls: type) -> None:
        """Take back `register_substitute`; nothing happens when there was none."""
        self._substitutes.pop(cls, None)
        self._note_builtins()

    def replacement(self, obj: Any, dialect: Dialect, *, foreign_exceptions: bool) -> Any:
        """Give what is written in the place of an object; the object itself when there is nothing to replace.

        Raises:
            SerializeError: a hook gave nothing or the very object back, or the dialect has no form for it.
        """
        mro = type(obj).__mro__
        converter = _most_specific(self._to_dict, mro)
        if converter is not None:
            try:
                made = converter(obj)
            except SystemExit as cause:
                raise SerializeError(f"the hook that writes {class_name(obj)} ended with {cause!r}") from cause
            if made is obj or made is None:
                gave = "nothing" if made is None else "the same object back"
                raise SerializeError(f"the hook that writes {class_name(obj)} gave {gave}, not a dict")
            return dict(made) if isinstance(made, Mapping) else made
        other = self.substituted(obj)
        if other is not obj:
            # A serializer may ask only once for each object, so what it gets here must be final.
            return self.replacement(other, dialect, foreign_exceptions=foreign_exceptions)
        library = _most_specific(self._library, mro)
        if library is not None:
            return {"__class__": _tag(dialect, library.tag_key), "state": library.to_state(obj, dialect)}
        if isinstance(obj, BaseException):
            return exception_to_dict(obj, dialect, foreign_exceptions=foreign_exceptions, shared=self._from_dict)
        if isinstance(obj, BatchError):
            inner = self.replacement(obj.exception, dialect, foreign_exceptions=foreign_exceptions)
            return {"__class__": _tag(dialect, "batch-error"), "exception": inner}
        return obj

    def substituted(self, obj: Any) -> Any:
        """Give the object that is written in the place of this one; mostly this one itself."""
        substitute = _most_specific(self._substitutes, type(obj).__mro__)
        other = None if substitute is None else substitute(obj)
        return obj if other is None else other

    def library_class(self, tag_key: str) -> type | None:
        """Give the library's class with this key in `Dialect.tags`; None when there is none."""
        return next((cls for cls, library in self._library.items() if library.tag_key == tag_key), None)

    def library_state(self, obj: Any, dialect: Dialect) -> tuple[str, tuple[Any, ...]]:
        """Give the tag key and the state of an instance of one of the library's classes; empty ones for others."""
        library = _most_specific(self._library, type(obj).__mro__)
        return ("", ()) if library is None else (library.tag_key, library.to_state(obj, dialect))

    def from_dict(self, data: dict[str, Any], dialect: Dialect, inner: Callable[[Any], Any], room: str = "") -> Any:
        """Make the object that a dict with a ``__class__`` describes.

        Args:
            data: the dict, from the peer.
            dialect: which names the library's own classes have; those of another one are understood as well, for a
                peer may pass on what it got from elsewhere.
            inner: makes objects of what is inside an exception; must not raise.
            room: the room that proxies are made for; see `WireOptions`.

        Raises:
            SerializeError: the class is not known, or its converter failed.
            SecurityError: its name is refused.
        """
        name = _name_in(data)
        if data.get("__exception__"):
            name, plain = unwrapped(name, data)
            data = dict(plain)
        try:
            converter = self._from_dict.get(name)
            if converter is not None:
                return converter(name, data)
            if data.get("__exception__") or is_library_error(name) or name == "struct.error":
                return exception_from_dict(name, data, inner)
            if "__" in name:
                raise SecurityError(
                    f"refused to read a class with double underscores in its name: {name} (unless a "
                    f"converter is registered for it with SerializerBase.register_dict_to_class)"
                )
            if name == PLACEHOLDER:
                return come_back(data)
            return self._from_library(name, data, dialect, inner, room)
        except (SerializeError, SecurityError):
            raise
        except (Exception, SystemExit) as cause:
            # What a peer sends must not end this program, whatever a converter makes of it.
            raise SerializeError(f"cannot make a {name} of what was received: {cause!r}") from cause

    def _from_library(
        self, name: str, data: dict[str, Any], dialect: Dialect, inner: Callable[[Any], Any], room: str
    ) -> Any:
        dialect = _FAMILIES.get(name, dialect)
        if name == dialect.tags.get("batch-error"):
            error = data.get("exception")
            if isinstance(error, dict) and "__class__" in error:
                error = self.from_dict(error, dialect, inner, room)
            if not isinstance(error, BaseException):
                raise SerializeError(f"the failed call of a batch holds no exception but a {type(error).__name__}")
            return BatchError(error)
        library = self._named.get((dialect, name, room)) or self._find_library(name, dialect, room)
        if library is not None:
            state = data.get("state")
            if not isinstance(state, list | tuple):
                raise SerializeError(f"{name} lacks its state")
            return library.from_state(state, dialect)
        raise SerializeError(
            f"unsupported serialized class: {name} (register a converter with SerializerBase.register_dict_to_class)"
        )

    def _find_library(self, name: str, dialect: Dialect, room: str) -> _LibraryClass | None:
        """Find the class of the library with this name on the wire, for a room if there are several."""
        fitting = [library for library in self._library.values() if dialect.tags.get(library.tag_key) == name]
        if not fitting:
            return None
        here = next((library for library in fitting if library.room == room), fitting[0])
        self._named[dialect, name, room] = here
        return here

    def _note_builtins(self) -> None:
        classes = [*self._to_dict, *self._substitutes, *self._library]
        self.touches_builtins = any(issubclass(cls, _WRITTEN_NATIVELY) for cls in classes)


def attributes_as_dict(obj: Any) -> dict[str, Any]:
    """Give the attributes of an object with the name of its class: the last resort of every serializer.

    An own ``__getstate__`` that gives a dict comes before the attributes. The object is not changed.

    Raises:
        TypeError: the object has no attributes that could be written.
    """
    kind = type(obj)
    if kind.__module__ == "builtins" or isinstance(obj, type):
        # Functions, modules, generators and their like have attributes, but are not made of them.
        raise TypeError(f"{class_name(obj)} has no form that can be written")
    # From Python 3.11 on every object inherits a __getstate__, which gives None for one without attributes.
    own = getattr(kind, "__getstate__", None)
    if own is not None and own is not getattr(object, "__getstate__", None):
        state = obj.__getstate__()
        if isinstance(state, dict):
            return {"__class__": class_name(obj), **state}
    values: dict[str, Any] = {}
    has_slots = False
    for base in reversed(kind.__mro__):
        slots = base.__dict__.get("__slots__")
        if slots is None:
            continue
        has_slots = True
        for slot in (slots,) if isinstance(slots, str) else slots:
            # Python itself mangles slots with two leading underscores, so they are reached under the long name.
            name = f"_{base.__name__.lstrip('_')}{slot}" if slot.startswith("__") and not slot.endswith("__") else slot
            if slot not in ("__dict__", "__weakref__") and hasattr(obj, name):
                values[slot] = getattr(obj, name)
    if hasattr(obj, "__dict__"):
        values.update(vars(obj))
    elif not has_slots:
        raise TypeError(f"{class_name(obj)} has neither attributes nor an own __getstate__ that gives a dict")
    for name in _OF_A_DAEMON:
        values.pop(name, None)
    values["__class__"] = class_name(obj)
    return values


def class_name(obj: Any) -> str:
    """Give the name of an object's class as it stands on the wire: ``module.Name``."""
    kind = type(obj)
    return f"{kind.__module__}.{kind.__name__}"


def register_uri(hooks: Hooks) -> None:
    """Have URIs travel; they are the one class of the library that lives below this floor."""
    hooks.register_library_class(URI, "uri", lambda uri, _dialect: uri.__getstate__(), _uri_from_state)


def _uri_from_state(state: tuple[Any, ...] | list[Any], _dialect: Dialect) -> URI:
    protocol, name, sockname, host, port = state
    if (
        not isinstance(protocol, str)
        or not (sockname is None or isinstance(sockname, str))
        or not (host is None or isinstance(host, str))
        or not (port is None or type(port) is int)
        or not (isinstance(name, str) or all(isinstance(each, str) for each in name))
    ):
        raise SerializeError("the state of a URI has parts of the wrong type")
    uri = URI.__new__(URI)
    uri.__setstate__((protocol, name, sockname, host, port))
    return uri


def _most_specific(registry: Mapping[type, Any], mro: tuple[type, ...]) -> Any:
    if registry:
        for cls in mro:
            if cls in registry:
                return registry[cls]
    return None


def _name_in(data: Mapping[str, Any]) -> str:
    name = data.get("__class__")
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    if not isinstance(name, str):
        raise SerializeError(f"the name of a serialized class is not text but a {type(name).__name__}")
    return name


def _tag(dialect: Dialect, key: str) -> str:
    try:
        return dialect.tags[key]
    except KeyError:
        raise SerializeError(f"{dialect.family} has no form for a {key}") from None


def _check_class(cls: Any) -> None:
    if not isinstance(cls, type) or cls is type:
        raise TypeError(f"hooks are registered for classes, not for {cls!r}")


HOOKS = Hooks()
"""The registry of this process."""

SPEAKER: ContextVar[Any] = ContextVar("pyronb.speaker", default=None)
"""Who is writing at the moment: the link of a client, the conversation of a daemon, or nobody of whom that is known.

Some substitutes depend on it: what one gives to a peer as a proxy must be reachable for that very peer.
"""

register_uri(HOOKS)
