"""Calls in the background. (S66-S77 of the client chapter.)"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import itertools
import os
import socket
import subprocess
import sys
import threading

import pytest

import pyronb
from pyronb.errors import ConnectionClosedError, PyroError
from pyronb.net.ticker import TICKER
from pyronb.sync.asynchronous import _Crew, asyncproxy
from pyronb.sync.measure import MOST
from pyronb.sync.pool import Stock
from pyronb.sync.proxy import Proxy
from tests.support.fix_daemons import client_options
from tests.support.paths import ROOT
from tests.support.strikes import Strikes
from tests.support.waiting import eventually, scaled


@pytest.fixture(autouse=True, params=["shared", "pool", "apart"])
def way(request, monkeypatch):
    """Have calls share a connection, as they do to pyronb daemons, or have one each, as they do to others.

    In a pool, one thread looks after all of them; what is not plain has a thread of its own.
    """
    if request.param == "pool":
        monkeypatch.setattr("pyronb.sync.line.TOGETHER", "what no daemon does")
    if request.param == "apart":
        monkeypatch.setattr("pyronb.sync.asynchronous.may_share", lambda _: False)
    monkeypatch.setattr("pyronb.sync.line._MOST", MOST)
    return request.param


@pytest.fixture
def background(proxy):
    """An async proxy for the bench."""
    proxy._pyroBind()
    with asyncproxy(proxy) as background:
        yield background


def threads():
    """The threads that run calls in the background."""
    return [thread for thread in threading.enumerate() if thread.name == "pyronb-async"]


def test_s66_s70_a_call_gives_its_future_at_once(background, bench):
    """The call runs over there while the caller goes on."""
    future = background.wait("done")

    assert bench.entered.acquire(timeout=scaled(5))
    assert not future.ready
    assert not future.wait(0.01)
    bench.go.set()
    assert future.wait(scaled(5))
    assert future.ready
    assert future.value == "done"


def test_s69_both_ways_to_make_one(proxy):
    """A new proxy each time; the old one stays as it is."""
    for made in (asyncproxy(proxy), proxy._pyroAsync(), pyronb.asyncproxy(proxy)):
        assert made.add(1, 2).value == 3
        made._pyroRelease()
    assert proxy.add(1, 2) == 3


def test_calls_run_at_the_same_time(background, bench):
    """Each waits over there for all the others."""
    futures = [background.meet(number) for number in range(8)]
    for _ in futures:
        assert bench.entered.acquire(timeout=scaled(5))
    bench.go.set()

    assert list(range(8)) == [future.value for future in futures]


def test_more_calls_than_connections(background):
    """They wait their turn, and all are run."""
    futures = [background.add(number, 0) for number in range(10 * MOST)]

    assert list(range(10 * MOST)) == [future.value for future in futures]
    assert len(threads()) <= MOST


def test_s74_chain(background):
    """The result goes through the chain; a later step too."""
    future = background.add(1, 2).then(lambda value: value + 1).then(lambda value, by: value * by, 10)

    assert future.value == 40
    assert future.then(lambda value: -value).value == -40


def test_s75_errors(background, capsys):
    """They are silent until somebody asks, with the class and the traceback of the remote error."""
    seen = []
    future = background.fail("no").then(lambda value: seen.append("not run"))
    future.wait(scaled(5))
    future.iferror(seen.append)

    assert [ValueError] == [type(error) for error in seen]
    with pytest.raises(ValueError, match="no"):
        _ = future.value
    assert seen[0]._pyroTraceback
    assert capsys.readouterr().err == ""


def test_futures_of_the_standard_library(background):
    """`as_completed`, `wait` and `await` take them."""
    futures = {background.add(number, 0) for number in range(5)}

    assert {0, 1, 2, 3, 4} == {future.result() for future in concurrent.futures.as_completed(futures, scaled(5))}
    assert not concurrent.futures.wait(futures, scaled(5)).not_done


async def test_await(background):
    """Several at once in a coroutine."""
    assert [3, 5] == await asyncio.gather(background.add(1, 2), background.add(2, 3))


def test_a_call_that_waits_its_turn_can_be_cancelled(background, bench):
    """It is never sent; one that is on its way cannot be cancelled."""
    running = [background.wait() for _ in range(MOST)]
    for _ in running:
        assert bench.entered.acquire(timeout=scaled(5))
    waiting = background.add(1, 2)

    assert waiting.cancel()
    assert not running[0].cancel()
    bench.go.set()
    concurrent.futures.wait(running, scaled(5))
    assert bench.calls == []


def test_names_are_checked_here(background):
    """What the handshake told is enough to refuse a name."""
    with pytest.raises(AttributeError, match="did you mean 'add'"):
        _ = background.ad
    with pytest.raises(AttributeError, match="is not a name"):
        _ = background._private
    assert "add" in dir(background)


def test_attributes_are_not_reached(background, proxy):
    """The error says so."""
    name = next(iter(proxy._pyroAttrs))
    with pytest.raises(AttributeError, match="is an attribute"):
        getattr(background, name)


def test_a_proxy_that_was_never_connected(proxy, dials):
    """Making the async proxy and naming a method does no I/O; the call does."""
    background = asyncproxy(proxy)
    start = background.add

    assert dials == []
    assert start(1, 2).value == 3
    background._pyroRelease()


def test_settings(background, proxy, bench):
    """It begins with those of its proxy; what is changed holds for the calls that are made after that."""
    assert (proxy._pyroUri, proxy._pyroTimeout, 0) == (
        background._pyroUri,
        background._pyroTimeout,
        background._pyroMaxRetries,
    )
    assert 3 == background.add(1, 2).value
    early = background.wait("early")
    background._pyroTimeout = 0.1
    with pytest.raises(TimeoutError, match="no answer in time"):
        _ = background.wait("late").value
    background._pyroTimeout, background._pyroMaxRetries = 0, 1
    bench.go.set()

    assert ["early", "in time"] == [early.value, background.wait("in time").value]
    assert (None, 1) == (background._pyroTimeout, background._pyroMaxRetries)
    with pytest.raises(ValueError, match="cannot be negative"):
        background._pyroTimeout = -1


@pytest.mark.parametrize("make", [asyncproxy, pyronb.batch])
def test_what_is_no_proxy(make):
    """It is refused by name, at once."""
    with pytest.raises(TypeError, match=r"Proxy is needed, not str: 'PYRO:a@b:1'"):
        make("PYRO:a@b:1")


def test_a_dead_server():
    """The error is in the future."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"PYRO:obj@127.0.0.1:{listener.getsockname()[1]}"
    with asyncproxy(Proxy(uri, options=client_options())) as background:
        future = background.add(1, 2)
        with pytest.raises(ConnectionClosedError, match="is the program that serves it running"):
            _ = future.value


