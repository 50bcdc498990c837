"""FarStream: an iterator over there, iterated here. (Wire specification, section 13.)"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from pyronb.aio.driver import run_on
from pyronb.client.bare import NOT_TAKEN
from pyronb.client.calling import deliver_notes
from pyronb.client.link import Link
from pyronb.client.streams import FarItems, more_items, one_by_one
from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError
from pyronb.rpc.call import Outcome, Raised, Returned

__all__ = ["FarStream"]


class FarStream(AsyncIterator[Any]):
    """A remote iterator. Items are asked for when they are wanted, from pyronb daemons several at once.

    It ends with the iterator over there. `aclose` gives it up early; a far stream that is simply dropped leaves a note,
    and the next call over the same connection tells the daemon.

    Raises:
        ProtocolError: the daemon does not stream.
    """

    def __init__(self, link: Link, stream_id: str | None) -> None:
        """Take over the stream with this id."""
        self._items = FarItems(None)
        if stream_id is None:
            raise ProtocolError(f"result of call is an iterator, and the daemon at {link.place} does not stream")
        self._link = link
        self._items.stream_id = stream_id
        # Tasks may share a stream; each item goes to one of them, and all of them see the end.
        self._turn = asyncio.Lock()

    def __aiter__(self) -> FarStream:
        """Give itself."""
        return self

    async def __anext__(self) -> Any:
        """Give the next item. (Cancelling that loses the item, but none of a pyronb daemon.)

        Raises:
            ConnectionClosedError: the proxy was released in between. (After `_pyroReconnect` it goes on.)
        """
        items, link = self._items, self._link
        if items.given:
            return items.given.popleft()
        async with self._turn:
            while not items.given:
                if items.stream_id is None:
                    raise StopAsyncIteration
                if link.short is not None and one_by_one(link):
                    item = await link.short.next_item(link, items.stream_id, self._settled)
                    if item is not NOT_TAKEN:
                        return item
                if not link.connected:
                    raise ConnectionClosedError(f"the proxy for {link.uri} was released; reconnect it to go on")
                outcome = await run_on(link, more_items(link, items))
                if outcome is not None:
                    return self._settled(link, outcome)
            return items.given.popleft()

    def _settled(self, _link: Link, outcome: Outcome) -> Any:
        """Give the item that came by itself, or raise what ended the stream."""
        if isinstance(outcome, Returned):
            return outcome.value
        self._items.stream_id = None
        if isinstance(outcome, Raised):
            if isinstance(outcome.error, StopIteration):
                raise StopAsyncIteration
            raise outcome.error
        raise ProtocolError("an item of a far stream cannot be a stream itself")

    async def aclose(self) -> None:
        """Give the stream up, and tell the daemon."""
        if self._items.stream_id is None:
            return
        self._leave_note()
        link = self._link
        if link.connected:
            # With its connection the stream is gone as well.
            with suppress(CommunicationError):
                await run_on(link, deliver_notes(link))

    def _leave_note(self) -> None:
        stream_id = self._items.give_up()
        if stream_id is not None:
            self._link.notes.append(stream_id)

    def __del__(self) -> None:
        """Leave a note; a finaliser must not talk to the network."""
        self._leave_note()

    def __repr__(self) -> str:
        """Show where it comes from."""
        return f"<far stream of {self._link.uri}{' (ended)' if self._items.stream_id is None else ''}>"
