"""The serpent serializer: a Python literal as text, and the default of Pyro.

Writing is done by the serpent package, through a subclass with a dispatch table of its own, so that neither we nor Pyro
in the same process change what the other writes. Some things are written otherwise than real Pyro does, so that a peer
can read them: bytes as literals where the peer would otherwise get them as a dict in an exception, numpy's numbers as
numbers, an OrderedDict as a dict. Reading needs no package at all.

Most values are no work for the package, nor for Python's parser: `nearlyjson` knows which, and is much faster.
"""

from __future__ import annotations

import enum
import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any, ClassVar

import serpent

from pyronb.dialects import Dialect
from pyronb.options import WireOptions
from pyronb.serializers import nearlyjson
from pyronb.serializers.base import Buffer, CallParts
from pyronb.serializers.hooks import HOOKS, attributes_as_dict, class_name
from pyronb.serializers.literals import parse
from pyronb.serializers.plain import Plainer
from pyronb.serializers.recreate import MARK, recreate
from pyronb.serializers.trouble import OWN, call_parts, read_error, write_error
from pyronb.uri import URI

__all__ = ["SerpentSerializer"]

_BYTES = frozenset({bytes, bytearray, memoryview})
_HEADER = "# serpent utf-8 python3.2\n"
_uri_in = re.compile(
    rf"(?:{_HEADER})?{{'__class__': ?'([\w.]+)', ?"
    r"'state': ?\('PYRO', ?'([^'\\\x00-\x1f]+)', ?None, ?'([^'\\\x00-\x1f]+)', ?(0|[1-9][0-9]{0,4})\)}"
).fullmatch
"""Finds class, object, host and port in the usual answer of a name server."""


class SerpentSerializer:
    """Writes and reads serpent's text for one dialect."""

    name = "serpent"
    call_is_value = True

    def __init__(self, dialect: Dialect, options: WireOptions, *, foreign_exceptions: bool) -> None:
        """Make one for a dialect; see `Catalog` for the arguments."""
        self.number = dialect.serializers[self.name]
        self._dialect = dialect
        self._bytes_repr = options.bytes_repr
        self._room = options.room
        self._plainer = Plainer(dialect, foreign_exceptions=foreign_exceptions)

    def dumps(self, value: Any) -> bytes:
        """Write a value."""
        try:
            # What name servers answer with is a dict of plain values on the wire.
            text = nearlyjson.write(self._plainer.hooked(value) if type(value) is URI else value)
            if text is not nearlyjson.UNKNOWN:
                return f"{_HEADER}{text}".encode()
            return _Writer(self._plainer, bytes_repr=self._bytes_repr).serialize(value)
        except OWN:
            raise
        except Exception as cause:
            raise write_error(self.name, value, cause) from cause

    def loads(self, data: Buffer) -> Any:
        """Read a value."""
        try:
            text = str(data, "utf-8")
            marked = MARK in text
            if marked and (uri := self._read_uri(text)) is not None:
                return uri
            value = nearlyjson.read(text, len(_HEADER) if text.startswith(_HEADER) else 0)
            if value is nearlyjson.UNKNOWN:
                value = parse(text)
            return recreate(value, self._dialect, self._room) if marked else value
        except OWN:
            raise
        except Exception as cause:
            raise read_error(self.name, cause) from cause

    def _read_uri(self, text: str) -> URI | None:
        """Read a text that is an address of the usual kind and nothing else; None when it is not."""
        match = _uri_in(text)
        if match is None or match[1] != self._dialect.tags["uri"] or HOOKS.reads(match[1]):
            return None
        _, name, host, port = match.groups()
        uri = URI.__new__(URI)
        uri.__setstate__(("PYRO", name, None, host, int(port)))
        return uri

    def dumps_call(self, parts: CallParts) -> bytes:
        """Write a call."""
        return self.dumps(tuple(parts))

    def loads_call(self, data: Buffer, *, blob: bool = False) -> CallParts:
        """Read a call."""
        return call_parts(self.name, self.loads(data), blob=blob)


class _Writer(serpent.Serializer):  # type: ignore[misc]  # the package has no types
    """Writes one value; made anew for each, because it keeps notes about the value while it writes."""

    dispatch: ClassVar[dict[type, Callable[..., None]]] = dict(serpent.Serializer.dispatch)

    def __init__(self, plainer: Plainer, *, bytes_repr: bool) -> None:
        super().__init__(module_in_classname=True, bytes_repr=bytes_repr)
        self.plainer = plainer
        self.serialized_obj_ids: set[int] = set()
        # The package asks this table about everything but exact builtin types.
        self.special_classes_registry_copy = {object: _write_other}

    def serialize(self, obj: Any) -> bytes:
        """Write a value, without the package's global table and without stopping the garbage collector."""
        out = [_HEADER]
        self._serialize(obj, out, 0)
        return "".join(out).encode("utf-8")

    def _serialize(self, obj: Any, out: list[str], level: int) -> None:
        if type(obj) in _BYTES and not self.bytes_repr:
            # The package makes a dict and its repr, which takes longer than the base64.
            out += ("{'data':'", b64encode(obj).decode("ascii"), "','encoding':'base64'}")
        else:
            super()._serialize(obj, out, level)

    def _check_hashable_type(self, t: type) -> None:
        if issubclass(t, bytes) and not self.bytes_repr:
            raise TypeError("bytes as keys or in sets arrive as dicts, which cannot be keys; set SERPENT_BYTES_REPR")
        if not issubclass(t, str | tuple):
            super()._check_hashable_type(t)


def _write_other(obj: Any, writer: _Writer, out: list[str], level: int) -> None:
    """Write an object that is not of an exact builtin type."""
    other = writer.plainer.hooked(obj)
    if other is obj:
        exact = next((convert for kind, convert in _EXACT if isinstance(obj, kind)), None)
        other = exact(obj) if exact is not None else writer.plainer.plain(obj)
    if other is obj:
        write = next((writer.dispatch[kind] for kind in type(obj).__mro__ if kind in writer.dispatch), None)
        if write is not None:
            write(writer, obj, out, level)
            return
        other = attributes_as_dict(obj)
    if id(obj) in writer.serialized_obj_ids:
        raise ValueError(f"{class_name(obj)} contains itself")
    bytes_repr = writer.bytes_repr
    # The constructors of exceptions insist on bytes where they take them (UnicodeDecodeError).
    writer.bytes_repr = bytes_repr or isinstance(obj, BaseException)
    writer.serialized_obj_ids.add(id(obj))
    writer._serialize(other, out, level)
    writer.serialized_obj_ids.discard(id(obj))
    writer.bytes_repr = bytes_repr


# Before the package's own table, which loses the value of a text and takes a number of numpy by its repr.
_EXACT: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (enum.Enum, lambda value: value.value),
    (str, lambda value: str.__getitem__(value, slice(None))),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (bytearray, bytes),
)
