"""Which instance serves a call: one for the daemon, for a connection, for a call."""

from __future__ import annotations

import threading

import pytest

from pyronb.server.exposure import behavior
from pyronb.server.instances import Instances, Kept
from tests.support.waiting import scaled


def make_class(mode=None, creator=None):
    class Thing:
        pass

    return Thing if mode is None else behavior(mode, creator)(Thing)


@pytest.mark.parametrize(
    ("mode", "same_in_session", "same_elsewhere"),
    [("single", True, True), ("session", True, False), (None, True, False), ("percall", False, False)],
)
def test_mode_decides_who_shares_an_instance(mode, same_in_session, same_elsewhere):
    """Session is the mode of a class without `behavior`."""
    instances, cls, here, there = Instances(), make_class(mode), Kept(), Kept()
    first = instances.get(cls, here)

    assert (instances.get(cls, here) is first) is same_in_session
    assert (instances.get(cls, there) is first) is same_elsewhere


@pytest.mark.parametrize("mode", ["single", "session"])
def test_two_first_calls_at_once_make_one_instance(mode):
    """The second one waits for what the first one makes."""
    made, entered, go_on = [], threading.Event(), threading.Event()

    def creator(cls):
        made.append(1)
        entered.set()
        assert go_on.wait(scaled(5))
        return cls()

    instances, cls, session, got = Instances(), make_class(mode, creator), Kept(), []
    threads = [threading.Thread(target=lambda: got.append(instances.get(cls, session))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert entered.wait(scaled(5))
    go_on.set()
    for thread in threads:
        thread.join(scaled(5))

    assert len(made) == 1
    assert len(got) == 5
    assert len(set(map(id, got))) == 1


def test_a_slow_first_call_does_not_hold_up_other_classes_and_sessions():
    """Making an instance may take long; only those who want this very instance wait."""
    entered, go_on = threading.Event(), threading.Event()

    def creator(cls):
        entered.set()
        assert go_on.wait(scaled(5))
        return cls()

    instances = Instances()
    slow_single, slow_session = make_class("single", creator), make_class("session", creator)
    quick = [make_class("single"), make_class("session"), make_class("percall")]
    for slow in (slow_single, slow_session):
        entered.clear()
        thread = threading.Thread(target=instances.get, args=(slow, Kept()))
        thread.start()
        assert entered.wait(scaled(5))
        for cls in quick:
            assert isinstance(instances.get(cls, Kept()), cls)
        go_on.set()
        thread.join(scaled(5))
        go_on.clear()


def test_an_instance_may_ask_for_others_while_it_is_made():
    """A creator that needs the instance of another class, or fails half-way, does not block anything."""
    instances, other, session = Instances(), make_class("session"), Kept()
    cls = make_class("session", lambda kind: (instances.get(other, session), kind())[1])

    assert isinstance(instances.get(cls, session), cls)


def test_a_failed_creator_is_asked_again():
    """An instance that could not be made is tried anew at the next call."""
    failures = [RuntimeError("not yet")]

    def creator(cls):
        if failures:
            raise failures.pop()
        return cls()

    instances, cls, session = Instances(), make_class("single", creator), Kept()
    with pytest.raises(RuntimeError, match="not yet"):
        instances.get(cls, session)

    assert isinstance(instances.get(cls, session), cls)


@pytest.mark.parametrize("mode", ["single", "session", "percall"])
def test_a_creator_must_give_an_instance_of_the_class(mode):
    """Anything else would be called with the rights of the class."""
    with pytest.raises(TypeError, match="gave a int"):
        Instances().get(make_class(mode, lambda cls: 3), Kept())


def test_a_forgotten_single_is_made_anew():
    """A class that was unregistered and comes back starts fresh."""
    instances, cls = Instances(), make_class("single")
    first = instances.get(cls, Kept())
    instances.forget(cls)

    assert instances.get(cls, Kept()) is not first
