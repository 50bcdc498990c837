"""Recording calls: what a record tells in each room, and that nothing is done for it while nobody records."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

import pyronb.aio
from pyronb import calls
from pyronb.calls import CallRecord, Recording, brief, record, recordings
from pyronb.errors import CommunicationError, ConnectionClosedError, SerializeError, TimeoutError
from pyronb.sync import driver
from pyronb.sync.asynchronous import asyncproxy
from pyronb.sync.batch import batch
from pyronb.sync.shortcut import NOT_TAKEN, ShortCut
from tests.support.fix_daemons import bench, daemon
from tests.support.serving import client_options, connect
from tests.support.waiting import eventually, scaled

__all__ = ["bench", "daemon"]


@pytest.fixture
def uri(daemon):
    return daemon.uriFor("bench")


@pytest.fixture
def proxy(uri):
    with connect(uri) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def _nobody_records():
    yield
    assert [] == recordings


def told(made: CallRecord):
    """What a record tells, without what is different each time."""
    return made.kind, made.method, made.code, made.outcome, made.result or made.error


class TestBlockingRoom:
    """Proxies whose calls block."""

    def test_a_call(self, proxy, uri):
        """Everything there is to tell, and it is told when it is over."""
        before = time.time()
        with record() as recording:
            assert 3 == proxy.add(1, b=2)

        (made,) = recording
        assert ("call", "add", ".add(1, b=2)", "returned", "3") == told(made)
        assert (str(uri), "bench") == (made.uri, made.object_id)
        assert before <= made.began <= time.time()
        assert made.duration is not None
        assert made.duration >= 0
        assert made.sent > 40
        assert made.received > 40
        assert "" == made.traceback

    def test_bytes(self, proxy, monkeypatch):
        """What is counted is what the socket is given, and what comes from it."""
        sent, came = [], []
        real = driver._send, type(proxy._pyro.stream).receive

        def send(effect):
            sent.append(sum(map(len, effect.buffers)))
            real[0](effect)

        def receive(*args, **kwargs):
            data = real[1](*args, **kwargs)
            came.append(len(data))
            return data

        monkeypatch.setitem(driver._GRANTS, driver.Send, send)
        monkeypatch.setattr(type(proxy._pyro.stream), "receive", receive)
        with record() as recording:
            proxy.give("x" * 100)

        assert [(sum(sent), sum(came))] == [(made.sent, made.received) for made in recording]

    def test_a_call_that_connects(self, proxy):
        """Connecting again is part of the call that needs it, and the record learns the object's id."""
        proxy._pyroRelease()
        with record() as recording:
            proxy.add(1)

        assert [("call", "add", ".add(1)", "returned", "11")] == [told(made) for made in recording]
        assert "bench" == recording[0].object_id

    def test_an_error_over_there(self, proxy):
        """It is told with the traceback from over there."""
        with record() as recording, pytest.raises(ValueError, match="no luck"):
            proxy.fail("no luck")

        (made,) = recording
        assert "raised" == made.outcome
        assert made.error.startswith("ValueError: ('no luck', 7)")
        assert "fix_daemons.py" in made.traceback

    def test_nobody_there(self, proxy, daemon):
        """A call that does not come through is told as well."""
        proxy._pyroRelease()
        daemon.close()
        with record() as recording, pytest.raises(CommunicationError):
            proxy.add(1)

        (made,) = recording
        assert "failed" == made.outcome
        assert made.error.startswith("ConnectionClosedError: ")
        assert 0 == made.sent

    def test_no_answer_in_time(self, proxy, bench):
        """So is one that takes too long."""
        proxy._pyroTimeout = 0.05
        with record() as recording, pytest.raises(TimeoutError):
            proxy.wait()
        bench.go.set()

        assert ["failed"] == [made.outcome for made in recording]
        assert recording[0].sent

    def test_what_cannot_be_written(self, proxy):
        """And one that was never sent."""
        with record() as recording, pytest.raises(SerializeError):
            proxy.give(object())

        assert [("failed", 0)] == [(made.outcome, made.sent) for made in recording]

    def test_oneway(self, proxy, bench):
        """Nothing comes back."""
        with record() as recording:
            proxy.fire(1)
        assert bench.entered.acquire(timeout=scaled(5))

        assert [("oneway", "fire", ".fire(1)", "sent", "")] == [told(made) for made in recording]
        assert 0 == recording[0].received

    def test_attributes(self, proxy):
        """They are told as a program writes them."""
        with record() as recording:
            proxy.value = 8
            assert 8 == proxy.value

        assert [
            ("attribute", "value", ".value = 8", "returned", "None"),
            ("attribute", "value", ".value", "returned", "8"),
        ] == [told(made) for made in recording]

    def test_batch(self, proxy):
        """It is one record, with a line for each call."""
        some = batch(proxy)
        for number in range(5):
            some.add(number, 1)
        with record() as recording:
            assert [1, 2, 3, 4, 5] == list(some())

        code = ".add(0, 1)\n.add(1, 1)\n.add(2, 1)\n# and 2 more"
        assert [("batch", "batch of 5", code, "returned", "[1, 2, 3, 4, 5]")] == [told(made) for made in recording]

    def test_a_batch_that_fails(self, proxy):
        """The call that failed is what became of it."""
        some = batch(proxy)
        some.add(1)
        some.fail("halfway")
        with record() as recording, pytest.raises(ValueError, match="halfway"):
            list(some())

        assert ["raised"] == [made.outcome for made in recording]
        assert recording[0].error.startswith("ValueError: ")

    def test_stream(self, proxy):
        """The call that gave it, and each time items were asked for."""
        with record() as recording:
            assert [0, 1, 2] == list(proxy.count(3))

        assert ("call", "count", ".count(3)", "streams", "<far stream>") == told(recording[0])
        assert {("stream", "returned")} == {(made.kind, made.outcome) for made in recording[1:]}

    def test_in_the_background(self, proxy):
        """Calls that share a connection are told with their own bytes."""
        with record() as recording, asyncproxy(proxy) as background:
            futures = [background.add(number, 0) for number in range(50)]
            failing = background.fail("later")
            fired = background.fire(1)
            assert list(range(50)) == [future.result(scaled(10)) for future in futures]
            assert isinstance(failing.exception(scaled(10)), ValueError)
            fired.result(scaled(10))
            eventually(lambda: all(made.outcome != "pending" for made in recording))

        assert [f".add({number}, 0)" for number in range(50)] == [made.code for made in recording[:50]]
        assert {("returned", True, True)} == {(m.outcome, m.sent > 40, m.received > 40) for m in recording[:50]}
        assert ["raised", "sent"] == [made.outcome for made in recording[50:]]
        assert "fix_daemons.py" in recording[50].traceback

    def test_in_the_background_over_connections_of_their_own(self, proxy):
        """What cannot share a connection is told once."""
        proxy._pyroMaxRetries = 1
        with record() as recording, asyncproxy(proxy) as background:
            assert 3 == background.add(1, 2).result(scaled(10))

        assert [("call", "add", ".add(1, 2)", "returned", "3")] == [told(made) for made in recording]

    def test_a_lost_connection_in_the_background(self, daemon, proxy, bench):
        """Every call that was on its way has failed."""
        with record() as recording, asyncproxy(proxy) as background:
            waiting = background.wait()
            assert bench.entered.acquire(timeout=scaled(5))
            daemon.close()
            bench.go.set()
            assert isinstance(waiting.exception(scaled(10)), ConnectionClosedError)

        assert ["failed"] == [made.outcome for made in recording]


