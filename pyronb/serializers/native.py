"""The native serializer: between two pyronb ends, and only there. Values arrive as they were.

It is msgpack underneath, with strict types, so that nothing is taken for something simpler on the way. What msgpack has
no form for travels as an extension, whose data is mostly msgpack again. A map is never taken for an object, whatever
its keys are. Reading makes values of the types below and objects of registered classes, and never runs code.

====  ==============================================================================
0x01  tuple, 0x02 set, 0x03 frozenset: the items
0x04  int beyond 64 bits: two's complement, least byte first
0x05  complex: two doubles
0x06  Decimal: text, 0x07 Fraction: numerator and denominator
0x08  UUID: 16 bytes
0x09  list of tuples of one size, as an argument or a result: the size, the items of all
0x10  date, 0x11 time, 0x12 datetime: ISO 8601 text; after an ``f``, the later one of
      two times that the clock shows twice (`datetime.datetime.fold`)
0x13  timedelta: days, seconds, microseconds
0x20  OrderedDict: the pairs
0x21  range: start, stop, step
0x30  object of a class: the dict that the hooks make of it
0x40  array of numpy: type, shape, order, memory
0x41  array.array: type code, bytes of an item, order of their bytes, memory
0x42  bytes whose memory follows: place, size
0x43  table, batch or column of Arrow: kind, size, IPC stream
0x44  DataFrame, Series or Index of pandas: parts (see `frames`)
0x45  DataFrame or Series of polars: kind, table of Arrow
====  ==============================================================================

The memory of an array lies inside the extension when it is small. Otherwise its place is there, and the memory follows
after everything else: the data is then ``0xc1``, which no msgpack begins with, the length of the msgpack in four bytes,
the msgpack, and the memory of all arrays, each beginning at a multiple of 64. So nothing is copied on either end.

Large bytes follow in the same way where they are found without a search: as an argument or a result, and first or last
in a list or tuple that is one. They are not copied by the writer, and once by the reader, for bytes have memory of
their own. (Receiving straight into it would save no time: the system gives it in small pages.)

Tuples are what calls and small results are mostly made of, and need no extension where there is no list to tell them
from: data that begins with an array of less than 16 items, whose size is told in two bytes all the same (``0xdc``,
which msgpack itself never writes for so few), has nothing but tuples for arrays, itself too.

Enums travel as their values and dataclasses as dicts of their fields, unless a hook says otherwise; a subclass of a
builtin type as that type; bytearray and memoryview as bytes; a time zone as its offset.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import importlib
import struct
import sys
from array import array
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import chain
from typing import Any
from uuid import UUID

import msgpack

from pyronb.dialects import Dialect
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import BATCH_METHOD, Buffer, CallParts, Scattered
from pyronb.serializers.beside import HOLDERS, Apart, apart
from pyronb.serializers.plain import Plainer
from pyronb.serializers.recreate import MARK, recreate
from pyronb.serializers.trouble import OWN, call_parts, read_error, write_error

__all__ = ["NativeSerializer"]

_DEEPEST = 64
"""Extensions inside extensions. Each takes 40 KB of stack to read, and a stranger must not exhaust it."""
# A packer keeps the memory of the largest message that it has written.
_KEEP_BELOW = 1 << 20

_TUPLE, _SET, _FROZENSET, _INT, _COMPLEX, _DECIMAL, _FRACTION, _UUID, _ROWS = range(1, 10)
_DATE, _TIME, _DATETIME, _TIMEDELTA = range(0x10, 0x14)
_ORDERED, _RANGE = 0x20, 0x21
_OBJECT = 0x30
_ARRAY, _PLAIN_ARRAY, _BYTES, _ARROW, _PANDAS, _POLARS = range(0x40, 0x46)

_BESIDE = 8 * 1024
"""Bytes of an array's memory from which on it is not copied."""
_MARK_BESIDE = b"\xc1"
_BESIDE_BYTE = _MARK_BESIDE[0]
_HEAD = struct.Struct(">cI")
_ALIGNMENT = 64

_ARRAY16 = 0xDC
_TUPLES = tuple(struct.pack(">BH", _ARRAY16, size) for size in range(16))
"""What data begins with in which each array is a tuple, by the size of the first one."""
_FEW = len(_TUPLES)
_CALL = _TUPLES[4]
_ATOMS = frozenset({type(None), bool, int, float, str})
"""Types that have one form. (Bytes may be large, and go apart.)"""
_all_atoms = _ATOMS.issuperset
_all_tuples = frozenset({tuple}).issuperset
_MANY_ROWS = 4
"""Tuples from which on they take one extension sooner than one each."""

