"""References: what travels as a proxy although nobody registered it.

Functions, methods of objects and instances of classes marked with `by_reference` that are given to a call as arguments
are made callable for the other side, by a daemon that this program runs for that purpose. Its thread starts with the
first of them and ends when there are none left. They are kept alive by their own program only: what nobody holds any
more is gone for the other side as well, and so a function that is written into the call itself can be called until
that call returns. The id of each is too long to be guessed, and is told to nobody else.

As results, instances of marked classes are registered with the daemon that gives them, until the connection ends over
which they were got. Functions are never given as results: what a server calls itself is nobody's business by accident.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
import os
import threading
import types
import uuid
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from pyronb.client.functions import FUNCTIONS
from pyronb.client.link import Link
from pyronb.config import config
from pyronb.errors import DaemonError, SerializeError
from pyronb.net.sockets import own_host_for
from pyronb.rpc.call import FUNCTION_PREFIX
from pyronb.serializers.hooks import HOOKS, SPEAKER, class_name
from pyronb.server.conversation import Conversation
from pyronb.server.daemon import Daemon, proxy_instead
from pyronb.server.daemonobject import DaemonObject
from pyronb.server.exposure import expose
from pyronb.sync.proxy import Proxy

__all__ = ["by_reference", "function_instead", "withdraw"]

log = logging.getLogger("pyronb.server")

Class = TypeVar("Class", bound=type)
Reference = Callable[[], Any]
"""Gives the function or object, or None when it is gone."""

_LOOK = 0.5
"""Seconds between two looks at whether there is anything left to be called."""


def by_reference(cls: Class) -> Class:
    """Mark a class whose instances travel as proxies, without having been registered one by one.

    An instance that a method returns is registered with the daemon, until the connection ends over which it was got. An
    instance that is given to a call as argument can be called back for as long as its own program keeps it. What can be
    reached of it is what `expose` marks. Subclasses inherit it. AUTOPROXY switches it off.

    Raises:
        TypeError: it is no class.
    """
    if not inspect.isclass(cls):
        raise TypeError(f"by_reference can only be used on a class, not on {cls!r}")
    cls._pyro_by_reference = True  # type: ignore[attr-defined]
    HOOKS.register_substitute(cls, _object_instead)
    return cls


def withdraw(function: Any) -> bool:
    """Take a function, a method or an object that was given to calls as argument out of reach of the other side.

    Returns:
        Whether it was in reach.
    """
    return sum(office.withdraw(function) for office in _offices.all()) > 0


class _Function:
    """What others see of a function: an object with a method `call`."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    @expose
    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        function = self._reference()
        if function is None:
            raise DaemonError("the function is gone: its own program does not keep it any more")
        try:
            return function(*args, **kwargs)
        except Exception:
            if getattr(function, "_pyroCallback", False):
                log.exception("error in callback function %r", function)
            raise


class _Discreet(DaemonObject):
    """The daemon's own object, which tells nobody what there is: who may call a function was given its id."""

    @expose
    def registered(self) -> list[str]:
        """List nothing."""
        return []


class _OfficeDaemon(Daemon):
    """The daemon of an office; what is registered there may be registered at other addresses as well."""


@dataclasses.dataclass(slots=True)
class _Entry:
    object_id: str
    reference: Reference


class _Office:
    """One daemon for what this program lets others call, at one of the program's addresses."""

    def __init__(self, host: str, over: Callable[[_Office], bool]) -> None:
        """Start it; its thread asks `over` whether it may end when there is nothing left."""
        options = dataclasses.replace(config.daemon_options(), engine="thread", poll_timeout=_LOOK, nat_host=None)
        self.host = host
        self._daemon = _OfficeDaemon(host, interface=_Discreet, options=options)
        self._over = over
        self._lock = threading.Lock()
        self._entries: dict[Any, _Entry] = {}
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
            return bool(self._entries)

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return not self._wanted()

    def proxy_for(self, thing: Any) -> Proxy:
        """Give the proxy for a function or an object, which can be called from then on."""
        with self._lock:
            self._bury()
            key = _key(thing)
            entry = self._entries.get(key)
            if entry is None or not _same(entry.reference(), thing):
                entry = self._entries[key] = self._admit(thing)
            return self._daemon.proxyFor(entry.object_id)

    def _admit(self, thing: Any) -> _Entry:
        # The note is left with the entry, which is not known yet when the reference is made.
        notes: list[_Entry] = []

        def leave_note(_: Any) -> None:
            self._gone.extend(notes)

        reference = _weak(thing, leave_note)
        if isinstance(thing, FUNCTIONS):
            uri = self._daemon.register(_Function(reference), FUNCTION_PREFIX + uuid.uuid4().hex)
        else:
            uri = self._daemon.register(thing, force=True, weak=True)
        entry = _Entry(str(uri.object), reference)
        notes.append(entry)
        return entry

    def _bury(self) -> None:
        """Let go of what the collector has taken; the lock is held."""
        while self._gone:
            gone = self._gone.popleft()
            self._drop(gone)
            for key in [key for key, entry in self._entries.items() if entry is gone]:
                del self._entries[key]

    def _drop(self, entry: _Entry) -> None:
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


class _Offices:
    """The offices of this program, by their host."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._by_host: dict[str, _Office] = {}

    def forget(self) -> None:
        """Start anew in the child of a fork: the threads and the functions are its parent's."""
        self._lock = threading.RLock()
        self._by_host = {}

    def all(self) -> list[_Office]:
        with self._lock:
            return list(self._by_host.values())

    def proxy_for(self, thing: Any, link: Link) -> Proxy:
        """Give the proxy under which the peer of this link can call."""
        place = link.connected_uri or link.uri
        host = own_host_for(place.host)
        with self._lock:
            office = self._by_host.get(host)
            if office is None:
                office = self._by_host[host] = _Office(host, self._close)
            return office.proxy_for(thing)

    def _close(self, office: _Office) -> bool:
        """Tell an office that has nothing left whether it may end; from then on it is not asked any more."""
        with self._lock:
            if not office.empty:
                return False
            del self._by_host[office.host]
            return True


_offices = _Offices()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_offices.forget)


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


def function_instead(function: Any, speaker: Any) -> Proxy | None:
    """Give the proxy for a function, to the peer of the link that is speaking; None where there is to be none.

    Raises:
        SerializeError: it is not known who speaks.
    """
    if speaker is None:
        raise SerializeError(f"{class_name(function)} has no form that can be written; it can be an argument of a call")
    if not isinstance(speaker, Link) or not speaker.options.autoproxy:
        return None
    return _offices.proxy_for(function, speaker)


def _object_instead(obj: Any) -> Proxy | None:
    speaker = SPEAKER.get()
    if isinstance(speaker, Conversation):
        lent: Proxy | None = speaker.lend(obj)
        return lent
    if not isinstance(getattr(obj, "_pyroDaemon", None), _OfficeDaemon):
        registered = proxy_instead(obj)
        if registered is not None:
            return registered
    if speaker is None:
        raise SerializeError(f"{type(obj).__name__} travels by reference, and it is not known to whom")
    if not isinstance(speaker, Link) or not speaker.options.autoproxy:
        return None
    return _offices.proxy_for(obj, speaker)
