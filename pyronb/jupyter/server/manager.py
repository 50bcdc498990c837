"""The manager: what browsers may ask for, answered once for all of them, and never in the server's own thread.

It knows which name servers may be asked: those of the configuration, those that a user added by hand, and the one that
runs inside. However many tabs there are, each name server is followed over one connection, each object is asked once
at a time, and what is known serves all. The manager knows neither tornado nor HTTP.
"""

from __future__ import annotations

import asyncio
import platform
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from pyronb.jupyter.addresses import Address, is_default, parse_address
from pyronb.jupyter.describing import failed_object, unread
from pyronb.jupyter.explain import Explanation
from pyronb.jupyter.models import (
    HealthsModel,
    KnownModel,
    ListingModel,
    NameServersModel,
    ObjectModel,
    OutcomeModel,
    ValuesModel,
)
from pyronb.jupyter.runtime import place_of, read_object, read_values, remove_name
from pyronb.jupyter.server.asking import clock
from pyronb.jupyter.server.embedded import Embedded
from pyronb.jupyter.server.following import Follower, Manners
from pyronb.jupyter.server.health import Health
from pyronb.jupyter.server.loop import Loop, LoopClosedError
from pyronb.version import __version__

__all__ = ["Manager", "ManagerClosedError", "NotAllowedError", "UnknownNameServerError"]

T = TypeVar("T")
Origin = Literal["configured", "added", "embedded"]

OBJECT_SECONDS = 2.0
"""Seconds that what is known of an object is believed."""
VALUE_SECONDS = 0.4
"""Seconds that values of attributes serve further requests."""
MAX_OBJECTS = 64
"""Most objects that are remembered."""
MAX_ASKING = 16
"""Most questions about objects that may be under way; each has a thread, so that none waits for another."""
MAX_ADDED = 32
"""Most name servers that may be added."""
MAX_WAIT = 30.0
"""Most seconds that an answer waits for a change."""
HEALTH_WAIT = 2.0
"""Seconds that an answer waits for objects that were not asked yet."""

ANOTHER = "add another one in the panel, or set PyronbServer.name_server in the Jupyter server's configuration"


_BUSY = Explanation(
    "error",
    "The Jupyter server waits for too many other objects at this moment.",
    "Try again in a few seconds.",
)


class ManagerClosedError(Exception):
    """The manager was closed: the Jupyter server is stopping."""


class NotAllowedError(Exception):
    """The configuration does not allow this; the text says what does."""


class UnknownNameServerError(Exception):
    """No such name server is known, or it cannot be forgotten; the text says so."""


@dataclass(frozen=True, slots=True)
class _Answer:
    model: ObjectModel
    until: float


