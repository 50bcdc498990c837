"""Offices: the daemons on which a program lets others call what it gave to calls as arguments.

One listens nowhere: it serves over connections that this program makes to pyronb peers (`pyronb.net.back`). Others, for
real Pyro peers, listen at one of the program's addresses each. They count calls, and run what is called in the context
in which it was given.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import secrets
import socket
import threading
import time
import types
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from concurrent.futures import Future
from contextvars import Context, copy_context
from typing import Any

from pyronb.client.functions import FUNCTIONS
from pyronb.client.link import Link
from pyronb.client.procedures import connect
from pyronb.context import CallContext, ambient, current_context, enter, leave
from pyronb.errors import CommunicationError, DaemonError
from pyronb.net.back import be_own
from pyronb.net.sockets import keep_alive
from pyronb.net.stream import SocketStream
from pyronb.options import DaemonOptions
from pyronb.rpc.call import DAEMON_ID, FUNCTION_PREFIX, ITERATOR_PREFIX, Call
from pyronb.rpc.handshake import BACK, Greeting
from pyronb.rpc.metadata import Metadata
from pyronb.serializers.hooks import SPEAKER
from pyronb.server.conversation import Conversation
from pyronb.server.daemon import Daemon
from pyronb.server.daemonobject import DaemonObject
from pyronb.server.dispatch import Caller, Dispatcher
from pyronb.server.exposure import expose
from pyronb.server.relays import Relay
from pyronb.server.secrets import back_key
from pyronb.sync.driver import run
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI, back_location

__all__ = ["DIRECT", "OWN_CONNECTION", "GivenOut", "Office", "OfficeDaemon", "WayBack", "place_of"]

log = logging.getLogger("pyronb.server")

Reference = Callable[[], Any]
"""Gives the function or object, or None when it is gone."""

OWN_CONNECTION = "own connection"
DIRECT = "direct"
"""How calls come."""

_LOOK = 0.5
"""Seconds between two looks at whether there is anything left to be called."""
_LATELY = 0.5
"""Seconds that a connection is kept after an iterator was lent, for the next one."""
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 60.0
"""Seconds before a connection is made again, after one was lost or could not be made."""
_GIVEN_UP = 5
"""Connections that cannot be made, one after the other, after which it is taken that nobody is there any more."""
_MOST_PLACES = 16
"""Most places that are told of one thing that was given out."""


class _Function:
    """What others see of a function: an object with a method `call`."""

    def __init__(self, reference: Reference, entries: list[_Entry]) -> None:
        self._reference = reference
        self._entries = entries

    @expose
    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        function = self._reference()
        if function is None:
            raise DaemonError("the function is gone: its own program does not keep it any more")
        try:
            return _in_context(self._entries[0].context, function, *args, **kwargs)
        except Exception:
            if getattr(function, "_pyroCallback", False):
                log.exception("error in callback function %r", function)
            raise


class _Discreet(DaemonObject):
    """The daemon's own object, which tells nobody what there is: who may call a function was given its id."""

    daemon: OfficeDaemon

    @expose
    def registered(self) -> list[str]:
        """List nothing."""
        return []

    @expose
    def forget(self, received: Mapping[str, int]) -> None:
        """Take note that the caller does not hold these any more, by id, each of which it received so often."""
        self.daemon.forget(current_context.client, received)


class _OfficeDispatcher(Dispatcher):
    """Counts the calls of what was given out, and runs them in the context in which it was given.

    So what a function of a notebook prints goes to the cell that gave it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries: dict[str, _Entry] = {}
        """What there is, by the ids under which others call it."""
        find = self.find

        def counted(object_id: str) -> Any:
            found = find(object_id)
            entry = self.entries.get(object_id)
            if entry is not None:
                entry.called()
            return found

        self.find = counted

    def plain_method(self, target: Any, name: str) -> types.MethodType | None:
        """As for `Dispatcher`: objects are called the long way, on which their context is entered."""
        return super().plain_method(target, name) if type(target) is _Function else None

    def _call_user(self, method: Any, name: str, args: Any, kwargs: Any, call: Call, caller: Caller) -> Any:
        entry = self.entries.get(call.object_id)
        run = super()._call_user
        if entry is None or isinstance(entry.reference(), FUNCTIONS):
            return run(method, name, args, kwargs, call, caller)
        return _in_context(entry.context, run, method, name, args, kwargs, call, caller)


def _in_context(context: Context, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a function, and its coroutine, in a copy of this context, as part of the call that is being served."""
    served = ambient()
    own = context.copy()

    def run() -> Any:
        token = enter(served)
        try:
            return function(*args, **kwargs)
        finally:
            leave(token)

    value = own.run(run)
    return _awaited(value, own, served) if isinstance(value, Coroutine) else value


