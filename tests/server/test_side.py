"""Side: what goes beside a call, by hand: when it is sent, what it holds, and that it ends with the call."""

from __future__ import annotations

import pytest

from pyronb.errors import ConnectionClosedError, ProtocolError
from pyronb.news import Output, Progress
from pyronb.server import side as module
from pyronb.server.output import CAPTURE
from pyronb.server.side import OVER, Side, Way


class Client(Way):
    """Takes what is told, or not."""

    def __init__(self):
        self.told = []
        self.answer = True
        self.later = None
        self.looks = 0
        self.listens = 0

    def tell(self, buffers, later):
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer:
            self.told += buffers
        self.later = later
        return self.answer

    def look(self):
        self.looks += 1
        if isinstance(self.answer, Exception):
            raise self.answer

    def listen(self):
        self.listens += 1


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


class Reminders(list):
    """Takes note of who wants to be reminded."""

    def remind(self, thing, moment):
        self.append((thing, moment))


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def reminders(monkeypatch):
    made = Reminders()
    monkeypatch.setattr(module, "TICKER", made)
    return made


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def side(client, clock, reminders):
    made = Side(client, lambda news: [news])
    yield made
    made.end()


def test_twenty_times_a_second(side, client, clock, reminders):
    """The first state at once, others when it is time, and one reminder for all that is held back."""
    for count in range(1000):
        side.report(count, 1000, "")
        clock.now += 0.001

    assert 19 <= len(client.told) <= 21
    assert [count for count in range(1000) if (count % 50) == 0] == [news.done for news in client.told]
    assert len(reminders) <= len(client.told) + 1


def test_what_is_held_back_is_told_when_reminded(side, client, clock, reminders):
    """The last state of it."""
    for count in range(3):
        side.report(count, None, "")
    assert [(side, 100.05)] == reminders

    clock.now = 100.05

    assert side.tick() is None
    assert [0, 2] == [news.done for news in client.told]
    assert side.tick() is None


def test_a_client_that_does_not_read(side, client, clock):
    """It is tried again, with the last state."""
    client.answer = False
    side.report(1, None, "")
    clock.now += 1

    again = side.tick()
    assert again == pytest.approx(clock.now + 0.05)
    side.report(2, None, "")
    client.answer = True
    clock.now += 1

    assert side.tick() is None
    assert [2] == [news.done for news in client.told]


def test_what_only_another_thread_can_send(side, client, clock, reminders):
    """That one is left to send the last state, and is asked once."""
    client.answer = None
    side.report(1, None, "")
    later = client.later
    for count in range(2, 5):
        clock.now += 1
        side.report(count, None, "")
        assert client.later is None
    assert [] == reminders
    assert side.tick() is None

    client.answer = True
    later()

    assert [4] == [news.done for news in client.told]


def test_what_another_thread_was_to_send(side, client, clock, reminders):
    """Whoever can send it first does."""
    client.answer = None
    side.report(1, None, "")
    later, client.answer = client.later, True
    clock.now += 1
    side.report(2, None, "")
    later()
    clock.now += 1
    side.report(3, None, "")

    assert [2, 3] == [news.done for news in client.told]


def test_what_another_thread_cannot_send_either(side, client, reminders):
    """It is tried again."""
    client.answer = None
    side.report(1, None, "")
    client.answer = False

    client.later()

    assert [side] == [thing for thing, _ in reminders]


def test_the_end(side, client, clock):
    """What was held back goes before the answer, and nothing after it."""
    side.report(1, 2, "")
    side.report(2, 2, "last")

    assert [Progress(2, 2, "last", 0.0)] == side.end()

    clock.now += 1
    side.report(3, 2, "late")
    side.tick()
    assert [1] == [news.done for news in client.told]
    assert [] == list(side.end())


@pytest.mark.parametrize(("error", "cancelled"), [(ConnectionClosedError("gone"), True), (ProtocolError("x"), False)])
def test_a_client_that_is_gone(side, client, clock, error, cancelled):
    """The method learns it, if it asks; it gets no error."""
    client.answer = error
    side.report(1, None, "")

    client.answer = True
    assert cancelled == side.wanted_no_more()