class TestAsyncioRoom:
    """Proxies whose calls are awaited."""

    async def test_calls(self, uri):
        """They tell the same as in the other room."""
        async with pyronb.aio.Proxy(uri, options=client_options()) as proxy:
            await proxy._pyroBind()
            with record() as recording:
                assert 3 == await proxy.add(1, b=2)
                await proxy._pyroSet("value", 8)
                assert 8 == await proxy.value
                assert [0, 1] == [item async for item in await proxy.count(2)]
                with pytest.raises(ValueError, match="no luck"):
                    await proxy.fail("no luck")
                some = pyronb.aio.batch(proxy)
                some.add(1)
                assert [11] == list(await some())

        assert [
            ("call", "add", ".add(1, b=2)", "returned", "3"),
            ("attribute", "value", ".value = 8", "returned", "None"),
            ("attribute", "value", ".value", "returned", "8"),
            ("call", "count", ".count(2)", "streams", "<far stream>"),
        ] == [told(made) for made in recording[:4]]
        assert ["raised", "returned"] == [made.outcome for made in recording[-2:]]
        assert ("batch", ".add(1)") == (recording[-1].kind, recording[-1].code)
        assert all(made.sent and made.received for made in recording)
        assert {"bench"} == {made.object_id for made in recording}

    async def test_a_cancelled_call(self, uri, bench):
        """It has failed, and says why."""
        async with pyronb.aio.Proxy(uri, options=client_options()) as proxy:
            await proxy._pyroBind()
            with record() as recording:
                waiting = asyncio.ensure_future(proxy.wait())
                assert await asyncio.to_thread(bench.entered.acquire, timeout=scaled(5))
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            bench.go.set()

        assert [("failed", "CancelledError")] == [(made.outcome, made.error) for made in recording]


