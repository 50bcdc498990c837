"""Errands: one thing after the other, again, now, and no more."""

from __future__ import annotations

import threading
import time

import pytest

from pyronb.errors import CommunicationError
from pyronb.jupyter.widgets.errands import CONNECT_TIMEOUT, Errands
from pyronb.server.exposure import expose
from pyronb.sync.proxy import Proxy
from tests.support.waiting import eventually, scaled


@expose
class Slow:
    def __init__(self):
        self.entered = threading.Event()
        self.leave = threading.Event()

    def wait(self):
        self.entered.set()
        self.leave.wait(20)


@pytest.fixture
def slow(scene):
    slow = Slow()
    yield slow, Proxy(scene.daemon.register(slow))
    slow.leave.set()


def test_one_after_the_other_on_one_connection(scene, no_leaks):
    proxy = Proxy(scene.daemon.uriFor(scene.counter))
    errands = Errands(proxy)
    seen = []
    for number in range(20):
        errands.do(lambda far, number=number: seen.append((number, far.add(1), threading.get_ident())))
    eventually(lambda: len(seen) == 20)
    errands.stop()

    assert [entry[:2] for entry in seen] == [(number, number + 1) for number in range(20)]
    assert len({entry[2] for entry in seen}) == 1
    assert proxy._pyroConnection is None


def test_again_and_now(scene, no_leaks):
    """Asked to do it now, again and again, there is still one of it."""
    errands = Errands(Proxy(scene.daemon.uriFor(scene.counter)))
    times = []

    class Reader:
        def read(self, proxy):
            times.append(time.monotonic())
            return 1000.0

    reader = Reader()
    errands.do(reader.read)
    eventually(lambda: times)
    for _ in range(20):
        errands.do_now(reader.read)
    eventually(lambda: len(times) > 1 and len(errands._due) == 1)
    errands.do(lambda proxy: 1 / 0)
    errands.do(lambda proxy: times.append("after one that failed"))
    eventually(lambda: "after one that failed" in times)
    assert len(errands._due) == 1
    errands.stop()


def test_giving_up_and_stopping_do_not_wait(slow, no_leaks):
    slow, proxy = slow
    errands = Errands(proxy)
    ended = []

    def ask(far):
        try:
            far.wait()
        except CommunicationError as error:
            ended.append(error)

    errands.do(ask)
    assert slow.entered.wait(10)
    errands.give_up()
    eventually(lambda: len(ended) == 1)
    slow.entered.clear()
    errands.do(ask)
    assert slow.entered.wait(10)
    began = time.monotonic()
    errands.stop()
    assert time.monotonic() - began < scaled(5)
    eventually(lambda: len(ended) == 2)
    errands.do(ask)
    errands.stop()


def test_limits(scene):
    proxy = Proxy(scene.daemon.uriFor(scene.counter))
    proxy._pyroMaxRetries = 5
    proxy._pyroTimeout = 2.0
    errands = Errands(proxy, 10.0)

    assert errands.proxy._pyroTimeout == 2.0
    assert errands.proxy._pyroMaxRetries == 0
    assert errands.proxy._pyro.options.connect_timeout <= CONNECT_TIMEOUT
    assert proxy._pyroMaxRetries == 5
    proxy._pyroTimeout = None
    assert Errands(proxy, 10.0).proxy._pyroTimeout == 10.0
    assert Errands(proxy).proxy._pyroTimeout is None
