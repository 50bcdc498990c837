"""Proxy: a remote object that is used like a local one. (Client chapter; S13-S19, S45-S56, S99-S110.)"""

from __future__ import annotations

import importlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from pyronb.client.calling import ping
from pyronb.client.connecting import ENDLESS, GIVEN_SOCKET, adopt, hang_up, reconnect
from pyronb.client.face import (
    ProxyFace,
    RemoteDoc,
    describe,
    may_have_own,
    missing,
    never_remote,
    not_set,
    own_attributes,
    wishes_of,
)
from pyronb.client.functions import relayed
from pyronb.client.link import Link
from pyronb.client.speech import AUTO
from pyronb.client.state import link_from_state, state_of
from pyronb.config import config
from pyronb.context import ambient
from pyronb.dialects import PYRO4, PYRO5, Dialect
from pyronb.net.deadline import after
from pyronb.net.stream import SocketStream, given
from pyronb.news import Progress
from pyronb.options import ClientOptions
from pyronb.rpc.call import DAEMON_ID, FUNCTION_PREFIX, ITERATOR_PREFIX
from pyronb.rpc.metadata import Metadata
from pyronb.serializers.hooks import HOOKS
from pyronb.sync.driver import connected, run
from pyronb.sync.methods import RemoteMethod, call_remote
from pyronb.sync.shortcut import short_cut
from pyronb.sync.streams import FarStream
from pyronb.uri import URI

__all__ = ["Proxy", "RemoteFunction"]


_PROXY_DOC = """A remote object that is used like a local one.

Making a proxy does no I/O; it connects when it is first used, and again after it was released. Its methods and
attributes are those that the remote object exposes. Threads may share a proxy: one call is made at a time. For calls
that run at the same time give each thread a copy (`copy.copy`). Subclasses may override `_pyroValidateHandshake`,
`_pyroAnnotations` and `_pyroResponseAnnotations`; attributes of their own begin with an underscore.

A method that gives an iterator gives one here, whose items come as they are asked for. An iterator or an open file can
be an argument: the method of a pyronb daemon iterates over it while the call runs, of a binary file over its blocks.

Args:
    uri: the address, as text or URI; ``PYRONAME:name`` is looked up whenever the proxy connects.
    connected_socket: a socket that is connected already; `uri` is then just the object id.
    options: how to talk, instead of what the configuration says.

Raises:
    PyroError: the text is no URI.
"""


