"""Iterators that stay here while a client asks for their items, with a clock that the test turns."""

from __future__ import annotations

import threading

import pytest

from pyronb.errors import PyroError
from pyronb.server.streams import Streams
from tests.support.waiting import scaled


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


class Noted:
    """A generator that notes its end."""

    def __init__(self, items=(1, 2, 3), fails=None):
        self.closed = False
        self.fails = fails
        self.iterator = self.generate(items)

    def generate(self, items):
        try:
            yield from items
            if self.fails:
                raise self.fails
        finally:
            self.closed = True


def gone(streams, stream_id):
    with pytest.raises(PyroError, match="item stream terminated"):
        streams.next_item(stream_id, "anybody")
    return True


def test_items_come_one_by_one_until_the_end(clock):
    """After the last item the stream is forgotten."""
    streams = Streams(0, 30, clock)
    stream_id = streams.open(iter([1, 2]), "me")
    assert [streams.next_item(stream_id, "me") for _ in range(2)] == [1, 2]
    with pytest.raises(StopIteration):
        streams.next_item(stream_id, "me")

    assert gone(streams, stream_id)
    assert len(streams) == 0


def test_an_error_of_the_iterator_ends_the_stream(clock):
    """The error goes to the caller as it is."""
    streams = Streams(0, 30, clock)
    stream_id = streams.open(Noted((), ValueError("boom")).iterator, "me")
    with pytest.raises(ValueError, match="boom"):
        streams.next_item(stream_id, "me")

    assert gone(streams, stream_id)


def test_closing_runs_the_generators_end(clock):
    """What a generator holds open is closed with it; closing twice, or what is not there, does nothing."""
    streams, noted = Streams(0, 30, clock), Noted()
    stream_id = streams.open(noted.iterator, "me")
    streams.next_item(stream_id, "me")
    streams.close(stream_id)
    streams.close(stream_id)
    streams.close("never was")

    assert noted.closed
    assert gone(streams, stream_id)


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, GeneratorExit])
def test_an_error_at_the_generators_end_bothers_nobody(clock, error):
    """Nobody is left to whom it would matter."""

    def stubborn():
        try:
            yield 1
        finally:
            raise error

    streams = Streams(0, 30, clock)
    stream_id = streams.open(stubborn(), "me")
    streams.next_item(stream_id, "me")
    streams.close(stream_id)

    assert len(streams) == 0


def test_a_stream_lives_no_longer_than_its_lifetime(clock):
    """Even while its items are asked for."""
    streams, noted = Streams(5.0, 30, clock), Noted()
    stream_id = streams.open(noted.iterator, "me")
    streams.next_item(stream_id, "me")
    clock.now += 4.9
    streams.expire()
    assert streams.next_item(stream_id, "me") == 2
    clock.now += 0.2
    streams.expire()

    assert gone(streams, stream_id)
    assert noted.closed


def test_without_a_lifetime_a_stream_does_not_age(clock):
    """A client that is connected may take all the time in the world."""
    streams = Streams(0, 30, clock)
    stream_id = streams.open(iter([1]), "me")
    clock.now += 1e9
    streams.expire()

    assert streams.next_item(stream_id, "me") == 1


def test_a_stream_waits_for_its_owner_to_come_back(clock):
    """For as long as it lingers; whoever knows its id can go on, and is its owner from then on."""
    streams = Streams(0, 30, clock)
    stream_id = streams.open(iter([1, 2, 3]), "me")
    streams.disconnected("me")
    clock.now += 29
    streams.expire()
    assert streams.next_item(stream_id, "me again") == 1
    clock.now += 29
    streams.expire()
    streams.disconnected("me")
    clock.now += 31
    streams.expire()
    assert streams.next_item(stream_id, "me again") == 2
    streams.disconnected("me again")
    clock.now += 31
    streams.expire()

    assert gone(streams, stream_id)


def test_without_linger_a_stream_goes_with_its_owner(clock):
    """At once, and only with its own."""
    streams, mine, other = Streams(0, 0, clock), Noted(), Noted()
    my_id, other_id = streams.open(mine.iterator, "me"), streams.open(other.iterator, "other")
    streams.next_item(my_id, "me")
    streams.disconnected("me")

    assert mine.closed
    assert gone(streams, my_id)
    assert streams.next_item(other_id, "other") == 1


def test_clearing_ends_all(clock):
    """As a daemon does when it is closed."""
    streams, noted = Streams(0, 30, clock), [Noted(), Noted()]
    for each in noted:
        streams.next_item(streams.open(each.iterator, "me"), "me")
    streams.clear()

    assert len(streams) == 0
    assert all(each.closed for each in noted)


def test_a_stream_can_be_closed_while_an_item_is_made(clock):
    """Whoever closes does not wait for the item, which still arrives."""
    entered, go_on, got = threading.Event(), threading.Event(), []

    def slow():
        entered.set()
        assert go_on.wait(scaled(5))
        yield 1

    streams = Streams(0, 30, clock)
    stream_id = streams.open(slow(), "me")
    thread = threading.Thread(target=lambda: got.append(streams.next_item(stream_id, "me")))
    thread.start()
    assert entered.wait(scaled(5))
    streams.close(stream_id)
    assert thread.is_alive()
    go_on.set()
    thread.join(scaled(5))

    assert got == [1]
    assert gone(streams, stream_id)
