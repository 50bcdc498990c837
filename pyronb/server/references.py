"""References: what travels as a proxy although nobody registered it.

Functions, methods of objects and instances of classes marked with `by_reference` that are given to a call as arguments
are made callable for the other side, by a daemon that this program runs for that purpose. Its thread starts with the
first of them and ends when there are none left. They are kept alive by their own program: what it does not hold any
more is gone for the other side as well. What is written into the call itself (a lambda, a partial, a method of a list)
is kept as long as the other side has a proxy for it, which pyronb peers tell. The id of each is too long to be guessed,
and is told to nobody else.

A pyronb peer calls over connections that this program makes to it (`pyronb.net.back`), so that nothing listens here and
no firewall is in the way. A real Pyro peer dials an address of this program.

Iterators and open files are asked for their items in the same way, but only while the call runs to which they were
given: nothing else would tell when the other side is through with them, and whoever interrupts the call wants them to
be left alone.

As results, instances of marked classes are registered with the daemon that gives them, until the connection ends over
which they were got. Functions are never given as results: what a server calls itself is nobody's business by accident.
"""

from __future__ import annotations

import concurrent.futures
import functools
import inspect
import io
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

from pyronb.client.link import Link
from pyronb.config import config
from pyronb.errors import SerializeError
from pyronb.net.back import is_own, wait_for
from pyronb.net.deadline import after
from pyronb.net.sockets import own_host_for
from pyronb.rpc.call import FUNCTION_PREFIX
from pyronb.rpc.handshake import BACK
from pyronb.serializers.hooks import HOOKS, SPEAKER, class_name
from pyronb.server.conversation import Conversation
from pyronb.server.daemon import proxy_instead
from pyronb.server.givenout import GivenOut
from pyronb.server.officedaemon import OfficeDaemon
from pyronb.server.offices import Office
from pyronb.server.relays import relay_for
from pyronb.server.waysback import WayBack, place_of
from pyronb.sync.proxy import Proxy

__all__ = ["by_reference", "function_instead", "given_out", "relay_instead", "stream_instead", "withdraw"]

log = logging.getLogger("pyronb.server")

Class = TypeVar("Class", bound=type)
_BLOCK = 1 << 20
"""Bytes of the blocks that binary files are read in."""
_MOMENT = 2.0
"""Seconds that giving something out waits for the first connection of its way back."""


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


def given_out() -> list[GivenOut]:
    """Tell what functions and objects others can call because they were given to calls as arguments, and its traffic.

    It costs nothing but looking, and tells of what can still be called.
    """
    return [given for office in _offices.all() for given in office.given_out()]


def withdraw(function: Any) -> bool:
    """Take a function, a method or an object that was given to calls as argument out of reach of the other side.

    Returns:
        Whether it was in reach.
    """
    return sum(office.withdraw(function) for office in _offices.all()) > 0


class _Offices:
    """The offices of this program, by their host; that without one listens nowhere."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._by_host: dict[str | None, Office] = {}

    def forget(self) -> None:
        """Start anew in the child of a fork: the threads and the functions are its parent's."""
        self._lock = threading.RLock()
        self._by_host = {}

    def all(self) -> list[Office]:
        with self._lock:
            return list(self._by_host.values())

    def thing(self, object_id: str) -> Any:
        """Give what was given out under this id; None when it is gone."""
        found = [office.entries.get(object_id) for office in self.all()]
        return next((entry.reference() for entry in found if entry is not None), None)

    def proxy_for(self, thing: Any, link: Link) -> Proxy:
        """Give the proxy under which the peer of this link can call."""
        if _keeps_connections(link):
            proxy, way = self._proxy_from(None, thing, link)
            assert way is not None
            if _is_there(way, link):
                return proxy
        return self._proxy_from(own_host_for((link.connected_uri or link.uri).host), thing, link)[0]

    def lend(self, iterator: Iterator[Any], link: Link) -> Proxy:
        """Give what stands for an iterator until the call is over that is being written to this link."""
        with self._lock:
            proxy, way, take_back = self._office(None).lend(iterator, link)
        link.lent.append(take_back)
        if not _is_there(way, link):
            raise SerializeError(f"an iterator cannot be an argument here: {link.place} cannot ask for its items")
        return proxy

    def _proxy_from(self, host: str | None, thing: Any, link: Link) -> tuple[Proxy, WayBack | None]:
        with self._lock:
            return self._office(host).proxy_for(thing, link)

    def _office(self, host: str | None) -> Office:
        office = self._by_host.get(host)
        if office is None:
            office = self._by_host[host] = Office(host, self._close, config.daemon_options())
        return office

    def _close(self, office: Office) -> bool:
        """Tell an office that has nothing left whether it may end; from then on it is not asked any more."""
        with self._lock:
            if not office.empty:
                return False
            del self._by_host[office.host]
            return True


