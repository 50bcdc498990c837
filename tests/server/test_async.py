"""Methods that are `async def`: awaited, streamed, and ended with their daemon."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time

import pytest

from pyronb.context import current_context
from pyronb.errors import CommunicationError, PyroError
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import behavior, callback, expose, oneway
from pyronb.sync.batch import batch as batched
from tests.support.serving import RawClient, connect, serving
from tests.support.waiting import eventually, scaled

pytestmark = pytest.mark.usefixtures("engine")

VARIABLE = contextvars.ContextVar("VARIABLE", default="outside")


@expose
class Thing:
    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.done = []
        self.threads = set()

    def echo(self, value):
        return value

    async def add(self, a, b=10):
        """Add two numbers, in time."""
        self.threads.add(threading.current_thread().name)
        await asyncio.sleep(0)
        return a + b

    async def wait(self, value):
        self.entered.release()
        try:
            while not self.go_on.is_set():
                await asyncio.sleep(0.002)
        except asyncio.CancelledError:
            self.done.append("cancelled")
            raise
        self.done.append(value)
        return value

    async def stubborn(self):
        self.entered.release()
        while True:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                self.done.append("not yet")

    async def fail(self, text):
        await asyncio.sleep(0)
        raise ValueError(text)

    async def exit(self):
        raise SystemExit("bye")

    @callback
    async def call_back(self):
        raise ValueError("in a callback")

    @oneway
    async def fire(self, value):
        await self.wait(value)

    @oneway
    async def misfire(self):
        raise ValueError("nobody hears this")

    async def context(self):
        VARIABLE.set("inside")
        await asyncio.sleep(0.01)
        current_context.response_annotations = {"MINE": b"async"}
        return [
            current_context.seq,
            current_context.client_sock_addr[0],
            bytes(current_context.annotations.get("YOUR", b"")).decode(),
            VARIABLE.get(),
        ]

    async def count(self, to, fail=False):
        try:
            for number in range(to):
                await asyncio.sleep(0)
                yield number
            if fail:
                raise ValueError("in mid-stream")
        finally:
            self.done.append("closed")

    def later(self, a):
        """Give a coroutine, without being `async def` itself."""
        return self.add(a)

    async def gathered(self, count):
        return await asyncio.gather(*(self.add(n) for n in range(count)))

    @property
    async def asynchronous(self):
        raise AssertionError("nobody awaits this")

    @asynchronous.setter
    async def asynchronous(self, value):
        raise AssertionError("nobody awaits this")


@pytest.fixture
def thing():
    made = Thing()
    yield made
    made.go_on.set()


@pytest.fixture
def daemon(thing, engine):
    with serving() as daemon:
        daemon.register(thing, "thing")
        yield daemon
        thing.go_on.set()


@pytest.fixture
def proxy(daemon):
    with connect(daemon.uriFor("thing")) as proxy:
        yield proxy


def test_a_coroutine_is_awaited(proxy, thing):
    """The caller has its result, as of any method; all run in one thread of the daemon's."""
    assert [proxy.add(1), proxy.add(1, 2), proxy.add(a=3, b=4)] == [11, 3, 7]
    assert proxy.later(5) == 15
    assert proxy.gathered(4) == [10, 11, 12, 13]
    assert thing.threads == {"pyronb-coroutines"}


def test_without_coroutines_there_is_no_loop_for_them(proxy):
    """It starts when it is needed."""
    proxy.echo(1)

    assert "pyronb-coroutines" not in {thread.name for thread in threading.enumerate()}


def test_an_error_of_a_coroutine_comes_back_as_what_it_was(proxy):
    """With a traceback that begins in the method, and the connection goes on."""
    with pytest.raises(ValueError, match="boom") as caught:
        proxy.fail("boom")
    remote = "".join(caught.value._pyroTraceback)
    assert "in fail" in remote
    assert "coroutines.py" not in remote
    assert "asyncloop.py" not in remote
    with pytest.raises(PyroError, match="remote method ended with SystemExit"):
        proxy.exit()
    assert proxy.add(1) == 11


