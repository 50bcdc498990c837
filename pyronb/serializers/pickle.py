"""The pickle serializer, and what it shares with its kin: nearly every type, at the price of safety.

Reading a pickle runs whatever its writer put into it. So these serializers are only ever there where somebody chose
them by name (`Catalog`, S44). The hooks of `SerializerBase` do not apply to them (S33); registered objects travel as
proxies all the same.

Between two pyronb ends everything goes under its own name. An exception goes in two forms, whole and plain, so that it
arrives as a `RemoteError` where its class is missing or cannot be made again. To a real Pyro4 the library's own classes
go by the names that they have there: since pickle writes no name that cannot be imported here, such a name is written
as the steps with which the reader imports it.
"""

from __future__ import annotations

import importlib
import pickle
import types
from functools import partial
from io import BytesIO, StringIO
from typing import Any, ClassVar

from pyronb import errors
from pyronb.dialects import DIALECTS, Dialect
from pyronb.options import WireOptions
from pyronb.serializers.base import Buffer, CallParts
from pyronb.serializers.exceptions import exception_from_dict, exception_to_dict, plain_exception
from pyronb.serializers.hooks import HOOKS, BatchError
from pyronb.serializers.trouble import OWN, call_parts, read_error, write_error
from pyronb.uri import URI

__all__ = ["PickleReader", "PickleSerializer", "PickleWriter"]


class PickleWriter:
    """What is written otherwise than pickle would do it; goes before the pickler of one package as a base class."""

    owner: PickleSerializer
    bare: BaseException | None
    """The exception that is to be written whole; any other gets two forms."""

    def reducer_override(self, obj: Any) -> Any:
        """Give what is written for an object, as pickle wants it; NotImplemented leaves that to pickle."""
        other = obj if isinstance(obj, _CODE) else HOOKS.substituted(obj)
        if not self.owner.pyronb_peer:
            # What stands in for an object is always something of the library's.
            reduced = _for_pyro4(other, self.owner.dialect)
        elif other is not obj:
            return itself, (other,)
        elif isinstance(obj, BaseException) and obj is not self.bare:
            reduced = revived, (self.owner.whole(obj), plain_exception(obj, self.owner.dialect))
        else:
            reduced = NotImplemented
        if reduced is NotImplemented:
            inherited = getattr(super(), "reducer_override", None)
            return inherited(obj) if inherited is not None else NotImplemented
        return reduced


class PickleReader:
    """What is read otherwise than pickle would do it; goes before the unpickler of one package as a base class."""

    lenient = False
    """Read for the exception in it: classes that are missing, and exceptions that cannot be made, are stood in for."""

    def find_class(self, module: str, name: str) -> Any:
        """Give what stands under this name over there."""
        if (module, name) == (importlib.__name__, importlib.import_module.__name__):
            return _import
        if (module, name) == (__name__, revived.__name__):
            return partial(revived, reader=type(self))
        known = _ours(module, name)
        if known is not None:
            return known
        full = f"{module}.{name}"
        try:
            found = super().find_class(module, name)  # type: ignore[misc]  # of the unpickler that stands behind
        except (ImportError, AttributeError):
            if self.lenient:
                return partial(errors.RemoteError, full)
            raise
        if self.lenient and isinstance(found, type) and issubclass(found, BaseException):
            return partial(_made_or_told, found, full)
        return found


class _Writer(PickleWriter, pickle.Pickler):
    pass


class _Reader(PickleReader, pickle.Unpickler):
    pass


class PickleSerializer:
    """Writes and reads pickles for one dialect; its kin differ in the package that does the work."""

    name = "pickle"
    call_is_value = True
    writer: ClassVar[Any] = _Writer
    reader: ClassVar[Any] = _Reader

    def __init__(self, dialect: Dialect, options: WireOptions, *, foreign_exceptions: bool) -> None:
        """Make one for a dialect; see `Catalog` for the arguments."""
        self.number = {**dialect.own_serializers, **dialect.serializers}[self.name]
        self.dialect = dialect
        self.pyronb_peer = foreign_exceptions
        self.protocol = self.protocol_of(options)

    @staticmethod
    def protocol_of(options: WireOptions) -> int:
        """Tell which version of the format is written. (S27.)"""
        return options.pickle_protocol

    def dumps(self, value: Any) -> bytes:
        """Write a value."""
        try:
            return self._write(value)
        except OWN:
            raise
        except (Exception, SystemExit) as cause:
            raise write_error(self.name, value, cause) from cause

    def loads(self, data: Buffer) -> Any:
        """Read a value."""
        try:
            return self.reader(BytesIO(data)).load()
        except OWN:
            raise
        except (Exception, SystemExit) as cause:
            told = self._exception_in(data)
            if told is not None:
                return told
            raise read_error(self.name, cause) from cause

    def dumps_call(self, parts: CallParts) -> bytes:
        """Write a call."""
        return self.dumps(tuple(parts))

    def loads_call(self, data: Buffer, *, blob: bool = False) -> CallParts:
        """Read a call."""
        return call_parts(self.name, self.loads(data), blob=blob)

    def whole(self, error: BaseException) -> bytes | None:
        """Write an exception as pickle does it; None when it cannot."""
        try:
            return self._write(error, bare=error)
        except (Exception, SystemExit):  # noqa: BLE001 - its own code may have been asked; the plain form tells of it
            return None

    def _write(self, value: Any, bare: BaseException | None = None) -> bytes:
        out = BytesIO()
        writer = self.writer(out, protocol=self.protocol)
        writer.owner, writer.bare = self, bare
        writer.dump(value)
        return out.getvalue()

    def _exception_in(self, data: Buffer) -> Any:
        """Read an exception, or the results of a batch with one, that cannot be read as they are; else give None."""
        reader = self.reader(BytesIO(data))
        reader.lenient = True
        try:
            value = reader.load()
        except (Exception, SystemExit):  # noqa: BLE001 - the first failure is the one to tell of
            return None
        last = value[-1] if isinstance(value, list) and value else value
        return value if isinstance(last, BaseException | BatchError) else None


