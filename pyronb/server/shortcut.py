"""ShortCut: a plain call that is answered without the machinery, the asked side's half of `pyronb.sync.shortcut`.

It does exactly what the conversation and the dispatcher would, for the calls that clients make all the time: of one
exposed function of a class, in protocol 502, with nothing beside the arguments, in a message that arrived alone and
whole. Whatever is not like that it leaves to them, before any code of the user has run.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from pyronb.context import CallContext, enter, leave
from pyronb.errors import PyroError, SecurityError, SerializeError
from pyronb.rpc.call import Call, Outcome
from pyronb.serializers.base import Serializer
from pyronb.server.coroutines import Pending
from pyronb.server.dispatch import PLAIN, Caller, Dispatcher, class_member
from pyronb.server.exposure import is_exposed, is_private
from pyronb.wire.bare import LARGEST_BARE, bare_head, pack_bare
from pyronb.wire.connection import ServerConnection
from pyronb.wire.message import INVOKE, RESULT, Buffer, Message

__all__ = ["ShortCut"]


@functools.lru_cache
def _heads(number: int) -> tuple[bytes, bytes]:
    """Give how plain calls in the serializer of this number begin, and how their replies begin."""
    return bare_head(INVOKE, number), bare_head(RESULT, number)


class ShortCut:
    """The short-cut of one conversation.

    Args:
        connection: the conversation's connection machine.
        caller: the client.
        dispatcher: finds objects, and makes outcomes of what is not plain.
        reply: lays out the reply to a request, whatever the outcome.
        limit: most bytes of a reply; 0 means no limit.
    """

    __slots__ = ("_caller", "_dispatcher", "_largest", "_reply", "_take", "_ways")

    def __init__(
        self,
        connection: ServerConnection,
        caller: Caller,
        dispatcher: Dispatcher,
        reply: Callable[[Outcome | Pending[Outcome], Message], list[Buffer] | Pending[Any] | None],
        limit: int,
    ) -> None:
        self._take = connection.take_bare
        self._caller = caller
        self._dispatcher = dispatcher
        self._reply = reply
        self._largest = min(limit, LARGEST_BARE) if limit else LARGEST_BARE
        # A tuple, and what was found is kept by the dispatcher, for there are many idle clients.
        self._ways: tuple[tuple[bytes, bytes, Serializer], ...] = ()

    def allow(self, serializer: Serializer) -> None:
        """Take calls in this serializer, which was found to be accepted, from now on."""
        self._ways = (*self._ways, (*_heads(serializer.number), serializer))

    def answer(self, data: bytes) -> list[Buffer] | Pending[Any] | None:
        """Run the call in these bytes and give its reply; None when it has to go the long way."""
        bare = self._take(data)
        if bare is None:
            return None
        head, seq, payload = bare
        way = next((way for way in self._ways if way[0] == head), None)
        if way is None:
            return None
        _, reply_head, serializer = way
        caller = self._caller
        try:
            object_id, name, args, kwargs = serializer.loads_call(payload)
            method = self._method(object_id, name)
        except (PyroError, ValueError):
            return None
        if method is None:
            return None
        context = CallContext(caller, caller.address, seq, 0, serializer.number, {}, {}, None, caller.resources)
        token = enter(context)
        outcome: Outcome | Pending[Outcome] | None = None
        value = None
        try:
            value = method(*args, **kwargs) if kwargs else method(*args)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller learns it and the daemon goes on
            outcome = self._dispatcher.failed(error, Call(object_id, name, args, kwargs), caller, context)
        finally:
            leave(token)
        if outcome is None and type(value) in PLAIN and not context.response_annotations:
            # What cannot be written here may be something that only goes the long way, such as a proxy to be made.
            with contextlib.suppress(SerializeError, SecurityError):
                written = serializer.dumps(value)
                if type(written) is bytes and len(written) <= self._largest:
                    return [pack_bare(reply_head, seq, written)]
        if outcome is None:
            outcome = self._dispatcher.returned(value, Call(object_id, name), caller, context)
        return self._reply(outcome, Message(INVOKE, serializer.number, 0, seq, b""))

    def _method(self, object_id: str, name: str) -> Any:
        """Find a method that is nothing but a function of the object's class; None when this name leads elsewhere.

        What was found once is known by class and name; its mark is looked at each time.
        """
        target = self._dispatcher.standing(object_id, self._caller)
        kind = type(target)
        known = self._dispatcher.plain_functions
        if (kind, name) not in known:
            function = None if is_private(name) else class_member(kind, name)
            if (
                type(function) is not FunctionType
                or not is_exposed(function)
                or "_pyroCallback" in function.__dict__
                or inspect.iscoroutinefunction(function)
                or inspect.isasyncgenfunction(function)
            ):
                return None
            known.add((kind, name))
        method = getattr(target, name, None)
        return method if type(method) is MethodType and "_pyroExposed" in method.__func__.__dict__ else None
