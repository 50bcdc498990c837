"""An object whose calls are held until the test lets them go on, and what tests of engines do with it."""

from __future__ import annotations

import threading

from pyronb.server.exposure import expose, oneway
from tests.support.waiting import deadline, scaled


@expose
class Thing:
    """Its calls of `wait` and `fire` end when `go_on` is set."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.running = self.most = 0
        self.lock = threading.Lock()
        self.fired = []
        self.threads = []

    def echo(self, value):
        return value

    def wait(self):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.entered.release()
        assert self.go_on.wait(scaled(10))
        with self.lock:
            self.running -= 1
        return "done"

    @oneway
    def fire(self, value):
        self.entered.release()
        assert self.go_on.wait(scaled(10))
        self.threads.append(threading.current_thread().name)
        self.fired.append(value)

    @oneway
    def fire_and_fail(self):
        self.entered.release()
        raise ValueError("nobody hears this")

    def large(self, size):
        return "x" * size


def workers():
    return [thread for thread in threading.enumerate() if thread.name == "pyronb-worker"]


def started(thing, count=1):
    limit = deadline(5)
    for _ in range(count):
        assert thing.entered.acquire(timeout=limit.remaining), "the method was not called"


def in_threads(count, work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads):
    limit = deadline(20)
    for thread in threads:
        thread.join(limit.remaining)
        assert not thread.is_alive()
