"""Functions and iterators as arguments, and proxies for those of others: what makes that work is loaded with the first.

It is part of the server's floor, which a program that only calls has no other need of.
"""

from __future__ import annotations

import functools
import importlib
import io
import itertools
import types
from collections.abc import Iterable, Iterator
from typing import Any

from pyronb.serializers.hooks import SPEAKER, Hooks

__all__ = ["FUNCTIONS", "register_functions", "relayed", "streamed"]

FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)
"""The classes of what can be called, and says nothing by its attributes."""
_ITERABLES: tuple[Iterable[Any], ...] = (
    *([], (), {}, {}.values(), {}.items(), set(), range(0), range(1 << 99), "", b"", bytearray()),
)
_STREAMED: tuple[type, ...] = (
    types.GeneratorType,
    *(map, filter, zip, enumerate, reversed),
    *(kind for kind in vars(itertools).values() if isinstance(kind, type) and issubclass(kind, Iterator)),
    *(type(iter(each)) for each in _ITERABLES),
    type(iter(int, 1)),
    # What all open files have in common.
    io.IOBase.__base__ or io.IOBase,
)
"""The classes of iterators that say nothing by their attributes, and of files."""


def _instead(function: Any) -> Any:
    """Give what travels in the place of a function."""
    return importlib.import_module("pyronb.server.references").function_instead(function, SPEAKER.get())


def relayed(proxy: Any) -> Any:
    """Give what travels in the place of a proxy; None for itself, as of all that can be reached from elsewhere too."""
    link = proxy._pyro
    if link.hold is None:
        return None
    return importlib.import_module("pyronb.server.references").relay_instead(link, SPEAKER.get())


def streamed(iterator: Any) -> Any:
    """Give what travels in the place of an iterator or an open file."""
    return importlib.import_module("pyronb.server.references").stream_instead(iterator, SPEAKER.get())


def register_functions(hooks: Hooks) -> None:
    """Have functions travel as proxies where they are arguments of a call, and iterators and files as streams."""
    for kind in FUNCTIONS:
        hooks.register_substitute(kind, _instead)
    for streams in _STREAMED:
        hooks.register_substitute(streams, streamed)
