"""Proxy: a remote object that is used like a local one. (Client chapter; S13-S19, S45-S56, S99-S110.)"""

from __future__ import annotations

import base64
import threading
import time
from typing import Any

from pyronb.client.face import describe, doc_of, local_names, missing, never_remote
from pyronb.client.link import Link
from pyronb.client.procedures import adopt, connect, hang_up, ping, reconnect
from pyronb.config import config
from pyronb.dialects import PYRO5, Dialect
from pyronb.errors import PyroError, SerializeError
from pyronb.net.deadline import after
from pyronb.net.stream import given
from pyronb.options import ClientOptions
from pyronb.rpc.metadata import Metadata
from pyronb.serializers.hooks import HOOKS
from pyronb.sync.asynchronous import AsyncProxy
from pyronb.sync.batch import BatchProxy
from pyronb.sync.driver import run
from pyronb.sync.methods import RemoteMethod, call_remote
from pyronb.uri import URI

__all__ = ["Proxy", "asyncproxy", "batch"]

_ENDLESS = 100_000_000
_GIVEN_SOCKET = "<<connected-socket>>"
_ENCODED = "b64:"
"""Before the key in the state of a proxy."""


class _Doc:
    """The docstring: of the class on the class, of the remote object on a proxy that knows it."""

    def __get__(self, proxy: Proxy | None, owner: type) -> str:
        return (proxy is not None and doc_of(proxy._pyro)) or _PROXY_DOC


_PROXY_DOC = """A remote object that is used like a local one.

Making a proxy does no I/O; it connects when it is first used, and again after it was released. Its methods and
attributes are those that the remote object exposes. Threads may share a proxy: one call is made at a time. For calls
that run at the same time give each thread a copy (`copy.copy`).

Args:
    uri: the address, as text or URI; ``PYRONAME:name`` is looked up whenever the proxy connects.
    connected_socket: a socket that is connected already; `uri` is then just the object id.
    options: how to talk, instead of what the configuration says.

Raises:
    PyroError: the text is no URI.
"""


