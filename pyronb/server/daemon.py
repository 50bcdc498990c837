"""Daemon: makes objects reachable from outside. (Client chapter, S1-S4; feature inventory B2.)"""

from __future__ import annotations

import contextlib
import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyronb.client.state import key_bytes
from pyronb.config import config
from pyronb.dialects import UNSAFE
from pyronb.errors import DaemonError, PyroError, SerializeError
from pyronb.net import back
from pyronb.net.sockets import SocketFile, listen, location_at, location_of, port_of
from pyronb.net.stream import SocketStream, check_given, check_tls
from pyronb.options import DaemonOptions
from pyronb.rpc.call import DAEMON_ID, Call
from pyronb.rpc.handshake import Greeting
from pyronb.rpc.metadata import Metadata
from pyronb.rpc.weight import heavy_for
from pyronb.serializers.hooks import HOOKS
from pyronb.server import holds
from pyronb.server.conversation import Conversation, Host
from pyronb.server.coroutines import Coroutines
from pyronb.server.daemonobject import DaemonObject
from pyronb.server.dispatch import Caller, Dispatcher
from pyronb.server.engines import engine_named
from pyronb.server.engines.base import Engine
from pyronb.server.engines.existing import ExistingEngine
from pyronb.server.engines.multiplex import MultiplexEngine
from pyronb.server.instances import Instances
from pyronb.server.registry import Registry
from pyronb.server.secrets import back_key, is_back_secret
from pyronb.server.signals import stopping_on_signals
from pyronb.server.streams import Streams
from pyronb.sync.lookup import locateNS
from pyronb.sync.proxy import Proxy
from pyronb.uri import MAX_PORT, URI
from pyronb.wire.message import NO_ANNOTATIONS, Buffer

__all__ = ["Daemon", "proxy_instead"]

log = logging.getLogger("pyronb.server")

_UNREACHABLE = "./u:<<not-listening>>"
"""Stands in URIs of a daemon that has no socket of its own."""


