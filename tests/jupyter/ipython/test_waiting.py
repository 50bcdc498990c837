"""What is waited for is shown in the cell that waits, in one place, and no more often than a browser can follow."""

from __future__ import annotations

import io
import threading
import time

import pytest

from pyronb.jupyter.ipython import waiting
from pyronb.jupyter.ipython.reprs import Wait, progress_facts, waiting_html, waiting_text
from pyronb.jupyter.ipython.waiting import Place, Waited
from pyronb.news import Progress
from tests.jupyter.ipython.scene import HOSTILE
from tests.support.waiting import eventually, scaled


class Screen:
    """Stands for IPython's display: what was shown, in order, with its moments."""

    def __init__(self):
        self.shown = []

    def display(self, data, *, raw, display_id):
        assert raw
        assert display_id
        self.update(data, raw=True)
        return self

    def update(self, data, *, raw):
        assert raw
        self.shown.append((time.monotonic(), data["text/plain"]))

    @property
    def last(self):
        return self.shown[-1][1] if self.shown else ""


@pytest.fixture
def screen(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(waiting, "display", screen.display)
    return screen


@pytest.fixture
def place(screen):
    place = Place()
    yield place
    for waited in list(place._all):
        waited.finish("over")
    eventually(lambda: place._thread is None)


# Texts


def test_texts():
    """How far it is, how fast it goes, how long the rest takes, for how long it has been going on."""
    wait = Wait("pump.run()", 5.0, "", Progress(25, 100, "pumping", 5.0))

    assert (
        waiting_text([wait])
        == "pump.run(): [#####...............] 25%, 25 of 100, 5/s, 15.0 s left, 5.0 s so far (pumping)"
    )
    assert waiting_text([Wait("a", 5.0, "done", Progress(100, 100, "", 5.0))]) == (
        "a: [####################] 100%, 100 of 100, 20/s, done after 5.0 s"
    )
    assert (
        waiting_text([Wait("a", 1.0), Wait("b", 61.0, "over")], 3)
        == "a: 1.0 s so far\nb: over after 1 min 01 s\nand 3 more"
    )
    assert waiting_text([Wait("a", 1.0, "", Progress(3, None, "", 6.0))]) == "a: 3 done, 2.0 s each, 1.0 s so far"


@pytest.mark.parametrize(
    ("told", "facts"),
    [
        (Progress(0, 10), ["0%", "0 of 10"]),
        (Progress(1234567, 10**7, "", 1.0), ["12%", "1,234,567 of 10,000,000", "1.23e+06/s", "7.1 s left"]),
        (Progress(0.25, 1, "", 1.0), ["25%", "0.25 of 1", "4.0 s each", "3.0 s left"]),
        (Progress(12, 10, "", 1.0), ["100%", "12 of 10", "12/s"]),
        (Progress(-1, 0), ["-1 done"]),
        (Progress(1e299, 1e300, "", 1e-9), ["10%", "1e+299 of 1e+300", "1e+308/s", "0.0 s left"]),
    ],
)
def test_facts(told, facts):
    """Also of odd numbers, which come from other machines."""
    assert progress_facts(told) == facts


def test_all_is_escaped():
    """Names and messages come from elsewhere."""
    wait = Wait(HOSTILE, 1.0, "", Progress(1, 2, HOSTILE))

    assert "<script" not in waiting_html([wait])
    assert '<progress aria-label="&lt;script&gt;alert(1)&lt;/script&gt;" max="1" value="0.5000">' in waiting_html(
        [wait]
    )
    assert "\x1b" not in waiting_text([Wait("a\x1b[2J", 1.0, "", Progress(1, 2, "\x1b[2J"))])


# Places


def test_what_is_over_in_a_moment_leaves_no_trace(screen, place):
    """Nor a thread."""
    waited = Waited("a", place, after=scaled(5))
    waited.tell(Progress(1, 2))
    waited.finish("done")
    eventually(lambda: place._thread is None)

    assert screen.shown == []


def test_what_takes_longer_is_shown_and_counts(screen, place):
    """In the end it stays, with what became of it."""
    waited = Waited("a", place, after=0.0)
    eventually(lambda: len(screen.shown) >= 3, what="the clock to go on")
    waited.tell(Progress(1, 2))
    eventually(lambda: "1 of 2" in screen.last)
    waited.finish("done")
    waited.finish("over")
    eventually(lambda: place._thread is None)

    assert screen.last.startswith("a: [##########..........] 50%, 1 of 2, done after")


def test_progress_is_worth_a_word_sooner(screen, place):
    """A patient wait is shown after a second already, where there is progress to see."""
    waited = Waited("a", place, after=1000.0, began=time.monotonic() - 2)
    waited.tell(Progress(1, 2))

    eventually(lambda: "1 of 2" in screen.last)


def test_a_flood_is_drawn_twenty_times_a_second_and_its_end_is(screen, place):
    """However much is told, and however fast."""
    waited = Waited("a", place, after=0.0)
    began = time.monotonic()
    for count in range(10_001):
        waited.tell(Progress(count, 10_000))
    waited.finish("done")
    eventually(lambda: place._thread is None)
    took = time.monotonic() - began

    assert "10,000 of 10,000, done" in screen.last
    assert len(screen.shown) <= took / waiting.MIN_GAP + 3


def test_many_waits_share_one_place(screen, place):
    """Those that go on are shown, the last of those that are over, and the number of the others."""
    old = [Waited(f"old {number}", place, after=0.0) for number in range(8)]
    place.settle()
    for waited in old:
        waited.finish("done")
    new = [Waited(f"new {number}", place, after=0.0) for number in range(20)]
    place.settle()
    lines = screen.last.splitlines()
    for waited in new:
        waited.finish("done")

    assert [line.partition(":")[0] for line in lines[:3]] == ["old 5", "old 6", "old 7"]
    assert lines[3].startswith("new 0: ")
    assert lines[-1] == "and 18 more"
    assert len(lines) == 11


def test_one_thread_for_one_place(place):
    """However many waits."""
    before = set(threading.enumerate())  # those of other tests may be about to end
    waits = [Waited("a", place, after=100.0) for _ in range(5)]

    assert [thread.name for thread in set(threading.enumerate()) - before] == ["pyronb-waiting"]
    for waited in waits:
        waited.finish("done")


def test_a_terminal_has_one_line_that_changes(monkeypatch, screen):
    """And in the end the text stays."""

    class TerminalInteractiveShell:
        pass

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(waiting.sys, "stdout", terminal)
    monkeypatch.setattr(waiting, "get_ipython", TerminalInteractiveShell)
    place = Place()
    waited = Waited("a", place, after=0.0)
    place.settle()
    waited.finish("done")
    eventually(lambda: place._thread is None)

    assert terminal.getvalue().startswith("\r\x1b[Ka: 0.0 s so far\r\x1b[Ka: done after ")
    assert terminal.getvalue().endswith(" s\n")
    assert screen.shown == []
