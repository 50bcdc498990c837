"""Far streams, as far as asking for their items goes. (Wire specification, section 13.)

A pyronb daemon is asked for several items at once: for one at first, then for twice as many each time, as long as they
come without waiting. That makes the iterator over there run ahead of who iterates here, so whoever makes other calls
between two items is given one at a time: such a call may be what the next item depends on. The daemon is also told how
many items have arrived, and gives again what was lost with a connection.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from pyronb.client.calling import invoke
from pyronb.client.effects import Procedure
from pyronb.client.link import Link
from pyronb.errors import ProtocolError
from pyronb.rpc.call import DAEMON_ID, NEXT_ITEM, Call, Outcome, Raised, Returned
from pyronb.rpc.handshake import ITEMS
from pyronb.rpc.weight import HEAVY, heavy_for, weight

__all__ = ["FarItems", "more_items", "one_by_one"]


@dataclass(slots=True)
class FarItems:
    """What is known of a far stream here.

    Attributes:
        stream_id: its id at the daemon; None once it has ended.
        given: items that have arrived, and nobody has taken yet.
        arrived: how many have arrived so far.
        quick: how many came in the last answer, if that were all that was asked for or as many as one answer takes.
        sequence: number of the last request for items.
    """

    stream_id: str | None
    given: deque[Any] = field(default_factory=deque)
    arrived: int = 0
    quick: int = 0
    sequence: int = -1

    def give_up(self) -> str | None:
        """Forget it, with the items that nobody has taken, and give the id that the daemon is to be told."""
        stream_id, self.stream_id = self.stream_id, None
        self.given.clear()
        return stream_id


def one_by_one(link: Link) -> bool:
    """Tell whether the daemon gives but one item at a time, as real ones do."""
    return link.remote is None or ITEMS not in link.remote.abilities


def more_items(link: Link, items: FarItems) -> Procedure[Outcome | None]:
    """Ask a connected link for more items of a stream, and keep them; give what ended the stream, None if nothing did.

    Raises:
        CommunicationError: no answer came through. Asking a pyronb daemon again, over the next connection, gives what
            was not received; others have lost an item.
    """
    if one_by_one(link):
        outcome = yield from invoke(link, Call(DAEMON_ID, NEXT_ITEM, (items.stream_id,), {}))
        if not isinstance(outcome, Returned):
            items.stream_id = None
            return outcome
        items.given.append(outcome.value)
        return None
    undisturbed = link.sequence == items.sequence
    most = min(max(1, 2 * items.quick), link.options.stream_ahead) if undisturbed else 1
    items.quick = 0
    outcome = yield from _ask(link, items, most)
    if isinstance(outcome, Raised) and most > 1 and not isinstance(outcome.error, StopIteration):
        # It may be that one of them cannot be written, or that all together are too much.
        again = yield from _ask(link, items, 1)
        if isinstance(again, Returned):
            outcome = again
    if not isinstance(outcome, Returned):
        ended = isinstance(outcome, Raised) and isinstance(outcome.error, StopIteration)
        stream_id = items.give_up()
        if stream_id is not None and not ended:
            # The daemon still has it if the item could not be sent.
            link.notes.append(stream_id)
        return outcome
    came = outcome.value
    if not isinstance(came, list) or not came:
        raise ProtocolError(f"{link.place} gave a {type(came).__name__} where a list of items was expected")
    items.arrived += len(came)
    items.quick = _quick(came, most, link)
    items.sequence = link.sequence
    if items.stream_id is not None:  # it may have been closed meanwhile
        items.given.extend(came)
    return None


def _ask(link: Link, items: FarItems, most: int) -> Procedure[Outcome]:
    asked: tuple[Any, ...] = (items.stream_id, items.arrived, most)
    limit = heavy_for(link.options.wire)
    if limit < HEAVY:
        asked += (limit,)
    return (yield from invoke(link, Call(DAEMON_ID, "get_next_stream_items", asked, {})))


def _quick(came: list[Any], most: int, link: Link) -> int:
    """Tell how many items come without waiting, after these came of so many that were asked for."""
    if len(came) >= most:
        return len(came)
    # Were they as many as fit into one answer, or was there nothing more at the moment?
    limit = heavy_for(link.options.wire)
    return most // 2 if sum(map(weight, came)) >= limit else len(came) // 2
