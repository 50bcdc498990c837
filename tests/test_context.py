"""The context: of the thread, and over it that of the call being served."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pyronb.context import CallContext, Resources, current_context
from tests.support.fix_daemons import in_context


@pytest.fixture(autouse=True)
def _clean():
    yield
    fresh = CallContext()
    for name in CallContext.__slots__:
        setattr(current_context, name, getattr(fresh, name))


def in_a_thread(work):
    """Run something in a thread and give its result."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_each_thread_has_its_own():
    """What one sets, another does not see."""
    current_context.annotations = {"ABCD": b"x"}

    assert {"ABCD": b"x"} == current_context.annotations
    assert {} == in_a_thread(lambda: current_context.annotations)


def test_a_served_call_lies_over_it():
    """While it is served its context is the current one; afterwards the thread's is back."""
    current_context.seq = 5
    served = CallContext(client="client", seq=9)
    with in_context(served) as given:
        assert served is given
        assert ("client", 9) == (current_context.client, current_context.seq)
        current_context.response_annotations = {"RESP": b"y"}

    assert {"RESP": b"y"} == served.response_annotations
    assert (None, 5, {}) == (current_context.client, current_context.seq, current_context.response_annotations)


def test_nested_calls():
    """The inner one ends with its block, also by an error."""
    with in_context(CallContext(seq=1)):
        with pytest.raises(ValueError, match="boom"), in_context(CallContext(seq=2)):
            raise ValueError("boom")

        assert 1 == current_context.seq


async def test_tasks_of_a_served_call():
    """They see its context too, and others do not."""

    async def look():
        await asyncio.sleep(0)
        return current_context.seq

    with in_context(CallContext(seq=7)):
        inside = asyncio.create_task(look())
    outside = asyncio.create_task(look())

    assert [7, 0] == [await inside, await outside]


def test_resources():
    """They are kept weakly, for as long as the client is connected."""

    class Resource:
        def close(self):
            pass

    resource = Resource()
    with in_context(CallContext(resources=Resources())) as context:
        current_context.track_resource(resource)

        assert [resource] == list(context.resources)

        current_context.untrack_resource(resource)
        current_context.untrack_resource(resource)

        assert [] == list(context.resources)


@pytest.mark.parametrize("use", ["track_resource", "untrack_resource"])
def test_resources_need_a_served_call(use):
    """Elsewhere nobody would close them."""
    with pytest.raises(RuntimeError, match="while a remote call is being served"):
        getattr(current_context, use)(object())


def test_unknown_names():
    """A typing error is an error."""
    with pytest.raises(AttributeError):
        current_context.anotations = {}
    with pytest.raises(AttributeError):
        _ = current_context.anotations


def test_shows_itself():
    """By the values of the moment; its members are listed."""
    assert "seq=0" in repr(current_context)
    assert {"annotations", "track_resource"} <= set(dir(current_context))


def test_taken_to_another_thread():
    """All of it can be handed over; a thread keeps its own of what is not given."""
    current_context.annotations = {"ABCD": b"x"}
    current_context.seq = 7
    values = current_context.to_global()

    def work():
        current_context.from_global(values)
        current_context.from_global({"msg_flags": 4})
        return current_context.annotations, current_context.seq, current_context.msg_flags

    assert ({"ABCD": b"x"}, 7, 4) == in_a_thread(work)
    with pytest.raises(AttributeError):
        current_context.from_global({"nonsense": 1})