_DOUBLES = struct.Struct("<dd")
_PLACE = struct.Struct("<QQ")
_CHARACTERS = "uw"
"""Type codes of array.array whose items are characters, of a size that depends on the system."""
_FAMILIES = ("bhilq", "BHILQ", "f", "d")
"""Type codes that stand for one another where their items are of other sizes: a C long has 4 or 8 bytes."""
_new_tuple = tuple.__new__
"""Makes an `ExtType` without the checks of its own constructor, which is not needed for codes and bytes of ours."""
_LATER = b"f"


class _Rows:
    """A list that has nothing but tuples of one size in it."""

    __slots__ = ("rows",)

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.rows = rows


def _laid_out(value: Any) -> Any:
    """Give what is written for an argument or a result: mostly the value itself."""
    return _Rows(value) if type(value) is list and len(value) >= _MANY_ROWS and _are_rows(value) else apart(value)


def _are_rows(values: list[Any]) -> bool:
    size = len(values[0]) if type(values[0]) is tuple else 0
    return size > 0 and _all_tuples(map(type, values)) and len(set(map(len, values))) == 1


class NativeSerializer:
    """Writes and reads values as they are, for two pyronb ends."""

    name = "native"
    call_is_value = True

    def __init__(self, dialect: Dialect, options: WireOptions, *, foreign_exceptions: bool) -> None:
        """Make one for a dialect; see `Catalog` for the arguments."""
        self._room = options.room
        self.number = dialect.own_serializers[self.name]
        self._dialect = dialect
        self._plainer = Plainer(dialect, foreign_exceptions=foreign_exceptions)
        self._read_extension = _Reader(dialect, self._room).extension
        # Making one costs more than a small message. One that is at work must not be used by another thread, nor by a
        # hook that writes something itself, so whoever writes takes one out.
        self._idle: list[_Writer] = []
        # The same for what is written without a writer: tuples of atoms, and atoms.
        self._packers: list[msgpack.Packer] = []

    def dumps(self, value: Any) -> bytes:
        """Write a value."""
        kind = type(value)
        if kind in _ATOMS or (kind is tuple and len(value) < _FEW and _all_atoms(map(type, value))):
            data = self._plainly(value)
            if data:
                return _TUPLES[len(value)] + data[1:] if kind is tuple else data
        if kind in HOLDERS:
            value = _laid_out(value)
        return self._dumps(value)

    def _plainly(self, value: Any) -> bytes:
        """Write what has nothing but atoms and tuples in it; nothing comes of it where an int is too large for that."""
        try:
            packer = self._packers.pop()
        except IndexError:
            packer = msgpack.Packer(use_bin_type=True)
        try:
            data: bytes = packer.pack(value)
        except (OverflowError, ValueError):
            return b""  # A writer finds out what it is.
        if len(data) < _KEEP_BELOW:
            self._packers.append(packer)
        return data

    def _dumps(self, value: Any) -> bytes:
        try:
            writer = self._idle.pop()
        except IndexError:
            writer = _Writer(self._plainer)
        try:
            data = writer.pack(value)
        except OWN:
            raise
        except Exception as cause:
            # The writer may hold half a message now; it is not used again.
            raise write_error(self.name, value.rows if type(value) is _Rows else value, cause) from cause
        size = len(data)
        if writer.beside:
            data = writer.with_memory(data)
        if size < _KEEP_BELOW:
            # From here on it is another thread's.
            self._idle.append(writer)
        return data

    def loads(self, data: Buffer) -> Any:
        """Read a value."""
        extension = self._read_extension
        try:
            first = data[0]
            if first == _ARRAY16 and data[1] == 0 and data[2] < _FEW:
                return msgpack.unpackb(data, use_list=False, strict_map_key=False, ext_hook=extension)
            if first == _BESIDE_BYTE:
                data, reader = self._split(memoryview(data))
                extension = reader.extension
            # No length is believed beyond the length of the data: that is what unpackb takes for its limits.
            return msgpack.unpackb(data, raw=False, strict_map_key=False, ext_hook=extension)
        except OWN:
            raise
        except Exception as cause:
            raise read_error(self.name, cause) from cause

    def beside(self) -> _Writer:
        """Give a writer of what goes beside the payload of another serializer."""
        return _Writer(self._plainer)

    def split(self, data: Buffer) -> tuple[memoryview, _Reader]:
        """Take what such a writer has joined to a payload from it again, with a reader for it.

        Raises:
            SerializeError: nothing was joined to it.
        """
        view = memoryview(data)
        if view[:1] != _MARK_BESIDE or len(view) < _HEAD.size:
            raise SerializeError("received data should have memory beside it, and has none")
        return self._split(view)

    def _split(self, data: memoryview) -> tuple[memoryview, _Reader]:
        _, size = _HEAD.unpack_from(data)
        end = _HEAD.size + size
        return data[_HEAD.size : end], _Reader(self._dialect, self._room, _Memory(data[end + -end % _ALIGNMENT :]))

    def dumps_call(self, parts: CallParts) -> bytes:
        """Write a call."""
        object_id, method, args, kwargs = parts
        if type(args) is tuple:
            tuples = False
            for arg in args:
                kind = type(arg)
                if kind is tuple and _all_atoms(map(type, arg)):
                    tuples = True
                elif kind not in _ATOMS:
                    break
            else:
                data = b"" if kwargs else self._plainly((object_id, method, args, kwargs))
                if data:
                    return _CALL + data[1:] if tuples else data
            # The outer sequences are none of the caller's values; as lists they cost nothing.
            args = [_laid_out(arg) if type(arg) in HOLDERS else arg for arg in args]
        elif method == BATCH_METHOD:
            # Nor are the entries and their own sequences.
            args = [[name, _laid_out([*each]), named] for name, each, named in args]
        return self._dumps([object_id, method, args, kwargs])

    def loads_call(self, data: Buffer, *, blob: bool = False) -> CallParts:
        """Read a call."""
        return call_parts(self.name, self.loads(data), blob=blob)


