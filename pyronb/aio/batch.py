"""BatchProxy: many calls, one message. (Client chapter, "Batched calls"; S59-S65. Wire specification, section 11.)"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from typing import Any

from pyronb.aio.methods import outcome_of
from pyronb.client.batches import BatchFace, is_asynchronous, replay, results_of
from pyronb.client.link import Link
from pyronb.client.outcomes import add_context
from pyronb.rpc.call import Call

__all__ = ["BatchProxy"]


class BatchProxy(BatchFace):
    """Keeps the calls that are made on it; calling the batch itself, and awaiting that, sends them all in one message.

    The batch is empty again afterwards and can be used anew. Attributes cannot be read or set in a batch.
    """

    __slots__ = ()

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
        asynchronous = is_asynchronous(oneway, asynchronous, more)
        batch = self._batch(oneway=oneway)
        add_context(self._link, batch)
        sending = _results(self._link, batch)
        return asyncio.get_running_loop().create_task(sending) if asynchronous else sending


async def _results(link: Link, batch: Call) -> Iterator[Any] | None:
    """Send a batch; an empty one is not sent, and a oneway one has no results."""
    results = results_of(link, batch, await outcome_of(link, batch)) if batch.args else []
    return None if batch.oneway else replay(results)
