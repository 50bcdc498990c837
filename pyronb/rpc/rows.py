"""Rows: in a batch between pyronb ends, calls of one method that follow one another are one entry.

An entry of a batch is (method, positional arguments, named arguments). In a row, a number stands in the place of the
named arguments, of which there are none: the arguments of many calls follow one another, so many for each. So neither
end writes, reads and keeps three containers for each call. A batch with rows has the named argument ``rows``; a peer
that knows no rows never gets one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

__all__ = ["WITH_ROWS", "in_rows", "one_by_one"]

WITH_ROWS: Mapping[str, Any] = {"rows": True}
"""The named arguments of a batch with rows."""

_LENGTH = 3


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