class _Writer:
    """Writes one value at a time. What is inside an extension is written by a further packer, one for each depth."""

    __slots__ = ("_at", "_depth", "_packers", "_plainer", "beside")

    def __init__(self, plainer: Plainer) -> None:
        self._plainer = plainer
        self._packers: list[msgpack.Packer] = []
        self._depth = 0
        self.beside: list[Buffer] = []
        self._at = 0

    def put(self, value: Any) -> tuple[int, int]:
        """Write a value beside the payload of another serializer."""
        data = self.pack(value)
        return self.place(data), len(data)

    def place(self, *pieces: Buffer) -> int:
        """Have memory follow after everything else and give its place there."""
        place = self._at
        size = sum(map(len, pieces))
        padding = -size % _ALIGNMENT
        self.beside += (*pieces, bytes(padding)) if padding else pieces
        self._at += size + padding
        return place

    def with_memory(self, data: bytes) -> bytes:
        """Give what was written together with the memory that follows it."""
        padding = -(_HEAD.size + len(data)) % _ALIGNMENT
        head = _HEAD.pack(_MARK_BESIDE, len(data))
        beside, self.beside, self._at = self.beside, [], 0
        return Scattered(head + data + bytes(padding), beside)

    def pack(self, value: Any) -> bytes:
        """Write a value."""
        depth = self._depth
        if depth == len(self._packers):
            if depth > _DEEPEST:
                raise SerializeError(f"native writes at most {_DEEPEST} tuples, sets and objects inside one another")
            self._packers.append(msgpack.Packer(use_bin_type=True, strict_types=True, default=self._other))
        self._depth = depth + 1
        packer = self._packers[depth]
        # A tuple is what `_other` would make of it; results often are tuples.
        data: bytes = (
            packer.pack_ext_type(_TUPLE, self.pack(list(value))) if type(value) is tuple else packer.pack(value)
        )
        self._depth = depth
        return data

    def extension(self, code: int, value: Any) -> msgpack.ExtType:
        """Write a value as the inside of an extension."""
        return msgpack.ExtType(code, self.pack(value))

    def _other(self, obj: Any) -> Any:
        """Give what is written for an object that msgpack has no form for."""
        kind = type(obj)
        code = _SEQUENCES.get(kind)
        if code is not None:
            return _new_tuple(msgpack.ExtType, (code, self.pack(list(obj))))
        other = self._plainer.hooked(obj)
        if other is obj:
            write = _WRITERS.get(kind)
            if write is not None:
                return write(self, obj)
            write = _foreign(kind)
            if write is not None:
                return write(self, obj)
            other = self._simpler(obj)
        if isinstance(other, dict) and MARK in other:
            return self.extension(_OBJECT, other)
        # The packer asks only once.
        return other if type(other) in _FINAL or (type(other) is int and _fits(other)) else self._other(other)

    def _simpler(self, obj: Any) -> Any:
        for base, simplify in _SIMPLER:
            if isinstance(obj, base):
                return simplify(obj)
        if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
            return {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj)}
        return self._plainer(obj)


