"""Iterators and open files that are given to a call, which asks for their items while it runs."""

from __future__ import annotations

import contextvars
import itertools
import threading
import time

import psutil
import pytest

from pyronb.errors import ConnectionClosedError, PyroError, SerializeError, TimeoutError
from pyronb.rpc.weight import HEAVY
from pyronb.server.exposure import expose, oneway
from pyronb.server.references import _offices
from pyronb.sync.asynchronous import asyncproxy
from pyronb.sync.batch import batch
from pyronb.sync.streams import FarStream
from tests.support.serving import connect, serving
from tests.support.waiting import eventually, scaled

MEGABYTE = 1 << 20


@expose
class Sink:
    """Takes what comes."""

    def __init__(self):
        self.kept = None
        self.go = threading.Event()
        self.entered = threading.Event()

    def size(self, blocks):
        return sum(map(len, blocks))

    def all(self, items):
        return list(items)

    def kind(self, items):
        return type(items).__name__

    def keep(self, items):
        self.kept = items
        return next(items)

    def wait(self, items):
        """Take one item, and all others once the test lets go."""
        first = next(items)
        self.entered.set()
        assert self.go.wait(scaled(20))
        return [first, *items]

    @oneway
    def forget(self, items):
        """Take nothing."""

    def count(self, to):
        yield from range(to)

    def blocks(self, count):
        return (bytes(MEGABYTE) for _ in range(count))


@pytest.fixture
def sink():
    made = Sink()
    yield made
    made.go.set()


@pytest.fixture
def proxy(sink):
    with serving() as daemon, connect(daemon.register(sink), serializer="native") as made:
        yield made
        sink.go.set()
        sink.kept = None
    assert nothing_is_lent()


def lent():
    return [stream for office in _offices.all() for stream in office._lent]


def nothing_is_lent():
    return eventually(lambda: not lent() and not any(len(office._daemon._streams) for office in _offices.all()))


def test_what_arrives_is_an_iterator(proxy):
    """The same as a method's iterator is for who calls it."""
    assert "FarStream" == proxy.kind(iter([1]))
    assert [(1, {"x"}), b"bytes"] == proxy.all(iter([(1, {"x"}), b"bytes"]))


def test_files(proxy, tmp_path):
    """A binary file comes in blocks, a text file in lines; whoever opened them closes them."""
    path = tmp_path / "file"
    line = "a line that is not short\n"
    path.write_text(line * 100_000)
    with path.open("rb") as binary, path.open("rb", buffering=0) as raw, path.open() as text:
        assert 2_500_000 == proxy.size(binary)
        assert [MEGABYTE, MEGABYTE, 2_500_000 - 2 * MEGABYTE] == [len(block) for block in proxy.all(raw)]
        assert [line] * 3 == proxy.all(itertools.islice(text, 3))
        assert [line] * 99_997 == proxy.all(text)
        assert [False] * 3 == [file.closed for file in (binary, raw, text)]


def test_an_iterator_goes_on_after_the_call(proxy):
    """It belongs to the caller, who may use what is left of it; it is asked one item at a time at first."""
    items = iter(range(10))

    assert 0 == proxy.keep(items)
    assert 1 == next(items)


def test_whoever_keeps_it_is_told(proxy, sink):
    """After the call there is nobody to ask."""
    proxy.keep(iter(range(10)))

    with pytest.raises((PyroError, ConnectionClosedError)):
        next(sink.kept)
    assert nothing_is_lent()


def test_memory_stays_flat(proxy):
    """A quarter of a gigabyte goes in, and out, and in and out, through memory for a few blocks at both ends."""
    count, process = 256, psutil.Process()
    assert 8 * MEGABYTE == proxy.size(bytes(MEGABYTE) for _ in range(8))
    before, most = process.memory_info().rss, 0

    def blocks():
        nonlocal most
        for _ in range(count):
            most = max(most, process.memory_info().rss)
            yield bytes(MEGABYTE)

    assert count * MEGABYTE == proxy.size(blocks())
    for block in proxy.blocks(count):
        assert MEGABYTE == len(block)
        most = max(most, process.memory_info().rss)
    assert most - before < 100 * MEGABYTE