def _present_context() -> Context:
    context = copy_context()
    # Whoever is written to at the moment has nothing to do with what runs in it.
    context.run(SPEAKER.set, None)
    return context


async def _awaited(coroutine: Coroutine[Any, Any, Any], context: Context, served: CallContext) -> Any:
    context.run(enter, served)
    return await _steps(coroutine, context)


@types.coroutine
def _steps(coroutine: Coroutine[Any, Any, Any], context: Context) -> Generator[Any, Any, Any]:
    step: Callable[[Any], Any] = coroutine.send
    value: Any = None
    while True:
        try:
            waits_for = context.run(step, value)
        except StopIteration as end:
            return end.value
        try:
            step, value = coroutine.send, (yield waits_for)
        except BaseException as error:  # noqa: BLE001 - it is for the coroutine, as is being cancelled
            step, value = coroutine.throw, error


class _Lent(Iterator[Any]):
    """An iterator that was given to a call, which runs in the context in which it was given, and is not closed here."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator = iterator
        self._context = _present_context()

    def __next__(self) -> Any:
        return self._context.run(next, self._iterator)


class OfficeDaemon(Daemon):
    """The daemon of an office; what is registered there may be registered at other addresses as well."""

    _dispatcher = _OfficeDispatcher

    def __init__(self, host: str | None, options: DaemonOptions) -> None:
        """Make it; without a host it listens nowhere."""
        self._hidden = host is None
        # The ways of connections that wait, and of those over which somebody calls.
        self._ways: dict[Caller, WayBack] = {}
        self._taken: dict[Caller, WayBack] = {}
        options = dataclasses.replace(options, engine="thread", poll_timeout=_LOOK, nat_host=None)
        if self._hidden:
            options = dataclasses.replace(options, tls=None)
        super().__init__(host, interface=_Discreet, options=options)

    def _listen(self, host: str, port: int, unixsocket: str | None) -> Any:
        return None if self._hidden else super()._listen(host, port, unixsocket)

    @property
    def entries(self) -> dict[str, _Entry]:
        """What there is, by the ids under which others call it."""
        dispatcher = self._host.dispatcher
        assert isinstance(dispatcher, _OfficeDispatcher)
        return dispatcher.entries

    def proxy_at(self, object_id: str, way: WayBack | None) -> Proxy:
        """Give the proxy for an object to those who call it this way."""
        return self.proxyFor(object_id) if way is None else self._proxy_at(URI(f"PYRO:{object_id}@{way.location}"))

    def adopt(self, stream: SocketStream, data: bytes, way: WayBack, *, waits: bool = True) -> None:
        """Serve over a connection that was made for calls this way, after these bytes have come.

        Args:
            stream: the connection.
            data: the bytes.
            way: the way.
            waits: whether it waits over there until somebody takes it; else this program calls itself.
        """
        conversation = self._converse(way.place if waits else "this program")
        (self._ways if waits else self._taken)[conversation.caller] = way
        self._engine.adopt(stream, conversation, data)

    def dismiss(self, way: WayBack) -> None:
        """Close the connections that were made for calls from over there and that nobody calls over."""
        self._engine.dismiss(lambda conversation: self._ways.get(conversation.caller) is way)

    def _greet(self, caller: Caller, greeting: Greeting) -> tuple[Any, Metadata | None]:
        answer = super()._greet(caller, greeting)
        way = self._ways.pop(caller, None)
        if way is not None:
            self._taken[caller] = way
            way.taken()
        return answer

    def _gone(self, conversation: Conversation) -> None:
        way = self._ways.pop(conversation.caller, None)
        if way is not None:
            way.lost()
        self._taken.pop(conversation.caller, None)
        super()._gone(conversation)

    def _lend(self, obj: Any, caller: Caller) -> Proxy | None:
        lent = super()._lend(obj, caller)
        way = self._taken.get(caller)
        if lent is None or way is None or lent._pyroUri.location != self.locationStr:
            return lent
        return self.proxy_at(str(lent._pyroUri.object), way)

    def lend(self, iterator: Iterator[Any], way: WayBack) -> tuple[Proxy, Callable[[], None]]:
        """Give what stands for an iterator to those who ask for its items this way, and what ends that."""
        stream_id = self._streams.open(_Lent(iterator), None, ITERATOR_PREFIX)
        return Proxy(URI(f"PYRO:{stream_id}@{way.location}")), functools.partial(self._streams.close, stream_id)

    def forget(self, caller: Any, received: Mapping[str, int]) -> None:
        """Take note that the other side of a way does not hold objects any more that it received so often."""
        way = self._taken.get(caller)
        for object_id, times in received.items():
            entry = self.entries.get(object_id)
            if entry is not None and way is not None:
                entry.let_go(way, times)

    def forget_all(self, way: WayBack) -> None:
        """Take note that there is nobody any more at the other side of a way."""
        for entry in list(self.entries.values()):
            entry.let_go(way)

    def _on_error(self, caller: Caller, call: Call, error: BaseException) -> None:
        entry = self.entries.get(call.object_id)
        if entry is not None:
            entry.errors += 1
        super()._on_error(caller, call, error)


class WayBack:
    """The way back from one place: connections to it that wait until somebody over there calls.

    There is always one that waits. Who makes them is a thread that ends as soon as it is there.

    Args:
        daemon: what serves over them.
        link: how to talk to that place.
    """

    def __init__(self, daemon: OfficeDaemon, link: Link) -> None:
        self.place = place_of(link)
        self._secret = secrets.token_hex(16)
        self.key = back_key(self._secret)
        self.location = back_location(self.key)
        be_own(self.key, self.own_stream)
        self._daemon = daemon
        self._model = link.twin()
        self._model.uri = URI(f"PYRO:{DAEMON_ID}@{self.place}")
        self._model.connected_uri = self._model.metadata = self._model.remote = None
        self._model.raw = False
        self._model.options = dataclasses.replace(link.options, metadata=True)
        self._lock = threading.Lock()
        self._waiting = 0
        self._working = False
        self._pause = 0.0
        self._failures = 0
        self._over = False
        self._hurry = threading.Event()
        self._known: Future[str] = Future()
        self._link: Link | None = None

    def begin(self) -> Future[str]:
        """Have a connection made if there is none; the future tells why it could not be made, or nothing."""
        with self._lock:
            known = self._known
            if self._waiting:
                return known
            if known.done():
                self._known = known = Future()
            self._hurry.set()
        self._work_on()
        return known

    def _work_on(self) -> None:
        with self._lock:
            if self._working or self._waiting or self._over:
                return
            self._working = True
        threading.Thread(target=self._work, name="pyronb-back", daemon=True).start()

    def _work(self) -> None:
        trouble = "-"
        while trouble and not self._over:
            self._hurry.wait(self._pause)
            self._hurry.clear()
            trouble = "" if self._over else self._try()
            with self._lock:
                if not self._known.done():
                    self._known.set_result(trouble)
        with self._lock:
            self._working = False
        # It may have been taken, or lost, while nobody else was to make one.
        self._work_on()

    def _try(self) -> str:
        try:
            self._connect()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may do better
            log.info("no connection for callbacks from %s: %s", self.place, error)
            with self._lock:
                self._be_patient()
            self._failures += 1
            if self._failures >= _GIVEN_UP or _is_refusal(error):
                self._daemon.forget_all(self)
            return str(error)
        self._failures = 0
        return ""

    def _connect(self) -> None:
        link = self._link = self._model.twin()
        link.back = self._secret
        run(connect(link))
        stream, connection = link.stream, link.connection
        link.stream = link.connection = self._link = None
        assert connection is not None
        if link.remote is None or BACK not in link.remote.abilities:
            stream.close()
            raise CommunicationError(f"{self.place} keeps no connections for calls the other way")
        with self._lock:
            self._waiting += 1
        keep_alive(stream.socket)
        self._daemon.adopt(stream, connection.leave(), self)

    def _be_patient(self) -> None:
        self._pause = min(max(_FIRST_PAUSE, 2 * self._pause), _LONGEST_PAUSE)

    def taken(self) -> None:
        """Take note that somebody calls over a connection that has waited."""
        with self._lock:
            self._waiting -= 1
            self._pause = 0.0
        self._work_on()

    def lost(self) -> None:
        """Take note that a connection was closed over there while it waited."""
        with self._lock:
            self._waiting -= 1
            self._be_patient()
        self._work_on()

    def own_stream(self) -> SocketStream:
        """Give a connection from this program to itself: what it gave out has come back to it."""
        ours, theirs = socket.socketpair()
        self._daemon.adopt(SocketStream(theirs), b"", self, waits=False)
        return SocketStream(ours)

    def end(self) -> None:
        """Make no more of them, and close the one that waits."""
        be_own(self.key, None)
        self._over = True
        self._hurry.set()
        # Whoever waits for an answer to the greeting wakes up.
        link = self._link
        if link is not None and link.stream is not None:
            link.stream.shutdown()
        self._daemon.dismiss(self)


@dataclasses.dataclass(slots=True)
class _Entry:
    """Something that was given out.

    Attributes:
        object_id: its id at the office's daemon.
        reference: gives it, or None.
        name: what it is called, for people.
        to: the places that it was given to.
        context: the context in which it was given last.
        holders: how often it was given over ways whose other side still holds it.
        kept: the function itself, where it can only be had from here: it lives as long as somebody holds it.
        over: whether nobody over there holds it any more.
        calls: how often it was called.
        errors: how many of these calls raised.
        last: moment of the last call, in seconds since the epoch; None before the first.
        lock: held while these are counted.
    """

    object_id: str
    reference: Reference
    name: str
    to: dict[str, None] = dataclasses.field(default_factory=dict)
    context: Context = dataclasses.field(default_factory=Context)
    holders: dict[WayBack, int] = dataclasses.field(default_factory=dict)
    kept: Any = None
    over: bool = False
    calls: int = 0
    errors: int = 0
    last: float | None = None
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def hold(self, way: WayBack, thing: Any) -> None:
        """Take note that it is given over a way once more."""
        with self.lock:
            self.holders[way] = self.holders.get(way, 0) + 1
            self.over = False
            if _is_nameless(thing):
                self.kept = thing

    def let_go(self, way: WayBack, times: int | None = None) -> None:
        """Take note that it is not held at the end of a way, where it was received so often; None for all."""
        with self.lock:
            left = self.holders.pop(way, 0)
            if times is not None and left > times:
                self.holders[way] = left - times
            if left and not self.holders:
                self.over = True
                self.kept = None

    def called(self) -> None:
        """Count a call."""
        with self.lock:
            self.calls += 1
            self.last = time.time()


@dataclasses.dataclass(frozen=True, slots=True)
class GivenOut:
    """A function or an object that was given to calls as argument, and what has become of it.

    Attributes:
        name: what it is called, for people.
        to: the places of the daemons that it was given to; of many, the last ones.
        way: ``own connection`` when calls come over connections that this program made, ``direct`` when over those
            that the other side makes.
        calls: how often it was called.
        errors: how many of these calls raised.
        last: moment of the last call, in seconds since the epoch; None before the first.
    """

    name: str
    to: tuple[str, ...]
    way: str
    calls: int
    errors: int
    last: float | None


class Office:
    """One daemon for what this program lets others call: at one of its addresses, or over its own connections."""

    def __init__(self, host: str | None, over: Callable[[Office], bool], options: DaemonOptions) -> None:
        """Start it, listening nowhere without a host; its thread asks `over` whether it may end with nothing left."""
        self.host = host
        self._daemon = OfficeDaemon(host, options)
        self._over = over
        self._lock = threading.Lock()
        self._entries: dict[Any, _Entry] = {}
        self._ways: dict[Any, WayBack] = {}
        # Where from iterators that are lent are asked for their items; and until when it is worth having connections to
        # places where they were.
        self._lent: dict[object, str] = {}
        self._lately: dict[str, float] = {}
        # The collector leaves notes here, at any moment and in any thread.
        self._gone: deque[_Entry] = deque()
        threading.Thread(target=self._serve, name="pyronb-callbacks", daemon=True).start()

    def _serve(self) -> None:
        with self._daemon:
            while True:
                self._daemon.requestLoop(self._wanted)
                if self._over(self):
                    return

    def _wanted(self) -> bool:
        with self._lock:
            self._bury()
            now = time.monotonic()
            self._lately = {place: until for place, until in self._lately.items() if until > now}
            needed = {place for entry in self._entries.values() for place in entry.to}
            needed.update(self._lent.values(), self._lately)
            for key in [key for key, way in self._ways.items() if way.place not in needed]:
                self._ways.pop(key).end()
            return bool(self._entries or self._lent or self._lately)

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return not self._wanted()

    def proxy_for(self, thing: Any, link: Link) -> tuple[Proxy, WayBack | None]:
        """Give the proxy for a function or an object, which can be called from then on, and the way on which it is."""
        with self._lock:
            self._bury()
            way = None if self.host is not None else self._way_from(link)
            key = _key(thing)
            entry = self._entries.get(key)
            if entry is None or not _same(entry.reference(), thing):
                entry = self._entries[key] = self._admit(thing)
            if way is not None:
                entry.hold(way, thing)
            entry.context = _present_context()
            place = place_of(link)
            entry.to.pop(place, None)
            entry.to[place] = None
            return self._daemon.proxy_at(entry.object_id, way), way

    def lend(self, iterator: Iterator[Any], link: Link) -> tuple[Proxy, WayBack, Callable[[], None]]:
        """Give what stands for an iterator, the way on which it can be asked for items, and what takes it back."""
        key = object()
        with self._lock:
            way = self._way_from(link)
            proxy, close = self._daemon.lend(iterator, way)
            self._lent[key] = place_of(link)

        def take_back() -> None:
            close()
            with self._lock:
                place = self._lent.pop(key, None)
                if place is not None:
                    self._lately[place] = time.monotonic() + _LATELY

        return proxy, way, take_back

    def _way_from(self, link: Link) -> WayBack:
        key = place_of(link), link.options.tls
        way = self._ways.get(key)
        if way is None:
            way = self._ways[key] = WayBack(self._daemon, link)
        return way

    def _admit(self, thing: Any) -> _Entry:
        # The note is left with the entry, which is not known yet when the reference is made.
        notes: list[_Entry] = []

        def leave_note(_: Any) -> None:
            self._gone.extend(notes)

        reference = _weak(thing, leave_note)
        if isinstance(thing, FUNCTIONS):
            uri = self._daemon.register(_Function(reference, notes), FUNCTION_PREFIX + uuid.uuid4().hex)
        else:
            uri = self._daemon.register(thing, force=True, weak=True)
        entry = _Entry(str(uri.object), reference, _name_of(thing))
        notes.append(entry)
        self._daemon.entries[entry.object_id] = entry
        return entry

    def _bury(self) -> None:
        """Let go of what the collector has taken; the lock is held."""
        self._gone.extend(entry for entry in self._entries.values() if entry.over)
        while self._gone:
            gone = self._gone.popleft()
            self._drop(gone)
            for key in [key for key, entry in self._entries.items() if entry is gone]:
                del self._entries[key]

    def _drop(self, entry: _Entry) -> None:
        self._daemon.entries.pop(entry.object_id, None)
        try:
            self._daemon.unregister(entry.object_id)
        except DaemonError:
            log.debug("%s was unregistered already", entry.object_id)

    def withdraw(self, thing: Any) -> bool:
        """Let go of a function or an object; tell whether it was there."""
        with self._lock:
            self._bury()
            entry = self._entries.pop(_key(thing), None)
            if entry is None:
                return False
            self._drop(entry)
            return True

    @property
    def entries(self) -> Mapping[str, _Entry]:
        """What there is, by the ids under which others call it."""
        return self._daemon.entries

    def given_out(self) -> list[GivenOut]:
        """Tell what there is."""
        way = OWN_CONNECTION if self.host is None else DIRECT
        with self._lock:
            self._bury()
            return [
                GivenOut(entry.name, tuple(entry.to)[-_MOST_PLACES:], way, entry.calls, entry.errors, entry.last)
                for entry in self._entries.values()
            ]


def _is_refusal(error: BaseException) -> bool:
    """Tell whether an error means that nobody listens there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError | FileNotFoundError):
            return True
        cause = cause.__cause__
    return False


