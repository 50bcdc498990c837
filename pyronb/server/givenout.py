"""What was given out: the functions and objects of this program that others may call, and what has become of each."""

from __future__ import annotations

import dataclasses
import functools
import logging
import threading
import time
import types
import weakref
from collections.abc import Callable
from contextvars import Context
from typing import Any

from pyronb.client.functions import FUNCTIONS
from pyronb.server.relays import Relay
from pyronb.server.waysback import WayBack

__all__ = ["DIRECT", "OWN_CONNECTION", "Entry", "GivenOut", "Reference", "key_of", "name_of", "same", "weak_reference"]

log = logging.getLogger("pyronb.server")

Reference = Callable[[], Any]
"""Gives the function or object, or None when it is gone."""

OWN_CONNECTION = "own connection"
DIRECT = "direct"
"""How calls come."""
_MOST_PLACES = 16
"""Most places that are told of one thing that was given out."""


@dataclasses.dataclass(slots=True)
class Entry:
    """Something that was given out.

    Attributes:
        object_id: its id at the office's daemon.
        reference: gives it, or None.
        name: what it is called, for people.
        to: the places that it was given to.
        context: the context in which it was given last.
        holders: how often it was given over ways whose other side still holds it.
        kept: the function itself, where it can only be had from here: it lives as long as somebody holds it.
        over: whether nobody over there holds it any more.
        calls: how often it was called.
        errors: how many of these calls raised.
        last: moment of the last call, in seconds since the epoch; None before the first.
        lock: held while these are counted.
    """

    object_id: str
    reference: Reference
    name: str
    to: dict[str, None] = dataclasses.field(default_factory=dict)
    context: Context = dataclasses.field(default_factory=Context)
    holders: dict[WayBack, int] = dataclasses.field(default_factory=dict)
    kept: Any = None
    over: bool = False
    calls: int = 0
    errors: int = 0
    last: float | None = None
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def hold(self, way: WayBack, thing: Any) -> None:
        """Take note that it is given over a way once more."""
        with self.lock:
            self.holders[way] = self.holders.get(way, 0) + 1
            self.over = False
            if _is_nameless(thing):
                self.kept = thing

    def let_go(self, way: WayBack, times: int) -> None:
        """Take note that it is not held at the end of a way any more, where it was received so often."""
        with self.lock:
            self._count_down(way, times)

    def lose(self, way: WayBack, times: int) -> None:
        """Take note that nobody is at the end of a way where it was held so often, unless it was given again since.

        Then somebody is there after all, who may let go of what was received before.
        """
        with self.lock:
            if self.holders.get(way) == times:
                self._count_down(way, times)

    def _count_down(self, way: WayBack, times: int) -> None:
        left = self.holders.pop(way, 0)
        if left > times:
            self.holders[way] = left - times
        if left and not self.holders:
            self.over = True
            self.kept = None

    def called(self) -> None:
        """Count a call."""
        with self.lock:
            self.calls += 1
            self.last = time.time()

    def told(self, way: str) -> GivenOut:
        """Tell what has become of it, for people; calls come this way."""
        return GivenOut(self.name, tuple(self.to)[-_MOST_PLACES:], way, self.calls, self.errors, self.last)


@dataclasses.dataclass(frozen=True, slots=True)
class GivenOut:
    """A function or an object that was given to calls as argument, and what has become of it.

    Attributes:
        name: what it is called, for people.
        to: the places of the daemons that it was given to; of many, the last ones.
        way: ``own connection`` when calls come over connections that this program made, ``direct`` when over those
            that the other side makes.
        calls: how often it was called.
        errors: how many of these calls raised.
        last: moment of the last call, in seconds since the epoch; None before the first.
    """

    name: str
    to: tuple[str, ...]
    way: str
    calls: int
    errors: int
    last: float | None


def _is_nameless(function: Any) -> bool:
    """Tell whether a function is likely to have been made for the call that it is given to, so that nobody keeps it."""
    if isinstance(function, types.FunctionType):
        return function.__name__ == "<lambda>"
    return isinstance(function, types.BuiltinFunctionType | functools.partial | Relay)


def name_of(thing: Any) -> str:
    """Give what a function or an object is called, for people, without running any code of it."""
    if isinstance(thing, functools.partial):
        return f"partial({name_of(thing.func)})"
    if isinstance(thing, FUNCTIONS):
        return str(getattr(thing, "__qualname__", type(thing).__name__)).replace("<locals>.", "")
    return type(thing).__qualname__.replace("<locals>.", "")


def same(known: Any, thing: Any) -> bool:
    """Tell whether what is known is this function or object; each access makes a new object of a method."""
    return known is thing or (isinstance(thing, types.MethodType) and bool(known == thing))


def key_of(thing: Any) -> Any:
    """Give what a function or an object is found by."""
    if isinstance(thing, types.MethodType):
        return id(thing.__self__), id(thing.__func__)
    return id(thing)


def weak_reference(thing: Any, gone: Callable[[Any], None]) -> Reference:
    """Give a reference that does not keep a function or an object alive; `gone` is called when it is not any more."""
    if isinstance(thing, types.MethodType):
        try:
            return weakref.WeakMethod(thing, gone)
        except TypeError:
            log.debug("%r is of an object without weak references, and lives as long as it is held itself", thing)
    return weakref.ref(thing, gone)
