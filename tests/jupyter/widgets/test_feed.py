"""Feed: throttling, the last state, ending."""

from __future__ import annotations

import gc
import threading
import time
import weakref

from pyronb.jupyter.widgets.feed import MIN_GAP, Feed
from tests.support.waiting import deadline, eventually


class Picture:
    def __init__(self, beat=None):
        self.state = 0
        self.drawn = []
        self.beat = beat

    def draw(self):
        self.drawn.append(self.state)
        return self.beat


def test_a_flood_becomes_few_drawings_and_the_last_state_arrives(no_leaks):
    picture = Picture()
    feed = Feed(picture.draw)
    feed.start()
    began, limit = time.monotonic(), deadline(0.5)
    while not limit.passed:
        picture.state += 1
        feed.poke()
    eventually(lambda: picture.drawn[-1] == picture.state)
    elapsed = time.monotonic() - began
    feed.stop()
    eventually(lambda: not feed.alive)

    assert picture.state > 1000
    assert 1 < len(picture.drawn) <= elapsed / MIN_GAP + 2


def test_threads_may_poke_at_once(no_leaks):
    """However they interleave, what was put down before the last poke is drawn."""
    picture = Picture()
    feed = Feed(picture.draw)
    feed.start()

    def work():
        for _ in range(2000):
            picture.state += 1
            feed.poke()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: picture.drawn[-1] == picture.state)
    feed.stop()
    eventually(lambda: not feed.alive)


def test_it_draws_by_itself_while_told_so(no_leaks):
    picture = Picture(beat=0.01)
    feed = Feed(picture.draw)
    feed.start()
    eventually(lambda: len(picture.drawn) > 3)
    picture.beat = None
    feed.stop()
    eventually(lambda: not feed.alive)


def test_a_drawing_that_fails_is_not_the_last(no_leaks):
    class Broken(Picture):
        def draw(self):
            super().draw()
            raise RuntimeError("closed")

    picture = Broken()
    feed = Feed(picture.draw)
    feed.start()
    eventually(lambda: len(picture.drawn) == 1)
    feed.poke()
    eventually(lambda: len(picture.drawn) == 2)
    feed.stop()
    eventually(lambda: not feed.alive)


def test_stopping_does_not_wait_for_the_drawing(no_leaks):
    entered, leave = threading.Event(), threading.Event()

    class Slow(Picture):
        def draw(self):
            entered.set()
            leave.wait(10)

    picture = Slow()
    feed = Feed(picture.draw)
    feed.start()
    assert entered.wait(10)
    feed.stop()
    assert feed.alive
    leave.set()
    eventually(lambda: not feed.alive)


def test_it_holds_its_view_weakly(no_leaks):
    pictures = [Picture()]
    gone = weakref.ref(pictures[0])
    feed = Feed(pictures[0].draw)
    feed.start()
    eventually(lambda: pictures[0].drawn)
    pictures.clear()
    gc.collect()
    eventually(lambda: gone() is None)
    feed.poke()
    eventually(lambda: not feed.alive)
