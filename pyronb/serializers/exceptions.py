"""Exceptions on the wire: what is written for one, and what is made of what was written.

An exception travels as ``{"__class__", "__exception__": True, "args", "attributes"}`` (wire specification, section 14).
No exception is ever lost on the way:

- of a class that is known here it comes out as itself; of any other class as a `RemoteError`, which keeps all of it and
  goes out again under its original class name when it travels on;
- what an exception was raised from, or during, goes along to a pyronb peer in a plain form, and is linked to it there
  as ``__cause__`` or ``__context__``; a real Pyro client gets it in the text of the traceback;
- a real Pyro client drops its connection over a class name that it does not know. To such a peer the exception goes as
  a ``PyroError`` with a readable text, and keeps its class and arguments in two attributes, from which a pyronb client
  makes the same exception as from the plain form.

Which names become live exceptions is a decision about security: only those of Python itself and of the library, never
one that is looked up by importing something, and never a `BaseException` that would end the reader's program.
"""

from __future__ import annotations

import base64
import builtins
import contextlib
import struct
import sys
from collections.abc import Callable, Container, Mapping
from typing import Any

from pyronb import errors
from pyronb.dialects import DIALECTS, Dialect
from pyronb.errors import RemoteError
from pyronb.tracebacks import format_traceback

__all__ = [
    "exception_from_dict",
    "exception_to_dict",
    "is_library_error",
    "plain_exception",
    "stand_in",
    "unwrapped",
    "writable",
]

_ORIGINAL_CLASS = "pyronb_class"
_ORIGINAL_ARGS = "pyronb_args"

_LIBRARY: dict[str, type[Exception]] = {
    name: getattr(errors, name) for name in errors.__all__ if name != RemoteError.__name__
}
_LIBRARY_MODULES = frozenset({"pyronb.errors", "Pyro4.errors", *(dialect.errors for dialect in DIALECTS.values())})
_OURS_ALONE = frozenset({errors.CancelledError.__name__})
"""Names of those that a real Pyro does not have."""
_BUILTINS: dict[str, type[BaseException]] = {
    name: kind for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
}
# ``exceptions`` is the name that Python 2 gave the module.
_BUILTIN_MODULES = frozenset({"builtins", "exceptions"})
# A real peer does not rebuild what is inside the arguments, and a group refuses anything but exceptions. The others
# came late: an older Python over there does not know them.
_NOT_REBUILT_BY_PYRO = frozenset({"BaseExceptionGroup", "ExceptionGroup", "EncodingWarning", "PythonFinalizationError"})

# What `vars` does not show although it is no part of the arguments either.
_HIDDEN: tuple[tuple[type[BaseException], tuple[str, ...]], ...] = (
    (OSError, ("filename", "filename2")),
    (ImportError, ("name", "path")),
    (NameError, ("name",)),
)
_MAX_DEPTH = 20
"""How deep attributes of an error may be nested."""
_MAX_LINKS = 20
"""Most errors of a chain of causes that go along."""
_MAX_TEXT = 2000
"""Most characters of what stands for a value that cannot be written."""
_LINKS = ("cause", "context")


def exception_to_dict(
    error: BaseException, dialect: Dialect, *, foreign_exceptions: bool, shared: Container[str] = ()
) -> dict[str, Any]:
    """Give the form in which an exception is written.

    Args:
        error: the exception; it is not changed.
        dialect: where the library's own errors get their module name from.
        foreign_exceptions: the peer takes exceptions of any class. When it does not (a real Pyro), classes that it
            would refuse are written as a ``PyroError`` that holds the original.
        shared: class names for which a converter was registered here. Such a name is written as it is also for a
            real Pyro, because a program that registers a converter does so on both of its sides.
    """
    name, args, attributes = _class_name(error, dialect), _args(error), _attributes(error)
    # A stand-in may have text where its class wants something else.
    taken = name in shared or (
        _pyro_takes(name, dialect) and not (isinstance(error, RemoteError) and _refuses(name, args))
    )
    if not foreign_exceptions and not taken:
        text = _text(error)
        if text != name and not text.startswith(f"{name}: "):
            text = f"{name}: {text}" if text else name
        attributes[_ORIGINAL_CLASS] = name
        if _is_plain(args):
            attributes[_ORIGINAL_ARGS] = args
        name, args = f"{dialect.errors}.{errors.PyroError.__name__}", (text,)
    form = {"__class__": name, "__exception__": True, "args": args, "attributes": attributes}
    return {**form, **_linked(error, dialect, _MAX_LINKS)} if foreign_exceptions else form