def _is_nameless(function: Any) -> bool:
    """Tell whether a function is likely to have been made for the call that it is given to, so that nobody keeps it."""
    if isinstance(function, types.FunctionType):
        return function.__name__ == "<lambda>"
    return isinstance(function, types.BuiltinFunctionType | functools.partial | Relay)


def _name_of(thing: Any) -> str:
    """Give what a function or an object is called, for people, without running any code of it."""
    if isinstance(thing, functools.partial):
        return f"partial({_name_of(thing.func)})"
    if isinstance(thing, FUNCTIONS):
        return str(getattr(thing, "__qualname__", type(thing).__name__)).replace("<locals>.", "")
    return type(thing).__qualname__.replace("<locals>.", "")


def _same(known: Any, thing: Any) -> bool:
    return known is thing or (isinstance(thing, types.MethodType) and bool(known == thing))


def _key(thing: Any) -> Any:
    """Give what a function is found by; each access makes a new object of a method."""
    if isinstance(thing, types.MethodType):
        return id(thing.__self__), id(thing.__func__)
    return id(thing)


def _weak(thing: Any, gone: Callable[[Any], None]) -> Reference:
    if isinstance(thing, types.MethodType):
        try:
            return weakref.WeakMethod(thing, gone)
        except TypeError:
            log.debug("%r is of an object without weak references, and lives as long as it is held itself", thing)
    return weakref.ref(thing, gone)


def place_of(link: Link) -> str:
    """Give the place that a link leads to, as it stands in URIs."""
    return str((link.connected_uri or link.uri).location)
