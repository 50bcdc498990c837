"""Output of calls, in every room and with every engine: what a method prints is seen where it was called, if wanted."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading

import pytest

import pyronb
import pyronb.aio
from pyronb.context import current_context
from tests.support.serving import ENGINES, client_options, connect, serving
from tests.support.waiting import eventually, scaled


@pyronb.expose
class Talker:
    """Prints."""

    def __init__(self):
        self.go = threading.Event()

    def add(self, a, b):
        return a + b

    def talk(self, word="word", lines=3):
        for line in range(lines):
            print(word, line)
        print(word, file=sys.stderr)
        logging.getLogger("talker").error(word)
        return lines

    async def talk_later(self, word="word", lines=3):
        for line in range(lines):
            print(word, line)
            await asyncio.sleep(0.001)
        print(word, file=sys.stderr)
        logging.getLogger("talker").error(word)
        return lines

    def talk_and_wait(self):
        print("waiting", end="")
        return self.go.wait(scaled(20))

    def talk_and_tell(self):
        """Print and tell of each step until the test lets go, in pieces that are sent together."""
        step = 0
        while not self.go.wait(0.01):
            step += 1
            print("step", step)
            pyronb.progress(step)
        return step

    def shout(self, count):
        for _ in range(count):
            print("x" * 99)
        return count

    def fail(self):
        print("failing")
        raise ValueError("boom")


SERVED = Talker


@pytest.fixture(autouse=True)
def heard():
    """Listen to all calls of this thread."""
    found = []
    current_context.listener = found.append
    yield found
    current_context.listener = None


@pytest.fixture(autouse=True)
def _streams_are_put_back():
    """Nobody leaves another stream behind."""
    before = sys.stdout, sys.stderr, list(logging.getLogger().handlers)
    yield
    eventually(lambda: before == (sys.stdout, sys.stderr, list(logging.getLogger().handlers)))


def said(heard, stream="stdout"):
    """Give what came on one stream."""
    return "".join(news.text for news in heard if isinstance(news, pyronb.Output) and news.stream == stream)


def all_of(word, lines=3):
    return "".join(f"{word} {line}\n" for line in range(lines))


METHODS = ["talk", "talk_later"]


@pytest.mark.parametrize("method", METHODS)
def test_output_is_sent_along(uri, heard, method, capsys):
    """All of it, and it is still printed over there."""
    with connect(uri) as proxy:
        for _ in range(2):
            heard.clear()
            assert 3 == getattr(proxy._pyroCall(output=True), method)()

            assert all_of("word") == said(heard)
            assert "word\n" == said(heard, "stderr")
            assert "ERROR talker: word\n" == said(heard, "log")
            assert all_of("word") == capsys.readouterr().out


@pytest.mark.parametrize("method", METHODS)
def test_output_is_sent_along_in_the_other_room(uri, heard, method):
    """Each call's own."""

    async def main():
        current_context.listener = heard.append
        async with pyronb.aio.Proxy(uri, options=client_options()) as proxy:
            view = proxy._pyroCall(output=True)
            assert [3, 4] == await asyncio.gather(getattr(view, method)(), getattr(proxy, method)("mine", 4))

    asyncio.run(main())

    assert all_of("word") == said(heard)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "TLS"])
def test_output_and_progress_go_on_arriving(certificates, heard, engine, encrypted):
    """Both at once, until the call ends, and then its result; over TLS as well."""
    daemon_tls, client_tls = (certificates.daemon(), certificates.client()) if encrypted else (None, None)

    def last():
        return max((news.done for news in heard if isinstance(news, pyronb.Progress)), default=0)

    with serving(engine=engine, tls=daemon_tls) as daemon:
        talker = Talker()
        uri = daemon.register(talker, "talker")

        def call():
            current_context.listener = heard.append
            with connect(uri, tls=client_tls) as proxy:
                results.append(proxy._pyroCall(output=True).talk_and_tell())

        results = []
        caller = threading.Thread(target=call)
        caller.start()
        try:
            for _ in range(3):
                before = last()
                assert eventually(lambda before=before: last() > before)
        finally:
            talker.go.set()
            caller.join(scaled(20))

    assert results == [last()]
    assert "".join(f"step {step}\n" for step in range(1, results[0] + 1)) == said(heard)


