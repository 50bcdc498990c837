"""Contexts: what is called runs where it was given, and is part of the call that is served."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from pyronb.context import CallContext, current_context, enter, leave
from pyronb.serializers.hooks import SPEAKER
from pyronb.server.contexts import InContext, in_context, present_context

PLACE: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


@pytest.fixture
def given():
    """A context in which the place is another one."""
    given = contextvars.copy_context()
    given.run(PLACE.set, "there")
    return given


@pytest.fixture
def served():
    """Serve a call, and give its context."""
    served = CallContext()
    token = enter(served)
    yield served
    leave(token)


def test_a_function_runs_where_it_was_given(given, served):
    """It sees the call that is served; what it sets stays there, and does not last."""

    def function(value):
        current_context.response_annotations = {"SEEN": b"yes"}
        place = PLACE.get()
        PLACE.set("elsewhere")
        return place, value

    assert ("there", 5) == in_context(given, function, 5)
    assert ("there", 6) == in_context(given, function, value=6)
    assert {"SEEN": b"yes"} == served.response_annotations
    assert "nowhere" == PLACE.get()


def test_a_coroutine_runs_where_it_was_given(given, served):
    """From step to step; what it raises comes out, and so does its being cancelled."""
    went = []

    async def function(value):
        went.append((PLACE.get(), current_context.seq))
        try:
            await asyncio.sleep(value)
        except asyncio.CancelledError:
            went.append("cancelled")
            raise
        went.append((PLACE.get(), current_context.seq))
        raise LookupError("at its end")

    served.seq = 7
    with pytest.raises(LookupError, match="at its end"):
        asyncio.run(in_context(given, function, 0))

    assert [("there", 7)] * 2 == went

    async def main():
        await asyncio.wait_for(in_context(given, function, 60), 0.01)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(main())
    assert "cancelled" == went[-1]


def test_items_are_made_where_the_iterator_was_given():
    """Whoever asks for them."""
    token = PLACE.set("here")
    items = InContext(PLACE.get() for _ in range(2))
    PLACE.reset(token)

    assert ["here", "here"] == list(items)


def test_nobody_is_written_to_in_a_context_for_later():
    """Whoever is written to at the moment has nothing to do with it."""
    token = SPEAKER.set("somebody")
    kept = present_context()
    SPEAKER.reset(token)

    assert kept.run(SPEAKER.get) is None
