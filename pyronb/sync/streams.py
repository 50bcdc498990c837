"""FarStream: an iterator over there, iterated here. (Wire specification, section 13.)"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pyronb.client.bare import NOT_TAKEN
from pyronb.client.calling import deliver_notes
from pyronb.client.connecting import connect, hang_up
from pyronb.client.functions import streamed
from pyronb.client.link import Link
from pyronb.client.streams import FarItems, more_items, one_by_one
from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError
from pyronb.rpc.call import Raised
from pyronb.serializers.hooks import HOOKS
from pyronb.sync.driver import run

__all__ = ["FarStream"]


class FarStream(Iterator[Any]):
    """A remote iterator. Items are asked for when they are wanted, from pyronb daemons several at once.

    It is what a call gives whose method gives an iterator; and what a method is given where its caller, of pyronb too,
    gave an iterator or an open file, for as long as that call runs. (See `pyronb.Proxy`.)

    It ends with the iterator over there. `close` gives it up early; a far stream that is simply dropped leaves a note,
    and the next call of the same proxy tells the daemon.

    Raises:
        ProtocolError: the daemon does not stream.
    """

    def __init__(self, link: Link, stream_id: str | None, *, alone: bool = False, connects: bool = False) -> None:
        """Take over the stream with this id; alone, it ends the link's connection when it ends.

        One that connects makes that connection itself, whenever there is none.
        """
        self._items = FarItems(None)
        self._alone = alone
        self._connects = connects
        if stream_id is None:
            raise ProtocolError(f"result of call is an iterator, and the daemon at {link.place} does not stream")
        self._link = link
        self._items.stream_id = stream_id

    def __iter__(self) -> FarStream:
        """Give itself."""
        return self

    def __next__(self) -> Any:
        """Give the next item.

        Raises:
            ConnectionClosedError: the proxy was released in between. (After `_pyroReconnect` it goes on.)
        """
        items, link = self._items, self._link
        given = items.given
        while given:
            try:
                return given.popleft()
            except IndexError:
                pass  # another thread took it
        with link.lock:
            while True:
                # Other threads may have asked before this one, and may take what came after that.
                while given:
                    with suppress(IndexError):
                        return given.popleft()
                if items.stream_id is None:
                    raise StopIteration
                if link.short is not None and one_by_one(link):
                    item = self._item_in_short()
                    if item is not NOT_TAKEN:
                        return item
                if self._connects:
                    run(connect(link))
                elif not link.connected:
                    raise ConnectionClosedError(f"the proxy for {link.uri} was released; reconnect it to go on")
                outcome = run(more_items(link, items))
                if outcome is not None:
                    break
        if isinstance(outcome, Raised):
            self._end()
            try:
                raise outcome.error
            finally:
                # Its traceback has this frame in it: what is dropped now should not have to wait for the collector.
                del outcome
        raise ProtocolError("an item of a far stream cannot be a stream itself")

    def _item_in_short(self) -> Any:
        """Give the next item of a real daemon, which sends but one at a time; or `NOT_TAKEN`."""
        try:
            return self._link.short.next_item(self._link, self._items.stream_id)
        except Exception as error:
            if hasattr(error, "_pyroTraceback"):
                # It was raised over there.
                self._items.stream_id = None
                self._end()
            raise

    def close(self) -> None:
        """Give the stream up; the daemon is told at once when that can be done without waiting for others."""
        if self._items.stream_id is None:
            return
        self._leave_note()
        link = self._link
        if link.connected and link.lock.acquire(blocking=False):
            try:
                # With its connection the stream is gone as well.
                with suppress(CommunicationError):
                    run(deliver_notes(link))
            finally:
                link.lock.release()
        self._end()

    def _end(self) -> None:
        """Close a connection that was there for this stream only."""
        if self._alone:
            with self._link.lock:
                run(hang_up(self._link))

    def _leave_note(self) -> None:
        # In this order: an interrupt in between has the daemon told twice, which is better than never.
        stream_id = self._items.stream_id
        if stream_id is not None:
            self._link.notes.append(stream_id)
        self._items.give_up()

    def __del__(self) -> None:
        """Leave a note; a finaliser must not talk to the network."""
        # An interrupt may come before it was made.
        if hasattr(self, "_items"):
            self._leave_note()

    def __repr__(self) -> str:
        """Show where it comes from."""
        return f"<far stream of {self._link.uri}{' (ended)' if self._items.stream_id is None else ''}>"


HOOKS.register_substitute(FarStream, streamed)