def test_output_is_sent_along_in_the_background(uri, heard):
    """From calls that run at the same time, and of those alone that want it."""
    with connect(uri) as proxy, pyronb.asyncproxy(proxy) as calls:
        current_context.listener = None
        first, second = [], []
        for told in (first, second):
            current_context.listener = told.append
            calls._pyroCall(output=True).talk_later("first" if told is first else "second", 50)
        current_context.listener = None
        assert 20 == calls.talk_later("third", 20).value

        for told, word in ((first, "first"), (second, "second")):
            eventually(lambda told=told, word=word: all_of(word, 50) == said(told))
    assert [] == heard


def test_output_is_wanted_by_the_settings(uri, heard):
    """For all calls of a proxy, unless one does without."""
    with connect(uri, remote_output=True) as proxy, pyronb.asyncproxy(proxy) as calls:
        for _ in range(2):
            heard.clear()
            proxy.talk("sync")
            assert all_of("sync") == said(heard)
        heard.clear()
        proxy._pyroCall(output=False).talk("quiet")
        assert "" == said(heard)
        calls.talk("background").result()
        eventually(lambda: all_of("background") == said(heard))
        heard.clear()
        batch = pyronb.batch(proxy)
        batch.talk("batch")
        assert [3] == list(batch())
        assert all_of("batch") == said(heard)


def test_output_is_printed_where_nobody_listens(uri, capsys):
    """On the stream of the same name; the log on stderr. (Here both ends are one program.)"""
    current_context.listener = None
    with connect(uri) as proxy:
        proxy._pyroCall(output=True).talk("twice")

    out, err = capsys.readouterr()
    assert 2 == out.count("twice 0\n")
    assert "ERROR talker: twice\n" in err


def test_no_output_that_nobody_wants(uri, heard):
    """It is not even looked for."""
    with connect(uri) as proxy, pyronb.asyncproxy(proxy) as calls:
        for _ in range(2):
            assert [3, 3] == [proxy.talk(), calls.talk().value]

    assert [] == heard


def test_a_daemon_forbids_it(heard):
    """The call is made, and nothing is told."""
    with serving(give_output=False) as daemon, connect(daemon.register(Talker(), "talker")) as proxy:
        assert 3 == proxy._pyroCall(output=True).talk()

    assert [] == heard


def test_output_arrives_while_the_method_runs(uri, daemon, heard):
    """A moment later, also a part of a line; the multiplex engine, whose loop is busy, sends that with the result."""
    with connect(uri) as proxy, pyronb.asyncproxy(proxy) as calls:
        future = calls._pyroCall(output=True).talk_and_wait()
        if daemon._engine.name == "thread":
            eventually(lambda: said(heard) == "waiting")
            assert not future.done()
        daemon.served.go.set()

        assert future.value is True
        eventually(lambda: said(heard) == "waiting")


def test_output_without_end(uri, heard):
    """The caller is told how much was left out, and the daemon keeps none of it."""
    with connect(uri, timeout=scaled(50)) as proxy:
        assert 100_000 == proxy._pyroCall(output=True).shout(100_000)

    assert "characters were left out here" in said(heard) + said(heard, "log")
    assert len(said(heard)) < 5_000_000


def test_a_call_that_fails(uri, heard):
    """What it printed is told first."""
    with connect(uri) as proxy, pytest.raises(ValueError, match="boom"):
        proxy._pyroCall(output=True).fail()

    assert "failing\n" == said(heard)


def test_a_client_that_goes_leaves_nothing_behind(uri, daemon):
    """The streams are put back, also when its call has not ended."""
    before = sys.stdout
    with connect(uri) as proxy:
        calls = pyronb.asyncproxy(proxy)
        future = calls._pyroCall(output=True, timeout=0.1).talk_and_wait()
        assert isinstance(future.exception(), pyronb.errors.TimeoutError)
        calls._pyroRelease()
    daemon.served.go.set()

    eventually(lambda: sys.stdout is before)
