"""What a room makes of the outcome of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyronb.client.link import Link
from pyronb.context import CallContext
from pyronb.rpc.call import Outcome, Raised, Returned

__all__ = ["settle", "take_annotations"]


def settle(link: Link, outcome: Outcome, far_stream: Callable[[Link, str | None], Any]) -> Any:
    """Give the value of an outcome, or raise its error; `far_stream` makes the far stream of the room."""
    if isinstance(outcome, Returned):
        return outcome.value
    if isinstance(outcome, Raised):
        raise outcome.error
    return far_stream(link, outcome.stream_id)


def take_annotations(context: CallContext, outcome: Outcome) -> None:
    """Leave the annotations of a reply in the context; while a call is served, those there are for its own reply."""
    if context.client is None:
        context.response_annotations = dict(outcome.annotations)
