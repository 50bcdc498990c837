"""BatchFace: what batches of all rooms have in common. (Client chapter, "Batched calls"; S59-S65.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from pyronb.client.face import check_method
from pyronb.client.link import Link
from pyronb.errors import ProtocolError, PyroError
from pyronb.rpc.call import NO_WISHES, Call, Outcome, Raised, Returned, Wishes
from pyronb.serializers.base import BATCH_METHOD
from pyronb.serializers.hooks import BatchError

__all__ = ["BatchFace", "is_asynchronous", "replay", "results_of"]

B = TypeVar("B", bound="BatchFace")

Entry = tuple[str, tuple[Any, ...], dict[str, Any]]

_NONE_NAMED: dict[str, Any] = {}
"""One for all calls, so that a thousand of them are no thousand dicts for the garbage collector to look at."""


class BatchFace:
    """Keeps the calls that are made on it."""

    # What `__getattr__` gave is kept in the dict until the batch is sent.
    __slots__ = ("__dict__", "_link", "_pyroCalls", "_wishes")

    _link: Link
    _wishes: Wishes
    _pyroCalls: list[Entry]
    """The calls that are kept, as (method, positional arguments, named arguments)."""

    def __init__(self, link: Link, wishes: Wishes = NO_WISHES) -> None:
        """Start empty, for the object that this link leads to."""
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_wishes", wishes)
        object.__setattr__(self, "_pyroCalls", [])

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Give a function that keeps a call of this method."""
        if name == "_link":
            # Not there yet, in a batch that is just being copied.
            raise AttributeError(name)
        check_method(self._link, name, "can be called in a batch")
        # It holds the list rather than the batch, for a batch that is dropped is to go at once.
        add = self._pyroCalls.append

        def keep(*args: Any, **kwargs: Any) -> None:
            add((name, args, kwargs or _NONE_NAMED))

        keep.__name__ = keep.__qualname__ = name
        self.__dict__[name] = keep
        return keep

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse: a batch holds calls of methods, and no attributes."""
        raise AttributeError(f"{name!r} cannot be set: a batch holds calls of methods only")

    def __copy__(self: B) -> B:  # noqa: PYI019 - typing.Self is younger than Python 3.10
        """Give another batch with the same calls."""
        made = type(self)(self._link, self._wishes)
        made._pyroCalls.extend(self._pyroCalls)
        return made

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

    def _batch(self, *, oneway: bool = False) -> Call:
        """Give the call that makes the calls that were kept; the batch is empty from now on."""
        return Call("", BATCH_METHOD, self._take(), None, oneway=oneway, batch=True, wishes=self._wishes)

    def _take(self) -> list[Entry]:
        """Give the calls that were kept; the batch is empty from now on."""
        calls = self._pyroCalls[:]
        # The same list, for functions that somebody got from here go on adding to it, perhaps in another thread.
        del self._pyroCalls[: len(calls)]
        # What is a method may be told anew when it is sent.
        self.__dict__.clear()
        return calls


def is_asynchronous(oneway: bool, asynchronous: bool, more: dict[str, bool]) -> bool:
    """Tell whether a batch is to run in the background; `more` are the options under other names.

    Raises:
        PyroError: oneway and asynchronous exclude each other.
        TypeError: there is no such option.
    """
    asynchronous = bool(more.pop("async", asynchronous))
    if more:
        raise TypeError(f"a batch takes no option {', '.join(more)}")
    if oneway and asynchronous:
        raise PyroError("async oneway calls make no sense: a oneway batch does not wait anyway")
    return asynchronous


def results_of(link: Link, batch: Call, outcome: Outcome) -> list[Any]:
    """Give the list of the results of a batch; a oneway one has none.

    Raises:
        ProtocolError: the daemon answered with something else.
        Exception: what the batch as a whole failed with.
    """
    if isinstance(outcome, Raised):
        raise outcome.error
    if batch.oneway:
        return []
    if not isinstance(outcome, Returned) or not isinstance(outcome.value, list | tuple):
        raise ProtocolError(f"the daemon at {link.place} answered a batch with something that is no list of results")
    return list(outcome.value)


def replay(results: Sequence[Any]) -> Iterator[Any]:
    """Give the results one after the other; a call that failed raises where it comes."""
    if not any(issubclass(kind, BatchError) for kind in set(map(type, results))):
        yield from results
        return
    for result in results:
        if isinstance(result, BatchError):
            raise result.exception
        yield result
