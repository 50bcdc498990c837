"""ShortCut: a plain call that is answered without the machinery, the asked side's half of `pyronb.sync.shortcut`.

It does exactly what the conversation and the dispatcher would, for the calls that clients make all the time: of one
exposed function of a class, in protocol 502, with nothing beside the arguments, in a message that arrived alone and
whole. Whatever is not like that it leaves to them, before any code of the user has run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from pyronb.context import CallContext, context_of_call, enter, leave
from pyronb.errors import PyroError, SecurityError, SerializeError
from pyronb.rpc.call import Call, Outcome
from pyronb.rpc.rows import Row, read_row
from pyronb.serializers.base import CallParts, Serializer
from pyronb.serializers.beside import holds_large
from pyronb.server.coroutines import Pending
from pyronb.server.dispatch import PLAIN, Caller, Dispatcher
from pyronb.server.instances import is_of_session
from pyronb.server.side import OVER
from pyronb.wire.bare import BARE_SIZE, BARE_TAIL, FLAGS_AT, LARGEST_BARE, bare_head, pack_header
from pyronb.wire.connection import ServerConnection
from pyronb.wire.message import INVOKE, RESULT, ROW, Buffer, Message

__all__ = ["RunOne", "ShortCut"]


Reply = list[Buffer] | Pending[Any] | None
RunOne = Callable[[int, Sequence[Any]], Reply]
"""Runs a call of a row, by its number and arguments, and gives its reply; None when it has to go the long way."""

_SEQUENCES = frozenset({list, tuple, CallParts})
_TEXT = frozenset({str})


class _Way(NamedTuple):
    """For calls in one serializer: how they, rows of them and their replies begin, and what reads and writes them."""

    head: bytes
    row_head: bytes
    reply_head: bytes
    number: int
    read: Callable[[Buffer], Any]
    read_row: Callable[[Buffer], CallParts]
    write: Callable[[Any], bytes]
    apart: bool


class ShortCut:
    """The short-cut of one conversation.

    Args:
        connection: the conversation's connection machine.
        caller: the client.
        dispatcher: finds objects, and makes outcomes of what is not plain.
        reply: lays out the reply to a request and call in its context, whatever the outcome.
        limit: most bytes of a message; 0 means no limit.
    """

    __slots__ = ("_apart", "_caller", "_dispatcher", "_find", "_reply", "_take", "_ways", "largest")

    def __init__(
        self,
        connection: ServerConnection,
        caller: Caller,
        dispatcher: Dispatcher,
        reply: Callable[[Outcome | Pending[Outcome], Message, Call | None, CallContext], Reply],
        limit: int,
    ) -> None:
        self._take = connection.take_bare
        self._caller = caller
        self._dispatcher = dispatcher
        self._find = dispatcher.find
        self._reply = reply
        self.largest = min(limit, LARGEST_BARE) if limit else LARGEST_BARE
        """Most bytes of the payload of a call that it takes, and of a reply."""
        # Whether a result with large bytes was seen: others do not pay for looking.
        self._apart = False
        # A tuple, and what was found is kept by the dispatcher, for there are many idle clients.
        self._ways: tuple[_Way, ...] = ()

    def allow(self, serializer: Serializer, *, apart: bool) -> None:
        """Take calls in this serializer, which was found to be accepted, from now on; large bytes may go `apart`."""
        read = serializer.loads if serializer.call_is_value else serializer.loads_call
        number = serializer.number
        heads = bare_head(INVOKE, number), bare_head(INVOKE, number, ROW), bare_head(RESULT, number)
        self._ways = (*self._ways, _Way(*heads, number, read, serializer.loads_call, serializer.dumps, apart))

    @property
    def heads(self) -> tuple[bytes, ...]:
        """How the calls, and the rows of calls, begin that it takes."""
        return tuple(head for way in self._ways for head in (way.head, way.row_head))

    def rows_in(self, data: bytes, found: Iterable[tuple[int, int, int]]) -> dict[int, tuple[Row, RunOne]]:
        """Give the rows among the bare calls that were found in bytes, by where they begin, and what runs their calls.

        What turns out to be none is left for the long way.
        """
        rows: dict[int, tuple[Row, RunOne]] = {}
        for seq, begin, end in [each for each in found if data[each[1] + FLAGS_AT]]:
            for way in self._ways:
                if data.startswith(way.row_head, begin):
                    with suppress(PyroError, TypeError, ValueError):
                        row = read_row(way.number, seq, way.read_row(data[begin + BARE_SIZE : end]))
                        rows[begin] = row, partial(self._run, way, row.object_id, row.method, None)
        return rows

    def answer(self, data: bytes, bare: tuple[bytes, int, bytes] | None = None) -> Reply:
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
        try:
            parts = way.read(payload)
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
        except (PyroError, TypeError, ValueError):
            return None
        return self._run(way, object_id, name, kwargs, seq, args)

    def _run(
        self, way: _Way, object_id: str, name: str, kwargs: dict[str, Any] | None, seq: int, args: Sequence[Any]
    ) -> Reply:
        _, _, reply_head, number, _, _, write, apart = way
        caller = self._caller
        try:
            target = self._find(object_id)
        except PyroError:
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
            if type(written) is bytes and len(written) <= self.largest:
                return [pack_header(reply_head, seq, len(written), BARE_TAIL) + written]
            self._apart = self._apart or (apart and holds_large((value,)))
        if outcome is None:
            call = Call(object_id, name)
            outcome = self._dispatcher.returned(value, call, caller, context)
        return self._reply(outcome, Message(INVOKE, number, 0, seq, b""), call, context)
