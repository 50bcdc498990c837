"""Ticker: reminders at their moments, from one thread that is there only while it is needed."""

from __future__ import annotations

import threading
import time

import pytest

from pyronb.net.ticker import Ticker
from tests.support.waiting import eventually, scaled


class Thing:
    """Keeps the moments at which it was reminded."""

    def __init__(self, times=1, pause=0.01):
        self.times = times
        self.pause = pause
        self.ticks = []

    def tick(self):
        self.ticks.append(time.monotonic())
        self.times -= 1
        return time.monotonic() + self.pause if self.times > 0 else None


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "pyronb-ticker"]


@pytest.fixture
def ticker():
    """Give a ticker of the test's own; its thread ends."""
    before = threads()
    yield Ticker()
    eventually(lambda: set(threads()) <= set(before))


def test_reminders_come_in_order_and_not_too_early(ticker):
    """However they were asked for."""
    now = time.monotonic()
    late, early = Thing(), Thing()
    ticker.remind(late, now + 0.1)
    ticker.remind(early, now + 0.05)

    eventually(lambda: late.ticks and early.ticks)

    assert now + 0.05 <= early.ticks[0] <= late.ticks[0]
    assert now + 0.1 <= late.ticks[0]


def test_reminders_come_again(ticker):
    """As long as that is wanted, and never after that."""
    thing = Thing(times=5)
    ticker.remind(thing, 0.0)

    eventually(lambda: len(thing.ticks) == 5)
    time.sleep(0.05)

    assert 5 == len(thing.ticks)


def test_one_thread_for_all(ticker):
    """Which ends, and begins anew when it is needed again."""
    before = len(threads())
    for _ in range(2):
        things = [Thing(times=3) for _ in range(50)]
        for thing in things:
            ticker.remind(thing, time.monotonic())
        assert len(threads()) <= before + 1
        eventually(lambda things=things: all(len(thing.ticks) == 3 for thing in things))
        eventually(lambda: len(threads()) == before, timeout=scaled(5))


def test_no_more_threads(ticker, monkeypatch):
    """Then nobody is reminded, which whoever asked can do without."""

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    ticker.remind(Thing(), 0.0)
    monkeypatch.undo()
    thing = Thing()
    ticker.remind(thing, 0.0)

    eventually(lambda: thing.ticks)