class Proxy:  # noqa: D101 - the docstring is made by _Doc
    __slots__ = ("__weakref__", "_pyro")
    __doc__ = _Doc()

    _pyro: Link

    def __init__(self, uri: str | URI, connected_socket: Any = None, *, options: ClientOptions | None = None) -> None:
        options = options or config.client_options()
        if connected_socket is not None:
            uri = f"PYRO:{uri}@{_GIVEN_SOCKET}:0"
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
        object.__setattr__(self, "_pyro", link)

    @classmethod
    def _pyro_of(cls, link: Link) -> Proxy:
        """Make the proxy for a link that exists already."""
        proxy = object.__new__(cls)
        proxy._pyro_set(link)
        return proxy

    def __del__(self) -> None:
        """Let go of the methods: they hold the link, which holds them, and with it the connection."""
        link = getattr(self, "_pyro", None)
        if link is not None:
            link.methods.clear()

    # Members of the remote object

    def __getattr__(self, name: str) -> Any:
        """Give a remote method, or the value of a remote attribute."""
        # Only reached for names that the class does not have.
        if name == "_pyro":
            raise AttributeError(name)
        link = self._pyro
        method = link.methods.get(name)
        if method is not None:
            return method
        if never_remote(link, name):
            raise AttributeError(f"{name!r} is not a name that a remote object can expose")
        metadata = self._metadata()
        if name in metadata.attributes:
            return call_remote(link, "__getattr__", (name,), None)
        if name not in metadata.methods:
            raise missing(link, name)
        method = link.methods[name] = RemoteMethod(link, name)
        return method

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a remote attribute, or one of the proxy's own settings."""
        if name.startswith("_pyro") and hasattr(type(self), name):
            object.__setattr__(self, name, value)
            return
        if never_remote(self._pyro, name):
            raise AttributeError(f"{name!r} is not a name that a remote object can expose")
        if name not in self._metadata().attributes:
            raise missing(self._pyro, name)
        call_remote(self._pyro, "__setattr__", (name, value), None)

    def _metadata(self) -> Metadata:
        link = self._pyro
        if link.metadata is None:
            self._connect()
        assert link.metadata is not None
        return link.metadata

    # The connection

    def _connect(self) -> bool:
        link = self._pyro
        with link.lock:
            if link.connected:
                return False
            began = time.monotonic()
            run(connect(link))
            link.latency = time.monotonic() - began
            return True

    def _pyroBind(self) -> bool:
        """Connect now, and keep the direct address that a name stood for.

        Returns:
            True when a connection was made, False when there was one.
        """
        made = self._connect()
        if self._pyro.connected_uri is not None:
            self._pyro.uri = self._pyro.connected_uri
        return made

    def _pyroReconnect(self, tries: int = _ENDLESS) -> None:
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
            self._connect()
            began = time.monotonic()
            run(ping(link, after(timeout)))
            return time.monotonic() - began

    def _pyroClaimOwnership(self) -> None:
        """Do nothing: a proxy has no owner thread; the method is there for programs written for Pyro5."""

    def _pyroBatch(self) -> BatchProxy:
        """Give a batch for this proxy, as `batch` does."""
        return BatchProxy(self._pyro)

    def _pyroAsync(self) -> AsyncProxy:
        """Give a proxy whose calls run in the background, as `asyncproxy` does."""
        return asyncproxy(self)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pyroRelease()

    # The proxy's own settings

    @property
    def _pyroUri(self) -> URI:
        """The address."""
        return self._pyro.uri

    @_pyroUri.setter
    def _pyroUri(self, uri: str | URI) -> None:
        self._pyroRelease()
        self._pyro.uri = URI(uri)
        self._pyro.metadata = self._pyro.connected_uri = None
        self._pyro.methods.clear()

    @property
    def _pyroTimeout(self) -> float | None:
        """Seconds that a call may take; None waits for ever."""
        return self._pyro.timeout

    @_pyroTimeout.setter
    def _pyroTimeout(self, seconds: float | None) -> None:
        if seconds is not None and seconds < 0:
            raise ValueError(f"a timeout cannot be negative: {seconds}")
        self._pyro.timeout = seconds or None

    @property
    def _pyroMaxRetries(self) -> int:
        """How often a call is sent again after a timeout or a lost connection.

        The method then runs again over there, so this is for methods that can run twice without harm.
        """
        return self._pyro.max_retries

    @_pyroMaxRetries.setter
    def _pyroMaxRetries(self, times: int) -> None:
        self._pyro.max_retries = times
        self._pyro.short = None

    @property
    def _pyroSerializer(self) -> str:
        """Name of the serializer for calls; a change holds from the next call on."""
        return self._pyro.serializer_name

    @_pyroSerializer.setter
    def _pyroSerializer(self, name: str | None) -> None:
        link = self._pyro
        name = name or link.options.serializer
        if name not in link.dialect.serializers:
            known = ", ".join(sorted(link.dialect.serializers))
            raise SerializeError(f"unknown serializer {name!r}; use one of {known}")
        with link.lock:
            if link.codec is not None:
                link.serializer = link.codec.catalog.by_name(name)
            link.serializer_name = name
            link.short = None

    @property
    def _pyroHandshake(self) -> Any:
        """What is said to the daemon when connecting."""
        return self._pyro.handshake

    @_pyroHandshake.setter
    def _pyroHandshake(self, handshake: Any) -> None:
        self._pyro.handshake = handshake

    @property
    def _pyroHmacKey(self) -> bytes | None:
        """Shared key with which messages are signed, which only protocol 48 (Pyro4) knows; None for none.

        A text is taken as UTF-8. It holds from the next connection on. With a key, a peer of another protocol is
        refused rather than called without signatures.
        """
        return self._pyro.key

    @_pyroHmacKey.setter
    def _pyroHmacKey(self, key: bytes | str | None) -> None:
        self._pyroRelease()
        self._pyro.key = key_bytes(key)

    @property
    def _pyroMethods(self) -> set[str]:
        """Names of the remote methods, as far as they are known; empty before the first connection."""
        return set(self._pyro.metadata.methods) if self._pyro.metadata else set()

    @property
    def _pyroAttrs(self) -> set[str]:
        """Names of the remote attributes, as far as they are known; empty before the first connection."""
        return set(self._pyro.metadata.attributes) if self._pyro.metadata else set()

    @property
    def _pyroOneway(self) -> set[str]:
        """Names of the oneway methods, as far as they are known; empty before the first connection."""
        return set(self._pyro.metadata.oneway) if self._pyro.metadata else set()

    # Looking at a proxy never does I/O

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *local_names(self._pyro)]

    def __repr__(self) -> str:
        return f"<pyronb.Proxy {describe(self._pyro)}>"

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Proxy):
            return NotImplemented
        return self._pyro.uri == other._pyro.uri

    def __hash__(self) -> int:
        return hash(self._pyro.uri)

    def __copy__(self) -> Proxy:
        old = self._pyro
        if old.given_socket:
            raise PyroError("a proxy on a given socket cannot be copied: two would share one connection")
        return type(self)._pyro_of(old.twin())

    def __deepcopy__(self, memo: object) -> Proxy:
        del memo
        return self.__copy__()

    def __reduce__(self) -> Any:
        return _from_state, (_to_state(self, PYRO5),)