def revived(data: bytes | None, plain: dict[str, Any], *, reader: Any = _Reader) -> BaseException:
    """Give an exception of its two forms: the whole one, or else what the plain one tells."""
    told: BaseException = _told(plain)
    if data is None:
        return told
    try:
        error = reader(BytesIO(data)).load()
    except (Exception, SystemExit):  # noqa: BLE001 - a missing class, or one that cannot be made again
        return told
    if not isinstance(error, BaseException):
        return told
    error.__cause__, error.__context__ = told.__cause__, told.__context__
    error.__suppress_context__ = told.__suppress_context__
    return error


def itself(value: Any) -> Any:
    """Give a value as it is: what pickle calls on the other side to have one object in the place of another."""
    return value


def _told(value: Any) -> Any:
    """Make an exception of its plain form, in which there are others only as what it was raised from."""
    if not isinstance(value, dict) or "__exception__" not in value:
        return value
    return exception_from_dict(value["__class__"], value, _told)


def _made_or_told(kind: type[BaseException], name: str, *args: Any) -> BaseException:
    """Make an exception that could not be made along the usual way."""
    try:
        return kind(*args)
    except (Exception, SystemExit):  # noqa: BLE001 - its constructor takes other arguments than it keeps
        return errors.RemoteError(name, *args)


_CODE = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, partial, BytesIO, StringIO)
"""These go by name or by their code, as the package has it: a pickle is made of calls of such functions itself.

Files that lie in memory go with what is in them.
"""


# Names on both sides


class _Foreign:
    """A name of the peer's, which need not be there to be written."""

    def __init__(self, full: str) -> None:
        self.module, _, self.name = full.rpartition(".")

    def __call__(self, *_args: Any) -> Any:
        # Pickle insists that what is called over there could be called here.
        raise TypeError(f"{self.module}.{self.name} cannot be made on this side")


class _ForeignModule:
    def __init__(self, name: str) -> None:
        self.name = name


def _for_pyro4(obj: Any, dialect: Dialect) -> Any:
    """Give what is written for an object of the library, so that a real Pyro4 reads it; else NotImplemented."""
    kind = type(obj)
    if kind is _Foreign:
        return getattr, (_ForeignModule(obj.module), obj.name)
    if kind is _ForeignModule:
        return importlib.import_module, (obj.name,)
    if isinstance(obj, URI):
        return _Foreign(dialect.tags["uri"]), (str(obj),)
    if isinstance(obj, BatchError):
        return _Foreign(dialect.tags["batch-error"]), (obj.exception,)
    key, state = HOOKS.library_state(obj, dialect)
    if key == "proxy":
        uri, oneway, methods, attributes, *rest = state
        state = (URI(uri), set(oneway), set(methods), set(attributes), *rest)
        return _Foreign(dialect.tags["proxy"]), (uri,), state
    if isinstance(obj, BaseException) and kind.__module__.partition(".")[0] == "pyronb":
        form = exception_to_dict(obj, dialect, foreign_exceptions=False)
        return _Foreign(form["__class__"]), tuple(form["args"]), form["attributes"]
    return NotImplemented


class _WrappedError(BatchError):
    """What a real Pyro4 puts into the results of a batch."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        object.__setattr__(self, "exception", state["exception"])


class _Module:
    """A module of real Pyro as far as it is read here, whether it is installed or not."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = _ours(self._name, name)
        if found is None:
            raise AttributeError(f"{self._name}.{name}")
        return found


_TAGS = {tag: key for dialect in DIALECTS.values() for key, tag in dialect.tags.items()}
_ERRORS = frozenset(dialect.errors for dialect in DIALECTS.values())
_MODULES = _ERRORS | {tag.rpartition(".")[0] for tag in _TAGS}
_OWN: dict[str, type] = {"uri": URI, "batch-error": _WrappedError}


def _ours(module: str, name: str) -> Any:
    """Give our counterpart of a name of real Pyro; None when there is none."""
    if module in _ERRORS and name in errors.__all__:
        return getattr(errors, name)
    key = _TAGS.get(f"{module}.{name}", "")
    return _OWN.get(key) or HOOKS.library_class(key)


def _import(name: str) -> Any:
    return _Module(name) if name in _MODULES else importlib.import_module(name)
