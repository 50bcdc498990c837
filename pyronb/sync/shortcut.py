"""ShortCut: a plain call over a connection that stands, without the procedures.

It says and reads exactly what `pyronb.client.calling` would, for the calls that programs make all the time: nothing
beside the arguments goes out, nothing beside the result comes back, and both fit into one piece. Whatever is not like
that it leaves to the procedures, also when it finds out only from the reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyronb.calls import recordings
from pyronb.client.bare import NOT_TAKEN, BareCalls, allows_bare_calls
from pyronb.client.calling import calling, exchange, explained, forsake, give_up
from pyronb.client.effects import Abandon
from pyronb.client.link import Link
from pyronb.client.outcomes import settle, take_annotations
from pyronb.context import ambient
from pyronb.errors import ProtocolError, SecurityError
from pyronb.net.deadline import after
from pyronb.rpc.blob import SerializedBlob
from pyronb.rpc.call import NEXT_ITEM, Call
from pyronb.sync.driver import run
from pyronb.sync.streams import FarStream
from pyronb.wire.bare import BARE_TAIL, pack_header
from pyronb.wire.connection import OPEN
from pyronb.wire.message import Buffer

__all__ = ["ShortCut", "short_cut"]

_UNREAD: Any = object()
"""Stands for a reply that nobody has looked at."""


def short_cut(link: Link) -> ShortCut | None:
    """Give the short-cut for the present connection of a link; None when its settings allow none."""
    return ShortCut(link) if allows_bare_calls(link) else None


class ShortCut(BareCalls):
    """The short-cut for one connection."""

    __slots__ = ()

    def call(
        self,
        link: Link,
        method: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None,
        asking: bytes | None = None,
    ) -> Any:
        """Call a method of the link's object and give its result, or raise what it raised; or give `NOT_TAKEN`.

        What asks for an item of a stream is the payload, and goes to the daemon's own object.
        """
        context = ambient()
        if (
            recordings
            or context.annotations
            or context.correlation_id is not None
            or method in self._oneway
            or (args and type(args[0]) is SerializedBlob)
        ):
            return NOT_TAKEN
        with link.lock:
            # Another thread may have closed the connection in the meantime, or changed a setting.
            connection, stream = link.connection, link.stream
            if link.short is not self or connection is None or connection.state is not OPEN or link.notes:
                return NOT_TAKEN
            try:
                payload = asking or self._dumps((self._object_id, method, args, kwargs))
            except (ProtocolError, SecurityError):
                # What cannot be written here may be something that only goes the long way, as functions do.
                return NOT_TAKEN
            seq = link.sequence = connection.next_sequence()
            if type(payload) is not bytes or len(payload) > self._largest:
                if self._goes_apart(args):
                    return NOT_TAKEN
                return self._send_large(link, seq, payload, self._call(method, args, kwargs, asking))
            timeout = link.timeout
            data, reply = b"", _UNREAD
            try:
                data = stream.exchange(pack_header(self._head, seq, len(payload), BARE_TAIL) + payload, timeout)
                reply = connection.take_bare(data)
                if reply is None or reply[0] not in self._heads or reply[1] != seq:
                    connection.calls_made.add(seq)
                    connection.receive(data)
                    return self._finish(link, seq, (), self._call(method, args, kwargs, asking))
            except BaseException as error:
                if reply is _UNREAD:
                    connection.receive(data)
                elif not connection.owes(seq):
                    raise  # The procedures have seen to it, or it is what the call raised.
                owed = Abandon(link, connection, seq, sent=True)
                told = run(give_up(owed, self._call(method, args, kwargs, asking), error))
                if told is error:
                    raise
                raise told from error
            if context.response_annotations and context.client is None:
                context.response_annotations = {}
            try:
                return self.read(reply[2])
            except (ProtocolError, SecurityError) as error:
                raise explained(error, calling(link, self._call(method, args, kwargs, asking))) from error

    def next_item(self, link: Link, stream_id: str) -> Any:
        """Ask a real daemon for the next item of a stream and give it; or give `NOT_TAKEN`. The link is locked."""
        return self.call(link, NEXT_ITEM, (stream_id,), None, self._asking_for(stream_id))

    def _send_large(self, link: Link, seq: int, payload: bytes, what: Call) -> Any:
        assert link.connection is not None
        try:
            buffers = link.connection.call(self._message(seq, payload))
        except ProtocolError as error:
            raise explained(error, calling(link, what)) from error
        return self._finish(link, seq, buffers, what)

    @staticmethod
    def _finish(link: Link, seq: int, buffers: Sequence[Buffer], what: Call) -> Any:
        """Have the procedures go on from here."""
        deadline = None if link.timeout is None else after(link.timeout)
        try:
            outcome = run(exchange(link, what, seq, buffers, deadline))
            take_annotations(ambient(), outcome)
            return settle(link, outcome, FarStream)
        except BaseException:
            forsake(link, what)
            raise
