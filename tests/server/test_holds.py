"""Holds: what is not held here any more is told to whoever gave it, once, and how often it had come."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.server import holds
from pyronb.server.holds import _Ledger

KEYS = ["a" * 32, "b" * 32]


@pytest.fixture
def ledger(monkeypatch):
    """A ledger whose own changes nobody else sees."""
    monkeypatch.setattr(holds, "CHANGES", holds.CHANGES.__class__())
    return _Ledger()


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from("xyz"))))
def test_what_is_due_counts_all_arrivals(steps):
    """Each step is an arrival, or the going of the last one that is left of it, in turn."""
    ledger, held, came, due = _Ledger(), Counter(), Counter(), Counter()
    for number, what in enumerate(steps):
        goes = number % 2 and held[what]
        ledger._note(*what, -1 if goes else 1)
        held[what] += -1 if goes else 1
        came[what] += not goes
        if not held[what]:
            due[what] += came.pop(what)

    told = {(key, thing): times for key, gone in ledger._due.items() for thing, times in gone.items()}
    assert dict(due) == told
    assert {what for what, count in held.items() if count} == set(ledger._held)


def test_there_is_a_limit(monkeypatch):
    """Whoever gives and takes away very much is not told all of it at a time."""
    monkeypatch.setattr(holds, "_MOST", 3)
    ledger = _Ledger()
    for number in range(5):
        ledger._note(KEYS[0], f"thing{number}", 1)
        ledger._note(KEYS[0], f"thing{number}", -1)

    assert {"thing0": 1, "thing1": 1, "thing2": 1} == ledger._due[KEYS[0]]


def test_nothing_to_tell_starts_nothing(ledger):
    """Daemons ask very often."""
    ledger.tell()

    assert not ledger._telling
