"""Contexts: running what is called in the context in which it was given, as part of the call that is being served."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextvars import Context, copy_context
from typing import Any

from pyronb.context import CallContext, ambient, enter, leave
from pyronb.serializers.hooks import SPEAKER

__all__ = ["InContext", "in_context", "present_context"]


def in_context(context: Context, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a function, and its coroutine, in a copy of this context, as part of the call that is being served."""
    served = ambient()
    own = context.copy()

    def run() -> Any:
        token = enter(served)
        try:
            return function(*args, **kwargs)
        finally:
            leave(token)

    value = own.run(run)
    return _awaited(value, own, served) if isinstance(value, Coroutine) else value


def present_context() -> Context:
    """Give a copy of the present context, for what is to run in it later."""
    context = copy_context()
    # Whoever is written to at the moment has nothing to do with what runs in it.
    context.run(SPEAKER.set, None)
    return context


async def _awaited(coroutine: Coroutine[Any, Any, Any], context: Context, served: CallContext) -> Any:
    context.run(enter, served)
    return await _steps(coroutine, context)


@types.coroutine
def _steps(coroutine: Coroutine[Any, Any, Any], context: Context) -> Generator[Any, Any, Any]:
    step: Callable[[Any], Any] = coroutine.send
    value: Any = None
    while True:
        try:
            waits_for = context.run(step, value)
        except StopIteration as end:
            return end.value
        try:
            step, value = coroutine.send, (yield waits_for)
        except BaseException as error:  # noqa: BLE001 - it is for the coroutine, as is being cancelled
            step, value = coroutine.throw, error


class InContext(Iterator[Any]):
    """An iterator whose items are made in the present context, whoever asks for them; it is not closed by that."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator = iterator
        self._context = present_context()

    def __next__(self) -> Any:
        return self._context.run(next, self._iterator)
