"""Hearing: what reaches the caller of what the far side tells, and what does not."""

from __future__ import annotations

import logging

import pytest

from pyronb.client.hearing import Hearing, listen, show
from pyronb.client.link import Link
from pyronb.dialects import PYRO5
from pyronb.futures import FutureResult
from pyronb.news import Output, Progress
from pyronb.options import ClientOptions
from pyronb.rpc.call import Call, Wishes
from pyronb.rpc.side import encode_news
from pyronb.uri import URI
from pyronb.wire.message import RESULT, TELLS_PROGRESS, Message

LINK = Link.to(URI("PYRO:thing@host:1"), ClientOptions())


def told(news):
    return encode_news(news, 1, PYRO5)


def test_all_is_heard():
    """By the listener, and progress by whoever wants only that."""
    heard, progressed = [], []
    hearing = Hearing(heard.append, progressed.append)

    for news in (Progress(1), Output("text\n"), Progress(2)):
        hearing.hear(told(news), 5.0)

    assert [Progress(1), Output("text\n"), Progress(2)] == heard
    assert [Progress(1), Progress(2)] == progressed


def test_nonsense_is_not_heard():
    """It does the call no harm."""
    heard = []

    Hearing(heard.append, None).hear(Message(RESULT, 3, TELLS_PROGRESS, 1, b"nonsense"), 0.0)

    assert [] == heard


def test_a_flood_is_held_back():
    """Only so much a second, and the last state at the end."""
    heard = []
    hearing = Hearing(heard.append, None)

    for count in range(10_000):
        hearing.hear(told(Progress(count)), 1000 + count / 10_000)
    in_a_second = len(heard)
    hearing.finish()
    hearing.finish()

    assert in_a_second <= 100
    assert Progress(9999) == heard[-1]
    assert in_a_second + 1 == len(heard)


class Apart:
    """A listener that tells calls apart."""

    def __init__(self):
        self.calls = []
        self.heard = []
        self.ends = 0

    def attend(self, call):
        self.calls.append(call)
        return self

    def __call__(self, news):
        self.heard.append(news)

    def over(self):
        self.ends += 1


def test_a_listener_that_tells_calls_apart():
    """It is asked when there is something, and told of the end once; of a call that tells nothing it hears nothing."""
    apart, call = Apart(), Call("thing", "method")
    Hearing(apart, None, call).finish()
    assert (apart.calls, apart.ends) == ([], 0)

    hearing = Hearing(apart, None, call)
    hearing.hear(told(Progress(1)), 5.0)
    hearing.hear(told(Progress(2)), 5.0)
    assert (apart.calls, apart.heard, apart.ends) == ([call], [Progress(1), Progress(2)], 0)
    hearing.finish()
    hearing.finish()

    assert apart.ends == 1


def test_a_listener_that_fails_at_the_end(caplog):
    """That is logged."""

    class Failing(Apart):
        def over(self):
            raise ValueError("no end")

    hearing = Hearing(Failing(), None, Call("thing", "method"))
    hearing.hear(told(Progress(1)), 5.0)
    hearing.finish()

    assert "no end" in caplog.text


def test_output_is_limited():
    """What a peer prints without end is not passed on without end."""
    heard = []
    hearing = Hearing(heard.append, None)

    for _ in range(1000):
        hearing.hear(told(Output("x" * 8000)), 1000.5)
    first = len(heard)
    hearing.hear(told(Output("later")), 1002.0)

    assert first * 8000 < (1 << 20) + 8000
    assert Output("later") == heard[-1]


def test_a_listener_that_fails_hears_nothing_more(caplog):
    """Its error is logged once, and the call goes on."""
    calls = []

    def fail(news):
        calls.append(news)
        raise ValueError("listener")

    hearing = Hearing(fail, None)
    with caplog.at_level(logging.ERROR, "pyronb.client"):
        for count in range(3):
            hearing.hear(told(Progress(count)), 1.0)

    assert [Progress(0)] == calls
    assert 1 == len(caplog.records)


def test_an_interrupt_goes_through():
    """It is for the caller, not for the log."""

    def interrupt(news):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Hearing(interrupt, None).hear(told(Progress(1)), 1.0)


def test_output_that_nobody_listens_to_is_shown(capsys):
    """What was printed there is printed here."""
    hearing = Hearing(None, None)

    for news in (Output("out\n"), Output("err\n", "stderr"), Output("log\n", "log"), Progress(1)):
        hearing.hear(told(news), 1.0)

    assert ("out\n", "err\nlog\n") == capsys.readouterr()


def test_no_output_anywhere(monkeypatch):
    """A program without standard streams does without."""
    monkeypatch.setattr("sys.stdout", None)

    show(Output("text"))


def test_a_future_passes_on_what_is_wished():
    """To whoever wishes to hear of the call."""
    future, progressed, heard = FutureResult(), [], []
    listen(future, LINK, Call("", "method", wishes=Wishes(on_progress=progressed.append, listener=heard.append)))

    future.report(Progress(1))
    future.report(Output("text"))

    assert ([Progress(1)], [Progress(1), Output("text")]) == (progressed, heard)


def test_a_listener_that_tells_calls_apart_hears_of_a_future():
    """It is asked when the call is made, for it may be heard of in another thread."""
    apart, future, call = Apart(), FutureResult(), Call("", "method")
    call.wishes = Wishes(listener=apart)
    listen(future, LINK, call)
    assert apart.calls == [call]
    future.report(Progress(1))

    assert apart.heard == [Progress(1)]


def test_a_future_shows_output(capsys):
    """Where it was asked for, and nobody listens."""
    future = FutureResult()
    listen(future, LINK, Call("", "method", wishes=Wishes(output=True)))

    future.report(Output("text"))

    assert "text" == capsys.readouterr().out
