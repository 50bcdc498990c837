"""AttributePlot: the real widget, with a real object behind it."""

from __future__ import annotations

import math
import threading
import time

import pytest

import pyronb.widgets
from pyronb.errors import SerializeError
from pyronb.jupyter.widgets.feed import MIN_GAP
from pyronb.jupyter.widgets.plots import AttributePlot
from pyronb.server.exposure import expose
from pyronb.sync.proxy import Proxy
from tests.jupyter.ipython.scene import HOSTILE, NetworkProbe
from tests.support.waiting import deadline, eventually


@expose
class Gauge:
    def __init__(self):
        self.reads = 0
        self.fails = False

    @property
    def level(self):
        self.reads += 1
        if self.fails:
            raise RuntimeError(f"no level {HOSTILE}")
        return self.reads

    def call(self, callback, value):
        with callback:
            callback(value)


@pytest.fixture
def gauge(scene):
    gauge = Gauge()
    with Proxy(scene.daemon.register(gauge)) as proxy:
        yield gauge, proxy


@pytest.fixture
def plot(no_leaks):
    made = []

    def make(*args, **options):
        made.append(AttributePlot(*args, **{"interval": 0.05, **options}))
        return made[-1]

    yield make
    for view in made:
        view.close()


def values(plot):
    return [value for _, value in plot.points]


def test_an_attribute_is_drawn(gauge, plot):
    _, proxy = gauge
    plot = plot(proxy, "level", limit=5)
    eventually(lambda: len(plot.points) == 5 and values(plot)[0] > 1)

    assert values(plot) == sorted(values(plot))
    eventually(lambda: "<polyline" in plot._picture.value)
    assert "level" in plot._status.value
    assert proxy._pyroConnection is None


def test_failures_are_gaps_and_it_goes_on(gauge, plot):
    gauge, proxy = gauge
    plot = plot(proxy, "level")
    eventually(lambda: len(plot.points) > 1)
    gauge.fails = True
    eventually(lambda: "no level" in plot._status.value)
    assert "<script" not in plot._status.value
    assert math.isnan(values(plot)[-1])
    gauge.fails = False
    eventually(lambda: "no level" not in plot._status.value)
    assert math.isfinite(values(plot)[-1])


def test_pause_and_clear(gauge, plot):
    gauge, proxy = gauge
    plot = plot(proxy, "level")
    eventually(lambda: plot.points)
    plot._pause.value = True
    eventually(lambda: "paused" in plot._status.value and not plot._errands._due)
    plot._clear.click()
    eventually(lambda: "No numbers yet" in plot._picture.value)
    plot._pause.value = False
    eventually(lambda: len(plot.points) > 1)
    assert len([thread for thread in threading.enumerate() if thread.name == "pyronb-errands"]) == 1


def test_a_far_object_calls_back(gauge, plot):
    _, proxy = gauge
    plot = plot()
    proxy.call(plot, 1.5)
    proxy.call(plot, "no number")
    assert values(plot)[0] == 1.5
    eventually(lambda: "a str is no number" in plot._status.value)
    plot.close()
    with pytest.raises(SerializeError, match="closed"):
        proxy.call(plot, 2)


def test_a_flood_is_throttled_and_the_last_number_arrives(plot, monkeypatch):
    drawn = []
    original = AttributePlot._draw
    monkeypatch.setattr(AttributePlot, "_draw", lambda self: (drawn.append(1), original(self))[1])
    plot = plot()
    began, limit, sent = time.monotonic(), deadline(0.5), 0
    while not limit.passed:
        sent += 1
        plot(sent)
    plot(123456)
    eventually(lambda: "123456" in plot._status.value)
    elapsed = time.monotonic() - began

    assert sent > 1000
    assert len(plot.points) == 600
    assert 1 < len(drawn) <= elapsed / MIN_GAP + 2


def test_the_saved_notebook(gauge, plot, monkeypatch):
    _, proxy = gauge
    plot = plot(proxy, "level", interval=100)
    eventually(lambda: plot.points)
    probe = NetworkProbe(monkeypatch)
    bundle = plot._repr_mimebundle_()

    assert probe.calls == []
    assert "plot of level" in bundle["text/plain"]
    assert "<svg" in bundle["text/html"]
    assert "not connected" in bundle["text/html"]


def test_what_cannot_be_drawn(gauge):
    _, proxy = gauge
    for wrong in (("no proxy", "level"), (proxy, ""), (None, "level")):
        with pytest.raises(TypeError, match="AttributePlot"):
            AttributePlot(*wrong)
    with pytest.raises(ValueError, match="interval"):
        AttributePlot(proxy, "level", interval=0)
    with pytest.raises(ValueError, match="two numbers"):
        AttributePlot(limit=1)


def test_the_short_name():
    assert pyronb.widgets.AttributePlot is AttributePlot