def asyncproxy(proxy: Proxy) -> AsyncProxy:
    """Give a proxy whose method calls give a `FutureResult` at once and run in the background. (S66-S77.)

    Raises:
        PyroError: the proxy is on a given socket, and there can be no second connection.
    """
    if proxy._pyro.given_socket:
        raise PyroError("a proxy on a given socket cannot make calls in the background: there is but one connection")
    return AsyncProxy(proxy._pyro)


def key_bytes(key: bytes | str | None) -> bytes | None:
    """Give a shared key as bytes; an empty one is none.

    Raises:
        TypeError: it is neither bytes nor text.
    """
    if isinstance(key, str):
        key = key.encode("utf-8")
    if key is not None and not isinstance(key, bytes):
        raise TypeError(f"a message key should be bytes or a str, not {type(key).__name__}")
    return key or None


def batch(proxy: Proxy) -> BatchProxy:
    """Give a batch for a proxy: calls made on it are kept, and sent together when the batch is called. (S59-S65.)"""
    return BatchProxy(proxy._pyro)


def _to_state(proxy: Proxy, dialect: Dialect) -> tuple[Any, ...]:
    """Give what a proxy is on the wire. (Wire specification, section 17.)

    A key stays here: on the wire it would be readable by everybody.
    """
    link = proxy._pyro
    if link.given_socket:
        raise PyroError("a proxy on a given socket cannot travel: nobody else could use its address")
    known = link.metadata or Metadata()
    own = link.serializer_name if link.serializer_name != link.options.serializer else None
    members = str(link.uri), tuple(known.oneway), tuple(known.methods), tuple(known.attributes)
    if dialect.proxy_settings:
        return (*members, link.timeout or 0.0, None, link.handshake, link.max_retries, own)
    return (*members, link.handshake, own)


def _from_state(state: Any, dialect: Dialect | None = None) -> Proxy:
    """Make a proxy of what one is on the wire; timeouts and retries are local matters and start anew."""
    uri, oneway, methods, attributes, *more = state
    key = None
    if dialect is not None and dialect.proxy_settings:
        _, key, handshake, _, serializer = (*more, None)[:5]
    else:
        handshake, serializer = more
    proxy = Proxy(str(uri))
    link = proxy._pyro
    if methods or attributes:
        link.metadata = Metadata.from_wire({"methods": methods, "oneway": oneway, "attrs": attributes})
    link.handshake = handshake
    if isinstance(key, str) and key.startswith(_ENCODED):
        link.key = key_bytes(base64.b64decode(key[len(_ENCODED) :], validate=True))
    if serializer is not None and serializer in link.dialect.serializers:
        link.serializer_name = serializer
    return proxy


HOOKS.register_library_class(Proxy, "proxy", _to_state, _from_state)
