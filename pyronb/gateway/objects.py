"""Objects: finds remote objects by name and calls them, in the blocking room. Knows nothing of HTTP.

Calls are made in json and answers are passed on as they come: the gateway neither reads nor rebuilds what is in them,
so it needs none of the classes that its users know.
"""

from __future__ import annotations

import json
import math
import selectors
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from uuid import UUID

from pyronb.client.calling import deliver_notes, invoke
from pyronb.client.face import missing
from pyronb.client.link import Link
from pyronb.dialects import PYRO5
from pyronb.errors import (
    CommunicationError,
    ConnectionClosedError,
    NamingError,
    PyroError,
    SerializeError,
    TimeoutError,
)
from pyronb.gateway.arguments import Arguments
from pyronb.gateway.options import GatewayOptions
from pyronb.options import ClientOptions, WireOptions
from pyronb.rpc.call import DAEMON_ID, NEXT_ITEM, Call, Outcome, Raised, Returned, StreamOpened
from pyronb.rpc.codec import Codec
from pyronb.rpc.metadata import Metadata
from pyronb.serializers.catalog import catalog_for
from pyronb.sync.driver import run
from pyronb.sync.lookup import locateNS
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI
from pyronb.wire.message import Message

__all__ = ["Answer", "Listed", "NoNameServerError", "Objects", "Stream", "written"]

_JSON = "json"
_ROUND = 0.05
"""Seconds within which items of a far stream are collected before they are passed on."""
_MOMENT = 1.0
"""Seconds to wait for the end of such a round."""
_ROUND_ITEMS = 256
_ROUND_BYTES = 1 << 16
"""Most items, and bytes of them, of such a round."""


class NoNameServerError(NamingError):
    """No name server could be asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a call.

    Attributes:
        payload: the result in JSON; an exception as Pyro writes one; empty where none was waited for.
        failed: whether it is an exception.
    """

    payload: bytes
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A registration in the name server."""

    name: str
    uri: str
    tags: tuple[str, ...] = ()


class Deadline:
    """How long there is time; None is for ever."""

    def __init__(self, seconds: float | None) -> None:
        self.end = math.inf if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Give the seconds that are left; None when there is no end.

        Raises:
            TimeoutError: nothing is left.
        """
        seconds = self.end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("no time is left for this request")
        return None if seconds == math.inf else seconds


class Objects:
    """The remote objects behind a gateway.

    Safe for threads. Where a method says `deadline`, it gives up then, with a `TimeoutError`.

    Args:
        options: what is let through.
        client: how to talk, and where the name server is.
    """

    def __init__(self, options: GatewayOptions, client: ClientOptions) -> None:
        self._options = options
        size = min(client.wire.max_message_size or options.max_answer, options.max_answer)
        wire = replace(client.wire, max_message_size=size)
        self._client = replace(client, serializer=_JSON, metadata=True, max_retries=0, beside=False, wire=wire)
        self._names = _Pool(keep=2, idle=options.idle)
        self._objects = _Pool(keep=options.keep, idle=options.idle)

    def exposed(self, deadline: Deadline) -> list[Listed]:
        """List the registrations whose names are exposed."""
        with self._name_server(deadline) as names:
            expose = self._options.expose
            found = names.list(**({"regex": expose} if expose else {}), return_metadata=True)
        listed = []
        for name, (uri, tags) in sorted(found.items()):
            if self._options.exposes(name):
                listed.append(Listed(name, str(uri), tuple(sorted(map(str, tags)))))
        return listed

    def metadata(self, name: str, deadline: Deadline) -> Metadata:
        """Tell what an object exposes."""
        with self._object(name, deadline) as link:
            assert link.metadata is not None
            return link.metadata

    def call(
        self, name: str, member: str, what: Arguments, *, oneway: bool, correlation_id: UUID, deadline: Deadline
    ) -> Answer | Stream:
        """Call a method of an object, or read an attribute.

        Raises:
            NamingError: there is no object of this name.
            AttributeError: the object exposes no such member.
            TypeError: an attribute was given arguments.
        """
        proxy, place = self._borrowed(name, deadline)
        link = proxy._pyro
        lent, sound = True, False
        try:
            call = _call(link, member, what, oneway=oneway)
            call.correlation_id = correlation_id.bytes
            outcome = _said(link, call, deadline)
            if isinstance(outcome, StreamOpened) and outcome.stream_id is not None:
                lent = False
                return Stream(link, outcome.stream_id, lambda: self._objects.give_back(place, proxy, sound=False))
            sound = True
            return _answer(outcome)
        except (AttributeError, TypeError):
            sound = True
            raise
        finally:
            if lent:
                self._objects.give_back(place, proxy, sound=sound)

    def sweep(self) -> bool:
        """Close connections that were kept for nothing; tells whether any are left."""
        return any([self._names.sweep(), self._objects.sweep()])

    def close(self) -> None:
        """Close all connections, also those on which somebody waits for an answer."""
        self._names.close()
        self._objects.close()

    @contextmanager
    def _name_server(self, deadline: Deadline) -> Iterator[Proxy]:
        wanted = self._client.lookup

        def connect() -> Proxy:
            try:
                return locateNS(
                    wanted.host, wanted.port, hmac_key=self._options.hmac_key, options=self._in_time(deadline)
                )
            except NamingError as error:
                raise NoNameServerError(str(error)) from error

        with self._names.borrowed("", connect) as proxy:
            proxy._pyro.timeout = deadline.left()
            yield proxy

    def _in_time(self, deadline: Deadline) -> ClientOptions:
        left = deadline.left()
        limits = [seconds for seconds in (left, self._client.connect_timeout) if seconds is not None]
        return replace(self._client, timeout=left, connect_timeout=min(limits, default=None))

    def _borrowed(self, name: str, deadline: Deadline) -> tuple[Proxy, str]:
        with self._name_server(deadline) as names:
            uri = names.lookup(name)
        if not isinstance(uri, URI) or uri.protocol != "PYRO":
            raise PyroError(f"what is registered as {name!r} is no address of an object: {uri}")

        def connect() -> Proxy:
            proxy = Proxy(uri, options=self._in_time(deadline))
            proxy._pyroHmacKey = self._options.hmac_key
            proxy._pyroBind()
            proxy._pyro.codec = _AsItCame(proxy._pyro)
            return proxy

        place = str(uri)
        return self._objects.borrow(place, connect), place

    @contextmanager
    def _object(self, name: str, deadline: Deadline) -> Iterator[Link]:
        proxy, place = self._borrowed(name, deadline)
        try:
            yield proxy._pyro
        finally:
            self._objects.give_back(place, proxy, sound=True)


