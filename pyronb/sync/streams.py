"""FarStream: an iterator over there, iterated here. (Wire specification, section 13.)"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pyronb.client.link import Link
from pyronb.client.procedures import deliver_notes, invoke
from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError
from pyronb.rpc.call import DAEMON_ID, Call, Raised, Returned
from pyronb.sync.driver import run

__all__ = ["FarStream"]


class FarStream(Iterator[Any]):
    """A remote iterator: each item is asked for when it is wanted.

    It ends with the iterator over there. `close` gives it up early; a far stream that is simply dropped leaves a note,
    and the next call over the same connection tells the daemon.

    Raises:
        ProtocolError: the daemon does not stream.
    """

    def __init__(self, link: Link, stream_id: str | None) -> None:
        """Take over the stream with this id."""
        self._stream_id: str | None = None
        if stream_id is None:
            raise ProtocolError(f"result of call is an iterator, and the daemon at {link.place} does not stream")
        self._link = link
        self._stream_id = stream_id

    def __iter__(self) -> FarStream:
        """Give itself."""
        return self

    def __next__(self) -> Any:
        """Ask for the next item.

        Raises:
            ConnectionClosedError: the proxy was released in between. (After `_pyroReconnect` it goes on.)
        """
        link = self._link
        with link.lock:
            if self._stream_id is None:
                raise StopIteration
            if not link.connected:
                raise ConnectionClosedError(f"the proxy for {link.uri} was released; reconnect it to go on")
            outcome = run(invoke(link, Call(DAEMON_ID, "get_next_stream_item", (self._stream_id,), {})))
            if isinstance(outcome, Returned):
                return outcome.value
            # The daemon forgets a stream with its end and with any error of it.
            self._stream_id = None
        if isinstance(outcome, Raised):
            raise outcome.error
        raise ProtocolError("an item of a far stream cannot be a stream itself")

    def close(self) -> None:
        """Give the stream up; the daemon is told at once when that can be done without waiting for others."""
        if self._stream_id is None:
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

    def _leave_note(self) -> None:
        if self._stream_id is not None:
            self._link.notes.append(self._stream_id)
            self._stream_id = None

    def __del__(self) -> None:
        """Leave a note; a finaliser must not talk to the network."""
        self._leave_note()

    def __repr__(self) -> str:
        """Show where it comes from."""
        return f"<far stream of {self._link.uri}{' (ended)' if self._stream_id is None else ''}>"
