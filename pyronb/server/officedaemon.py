"""OfficeDaemon: the daemon of an office, which counts calls and runs what is called where it was given out."""

from __future__ import annotations

import dataclasses
import functools
import logging
import types
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyronb.client.functions import FUNCTIONS
from pyronb.context import current_context
from pyronb.errors import DaemonError
from pyronb.net.stream import SocketStream
from pyronb.options import DaemonOptions
from pyronb.rpc.call import FUNCTION_PREFIX, ITERATOR_PREFIX, Call
from pyronb.rpc.handshake import Greeting
from pyronb.rpc.metadata import Metadata
from pyronb.server.contexts import InContext, in_context
from pyronb.server.conversation import Conversation
from pyronb.server.daemon import Daemon
from pyronb.server.daemonobject import DaemonObject
from pyronb.server.dispatch import Caller, Dispatcher
from pyronb.server.exposure import expose
from pyronb.server.givenout import Entry, Reference
from pyronb.server.waysback import WayBack
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI

__all__ = ["OfficeDaemon"]

log = logging.getLogger("pyronb.server")

_LOOK = 0.5
"""Seconds between two looks at whether there is anything left to be called."""


class _Function:
    """What others see of a function: an object with a method `call`."""

    def __init__(self, reference: Reference, entries: list[Entry]) -> None:
        self._reference = reference
        self._entries = entries

    @expose
    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        function = self._reference()
        if function is None:
            raise DaemonError("the function is gone: its own program does not keep it any more")
        try:
            return in_context(self._entries[0].context, function, *args, **kwargs)
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
        self.entries: dict[str, Entry] = {}
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
        return in_context(entry.context, run, method, name, args, kwargs, call, caller)


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
    def entries(self) -> dict[str, Entry]:
        """What there is, by the ids under which others call it."""
        dispatcher = self._host.dispatcher
        assert isinstance(dispatcher, _OfficeDispatcher)
        return dispatcher.entries

    def register_function(self, reference: Reference, entries: list[Entry]) -> URI:
        """Let others call a function; its entry is there as soon as the first of them does."""
        return self.register(_Function(reference, entries), FUNCTION_PREFIX + uuid.uuid4().hex)

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
        stream_id = self._streams.open(InContext(iterator), None, ITERATOR_PREFIX)
        return Proxy(URI(f"PYRO:{stream_id}@{way.location}")), functools.partial(self._streams.close, stream_id)

    def forget(self, caller: Any, received: Mapping[str, int]) -> None:
        """Take note that the other side of a way does not hold objects any more that it received so often."""
        way = self._taken.get(caller)
        for object_id, times in received.items():
            entry = self.entries.get(object_id)
            if entry is not None and way is not None:
                entry.let_go(way, times)

    def held(self, way: WayBack) -> dict[str, int]:
        """Tell what is held at the other side of a way, by id, and how often it was given."""
        return {name: times for name, entry in list(self.entries.items()) if (times := entry.holders.get(way))}

    def lose(self, way: WayBack, held: Mapping[str, int]) -> None:
        """Take note that there was nobody any more at the other side of a way, when this was held there."""
        for object_id, times in held.items():
            entry = self.entries.get(object_id)
            if entry is not None:
                entry.lose(way, times)

    def _on_error(self, caller: Caller, call: Call, error: BaseException) -> None:
        entry = self.entries.get(call.object_id)
        if entry is not None:
            entry.errors += 1
        super()._on_error(caller, call, error)