def written(error: BaseException) -> bytes:
    """Write an exception as Pyro's gateways do."""
    json_serializer = catalog_for(PYRO5, WireOptions(), pyronb_peer=False).by_name(_JSON)
    try:
        return json_serializer.dumps(error)
    except SerializeError:
        # Something in it has no form in JSON; its text has.
        return json_serializer.dumps(PyroError(f"{type(error).__name__}: {error}"))


def _call(link: Link, member: str, what: Arguments, *, oneway: bool) -> Call:
    known = link.metadata
    assert known is not None
    if member in known.attributes:
        if what:
            raise TypeError(f"{member!r} is an attribute, which takes no arguments")
        return Call("", "__getattr__", (member,), None)
    if member not in known.methods:
        raise missing(link, member)
    return Call("", member, what.args, what.kwargs, oneway=oneway)


def _said(link: Link, call: Call, deadline: Deadline) -> Outcome:
    with link.lock:
        if not link.connected:
            raise ConnectionClosedError(f"the connection to {link.place} was lost; try again")
        link.timeout = deadline.left()
        return run(invoke(link, call))


def _answer(outcome: Outcome) -> Answer:
    if isinstance(outcome, Returned):
        # None is a oneway call, of which nothing comes back; all other results are the bytes of an answer.
        return Answer(b"" if outcome.value is None else _valid(outcome.value))
    if isinstance(outcome, Raised):
        return Answer(
            outcome.error.payload if isinstance(outcome.error, _Told) else written(outcome.error), failed=True
        )
    return Answer(written(PyroError("the result is an iterator, and the daemon does not stream")), failed=True)


def _valid(payload: bytes) -> bytes:
    """Write null for the numbers that JSON does not have; Python's json writes them all the same."""
    if b"NaN" not in payload and b"Infinity" not in payload:
        return payload
    return json.dumps(json.loads(payload, parse_constant=lambda _: None), ensure_ascii=False).encode("utf-8", "replace")


class _Told(Exception):  # noqa: N818 - it is not raised: it stands for an exception that is passed on
    """An exception over there, in JSON."""

    def __init__(self, payload: bytes) -> None:
        super().__init__()
        self.payload = payload


class _AsItCame(Codec):
    """Leaves an answer in JSON as it came."""

    def __init__(self, link: Link) -> None:
        assert link.codec is not None
        super().__init__(link.dialect, link.codec.catalog, link.options.wire)

    def decode_reply(self, reply: Message) -> Outcome:
        """Give the payload of a reply."""
        dialect = self.dialect
        if reply.flags & dialect.item_stream or reply.serializer_id != dialect.serializers[_JSON]:
            outcome = super().decode_reply(reply)
            if isinstance(outcome, Returned):
                outcome.value = self.catalog.by_name(_JSON).dumps(outcome.value)
            return outcome
        payload = bytes(self._payload(reply))
        if reply.flags & dialect.exception:
            return Raised(_Told(payload), reply.annotations)
        return Returned(payload, reply.annotations)


