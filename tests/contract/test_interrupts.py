"""Interrupts of a call in either room, wherever they strike: both sides are told, and the proxy goes on."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest

import pyronb
import pyronb.aio
from pyronb.calls import record
from pyronb.server import asyncloop
from tests.support.serving import client_options, connect, serving
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
def patient(monkeypatch, no_leaks):
    """Give an object, and its address in its attribute `uri`."""
    # A coroutine is told to stop once it has run for so long.
    monkeypatch.setattr(asyncloop, "_LONG", 0.001)
    with serving() as daemon:
        patient = Patient()
        patient.uri = daemon.register(patient, "patient")
        yield patient
        patient.go.set()


class Places:
    """The places that a call passes, counted as far as they matter.

    Args:
        patient: what is called.
    """

    def __init__(self, patient):
        self.strikes = Strikes(-1, int)
        self.sent = self.waiting = 0
        """How many were passed when its request was sent, and when its reply was all that it waited for."""
        self._patient = patient
        self._helper = threading.Thread(target=self._let_go)

    def _note(self, _, event, function):
        if event == "c_return" and function.__name__ in {"send", "sendmsg"} and not self._patient.go.is_set():
            self.sent = self.strikes.passed

    def _let_go(self):
        self._patient.entered.wait(scaled(10))
        while self.waiting != self.strikes.passed:
            self.waiting = self.strikes.passed
            time.sleep(0.1)
        self._patient.go.set()

    def __enter__(self):
        self._patient.begin_anew()
        self._helper.start()
        sys.setprofile(self._note)
        self.strikes.__enter__()
        return self

    def __exit__(self, *exc):
        self.strikes.__exit__(*exc)
        sys.setprofile(None)
        self._helper.join(scaled(10))
        assert 0 < self.sent < self.waiting


class Strike:
    """What is done at the place that is struck, once the call has begun over there; and whether it was like that."""

    def __init__(self, patient, interrupt):
        self.at = time.monotonic()
        self.struck = False
        self._patient = patient
        self._interrupt = interrupt

    def __call__(self):
        self.struck = self._patient.entered.wait(scaled(0.5)) and not self._patient.ended
        self.at = time.monotonic()
        self._interrupt()

    def ended(self, place, word):
        """Both sides were told, soon."""
        assert time.monotonic() - self.at < scaled(4), (place, word, self._patient.ended)
        assert "over there" in word, place
        eventually(lambda: self._patient.ended, what="the far side to be told")
        assert ["stopped"] == self._patient.ended, place


@pytest.mark.parametrize("work", WAYS)
def test_an_interrupt_strikes_anywhere(patient, work):
    """From when the request is on its way until the caller only waits."""

    def interrupt():
        raise KeyboardInterrupt

    with connect(patient.uri) as proxy:
        patient.go.set()
        work(proxy)  # after which nothing is done for the first time
        with Places(patient) as places:
            work(proxy)
        for number in range(places.sent, places.waiting):
            patient.begin_anew()
            word, strike = "", Strike(patient, interrupt)
            with Strikes(number, strike) as strikes:
                try:
                    work(proxy)
                except KeyboardInterrupt as error:
                    word = getattr(error, "pyronb", "")
            assert 3 == proxy.add(1, 2), strikes.place
            if not strike.struck:
                break  # This time there was less to hear, and the place lies behind the answer.
            strike.ended(strikes.place, word)
        assert number > places.sent, "no place was struck"


async def awaits(proxy):
    await proxy.wait()


async def awaits_with_news(proxy):
    await proxy._pyroCall(on_progress=lambda _: None).wait(1)


async def awaits_with_much(proxy):
    await proxy.wait(0, b"x" * 400_000)


async def awaits_a_batch(proxy):
    batch = proxy._pyroBatch()
    batch.wait(1)
    list(await batch())


async def awaits_on_record(proxy):
    with record():
        await proxy.wait(1)


@pytest.mark.parametrize("work", [awaits, awaits_with_news, awaits_with_much, awaits_a_batch, awaits_on_record])
def test_a_task_is_cancelled_anywhere(patient, work):
    """Likewise in the other room; there the connection stays."""

    async def main():
        loop, tasks = asyncio.get_running_loop(), []

        def cancel():
            tasks[-1].cancel()
            loop.call_soon_threadsafe(int)  # a signal wakes the loop, too

        async with pyronb.aio.Proxy(patient.uri, options=client_options()) as proxy:
            patient.go.set()
            await work(proxy)
            before = proxy._pyroLocalSocket
            with Places(patient) as places:
                await asyncio.ensure_future(work(proxy))
            for number in range(places.sent, places.waiting):
                patient.begin_anew()
                word, strike = "", Strike(patient, cancel)
                with Strikes(number, strike) as strikes:
                    try:
                        tasks.append(asyncio.ensure_future(work(proxy)))
                        await tasks[-1]
                    except asyncio.CancelledError as error:
                        word = getattr(error, "pyronb", "")
                assert 3 == await proxy.add(1, 2), strikes.place
                if not strike.struck:
                    break
                await asyncio.to_thread(strike.ended, strikes.place, word)
            assert number > places.sent, "no place was struck"
            assert before == proxy._pyroLocalSocket

    asyncio.run(main())
