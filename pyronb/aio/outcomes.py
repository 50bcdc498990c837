"""What this room makes of the outcome of a call."""

from __future__ import annotations

from typing import Any

from pyronb.aio.streams import FarStream
from pyronb.client.link import Link
from pyronb.context import CallContext
from pyronb.rpc.call import Outcome, Raised, Returned

__all__ = ["settle", "take_annotations"]


def settle(link: Link, outcome: Outcome) -> Any:
    """Give the value of an outcome, or raise its error."""
    if isinstance(outcome, Returned):
        return outcome.value
    if isinstance(outcome, Raised):
        raise outcome.error
    return FarStream(link, outcome.stream_id)


def take_annotations(context: CallContext, outcome: Outcome) -> None:
    """Leave the annotations of a reply in the context; while a call is served, those there are for its own reply."""
    if context.client is None:
        context.response_annotations = dict(outcome.annotations)