def test_who_takes_his_time_holds_the_iterator_up(proxy, sink):
    """No more is made than what goes into two answers."""
    made = []

    def blocks():
        for number in range(100):
            made.append(number)
            yield bytes(MEGABYTE)

    thread = threading.Thread(target=lambda: made.append(len(proxy.wait(blocks()))))
    thread.start()
    assert sink.entered.wait(scaled(10))
    # One was asked for, and it was heavy enough to have the next ones made.
    assert len(made) <= 2 * HEAVY // MEGABYTE + 2
    sink.go.set()
    thread.join(scaled(30))

    assert [*range(100), 100] == made


def test_a_call_that_is_given_up_asks_no_more(proxy, sink):
    """Whatever the method goes on to do."""
    made = []

    def items():
        for number in itertools.count():
            made.append(number)
            yield number

    with pytest.raises(TimeoutError):
        proxy._pyroCall(timeout=scaled(1.5)).wait(items())
    assert sink.entered.wait(scaled(10))
    assert nothing_is_lent()
    before = len(made)
    sink.go.set()

    assert 3 == len(proxy.all(iter("abc")))
    assert before == len(made)


def test_a_call_is_not_made_again(proxy, sink):
    """Nobody knows what was taken from the iterator; another call would be without it."""
    proxy._pyroMaxRetries = 3
    items = iter(range(10))
    with pytest.raises(TimeoutError):
        proxy._pyroCall(timeout=scaled(1.5)).wait(items)
    proxy._pyroTimeout = scaled(1.5)
    with pytest.raises(TimeoutError):
        proxy.wait(items)

    assert [2, *range(3, 10)] == list(items)
    sink.go.set()


def test_oneway(proxy):
    """Nobody would know when the call is over; it is not sent."""
    with pytest.raises(SerializeError, match="'forget' is oneway"):
        proxy.forget(iter([1]))

    assert nothing_is_lent()
    assert [1] == proxy.all(iter([1]))


def test_an_argument_beside_it_that_cannot_travel(proxy):
    """Nothing is sent, and nothing stays lent."""
    with pytest.raises(SerializeError):
        proxy.all(iter([1]), object())

    assert nothing_is_lent()


def test_in_a_batch(proxy):
    """Its calls are one after the other; all iterators are there until the last of them is over."""
    calls = batch(proxy)
    calls.all(iter("ab"))
    calls.size(bytes(10) for _ in range(3))

    assert [["a", "b"], 30] == list(calls())


def test_in_the_background(proxy):
    """Each is lent until its own call is over."""
    with asyncproxy(proxy) as background:
        results = [background.all(iter(range(number))) for number in range(10)]

        assert [[*range(number)] for number in range(10)] == [result.value for result in results]
        failed = background.forget(iter([1]))
        with pytest.raises(SerializeError, match="oneway"):
            failed.value  # noqa: B018
    assert nothing_is_lent()


def test_a_stream_is_passed_on(proxy):
    """From one daemon through the caller to another."""
    with serving() as other, connect(other.register(Sink()), serializer="native") as far:
        stream = far.count(600)
        assert isinstance(stream, FarStream)

        assert [*range(600)] == proxy.all(stream)
        assert 30 * MEGABYTE == proxy.size(far.blocks(30))


def test_it_runs_as_part_of_what_the_caller_does(proxy):
    """With the context variables of the caller, as what is printed in a notebook needs them."""
    name = contextvars.ContextVar("name", default="nobody")

    def items():
        for _ in range(3):
            yield name.get()

    name.set("caller")

    assert ["caller"] * 3 == proxy.all(items())


def test_no_connection_is_left(proxy):
    """One waits for the next call, as many as there were."""
    process = psutil.Process()
    proxy.all(iter([1]))
    assert eventually(lambda: not lent())
    before = process.num_fds() if hasattr(process, "num_fds") else 0
    began = time.monotonic()
    for _ in range(20):
        assert [1, 2] == proxy.all(iter([1, 2]))

    assert time.monotonic() - began < scaled(20)
    if before:
        assert eventually(lambda: process.num_fds() <= before + 4)
