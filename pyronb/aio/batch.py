"""BatchProxy: many calls, one message. (Client chapter, "Batched calls"; S59-S65. Wire specification, section 11.)"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pyronb.aio.methods import add_context, outcome_of
from pyronb.client.face import check_method
from pyronb.client.link import Link
from pyronb.errors import ProtocolError, PyroError
from pyronb.rpc.call import BATCH_METHOD, Call, Raised, Returned
from pyronb.serializers.hooks import BatchError

__all__ = ["BatchProxy"]

Entry = tuple[str, tuple[Any, ...], dict[str, Any]]


class BatchProxy:
    """Keeps the calls that are made on it; calling the batch itself, and awaiting that, sends them all in one message.

    The batch is empty again afterwards and can be used anew. Attributes cannot be read or set in a batch.
    """

    __slots__ = ("_link", "_pyroCalls")

    _pyroCalls: list[Entry]
    """The calls that are kept, as (method, positional arguments, named arguments)."""

    def __init__(self, link: Link) -> None:
        """Start empty, for the object that this link leads to."""
        self._link = link
        self._pyroCalls = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Give a function that keeps a call of this method; there is nothing to await yet."""
        if name == "_link":
            # Not there yet, in a batch that is just being copied.
            raise AttributeError(name)
        check_method(self._link, name, "can be called in a batch")

        def keep(*args: Any, **kwargs: Any) -> None:
            self._pyroCalls.append((name, args, kwargs))

        keep.__name__ = keep.__qualname__ = name
        return keep

    def __len__(self) -> int:
        """Count the calls that are kept."""
        return len(self._pyroCalls)

    def __bool__(self) -> bool:
        """Be true, also when it is empty."""
        return True

    def __dir__(self) -> list[str]:
        """List the remote methods, as far as they are known."""
        known = self._link.metadata.methods if self._link.metadata else ()
        return [*super().__dir__(), *known]

    def __repr__(self) -> str:
        """Show how many calls are kept, and for which object."""
        return f"<pyronb.aio.BatchProxy of {self._link.uri}; {len(self._pyroCalls)} calls>"

    def __call__(
        self, oneway: bool = False, asynchronous: bool = False, **more: bool
    ) -> Awaitable[Iterator[Any] | None]:
        """Take the calls that were kept, and give what sends them when it is awaited.

        Args:
            oneway: do not wait for results.
            asynchronous: send them at once, in a task, whether or not it is awaited (also accepted under Pyro4's old
                name, ``async``).
            **more: nothing but ``async``.

        Returns:
            Once awaited: a generator of the results in the order of the calls, which raises where a call failed; the
            calls after that one were not run. None for a oneway batch.

        Raises:
            PyroError: oneway and asynchronous exclude each other.
            TypeError: there is no such option.
        """
        asynchronous = bool(more.pop("async", asynchronous))
        if more:
            raise TypeError(f"a batch takes no option {', '.join(more)}")
        if oneway and asynchronous:
            raise PyroError("async oneway calls make no sense: a oneway batch does not wait anyway")
        calls, self._pyroCalls = self._pyroCalls, []
        batch = Call("", BATCH_METHOD, calls, None, oneway=oneway, batch=True)
        add_context(self._link, batch)
        sending = _results(self._link, batch)
        return asyncio.get_running_loop().create_task(sending) if asynchronous else sending


async def _results(link: Link, batch: Call) -> Iterator[Any] | None:
    """Send a batch; an empty one is not sent, and a oneway one has no results."""
    results: list[Any] | tuple[Any, ...] = []
    if batch.args:
        outcome = await outcome_of(link, batch)
        if isinstance(outcome, Raised):
            raise outcome.error
        if not batch.oneway:
            if not isinstance(outcome, Returned) or not isinstance(outcome.value, list | tuple):
                raise ProtocolError(f"the daemon at {link.place} answered a batch with something that is no list")
            results = outcome.value
    return None if batch.oneway else _replay(results)


def _replay(results: list[Any] | tuple[Any, ...]) -> Iterator[Any]:
    for result in results:
        if isinstance(result, BatchError):
            raise result.exception
        yield result