SECONDS = [
    ([(0, 0.0), (50, 1.0)], [0.0, 1.0]),
    ([(10, 0.0), (20, 5.0), (30, 10.0)], [0.0, 10.0, 15.0]),
    ([(10, 0.0), (10, 5.0)], [0.0, 5.0]),
    ([(10, 0.0), (5, 5.0)], [0.0, 5.0]),
]


@pytest.mark.parametrize(("reports", "seconds"), SECONDS)
def test_how_long_it_takes_already(side, client, clock, reports, seconds):
    """What was done before the first word is taken to have gone as quickly as the rest."""
    for done, moment in reports:
        clock.now = 100.0 + moment
        side.report(done, None, "")

    assert seconds == [pytest.approx(news.seconds) for news in client.told]


def test_looking(side, client, clock):
    """Not more than 50 times a second, and not after the caller has said so."""
    for _ in range(100):
        assert side.wanted_no_more() is False
        clock.now += 0.001
    assert 5 <= client.looks <= 6

    side.cancel()
    looks = client.looks
    clock.now += 1
    assert side.wanted_no_more() is True
    assert looks == client.looks


def test_looking_finds_nobody(side, client):
    """A client that has hung up wants nothing more."""
    client.answer = ConnectionClosedError("gone")

    assert side.wanted_no_more() is True


def test_nobody_looks_after_the_end(side, client):
    """Somebody else reads from the client by then."""
    side.end()

    assert side.wanted_no_more() is False
    assert 0 == client.looks


def test_stopping(side, client):
    """In the way of the call, once; and at once where the caller has said so before."""
    stops = []
    side.stop_with(lambda: stops.append("one"))
    assert 1 == client.listens
    side.cancel()
    side.cancel()
    side.stop_with(lambda: stops.append("two"))

    assert ["one", "two"] == stops


def test_a_client_that_knows_of_nothing(client, clock, reminders):
    """It is told nothing and stops nothing, but may be looked at."""
    side = Side(client, None)
    side.report(1, None, "")
    side.want_output()
    side.write("text", "stdout")
    side.stop_with(lambda: pytest.fail("stopped"))

    assert side.wanted_no_more() is False
    assert [] == list(side.end())
    assert ([], 0, 1) == (client.told, client.listens, client.looks)


def test_output(side, client, clock, reminders):
    """Whole lines at once, the rest a moment later, all before the answer; and only once it is wanted."""
    side.write("unwanted\n", "stdout")
    side.want_output()
    side.want_output()
    side.write("one", "stdout")
    assert [] == client.told
    side.write("\n", "stdout")
    assert [Output("one\n")] == client.told
    side.write("two\n", "stdout")
    side.write("three", "stderr")
    assert [Output("one\n")] == client.told
    assert side in [thing for thing, _ in reminders]
    side.report(1, None, "")

    assert [Output("two\n"), Output("three", "stderr"), Progress(1)] == side.end()
    side.write("late\n", "stdout")
    assert 0 == CAPTURE._wanted


def test_what_is_printed_while_telling(side, client, clock):
    """It is not told: it would never end."""
    side.want_output()

    def tell(buffers, later):
        client.told += buffers
        side.write("about telling\n", "log")
        return True

    client.tell = tell
    side.write("text\n", "stdout")

    assert [Output("text\n")] == client.told
    with side.silent(), side.silent():
        side.write("silence\n", "stdout")
    assert [] == side.end()


def test_nobody(clock):
    """What stands for a call that is over does nothing."""
    OVER.report(1, None, "")
    OVER.want_output()
    OVER.write("text", "stdout")
    OVER.stop_with(lambda: pytest.fail("stopped"))

    assert OVER.wanted_no_more() is False
    assert [] == list(OVER.end())
    way = Way()
    assert way.tell([], lambda: None) is False
    assert way.look() is way.listen() is None
