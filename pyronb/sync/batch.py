"""BatchProxy: many calls, one message. (Client chapter, "Batched calls"; S59-S65. Wire specification, section 11.)"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pyronb.client.batches import BatchFace, is_asynchronous, replay, results_of
from pyronb.client.connecting import hang_up
from pyronb.client.face import check_proxy
from pyronb.client.hearing import listen
from pyronb.client.link import Link
from pyronb.client.outcomes import add_context
from pyronb.futures import FutureResult
from pyronb.rpc.call import Call
from pyronb.sync.background import in_background
from pyronb.sync.driver import run, withdraw
from pyronb.sync.methods import outcome_of
from pyronb.sync.proxy import Proxy

__all__ = ["BatchProxy", "batch"]


class BatchProxy(BatchFace):
    """Keeps the calls that are made on it; calling the batch itself sends them all in one message.

    The batch is empty again afterwards and can be used anew. Attributes cannot be read or set in a batch.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Show how many calls are kept, and for which object."""
        return f"<pyronb.BatchProxy of {self._link.uri}; {len(self._pyroCalls)} calls>"

    def __call__(self, oneway: bool = False, asynchronous: bool = False, **more: bool) -> Any:
        """Send the calls that were kept.

        Args:
            oneway: do not wait for results.
            asynchronous: run in the background (also accepted under Pyro4's old name, ``async``).
            **more: nothing but ``async``.

        Returns:
            A generator of the results in the order of the calls, which raises where a call failed; the calls after that
            one were not run. None for a oneway batch; a `FutureResult` of the generator for an asynchronous one.

        Raises:
            PyroError: oneway and asynchronous exclude each other.
            TypeError: there is no such option.
        """
        if is_asynchronous(oneway, asynchronous, more):
            return self._in_background(replay)
        if oneway:
            _results(self._link, self._batch(oneway=True))
            return None
        return replay(self._pyroResults())

    def _pyroResults(self) -> list[Any]:
        """Send the calls and give the list of results; a call that failed is a `BatchError`, and the last one."""
        return _results(self._link, self._batch())

    def _pyroResultsAsync(self) -> FutureResult:
        """Send the calls in the background and give the future of the list that `_pyroResults` would give."""
        return self._in_background(list)

    def _in_background(self, finish: Callable[[list[Any]], Any]) -> FutureResult:
        batch = self._batch()
        link = self._link
        add_context(link, batch)
        future = FutureResult()
        listen(future, link, batch)
        batch.wishes = replace(batch.wishes, listener=future.report, on_progress=None)
        if not link.given_socket:
            # A connection of its own, so that the proxy's calls do not wait for the batch.
            link = link.twin()
            link.lock = threading.RLock()
            # Over that connection, nothing else is said.
            future.withdraws(lambda _: withdraw(link))

        def work() -> Any:
            try:
                return finish(_results(link, batch))
            finally:
                if link is not self._link:
                    with link.lock:
                        run(hang_up(link))

        return in_background(work, "batch", future)


def _results(link: Link, batch: Call) -> list[Any]:
    """Send a batch and give the list of its results; an empty one is not sent, and a oneway one has none."""
    return results_of(link, batch, outcome_of(link, batch)) if batch.args else []


def batch(proxy: Proxy) -> BatchProxy:
    """Give a batch for a proxy: calls made on it are kept, and sent together when the batch is called. (S59-S65.)

    Raises:
        TypeError: it is no proxy.
    """
    check_proxy(proxy, Proxy)
    return BatchProxy(proxy._pyro)
