"""Proxy: a remote object whose methods are awaited. (Client chapter; S13-S19, S45-S56, S99-S110.)"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any

from pyronb.aio.batch import BatchProxy
from pyronb.aio.driver import connected, hang_up, released, run_on
from pyronb.aio.methods import RemoteAttribute, RemoteMethod, call_remote
from pyronb.aio.wished import WishedCalls
from pyronb.client.calling import ping
from pyronb.client.connecting import ENDLESS, GIVEN_SOCKET, reconnect
from pyronb.client.face import (
    ProxyFace,
    RemoteDoc,
    check_proxy,
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
from pyronb.dialects import PYRO5, Dialect
from pyronb.net.aiostream import AsyncStream
from pyronb.news import Progress
from pyronb.options import ClientOptions
from pyronb.rpc.call import FUNCTION_PREFIX
from pyronb.rpc.handshake import TOGETHER
from pyronb.serializers.hooks import HOOKS
from pyronb.uri import URI

__all__ = ["Proxy", "RemoteFunction", "batch", "in_this_room"]

_ROOM = "aio"
_NO_LOCK = contextlib.nullcontext()

_PROXY_DOC = """A remote object whose methods are awaited.

Making a proxy does no I/O; it connects when it is first used, and again after it was released. Its methods and
attributes are those that the remote object exposes::

    await proxy.method(1, key=2)
    await proxy.attribute
    await proxy._pyroSet("attribute", 3)
    async for item in await proxy.generator(): ...