class Daemon:
    """Makes objects reachable from outside, over one listening socket.

    Register objects, then run `requestLoop` in a thread of your choice. `shutdown` ends the loop, `close` gives
    everything back; as a context manager a daemon closes itself.

    Args:
        host: address to bind to; HOST of the configuration by default.
        port: 0 takes a free one.
        unixsocket: path of a Unix domain socket to listen on instead.
        nathost: host that others are told, behind address translation; NATHOST of the configuration by default.
        natport: port that others are told; NATPORT by default, and 0 stands for the daemon's own.
        interface: class of the object `Pyro.Daemon`, usually a subclass of `DaemonObject`.
        connected_socket: serve only this socket, which is connected already: there is no handshake, the loop ends with
            the connection, and the socket is left open.
        options: how to serve, instead of what the configuration says.

    Raises:
        OSError: the address cannot be had, or `connected_socket` is not connected.
        PyroError: TLS is on, and its files cannot be used.
        ValueError: arguments do not go with each other.
    """

    _dispatcher: type[Dispatcher] = Dispatcher

    def __init__(
        self,
        host: str | None = None,
        port: int = 0,
        unixsocket: str | None = None,
        nathost: str | None = None,
        natport: int | None = None,
        interface: Callable[[Any], Any] = DaemonObject,
        connected_socket: Any = None,
        *,
        options: DaemonOptions | None = None,
    ) -> None:
        self._options = options or config.daemon_options()
        unsafe = sorted(self._options.serializers.intersection(UNSAFE))
        if unsafe:
            log.warning("this daemon accepts %s: whoever can reach it can run code here", ", ".join(unsafe))
        engine: Callable[..., Engine[Any]] = engine_named(self._options.engine)
        if connected_socket is None and unixsocket is None:
            nat = _nat(self._options, nathost, natport)
        elif nathost is None and natport is None:
            nat = None
        else:
            other = "connected_socket" if unixsocket is None else "unixsocket"
            raise ValueError(f"cannot use nathost and natport together with {other}: nobody translates its address")
        if connected_socket is None:
            check_tls(self._options.tls)
            host = config.HOST if host is None else str(host)
            sock = self._listen(host, port, unixsocket)
        else:
            if unixsocket is not None:
                raise ValueError("cannot use unixsocket together with connected_socket: give one of them")
            engine = ExistingEngine
            sock = check_given(connected_socket, self._options.tls)
            host = None
        self._sock = sock
        self._socket_file = None if unixsocket is None else SocketFile(unixsocket)
        self._key: bytes | None = None
        self.locationStr: str = _UNREACHABLE if sock is None else location_of(sock, host)
        self.natLocationStr: str | None = None if nat is None else location_at(nat[0], nat[1] or port_of(sock))
        self._objects = Registry(require_expose=self._options.require_expose)
        self._instances = Instances()
        self._lent: dict[str, set[Caller]] = {}
        self._lending = threading.RLock()
        self._coroutines = Coroutines()
        self._streams = Streams(
            self._options.stream_lifetime,
            self._options.stream_linger,
            time.monotonic,
            self._coroutines.start,
            # Objects served by that engine count on running in the thread of its loop.
            threads=engine is not MultiplexEngine,
            heavy=heavy_for(self._options.wire),
        )
        self._closed = threading.Event()
        self._guest_of: Daemon | None = None
        self._host = self._make_host()
        self._engine = engine(sock, self._converse, self._gone, self._chores, self._options)
        try:
            self._objects.register(interface(self), DAEMON_ID)
        except BaseException:
            self.close()
            raise
        back.begin(self)

    def _make_host(self) -> Host:
        """Make what all conversations share."""
        options = self._options
        dispatcher = self._dispatcher(
            self._objects,
            self._instances,
            self._streams,
            streaming=options.streaming,
            detailed=options.detailed_traceback,
            require_expose=options.require_expose,
            on_error=self._on_error,
            start=self._coroutines.start,
        )
        return Host(
            dispatcher,
            options.wire,
            options.serializers,
            greet=self._greet,
            annotations=self._reply_annotations,
            annotated=lambda: "annotations" in vars(self) or type(self).annotations is not Daemon.annotations,
            oneway_threaded=options.oneway_threaded,
            key=lambda: self._key,
            lend=self._lend,
            keep=self._keep,
            output=options.give_output,
        )

    def _listen(self, host: str, port: int, unixsocket: str | None) -> Any:
        """Give the socket to listen on; None for a daemon that serves only over connections that it makes itself."""
        return listen(
            host,
            port,
            unixsocket=unixsocket,
            reuse_address=self._options.reuse_address,
            ip_version=self._options.ip_version,
        )

    # Objects

    def register(self, obj_or_class: Any, objectId: str | None = None, force: bool = False, weak: bool = False) -> URI:
        """Make an object, or a class whose instances are made as needed, reachable.

        Args:
            obj_or_class: what is called; only members marked with `expose` can be reached.
            objectId: its id, without white space; a random one by default.
            force: take the place of what had this id before.
            weak: do not keep the object alive: when nothing else does any more, it is not registered any more. Not for
                classes.

        Returns:
            The address of the object.

        Raises:
            DaemonError: the id is taken, or the object is registered already.
            TypeError: the id is no text, or what cannot be kept weakly should be.
            ValueError: the id could not be part of an address.
        """
        if objectId == DAEMON_ID:
            raise DaemonError(f"the id {DAEMON_ID!r} belongs to the daemon itself")
        object_id = self._objects.register(obj_or_class, objectId, force=force, weak=weak)
        # Programs written for Pyro look at these; objects that take no further attributes do without.
        try:
            obj_or_class._pyroId = object_id
            obj_or_class._pyroDaemon = self
            if inspect.isclass(obj_or_class) and not hasattr(obj_or_class, "_pyroInstancing"):
                obj_or_class._pyroInstancing = ("session", None)  # type: ignore[attr-defined]
        except (AttributeError, TypeError):
            log.debug("object %r takes no attributes of ours", object_id)
        if not inspect.isclass(obj_or_class):
            _note_class(type(obj_or_class))
        return self.uriFor(object_id)

    def unregister(self, objectOrId: Any) -> None:
        """Take an object, given by itself or by its id, out of reach.

        Raises:
            DaemonError: it is not registered here, or it is the daemon itself.
        """
        if objectOrId == DAEMON_ID:
            raise DaemonError("the daemon's own object cannot be unregistered")
        _, obj = self._objects.unregister(objectOrId)
        self._let_go(obj)

    def _let_go(self, obj: Any) -> None:
        if inspect.isclass(obj):
            self._instances.forget(obj)
        if getattr(obj, "_pyroDaemon", None) is not self:
            return  # another daemon has it by now
        for name in ("_pyroId", "_pyroDaemon"):
            try:
                delattr(obj, name)
            except (AttributeError, TypeError):
                log.debug("object %r had no attribute of ours", obj)

    def uriFor(self, objectOrId: Any, nat: bool = True) -> URI:
        """Give the address of an object, or the address that an id has or would have.

        Args:
            objectOrId: a registered object or class, or an id.
            nat: give the address for others, behind address translation, where there is one; else the daemon's own.

        Raises:
            DaemonError: the object is not registered here.
        """
        object_id = objectOrId if isinstance(objectOrId, str) else self._objects.id_of(objectOrId)
        if object_id is None:
            raise DaemonError(f"object is not registered here: {objectOrId!r}")
        return URI(f"PYRO:{object_id}@{(nat and self.natLocationStr) or self.locationStr}")

    def proxyFor(self, objectOrId: Any, nat: bool = True) -> Proxy:
        """Give a proxy for an object of this daemon; it knows what the object exposes without connecting.

        Args:
            objectOrId: a registered object or class, or an id.
            nat: as for `uriFor`.

        Raises:
            DaemonError: the object is not registered here.
        """
        return self._proxy_at(self.uriFor(objectOrId, nat))

    def _proxy_at(self, uri: URI) -> Proxy:
        proxy = Proxy(uri)
        assert isinstance(uri.object, str)
        proxy._pyro.metadata = self._objects.metadata(uri.object)
        return proxy

    def resetMetadataCache(self, objectOrId: Any, nat: bool = True) -> None:
        """Work out anew what an object exposes, after its class was changed; only new proxies know of it.

        Args:
            objectOrId: the object, or its id; nothing happens when it is not registered.
            nat: accepted for programs written for Pyro.
        """
        del nat
        object_id = objectOrId if isinstance(objectOrId, str) else self._objects.id_of(objectOrId)
        if object_id is not None:
            self._objects.reset_metadata(object_id)

    @property
    def objectsById(self) -> dict[str, Any]:
        """The registered objects by id; a copy."""
        return self._objects.all()

    @property
    def _pyroHmacKey(self) -> bytes | None:
        """Shared key with which messages are signed, which only clients of protocol 48 (Pyro4) can do; None for none.

        A text is taken as UTF-8. Clients that connect from then on must have the same key, and so must the one behind a
        socket that was given.
        """
        return self._key

    @_pyroHmacKey.setter
    def _pyroHmacKey(self, key: bytes | str | None) -> None:
        self._key = key_bytes(key)
        for conversation in self._engine.conversations:
            conversation.take_key()

    # Serving

    def requestLoop(self, loopCondition: Callable[[], bool] = lambda: True) -> None:
        """Serve until `shutdown`, or until the condition, looked at every POLLTIMEOUT seconds, is no longer true."""
        if self._closed.is_set():
            raise PyroError(f"the daemon at {self.locationStr} was closed; make a new one")
        log.info("daemon %s enters its loop", self.locationStr)
        self._engine.loop(loopCondition)
        log.info("daemon %s has left its loop", self.locationStr)
        self._close_if_stopped()

    @staticmethod
    def serveSimple(
        objects: Mapping[Any, str | None],
        host: str | None = None,
        port: int = 0,
        daemon: Daemon | None = None,
        ns: bool = True,
        verbose: bool = True,
    ) -> None:
        """Serve these objects until interrupted.

        On SIGTERM the calls that run are finished first (`stopping_on_signals`).

        Args:
            objects: objects or classes, each with its name; None makes one up.
            host: address to bind to, where no daemon is given.
            port: port to bind to, where no daemon is given; 0 takes a free one.
            daemon: a daemon to use instead of a new one.
            ns: register the names in the name server; without, the names become object ids.
            verbose: print where the objects are.

        Raises:
            NamingError: there is no name server.
        """
        own = daemon is None
        daemon = daemon or Daemon(host, port)
        try:
            with stopping_on_signals(daemon):
                daemon._introduce(objects, ns, verbose)
                daemon.requestLoop()
        finally:
            if own:
                daemon.close()

    def _introduce(self, objects: Mapping[Any, str | None], ns: bool, verbose: bool) -> None:
        names = locateNS() if ns else None
        for obj, name in objects.items():
            uri = self.register(obj, None if ns else name)
            if names is not None and name:
                names.register(name, uri)
            if verbose:
                print(f"{name or type(obj).__name__}: {uri}")  # noqa: T201 - that is what verbose asks for
        if names is not None:
            names._pyroRelease()
        if verbose:
            print("ready", flush=True)  # noqa: T201

    def shutdown(self) -> None:
        """Have the loop end soon, and the daemon close itself then; calls that run have a moment to be answered.

        May be called from any thread, from a served call and from a signal handler. Without a loop of the daemon's own,
        the next `events` closes it.
        """
        self._engine.shutdown()

    def drain(self, timeout: float = 10.0) -> None:
        """End gracefully: take nobody in any more, answer the calls that run, then be as after `shutdown`.

        May be called from wherever `shutdown` may.

        Args:
            timeout: seconds after which the daemon ends in any case.
        """
        self._engine.drain(timeout)

    def _close_if_stopped(self) -> None:
        if self._engine.stopping and not self._closed.is_set():
            self._engine.finish()
            self.close()

    # Serving in a loop of one's own

    @property
    def sock(self) -> Any:
        """The listening socket, or the connected one that the daemon was given."""
        return self._sock

    @property
    def sockets(self) -> list[Any]:
        """All that a loop of one's own has to watch for something to read, after which it calls `events`.

        The list changes as clients come and go. Where the system can watch it (Linux, macOS, BSD), `selector` alone is
        enough, and stays.
        """
        return self._engine.sockets

    @property
    def selector(self) -> Any:
        """The selector that watches all sockets of the daemon; it can itself be watched on Linux, macOS and BSD."""
        return self._engine.selector

    def events(self, eventsockets: Iterable[Any] = ()) -> None:
        """Serve what is due, without waiting: a loop of one's own calls it when there is something to read.

        Chores that are due are done too, so call it every few seconds even when nothing happens.

        Args:
            eventsockets: those of `sockets` from which there is something to read; all that is due is served, whatever
                is in it.

        Raises:
            DaemonError: the daemon's own loop runs in another thread.
        """
        del eventsockets
        self._engine.events()
        self._close_if_stopped()

    def combine(self, other: Any) -> None:
        """Serve another daemon, or the broadcast responder of a name server, in the loop of this one too.

        Either of them can still be closed at any time. Only for daemons with SERVERTYPE multiplex.

        Args:
            other: a daemon, or an object with `sockets` (or a `fileno`) and `processRequest`.

        Raises:
            DaemonError: it cannot be served in this loop.
        """
        if self._engine.name != MultiplexEngine.name:
            raise DaemonError(
                f"only daemons with SERVERTYPE {MultiplexEngine.name!r} can share a loop, "
                f"and the one at {self.locationStr} has {self._engine.name!r}; run the other one in a thread"
            )
        if isinstance(other, Daemon):
            other._be_guest_of(self)
        elif callable(getattr(other, "processRequest", None)):
            for sock in list(getattr(other, "sockets", None) or [other]):
                self._engine.take_in(sock, other.processRequest)
        else:
            raise DaemonError(f"cannot combine the loop of a daemon with {other!r}: it is no daemon and no responder")

    def _be_guest_of(self, host: Daemon) -> None:
        if self._engine.name != MultiplexEngine.name:
            raise DaemonError(
                f"only daemons with SERVERTYPE {MultiplexEngine.name!r} can be guests in a loop, "
                f"and the one at {self.locationStr} has {self._engine.name!r}"
            )
        hosts: Daemon | None = host
        while hosts is not None and hosts is not self:
            hosts = hosts._guest_of
        if hosts is self or self._guest_of is not None:
            raise DaemonError(f"the daemon at {self.locationStr} is combined with {self._guest_of or host} already")
        self.events()
        if not hasattr(self.selector, "fileno"):
            raise DaemonError("on this system a loop cannot watch another one; run the other daemon in a thread")
        host._engine.take_in(self.selector, self.events, regularly=True)
        self._guest_of = host

    def close(self) -> None:
        """End the loop and all connections, and let go of all objects; closing again does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._guest_of is not None:
            self._guest_of._engine.unwatch(self.selector)
        self._streams.clear()
        self._coroutines.close(self._engine.patience)
        self._engine.close()
        back.end(self)
        self._streams.clear()
        for obj in self._objects.clear():
            self._let_go(obj)
        if self._socket_file is not None:
            self._socket_file.remove()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else f"{len(self._objects.ids())} objects"
        return f"<pyronb.Daemon at {self.locationStr}; {state}>"

    # What subclasses may override

    def validateHandshake(self, conn: Any, data: Any) -> Any:
        """Check what a new client says; what this gives is the answer, what it raises refuses the client.

        Args:
            conn: the client, with its `address`; over TLS `getpeercert()` gives the certificate that it showed.
            data: the client's `_pyroHandshake`.
        """
        del conn, data
        return "hello"

    def clientDisconnect(self, conn: Any) -> None:
        """Take note that a client is gone."""

    def housekeeping(self) -> None:
        """Do what has to be done every few seconds."""

    def annotations(self) -> Mapping[str, Buffer]:
        """Give annotations that are added to every reply.

        A function may be assigned in its place, before clients call.
        """
        return NO_ANNOTATIONS

    def methodcall_error_handler(
        self, client_sock_addr: Any, method: str, vargs: Any, kwargs: Any, exception: BaseException
    ) -> None:
        """Take note of an error that a served method raised, after which it goes to the caller.

        A function may be assigned in its place, as programs for Pyro5 do it; it is given the daemon before all else,
        and the method itself rather than its name.
        """
        del vargs, kwargs
        log.info("method %r raised for client %s: %r", method, client_sock_addr, exception)

    # What the engine and the conversations ask

    def _converse(self, address: Any) -> Conversation:
        return Conversation(self._host, address)

    def _greet(self, caller: Caller, greeting: Greeting) -> tuple[Any, Metadata | None]:
        answer = self.validateHandshake(caller, greeting.handshake)
        caller.handshake = greeting.handshake
        secret = greeting.peer.back
        if secret:
            if not is_back_secret(secret):
                raise DaemonError("connections for calls the other way need a secret of 32 hexadecimal digits")
            back.room_for(back_key(secret), _host_of(caller), self)
        if not greeting.wants_metadata:
            # Whether the object is there shows with the first call.
            return answer, None
        try:
            metadata = self._objects.metadata(greeting.object_id)
        except DaemonError as error:
            raise DaemonError(f"unknown object {greeting.object_id!r}; this daemon has no such object") from error
        return answer, metadata

    def _reply_annotations(self) -> Mapping[str, Buffer]:
        try:
            return self.annotations()
        except Exception:
            log.exception("the annotations of the daemon failed")
            return NO_ANNOTATIONS

    def _on_error(self, caller: Caller, call: Call, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            # The user's Ctrl-C happened to hit a call; it was not meant for the call alone.
            self._engine.interrupt()
        assigned = vars(self).get("methodcall_error_handler")
        try:
            if assigned is None:
                self.methodcall_error_handler(caller.address, call.method, call.args, call.kwargs, error)
            else:
                method = getattr(self._objects.find(call.object_id), call.method, call.method)
                assigned(self, caller.address, method, call.args, call.kwargs, error)
        except (Exception, SystemExit):
            log.exception("the error handler of the daemon failed")

    def _gone(self, conversation: Conversation) -> None:
        caller = conversation.caller
        self._streams.disconnected(caller)
        if self._lent:
            self._take_back(caller)
        for resource in caller.resources:
            try:
                resource.close()
            except (Exception, SystemExit):
                log.exception("closing a resource of a client failed")
        if conversation.greeted:
            try:
                self.clientDisconnect(caller)
            except (Exception, SystemExit):
                log.exception("clientDisconnect failed")
        caller.session.instances.clear()

    def _keep(self, conversation: Conversation, stream: SocketStream) -> None:
        """Have a connection wait until somebody in this program calls the client that made it."""
        caller = conversation.caller
        back.park(back_key(caller.peer.back), stream, _host_of(caller), self)
        self._gone(conversation)

    # Objects that are registered for one client, until it goes

    def _lend(self, obj: Any, caller: Caller) -> Proxy | None:
        if not self._options.autoproxy:
            return None
        with self._lending:
            object_id = self._objects.id_of(obj)
            if object_id is None:
                elsewhere = proxy_instead(obj)
                if elsewhere is not None:
                    return elsewhere
                object_id = str(self.register(obj, getattr(obj, "_pyro_lent_as", None)).object)
                self._lent[object_id] = set()
            borrowers = self._lent.get(object_id)
            if borrowers is not None:
                borrowers.add(caller)
        return self.proxyFor(object_id)

    def _take_back(self, caller: Caller) -> None:
        with self._lending:
            for object_id, borrowers in list(self._lent.items()):
                borrowers.discard(caller)
                if not borrowers:
                    del self._lent[object_id]
                    with contextlib.suppress(DaemonError):
                        self.unregister(object_id)

    def _chores(self) -> None:
        self._streams.expire()
        back.sweep(self)
        holds.tell()
        self.housekeeping()

    def _info(self) -> str:
        return (
            f"{DAEMON_ID} bound on {self.locationStr}, NAT {self.natLocationStr}, "
            f"{len(self._objects.ids())} objects registered. Servertype: {self._engine}"
        )


def _nat(options: DaemonOptions, host: str | None, port: int | None) -> tuple[str, int] | None:
    """Give the host and port that others are told; None when they are told the daemon's own.

    Raises:
        ValueError: they do not go with each other.
    """
    if host is None:
        host = options.nat_host
    if not host:
        if port is not None:
            raise ValueError(f"natport={port} needs a nathost: must provide natport with nathost")
        return None
    if port is None:
        port = options.nat_port
    if not 0 <= port <= MAX_PORT:
        raise ValueError(f"natport={port} is out of range: ports are numbers from 0 to {MAX_PORT}")
    return str(host), port


def _host_of(caller: Caller) -> str:
    return str(caller.address[0] if isinstance(caller.address, tuple) else caller.address)


def _note_class(cls: type) -> None:
    """Have registered objects of a class travel as proxies; a class that is `by_reference` has seen to it itself."""
    if not getattr(cls, "_pyro_by_reference", False):
        HOOKS.register_substitute(cls, proxy_instead)


def proxy_instead(obj: Any) -> Proxy | None:
    """Give the proxy that travels in the place of a registered object; None for other objects of its class.

    There is none either where AUTOPROXY is off.
    """
    try:
        own = vars(obj)
    except TypeError:
        return None
    daemon = own.get("_pyroDaemon")
    # A copy of a registered object has its attributes and is not registered.
    if not isinstance(daemon, Daemon) or not daemon._options.autoproxy:
        return None
    object_id = daemon._objects.id_of(obj)
    return None if object_id is None else daemon.proxyFor(object_id)


def _refuse(daemon: Daemon) -> None:
    raise SerializeError(f"{daemon!r} cannot travel; give a proxy for one of its objects instead")


HOOKS.register_substitute(Daemon, _refuse)