class Stream:
    """A far stream, whose items are asked for a few at a time.

    Args:
        link: the connection that it came over, which is the stream's alone.
        stream_id: its id at the daemon.
        release: ends the connection.
    """

    def __init__(self, link: Link, stream_id: str, release: Callable[[], None]) -> None:
        self._link = link
        self._stream_id = stream_id
        self._release = release
        self._ended = False

    def some(self, most: int, deadline: Deadline) -> tuple[list[bytes], bool]:
        """Ask for some items: as many as come in a moment, but at least one.

        Args:
            most: no more than so many.
            deadline: until when the whole stream has time.

        Returns:
            The items in JSON, an exception that ends the stream last; and whether there may be more.
        """
        items: list[bytes] = []
        size, until = 0, time.monotonic() + _ROUND
        while len(items) < min(most, _ROUND_ITEMS) and size < _ROUND_BYTES:
            answer = _answer(_said(self._link, Call(DAEMON_ID, NEXT_ITEM, (self._stream_id,), {}), deadline))
            if answer.failed:
                self._ended = True
                return items if _is_end(answer.payload) else [*items, answer.payload], False
            items.append(answer.payload)
            size += len(answer.payload)
            if time.monotonic() > until:
                break
        return items, True

    def close(self) -> None:
        """Give it up. An item that is being asked for has a moment; after that the daemon is left to find out."""
        link = self._link
        if not self._ended and link.lock.acquire(timeout=_MOMENT):
            try:
                link.notes.append(self._stream_id)
                with suppress(CommunicationError):
                    run(deliver_notes(link))
            finally:
                link.lock.release()
        _interrupt(link)
        self._release()


def _is_end(payload: bytes) -> bool:
    """Tell whether an exception is the regular end of an iterator."""
    with suppress(ValueError):
        told = json.loads(payload)
        return isinstance(told, Mapping) and str(told.get("__class__")).rpartition(".")[2] == "StopIteration"
    return False


def _interrupt(link: Link) -> None:
    """Wake up whoever waits on this connection."""
    stream = link.stream
    if stream is not None:
        stream.shutdown()


class _Pool:
    """Connected proxies that nobody uses at the moment.

    Args:
        keep: most proxies for each place.
        idle: seconds after which one is closed.
    """

    def __init__(self, keep: int, idle: float) -> None:
        self._keep = keep
        self._idle = idle
        self._lock = threading.Lock()
        self._kept: dict[str, list[tuple[float, Proxy]]] = {}
        self._used: dict[int, Proxy] = {}

    @contextmanager
    def borrowed(self, place: str, connect: Callable[[], Proxy]) -> Iterator[Proxy]:
        """Lend a proxy for a block; one that saw trouble with its connection is not kept."""
        proxy = self.borrow(place, connect)
        sound = True
        try:
            yield proxy
        except CommunicationError:
            sound = False
            raise
        finally:
            self.give_back(place, proxy, sound=sound)

    def borrow(self, place: str, connect: Callable[[], Proxy]) -> Proxy:
        """Take a kept proxy for this place, or a new one."""
        while (proxy := self._taken(place)) is not None:
            if _alive(proxy):
                break
            proxy._pyroRelease()
        if proxy is None:
            proxy = connect()
        with self._lock:
            self._used[id(proxy)] = proxy
        return proxy

    def _taken(self, place: str) -> Proxy | None:
        with self._lock:
            kept = self._kept.get(place)
            return kept.pop()[1] if kept else None

    def give_back(self, place: str, proxy: Proxy, *, sound: bool) -> None:
        """Take a proxy back, to keep it or to close it."""
        with self._lock:
            known = self._used.pop(id(proxy), None) is not None
            kept = self._kept.setdefault(place, []) if self._keep else []
            if known and sound and len(kept) < self._keep and proxy._pyro.connected:
                kept.append((time.monotonic() + self._idle, proxy))
                return
        proxy._pyroRelease()

    def sweep(self) -> bool:
        """Close what was kept for too long; tells whether there is more."""
        now, old = time.monotonic(), []
        with self._lock:
            for place, kept in list(self._kept.items()):
                old += [proxy for until, proxy in kept if until <= now]
                self._kept[place] = [pair for pair in kept if pair[0] > now]
                if not self._kept[place]:
                    del self._kept[place]
            more = bool(self._kept)
        for proxy in old:
            proxy._pyroRelease()
        return more

    def close(self) -> None:
        """Close all, and interrupt those that are in use."""
        with self._lock:
            idle = [proxy for kept in self._kept.values() for _, proxy in kept]
            used = list(self._used.values())
            self._kept.clear()
            self._used.clear()
        for proxy in idle:
            proxy._pyroRelease()
        for proxy in used:
            _interrupt(proxy._pyro)


def _alive(proxy: Proxy) -> bool:
    """Tell whether the daemon has not hung up: on an idle connection there is nothing to read but that."""
    stream = proxy._pyro.stream
    if stream is None or not proxy._pyro.connected:
        return False
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(stream.socket, selectors.EVENT_READ)
            return not selector.select(0)
    except (OSError, ValueError):
        return False
