"""Follower: knows what one name server knows, as long as anybody wants to know it.

However many ask, there is one connection. A name server of pyronb tells its changes over it at the moment they are
made; a real one of Pyro is asked again and again, and less and less often while it does not answer. Whoever asks gets
a mark, and for that mark, later, what has changed since; so many clients can wait for changes and cost nothing.

For one event loop alone. It knows neither tornado nor HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pyronb import errors
from pyronb.aio.proxy import Proxy
from pyronb.jupyter.describing import blank_names, clip, registrations
from pyronb.jupyter.explain import Explanation, explain
from pyronb.jupyter.models import ListingModel, NameModel
from pyronb.jupyter.runtime import place_of
from pyronb.jupyter.server.asking import clock, in_time, options_within, peer_of
from pyronb.nameserver.changes import Changes
from pyronb.rpc.call import NAMESERVER_ID
from pyronb.uri import URI

__all__ = ["MAX_PAUSE", "Follower", "Manners"]

T = TypeVar("T")

MAX_PAUSE = 15.0
"""Most seconds between two tries while a name server does not answer."""
LIVE_WAIT = 10.0
"""Seconds that a name server is asked to wait for a change."""
LINGER = 20.0
"""Seconds that a name server is still followed after the last question."""
_HASTY = 0.5
"""A name server that tells, before this part of the time has passed, that nothing has changed did not wait for it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Manners:
    """How name servers are asked.

    Attributes:
        timeout: seconds that one question may take.
        interval: least seconds between two questions, where changes are not told.
        limit: most names in an answer.
        viewpoint: from where they are asked, for people.
        another: how a person asks another name server, as part of a hint.
    """

    timeout: float = 2.0
    interval: float = 2.0
    limit: int = 20000
    viewpoint: str = ""
    another: str = ""