class Manager:
    """Answers about name servers and objects, for many who ask.

    Args:
        addresses: of the name servers of the configuration, the one to begin with first.
        timeout: seconds that one question may take.
        interval: least seconds between two looks at a name server that does not tell of its changes.
        limit: most names in an answer.
        read_only: whether names cannot be removed, nor name servers be started.
        may_add: whether users may add name servers.

    Raises:
        ValueError: an address is none.
    """

    def __init__(
        self,
        addresses: Iterable[str] = (),
        *,
        timeout: float = 2.0,
        interval: float = 2.0,
        limit: int = 20000,
        read_only: bool = False,
        may_add: bool = True,
    ) -> None:
        self.timeout = timeout
        self.read_only = read_only
        self.may_add = may_add
        self._manners = Manners(timeout, interval, limit, f"Jupyter server on {_node()}", ANOTHER)
        self._known: dict[str, Origin] = {str(parse_address(text)): "configured" for text in addresses}
        self._embedded = Embedded()
        self._followers: dict[str, Follower] = {}
        self._health = Health(timeout)
        self._objects: OrderedDict[tuple[str, str], _Answer] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Task[ObjectModel]] = {}
        self._reading: dict[tuple[str, str, tuple[str, ...]], asyncio.Task[ValuesModel]] = {}
        self._loop = Loop()
        self._pool = ThreadPoolExecutor(MAX_ASKING, thread_name_prefix="pyronb-server-objects")
        # What changes something waits for nothing but itself.
        self._hands = ThreadPoolExecutor(1, thread_name_prefix="pyronb-server-hands")

    # Which name servers there are

    async def nameservers(self) -> NameServersModel:
        """Tell which name servers can be asked about."""
        return await self._run(self._nameservers())

    async def add(self, text: str) -> NameServersModel:
        """Let a name server be asked that is not in the configuration.

        Raises:
            ValueError: that is no address.
            NotAllowedError: none may be added, or no more.
        """
        address = str(parse_address(text))

        async def work() -> NameServersModel:
            if address not in self._known:
                if not self.may_add:
                    raise NotAllowedError("The Jupyter server allows only the name servers of its configuration.")
                if sum(origin == "added" for origin in self._known.values()) >= MAX_ADDED:
                    raise NotAllowedError(f"There are {MAX_ADDED} name servers already; remove one first.")
                self._known[address] = "added"
            return await self._nameservers()

        return await self._run(work())

    async def forget(self, address: str) -> NameServersModel:
        """Do not let a name server be asked any longer that a user added.

        Raises:
            UnknownNameServerError: no user added it.
        """

        async def work() -> NameServersModel:
            if self._known.get(address) != "added":
                raise UnknownNameServerError(f"{address} was not added here, so that it cannot be removed here.")
            await self._drop(address)
            return await self._nameservers()

        return await self._run(work())

    async def start_embedded(self) -> NameServersModel:
        """Start a name server inside, unless one runs.

        Raises:
            NotAllowedError: only looking is allowed.
            OSError: no port can be had.
        """
        self._check_may_change()

        async def work() -> NameServersModel:
            address = await self._with_hands(self._embedded.start)
            self._known.setdefault(address, "embedded")
            return await self._nameservers()

        return await self._run(work())

    async def stop_embedded(self) -> NameServersModel:
        """Stop the name server inside, if one runs; its names are forgotten.

        Raises:
            NotAllowedError: only looking is allowed.
        """
        self._check_may_change()

        async def work() -> NameServersModel:
            address = self._embedded.address
            await self._with_hands(self._embedded.stop)
            if self._known.get(address) == "embedded":
                await self._drop(address)
            return await self._nameservers()

        return await self._run(work())

    async def _nameservers(self) -> NameServersModel:
        known: list[KnownModel] = []
        for address, origin in self._known.items():
            inside = address == self._embedded.address
            row: KnownModel = {
                "address": address,
                "origin": "embedded" if inside else origin,
                "default": is_default(parse_address(address)),
            }
            known.append(row)
        return {
            "version": __version__,
            "viewpoint": self._manners.viewpoint,
            "read_only": self.read_only,
            "may_add": self.may_add,
            "nameservers": known,
        }

    async def _drop(self, address: str) -> None:
        self._known.pop(address, None)
        follower = self._followers.pop(address, None)
        if follower is not None:
            await follower.close()

    # Questions

    async def names(
        self, address: str = "", mark: str = "", wait: float = 0.0, *, fresh: bool = False, every: float = 0.0
    ) -> ListingModel:
        """Tell what a name server knows, or what has changed there.

        Args:
            address: of the name server; "" for the one to begin with.
            mark: as for `Follower.listing`; likewise the others.
            wait: seconds, at most `MAX_WAIT`.
            fresh: whether to ask now.
            every: seconds.

        Raises:
            UnknownNameServerError: it is none of those that may be asked.
            ManagerClosedError: the manager was closed.
        """

        async def work() -> ListingModel:
            return await self._follower(address).listing(mark, min(wait, MAX_WAIT), fresh=fresh, every=every)

        return await self._run(work())

    async def health(
        self, names: Sequence[str], address: str = "", *, fresh: bool = False, wait: float = HEALTH_WAIT
    ) -> HealthsModel:
        """Tell which of these objects can be reached; those that are not registered are left out.

        Args:
            names: the registered names.
            address: of the name server; "" for the one to begin with.
            fresh: do not believe what was found before.
            wait: seconds to wait for what is not known yet.

        Raises:
            UnknownNameServerError: the name server is none of those that may be asked.
            ManagerClosedError: the manager was closed.
        """

        async def work() -> HealthsModel:
            where = self._address(address)
            follower = self._follower(where)
            if not any(map(follower.uri, names)):
                await follower.listing()
            uris = {name: uri for name in names if (uri := follower.uri(name))}
            return {"objects": await self._health.look(uris, _place(where), wait=wait, fresh=fresh)}

        return await self._run(work())

    async def object(self, name: str, address: str = "", *, fresh: bool = False) -> ObjectModel:
        """Tell what the object of this name exposes.

        Args:
            name: its name.
            address: of the name server.
            fresh: do not believe what it told a moment ago.

        Raises:
            UnknownNameServerError: the name server is none of those that may be asked.
            ManagerClosedError: the manager was closed.
        """

        async def work() -> ObjectModel:
            where = self._address(address)
            key = where, name
            answer = self._objects.get(key)
            if answer is not None and not fresh and clock() < answer.until:
                self._objects.move_to_end(key)
                return answer.model
            asking = self._asking.get(key)
            if asking is None:
                if len(self._asking) >= MAX_ASKING:
                    return failed_object(name, _BUSY)
                asking = self._asking[key] = asyncio.ensure_future(self._ask_object(where, name))
                asking.add_done_callback(lambda _: self._asking.pop(key, None))
            # Who gives up must not spoil it for others.
            return await asyncio.shield(asking)

        return await self._run(work())

    async def values(self, name: str, attributes: Sequence[str], address: str = "") -> ValuesModel:
        """Read attributes of the object of this name; that runs code of the object, where it is.

        All who ask for the same at a time share one answer, which serves for another moment.

        Raises:
            UnknownNameServerError: the name server is none of those that may be asked.
            ManagerClosedError: the manager was closed.
        """

        async def work() -> ValuesModel:
            key = self._address(address), name, tuple(attributes)
            reading = self._reading.get(key)
            if reading is None:
                if len(self._reading) >= MAX_ASKING:
                    return unread(_BUSY)
                reading = self._reading[key] = asyncio.ensure_future(self._read_values(*key))
                loop = asyncio.get_running_loop()
                reading.add_done_callback(lambda _: loop.call_later(VALUE_SECONDS, self._reading.pop, key, None))
            return await asyncio.shield(reading)

        return await self._run(work())

    async def _read_values(self, address: str, name: str, attributes: Sequence[str]) -> ValuesModel:
        ask = partial(read_values, address, name, attributes, timeout=self.timeout, another=ANOTHER)
        return await asyncio.get_running_loop().run_in_executor(self._pool, ask)

    async def unregister(self, name: str, uri: str, address: str = "") -> OutcomeModel:
        """Remove a name that leads to this address.

        Raises:
            NotAllowedError: only looking is allowed.
            UnknownNameServerError: the name server is none of those that may be asked.
            ManagerClosedError: the manager was closed.
        """
        self._check_may_change()

        async def work() -> OutcomeModel:
            where = self._address(address)
            told = await self._with_hands(partial(remove_name, where, name, uri, timeout=self.timeout, another=ANOTHER))
            return {"state": told.state, "reason": told.reason, "hint": told.hint}

        return await self._run(work())

    def close(self, seconds: float = 0.0) -> bool:
        """Take no more questions, drop those that wait, and let the threads end.

        Args:
            seconds: how long to wait for what is under way; it ends by itself in any case.

        Returns:
            True when nothing is left.
        """
        for pool in (self._pool, self._hands):
            pool.shutdown(wait=False, cancel_futures=True)
        ended = self._loop.close(seconds)
        self._embedded.stop()
        return ended

    # Helpers

    async def _ask_object(self, address: str, name: str) -> ObjectModel:
        ask = partial(read_object, address, name, timeout=self.timeout, another=ANOTHER)
        model = await asyncio.get_running_loop().run_in_executor(self._pool, ask)
        key = address, name
        self._objects[key] = _Answer(model, clock() + OBJECT_SECONDS)
        self._objects.move_to_end(key)
        while len(self._objects) > MAX_OBJECTS:
            self._objects.popitem(last=False)
        return model

    def _address(self, address: str) -> str:
        """Check that this name server may be asked; "" stands for the first, or for none where there is none."""
        if not address:
            return next(iter(self._known), "")
        if address not in self._known:
            raise UnknownNameServerError(f"{address} is none of the name servers that may be asked from here.")
        return address

    def _follower(self, address: str) -> Follower:
        where = self._address(address)
        follower = self._followers.get(where)
        if follower is None:
            follower = self._followers[where] = Follower(where, self._manners)
        return follower

    def _check_may_change(self) -> None:
        if self.read_only:
            raise NotAllowedError("The Jupyter server allows looking only (PyronbServer.read_only).")

    def _with_hands(self, work: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._hands, work)

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await self._loop.run(work)
        except LoopClosedError:
            raise ManagerClosedError from None


def _place(address: str) -> Address | None:
    place = place_of(address)
    return place if isinstance(place, Address) else None


def _node() -> str:
    return platform.node() or "this machine"
