"""CallbackFeed: the real widget, called by a real daemon."""

from __future__ import annotations

import re
import threading
import time

import pytest

import pyronb.widgets
from pyronb.errors import PyroError, SerializeError
from pyronb.jupyter.widgets.callbacks import SHOWN, CallbackFeed
from pyronb.jupyter.widgets.feed import MIN_GAP
from pyronb.server.exposure import expose
from pyronb.sync.proxy import Proxy
from tests.jupyter.ipython.scene import HOSTILE, NetworkProbe
from tests.support.waiting import deadline, eventually


@expose
class Source:
    """Calls back whoever subscribed."""

    def __init__(self):
        self.callbacks = []

    def subscribe(self, callback):
        self.callbacks.append(callback)

    def emit(self, *args, **kwargs):
        """Call them all from here, on a connection of this thread's own."""
        for callback in self.callbacks:
            with callback:
                callback(*args, **kwargs)


@pytest.fixture
def source(scene):
    source = Source()
    with Proxy(scene.daemon.register(source, "source")) as proxy:
        yield source, proxy
        for callback in source.callbacks:
            callback._pyroRelease()


@pytest.fixture
def feed(no_leaks):
    feed = CallbackFeed(limit=5)
    yield feed
    feed.close()


def texts(feed):
    return [event.text for event in feed.rows]


def test_a_far_object_calls_back(source, feed):
    source, proxy = source
    proxy.subscribe(feed)
    source.emit(1, "two", three=3)
    eventually(lambda: feed.total == 1)

    assert texts(feed) == ["1, 'two', three=3"]
    eventually(lambda: "three=3" in feed._rows.value)
    assert "1 call" in feed._status.value
    assert abs(feed.rows[0].time - time.time()) < 60


def test_closing_withdraws_it(source, no_leaks):
    source, proxy = source
    feed = CallbackFeed()
    proxy.subscribe(feed)
    source.emit("before")
    feed.close()
    with pytest.raises(PyroError):
        source.emit("after")
    feed("after")
    with pytest.raises(SerializeError, match="closed"):
        proxy.subscribe(feed)

    assert texts(feed) == ["'before'"]
    eventually(lambda: not feed._feed.alive)


def test_what_goes_is_counted(feed):
    for number in range(100):
        feed(number)
    assert feed.total == 100
    assert feed.dropped == 95
    assert texts(feed) == ["95", "96", "97", "98", "99"]
    eventually(lambda: "95 dropped" in feed._status.value)


def test_a_flood_is_throttled_and_the_last_row_arrives(feed, monkeypatch):
    drawn = []
    original = CallbackFeed._draw
    monkeypatch.setattr(CallbackFeed, "_draw", lambda self: (drawn.append(1), original(self))[1])
    began, limit, sent = time.monotonic(), deadline(0.6), 0
    while not limit.passed or sent < 1000:
        sent += 1
        feed(sent)
    feed("the last")
    eventually(lambda: "the last" in feed._rows.value)
    elapsed = time.monotonic() - began

    assert feed.total == sent + 1
    assert feed.dropped == feed.total - 5
    assert 1 < len(drawn) <= elapsed / MIN_GAP + 2


def test_many_threads(feed):
    threads = [threading.Thread(target=lambda: [feed(n) for n in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert feed.total == 2000
    assert feed.dropped == 1995
    eventually(lambda: "2000 calls" in feed._status.value)


def test_the_rate_rises_and_falls(feed):
    for number in range(100):
        feed(number)
    eventually(lambda: re.search(r" [1-9][0-9.]*/s", feed._status.value))
    eventually(lambda: "· 0/s" in feed._status.value)


def test_pause_keeps_what_comes_in(feed):
    feed("first")
    eventually(lambda: "first" in feed._rows.value)
    feed.paused = True
    feed("second")
    eventually(lambda: "paused, 1 new" in feed._status.value)
    assert "second" not in feed._rows.value
    assert feed._pause.description == "Go on"
    feed._pause.value = False

    eventually(lambda: "second" in feed._rows.value)
    assert "paused" not in feed._status.value


def test_the_filter(feed):
    for text in ("apple", "pear", "apricot"):
        feed(text)
    feed._search.value = "AP"
    eventually(lambda: "2 of 3 match" in feed._status.value)
    assert "pear" not in feed._rows.value
    feed._search.value = "*pear*"
    eventually(lambda: "pear" in feed._rows.value and "apple" not in feed._rows.value)
    feed._search.value = "xyzzy"
    eventually(lambda: "Nothing matches" in feed._rows.value)
    feed._search.value = ""
    eventually(lambda: "apricot" in feed._rows.value)


def test_clear(feed):
    for number in range(10):
        feed(number)
    feed.paused = True
    feed._clear.click()
    assert (feed.total, feed.dropped, feed.rows) == (0, 0, ())
    eventually(lambda: "Nothing came in yet" in feed._rows.value)


def test_the_browser_gets_no_more_than_it_can_show(no_leaks):
    feed = CallbackFeed()
    for number in range(SHOWN + 50):
        feed(number)
    eventually(lambda: f"the newest {SHOWN} shown" in feed._status.value)
    eventually(lambda: feed._rows.value.count("<tr>") == SHOWN + 1)
    feed.close()


def test_arguments_are_escaped_and_shortened(feed):
    feed(HOSTILE, "x" * 10_000, b"\x1b[31m", **{HOSTILE: HOSTILE})
    eventually(lambda: "alert" in feed._rows.value)

    assert "<script" not in feed._rows.value + feed._repr_mimebundle_()["text/html"]
    assert len(feed.rows[0].text) <= 500
    assert "\x1b" not in repr(feed)


def test_an_argument_whose_repr_fails(feed):
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    feed(Broken())
    eventually(lambda: "Broken" in feed._rows.value)


def test_looking_asks_nobody(source, feed, monkeypatch):
    source, proxy = source
    proxy.subscribe(feed)
    source.emit("seen")
    probe = NetworkProbe(monkeypatch)
    bundle = feed._repr_mimebundle_()

    assert probe.calls == []
    assert "seen" in bundle["text/plain"]
    assert "not connected" in bundle["text/html"]


def test_a_limit_that_is_none():
    with pytest.raises(ValueError, match="one row"):
        CallbackFeed(limit=0)


def test_the_short_name():
    assert pyronb.widgets.CallbackFeed is CallbackFeed
