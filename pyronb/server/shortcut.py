"""ShortCut: a plain call that is answered without the machinery, the asked side's half of `pyronb.sync.shortcut`.

It does exactly what the conversation and the dispatcher would, for the calls that clients make all the time: of one
exposed function of a class, in protocol 502, with nothing beside the arguments, in a message that arrived alone and
whole. Whatever is not like that it leaves to them, before any code of the user has run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyronb.context import CallContext, context_of_call, enter, leave
from pyronb.errors import PyroError, SecurityError, SerializeError
from pyronb.rpc.call import Call, Outcome
from pyronb.serializers.base import CallParts, Serializer
from pyronb.serializers.beside import holds_large
from pyronb.server.coroutines import Pending
from pyronb.server.dispatch import PLAIN, Caller, Dispatcher
from pyronb.server.instances import is_of_session
from pyronb.server.side import OVER
from pyronb.wire.bare import BARE_TAIL, LARGEST_BARE, bare_head, pack_header
from pyronb.wire.connection import ServerConnection
from pyronb.wire.message import INVOKE, RESULT, Buffer, Message

__all__ = ["ShortCut"]


_SEQUENCES = frozenset({list, tuple, CallParts})
_TEXT = frozenset({str})


class ShortCut:
    """The short-cut of one conversation.

    Args:
        connection: the conversation's connection machine.
        caller: the client.
        dispatcher: finds objects, and makes outcomes of what is not plain.
        reply: lays out the reply to a request and call in its context, whatever the outcome.
        limit: most bytes of a reply; 0 means no limit.
    """

    __slots__ = ("_apart", "_caller", "_dispatcher", "_find", "_largest", "_reply", "_take", "_ways")

    def __init__(
        self,
        connection: ServerConnection,
        caller: Caller,
        dispatcher: Dispatcher,
        reply: Callable[
            [Outcome | Pending[Outcome], Message, Call | None, CallContext], list[Buffer] | Pending[Any] | None
        ],
        limit: int,
    ) -> None:
        self._take = connection.take_bare
        self._caller = caller
        self._dispatcher = dispatcher
        self._find = dispatcher.find
        self._reply = reply
        self._largest = min(limit, LARGEST_BARE) if limit else LARGEST_BARE
        # Whether a result with large bytes was seen: others do not pay for looking.
        self._apart = False
        # A tuple, and what was found is kept by the dispatcher, for there are many idle clients.
        self._ways: tuple[tuple[bytes, bytes, int, Callable[[Buffer], Any], Callable[[Any], bytes], bool], ...] = ()

    def allow(self, serializer: Serializer, *, apart: bool) -> None:
        """Take calls in this serializer, which was found to be accepted, from now on; large bytes may go `apart`."""
        read = serializer.loads if serializer.call_is_value else serializer.loads_call
        number = serializer.number
        heads = bare_head(INVOKE, number), bare_head(RESULT, number)
        self._ways = (*self._ways, (*heads, number, read, serializer.dumps, apart))

    @property
    def heads(self) -> tuple[bytes, ...]:
        """How the calls begin that it takes."""
        return tuple(way[0] for way in self._ways)

    def answer(self, data: bytes, bare: tuple[bytes, int, bytes] | None = None) -> list[Buffer] | Pending[Any] | None:
        """Run the call in these bytes and give its reply; None when it has to go the long way.

        Whoever has read them already gives head, sequence number and payload.
        """
        bare = bare or self._take(data)
        if bare is None:
            return None
        head, seq, payload = bare
        for way in self._ways:
            if way[0] == head:
                break
        else:
            return None
        _, reply_head, number, read, write, apart = way
        caller = self._caller
        try:
            parts = read(payload)
            object_id, name, args, kwargs = parts
            # As in `call_parts`, which says what is wrong.
            if (
                type(parts) not in _SEQUENCES
                or type(object_id) is not str
                or type(name) is not str
                or type(args) not in _SEQUENCES
                or not (kwargs is None or type(kwargs) is dict)
                or (kwargs and not _TEXT.issuperset(map(type, kwargs)))
            ):
                return None
            target = self._find(object_id)
        except (PyroError, TypeError, ValueError):
            return None
        shared = True
        if isinstance(target, type):
            shared = not is_of_session(target)
            target = self._dispatcher.made(target, caller)
        method = self._dispatcher.plain_method(target, name)
        if method is None:
            return None
        context = context_of_call(caller, seq, 0, number)
        caller.loose = shared
        token = enter(context)
        call: Call | None = None
        outcome: Outcome | Pending[Outcome] | None = None
        value = None
        try:
            value = method(*args, **kwargs) if kwargs else method(*args)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller learns it and the daemon goes on
            call = Call(object_id, name, args, kwargs)
            outcome = self._dispatcher.failed(error, call, caller, context)
        finally:
            leave(token)
        if outcome is None and type(value) in PLAIN and context.side is None and not context.response_annotations:
            context.side = OVER
            try:
                written = None if self._apart and holds_large((value,)) else write(value)
            except (SerializeError, SecurityError):
                # It may be something that only goes the long way, such as a proxy to be made.
                written = None
            if type(written) is bytes and len(written) <= self._largest:
                return [pack_header(reply_head, seq, len(written), BARE_TAIL) + written]
            self._apart = self._apart or (apart and holds_large((value,)))
        if outcome is None:
            call = Call(object_id, name)
            outcome = self._dispatcher.returned(value, call, caller, context)
        return self._reply(outcome, Message(INVOKE, number, 0, seq, b""), call, context)