def _part(name: str, package: str) -> Any:
    """Load what knows the values of another package, which it imports.

    Raises:
        SerializeError: the package is not installed.
    """
    try:
        return importlib.import_module(f"pyronb.serializers.{name}")
    except ImportError as error:
        raise SerializeError(
            f"a value of {package} travels, and {package} cannot be used here: {error} (pip install {package})"
        ) from error


_Write = Callable[[_Writer, Any], Any]


def _moment(code: int) -> _Write:
    def write(_: _Writer, value: Any) -> msgpack.ExtType:
        later = _LATER if getattr(value, "fold", 0) else b""
        return msgpack.ExtType(code, later + value.isoformat().encode("ascii"))

    return write


def _write_int(_: _Writer, value: int) -> msgpack.ExtType:
    return msgpack.ExtType(_INT, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _write_apart(writer: _Writer, value: Apart) -> msgpack.ExtType:
    return msgpack.ExtType(_BYTES, _PLACE.pack(writer.place(value.memory), value.memory.nbytes))


def _write_plain_array(writer: _Writer, value: array[Any]) -> msgpack.ExtType:
    if value.typecode in _CHARACTERS:
        return writer.extension(_PLAIN_ARRAY, [value.typecode, value.tounicode()])
    memory = memoryview(value).cast("B") if value else b""
    where = writer.place(memory) if len(memory) >= _BESIDE else bytes(memory)
    return writer.extension(_PLAIN_ARRAY, [value.typecode, value.itemsize, sys.byteorder, len(memory), where])


def _write_numpy(writer: _Writer, value: Any) -> msgpack.ExtType:
    description, shape, order, memory = _part("arrays", "numpy").to_parts(value)
    where = writer.place(memory) if len(memory) >= _BESIDE else bytes(memory)
    return writer.extension(_ARRAY, [description, shape, order, where])


def _write_arrow(writer: _Writer, value: Any) -> msgpack.ExtType:
    kind, pieces = _part("arrow", "pyarrow").to_parts(value)
    size = sum(map(len, pieces))
    where = writer.place(*pieces) if size >= _BESIDE else b"".join(pieces)
    return writer.extension(_ARROW, [kind, size, where])


def _write_pandas(writer: _Writer, value: Any) -> msgpack.ExtType:
    return writer.extension(_PANDAS, _part("frames", "pandas").to_parts(value))


def _write_polars(writer: _Writer, value: Any) -> msgpack.ExtType:
    return writer.extension(_POLARS, _part("polars", "polars").to_parts(value))


_FOREIGN: dict[tuple[str, str], _Write] = {
    ("numpy", "ndarray"): _write_numpy,
    ("pandas", "DataFrame"): _write_pandas,
    ("pandas", "Index"): _write_pandas,
    ("pandas", "Series"): _write_pandas,
    ("polars", "DataFrame"): _write_polars,
    ("polars", "Series"): _write_polars,
    ("pyarrow", "Array"): _write_arrow,
    ("pyarrow", "ChunkedArray"): _write_arrow,
    ("pyarrow", "RecordBatch"): _write_arrow,
    ("pyarrow", "Table"): _write_arrow,
}
"""How classes of other packages are written, by package and name: a program that has an instance has loaded them."""


def _foreign(kind: type) -> _Write | None:
    for base in kind.__mro__:
        write = _FOREIGN.get((base.__module__.partition(".")[0], base.__name__))
        if write is not None:
            return write
    return None


def _fits(value: int) -> bool:
    return -(1 << 63) <= value < 1 << 64


_FINAL = frozenset({type(None), bool, float, str, bytes, list, dict, msgpack.ExtType})
_SEQUENCES: dict[type, int] = {tuple: _TUPLE, set: _SET, frozenset: _FROZENSET}
_WRITERS: dict[type, _Write] = {
    int: _write_int,
    complex: lambda _, value: msgpack.ExtType(_COMPLEX, _DOUBLES.pack(value.real, value.imag)),
    Decimal: lambda _, value: msgpack.ExtType(_DECIMAL, str(value).encode("ascii")),
    Fraction: lambda writer, value: writer.extension(_FRACTION, [value.numerator, value.denominator]),
    UUID: lambda _, value: msgpack.ExtType(_UUID, value.bytes),
    dt.date: _moment(_DATE),
    dt.time: _moment(_TIME),
    dt.datetime: _moment(_DATETIME),
    dt.timedelta: lambda writer, value: writer.extension(_TIMEDELTA, [value.days, value.seconds, value.microseconds]),
    OrderedDict: lambda writer, value: writer.extension(_ORDERED, [list(pair) for pair in value.items()]),
    range: lambda writer, value: writer.extension(_RANGE, [value.start, value.stop, value.step]),
    array: _write_plain_array,
    Apart: _write_apart,
    # An extension for each tuple would take two callbacks on each end.
    _Rows: lambda writer, value: writer.extension(_ROWS, [len(value.rows[0]), *chain.from_iterable(value.rows)]),
}
_SIMPLER: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (Enum, lambda value: value.value),
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (complex, complex),
    (OrderedDict, OrderedDict),
    (dict, dict),
    (list, list),
    (tuple, tuple),
    (set, set),
    (frozenset, frozenset),
    (dt.datetime, lambda value: dt.datetime.combine(value.date(), value.timetz())),
    (dt.date, lambda value: dt.date(value.year, value.month, value.day)),
    (Decimal, Decimal),
)
"""What subclasses of builtin types, and enums, are written as."""


