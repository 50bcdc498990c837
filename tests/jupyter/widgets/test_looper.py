"""Looper: turns when something is due or time is up, with pauses, until it is stopped."""

from __future__ import annotations

import threading

from pyronb.jupyter.widgets.looper import Looper
from tests.support.waiting import eventually, scaled


class Counting(Looper):
    """Counts its turns."""

    def __init__(self, patience=None, gap=0.0):
        super().__init__("pyronb-counting", gap)
        self.wanted = False
        self.waits = patience
        self.turns = 0
        self.go = threading.Event()
        self.go.set()

    def want(self):
        with self._changed:
            self.wanted = True
            self._changed.notify_all()

    def _due(self):
        return self.wanted

    def _patience(self):
        return self.waits

    def _turn(self):
        self.wanted = False
        self.turns += 1
        self.go.wait(scaled(10))


def test_turns(no_leaks):
    """There is one for each time that something is due, and none without."""
    looper = Counting()
    looper.start()
    for turn in (1, 2, 3):
        looper.want()
        eventually(lambda turn=turn: looper.turns == turn)
    looper.stop()
    eventually(lambda: not looper.alive)

    assert 3 == looper.turns


def test_patience(no_leaks):
    """Turns come by themselves when it is over."""
    looper = Counting(patience=0.001)
    looper.start()
    eventually(lambda: looper.turns > 3)
    looper.stop()
    eventually(lambda: not looper.alive)


def test_stopped_in_a_pause(no_leaks):
    """Whatever it waits for, it ends."""
    looper = Counting(gap=3600)
    looper.start()
    looper.want()
    eventually(lambda: looper.turns == 1)
    looper.want()
    looper.stop()
    eventually(lambda: not looper.alive)

    assert 1 == looper.turns


def test_stopped_in_a_turn(no_leaks):
    """That turn is the last one, and nobody waits for it."""
    looper = Counting(patience=0.001)
    looper.go.clear()
    looper.start()
    eventually(lambda: looper.turns == 1)
    looper.stop()

    assert looper.alive
    looper.go.set()
    eventually(lambda: not looper.alive)
    assert 1 == looper.turns