def test_threads_end_and_connections_stay(background, dials):
    """Without work there is no thread after a while; the next call finds its connection."""
    background.add(1, 2).wait(scaled(5))
    made = len(dials)
    eventually(lambda: not threads(), 10)

    assert background.add(2, 3).value == 5
    assert len(dials) == made
    background._pyroRelease()
    assert background.add(3, 4).value == 7
    assert len(dials) == made + 1


def test_a_dropped_proxy_leaves_nothing(proxy, daemon):
    """Its connections close once its threads have ended."""
    proxy._pyroBind()
    background = asyncproxy(proxy)
    background.add(1, 2).wait(scaled(5))
    del background
    eventually(lambda: not threads(), 10)
    gc.collect()

    eventually(lambda: daemon._engine.clients == 1, 5)


def test_streams_in_the_background(background):
    """A far stream that a call gave is iterated as always."""
    stream = background.count(3).value

    assert [0, 1, 2] == list(stream)


@pytest.mark.parametrize("retries", [0, 1])
def test_a_stream_that_is_dropped_before_a_setting_is_changed(background, daemon, bench, retries):
    """The daemon is told by the connections that come after that."""
    background._pyroMaxRetries = retries
    stream = background.count(300).value
    assert 0 == next(stream)
    background._pyroTimeout = 20.0
    del stream

    eventually(lambda: background.add(1, 2).value == 3 and len(daemon._streams) == 0)
    eventually(lambda: bench.streams[-1] == "closed")


def test_a_given_socket_has_no_second_connection(proxy):
    """It is refused with the reason."""
    proxy._pyro.given_socket = True
    with pytest.raises(PyroError, match="but one connection"):
        asyncproxy(proxy)
    proxy._pyro.given_socket = False


