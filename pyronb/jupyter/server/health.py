"""Health: whether objects can be reached, found out gently.

A daemon is asked about one object at a time, all daemons together only so often in a second, and what was found is
believed for a while. Where nobody listens, nobody is asked about the other objects there. Only what somebody has just
wanted to know is looked at: whoever scrolls through thousands of names does not leave thousands of questions behind.

For one event loop alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyronb import errors
from pyronb.aio.proxy import Proxy
from pyronb.jupyter.addresses import Address
from pyronb.jupyter.explain import Explanation, explain
from pyronb.jupyter.models import HealthModel
from pyronb.jupyter.runtime import ONLY_THERE, only_there
from pyronb.jupyter.server.asking import clock, in_time, options_within, peer_of
from pyronb.uri import URI

__all__ = ["Health"]

BELIEVED = 20.0
"""Seconds that what was found is believed."""
AT_ONCE = 4
"""Most daemons that are asked at the same time."""
GAP = 0.03
"""Least seconds between the beginnings of two questions."""
_WANTED = 5.0
"""Seconds after which a question that has not begun is dropped, unless somebody asks again."""
_MOST_KNOWN = 20_000
"""Most objects that are remembered."""
_MOST_WAITING = 500
"""Most objects that wait to be asked."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Finding:
    told: Explanation
    at: float
    latency: float | None = None
    server: str = ""


class _Place:
    """One daemon: the questions that wait for their turn there."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, str]] = deque()
        self.task: asyncio.Task[None] | None = None


class Health:
    """Finds out which objects can be reached.

    Args:
        timeout: seconds that one object may take.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._known: OrderedDict[str, _Finding] = OrderedDict()
        self._places: dict[str, _Place] = {}
        self._wanted: dict[str, float] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._pace = asyncio.Lock()
        self._found: asyncio.Future[None] | None = None

    async def look(
        self, uris: Mapping[str, str], place: Address | None, *, wait: float = 0.0, fresh: bool = False
    ) -> list[HealthModel]:
        """Tell of each object whether it can be reached, as far as that is known when the time is over.

        Args:
            uris: where each name leads.
            place: of their name server.
            wait: seconds to wait for what is not known yet.
            fresh: do not believe what was found before.
        """
        now = clock()
        until, since = now + wait, now if fresh else now - BELIEVED
        for name, uri in uris.items():
            if self._open(uri, since):
                self._want(name, uri, place)
        while any(self._open(uri, since) for uri in uris.values()) and clock() < until:
            if self._found is None:
                self._found = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._found], timeout=max(0.0, until - clock()))
        return [self._model(name, uri) for name, uri in uris.items()]

    def _open(self, uri: str, since: float) -> bool:
        found = self._known.get(uri)
        return found is None or found.at < since

    def _want(self, name: str, uri: str, place: Address | None) -> None:
        waits = uri in self._wanted
        if not waits and len(self._wanted) >= _MOST_WAITING:
            return
        self._wanted[uri] = clock()
        if waits:
            return
        try:
            where = str(URI(uri).location)
        except errors.PyroError as error:
            del self._wanted[uri]
            self._note(uri, _Finding(explain(error, name=name), clock()))
            return
        there = self._places.setdefault(where, _Place())
        there.waiting.append((name, uri))
        if there.task is None:
            there.task = asyncio.get_running_loop().create_task(self._visit(where, there, place))

    async def _visit(self, where: str, there: _Place, place: Address | None) -> None:
        """Ask one daemon about all that is wanted there, one after the other."""
        gone: Exception | None = None
        try:
            while there.waiting:
                name, uri = there.waiting.popleft()
                if self._wanted.pop(uri, 0.0) < clock() - _WANTED:
                    continue
                if gone is not None:
                    self._note(uri, self._failed(gone, name, uri, place))
                    continue
                async with self._turns:
                    async with self._pace:
                        await asyncio.sleep(GAP)
                    proxy = Proxy(uri, options=replace(options_within(self._timeout), metadata=False))
                    try:
                        found = await self._ask(proxy)
                    except Exception as error:
                        _log.debug("asking for a sign of life of %r failed", name, exc_info=True)
                        found = self._failed(error, name, uri, place, peer_of(proxy))
                        gone = error if found.told.state == "unreachable" else None
                    finally:
                        proxy._pyro_drop()
                self._note(uri, found)
        finally:
            self._places.pop(where, None)

    async def _ask(self, proxy: Proxy) -> _Finding:
        await in_time(proxy._pyroBind(), self._timeout)
        latency = await proxy._pyroPing(self._timeout)
        return _Finding(Explanation("ok"), clock(), latency, peer_of(proxy))

    @staticmethod
    def _failed(error: Exception, name: str, uri: str, place: Address | None, server: str = "") -> _Finding:
        told = explain(error, address=str(URI(uri).location), name=name)
        if told.state == "unreachable" and place is not None and only_there(uri, place):
            told = replace(told, hint=ONLY_THERE)
        return _Finding(told, clock(), None, server)

    def _note(self, uri: str, found: _Finding) -> None:
        self._known[uri] = found
        self._known.move_to_end(uri)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        future, self._found = self._found, None
        if future is not None and not future.done():
            future.set_result(None)

    def _model(self, name: str, uri: str) -> HealthModel:
        found = self._known.get(uri)
        told = None if found is None else found.told
        return {
            "name": name,
            "uri": uri,
            "state": "checking" if told is None else told.state,
            "reason": "" if told is None else told.reason,
            "hint": "" if told is None else told.hint,
            "latency": None if found is None else found.latency,
            "server": "" if found is None else found.server,
            "age": 0.0 if found is None else round(clock() - found.at, 3),
        }
