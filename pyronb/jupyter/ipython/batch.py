"""A batch in a cell: the recorder that stands for a proxy, the results that come back.

While the cell runs, the recorder takes the proxy's place: it queues calls, and gives placeholders for their results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, overload

from pyronb.calls import brief, call_text
from pyronb.client.face import local_names
from pyronb.client.link import Link
from pyronb.jupyter.ipython.reprs import BatchRow, batch_html, batch_text

__all__ = ["BatchRecorder", "BatchResults", "Batches", "NotRunError", "Placeholder", "Queue", "collect"]

MAX_DEPTH = 50


class NotRunError(RuntimeError):
    """The result was asked of a call that was not run, because a call before it failed."""


class Placeholder:
    """Stands for the result of a call that is not sent yet; whatever needs the result fails and says so."""

    __slots__ = ("_call",)

    def __init__(self, call: str) -> None:
        """Stand for the result of this call."""
        self._call = call

    def __repr__(self) -> str:
        return f"<result of {self._call}: not there yet, the batch is sent when the cell ends>"

    def _not_there(self, *_: object) -> NoReturn:
        raise RuntimeError(
            f"the result of {self._call} is not there yet: a batch is sent when its cell ends "
            "(make this call outside %%pyro_batch if the cell needs its result)"
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        self._not_there()

    __hash__ = object.__hash__
    __bool__ = __int__ = __float__ = __index__ = __len__ = __iter__ = __getitem__ = __contains__ = __call__ = _not_there
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _not_there
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _not_there
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _not_there
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __neg__ = __pos__ = __abs__ = __invert__ = _not_there
    __enter__ = __exit__ = __await__ = __setitem__ = __delitem__ = __round__ = __reversed__ = _not_there


def as_it_is_now(value: Any, depth: int = 0) -> Any:
    """Copy what the cell may change before the batch is sent; refuse results that are not there yet."""
    kind = type(value)
    if kind is Placeholder:
        value._not_there()
    if depth > MAX_DEPTH:
        return value
    if kind in (list, tuple, set, frozenset):
        return kind(as_it_is_now(item, depth + 1) for item in value)
    if kind is dict:
        return {as_it_is_now(k, depth + 1): as_it_is_now(v, depth + 1) for k, v in value.items()}
    if kind is bytearray or hasattr(kind, "__array_interface__"):
        return value.copy()
    return value


@dataclass
class Queue:
    """The calls that a cell has made so far; closed when the cell has ended."""

    variable: str
    link: Link
    add: Callable[[str, tuple[Any, ...], dict[str, Any]], None]
    calls: list[str] = field(default_factory=list)
    closed: bool = False

    def check(self, method: str) -> None:
        """Refuse what cannot be part of a batch, before anything is sent.

        Raises:
            AttributeError: there is no such method, or it is an attribute.
        """
        shown, known = f"{self.variable}.{method}", self.link.metadata
        if method.startswith("_"):
            raise AttributeError(f"{shown} is not remote; within %%pyro_batch {self.variable} only records calls")
        if known is None or method in known.methods:
            return
        if method in known.attributes:
            raise AttributeError(
                f"{shown} is an attribute, and a batch holds only calls: read it before or after the %%pyro_batch cell"
            )
        raise AttributeError(f"the remote object of {self.variable} has no method {method!r}")

    def record(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Placeholder:
        """Add a call, with its arguments as they are now."""
        text = call_text(self.variable, method, args, kwargs)
        if self.closed:
            raise RuntimeError(f"{text} comes too late: its %%pyro_batch cell has ended, and the batch was sent")
        self.add(method, as_it_is_now(args), as_it_is_now(kwargs))
        self.calls.append(text)
        return Placeholder(text)


class BatchRecorder:
    """Stands for a proxy within a `%%pyro_batch` cell: a call is written down and not made."""

    __slots__ = ("_queue",)

    _queue: Queue

    def __init__(self, queue: Queue) -> None:
        """Write calls into this queue."""
        object.__setattr__(self, "_queue", queue)

    def __getattr__(self, name: str) -> Callable[..., Placeholder]:
        queue: Queue = object.__getattribute__(self, "_queue")
        queue.check(name)

        def method(*args: Any, **kwargs: Any) -> Placeholder:
            return queue.record(name, args, kwargs)

        method.__name__ = method.__qualname__ = name
        return method

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{self._queue.variable}.{name} cannot be set within %%pyro_batch: a batch holds only calls"
        )

    def __dir__(self) -> list[str]:
        return local_names(self._queue.link)

    def __repr__(self) -> str:
        return f"<records calls on {self._queue.variable} for %%pyro_batch: {len(self._queue.calls)} so far>"


class BatchResults(Sequence[Any]):
    """The results of a batch, in the order of its calls.

    It is used like a list. Where a call failed, asking for its result raises its error, and asking for a later one
    raises `NotRunError`: a batch stops at the first error.

    Attributes:
        calls: the calls as text.
        done: the results that are there.
        error: what the failed call raised; None when all went well.
    """

    def __init__(self, calls: Sequence[str], done: Iterable[Any], error: BaseException | None = None) -> None:
        """Hold the results of these calls."""
        self.calls = tuple(calls)
        self.done = list(done)
        self.error = error

    def __len__(self) -> int:
        return len(self.calls)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        if at < len(self.done):
            return self.done[at]
        if at == len(self.done) and self.error is not None:
            raise self.error
        raise NotRunError(f"{self.calls[at]} was not run: a call before it failed")

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BatchResults):
            return (self.calls, self.done, self.error) == (other.calls, other.done, other.error)
        return self.error is None and self.done == other

    __hash__ = None  # type: ignore[assignment]  # it is compared like a list

    def rows(self) -> list[BatchRow]:
        """Give what is shown of each call."""
        rows = []
        for i, call in enumerate(self.calls):
            if i < len(self.done):
                rows.append(BatchRow(call, "ok", brief(self.done[i])))
            elif i == len(self.done) and self.error is not None:
                rows.append(BatchRow(call, "error", f"{type(self.error).__name__}: {self.error}"))
            else:
                rows.append(BatchRow(call, "not run", ""))
        return rows

    def __repr__(self) -> str:
        return batch_text(self.rows())

    def _repr_html_(self) -> str:
        return batch_html(self.rows())


class Batches(Mapping[str, BatchResults]):
    """The results of several batches, by the variables of their proxies."""

    def __init__(self, batches: Mapping[str, BatchResults]) -> None:
        """Hold these."""
        self._batches = dict(batches)

    def __getitem__(self, variable: str) -> BatchResults:
        return self._batches[variable]

    def __iter__(self) -> Iterator[str]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)

    def __repr__(self) -> str:
        return "\n".join(batch_text(b.rows(), title=f"batch of {name}") for name, b in self._batches.items())

    def _repr_html_(self) -> str:
        return "".join(batch_html(b.rows(), title=f"Batch of {name}") for name, b in self._batches.items())


def collect(calls: Sequence[str], results: Iterable[Any]) -> BatchResults:
    """Read the results of a batch until they end, or raise the error of the call that failed."""
    done: list[Any] = []
    failure: BaseException | None = None
    try:
        for result in results:
            done.append(result)  # noqa: PERF402 - what came before an error is kept
    except Exception as error:
        failure = error
    return BatchResults(calls, done, failure)
