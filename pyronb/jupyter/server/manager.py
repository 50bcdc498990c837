"""The manager: asks the configured name server, once for all browsers, and never in the server's own thread.

However many tabs poll, at most one question of a kind is under way, and its answer serves all who asked meanwhile and
all who ask within the next moment. A name server that does not answer is asked less and less often, down to once in
`MAX_BACKOFF` seconds. The manager knows neither tornado nor HTTP.
"""

from __future__ import annotations

import asyncio
import platform
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pyronb.jupyter.explain import Explanation
from pyronb.jupyter.models import NamesModel, ObjectModel
from pyronb.jupyter.runtime import failed_object, read_names, read_object

__all__ = ["Manager", "ManagerClosedError"]

A = TypeVar("A")
M = TypeVar("M", NamesModel, ObjectModel)

MAX_BACKOFF = 15.0
"""Most seconds that a failure is believed without asking again."""
OBJECT_SECONDS = 2.0
"""Seconds that what is known of an object is believed."""
MAX_OBJECTS = 64
"""Most objects that are remembered."""
MAX_ASKING = 16
"""Most questions about objects that may be under way; each has a thread, so that none waits for another."""

ANOTHER = "set another as PyronbServer.name_server in the Jupyter server's configuration"


_BUSY = Explanation(
    "error",
    "The Jupyter server waits for too many other objects at this moment.",
    "Try again in a few seconds.",
)


class ManagerClosedError(Exception):
    """The manager was closed: the Jupyter server is stopping."""


@dataclass(frozen=True, slots=True)
class _Answer(Generic[M]):
    model: M
    asked: float
    until: float


class Manager:
    """Answers of one name server, for many who ask.

    Args:
        address: of the name server; "" when none is configured.
        timeout: seconds that one question may take.
        cache_seconds: how long an answer is believed; a failure is believed longer, each time twice as long.
        limit: most names in an answer.
    """

    def __init__(self, address: str, *, timeout: float = 2.0, cache_seconds: float = 1.0, limit: int = 20000) -> None:
        self.address = address
        self.timeout = timeout
        self.cache_seconds = cache_seconds
        self.limit = limit
        self.viewpoint = f"Jupyter server on {platform.node() or 'this machine'}"
        self._lock = threading.Lock()
        self._closed = False
        self._failures = 0
        self._names: _Answer[NamesModel] | None = None
        self._objects: OrderedDict[str, _Answer[ObjectModel]] = OrderedDict()
        self._asking_names: Future[_Answer[NamesModel]] | None = None
        self._asking_objects: dict[str, Future[_Answer[ObjectModel]]] = {}
        # Names have a thread of their own: objects that do not answer must not keep the list waiting.
        self._names_pool = ThreadPoolExecutor(1, thread_name_prefix="pyronb-server-names")
        self._objects_pool = ThreadPoolExecutor(MAX_ASKING, thread_name_prefix="pyronb-server-objects")

    async def names(self, *, fresh: bool = False) -> NamesModel:
        """Tell what the name server knows.

        Args:
            fresh: do not take an answer from before; a question that is under way is shared all the same.

        Raises:
            ManagerClosedError: the manager was closed.
        """
        with self._lock:
            answer, asking = self._names, self._asking_names
            if answer is not None and not fresh and time.monotonic() < answer.until:
                return _with_age(answer)
            if asking is None:
                if self._closed:
                    raise ManagerClosedError
                asking = self._asking_names = self._names_pool.submit(self._ask_names)
        return _with_age(await _shared(asking))

    async def object(self, name: str) -> ObjectModel:
        """Tell what the object of this name exposes.

        Raises:
            ManagerClosedError: the manager was closed.
        """
        with self._lock:
            answer = self._objects.get(name)
            if answer is not None and time.monotonic() < answer.until:
                self._objects.move_to_end(name)
                return answer.model
            asking = self._asking_objects.get(name)
            if asking is None:
                if self._closed:
                    raise ManagerClosedError
                if len(self._asking_objects) >= MAX_ASKING:
                    return failed_object(name, _BUSY)
                asking = self._objects_pool.submit(self._ask_object, name)
                self._asking_objects[name] = asking
        return (await _shared(asking)).model

    def close(self, seconds: float = 0.0) -> bool:
        """Take no more questions, drop those that wait, and let the threads end.

        Args:
            seconds: how long to wait for questions that are under way; they end by themselves in any case.

        Returns:
            True when none is left.
        """
        with self._lock:
            self._closed = True
            asking: list[Future[Any]] = [*self._asking_objects.values()]
            if self._asking_names is not None:
                asking.append(self._asking_names)
        for pool in (self._names_pool, self._objects_pool):
            pool.shutdown(wait=False, cancel_futures=True)
        # For `wait` a future that was cancelled before it began is never done.
        return not wait([future for future in asking if not future.cancelled()], timeout=seconds).not_done

    def _ask_names(self) -> _Answer[NamesModel]:
        """Ask for the names; this runs in the thread for names."""
        asked = time.monotonic()
        try:
            model = read_names(
                self.address, timeout=self.timeout, limit=self.limit, viewpoint=self.viewpoint, another=ANOTHER
            )
            with self._lock:
                self._failures = 0 if model["state"] == "ok" else self._failures + 1
                # No more doublings than matter; the power would grow without end.
                seconds = self.cache_seconds * 2 ** min(self._failures, 10)
                seconds = min(seconds, max(MAX_BACKOFF, self.cache_seconds))
                answer = self._names = _Answer(model, asked, time.monotonic() + seconds)
            return answer
        finally:
            with self._lock:
                self._asking_names = None

    def _ask_object(self, name: str) -> _Answer[ObjectModel]:
        """Ask for one object; this runs in a thread for objects."""
        asked = time.monotonic()
        try:
            model = read_object(self.address, name, timeout=self.timeout, another=ANOTHER)
            answer = _Answer(model, asked, time.monotonic() + OBJECT_SECONDS)
            with self._lock:
                self._objects[name] = answer
                self._objects.move_to_end(name)
                while len(self._objects) > MAX_OBJECTS:
                    self._objects.popitem(last=False)
            return answer
        finally:
            with self._lock:
                self._asking_objects.pop(name, None)


def _with_age(answer: _Answer[NamesModel]) -> NamesModel:
    return {**answer.model, "age": round(time.monotonic() - answer.asked, 3)}


async def _shared(asking: Future[A]) -> A:
    """Wait for an answer that others wait for too: who gives up must not cancel it for them."""
    try:
        return await asyncio.shield(asyncio.wrap_future(asking))
    except asyncio.CancelledError:
        if asking.cancelled():
            raise ManagerClosedError from None
        raise