class Proxy(ProxyFace):  # noqa: D101 - the docstring is made by RemoteDoc
    __slots__ = ()
    __doc__ = RemoteDoc(_PROXY_DOC)

    def __init__(self, uri: str | URI, connected_socket: Any = None, *, options: ClientOptions | None = None) -> None:
        options = options or config.client_options()
        if connected_socket is not None:
            uri = f"PYRO:{uri}@{GIVEN_SOCKET}:0"
        self._pyro_set(Link.to(URI(uri), options))
        if connected_socket is not None:
            link = self._pyro
            link.given_socket = True
            link.stream = given(connected_socket)
            limit = link.options.connect_timeout
            with link.lock:
                run(adopt(link, None if limit is None else after(limit)))

    def _pyro_set(self, link: Link) -> None:
        link.lock = threading.RLock()
        super()._pyro_set(link)

    def _pyro_drop(self) -> None:
        self._pyroRelease()

    # Members of the remote object

    def __getattr__(self, name: str) -> Any:
        """Give a remote method, or the value of a remote attribute."""
        # Only reached for names that neither the class nor the proxy has: methods are kept there.
        if name == "_pyro":
            raise AttributeError(name)
        link = self._pyro
        if self._pyro_is_attribute(name):
            return call_remote(link, "__getattr__", (name,), None)
        method = RemoteMethod(link, name)
        if not name.startswith("_"):
            link.methods[name] = method
        return method

    def _pyro_is_attribute(self, name: str) -> bool:
        """Tell whether this is a remote attribute rather than a method.

        Raises:
            AttributeError: it is neither.
        """
        link = self._pyro
        if never_remote(link, name):
            raise AttributeError(f"{name!r} is not a name that a remote object can expose")
        if not link.options.metadata:
            return False
        metadata = self._pyro_known()
        if name in metadata.attributes:
            return True
        if name not in metadata.methods:
            raise missing(link, name)
        return False

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a remote attribute, or one of the proxy's own settings."""
        if name.startswith("_pyro") and hasattr(type(self), name):
            object.__setattr__(self, name, value)
            return
        link = self._pyro
        if never_remote(link, name):
            if name.startswith("_") and may_have_own(type(self)):
                object.__setattr__(self, name, value)  # a subclass's own
                return
            raise AttributeError(f"{name!r} is not a name that a remote object can expose")
        if not link.options.metadata:
            raise AttributeError(
                f"attribute {name!r} of the remote object at {link.place} cannot be reached: METADATA is off"
            )
        if name not in self._pyro_known().attributes:
            raise not_set(link, name)
        call_remote(link, "__setattr__", (name, value), None)

    def _pyro_known(self) -> Metadata:
        link = self._pyro
        if link.metadata is None:
            self._pyro_connect()
        assert link.metadata is not None
        return link.metadata

    # What Python asks of containers goes to the remote object where it exposes the method for that

    def __len__(self) -> int:
        count: int = self._pyro_special("__len__", "has no len()")()
        return count

    def __getitem__(self, key: Any) -> Any:
        return self._pyro_special("__getitem__", "cannot be indexed")(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._pyro_special("__setitem__", "takes no items")(key, value)

    def __delitem__(self, key: Any) -> None:
        self._pyro_special("__delitem__", "gives no items up")(key)

    def __contains__(self, value: Any) -> bool:
        if self._pyro_exposes("__contains__"):
            return bool(self._pyro_special("__contains__", "")(value))
        return any(item is value or item == value for item in self)

    def __iter__(self) -> Iterator[Any]:
        if self._pyro_exposes("__iter__"):
            return iter(self._pyro_special("__iter__", "")())
        return self._pyro_items(self._pyro_special("__getitem__", "cannot be iterated"))

    @staticmethod
    def _pyro_items(method: RemoteMethod) -> Iterator[Any]:
        """Give the items 0, 1, 2 and so on, as Python does for objects without an iterator."""
        for index in itertools.count():
            try:
                item = method(index)
            except (IndexError, StopIteration):
                return
            yield item

    def _pyro_exposes(self, name: str) -> bool:
        return not self._pyro.options.metadata or name in self._pyro_known().methods

    def _pyro_special(self, name: str, complaint: str) -> RemoteMethod:
        link = self._pyro
        if not self._pyro_exposes(name):
            raise TypeError(f"remote object {link.uri.object!r} at {link.place} {complaint}: {name} is not exposed")
        return RemoteMethod(link, name)

    # The connection

    def _pyro_connect(self) -> bool:
        link = self._pyro
        with link.lock:
            if link.connected:
                return False
            began = time.monotonic()
            context = ambient()
            connected(link, annotations=context.annotations)
            link.told = time.monotonic()
            link.latency = link.told - began
            if link.short is None:
                link.short = short_cut(link)
            if context.client is None:
                # While a call is served, these are for its own reply.
                context.response_annotations = dict(link.handshake_annotations)
            return True

    def _pyroBind(self) -> bool:
        """Connect now, and keep the direct address that a name stood for.

        Returns:
            True when a connection was made, False when there was one.
        """
        made = self._pyro_connect()
        if self._pyro.connected_uri is not None:
            self._pyro.uri = self._pyro.connected_uri
        return made

    def _pyroReconnect(self, tries: int = ENDLESS) -> None:
        """Close the connection and connect again, trying so often with two seconds in between.

        Raises:
            ConnectionClosedError: no attempt succeeded.
        """
        link = self._pyro
        with link.lock:
            run(reconnect(link, tries))

    def _pyroRelease(self) -> None:
        """Close the connection; the proxy connects again when it is used again."""
        link = self._pyro
        with link.lock:
            run(hang_up(link))

    def _pyroPing(self, timeout: float = 2.0) -> float:
        """Ask the daemon for a sign of life and give the seconds that it took.

        Raises:
            CommunicationError: none came.
        """
        link = self._pyro
        with link.lock:
            self._pyro_connect()
            began = time.monotonic()
            run(ping(link, after(timeout)))
            return time.monotonic() - began

    def _pyroClaimOwnership(self) -> None:
        """Do nothing: a proxy has no owner thread; the method is there for programs written for Pyro5."""

    def _pyroCall(
        self,
        timeout: float | None = None,
        output: bool | None = None,
        on_progress: Callable[[Progress], Any] | None = None,
    ) -> Any:
        """Give a view of the proxy whose calls are made with these wishes: ``proxy._pyroCall(timeout=2).measure(3)``.

        It uses the proxy's own connection. Its `_pyroBatch` gives a batch that is sent with these wishes.

        Args:
            timeout: seconds that a call may take, connecting and trying again included; a pyronb daemon is told when
                they have passed (see `cancelled`). 0 waits for ever; None leaves it to `_pyroTimeout`.
            output: whether what the call prints and logs over there is sent along, to the context's listener or to the
                standard streams here; None leaves it to the configuration. A real Pyro sends nothing.
            on_progress: hears each `Progress` of a call, in the thread that waits for it.

        Raises:
            ValueError: the timeout is negative.
            TypeError: `on_progress` cannot be called.
        """
        wished = importlib.import_module("pyronb.sync.wished")
        return wished.WishedCalls(self, wishes_of(timeout, output, on_progress))

    def _pyroBatch(self) -> Any:
        """Give a batch for this proxy, as `batch` does."""
        return importlib.import_module("pyronb.sync.batch").batch(self)

    def _pyroAsync(self) -> Any:
        """Give a proxy whose calls run in the background, as `asyncproxy` does."""
        return importlib.import_module("pyronb.sync.asynchronous").asyncproxy(self)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pyroRelease()

    @property
    def _pyroConnection(self) -> SocketStream | None:
        """The connection; None when there is none."""
        stream: SocketStream | None = self._pyro.stream if self._pyro.connected else None
        return stream

    @property
    def _pyroLocalSocket(self) -> Any:
        """This end's address of the connection; None when there is none."""
        stream = self._pyroConnection
        return None if stream is None else stream.local_address

    def __repr__(self) -> str:
        return f"<pyronb.Proxy {describe(self._pyro)}>"

    def __reduce__(self) -> Any:
        return _from_pickle, (type(self), state_of(self._pyro, PYRO5), own_attributes(self))

    def __setstate__(self, state: Any) -> None:
        """Become the proxy that a pickle of real Pyro4 tells of; our own pickles do not come here."""
        self._pyro_set(link_from_state(state, PYRO4, config.client_options()))


class RemoteFunction(Proxy):
    """A function over there: a proxy that can be called. It arrives where a function was given as argument."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it over there."""
        return self.call(*args, **kwargs)


def _proxy_or_stream(state: Any, dialect: Dialect) -> Proxy | FarStream:
    """Give what arrived, which may be the iterator that somebody gave to a call."""
    link = link_from_state(state, dialect, config.client_options())
    stream_id = str(link.uri.object)
    if not stream_id.startswith(ITERATOR_PREFIX):
        return _proxy_of(link)
    daemon = Proxy(f"PYRO:{DAEMON_ID}@{link.uri.location}", options=config.client_options(serializer=AUTO))
    return FarStream(daemon._pyro, stream_id, alone=True, connects=True)


def _proxy_of(link: Link) -> Proxy:
    kind = RemoteFunction if str(link.uri.object).startswith(FUNCTION_PREFIX) else Proxy
    return kind._pyro_of(link)


def _from_pickle(kind: type[Proxy], state: Any, own: dict[str, Any]) -> Proxy | FarStream:
    arrived = _proxy_or_stream(state, PYRO5)
    if isinstance(arrived, FarStream):
        return arrived
    proxy = kind._pyro_of(arrived._pyro)
    vars(proxy).update(own)
    return proxy


HOOKS.register_library_class(Proxy, "proxy", lambda proxy, dialect: state_of(proxy._pyro, dialect), _proxy_or_stream)
HOOKS.register_substitute(Proxy, relayed)
