"""BatchProxy: many calls, one message. (Client chapter, "Batched calls"; S59-S65. Wire specification, section 11.)"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from pyronb.client.face import check_method
from pyronb.client.link import Link
from pyronb.client.procedures import hang_up
from pyronb.errors import ProtocolError, PyroError
from pyronb.futures import FutureResult
from pyronb.rpc.call import BATCH_METHOD, Call, Raised, Returned
from pyronb.serializers.hooks import BatchError
from pyronb.sync.background import in_background
from pyronb.sync.driver import run
from pyronb.sync.methods import add_context, outcome_of

__all__ = ["BatchProxy"]

Entry = tuple[str, tuple[Any, ...], dict[str, Any]]


class BatchProxy:
    """Keeps the calls that are made on it; calling the batch itself sends them all in one message.

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
        """Give a function that keeps a call of this method."""
        if name == "_link":
            # Not there yet, in a batch that is just being copied.
            raise AttributeError(name)
        link = self._link
        check_method(link, name, "can be called in a batch")

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
        asynchronous = bool(more.pop("async", asynchronous))
        if more:
            raise TypeError(f"a batch takes no option {', '.join(more)}")
        if oneway and asynchronous:
            raise PyroError("async oneway calls make no sense: a oneway batch does not wait anyway")
        if asynchronous:
            return self._in_background(_replay)
        if oneway:
            _results(self._link, Call("", BATCH_METHOD, self._take(), None, oneway=True, batch=True))
            return None
        return _replay(self._pyroResults())

    def _pyroResults(self) -> list[Any]:
        """Send the calls and give the list of results; a call that failed is a `BatchError`, and the last one."""
        return _results(self._link, Call("", BATCH_METHOD, self._take(), None, batch=True))

    def _pyroResultsAsync(self) -> FutureResult:
        """Send the calls in the background and give the future of the list that `_pyroResults` would give."""
        return self._in_background(list)

    def _in_background(self, finish: Callable[[list[Any]], Any]) -> FutureResult:
        calls = self._take()
        batch = Call("", BATCH_METHOD, calls, None, batch=True)
        link = self._link
        add_context(link, batch)
        if not link.given_socket:
            # A connection of its own, so that the proxy's calls do not wait for the batch.
            link = link.twin()
            link.lock = threading.RLock()

        def work() -> Any:
            try:
                return finish(_results(link, batch))
            finally:
                if link is not self._link:
                    with link.lock:
                        run(hang_up(link))

        return in_background(work, "batch")

    def _take(self) -> list[Entry]:
        calls, self._pyroCalls = self._pyroCalls, []
        return calls


def _results(link: Link, batch: Call) -> list[Any]:
    """Send a batch and give the list of its results; an empty one is not sent, and a oneway one has none."""
    if not batch.args:
        return []
    outcome = outcome_of(link, batch)
    if isinstance(outcome, Raised):
        raise outcome.error
    if batch.oneway:
        return []
    if not isinstance(outcome, Returned) or not isinstance(outcome.value, list | tuple):
        raise ProtocolError(f"the daemon at {link.place} answered a batch with something that is no list of results")
    return list(outcome.value)


def _replay(results: list[Any]) -> Iterator[Any]:
    for result in results:
        if isinstance(result, BatchError):
            raise result.exception
        yield result