def plain_exception(error: BaseException, dialect: Dialect, links: int = _MAX_LINKS) -> dict[str, Any]:
    """Give a form of an exception that every serializer writes: what is not plain in it is there as text.

    Args:
        error: the exception; it is not changed.
        dialect: where the library's own errors get their module name from.
        links: how many of the exceptions go along that it was raised from, or during.
    """
    attributes = {key: _plain_or_text(value) for key, value in _attributes(error).items()}
    attributes.setdefault("_pyroTraceback", [writable(line) for line in format_traceback(error, chain=False)])
    return {
        "__class__": writable(_class_name(error, dialect)),
        "__exception__": True,
        "args": tuple(_plain_or_text(arg) for arg in _args(error)),
        "attributes": attributes,
        **_linked(error, dialect, links),
    }


def stand_in(error: BaseException, dialect: Dialect, why: str) -> RemoteError:
    """Give what is written for an exception that holds something that cannot be written: its class, with text for that.

    Args:
        error: the exception; it is not changed.
        dialect: where the library's own errors get their module name from.
        why: what could not be written; it becomes a note.
    """
    form = plain_exception(error, dialect, 0)
    made = _remote_error(form["__class__"], form["args"], form["attributes"])
    notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, str)]
    vars(made)["__notes__"] = [*map(writable, notes), writable(f"not all of this exception could be sent: {why}")]
    made.__cause__, made.__context__ = error.__cause__, error.__context__
    made.__suppress_context__ = error.__suppress_context__
    return made


