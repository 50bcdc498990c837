"""Stations: objects that call those who subscribed, and what may be subscribed."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading

import pytest

from pyronb import aio
from pyronb.context import current_context
from pyronb.net import back
from pyronb.server.exposure import expose
from pyronb.server.references import by_reference, given_out
from pyronb.sync.proxy import Proxy
from tests.support.serving import client_options, connect, serving
from tests.support.waiting import eventually, scaled

__all__ = ["PLACE", "Reporter", "Station", "caller", "daemon", "nothing_waits", "station"]


PLACE: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


@expose
class Station:
    """Calls those who subscribed."""

    def __init__(self):
        self.functions = []

    def subscribe(self, *functions):
        self.functions += functions
        return [str(function._pyroUri.location) for function in functions]

    def tell(self, value):
        results = []
        for function in self.functions:
            with function:
                results.append(function(value))
        return results

    def use(self, function, value):
        with function:
            return function(value)

    def pass_on(self, uri, given, value):
        with Proxy(uri) as other:
            other.subscribe(given)
            return other.tell_last(value)

    def give_back(self, given):
        self.functions.append(given)
        return given

    def with_itself(self, function, value):
        with function:
            return function(function, value)

    def tell_last(self, value):
        with self.functions[-1] as function:
            return function.call(value)

    def tell_last_in_a_batch(self, values):
        with self.functions[-1] as function:
            calls = function._pyroBatch()
            for value in values:
                calls.call(value)
            return list(calls())

    def at_once(self, first, second, value):
        return [first(value), second(value), first(value)]

    def tell_from_threads(self, threads, calls):
        uri = self.functions[-1]._pyroUri

        def work(number):
            with Proxy(uri, options=client_options()) as function:
                for call in range(calls):
                    function.call([number, call])

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        return workers

    def tell_in_threads(self, threads, calls):
        for worker in self.tell_from_threads(threads, calls):
            worker.join(scaled(30))

    async def tell_later(self, value):
        async with aio.Proxy(self.functions[-1]._pyroUri, options=client_options()) as function:
            return await asyncio.gather(*(function.call(value + more) for more in range(3)))

    def double(self, value):
        return 2 * value

    def tell_with_own_function(self, value):
        def ours(number):
            return number + 1000

        with self.functions[-1] as function:
            return function(ours, value)


@by_reference
@expose
class Reporter:
    """An object that is called back."""

    def where(self, value):
        return [PLACE.get(), value, current_context.client is not None]

    def call(self, value):
        return self.where(value)


@pytest.fixture
def station():
    return Station()


@pytest.fixture
def daemon(station, engine):
    with serving() as running:
        running.register(station, "station")
        yield running
        for function in station.functions:
            function._pyroRelease()


@pytest.fixture
def caller(daemon):
    with connect(daemon.uriFor("station")) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_waits():
    """After each test all connections are gone, here as well."""
    yield
    # A thread that is about to end may still hold what can only be collected then.
    eventually(lambda: gc.collect() >= 0 and not back.waiting() and not given_out())