class _Memory:
    """The memory that follows the msgpack of one message."""

    __slots__ = ("_left", "_view")

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._left = len(view)

    def part(self, where: Any, size: Any) -> memoryview:
        """Give the memory at a place.

        Raises:
            SerializeError: it is not there, or more is asked for than came: a stranger could name one place many times.
        """
        if type(where) is not int or type(size) is not int or where < 0 or size < 0:
            raise SerializeError("native data has memory without a proper place")
        self._left -= size
        if self._left < 0 or where + size > len(self._view):
            raise SerializeError(f"native data lacks {size} bytes of memory")
        return self._view[where : where + size]


class _Reader:
    """Reads extensions at one depth of extensions inside one another.

    Messages without memory share a reader for each depth; memory that follows a message makes readers for it alone.
    """

    __slots__ = ("_depth", "_dialect", "_extension_inside", "_memory", "_room")

    def __init__(self, dialect: Dialect, room: str, memory: _Memory | None = None, depth: int = 0) -> None:
        self._dialect = dialect
        self._room = room
        self._memory = memory
        self._depth = depth
        self._extension_inside: Callable[[int, bytes], Any] | None = None

    def _deeper(self) -> Callable[[int, bytes], Any]:
        """Give what reads the extensions inside those of this depth.

        Raises:
            SerializeError: there must be none.
        """
        if self._depth == _DEEPEST:
            raise SerializeError(f"native data has more than {_DEEPEST} tuples, sets and objects inside one another")
        inside = _Reader(self._dialect, self._room, self._memory, self._depth + 1).extension
        self._extension_inside = inside
        return inside

    def memory(self, where: Any, size: Any) -> memoryview:
        """Give memory that follows the msgpack, or lies in an extension.

        Raises:
            SerializeError: it is not there.
        """
        if type(where) is bytes and len(where) == size:
            return memoryview(where)
        return (self._memory or _Memory(memoryview(b""))).part(where, size)

    def extension(self, code: int, data: bytes) -> Any:
        """Give the value of an extension."""
        if code == _TUPLE:
            # As below, without two frames: most extensions are tuples.
            extension = self._extension_inside or self._deeper()
            value = msgpack.unpackb(data, raw=False, strict_map_key=False, ext_hook=extension)
            if type(value) is list:
                return tuple(value)
            raise _no_list(value)
        read = _READERS.get(code)
        if read is None:
            raise SerializeError(f"native data has an extension of unknown type {code:#x}")
        return read(self, data)

    def inside(self, data: Buffer) -> Any:
        """Read what is inside an extension."""
        extension = self._extension_inside or self._deeper()
        return msgpack.unpackb(data, raw=False, strict_map_key=False, ext_hook=extension)

    def items(self, data: bytes) -> list[Any]:
        """Read what should be a list."""
        value = self.inside(data)
        if type(value) is not list:
            raise _no_list(value)
        return value

    def get(self, where: Any, size: Any) -> Any:
        """Read a value beside the payload of another serializer."""
        try:
            return self.inside(self.memory(where, size))
        except OWN:
            raise
        except Exception as cause:
            raise read_error(NativeSerializer.name, cause) from cause

    def object(self, data: bytes) -> Any:
        """Make the object that a dict describes."""
        value = self.inside(data)
        if type(value) is not dict or MARK not in value:
            raise SerializeError("native data has an object without the name of its class")
        return recreate(value, self._dialect, self._room, inside_out=True)

    def numpy_array(self, data: bytes) -> Any:
        """Make an array, in the memory that came with it."""
        description, shape, order, where = self.items(data)
        return _part("arrays", "numpy").from_parts(description, shape, order, functools.partial(self.memory, where))

    def plain_array(self, data: bytes) -> array[Any]:
        """Make an array of the standard library."""
        code, *rest = self.items(data)
        if type(code) is not str or len(code) != 1:
            raise SerializeError("an array has no proper type code")
        if code in _CHARACTERS:
            (text,) = rest
            return array(code, text)
        itemsize, byteorder, size, where = rest
        family = next((codes for codes in _FAMILIES if code in codes), "")
        fitting = [each for each in (code, *family) if family and array(each).itemsize == itemsize]
        if not fitting or byteorder not in ("little", "big"):
            raise SerializeError(f"an array of type code {code!r} with items of {itemsize!r} bytes has no form here")
        made = array(fitting[0])
        made.frombytes(self.memory(where, size))
        if byteorder != sys.byteorder:
            made.byteswap()
        return made

    def arrow(self, data: bytes) -> Any:
        """Make a table, batch or column of Arrow, in the memory that came with it."""
        kind, size, where = self.items(data)
        return _part("arrow", "pyarrow").from_parts(kind, self.memory(where, size))

    def bytes(self, data: bytes) -> bytes:
        """Give bytes that follow the msgpack."""
        return bytes(self.memory(*_PLACE.unpack(data)))


