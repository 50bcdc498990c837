"""What was given out: who holds it, what it is called, and how it is found again."""

from __future__ import annotations

import functools
import gc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.server.givenout import DIRECT, Entry, key_of, name_of, same, weak_reference

WAYS = ["first", "second"]
"""Stand for ways: all that is asked of them here is which one it is."""


class Thing:
    """Has a method, and knows nothing of weak references where it says so."""

    def method(self):
        return self


class Slim:
    __slots__ = ()

    def method(self):
        return self


def function():
    return "called"


@given(st.lists(st.tuples(st.sampled_from(WAYS), st.booleans(), st.integers(1, 4))))
def test_it_is_over_once_nobody_holds_it_who_did(steps):
    """However often it is given and let go of, over whichever way."""
    entry, held, over = Entry("id", lambda: function, "function"), Counter(), False
    for way, gives, times in steps:
        if gives:
            entry.hold(way, function)
            held[way] += 1
            over = False
        else:
            over = over or (held[way] > 0 and not +(held - Counter({way: times})))
            entry.let_go(way, times)
            held -= Counter({way: times})

        assert dict(held) == entry.holders
        assert over == entry.over


def test_what_has_no_name_is_kept_while_it_is_held():
    """Nobody else keeps it; what is held over one way is not let go of over another."""
    entry = Entry("id", lambda: None, "<lambda>")
    nameless = lambda: 1  # noqa: E731 - that is the point
    for _ in range(3):
        entry.hold("first", nameless)
    assert entry.kept is nameless
    entry.let_go("second", 3)
    assert entry.kept is nameless
    entry.let_go("first", 3)

    assert entry.over
    assert entry.kept is None


def test_nobody_is_there_any_more():
    """All is over, unless it was given again since: whoever took it may let go of what was received before, too."""
    entry = Entry("id", lambda: function, "function")
    entry.hold("first", function)
    entry.hold("first", function)
    entry.lose("first", 1)
    entry.let_go("first", 1)
    assert not entry.over
    entry.lose("first", 1)

    assert entry.over


def test_calls_are_counted():
    """What is told of it names the last places only."""
    entry = Entry("id", lambda: function, "function", to=dict.fromkeys(map(str, range(20))))
    entry.called()
    entry.called()
    entry.errors += 1
    told = entry.told(DIRECT)

    assert ("function", DIRECT, 2, 1) == (told.name, told.way, told.calls, told.errors)
    assert tuple(map(str, range(4, 20))) == told.to
    assert told.last is not None


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (function, "function"),
        (Thing().method, "Thing.method"),
        (functools.partial(function, 1), "partial(function)"),
        (len, "len"),
        (Thing(), "Thing"),
    ],
)
def test_names_for_people(thing, name):
    """Without where it was made inside of another function."""
    assert name == name_of(thing)


@pytest.mark.parametrize("kind", [Thing, Slim])
def test_a_method_is_found_again(kind):
    """Though each access makes a new object of it; another object's is another one."""
    thing, other = kind(), Thing()

    assert key_of(thing.method) == key_of(thing.method) != key_of(other.method)
    assert same(thing.method, thing.method)
    assert not same(thing.method, other.method)
    assert not same(None, thing)


def test_a_reference_keeps_nothing_alive():
    """It tells when what it leads to has gone: for a method that is its object."""
    gone = []
    thing = Thing()
    references = [weak_reference(thing, gone.append), weak_reference(thing.method, gone.append)]
    assert [thing, thing.method] == [reference() for reference in references]
    del thing
    gc.collect()

    assert [None, None] == [reference() for reference in references]
    assert 2 == len(gone)
    assert all(any(each is reference for each in gone) for reference in references)
