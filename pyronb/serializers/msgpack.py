"""The msgpack serializer: small and fast, with bytes as they are.

Four types travel as extensions (wire specification, section 16.2), in native byte order as real Pyro does it:

====  ========================================================
0x30  complex: two doubles
0x31  int beyond 64 bits: ASCII digits
0x32  datetime without a time zone: a double, POSIX timestamp
0x33  date: a C ``long``, ordinal; 4 or 8 bytes are read
====  ========================================================
"""

from __future__ import annotations

import datetime as dt
import re
import struct
from collections.abc import Callable
from typing import Any

import msgpack

from pyronb.dialects import Dialect
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import Buffer, CallParts
from pyronb.serializers.hooks import HOOKS
from pyronb.serializers.plain import Plainer
from pyronb.serializers.recreate import MARK, recreate
from pyronb.serializers.trouble import OWN, call_parts, read_error, write_error

__all__ = ["MsgpackSerializer"]

_COMPLEX, _LONG_INT, _DATETIME, _DATE = 0x30, 0x31, 0x32, 0x33
_DOUBLE = struct.Struct("d")
_DOUBLES = struct.Struct("dd")
_LONG = struct.Struct("l")
_LONGS = {4: struct.Struct("=i"), 8: struct.Struct("=q")}
# A memoryview can be searched by a pattern only, and need not be copied for it.
_has_mark = re.compile(MARK.encode()).search
# Bytes that lack even the first letter of the mark, as many do, are told in a tenth of the time.
_FIRST = ord(MARK[0])
# Searching more than this takes longer than looking at each dict.
_SEARCH_BELOW = 1 << 20
# A packer keeps the memory of the largest message that it has written.
_KEEP_BELOW = 1 << 20


class MsgpackSerializer:
    """Writes and reads msgpack for one dialect."""

    name = "msgpack"
    call_is_value = True

    def __init__(self, dialect: Dialect, options: WireOptions, *, foreign_exceptions: bool) -> None:
        """Make one for a dialect; see `Catalog` for the arguments."""
        self._room = options.room
        self.number = dialect.serializers[self.name]
        self._dialect = dialect
        self._plainer = Plainer(dialect, foreign_exceptions=foreign_exceptions)
        # Making a packer costs more than a small message. One that is at work must not be used by another thread, nor
        # by a hook that writes something itself, so each writer takes one out.
        self._idle: list[msgpack.Packer] = []

    def dumps(self, value: Any) -> bytes:
        """Write a value."""
        try:
            packer = self._idle.pop()
        except IndexError:
            packer = msgpack.Packer(use_bin_type=True, default=self._other)
        try:
            data: bytes = packer.pack(self._plainer.without_hooked(value) if HOOKS.touches_builtins else value)
        except OWN:
            raise
        except Exception as cause:
            # The packer may hold half a message now; it is not used again.
            raise write_error(self.name, value, cause) from cause
        if len(data) < _KEEP_BELOW:
            self._idle.append(packer)
        return data

    def loads(self, data: Buffer) -> Any:
        """Read a value."""
        try:
            # No length is believed beyond the length of the data: that is what unpackb takes for its limits.
            if len(data) < _SEARCH_BELOW:
                value = msgpack.unpackb(data, raw=False, strict_map_key=False, ext_hook=_extension)
                if (type(data) is bytes and _FIRST not in data) or not _has_mark(data):
                    return value
                return recreate(value, self._dialect, self._room, inside_out=True)
            marked: list[bool] = []

            def look(made: dict[Any, Any]) -> dict[Any, Any]:
                if MARK in made:
                    marked.append(True)
                return made

            value = msgpack.unpackb(data, raw=False, strict_map_key=False, ext_hook=_extension, object_hook=look)
            return recreate(value, self._dialect, self._room, inside_out=True) if marked else value
        except OWN:
            raise
        except Exception as cause:
            raise read_error(self.name, cause) from cause

    def dumps_call(self, parts: CallParts) -> bytes:
        """Write a call."""
        return self.dumps(parts)

    def loads_call(self, data: Buffer, *, blob: bool = False) -> CallParts:
        """Read a call."""
        return call_parts(self.name, self.loads(data), blob=blob)

    def _other(self, obj: Any) -> Any:
        """Give what is written for an object that msgpack does not know."""
        other = self._plainer.hooked(obj)
        if other is not obj:
            return other
        if isinstance(obj, dt.datetime):
            if obj.tzinfo is not None:
                raise SerializeError(
                    "msgpack cannot write a datetime with a time zone; use serpent, or its isoformat()"
                )
            return msgpack.ExtType(_DATETIME, _DOUBLE.pack(obj.timestamp()))
        for kind, write in _EXTENDED:
            if isinstance(obj, kind):
                return write(obj)
        other = self._plainer(obj)
        # Msgpack asks but once: a time of numpy is a date now, for which it would have to ask again.
        return self._other(other) if isinstance(other, dt.date) else other


_EXTENDED: tuple[tuple[type, Any], ...] = (
    (int, lambda value: msgpack.ExtType(_LONG_INT, str(value).encode("ascii"))),
    (complex, lambda value: msgpack.ExtType(_COMPLEX, _DOUBLES.pack(value.real, value.imag))),
    (dt.date, lambda value: msgpack.ExtType(_DATE, _LONG.pack(value.toordinal()))),
)


def _extension(code: int, data: bytes) -> Any:
    """Read one of the four extensions."""
    read = _EXTENSIONS.get(code)
    if read is None:
        raise SerializeError(f"msgpack data has an extension of unknown type {code:#x}")
    return read(data)


def _date(data: bytes) -> dt.date:
    if len(data) not in _LONGS:
        raise SerializeError(f"msgpack data has a date of {len(data)} bytes")
    return dt.date.fromordinal(_LONGS[len(data)].unpack(data)[0])


_EXTENSIONS: dict[int, Callable[[bytes], Any]] = {
    _COMPLEX: lambda data: complex(*_DOUBLES.unpack(data)),
    _LONG_INT: int,
    _DATETIME: lambda data: dt.datetime.fromtimestamp(_DOUBLE.unpack(data)[0]),  # noqa: DTZ006 - naive on the wire
    _DATE: _date,
}