def test_the_error_handler_is_told_of_coroutines(engine):
    """As of other methods."""
    told = []

    class Told(Daemon):
        def methodcall_error_handler(self, client_sock_addr, method, vargs, kwargs, exception):
            told.append((method, vargs, str(exception)))

    with serving(Told) as daemon, connect(daemon.register(Thing())) as proxy:
        with pytest.raises(ValueError):
            proxy.fail("one")
        batch = batched(proxy)
        batch.fail("two")
        with pytest.raises(ValueError):
            list(batch())

    assert [(entry[0], entry[2]) for entry in told] == [("fail", "one"), ("fail", "two")]


def test_the_error_of_a_callback_is_logged_where_it_happened(proxy, caplog):
    """The marks of methods hold for coroutines too."""
    with pytest.raises(ValueError):
        proxy.call_back()

    assert "error in callback method 'call_back'" in caplog.text


def test_a_waiting_coroutine_holds_nobody_up(daemon, thing, proxy):
    """Other clients are served meanwhile, in the same thread even; and many wait at once."""
    waiting = [RawClient(daemon.locationStr) for _ in range(120)]
    try:
        for number, client in enumerate(waiting):
            client.greet("thing")
            client.send(client.request("thing", "wait", number))
        for _ in waiting:  # they are more than there are workers
            assert thing.entered.acquire(timeout=scaled(5))
        assert proxy.echo(1) == 1
        assert proxy.add(1) == 11
        thing.go_on.set()
        for number, client in enumerate(waiting):
            assert client.codec.decode_reply(client.message()).value == number
    finally:
        for client in waiting:
            client.socket.close()


def test_answers_keep_the_order_of_a_connection(daemon, thing):
    """A call that was sent behind one that waits is answered behind it."""
    with RawClient(daemon.locationStr) as client:
        client.greet("thing")
        client.send(
            client.request("thing", "wait", "first")
            + client.request("thing", "echo", "second")
            + client.request("thing", "add", 1, 2)
        )
        assert thing.entered.acquire(timeout=scaled(5))
        thing.go_on.set()

        assert [client.codec.decode_reply(client.message()).value for _ in range(3)] == ["first", "second", 3]


def test_the_circumstances_of_the_call_are_known_inside(proxy):
    """Also after it has waited; its annotations go with the reply, and its variables stay its own."""
    current_context.annotations = {"YOUR": b"client"}
    try:
        got = proxy.context()
        annotations = {key: bytes(value) for key, value in current_context.response_annotations.items()}
    finally:
        current_context.annotations = {}

    assert got == [proxy._pyro.sequence, "127.0.0.1", "client", "inside"]
    assert annotations == {"MINE": b"async"}
    assert VARIABLE.get() == "outside"


def test_an_async_generator_is_a_far_stream(proxy, thing, daemon):
    """Item by item, to its end, its error, or until it is closed."""
    assert list(proxy.count(3)) == [0, 1, 2]
    stream = proxy.count(2, fail=True)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(ValueError, match="in mid-stream"):
        next(stream)
    stream = proxy.count(100)
    assert next(stream) == 0
    stream.close()
    proxy.echo(1)
    eventually(lambda: thing.done == ["closed"] * 3)

    assert len(daemon._streams) == 0


def test_items_of_an_async_generator_come_several_at_once(proxy, thing, daemon, monkeypatch):
    """Its error comes after the items before it."""
    answers, real = [], daemon._streams.next_items
    monkeypatch.setattr(daemon._streams, "next_items", lambda *asked: answers.append(asked) or real(*asked))
    items = []
    with pytest.raises(ValueError, match="in mid-stream"):
        for item in proxy.count(400, fail=True):
            items.append(item)  # noqa: PERF402 - what came before the error is to be there

    assert list(range(400)) == items
    assert list(range(400)) == list(proxy.count(400))
    assert 200 > len(answers)
    assert thing.done == ["closed"] * 2
    assert len(daemon._streams) == 0


def test_async_generators_end_with_their_daemon(thing, engine):
    """Their `finally` runs."""
    with serving() as daemon, connect(daemon.register(thing)) as proxy:
        next(proxy.count(100))
        daemon.close()

    assert thing.done == ["closed"]


