"""What a room adds to a call, and what it makes of the outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pyronb.client.face import annotations_of_owner
from pyronb.client.link import Link
from pyronb.context import CallContext, ambient
from pyronb.rpc.call import Call, Outcome, Raised, Returned

__all__ = ["add_context", "settle", "take_annotations"]


def add_context(link: Link, call: Call) -> None:
    """Have the annotations and the correlation id of the context go out with a call, and what the proxy's class adds.

    Where names meet, the call's own come first and those of the class last. The context's listener hears of the call.
    All this is as it is when the call is made, which may be before it is awaited.
    """
    context = ambient()
    if context.listener is not None and call.wishes.listener is None:
        call.wishes = replace(call.wishes, listener=context.listener)
    if context.annotations or link.owner is not None:
        call.annotations = {**annotations_of_owner(link), **context.annotations, **call.annotations}
    if context.correlation_id is not None:
        call.correlation_id = context.correlation_id.bytes


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
