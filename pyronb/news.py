"""News of a call that runs: what a method tells its caller meanwhile, and what it hears from there.

A method calls `progress`, goes through its items with `track`, and asks `cancelled`. Whoever called it, from another
program with pyronb, hears a `Progress` and, if asked for, `Output`. Where no such call is being served all three do no
harm, so the same code runs locally. They also work in threads that took the context of the call over (`to_global`, or
a copy of the context).
"""

from __future__ import annotations

import operator
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from pyronb.context import ambient

__all__ = ["HUGE", "News", "Output", "Progress", "cancelled", "progress", "track"]

T = TypeVar("T")

HUGE = 1e300
"""Numbers beyond this one, as infinity, count nothing."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is.

    Attributes:
        done: how much is done, in whatever the method counts.
        total: how much there is to do; None when that is not known.
        message: what is being done.
        seconds: seconds since the call began, as told by the far side; where something was done already when the call
            first told how far it is, what that took is estimated.
    """

    done: float
    total: float | None = None
    message: str = ""
    seconds: float = 0.0

    @property
    def fraction(self) -> float | None:
        """The part that is done, 0 to 1; None when that is not known."""
        if self.total is None or self.total <= 0:
            return None
        return min(max(self.done / self.total, 0.0), 1.0)

    @property
    def rate(self) -> float | None:
        """How much is done in a second; None before anything is."""
        return self.done / self.seconds if self.done > 0 and self.seconds > 0 else None

    @property
    def remaining(self) -> float | None:
        """Seconds that the rest will take if it goes on like this; None when that is not known."""
        rate = self.rate
        if rate is None or self.total is None:
            return None
        return max(0.0, (self.total - self.done) / rate)


@dataclass(frozen=True, slots=True)
class Output:
    """Something that a call has printed or logged over there; control characters of terminals were taken out.

    Attributes:
        text: what was written, with its line ends.
        stream: ``stdout``, ``stderr`` or ``log``.
    """

    text: str
    stream: str = "stdout"


News = Progress | Output


def progress(done: float, total: float | None = None, message: str = "") -> None:
    """Tell whoever called the method that runs how far it is.

    It may be called as often as one likes: 20 times a second something goes out, and the last state always does, before
    the result. A caller that does not know of this, such as a real Pyro, is sent nothing.

    Args:
        done: how much is done.
        total: how much there is to do; None when that is not known.
        message: what is being done; the first 500 characters of it are sent.

    Raises:
        TypeError: that is no number.
        ValueError: that is not a finite number.
    """
    done = _number(done)
    if total is not None:
        total = _number(total)
    side = ambient().begin_side()
    if side is not None:
        side.report(done, total, str(message))


@overload
def track(items: Iterable[T], total: float | None = None, message: str = "") -> Iterator[T]: ...
@overload
def track(items: AsyncIterable[T], total: float | None = None, message: str = "") -> AsyncIterator[T]: ...
def track(items: Any, total: float | None = None, message: str = "") -> Any:
    """Go through items and tell the caller how many of them are done.

    Args:
        items: what to go through; also an asynchronous iterable, for ``async for``.
        total: how many there are; None takes their `len`, where they have one.
        message: what is being done.
    """
    if total is None:
        total = operator.length_hint(items) or None
    if isinstance(items, AsyncIterable) and not isinstance(items, Iterable):
        return _track_async(items, total, message)
    return _track(items, total, message)


def _track(items: Iterable[T], total: float | None, message: str) -> Iterator[T]:
    progress(0, total, message)
    for done, item in enumerate(items, 1):
        yield item
        progress(done, total, message)


async def _track_async(items: AsyncIterable[T], total: float | None, message: str) -> AsyncIterator[T]:
    done = 0
    progress(0, total, message)
    async for item in items:
        yield item
        done += 1
        progress(done, total, message)


def cancelled() -> bool:
    """Tell whether whoever called the method that runs does not want its result any more.

    That is so when the caller cancelled or interrupted the call, when its deadline has passed, or when it hung up. A
    method that takes long asks now and then, and returns. (An ``async def`` method need not: it gets a
    `asyncio.CancelledError`.) Asking looks at what the caller has sent, 50 times a second at most; a daemon with the
    multiplex engine, whose loop stands still while a method runs that is not ``async``, hears of it in no other way.
    A oneway call has nobody who waits for it: there it is always False.
    """
    side = ambient().begin_side()
    return side is not None and side.wanted_no_more()


def _number(value: Any) -> float:
    """Give a number as one of Python's own.

    Raises:
        TypeError: it is none.
        ValueError: it is not finite.
    """
    number: float
    try:
        number = int(operator.index(value))
    except TypeError:
        number = float(value)
    if not abs(number) < HUGE:
        raise ValueError(f"progress counts in finite numbers, not {value!r:.50}")
    return number