Tasks may share a proxy: their calls are in flight at the same time, on one connection, and pyronb daemons run them at
the same time too (those of an object that is the client's own, in their order). A call that is cancelled, or
takes longer than `_pyroTimeout`, gives up its own reply and leaves the others alone; over there it still runs, but a
pyronb daemon is told, and stops an ``async def`` method (others ask `pyronb.cancelled`). A proxy
belongs to the event loop in which it connected, until it is released or that loop is closed; other loops and threads
need proxies of their own (`copy.copy`). Subclasses may override `_pyroValidateHandshake`, `_pyroAnnotations` and
`_pyroResponseAnnotations`, none of them as a coroutine; attributes of their own begin with an underscore.

Proxies that arrive as results are proxies of this room too, those that arrive at a daemon are synchronous ones.
(Pickles keep the class that a proxy had.)

Args:
    uri: the address, as text or URI; ``PYRONAME:name`` is looked up whenever the proxy connects.
    connected_socket: a socket that is connected already; `uri` is then just the object id.
    options: how to talk, instead of what the configuration says. Without, and where nobody set SERIALIZER, it is
        ``auto``: values travel as they are between pyronb peers.

Raises:
    PyroError: the text is no URI.
"""


class Proxy(ProxyFace):  # noqa: D101 - the docstring is made by RemoteDoc
    __slots__ = ()
    __doc__ = RemoteDoc(_PROXY_DOC)

    def __init__(self, uri: str | URI, connected_socket: Any = None, *, options: ClientOptions | None = None) -> None:
        if connected_socket is not None:
            uri = f"PYRO:{uri}@{GIVEN_SOCKET}:0"
        self._pyro_set(Link.to(URI(uri), options or config.client_options(serializer=AUTO)))
        if connected_socket is not None:
            # It is taken up by the first call: only then there surely is a loop.
            self._pyro.given_socket = True
            self._pyro.stream = connected_socket

    def _pyro_set(self, link: Link) -> None:
        link.options = in_this_room(link.options)
        # All that a loop does, it does in one thread.
        link.lock = _NO_LOCK
        # Calls that are in flight at the same time run at the same time, where the daemon can do that.
        link.wants = (TOGETHER,)
        super()._pyro_set(link)

    def _pyro_drop(self) -> None:
        hang_up(self._pyro)

    # Members of the remote object

    def __getattr__(self, name: str) -> Any:
        """Give a remote method, or a remote attribute, to be called or awaited. Nobody is asked."""
        # Only reached for names that neither the class nor the proxy has: methods are kept there.
        if name == "_pyro":
            raise AttributeError(name)
        link = self._pyro
        if never_remote(link, name):
            raise AttributeError(f"{name!r} is not a name that a remote object can expose")
        if link.options.metadata:
            metadata = link.metadata
            if metadata is None:
                return RemoteMethod(link, name)
            if name in metadata.attributes:
                return RemoteAttribute(link, name)
            if name not in metadata.methods:
                raise missing(link, name)
        method = RemoteMethod(link, name)
        if not name.startswith("_"):
            link.methods[name] = method
        return method

    def __setattr__(self, name: str, value: Any) -> None:
        """Set one of the proxy's own settings; a remote attribute cannot be set without awaiting it."""
        if name.startswith("_pyro") and hasattr(type(self), name):
            object.__setattr__(self, name, value)
            return
        if never_remote(self._pyro, name):
            if name.startswith("_") and may_have_own(type(self)):
                object.__setattr__(self, name, value)  # a subclass's own
                return
            raise AttributeError(f"{name!r} is not a name that a remote object can expose")
        raise AttributeError(f"an assignment cannot be awaited; say: await proxy._pyroSet({name!r}, value)")

    async def _pyroSet(self, name: str, value: Any) -> None:
        """Set a remote attribute.

        Raises:
            AttributeError: there is none of this name.
        """
        link = self._pyro
        if never_remote(link, name):
            raise AttributeError(f"{name!r} is not a name that a remote object can expose")
        await self._pyro_connect()
        if link.options.metadata and link.metadata is not None and name not in link.metadata.attributes:
            raise not_set(link, name)
        await call_remote(link, "__setattr__", (name, value), None)

    # The connection

    async def _pyroBind(self) -> bool:
        """Connect now, and keep the direct address that a name stood for.

        Returns:
            True when a connection was made, False when there was one.
        """
        made = await self._pyro_connect()
        if self._pyro.connected_uri is not None:
            self._pyro.uri = self._pyro.connected_uri
        return made

    async def _pyro_connect(self) -> bool:
        link, loop = self._pyro, asyncio.get_running_loop()
        began = loop.time()
        made = await connected(link, ambient().annotations)
        if made:
            link.latency = loop.time() - began
        return made

    async def _pyroReconnect(self, tries: int = ENDLESS) -> None:
        """Close the connection and connect again, trying so often with two seconds in between.

        Calls that are in flight fail.

        Raises:
            ConnectionClosedError: no attempt succeeded.
        """
        await run_on(self._pyro, reconnect(self._pyro, tries))

    async def _pyroRelease(self) -> None:
        """Close the connection; the proxy connects again when it is used again. Calls that are in flight fail."""
        await released(self._pyro)

    async def _pyroPing(self, timeout: float = 2.0) -> float:
        """Ask the daemon for a sign of life and give the seconds that it took.

        Raises:
            CommunicationError: none came.
        """
        link, loop = self._pyro, asyncio.get_running_loop()
        await self._pyro_connect()
        began = loop.time()
        await run_on(link, ping(link, began + timeout))
        return loop.time() - began

    def _pyroClaimOwnership(self) -> None:
        """Do nothing: a proxy has no owner thread; the method is there for programs written for Pyro5."""

    def _pyroCall(
        self,
        timeout: float | None = None,
        output: bool | None = None,
        on_progress: Callable[[Progress], Any] | None = None,
    ) -> Any:
        """Give a view of the proxy whose calls are made with these wishes: ``await proxy._pyroCall(timeout=2).work()``.

        It uses the proxy's own connection. Its `_pyroBatch` gives a batch that is sent with these wishes.

        Args:
            timeout: seconds that a call may take, connecting and trying again included; a pyronb daemon is told when
                they have passed (see `cancelled`). 0 waits for ever; None leaves it to `_pyroTimeout`.
            output: whether what the call prints and logs over there is sent along, to the context's listener or to the
                standard streams here; None leaves it to the configuration. A real Pyro sends nothing.
            on_progress: hears each `Progress` of a call, in the loop.

        Raises:
            ValueError: the timeout is negative.
            TypeError: `on_progress` cannot be called.
        """
        return WishedCalls(self, wishes_of(timeout, output, on_progress))

    def _pyroBatch(self) -> BatchProxy:
        """Give a batch for this proxy, as `batch` does."""
        return BatchProxy(self._pyro)

    async def __aenter__(self) -> Proxy:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._pyroRelease()

    @property
    def _pyroConnection(self) -> AsyncStream | None:
        """The connection; None when there is none."""
        stream: AsyncStream | None = self._pyro.stream if self._pyro.connected else None
        return stream

    @property
    def _pyroLocalSocket(self) -> Any:
        """This end's address of the connection; None when there is none."""
        stream = self._pyroConnection
        return None if stream is None else stream.local_address

    def __repr__(self) -> str:
        return f"<pyronb.aio.Proxy {describe(self._pyro)}>"

    def __reduce__(self) -> Any:
        return _from_pickle, (type(self), state_of(self._pyro, PYRO5), own_attributes(self))


class RemoteFunction(Proxy):
    """A function over there: a proxy that can be called. It arrives where a function was the result of a call."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Give the coroutine that calls it over there."""
        return call_remote(self._pyro, "call", args, kwargs)


def in_this_room(options: ClientOptions) -> ClientOptions:
    """Have proxies that arrive be proxies of this room."""
    if options.wire.room == _ROOM:
        return options
    return dataclasses.replace(options, wire=dataclasses.replace(options.wire, room=_ROOM))


def batch(proxy: Proxy) -> BatchProxy:
    """Give a batch for a proxy: calls made on it are kept, and sent together when it is called. (S59-S65.)

    Raises:
        TypeError: it is no proxy of this room.
    """
    check_proxy(proxy, Proxy)
    return BatchProxy(proxy._pyro)


def _from_state(state: Any, dialect: Dialect = PYRO5) -> Proxy:
    link = link_from_state(state, dialect, config.client_options(serializer=AUTO))
    kind = RemoteFunction if str(link.uri.object).startswith(FUNCTION_PREFIX) else Proxy
    return kind._pyro_of(link)


def _from_pickle(kind: type[Proxy], state: Any, own: dict[str, Any]) -> Proxy:
    proxy = kind._pyro_of(_from_state(state)._pyro)
    vars(proxy).update(own)
    return proxy


HOOKS.register_library_class(Proxy, "proxy", lambda proxy, dialect: state_of(proxy._pyro, dialect), _from_state, _ROOM)
HOOKS.register_substitute(Proxy, relayed)
