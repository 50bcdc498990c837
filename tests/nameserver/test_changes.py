"""What has changed since a client last asked; waiting for it, without being a burden."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pyronb.nameserver import changes as module
from pyronb.nameserver.changes import Changes
from pyronb.nameserver.names import NameServer
from pyronb.nameserver.storage.memory import MemoryStorage
from tests.support.serving import ENGINES, connect, naming
from tests.support.waiting import eventually, scaled

A, B = "PYRO:a@localhost:1", "PYRO:b@localhost:2"


def test_who_has_no_mark_is_told_everything(names):
    """And from then on, what has changed."""
    names.register("a", A, metadata={"one"})
    first = names.changes()
    assert first.pop("mark")
    assert first == {"names": {"a": (A, {"one"})}, "removed": [], "complete": True}


def test_what_has_changed_is_told(names):
    """Each name once, as it is now; nothing twice."""
    for name in ("a", "b", "c", "d"):
        names.register(name, A)
    mark = names.changes()["mark"]
    assert names.changes(mark) == {"mark": mark, "names": {}, "removed": [], "complete": False}
    names.register("e", A)
    names.register("a", A)
    names.register("a", B, metadata={"new"})
    names.set_metadata("b", {"two"})
    names.remove("c")
    names.remove(prefix="d")
    names.remove("absent")
    names.register("f", A)
    names.remove("f")

    told = names.changes(mark)
    assert told["names"] == {"a": (B, {"new"}), "b": (A, {"two"}), "e": (A, set())}
    assert sorted(told["removed"]) == ["c", "d", "f"]
    assert not told["complete"]
    assert names.changes(told["mark"])["names"] == {}


@pytest.mark.parametrize(
    "mark", ["x", "0-0", "-1", "{run}-99", "{run}-", "{run}--1", "{run}-\u0663", "{run}-" + "9" * 5000]
)
def test_a_mark_that_means_nothing(mark):
    """A server that was restarted, or a client that makes things up: everything is told."""
    names = NameServer(MemoryStorage())
    names.register("a", A)
    run = names.changes()["mark"].partition("-")[0]

    assert names.changes(mark.replace("{run}", run))["complete"]


def test_what_is_no_mark():
    """It is said."""
    names = NameServer(MemoryStorage())
    for arguments in ((3,), ("", "long"), (None,)):
        with pytest.raises(TypeError, match="takes a text and a number of seconds"):
            names.changes(*arguments)


def test_only_the_last_changes_are_known(monkeypatch):
    """Whoever comes later is told everything."""
    monkeypatch.setattr(module, "_MOST", 3)
    changes = Changes()
    marks = [changes.since("")[0]]
    for name in "abcde":
        changes.note(name)
        marks.append(changes.since("")[0])

    assert [changes.since(mark)[1] for mark in marks] == [None, None, ["e", "d", "c"], ["e", "d"], ["e"], []]


def test_a_change_ends_the_waiting():
    """At once, for everybody who waits."""
    with naming() as daemon, connect(daemon.uri) as names, ThreadPoolExecutor() as do:
        mark = names.changes()["mark"]

        def watch():
            with connect(daemon.uri) as mine:
                begun.release()
                return mine.changes(mark, 20.0)

        begun = threading.Semaphore(0)
        watching = [do.submit(watch) for _ in range(4)]
        for _ in watching:
            assert begun.acquire(timeout=scaled(10))
        names.register("late", A)
        for each in watching:
            assert each.result(scaled(10))["names"].keys() == {"late"}


def test_not_everybody_can_be_waited_with(monkeypatch):
    """The others are answered at once, and all are served meanwhile."""
    changes = Changes()
    mark = changes.since("")[0]
    with ThreadPoolExecutor(module._WAITING) as do:
        waiting = [do.submit(changes.since, mark, scaled(30)) for _ in range(module._WAITING)]
        eventually(lambda: len(changes._came._waiters) == module._WAITING)
        assert changes.since(mark, 1000.0) == (mark, [])
        changes.note("a")
        assert [each.result(scaled(10))[1] for each in waiting] == [["a"]] * module._WAITING


@pytest.mark.parametrize("engine", ENGINES)
def test_waiting_holds_nothing_up(engine):
    """An engine with one thread for all does not wait; closing ends the waiting."""
    with naming(engine=engine) as daemon, connect(daemon.uri) as names, connect(daemon.uri) as other:
        mark = names.changes()["mark"]
        watching = threading.Thread(target=lambda: names.changes(mark, 1000.0))
        watching.start()
        assert other.ping() is None
        daemon._changes.close()
        watching.join(scaled(10))
        assert not watching.is_alive()