def unwrapped(name: str, data: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Give the original of an exception that was written for a real Pyro; any other comes back as it is.

    Returns:
        The class name, and the dict as it would have been in the plain form.
    """
    attributes = data.get("attributes")
    if not isinstance(attributes, dict) or not isinstance(original := attributes.get(_ORIGINAL_CLASS), str):
        return name, data
    if name.rpartition(".")[2] != errors.PyroError.__name__ or resolve(name) is not errors.PyroError:
        return name, data
    rest = {key: value for key, value in attributes.items() if key not in (_ORIGINAL_CLASS, _ORIGINAL_ARGS)}
    args = attributes.get(_ORIGINAL_ARGS)
    if not isinstance(args, list | tuple):
        args = tuple(
            arg.removeprefix(f"{original}: ") if isinstance(arg, str) else arg for arg in _sequence(data.get("args"))
        )
    return original, {**data, "__class__": original, "args": args, "attributes": rest}


def exception_from_dict(name: str, data: Mapping[str, Any], inner: Callable[[Any], Any]) -> Exception:
    """Make the exception that a dict of `exception_to_dict`, or of a real Pyro, describes; never raises.

    Args:
        name: its class name.
        data: the dict; arguments and attributes may be missing.
        inner: makes objects of the class dicts inside the arguments and attributes; must not raise.
    """
    args = tuple(inner(arg) for arg in _sequence(data.get("args")))
    found = data.get("attributes")
    attributes = {
        key: inner(value) for key, value in (found.items() if isinstance(found, dict) else ()) if isinstance(key, str)
    }
    kind = resolve(name)
    made = _construct(kind, args) if kind is not None else None
    if made is None:
        made = _remote_error(name, args, attributes)
    else:
        for key, value in attributes.items():
            # Nothing that the peer sends may stand in front of a method, or change what Python keeps in an exception.
            if (_own(key, value) or not key.startswith("__")) and not callable(getattr(type(made), key, None)):
                with contextlib.suppress(Exception):
                    setattr(made, key, value)
    for link in _LINKS:
        linked = inner(data.get(link))
        if isinstance(linked, Exception):
            setattr(made, f"__{link}__", linked)
    return made


def resolve(name: str) -> type[Exception] | None:
    """Find the class for an exception's name on the wire; None when it is not one that comes alive here."""
    module, _, short = name.rpartition(".")
    found: Any = None
    if not module:
        # Both families of Pyro put their own errors before the builtin ones of the same name.
        found = _LIBRARY.get(short) or _BUILTINS.get(short)
    elif module in _BUILTIN_MODULES:
        found = _BUILTINS.get(short)
    elif module in _LIBRARY_MODULES:
        found = _LIBRARY.get(short)
    elif name == "struct.error":
        found = struct.error
    elif module == "sqlite3" and short.endswith("Error"):
        # Too heavy to load for the sake of an exception's name: whoever catches it by class has it loaded.
        found = getattr(sys.modules.get("sqlite3"), short, None)
    # KeyboardInterrupt, SystemExit and their like from another machine must not end this program.
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def writable(text: str) -> str:
    """Give a text without what UTF-8 cannot hold (half surrogates) and serpent refuses (NUL)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def is_library_error(name: str) -> bool:
    """Tell whether this is the wire name of one of the library's own errors, in any family."""
    module, _, short = name.rpartition(".")
    return module in _LIBRARY_MODULES and short in _LIBRARY


def _own(key: str, value: Any) -> bool:
    """Tell whether this attribute is set also on an exception whose class is not known here."""
    if key == "__notes__":
        return isinstance(value, list) and all(isinstance(note, str) for note in value)
    return key == "_pyroTraceback"


def _remote_error(name: str, args: tuple[Any, ...], attributes: Mapping[str, Any]) -> RemoteError:
    made = RemoteError(name, *args)
    made.attributes = {key: value for key, value in attributes.items() if not _own(key, value)}
    for key, value in attributes.items():
        if _own(key, value):
            setattr(made, key, value)
    return made


def _linked(error: BaseException, dialect: Dialect, links: int) -> dict[str, Any]:
    """Give the form of the one exception that Python would show before this one, under the name of the link."""
    cause, context = error.__cause__, error.__context__
    if links == 0 or (cause is None and (context is None or error.__suppress_context__)):
        return {}
    link, other = ("cause", cause) if cause is not None else ("context", context)
    assert other is not None
    return {link: plain_exception(other, dialect, links - 1)}


def _args(error: BaseException) -> tuple[Any, ...]:
    return error.args[1:] if isinstance(error, RemoteError) and error.class_name else error.args


def _construct(kind: type[Exception], args: tuple[Any, ...]) -> Exception | None:
    """Make an exception of this class; None when there is no way to do it with these arguments."""
    for attempt in (args, tuple(_as_bytes(arg) for arg in args)):
        with contextlib.suppress(Exception):
            return kind(*attempt)
    with contextlib.suppress(Exception):
        made = kind.__new__(kind)
        made.args = args
        return made
    return None


def _as_bytes(arg: Any) -> Any:
    """Undo the form in which serpent writes bytes, for constructors that insist on bytes (UnicodeDecodeError)."""
    if isinstance(arg, dict) and arg.get("encoding") == "base64" and isinstance(arg.get("data"), str):
        with contextlib.suppress(ValueError):
            return base64.b64decode(arg["data"], validate=True)
    return arg


def _class_name(error: BaseException, dialect: Dialect) -> str:
    if isinstance(error, RemoteError):
        return error.class_name or f"{dialect.errors}.{errors.PyroError.__name__}"
    kind = type(error)
    if kind.__module__.partition(".")[0] == "pyronb":
        # A class that some part of pyronb made for itself means nothing to the peer; its public base does.
        for base in kind.__mro__:
            if base in _LIBRARY.values():
                return f"{dialect.errors}.{base.__name__}"
    return f"{kind.__module__}.{kind.__name__}"


def _attributes(error: BaseException) -> dict[str, Any]:
    if isinstance(error, RemoteError):
        kept = {key: value for key, value in vars(error).items() if key not in RemoteError.__annotations__}
        return {**error.attributes, **kept}
    attributes = dict(vars(error))
    for kind, names in _HIDDEN:
        if isinstance(error, kind):
            hidden = {name: getattr(error, name, None) for name in names}
            attributes.update({name: value for name, value in hidden.items() if isinstance(value, str)})
    return attributes


def _pyro_takes(name: str, dialect: Dialect) -> bool:
    """Tell whether a real Pyro makes an exception of this name, rather than dropping its connection."""
    module, _, short = name.rpartition(".")
    if module == "builtins":
        return resolve(name) is not None and short not in _NOT_REBUILT_BY_PYRO
    if module == dialect.errors:
        return short in _LIBRARY and short not in _OURS_ALONE
    return name in dialect.more_errors or (module == "sqlite3" and short.endswith("Error"))


def _refuses(name: str, args: tuple[Any, ...]) -> bool:
    """Tell whether the class of this name, where it is known here, cannot be made with these arguments."""
    kind = resolve(name)
    try:
        if kind is not None:
            kind(*args)
    except Exception:  # noqa: BLE001 - whatever it is, the peer would get it too
        return True
    return False


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - a broken __str__ must not hide the exception it belongs to
        return f"(its text raised {type(broken).__name__})"


def _plain_or_text(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """Give a value with text in the place of whatever is not plain in it."""
    kind = type(value)
    if kind is str:
        return writable(value)
    if kind in (int, float, bool, type(None)):
        return value
    if kind in (list, tuple) and depth:
        return kind(_plain_or_text(item, depth - 1) for item in value)
    if kind is dict and depth and all(type(key) is str for key in value):
        return {writable(key): _plain_or_text(item, depth - 1) for key, item in value.items()}
    try:
        text = repr(value)
    except Exception as broken:  # noqa: BLE001 - any object may be met here
        text = f"<{type(value).__name__}; its repr raised {type(broken).__name__}>"
    return writable(text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…")


def _is_plain(value: Any, depth: int = _MAX_DEPTH) -> bool:
    """Tell whether every serializer writes this value, and every peer reads it."""
    kind = type(value)
    if kind in (str, int, float, bool, type(None)):
        return True
    if depth == 0:
        return False
    if kind in (list, tuple):
        return all(_is_plain(item, depth - 1) for item in value)
    return kind is dict and all(type(key) is str and _is_plain(item, depth - 1) for key, item in value.items())


def _sequence(value: Any) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, list | tuple) else ()
