"""A reader for marshal data that holds values and nothing else.

The standard reader trusts its input: it allocates what a length says, makes code objects, and can crash the
interpreter. This one reads the data types of versions 0 to 4 only, believes no length that the data cannot hold, and
refuses everything else.

Each value starts with a type byte; its highest bit says that the value gets the next number in the table of
references, which later values point into. A list, dict or set has its number before its items have theirs, and may be
inside itself; a tuple or frozenset cannot be pointed at before it is complete.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Any

from pyronb.errors import SerializeError
from pyronb.serializers.base import Buffer
from pyronb.serializers.recreate import MARK

__all__ = ["MOST_FROZEN", "unmarshal", "unmarshal_marked"]

MOST_FROZEN = 8
"""Levels of frozensets in sets; since Python 3.11 writing each takes twice the time of what is in it."""

_INT = struct.Struct("<i").unpack_from
_SHORT = struct.Struct("<h").unpack_from
_INT64 = struct.Struct("<q").unpack_from
_DOUBLE = struct.Struct("<d").unpack_from
_COMPLEX = struct.Struct("<dd").unpack_from

_END_OF_DICT = ord("0")
_REFERENCE = 0x80
# As deep as Python lets its own literals nest, and serpent with them.
_MAX_DEPTH = 200
# Parts of a key are hashed as often as they occur in it, and references make them occur often.
_HASHES_PER_BYTE = 64
# Hashing two to the power of this many bits of an int is as much work as hashing one part of a key.
_BITS_PER_HASH = 6
_UNFINISHED = object()


class _Reader:
    """Where in the data the reading is, and what can be referred to."""

    __slots__ = ("data", "depth", "hashes", "marked", "pos", "refs")

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.marked = False
        self.pos = 0
        self.refs: list[Any] = []
        self.depth = 0
        self.hashes = _HASHES_PER_BYTE * len(data)

    def value(self) -> Any:
        pos = self.pos
        self.pos = pos + 1
        return _READ[self.data[pos]](self)

    def number(self) -> int:
        pos = self.pos
        self.pos = pos + 4
        number: int = _INT(self.data, pos)[0]
        return number

    def small(self) -> int:
        pos = self.pos
        self.pos = pos + 1
        return self.data[pos]

    def take(self, size: int) -> bytes:
        """Give that many bytes."""
        start = self.pos
        end = start + size
        if size < 0 or end > len(self.data):
            raise SerializeError("marshal data has a length that goes beyond its end")
        self.pos = end
        return bytes(self.data[start:end])

    def items(self, count: int) -> list[Any]:
        """Read that many values; each takes a byte at least."""
        if not 0 <= count <= len(self.data) - self.pos:
            raise SerializeError("marshal data has a length that goes beyond its end")
        self.descend()
        data = self.data
        made: list[Any] = []
        append = made.append
        for _ in range(count):
            # As in `value`, whose call is saved here for every item.
            pos = self.pos
            self.pos = pos + 1
            append(_READ[data[pos]](self))
        self.depth -= 1
        return made

    def descend(self) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise SerializeError("marshal data is nested too deeply")

    def hashable(self, key: Any) -> Any:
        """Give the key back, when hashing it is not more work than the length of the data justifies."""
        kind = type(key)
        if kind is int:
            self.spend(key.bit_length() >> _BITS_PER_HASH)
        elif kind in (tuple, frozenset):
            pending = [(key, 1)]
            while pending:
                part, level = pending.pop()
                if type(part) is int:
                    self.spend(part.bit_length() >> _BITS_PER_HASH)
                    continue
                self.spend(len(part))
                if type(part) is frozenset:
                    level += 1
                    if level > MOST_FROZEN:
                        raise SerializeError("marshal data has frozensets nested too deeply")
                pending += [(item, level) for item in part if type(item) in (tuple, frozenset, int)]
        return key

    def spend(self, hashes: int) -> None:
        self.hashes -= hashes
        if self.hashes < 0:
            raise SerializeError("marshal data has keys that are too large")


def unmarshal(data: Buffer) -> Any:
    """Read marshal data; raises as `unmarshal_marked`."""
    return unmarshal_marked(data)[0]


def unmarshal_marked(data: Buffer) -> tuple[Any, bool]:
    """Read marshal data, and tell whether a dict in it has the key that makes it the dict of a class.

    Raises:
        SerializeError: it is no marshal data, or holds more than values.
        TypeError, ValueError: a part of it cannot be made, such as a key that is a list; the caller translates them.
    """
    reader = _Reader(data)
    try:
        value = reader.value()
    except (IndexError, struct.error) as cause:
        raise SerializeError("marshal data ends too early") from cause
    if reader.pos != len(data):
        raise SerializeError("marshal data goes on after its value")
    return value, reader.marked


def _long(reader: _Reader) -> int:
    """Read an int as digits of 15 bits, least significant first; the sign is that of their number."""
    count = reader.number()
    raw = reader.take(2 * abs(count))
    digits = [_SHORT(raw, at)[0] for at in range(0, len(raw), 2)]
    if digits and (digits[-1] == 0 or min(digits) < 0):
        raise SerializeError("marshal data has an int with digits out of range")
    # By way of binary text, for shifting digit by digit takes time that grows with the square of their number.
    number = int("".join([f"{digit:015b}" for digit in reversed(digits)]) or "0", 2)
    return -number if count < 0 else number


def _int64(reader: _Reader) -> int:
    number: int = _INT64(reader.take(8))[0]
    return number


def _float(reader: _Reader) -> float:
    number: float = _DOUBLE(reader.take(8))[0]
    return number


def _float_text(reader: _Reader) -> float:
    return float(reader.take(reader.small()))


def _complex_text(reader: _Reader) -> complex:
    real = _float_text(reader)
    return complex(real, _float_text(reader))


def _short_ascii(reader: _Reader) -> str:
    data, pos = reader.data, reader.pos
    start = pos + 1
    reader.pos = end = start + data[pos]
    if end > len(data):
        raise SerializeError("marshal data has a length that goes beyond its end")
    return str(data[start:end], "ascii")


def _numbered_short_ascii(reader: _Reader) -> str:
    """Read the commonest of values, names and keys, with one call less."""
    data, pos = reader.data, reader.pos
    start = pos + 1
    reader.pos = end = start + data[pos]
    if end > len(data):
        raise SerializeError("marshal data has a length that goes beyond its end")
    text = str(data[start:end], "ascii")
    reader.refs.append(text)
    return text


def _list(flagged: bool, reader: _Reader) -> list[Any]:
    made: list[Any] = []
    if flagged:
        reader.refs.append(made)
    made += reader.items(reader.number())
    return made


def _dict(flagged: bool, reader: _Reader) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    if flagged:
        reader.refs.append(made)
    reader.descend()
    data, value, hashable = reader.data, reader.value, reader.hashable
    while data[reader.pos] != _END_OF_DICT:
        key = value()
        if data[reader.pos] == _END_OF_DICT:
            break  # the standard reader drops a key without a value, too
        made[key if type(key) is str else hashable(key)] = value()
    reader.pos += 1
    reader.depth -= 1
    if MARK in made:
        reader.marked = True
    return made


def _set(flagged: bool, reader: _Reader) -> set[Any]:
    made: set[Any] = set()
    if flagged:
        reader.refs.append(made)
    made.update([reader.hashable(item) for item in reader.items(reader.number())])
    return made


def _finished_first(
    make: Callable[[_Reader, list[Any]], Any], count: Callable[[_Reader], int]
) -> Callable[[bool, _Reader], Any]:
    """Give a reader for a container that can only be made of all its items; its number is taken before theirs."""

    def read(flagged: bool, reader: _Reader) -> Any:
        size = count(reader)
        if not flagged:
            return make(reader, reader.items(size))
        index = len(reader.refs)
        reader.refs.append(_UNFINISHED)
        made = reader.refs[index] = make(reader, reader.items(size))
        return made

    return read


def _referred(reader: _Reader) -> Any:
    index = reader.number()
    if not 0 <= index < len(reader.refs):
        raise SerializeError("marshal data refers to something that is not there")
    value = reader.refs[index]
    if value is _UNFINISHED:
        raise SerializeError("marshal data has a tuple or frozenset that contains itself")
    return value


def _refused(reader: _Reader) -> Any:
    code = chr(reader.data[reader.pos - 1] & ~_REFERENCE)
    what = "code" if code == "c" else f"type {code!r}"
    raise SerializeError(f"marshal data holds {what}, which is not a value that is read here")


# The two kinds of entry differ in who gives out the number of a reference.
_LEAVES: dict[str, Callable[[_Reader], Any]] = {
    "N": lambda _: None,
    "T": lambda _: True,
    "F": lambda _: False,
    ".": lambda _: Ellipsis,
    "S": lambda _: StopIteration,
    "i": _Reader.number,
    "I": _int64,
    "l": _long,
    "f": _float_text,
    "g": _float,
    "x": _complex_text,
    "y": lambda reader: complex(*_COMPLEX(reader.take(16))),
    "s": lambda reader: reader.take(reader.number()),
    "u": lambda reader: reader.take(reader.number()).decode("utf-8", "surrogatepass"),
    "t": lambda reader: reader.take(reader.number()).decode("utf-8", "surrogatepass"),
    "a": lambda reader: reader.take(reader.number()).decode("ascii"),
    "A": lambda reader: reader.take(reader.number()).decode("ascii"),
    "z": _short_ascii,
    "Z": _short_ascii,
}
_CONTAINERS: dict[str, Callable[[bool, _Reader], Any]] = {
    "[": _list,
    "{": _dict,
    "<": _set,
    "(": _finished_first(lambda _, items: tuple(items), _Reader.number),
    ")": _finished_first(lambda _, items: tuple(items), _Reader.small),
    ">": _finished_first(lambda reader, items: frozenset([reader.hashable(item) for item in items]), _Reader.number),
}
# One object exists of each of these, so the writer never numbers them.
_NEVER_NUMBERED = frozenset("NTF.S")


def _numbered(read: Callable[[_Reader], Any]) -> Callable[[_Reader], Any]:
    def keep(reader: _Reader) -> Any:
        value = read(reader)
        reader.refs.append(value)
        return value

    return keep


def _table() -> list[Callable[[_Reader], Any]]:
    """Give what reads a value, by type byte."""
    table: list[Callable[[_Reader], Any]] = [_refused] * 256
    table[ord("r")] = _referred
    for code, read in _LEAVES.items():
        table[ord(code)] = read
        table[ord(code) | _REFERENCE] = read if code in _NEVER_NUMBERED else _numbered(read)
    for code in "zZ":
        table[ord(code) | _REFERENCE] = _numbered_short_ascii
    for code, read_flagged in _CONTAINERS.items():
        table[ord(code)] = partial(read_flagged, False)
        table[ord(code) | _REFERENCE] = partial(read_flagged, True)
    return table


_READ = _table()
