"""Rows: calls of one method that follow one another travel as one between pyronb ends, in a batch and on their way.

An entry of a batch is (method, positional arguments, named arguments). In a row, a number stands in the place of the
named arguments, of which there are none: the arguments of many calls follow one another, so many for each. So neither
end writes, reads and keeps three containers for each call. A batch with rows has the named argument ``rows``; a peer
that knows no rows never gets one.

Calls that are on their way together are no batch: each runs, is answered, fails and is withdrawn by itself. But they
may go *abreast*, as one message: its arguments are how many calls there are, and then the arguments of all. The calls
have the numbers that follow one another from that of the message. Only values that cannot be changed go that way, of
types that every peer reads: so no call can spoil another one's arguments, and none can keep another from being read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

__all__ = [
    "LARGEST_ROW",
    "MOST_ABREAST",
    "WITH_ROWS",
    "Row",
    "abreast",
    "are_simple",
    "in_rows",
    "one_by_one",
    "read_row",
]

WITH_ROWS: Mapping[str, Any] = {"rows": True}
"""The named arguments of a batch with rows."""

MOST_ABREAST = 100
"""Most calls in one message,"""
LARGEST_ROW = 16 * 1024
"""and most bytes of its payload; a peer that reads less takes none."""

_LENGTH = 3
_NUMBERS = 0x10000
_ATOMS = frozenset({type(None), bool, int, float, str, bytes})
_all_atoms = _ATOMS.issuperset
_SIMPLE = _ATOMS | {tuple}
_LONG = frozenset({str, bytes})


def in_rows(entries: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    """Give the entries of a batch with a row in the place of calls that are alike, where they follow one another."""
    made: list[Sequence[Any]] = []
    method, size, row = None, 0, None
    for entry in entries:
        name, args, named = entry
        if named or not args:
            method = None
            made.append(entry)
        elif name != method or len(args) != size:
            method, size, row = name, len(args), None
            made.append(entry)
        elif row is None:
            # Only the second one makes a row of it.
            row = [*made[-1][1], *args]
            made[-1] = (name, row, size)
        else:
            row += args
    return made


def one_by_one(entries: Iterable[Any]) -> Iterator[Sequence[Any]]:
    """Give each call of a batch with rows, as (method, positional arguments, named arguments).

    Raises:
        TypeError: something is no entry, as soon as it is its turn.
    """
    return chain.from_iterable(map(_calls, entries))


def _calls(entry: Any) -> Iterable[Sequence[Any]]:
    if type(entry) in (list, tuple) and len(entry) == _LENGTH:
        name, args, named = entry
        if type(name) is str and type(args) in (list, tuple):
            if named is None or type(named) is dict:
                return (entry,)
            if type(named) is int and named > 0 and args and len(args) % named == 0:
                return zip(repeat(name), zip(*[iter(args)] * named, strict=False), repeat(None))
    raise TypeError("each entry of a batch should be (method, args, kwargs) or a row (method, args of all calls, size)")


def are_simple(args: Iterable[Any]) -> bool:
    """Tell whether a call with these arguments may go abreast with others."""
    for arg in args:
        kind = type(arg)
        if kind not in _ATOMS and not (kind is tuple and _all_atoms(map(type, arg))):
            return False
    return True


def abreast(calls: Sequence[Sequence[Any]]) -> tuple[Any, ...] | None:
    """Give the arguments of a row for calls with so many arguments each, none of them named.

    None where some of them are not simple, or are long.
    """
    values = list(chain.from_iterable(calls))
    kinds = set(map(type, values))
    if tuple in kinds:
        inside = list(chain.from_iterable([value for value in values if type(value) is tuple]))
        kinds_inside = set(map(type, inside))
        if not kinds_inside <= _ATOMS or _are_long(inside, kinds_inside):
            return None
    if not kinds <= _SIMPLE or _are_long(values, kinds):
        return None
    return (len(calls), *values)


def _are_long(values: list[Any], kinds: set[type]) -> bool:
    """Tell whether texts and bytes among values are too long for a row, before they are written."""
    return not _LONG.isdisjoint(kinds) and sum(map(len, [each for each in values if type(each) in _LONG])) > LARGEST_ROW


@dataclass(frozen=True, slots=True)
class Row:
    """Calls that came as one message.

    Attributes:
        serializer_id: the number of their serializer.
        object_id: the object of all.
        method: the method of all.
        numbers: their sequence numbers.
        calls: gives the sequence number and the arguments of each, once.
    """

    serializer_id: int
    object_id: str
    method: str
    numbers: range
    calls: Iterator[tuple[int, Sequence[Any]]]


def read_row(serializer_id: int, seq: int, parts: Sequence[Any]) -> Row:
    """Give the calls of a row in this serializer, with this number.

    Raises:
        TypeError: it is no row.
    """
    object_id, method, args, named = parts
    count, *values = args or (0,)
    if type(count) is not int or not 0 < count <= MOST_ABREAST or len(values) % count or named:
        raise TypeError("the arguments of a row should be how many calls there are, and those of all of them")
    if seq + count > _NUMBERS:
        raise TypeError(f"there are no numbers for {count} calls from {seq} on")
    size = len(values) // count
    each: Iterator[Any] = zip(*[iter(values)] * size, strict=True) if size else repeat((), count)
    numbers = range(seq, seq + count)
    return Row(serializer_id, object_id, method, numbers, zip(numbers, each, strict=True))