class Follower:
    """What one name server knows.

    Args:
        address: of the name server.
        manners: how it is asked.
    """

    def __init__(self, address: str, manners: Manners) -> None:
        self._manners = manners
        self._place = place_of(address, manners.another)
        self._blank = blank_names(address, self._place, manners.viewpoint)
        self._rows: dict[str, NameModel] = {}
        self._changes = Changes()
        self._told = self._place if isinstance(self._place, Explanation) else Explanation("ok")
        self._server = ""
        self._ns: Proxy | None = None
        self._mark = ""
        self._live = False
        self._failures = 0
        self._asked = self._next = self._wanted = 0.0
        self._ready = False
        self._every = manners.interval
        self._wishes: list[float] = []
        self._task: asyncio.Task[None] | None = None
        self._nudge, self._looked, self._news = _Bell(), _Bell(), _Bell()

    async def listing(
        self, mark: str = "", wait: float = 0.0, *, fresh: bool = False, every: float = 0.0
    ) -> ListingModel:
        """Tell what the name server knows, or what has changed.

        Args:
            mark: that of an answer, to be told only what has changed since.
            wait: seconds to wait for a change while there is none since that mark.
            fresh: ask the name server now; a question that is under way is shared.
            every: seconds between two questions that are enough, where changes are not told.
        """
        if isinstance(self._place, Explanation):
            if mark:
                await self._news.heard(wait)
            return self._answer(mark)
        now = clock()
        self._wanted = max(self._wanted, now + wait + LINGER)
        running = self._task is not None and not self._task.done()
        if not running:
            self._ready = False
            self._task = asyncio.get_running_loop().create_task(self._follow())
        old = not self._live and not mark and now - self._asked > 2 * self._manners.interval
        self._wishes.append(max(every, self._manners.interval))
        try:
            if not self._ready or fresh or old:
                if self._ready:
                    self._nudge.ring()
                await self._looked.heard()
            elif mark and mark == self._changes.since("")[0] and wait > 0:
                await self._news.heard(wait)
        finally:
            self._every = min(self._wishes)
            self._wishes.remove(max(every, self._manners.interval))
        return self._answer(mark)

    def uri(self, name: str) -> str:
        """Give where a name leads, as far as that is known; else ""."""
        row = self._rows.get(name)
        return "" if row is None else row["uri"]

    async def close(self) -> None:
        """Follow no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # Answers

    def _answer(self, mark: str) -> ListingModel:
        now, changed = self._changes.since(mark)
        total, limit = len(self._rows), self._manners.limit
        complete = changed is None or total > limit
        if complete:
            names = sorted(self._rows)[:limit]
        else:
            names = sorted(name for name in changed or () if name in self._rows)
        told = self._told
        model: ListingModel = {
            **self._blank,
            "names": [self._rows[name] for name in names],
            "total": total,
            "age": round(clock() - self._asked, 3) if self._asked else 0.0,
            "mark": now,
            "complete": complete,
            "removed": [] if complete else sorted(name for name in changed or () if name not in self._rows),
            "live": self._live and told.state == "ok",
            "retry": round(max(0.0, self._next - clock()), 3) if self._failures else None,
            "nameserver": {**self._blank["nameserver"], "server": self._server},
            "state": told.state,
            "reason": told.reason,
            "hint": told.hint,
        }
        return model

    # Asking

    async def _follow(self) -> None:
        """Ask again and again until nobody wants to know any longer."""
        try:
            while clock() < self._wanted:
                pause = await self._look()
                self._next = clock() + pause
                self._ready = True
                self._looked.ring()
                if pause:
                    await self._nudge.heard(pause)
        finally:
            self._hang_up()
            self._looked.ring()
            self._news.ring()

    async def _look(self) -> float:
        """Ask once; give the seconds until it is time to ask again."""
        before = self._told, self._server, self._live
        changed: list[str] = []
        pause = self._wish()
        try:
            began = clock()
            waited, answer = await self._ask()
            changed = self._take(answer)
        except Exception as error:
            _log.debug("following the name server at %s failed", self._place, exc_info=True)
            self._hang_up()
            # No more doublings than matter; the power would grow without end.
            pause = min(pause * 2 ** min(self._failures, 10), max(MAX_PAUSE, pause))
            self._failures += 1
            self._told = explain(error, address=str(self._place), another=self._manners.another)
        else:
            self._failures = 0
            self._told = Explanation("ok")
            self._asked = clock()
            hasty = not changed and waited > 0 and self._asked - began < waited * _HASTY
            if self._live and not hasty:
                pause = 0.0
        if changed or before != (self._told, self._server, self._live):
            self._changes.note(*changed)
            self._news.ring()
        return pause

    def _wish(self) -> float:
        return min(self._wishes, default=self._every)

    async def _ask(self) -> tuple[float, Any]:
        """Ask; give how long the name server was to wait for a change, and its answer."""
        if self._ns is not None and self._live and self._failures == 0:
            asking = asyncio.ensure_future(self._in_time(self._ns.changes(self._mark, LIVE_WAIT), LIVE_WAIT))
            # Whoever follows may be told to stop just when this fails, and then nobody looks at it.
            asking.add_done_callback(lambda asked: asked.cancelled() or asked.exception())
            nudged = asyncio.ensure_future(self._nudge.heard())
            try:
                await asyncio.wait((asking, nudged), return_when=asyncio.FIRST_COMPLETED)
                if asking.done():
                    return LIVE_WAIT, asking.result()
            finally:
                asking.cancel()
                nudged.cancel()
            # Over a new connection, for nobody knows whether the old one is still alive.
            self._hang_up()
        if self._ns is None:
            ns = self._ns = await self._in_time(self._connect())
            remote, about = ns._pyro.remote, ns._pyro.metadata
            self._server = peer_of(ns)
            self._live = remote is not None and remote.is_pyronb and about is not None and "changes" in about.methods
        if self._live:
            return 0.0, await self._in_time(self._ns.changes(self._mark, 0))
        return 0.0, await self._in_time(self._ns.list(return_metadata=True))

    async def _in_time(self, asking: Awaitable[T], wait: float = 0.0) -> T:
        return await in_time(asking, self._manners.timeout + wait)

    async def _connect(self) -> Proxy:
        """Connect with a serializer that reads thousands of names quickly; every name server takes the other."""
        try:
            return await self._connected("json")
        except (errors.ConnectionClosedError, errors.TimeoutError):
            raise
        except errors.CommunicationError:
            return await self._connected("serpent")

    async def _connected(self, serializer: str) -> Proxy:
        options = options_within(self._manners.timeout)
        ns = Proxy(URI(f"PYRO:{NAMESERVER_ID}@{self._place}"), options=replace(options, serializer=serializer))
        ns._pyroTimeout = None
        await ns._pyroBind()
        return ns

    def _hang_up(self) -> None:
        if self._ns is not None:
            self._ns._pyro_drop()
            self._ns = None

    def _take(self, answer: Any) -> list[str]:
        """Take an answer over; give the names that are not as they were.

        Raises:
            PyroError: it makes no sense.
        """
        if not self._live:
            rows, removed, complete = registrations(answer), [], True
        else:
            if not isinstance(answer, Mapping) or not isinstance(answer.get("mark"), str):
                raise errors.PyroError("it does not tell its changes as it should")
            rows, complete = registrations(answer.get("names")), bool(answer.get("complete"))
            gone = answer.get("removed")
            removed = [clip(name, 500) for name in gone if isinstance(name, str)] if isinstance(gone, list) else []
            self._mark = answer["mark"]
        fresh = {row["name"]: row for row in rows}
        if complete:
            removed = [name for name in self._rows if name not in fresh]
        changed = [name for name, row in fresh.items() if self._rows.get(name) != row]
        removed = [name for name in removed if self._rows.pop(name, None) is not None]
        self._rows.update(fresh)
        return changed + removed


class _Bell:
    """Wakes all who listen at the moment."""

    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake them."""
        future, self._future = self._future, None
        if future is not None and not future.done():
            future.set_result(None)

    def heard(self, seconds: float | None = None) -> Coroutine[Any, Any, None]:
        """Wait until it rings, or until that time has passed; it is heard from now on, not from when it is awaited."""
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        return self._wait(self._future, seconds)

    @staticmethod
    async def _wait(rung: asyncio.Future[None], seconds: float | None) -> None:
        await asyncio.wait([rung], timeout=seconds)
