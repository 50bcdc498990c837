"""Watch: backing off, telling, ending."""

from __future__ import annotations

import gc
import time

from pyronb.jupyter.widgets.watch import MAX_DELAY, MIN_GAP, Watch
from tests.jupyter.ipython.scene import HOST
from tests.support.programs import free_port
from tests.support.waiting import deadline, eventually, scaled


class Listener:
    def __init__(self):
        self.names = []
        self.objects = []
        self.times = []

    def on_names(self, model, retry):
        self.times.append(time.monotonic())
        self.names.append((model, retry))

    def on_object(self, model):
        self.objects.append(model)


def test_it_ends_when_nobody_listens_any_more(scene, no_leaks):
    listeners = [Listener()]
    watch = Watch(scene.nameserver, 0.05, listeners[0].on_names, listeners[0].on_object)
    watch.start()
    eventually(lambda: listeners[0].names)
    listeners.clear()
    gc.collect()

    eventually(lambda: not watch.alive)


def test_it_waits_longer_and_longer(no_leaks):
    """Nobody answers: each time it waits twice as long, a minute at most."""
    listener = Listener()
    watch = Watch(f"{HOST}:{free_port()}", 0.05, listener.on_names, listener.on_object)
    watch.start()
    eventually(lambda: len(listener.names) >= 4)
    watch.stop()
    delays = [retry for _, retry in listener.names][:4]

    assert delays == [0.05, 0.1, 0.2, 0.4]
    eventually(lambda: not watch.alive)
    watch._failures = 30
    assert watch._look() == MAX_DELAY


def test_refresh_does_not_wait(no_leaks):
    listener = Listener()
    watch = Watch(f"{HOST}:{free_port()}", 1000, listener.on_names, listener.on_object)
    watch.start()
    eventually(lambda: listener.names)
    watch.refresh()
    eventually(lambda: len(listener.names) == 2)
    watch.stop()
    eventually(lambda: not watch.alive)


def test_many_refreshes_become_few(scene, no_leaks):
    """However often it is asked, it tells at most 20 times a second, and at last what is there at last."""
    listener = Listener()
    watch = Watch(scene.nameserver, 1000, listener.on_names, listener.on_object)
    watch.start()
    began, limit = time.monotonic(), deadline(0.5)
    while not limit.passed:
        watch.refresh()
        time.sleep(0.001)
    scene.enter("lab.last", "PYRO:last@h:1")
    watch.refresh()
    eventually(lambda: any(e["name"] == "lab.last" for e in listener.names[-1][0]["names"]))
    elapsed = time.monotonic() - began
    watch.stop()
    eventually(lambda: not watch.alive)

    assert len(listener.times) <= elapsed / MIN_GAP + 2


def test_stopping_never_waits(no_leaks):
    watch = Watch(f"{HOST}:{free_port()}", 1000, Listener().on_names, Listener().on_object)
    watch.start()
    began = time.monotonic()
    watch.stop()

    assert time.monotonic() - began < scaled(5)
    eventually(lambda: not watch.alive)
