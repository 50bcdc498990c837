"""ShortCut: a plain call over a connection that stands, without the procedures.

It says and reads exactly what `pyronb.client.calling` would, for the calls that programs make all the time. Whatever
is not like that it leaves to the procedures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from pyronb.aio.driver import Mailbox, came_late, run
from pyronb.aio.streams import FarStream
from pyronb.calls import recordings
from pyronb.client.bare import NOT_TAKEN, BareCalls, allows_bare_calls
from pyronb.client.calling import calling, exchange, explained, give_up, understood
from pyronb.client.effects import Abandon
from pyronb.client.link import Link
from pyronb.client.outcomes import settle, take_annotations
from pyronb.context import ambient
from pyronb.errors import ProtocolError, SecurityError
from pyronb.net.aiostream import AsyncStream
from pyronb.rpc.blob import SerializedBlob
from pyronb.rpc.call import NEXT_ITEM, Call, Outcome
from pyronb.rpc.rows import LARGEST_ROW, MOST_ABREAST, are_simple
from pyronb.wire.bare import BARE_TAIL, pack_header
from pyronb.wire.connection import OPEN
from pyronb.wire.message import Buffer

__all__ = ["ShortCut", "short_cut"]


def short_cut(link: Link) -> ShortCut | None:
    """Give the short-cut for the present connection of a link; None when its settings allow none."""
    if not allows_bare_calls(link):
        return None
    return ShortCut(link)


def _settled(link: Link, outcome: Outcome) -> Any:
    return settle(link, outcome, FarStream)


async def _not_taken(*_: object) -> Any:
    return NOT_TAKEN


class ShortCut(BareCalls):
    """The short-cut for one connection."""

    __slots__ = ("_connection", "_loop", "_mailbox", "_method", "_room", "_row", "_stream")

    def __init__(self, link: Link) -> None:
        """Prepare it for a link that is connected."""
        super().__init__(link)
        assert link.connection is not None
        self._connection = link.connection
        self._stream: AsyncStream = link.stream
        self._loop = self._stream.loop
        self._mailbox: Mailbox = self._stream.receiver
        self._mailbox.take_bare(self._heads, self._largest)
        # The calls of a method that this turn of the loop is going to send as a row, and how many find room in one.
        self._row: list[tuple[int, Sequence[Any], asyncio.Future[Any]]] = []
        self._method = ""
        self._room = MOST_ABREAST

    def takes(self, method: str, args: Sequence[Any]) -> bool:
        """Whether nothing is to go out beside the call, and nobody wants to hear of it before its end."""
        context = ambient()
        return not (
            recordings
            or context.annotations
            or context.correlation_id is not None
            or context.listener is not None
            or method in self._oneway
            or (args and type(args[0]) is SerializedBlob)
        )

    async def call(
        self,
        link: Link,
        method: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None,
        otherwise: Callable[[Link, Call], Awaitable[Any]],
        settled: Callable[[Link, Outcome], Any] = _settled,
        asking: bytes | None = None,
    ) -> Any:
        """Call a method of the link's object and give its result, or raise what it raised.

        A call that turns out not to be plain is made `otherwise`; a reply that turns out not to be bare is `settled`.
        What asks for an item of a stream is the payload, and goes to the daemon's own object.
        """
        connection, stream, mailbox, loop = self._connection, self._stream, self._mailbox, self._loop
        payload: Any = None
        loaded = stream.loaded
        in_row = loaded and self._row_head and not (kwargs or asking) and are_simple(args)
        # Once the link is released, or connected anew, this is not its short-cut any more.
        if (
            link.short is self
            and connection.state is OPEN
            and not link.notes
            and (loaded or (loop is asyncio.get_running_loop() and not stream.crowded))
        ):
            try:
                payload = asking or (b"" if in_row else self._dumps((self._object_id, method, args, kwargs)))
            except (ProtocolError, SecurityError):
                # What cannot be written here may be something that only goes the long way, as functions do.
                payload = None
        bare = type(payload) is bytes and len(payload) <= self._largest
        if not bare and (payload is None or asking or self._goes_apart(args)):
            return await otherwise(link, Call("", method, args, kwargs))
        timeout = link.timeout
        deadline = None if timeout is None else loop.time() + timeout
        seq = link.sequence = connection.next_sequence()
        if not bare:
            return await self._send_large(link, seq, payload, deadline, self._call(method, args, kwargs))
        connection.calls_made.add(seq)
        expected = None
        try:
            if in_row:
                expected = mailbox.expect(seq, deadline, bare=True)
                self._line_up(method, seq, args, expected)
            else:
                self._send(pack_header(self._head, seq, len(payload), BARE_TAIL) + payload, loaded=loaded)
                expected = mailbox.expect(seq, deadline, bare=True)
            answer = await expected
        except GeneratorExit:
            mailbox.forget(seq)
            raise
        except BaseException as error:
            if expected is not None:
                came_late(link, expected)
            owed = Abandon(link, connection, seq, sent=True)
            told = await run(give_up(owed, self._call(method, args, kwargs, asking), error))
            if told is error:
                raise
            raise told from error
        context = ambient()
        if type(answer) is not bytes:
            if answer is NOT_TAKEN:
                return await otherwise(link, Call("", method, args, kwargs))
            assert link.codec is not None
            outcome = understood(link, link.codec, self._call(method, args, kwargs, asking), answer.message)
            take_annotations(context, outcome)
            return settled(link, outcome)
        if context.response_annotations and context.client is None:
            context.response_annotations = {}
        try:
            return self.read(answer)
        except (ProtocolError, SecurityError) as error:
            raise explained(error, calling(link, self._call(method, args, kwargs, asking))) from error

    def _send(self, message: bytes, *, loaded: bool) -> None:
        if loaded:
            self._stream.load(message)
        else:
            # A call that is alone is not to wait for the end of the turn.
            self._stream.send((message,), at_once=not self._mailbox.busy)

    def _line_up(self, method: str, seq: int, args: Sequence[Any], expected: asyncio.Future[Any]) -> None:
        """Have a call sent in a row with those of this turn that are like it and go out before and after it."""
        row = self._row
        if (
            not row
            or len(row) >= self._room
            or method != self._method
            or seq != row[-1][0] + 1
            or len(args) != len(row[-1][1])
        ):
            # What there was is laid out first.
            self._stream.load_later(self._lay_out)
            self._row = row = []
            self._method = method
        row.append((seq, args, expected))

    def _lay_out(self) -> list[Buffer]:
        """Lay out the row, or each of its calls by itself."""
        row, self._row = self._row, []
        payload = self._row_payload(self._method, [args for _, args, _ in row]) if len(row) > 1 else None
        messages: list[Buffer] = []
        if payload is not None:
            messages.append(pack_header(self._row_head, row[0][0], len(payload), BARE_TAIL) + payload)
        else:
            for seq, args, expected in row:
                messages += self._laid_out(seq, args, expected)
        size = sum(map(len, messages)) // len(row) + 1
        self._room = min(MOST_ABREAST, LARGEST_ROW // (2 * size))
        return messages

    def _laid_out(self, seq: int, args: Sequence[Any], expected: asyncio.Future[Any]) -> Sequence[Buffer]:
        """Lay out one call; one that cannot be is left to whoever waits for it."""
        try:
            payload = self._dumps((self._object_id, self._method, args, {}))
            if type(payload) is bytes and len(payload) <= self._largest:
                return (pack_header(self._head, seq, len(payload), BARE_TAIL) + payload,)
            return self._connection.call(self._message(seq, payload))
        except Exception:  # noqa: BLE001 - what is wrong with it turns out once more, where somebody hears of it
            self._connection.take_back(seq)
            self._mailbox.forget(seq)
            if not expected.done():
                expected.set_result(NOT_TAKEN)
            return ()

    def next_item(
        self, link: Link, stream_id: str, settled: Callable[[Link, Outcome], Any]
    ) -> Coroutine[Any, Any, Any]:
        """Give the coroutine that asks a real daemon for the next item of a stream and gives it; or `NOT_TAKEN`."""
        args = (stream_id,)
        if not self.takes(NEXT_ITEM, args):
            return _not_taken(link)
        return self.call(link, NEXT_ITEM, args, None, _not_taken, settled, self._asking_for(stream_id))

    async def _send_large(self, link: Link, seq: int, payload: bytes, deadline: float | None, what: Call) -> Any:
        assert link.connection is not None
        try:
            buffers = link.connection.call(self._message(seq, payload))
        except ProtocolError as error:
            raise explained(error, calling(link, what)) from error
        outcome = await run(exchange(link, what, seq, buffers, deadline))
        take_annotations(ambient(), outcome)
        return _settled(link, outcome)
