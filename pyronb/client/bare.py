"""BareCalls: what is prepared once for the plain calls of one connection, in any room. (See `pyronb.wire.bare`.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyronb.client.link import Link
from pyronb.dialects import PYRO5
from pyronb.errors import ProtocolError, SecurityError
from pyronb.rpc.blob import SerializedBlob
from pyronb.rpc.call import DAEMON_ID, NEXT_ITEM, Call
from pyronb.rpc.rows import LARGEST_ROW, MOST_ABREAST, abreast
from pyronb.serializers.base import Scattered
from pyronb.serializers.beside import holds_large, watchful
from pyronb.serializers.hooks import HOOKS
from pyronb.wire.bare import BARE_TAIL, LARGEST_BARE, bare_head, bares_in, pack_header
from pyronb.wire.connection import ClientConnection
from pyronb.wire.message import INVOKE, RESULT, ROW, Message

__all__ = ["NOT_TAKEN", "BareCalls", "Plain", "allows_bare_calls"]

NOT_TAKEN = object()
"""What a short-cut gives for a call that has to go the long way."""

Plain = tuple[str, Sequence[Any], Mapping[str, Any]]
"""Method and arguments: a call with nothing beside it, as most are; it is made a `Call` where that is needed."""


def allows_bare_calls(link: Link) -> bool:
    """Tell whether calls can be bare on the present connection of a link, by what it is set to."""
    return (
        link.connected
        and link.dialect is PYRO5
        and link.metadata is not None
        and link.owner is None
        and not link.raw
        and link.key is None
        and not link.max_retries
        and not link.options.remote_output
        and not link.options.wire.compression
        and not link.options.wire.log
    )


class BareCalls:
    """What is the same for all bare calls of one connection. It does not hold the link, which holds it."""

    __slots__ = (
        "_apart",
        "_asked",
        "_asking",
        "_dumps",
        "_head",
        "_heads",
        "_largest",
        "_number",
        "_object_id",
        "_oneway",
        "_row_head",
        "read",
    )

    def __init__(self, link: Link) -> None:
        """Prepare it for a link that is connected."""
        serializer = link.serializer
        assert serializer is not None
        assert link.metadata is not None
        limit = link.options.wire.max_message_size
        self._number = serializer.number
        self._apart = link.codec is not None and link.codec.sets_apart(serializer)
        # A tuple will do for `CallParts`, and is made sooner.
        self._dumps: Any = serializer.dumps_call
        self.read = serializer.loads
        """Reads the value in a reply."""
        self._head = bare_head(INVOKE, serializer.number)
        self._heads = frozenset(
            {
                bare_head(RESULT, serializer.number),
                bare_head(RESULT, serializer.number, PYRO5.correlation),
            }
        )
        takes_rows = link.connection is not None and link.connection.abreast
        self._row_head = bare_head(INVOKE, serializer.number, ROW) if takes_rows else b""
        self._object_id = link.object_id
        self._oneway = link.metadata.oneway
        self._largest = min(limit, LARGEST_BARE) if limit else LARGEST_BARE
        self._asked = ""
        self._asking = b""

    def pack(self, connection: ClientConnection, what: Call | Plain) -> tuple[bytes, int] | None:
        """Lay a call out, and give its number; None when it has to go the long way."""
        if isinstance(what, tuple):
            method, args, kwargs = what
        elif (
            what.oneway
            or what.note is not None
            or what.wishes.output
            or what.annotations
            or what.correlation_id is not None
        ):
            return None
        else:
            method, args, kwargs = what.method, what.args, what.kwargs or {}
        if method in self._oneway or (args and type(args[0]) is SerializedBlob):
            return None
        try:
            payload = self._dumps((self._object_id, method, args, kwargs))
        except (ProtocolError, SecurityError):
            # What cannot be written here may be something that only goes the long way, as functions do.
            return None
        if type(payload) is not bytes or len(payload) > self._largest:
            return None
        seq = connection.next_sequence()
        connection.calls_made.add(seq)
        return pack_header(self._head, seq, len(payload), BARE_TAIL) + payload, seq

    def room_in_row(self, like: bytes) -> int:
        """Tell how many calls like this one, as it was packed, may follow it in a row."""
        return min(MOST_ABREAST, min(self._largest, LARGEST_ROW) // (2 * len(like))) if self._row_head else 0

    def pack_row(
        self, connection: ClientConnection, method: str, calls: Sequence[Sequence[Any]]
    ) -> tuple[bytes, range] | None:
        """Lay out calls of a method, with so many arguments each, as a row, and give their numbers.

        None when each has to go by itself. One like them was packed before, and there is `room_in_row`.
        """
        numbers = None
        payload = self._row_payload(method, calls)
        if payload is not None:
            numbers = connection.next_sequences(len(calls))
        if payload is None or numbers is None:
            return None
        connection.calls_made.update(numbers)
        return pack_header(self._row_head, numbers[0], len(payload), BARE_TAIL) + payload, numbers

    def _row_payload(self, method: str, calls: Sequence[Sequence[Any]]) -> bytes | None:
        args = abreast(calls)
        if args is None or HOOKS.touches_builtins:
            return None
        try:
            payload: bytes = self._dumps((self._object_id, method, args, {}))
        except Exception:  # noqa: BLE001 - laid out by itself, each tells what is wrong with it
            return None
        return payload if type(payload) is bytes and len(payload) <= min(self._largest, LARGEST_ROW) else None

    def find(self, data: bytes) -> tuple[list[tuple[int, int, int]], int, bool]:
        """Find the replies that bytes begin with; as `bares_in`."""
        return bares_in(data, self._heads, self._largest)

    def take(self, connection: ClientConnection, data: bytes, seq: int) -> bytes | None:
        """Give the payload of the one reply that is waited for, if that is all that has arrived, and it is bare."""
        reply = connection.take_bare(data)
        if reply is None or reply[0] not in self._heads or reply[1] != seq:
            return None
        connection.calls_made.discard(seq)
        return reply[2]

    def _goes_apart(self, args: Sequence[Any]) -> bool:
        """Tell whether arguments, of which a large payload was made, have bytes that go beside it.

        From then on that is found out before a payload is made; connections without such calls do not pay for it.
        """
        found = self._apart and holds_large(args)
        if found:
            self._apart = False
            self._dumps = watchful(self._dumps)
        return found

    def _message(self, seq: int, payload: bytes) -> Message:
        """Give the message for what is not bare but for its size."""
        beside = payload.beside if isinstance(payload, Scattered) else ()
        return Message(INVOKE, self._number, 0, seq, payload, beside=beside)

    def _asking_for(self, stream_id: str) -> bytes:
        """Give the payload that asks a real daemon for the next item of a stream. It is the same each time."""
        if self._asked != stream_id:
            self._asking = self._dumps((DAEMON_ID, NEXT_ITEM, (stream_id,), {}))
            self._asked = stream_id
        return self._asking

    def _call(
        self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None, asking: bytes | None = None
    ) -> Call:
        """Give the call for the procedures to go on with; what asks for an item is for the daemon's own object."""
        return Call(self._object_id if asking is None else DAEMON_ID, method, args, kwargs)