_offices = _Offices()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_offices.forget)


def _keeps_connections(link: Link) -> bool:
    """Tell whether the peer of a link can be given connections over which it calls."""
    return link.remote is not None and BACK in link.remote.abilities and not link.given_socket


def _is_there(way: WayBack, link: Link) -> bool:
    """Wait a moment for a connection, so that whoever is called finds it there; False when there can be none.

    An event loop is not held up: the other side waits for the connection.
    """
    made = way.begin()
    if not made.done() and link.options.wire.room:
        return True
    try:
        trouble = wait_for(made, after(_MOMENT))
    except concurrent.futures.TimeoutError:
        return True
    if trouble:
        log.info("callbacks from %s come directly", way.place)
    return not trouble


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


def stream_instead(thing: Any, speaker: Any) -> Proxy | None:
    """Give what stands for an iterator or an open file, to the peer of the link that is speaking; else None.

    Raises:
        SerializeError: it is not known who speaks, or the peer cannot ask for items.
    """
    if speaker is None:
        raise SerializeError(f"{class_name(thing)} has no form that can be written; it can be an argument of a call")
    if not isinstance(speaker, Link):
        return None
    if not _keeps_connections(speaker):
        raise SerializeError(
            f"{class_name(thing)} can be an argument where both ends are pyronb, and {speaker.place} is "
            f"{speaker.peer or 'not known'}: send a list of the items, or call a method for each of them"
        )
    return _offices.lend(_items_of(thing), speaker)


def _items_of(thing: Any) -> Iterator[Any]:
    """Give the items that stand for a thing: of a binary file its blocks, of a text file its lines."""
    if isinstance(thing, io.IOBase) and not isinstance(thing, io.TextIOBase):
        return iter(functools.partial(thing.read, _BLOCK), b"")
    return iter(thing)


def relay_instead(link: Link, speaker: Any) -> Proxy | None:
    """Give what travels in the place of a proxy that leads back to the program that passed it, and only from here.

    Args:
        link: of the proxy.
        speaker: to whom it is to be given; there it leads to this program, which calls on.

    Raises:
        SerializeError: it is not known who speaks.
    """
    if is_own(str(link.uri.back)):
        # It came back to where it was given out.
        thing = _offices.thing(str(link.uri.object))
        elsewhere = isinstance(speaker, Link) and place_of(speaker) != link.uri.location
        return _offices.proxy_for(thing, speaker) if thing is not None and elsewhere else None
    if speaker is None:
        raise SerializeError(f"the proxy for {link.uri} travels by way of this program, and it is not known to whom")
    proxy = Proxy._pyro_of(link.twin())
    if isinstance(speaker, Conversation):
        lent: Proxy | None = speaker.lend(relay_for(proxy))
        return lent
    if not isinstance(speaker, Link) or not speaker.options.autoproxy or place_of(speaker) == link.uri.location:
        return None
    is_function = str(link.uri.object).startswith(FUNCTION_PREFIX)
    return _offices.proxy_for(functools.partial(proxy.call) if is_function else relay_for(proxy), speaker)


def _object_instead(obj: Any) -> Proxy | None:
    speaker = SPEAKER.get()
    if isinstance(speaker, Conversation):
        lent: Proxy | None = speaker.lend(obj)
        return lent
    if not isinstance(getattr(obj, "_pyroDaemon", None), OfficeDaemon):
        registered = proxy_instead(obj)
        if registered is not None:
            return registered
    if speaker is None:
        raise SerializeError(f"{type(obj).__name__} travels by reference, and it is not known to whom")
    if not isinstance(speaker, Link) or not speaker.options.autoproxy:
        return None
    return _offices.proxy_for(obj, speaker)