def _no_list(value: Any) -> SerializeError:
    return SerializeError(f"native data has a {type(value).__name__} where a list should be")


def _read_rows(reader: _Reader, data: bytes) -> list[tuple[Any, ...]]:
    size, *items = reader.items(data)
    if type(size) is not int or not 0 < size <= len(items) or len(items) % size:
        raise SerializeError(f"native data has {len(items)} items in tuples of {size!r}")
    return list(zip(*[iter(items)] * size, strict=True))


def _read_moment(kind: Any) -> Callable[[_Reader, bytes], Any]:
    def read(_: _Reader, data: bytes) -> Any:
        later = data.startswith(_LATER)
        value = kind.fromisoformat(data[later:].decode("ascii"))
        return value.replace(fold=1) if later else value

    return read


_READERS: dict[int, Callable[[_Reader, bytes], Any]] = {
    _SET: lambda reader, data: set(reader.items(data)),
    _FROZENSET: lambda reader, data: frozenset(reader.items(data)),
    _INT: lambda _, data: int.from_bytes(data, "little", signed=True),
    _COMPLEX: lambda _, data: complex(*_DOUBLES.unpack(data)),
    _DECIMAL: lambda _, data: Decimal(data.decode("ascii")),
    _FRACTION: lambda reader, data: Fraction(*reader.items(data)),
    _UUID: lambda _, data: UUID(bytes=data),
    _ROWS: _read_rows,
    _DATE: _read_moment(dt.date),
    _TIME: _read_moment(dt.time),
    _DATETIME: _read_moment(dt.datetime),
    _TIMEDELTA: lambda reader, data: dt.timedelta(*reader.items(data)),
    _ORDERED: lambda reader, data: OrderedDict(reader.items(data)),
    _RANGE: lambda reader, data: range(*reader.items(data)),
    _OBJECT: _Reader.object,
    _ARRAY: _Reader.numpy_array,
    _PLAIN_ARRAY: _Reader.plain_array,
    _BYTES: _Reader.bytes,
    _ARROW: _Reader.arrow,
    _PANDAS: lambda reader, data: _part("frames", "pandas").from_parts(reader.items(data)),
    _POLARS: lambda reader, data: _part("polars", "polars").from_parts(reader.items(data)),
}
