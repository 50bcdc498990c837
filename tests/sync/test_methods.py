"""What goes beside a call: annotations and correlation ids, by way of the current context."""

from __future__ import annotations

import base64
import threading
from uuid import UUID, uuid4

import pytest

from pyronb.context import CallContext, current_context
from pyronb.server.daemon import Daemon
from tests.support.fix_daemons import Bench, in_context
from tests.support.serving import connect, serving
from tests.support.waiting import scaled


def annotations(told):
    """Give the annotations that the bench was told of; serpent writes bytes as a record."""
    return {name: base64.b64decode(value["data"]) for name, value in told["annotations"]}


def test_nothing_by_default(proxy):
    """Neither annotations nor an id go out by themselves."""
    assert {"annotations": [], "id": "None"} == proxy.context()


def test_annotations(proxy):
    """Those of the context go with every call, and those of the last reply are there to read."""
    current_context.annotations = {"ABCD": b"one", "EFGH": memoryview(b"two")}
    told = proxy.context()

    assert {"ABCD": b"one", "EFGH": b"two"} == annotations(told)
    assert {"RESP": b"there"} == {name: bytes(value) for name, value in current_context.response_annotations.items()}
    assert {"ABCD": b"one", "EFGH": b"two"} == annotations(proxy.context())

    proxy.add(1, 2)

    assert {} == current_context.response_annotations


def test_response_annotations_can_be_written(proxy):
    """They are a dict of one's own, also after a reply that had none."""
    proxy.add(1, 2)
    current_context.response_annotations["ABCD"] = b"x"
    proxy.add(1, 2)

    assert {} == current_context.response_annotations


def test_wrong_annotations(proxy):
    """A name that does not fit is refused before anything is sent; the connection survives."""
    from pyronb.errors import ProtocolError

    proxy._pyroBind()
    current_context.annotations = {"toolong": b"x"}
    with pytest.raises(ProtocolError, match=r"exactly 4 ASCII characters.*while calling 'add'"):
        proxy.add(1, 2)

    current_context.annotations = {}
    assert 3 == proxy.add(1, 2)


def test_correlation_id(proxy):
    """That of the context goes with every call."""
    current_context.correlation_id = uuid4()

    assert str(current_context.correlation_id) == proxy.context()["id"]


def test_correlation_id_goes_on(proxy, daemon):
    """A served method that calls another object does so under the same id, and with the same annotations."""
    current_context.correlation_id = UUID(int=5)
    current_context.annotations = {"ABCD": b"x"}
    with serving() as other:
        told = proxy.call_on(str(other.register(Bench())))

    assert str(UUID(int=5)) == told["id"]
    assert {"ABCD": b"x"} == annotations(told)


def test_annotations_of_a_served_call_are_its_own(proxy):
    """A served method that calls another object keeps what it says beside its own reply."""
    with serving() as other:
        proxy.call_on(str(other.register(Bench())))

    assert {"MINE": b"mine"} == {name: bytes(value) for name, value in current_context.response_annotations.items()}


def test_threads_have_their_own_context(proxy):
    """What one thread says beside its calls, another does not."""
    current_context.annotations = {"ABCD": b"x"}
    told = []
    thread = threading.Thread(target=lambda: told.append(proxy.context()))
    thread.start()
    thread.join(scaled(5))

    assert {} == annotations(told[0])


def test_context_of_a_served_call(daemon, proxy):
    """A proxy that is used inside one takes its context from it."""
    with in_context(CallContext(client="client", annotations={"ABCD": b"x"}, correlation_id=UUID(int=7))):
        told = proxy.context()

        assert {} == current_context.response_annotations
    assert ({"ABCD": b"x"}, str(UUID(int=7))) == (annotations(told), told["id"])


def test_annotations_of_the_daemon(bench):
    """They are there to read after every call."""

    class Annotating(Daemon):
        def annotations(self):
            return {"DDDD": b"daemon"}

    with serving(Annotating) as daemon, connect(daemon.register(bench)) as proxy:
        proxy.add(1, 2)

        assert {"DDDD": b"daemon"} == {
            name: bytes(value) for name, value in current_context.response_annotations.items()
        }
