"""Interrupts of a call, wherever they strike: the far side is told, the caller too, and the proxy goes on."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest

import pyronb
from pyronb.calls import record
from pyronb.server import asyncloop
from tests.support.serving import connect, serving
from tests.support.strikes import Strikes
from tests.support.waiting import eventually, scaled


@pyronb.expose
class Patient:
    """Its calls take their time, unless they are told to stop."""

    def __init__(self):
        self.go = threading.Event()
        self.entered = threading.Event()
        self.ended = []

    def begin_anew(self):
        """Have the next call wait."""
        self.go.clear()
        self.entered.clear()
        self.ended.clear()

    async def wait(self, told=0, load=None):
        """Tell so often how far it is, and wait."""
        del load
        self.entered.set()
        for number in range(told):
            pyronb.progress(number, told)
        limit = time.monotonic() + scaled(5)
        try:
            while not self.go.is_set() and time.monotonic() < limit:
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.ended.append("stopped")
            raise
        self.ended.append("through")

    def add(self, a, b):
        return a + b


def waits(proxy):
    proxy.wait()


def waits_with_news(proxy):
    proxy.wait(1)


def waits_with_much(proxy):
    proxy.wait(0, b"x" * 400_000)


def waits_in_a_batch(proxy):
    batch = proxy._pyroCall(on_progress=lambda _: None)._pyroBatch()
    batch.wait(1)
    list(batch())


def waits_on_record(proxy):
    with record():
        proxy.wait(1)


WAYS = [waits, waits_with_news, waits_with_much, waits_in_a_batch, waits_on_record]


@pytest.fixture
def patient(monkeypatch):
    """Give an object, and a proxy for it in its attribute `proxy`."""
    # A coroutine is told to stop once it has run for so long.
    monkeypatch.setattr(asyncloop, "_LONG", 0.001)
    with serving() as daemon:
        patient = Patient()
        with connect(daemon.register(patient, "patient")) as patient.proxy:
            yield patient
            patient.go.set()


def places_of(patient, work):
    """Count the places that a call passes until its request is sent, and until its reply is all that it waits for."""
    strikes = Strikes(-1, int)
    sent = waiting = 0

    def note_sending(_, event, function):
        nonlocal sent
        if event == "c_return" and function.__name__ in {"send", "sendmsg"}:
            sent = strikes.passed

    def let_go():
        nonlocal waiting
        patient.entered.wait(scaled(10))
        while waiting != strikes.passed:
            waiting = strikes.passed
            time.sleep(0.1)
        sys.setprofile(None)
        patient.go.set()

    helper = threading.Thread(target=let_go)
    helper.start()
    sys.setprofile(note_sending)
    with strikes:
        work(patient.proxy)
    sys.setprofile(None)
    helper.join(scaled(10))
    return sent, waiting


@pytest.mark.parametrize("work", WAYS)
def test_an_interrupt_strikes_anywhere(patient, work):
    """From when the request is on its way until the caller only waits."""
    patient.go.set()
    work(patient.proxy)  # after which nothing is done for the first time
    patient.begin_anew()
    sent, waiting = places_of(patient, work)
    assert 0 < sent < waiting
    for number in range(sent, waiting):
        patient.begin_anew()
        word = ""
        entered = False
        at = time.monotonic()

        def strike():
            nonlocal entered, at
            entered = patient.entered.wait(scaled(0.5)) and not patient.ended
            at = time.monotonic()
            raise KeyboardInterrupt

        with Strikes(number, strike) as strikes:
            try:
                work(patient.proxy)
            except KeyboardInterrupt as error:
                word = getattr(error, "pyronb", "")

        assert 3 == patient.proxy.add(1, 2), strikes.place
        if not entered:
            break  # This time there was less to hear, and the place lies behind the answer.
        assert time.monotonic() - at < scaled(4), strikes.place
        assert "over there" in word, strikes.place
        eventually(lambda: patient.ended, what="the far side to be told")
        assert ["stopped"] == patient.ended, strikes.place
    assert number > sent, "no place was struck"
