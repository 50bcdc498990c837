"""Objects for tests of clients that have many calls on their way over one connection."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from pyronb.context import current_context
from pyronb.server.exposure import behavior, expose, oneway
from tests.support.fix_daemons import Bench
from tests.support.waiting import scaled


class Resource:
    """Something to close."""

    def __init__(self):
        self.closed = threading.Event()

    def close(self):
        self.closed.set()


@expose
class Thing(Bench):
    """A bench with what matters for calls that run together."""

    def __init__(self):
        super().__init__()
        self.resources = []
        self.running = 0
        self.most = 0
        self.fifth = threading.Barrier(5)

    def be_five(self):
        """Wait until five calls are here, and give each a number."""
        return self.fifth.wait(scaled(10))

    async def sleep(self, seconds, value):
        """Give the value later."""
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(seconds)
        self.running -= 1
        return value

    def nap(self, seconds, value):
        """Give the value later, and keep a worker meanwhile."""
        time.sleep(seconds)
        return value

    def look(self, seconds):
        """Tell the circumstances of the call, before and after others had theirs."""
        first = (current_context.seq, current_context.client)
        current_context.response_annotations["LOOK"] = b"x"
        time.sleep(seconds)
        assert (current_context.seq, current_context.client) == first
        return first[0]

    def count(self, most):
        """Count, slowly."""
        for number in range(most):
            time.sleep(0.003)
            yield number

    def track(self):
        """Use something until the client goes, and wait."""
        resource = Resource()
        self.resources.append(resource)
        current_context.track_resource(resource)
        self.wait()
        return resource.closed.is_set()

    @oneway
    def note(self, value):
        """Take a value, without an answer."""
        self.calls.append(value)


@expose
@behavior(instance_mode="session")
class Session:
    """An object of which each client has its own."""

    def __init__(self):
        self.busy = False
        self.values = []

    def add(self, value):
        """Take a value, slowly."""
        assert not self.busy
        self.busy = True
        time.sleep(0.004)
        self.values.append(value)
        self.busy = False
        return len(self.values)

    async def add_later(self, value):
        """Take a value, slowly, as a coroutine."""
        assert not self.busy
        self.busy = True
        await asyncio.sleep(0.004)
        self.values.append(value)
        self.busy = False
        return len(self.values)

    def all(self):
        """Give all values."""
        return self.values


@pytest.fixture
def thing():
    """Give a thing whose calls end with the test."""
    made = Thing()
    yield made
    made.go.set()