def test_s76_batches_have_the_same_futures(proxy):
    """An asynchronous batch gives a FutureResult too."""
    calls = pyronb.batch(proxy)
    calls.add(1, 2)

    assert isinstance(calls(asynchronous=True), pyronb.FutureResult)


def test_a_release_while_a_call_is_on_its_way(proxy, bench, daemon):
    """The call goes on and its result arrives; then its connection closes."""
    proxy._pyroBind()
    with asyncproxy(proxy) as background:
        future = background.wait("done")
        assert bench.entered.acquire(timeout=scaled(5))
    bench.go.set()

    assert future.value == "done"
    eventually(lambda: daemon._engine.clients == 1, 5)


def test_whoever_has_the_result_can_release_at_once(proxy, daemon):
    """Nothing stays connected, however quickly the release follows."""
    proxy._pyroBind()
    for number in range(50):
        background = asyncproxy(proxy)
        assert background.add(number, 0).value == number
        background._pyroRelease()

    eventually(lambda: daemon._engine.clients == 1, 5)


def test_attributes_are_not_set_this_way(background):
    """Neither those of the object nor any of one's own; methods that were used before change nothing about that."""
    assert 3 == background.add(1, 2).value

    for name in ("number", "add", "_own"):
        with pytest.raises(AttributeError, match=name):
            setattr(background, name, 1)
    background._pyroTimeout = 5
    assert 5 == background._pyroTimeout
    assert 3 == background.add(1, 2).value


def test_threads_come_where_something_waits(proxy, monkeypatch):
    """Twice as many each time, as long as there is work that nobody has begun."""
    reminded = []
    monkeypatch.setattr(TICKER, "remind", lambda crew, _: reminded.append(crew))
    crew, go, begun = _Crew(Stock(proxy._pyro)), threading.Event(), threading.Semaphore(0)

    def work():
        begun.release()
        go.wait(scaled(10))

    for _ in range(100):
        crew.submit(work)
    counts = [crew._threads]
    try:
        assert [crew] == reminded
        assert begun.acquire(timeout=scaled(5))
        while crew.tick():
            for _ in range(crew._threads - counts[-1]):
                assert begun.acquire(timeout=scaled(5))
            counts.append(crew._threads)

        assert [1, 2, 4, 8, 16] == counts
        assert crew._threads == MOST
    finally:
        go.set()
    assert eventually(lambda: not crew._work)
    assert crew.tick() is None
    crew.release()


def test_an_interrupt_while_a_call_is_begun_holds_nobody_up(background):
    """Wherever it strikes: the threads still come by the next calls."""

    def interrupt():
        raise KeyboardInterrupt

    assert 3 == background.add(1, 2).value
    for number in itertools.count():
        with Strikes(number, interrupt) as strikes, contextlib.suppress(KeyboardInterrupt):
            background.add(1, 2)
        assert 3 == background.add(1, 2).result(scaled(5)), strikes.place
        if not strikes.place:
            break
    assert number > 3


FORKED = """
import os, sys, warnings
import pyronb, pyronb.sync.asynchronous, pyronb.sync.line
warnings.simplefilter("ignore")
uri, way = sys.argv[1:]
if way == "pool":
    pyronb.sync.line.TOGETHER = "what no daemon does"
if way == "apart":
    pyronb.sync.asynchronous.may_share = lambda _: False
with pyronb.Proxy(uri) as proxy, pyronb.asyncproxy(proxy) as calls:
    assert calls.add(1, 2).result(20) == 3
    assert calls._pyroCall(timeout=20).add(2, 2).result(20) == 4
    if os.fork() == 0:
        right = [calls.add(number, 0).result(20) for number in range(5)] == list(range(5))
        try:
            calls._pyroCall(timeout=0.1).wait().result(20)
        except pyronb.errors.TimeoutError:
            os._exit(0 if right else 1)
        os._exit(2)
    right = [calls.add(number, 1).result(20) for number in range(5)] == list(range(1, 6))
    _, status = os.wait()
    sys.exit(status != 0 or not right)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_forked_process(daemon, way):
    """A child makes its own connections and threads, and does no harm to those of its parent."""
    uri = str(daemon.uriFor("bench"))
    ran = subprocess.run([sys.executable, "-c", FORKED, uri, way], cwd=ROOT, timeout=scaled(50), check=False)

    assert ran.returncode == 0