class TestOff:
    """While nobody records, all is as if there were no recordings."""

    def test_the_same_short_cut(self, proxy, monkeypatch):
        """A recording neither replaces it nor leaves anything behind, and no record is made without one."""
        proxy.add(1)
        short = proxy._pyro.short
        assert isinstance(short, ShortCut)
        ways, real = [], ShortCut.call

        def call(self, *args):
            result = real(self, *args)
            ways.append("long" if result is NOT_TAKEN else "short")
            return result

        monkeypatch.setattr(ShortCut, "call", call)
        proxy.add(1)
        with record() as recording:
            proxy.add(2)
        monkeypatch.setattr(calls, "CallRecord", None)
        proxy.add(3)

        assert ["short", "long", "short"] == ways
        assert short is proxy._pyro.short
        assert 1 == len(recording)

    async def test_the_same_short_cut_in_the_other_room(self, uri):
        """As there."""
        async with pyronb.aio.Proxy(uri, options=client_options()) as proxy:
            await proxy.add(1)
            short = proxy._pyro.short
            assert short.takes("add", (1,))
            with record():
                assert not short.takes("add", (1,))
            assert short.takes("add", (1,))
            assert short is proxy._pyro.short

    def test_the_same_bare_calls_in_the_background(self, proxy, monkeypatch):
        """A call without a record costs one look at it."""
        monkeypatch.setattr(calls, "CallRecord", None)
        with asyncproxy(proxy) as background:
            assert 3 == background.add(1, 2).result(scaled(10))


class TestRecording:
    """The list of records."""

    def test_bounded(self, proxy):
        """The oldest go first, and are counted."""
        with record(limit=3) as recording:
            for number in range(5):
                proxy.add(number)

        assert [".add(2)", ".add(3)", ".add(4)"] == [made.code for made in recording]
        assert (3, 5, 2) == (len(recording), recording.total, recording.dropped)
        assert "5 calls; the last 3 are kept" in repr(recording)
        recording.clear()
        assert (0, 0, 0) == (len(recording), recording.total, recording.dropped)
        with pytest.raises(ValueError, match="room for one call"):
            record(limit=0)

    def test_several_at_a_time(self, proxy):
        """Each has what was called while it was on."""
        with record() as outer:
            proxy.add(1)
            with record() as inner:
                proxy.add(2)
            proxy.add(3)

        assert [".add(1)", ".add(2)", ".add(3)"] == [made.code for made in outer]
        assert [".add(2)"] == [made.code for made in inner]
        assert outer[1] is inner[0]
        assert outer.numbered(inner[0].number) is inner[0]
        assert outer.numbered(0) is None

    def test_on_and_off(self):
        """Twice on is on."""
        recording = Recording()
        assert not recording.on
        recording.start()
        recording.start()
        assert recording.on
        assert [recording] == recordings
        recording.stop()
        recording.stop()
        assert not recording.on

    def test_whoever_listens(self, proxy):
        """Is told when a call begins and when it is over."""
        heard = []
        with record(changed=lambda made: heard.append((made.number, made.outcome))) as recording:
            proxy.add(1)

        number = recording[0].number
        assert [(number, "pending"), (number, "returned")] == heard

    def test_json(self, proxy):
        """All of it, and nothing private."""
        with record() as recording:
            proxy.give("名前")

        (written,) = json.loads(recording.to_json())
        assert recording[0].as_dict() == written
        assert "'名前'" == written["result"]
        assert not [name for name in written if name.startswith("_")]

    def test_shown(self, proxy):
        """A line for each call."""
        with record() as recording, pytest.raises(ValueError, match="x"):
            proxy.fail("x")

        assert "1 call" == repr(recording).splitlines()[0]
        assert "bench.fail('x') -> ValueError: " in repr(recording)


class Loud:
    """An object whose repr raises."""

    def __repr__(self):
        raise RuntimeError("no")


class TestBrief:
    """Values in short."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b"abc", "b'abc'"),
            (b"x" * 1000, "<bytes, 1000 bytes: b'xxxxxxxx'...>"),
            (bytearray(1000), "<bytearray, 1000 bytes: b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'...>"),
            (memoryview(bytes(1000)), "<memoryview, 1000 bytes: b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'...>"),
            ({"b": 1, "a": 2}, "{'b': 1, 'a': 2}"),
            ({n: n for n in range(9)}, "{0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, ...}"),
            ({"password": "geheim", "user": "x"}, "{'password': <hidden>, 'user': 'x'}"),
            ([[[[[[[{}]]]]]]], "[[[[[[[...]]]]]]]"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_values(self, value, expected):
        """Short, and whatever they are."""
        assert expected == brief(value)

    def test_a_broken_repr(self):
        """It breaks nothing."""
        assert brief(Loud()).startswith("<Loud instance at ")

    def test_arrays(self):
        """Large ones are described, small ones shown; the values are not looked at."""
        numpy = pytest.importorskip("numpy")

        assert "<ndarray 1000x1000 float64>" == brief(numpy.zeros((1000, 1000)))
        assert "array([1, 2])" == brief(numpy.array([1, 2]))

    def test_long_texts(self):
        """They are cut before they are written."""
        assert len(brief("x" * 10**6)) <= 100

    def test_secrets(self, proxy):
        """What is named like a secret is in no record."""
        with record() as recording:
            proxy.echo(1, token="geheim", key=2, options={"api_key": "geheim"})

        assert ".echo(1, token=<hidden>, key=2, options={'api_key': <hidden>})" == recording[0].code
        assert "geheim" not in recording.to_json()