def test_coroutines_in_a_batch_are_awaited_in_order(proxy, thing):
    """Among other calls; the first error is the last result."""
    batch = batched(proxy)
    batch.add(1)
    batch.echo("x")
    batch.add(2, 3)
    batch.fail("in batch")
    batch.echo("never")
    results = batch()
    assert [next(results), next(results), next(results)] == [11, "x", 5]
    with pytest.raises(ValueError, match="in batch"):
        next(results)
    batch = batched(proxy)
    batch.add(1)
    batch.count(3)
    with pytest.raises(PyroError, match="iterator"):
        list(batch())
    assert proxy.add(1) == 11


def test_async_attributes_are_refused(proxy):
    """They could not be awaited; nothing of them is run."""
    for use in (lambda: proxy.asynchronous, lambda: setattr(proxy, "asynchronous", 1)):
        with pytest.raises(AttributeError, match="make it a method"):
            use()
    assert proxy.add(1) == 11


@pytest.mark.parametrize("threaded", [True, False])
def test_oneway_coroutines_run_too(thing, threaded, caplog, engine):
    """The client does not wait for them, nor hears of their errors."""
    caplog.set_level(logging.INFO, "pyronb")
    with serving(oneway_threaded=threaded) as daemon, connect(daemon.register(thing)) as proxy:
        proxy.fire("fired")
        assert thing.entered.acquire(timeout=scaled(5))
        thing.go_on.set()
        proxy.misfire()
        assert proxy.echo(1) == 1
        eventually(lambda: thing.done == ["fired"])
        eventually(lambda: "nobody hears this" in caplog.text)


@pytest.mark.parametrize("mode", ["single", "session", "percall"])
def test_instances_of_all_modes_have_coroutines(mode, engine):
    """An instance lives as long as its call."""

    @expose
    @behavior(mode)
    class Made:
        async def who(self):
            await asyncio.sleep(0)
            return type(self).__name__

    with serving() as daemon, connect(daemon.register(Made)) as proxy:
        assert [proxy.who(), proxy.who()] == ["Made", "Made"]


def test_closing_a_daemon_cancels_its_coroutines(thing, engine):
    """Their callers see the connection end, nobody waits for ever."""
    with serving() as daemon, RawClient(daemon.locationStr) as client:
        daemon.register(thing, "thing")
        client.greet("thing")
        client.send(client.request("thing", "wait", 1))
        assert thing.entered.acquire(timeout=scaled(5))
        began = time.monotonic()
        daemon.close()
        client.rest()

        assert time.monotonic() - began < scaled(3)
    assert thing.done == ["cancelled"]


def test_shutdown_lets_coroutines_end(thing, engine):
    """Those that end in time are answered."""
    with serving() as daemon, RawClient(daemon.locationStr) as client:
        daemon.register(thing, "thing")
        client.greet("thing")
        client.send(client.request("thing", "wait", 1))
        assert thing.entered.acquire(timeout=scaled(5))
        daemon.shutdown()
        thing.go_on.set()

        assert client.codec.decode_reply(client.message()).value == 1


def test_a_client_that_is_gone_does_not_end_its_coroutine(daemon, thing):
    """Its answer has nobody to go to."""
    with RawClient(daemon.locationStr) as client:
        client.greet("thing")
        client.send(client.request("thing", "wait", 1))
        assert thing.entered.acquire(timeout=scaled(5))
    thing.go_on.set()
    eventually(lambda: thing.done == [1] and daemon._engine.clients == 0)


def test_a_coroutine_may_close_its_own_daemon(engine):
    """Without waiting for itself."""
    took = []
    with serving() as daemon:

        @expose
        class Closing:
            async def close(self):
                began = time.monotonic()
                daemon.close()
                took.append(time.monotonic() - began)

        with connect(daemon.register(Closing())) as proxy, pytest.raises((CommunicationError, PyroError)):
            proxy.close()
        eventually(lambda: took)
    assert took[0] < scaled(5)
