"""Calls that are not wanted any more: cancelled, interrupted, out of time, or of a client that is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import ClassVar

import pytest

import pyronb
import pyronb.aio
from pyronb.errors import CancelledError, TimeoutError
from pyronb.server import asyncloop
from pyronb.wire.message import CANCELS, INVOKE, Message
from tests.support.paths import ROOT
from tests.support.serving import RawClient, client_options, connect, serving
from tests.support.waiting import eventually, scaled

METHODS = ["wait", "wait_later"]
"""One that asks whether it is cancelled, and one that is `async`."""
LIMIT = scaled(0.4)
"""Seconds in which a busy machine begins a call, which is then not wanted any more."""


@pyronb.expose
class Patient:
    """Waits until the test lets go, or nobody wants the result any more."""

    def __init__(self):
        self.go = threading.Event()
        self.entered = threading.Semaphore(0)
        self.ended = []

    def wait(self, result="through"):
        self.entered.release()
        until = time.monotonic() + scaled(20)
        while not self.go.is_set() and time.monotonic() < until:
            if pyronb.cancelled():
                self.ended.append("stopped")
                return "stopped"
            time.sleep(0.005)
        self.ended.append(result)
        return result

    async def wait_later(self, result="through"):
        self.entered.release()
        try:
            await asyncio.wait_for(asyncio.to_thread(self.go.wait, scaled(20)), scaled(20))
        except asyncio.CancelledError:
            self.ended.append("stopped")
            raise
        self.ended.append(result)
        return result

    def deaf(self):
        """Wait without asking anything."""
        self.entered.release()
        return self.go.wait(scaled(20))

    async def stubborn(self):
        """Do not be cancelled."""
        self.entered.release()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(scaled(20))
        self.ended.append("stopped")
        return "all the same"

    def add(self, a, b):
        return a + b

    @property
    def slow(self):
        return self.wait()


SERVED = Patient


@pytest.fixture
def patient(daemon):
    """Give the object itself."""
    return daemon.served


def is_entered(patient):
    """Wait until a method runs."""
    assert patient.entered.acquire(timeout=scaled(10))


# Deadlines


@pytest.mark.parametrize("method", METHODS)
def test_a_call_is_out_of_time(uri, patient, method):
    """The caller is told, the far side too, and the proxy goes on."""
    with connect(uri) as proxy:
        for _ in range(2):
            with pytest.raises(TimeoutError, match=f"its timeout allows {LIMIT:g} s"):
                getattr(proxy._pyroCall(timeout=LIMIT), method)()

            eventually(lambda: patient.ended == ["stopped"])
            assert 3 == proxy.add(1, 2)
            patient.ended.clear()


@pytest.mark.parametrize("method", METHODS)
def test_a_call_in_the_other_room_is_out_of_time(uri, patient, method):
    """The same, and the connection stays."""

    async def main():
        async with pyronb.aio.Proxy(uri, options=client_options()) as proxy:
            assert 3 == await proxy.add(1, 2)
            before = proxy._pyroLocalSocket
            with pytest.raises(TimeoutError, match=f"its timeout allows {LIMIT:g} s"):
                await getattr(proxy._pyroCall(timeout=LIMIT), method)()
            await asyncio.to_thread(eventually, lambda: patient.ended == ["stopped"])
            assert 3 == await proxy.add(1, 2)
            assert before == proxy._pyroLocalSocket

    asyncio.run(main())


def test_a_coroutine_is_stopped_though_it_was_listened_for_early(uri, patient, monkeypatch):
    """It asks for that before anybody has come to wait for it."""
    monkeypatch.setattr(asyncloop, "_LONG", 0)
    with connect(uri, max_retries=1) as proxy, pyronb.asyncproxy(proxy) as calls:
        for _ in range(20):
            patient.ended.clear()
            future = calls.wait_later()
            is_entered(patient)

            future.cancel()

            assert isinstance(future.exception(), CancelledError)
            assert ["stopped"] == patient.ended


@pytest.mark.parametrize("method", METHODS)
def test_a_call_in_the_background_is_out_of_time(uri, patient, daemon, method):
    """Others on the same connection are not."""
    with connect(uri) as proxy, pyronb.asyncproxy(proxy) as calls:
        other = calls.wait_later("other")
        is_entered(patient)
        late = getattr(calls._pyroCall(timeout=LIMIT), method)()

        with pytest.raises(TimeoutError, match=f"its timeout allows {LIMIT:g} s"):
            late.result()

        eventually(lambda: patient.ended == ["stopped"])
        patient.go.set()
        assert "other" == other.value


def test_a_timeout_can_be_longer_than_the_proxys_own(uri, patient):
    """Zero waits for ever, and None is the proxy's own."""
    with connect(uri, timeout=0.1) as proxy, pyronb.asyncproxy(proxy) as calls:
        for view in (proxy._pyroCall(timeout=scaled(20)), proxy._pyroCall(timeout=0)):
            timer = threading.Timer(0.3, patient.go.set)
            timer.start()
            assert "through" == view.wait()
            timer.join()
            patient.go.clear()
        futures = [calls._pyroCall(timeout=seconds).wait_later() for seconds in (scaled(20), 0)]
        for _ in futures:
            is_entered(patient)
        with pytest.raises(TimeoutError, match="_pyroTimeout allows"):
            proxy._pyroCall().wait()
        with pytest.raises(TimeoutError):
            calls._pyroCall().wait_later().result()
        patient.go.set()
        assert ["through"] * 2 == [future.value for future in futures]


def test_a_deadline_is_one_for_all_tries(uri, patient):
    """What is out of time is not tried again."""
    with connect(uri, max_retries=5) as proxy:
        with pytest.raises(TimeoutError):
            proxy._pyroCall(timeout=LIMIT).wait()

        eventually(lambda: patient.ended == ["stopped"])
        assert patient.entered.acquire(timeout=scaled(5))
        assert not patient.entered.acquire(blocking=False)


def test_a_deadline_holds_for_connecting():
    """In both rooms: what never answers a greeting is no reason to wait longer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"PYRO:thing@127.0.0.1:{silent.getsockname()[1]}"
        options = client_options(metadata=False, connect_timeout=scaled(60))
        with pytest.raises(TimeoutError):
            pyronb.Proxy(uri, options=options)._pyroCall(timeout=0.1).work()

        async def main():
            await pyronb.aio.Proxy(uri, options=options)._pyroCall(timeout=0.1).work()

        with pytest.raises(TimeoutError):
            asyncio.run(main())


def test_a_batch_is_out_of_time(uri, patient):
    """It is sent with the wishes of the view that made it, and its further calls are not made."""
    with connect(uri) as proxy:
        batch = proxy._pyroCall(timeout=LIMIT)._pyroBatch()
        batch.wait()
        batch.wait("second")

        with pytest.raises(TimeoutError, match="its timeout allows"):
            batch()

        eventually(lambda: patient.ended)
        assert 3 == proxy.add(1, 2)
        assert ["stopped"] == patient.ended


def test_an_attribute_is_read_in_time(uri):
    """By way of the view, too, in both rooms."""

    async def main():
        async with pyronb.aio.Proxy(uri, options=client_options()) as proxy:
            await proxy._pyroBind()
            await proxy._pyroCall(timeout=0.1).slow

    with connect(uri) as proxy, pytest.raises(TimeoutError):
        proxy._pyroCall(timeout=0.1).slow  # noqa: B018
    with pytest.raises(TimeoutError):
        asyncio.run(main())


@pytest.mark.parametrize("wishes", [{"timeout": -1}, {"on_progress": 7}])
def test_wishes_that_make_no_sense(uri, wishes):
    """They are refused at once."""
    proxy = pyronb.Proxy(uri)
    for view in (proxy, pyronb.asyncproxy(proxy), pyronb.aio.Proxy(uri)):
        with pytest.raises((ValueError, TypeError)):
            view._pyroCall(**wishes)


def test_looking_at_a_view_asks_nobody():
    """Nothing is there to be asked."""
    proxy = pyronb.Proxy("PYRO:thing@127.0.0.1:1")
    for view in (
        proxy._pyroCall(timeout=1),
        pyronb.asyncproxy(proxy)._pyroCall(timeout=1),
        pyronb.aio.Proxy("PYRO:thing@127.0.0.1:1")._pyroCall(timeout=1),
    ):
        assert "PYRO:thing@127.0.0.1:1" in repr(view)
        assert dir(view)
        with pytest.raises(AttributeError):
            view._private  # noqa: B018


# Futures


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("method", METHODS)
def test_a_future_is_cancelled(uri, patient, daemon, method, retries):
    """A running call is told, whichever way it goes; its future gets what becomes of it."""
    with connect(uri, max_retries=retries) as proxy, pyronb.asyncproxy(proxy) as calls:
        future = getattr(calls, method)()
        is_entered(patient)
        eventually(future.running)

        assert future.cancel() is False

        if method == "wait":
            assert "stopped" == future.value
        else:
            with pytest.raises(CancelledError, match="cancelled before it ended"):
                future.result()
        assert not future.cancelled()
        assert ["stopped"] == patient.ended
        assert future.cancel() is False
        assert 3 == calls.add(1, 2).value


@pyronb.behavior(instance_mode="session")
@pyronb.expose
class Own(Patient):
    """Has an instance for each client, and on that one call at a time."""

    made: ClassVar = []

    def __init__(self):
        super().__init__()
        self.made.append(self)


@pytest.mark.parametrize("method", METHODS)
def test_a_call_of_a_clients_own_instance_is_cancelled(daemon, method):
    """Though nothing else is read meanwhile; what was sent ahead is not lost, and what was cancelled there not made."""
    Own.made.clear()
    with connect(daemon.register(Own, "own")) as proxy, pyronb.asyncproxy(proxy) as calls:
        assert 3 == calls.add(1, 2).value
        (own,) = Own.made
        for _ in range(2):
            future = getattr(calls, method)()
            is_entered(own)
            sums = [calls.add(number, 1) for number in range(200)]
            large = calls.add("x" * 100_000, "y")
            more = [calls.add(number, 2) for number in range(200)]
            time.sleep(0.1)  # until that is listened for, and all of it is on its way
            future.cancel()

            assert future.exception() is None or isinstance(future.exception(), CancelledError)
            eventually(lambda: own.ended == ["stopped"])
            assert list(range(1, 201)) == [each.value for each in sums]
            assert "x" * 100_000 + "y" == large.value
            assert list(range(2, 202)) == [each.value for each in more]
            own.ended.clear()


def test_awaiting_a_future_is_cancelled(uri, patient):
    """That cancels the call as well."""

    async def main(calls):
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(calls.wait_later(), LIMIT)

    with connect(uri) as proxy, pyronb.asyncproxy(proxy) as calls:
        asyncio.run(main(calls))

        eventually(lambda: patient.ended == ["stopped"])


def test_a_method_that_lets_itself_not_be_cancelled(uri, patient):
    """Its result is the result."""
    with connect(uri) as proxy, pyronb.asyncproxy(proxy) as calls:
        future = calls.stubborn()
        is_entered(patient)

        future.cancel()

        assert "all the same" == future.value


def test_a_batch_in_the_background_is_cancelled(uri, patient):
    """The call that runs is, and those after it are not made."""
    with connect(uri) as proxy:
        batch = pyronb.batch(proxy)
        batch.wait()
        batch.wait("second")
        future = batch(asynchronous=True)
        is_entered(patient)

        assert future.cancel() is False

        results = future.value
        assert "stopped" == next(results)
        with pytest.raises(CancelledError, match="before this call"):
            next(results)
        assert ["stopped"] == patient.ended


def test_calls_of_a_released_proxy_are_cancelled(uri, patient):
    """They are on their way still."""
    with connect(uri) as proxy:
        calls = pyronb.asyncproxy(proxy)
        future = calls.wait_later()
        is_entered(patient)
        calls._pyroRelease()

        future.cancel()

        with pytest.raises(CancelledError):
            future.result()


# Tasks


@pytest.mark.parametrize("method", METHODS)
def test_a_task_is_cancelled(uri, patient, method):
    """It ends at once, the far side is told, and other calls go on over the same connection."""

    async def main():
        async with pyronb.aio.Proxy(uri, options=client_options()) as proxy:
            assert 3 == await proxy.add(1, 2)
            before = proxy._pyroLocalSocket
            for _ in range(2):
                task = asyncio.create_task(getattr(proxy, method)())
                await asyncio.to_thread(is_entered, patient)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError as error:
                    told = getattr(error, "pyronb", None)
                assert told == f"{method!r} of 'patient' was told to stop over there; its result is dropped"
                await asyncio.to_thread(eventually, lambda: patient.ended == ["stopped"])
                patient.ended.clear()
                assert 3 == await proxy.add(1, 2)
            assert before == proxy._pyroLocalSocket

    asyncio.run(main())


def test_calls_that_wait_their_turn_are_cancelled(uri, patient):
    """They are not made at all, where calls of one client run one after the other."""

    async def main():
        proxy = pyronb.aio.Proxy(uri, options=client_options())
        proxy._pyro.wants = ()
        async with proxy:
            assert 3 == await proxy.add(1, 2)
            running = asyncio.create_task(proxy.wait_later("first"))
            await asyncio.to_thread(is_entered, patient)
            waiting = [asyncio.create_task(proxy.wait("not made")) for _ in range(50)]
            last = asyncio.create_task(proxy.add(3, 4))
            await asyncio.sleep(0.2)  # until they are on their way, and are listened for
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            await asyncio.sleep(0.2)
            patient.go.set()
            assert ("first", 7) == (await running, await last)
            assert ["first"] == patient.ended

    asyncio.run(main())


# Interrupts, for real

PROGRAM = """
import os, signal, sys, threading, time
import pyronb
with pyronb.Proxy(sys.argv[1]) as proxy:
    proxy.add(1, 2)
    before = proxy._pyroLocalSocket
    print("ready", flush=True)
    try:
        getattr(proxy, sys.argv[2])()
    except KeyboardInterrupt as error:
        print(error.pyronb, *getattr(error, "__notes__", ()), sep="|", flush=True)
    print(proxy.add(3, 4), before == proxy._pyroLocalSocket, flush=True)
"""


@pytest.mark.parametrize(
    ("method", "word", "kept"),
    [
        ("wait", "was stopped over there", True),
        ("wait_later", "was stopped over there", True),
        ("deaf", "has not stopped over there so far; its result is dropped", False),
    ],
)
def test_a_program_is_interrupted(uri, patient, daemon, method, word, kept):
    """The interrupt says what became of the call, soon, and the proxy goes on."""
    command = [sys.executable, "-c", PROGRAM, str(uri), method]
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("PYRO_", "PYRONB_"))}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert "ready\n" == process.stdout.readline()
        is_entered(patient)
        process.send_signal(signal.SIGINT)
        told = process.stdout.readline().strip()
        if not kept and daemon._engine.name == "multiplex":
            patient.go.set()  # its loop does nothing else until then
        rest = process.stdout.read()

    expected = f"{method!r} of 'patient' {word}"
    assert expected in {told, told.partition("|")[0]}
    assert ("|" in told) == (sys.version_info >= (3, 11))
    assert f"7 {kept}" == rest.strip()
    assert 0 == process.returncode


@pytest.mark.parametrize("method", METHODS)
def test_a_client_dies(uri, patient, method):
    """That counts as cancelled."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("PYRO_", "PYRONB_"))}
    command = [sys.executable, "-c", PROGRAM, str(uri), method]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert "ready\n" == process.stdout.readline()
        is_entered(patient)
        process.kill()

    eventually(lambda: patient.ended == ["stopped"])


# What is sent ahead, and what strangers send


def request(client, method, *args, seq, flags=0):
    """Give the bytes of a call with this number."""
    client.seq = seq - 1
    data = bytearray(client.request("patient", method, *args))
    data[8:10] = (int.from_bytes(data[8:10], "big") | flags).to_bytes(2, "big")
    return bytes(data)


def withdrawal(client, seq):
    """Give the bytes that withdraw a call."""
    return client.packed(Message(INVOKE, 0, CANCELS, seq, b""))


@pytest.mark.parametrize("method", METHODS)
def test_nothing_that_is_sent_ahead_is_lost(daemon, patient, method):
    """Calls, whole or in part, that come while a method looks for what its client has sent."""
    with RawClient(daemon.locationStr) as client:
        client.greet("patient", pyronb={"version": "1", "can": ["side"]})
        for _ in range(2):
            ahead = [request(client, "add", 1, 2, seq=21), request(client, "add", "x" * 100_000, "y", seq=22)]
            data = b"".join(ahead)
            client.send(request(client, method, seq=20))
            is_entered(patient)
            client.send(data[:50_000])
            client.send(data[50_000:])
            client.send(withdrawal(client, 20) + request(client, "add", 3, 4, seq=23))

            replies = [client.message() for _ in range(4)]

            assert [20, 21, 22, 23] == [reply.seq for reply in replies]
            values = [client.codec.decode_reply(reply) for reply in replies]
            assert [3, "x" * 100_000 + "y", 7] == [outcome.value for outcome in values[1:]]
            assert "stopped" == patient.ended.pop()


def test_withdrawals_of_nothing(daemon):
    """Of calls that are unknown or over: they are heard and mean nothing, and the next call is served."""
    with RawClient(daemon.locationStr) as client:
        client.greet("patient", pyronb={"version": "1", "can": ["side"]})
        for seq in (0, 7, 65535):
            client.send(withdrawal(client, seq))
        client.send(b"".join(withdrawal(client, seq) for seq in range(2000)))

        assert 3 == client.call("patient", "add", 1, 2).value


def test_much_sent_ahead_is_not_taken_in(daemon, patient):
    """What a client sends while its call runs takes no more memory than it may."""
    with RawClient(daemon.locationStr) as client:
        client.greet("patient", pyronb={"version": "1", "can": ["side"]})
        client.send(request(client, "wait", seq=1))
        is_entered(patient)
        piece = request(client, "add", "x" * 500_000, "y", seq=2)

        def flood():
            with contextlib.suppress(OSError):
                client.send(piece * 40)

        sender = threading.Thread(target=flood)
        sender.start()
        (served,) = daemon._engine._all_clients()
        eventually(lambda: served.conversation.full)
        assert served.conversation._ahead_size < 3 << 20
        patient.go.set()

        assert "through" == client.codec.decode_reply(client.message()).value
        for _ in range(40):
            assert "x" * 500_000 + "y" == client.codec.decode_reply(client.message()).value
        sender.join()


def test_a_stranger_withdraws_nothing(daemon, patient):
    """Without the ability the flag means nothing, as for a real Pyro: the message is a call."""
    with RawClient(daemon.locationStr) as client:
        client.greet("patient")
        client.send(request(client, "add", 1, 2, seq=3, flags=CANCELS))

        assert 3 == client.codec.decode_reply(client.message()).value


def test_a_real_peer_that_hangs_up_counts_as_cancelled(daemon, patient):
    """A method that asks learns that nobody is there any more."""
    with RawClient(daemon.locationStr) as client:
        client.greet("patient")
        client.send(request(client, "wait", seq=1))
        is_entered(patient)

    eventually(lambda: patient.ended == ["stopped"])


def test_a_coroutine_of_a_real_peer_goes_on(daemon, patient):
    """Nobody told it that the caller waits."""
    with RawClient(daemon.locationStr) as client:
        client.greet("patient")
        client.send(request(client, "wait_later", seq=1))
        is_entered(patient)
    time.sleep(0.1)
    patient.go.set()

    eventually(lambda: patient.ended == ["through"])


def test_over_tls(certificates):
    """The same, though what is encrypted cannot be looked at without reading it."""
    with serving(tls=certificates.daemon()) as daemon:
        patient = Patient()
        uri = daemon.register(patient, "patient")
        with connect(uri, tls=certificates.client()) as proxy, pyronb.asyncproxy(proxy) as calls:
            for method in METHODS:
                with pytest.raises(TimeoutError):
                    getattr(proxy._pyroCall(timeout=LIMIT), method)()
                eventually(lambda: patient.ended == ["stopped"])
                is_entered(patient)
                future = getattr(calls, method)()
                is_entered(patient)
                future.cancel()
                assert future.exception() is None or isinstance(future.exception(), CancelledError)
                patient.ended.clear()
            assert 3 == proxy.add(1, 2)


def test_a_daemon_ends_while_somebody_is_listened_to(daemon, patient, uri):
    """The call may end after the loop has, and its answer is sent."""
    with connect(uri) as proxy, pyronb.asyncproxy(proxy) as calls, pyronb.Proxy(uri) as other:
        assert 3 == other.add(1, 2)
        answers = []
        caller = threading.Thread(target=lambda: answers.append(other.wait_later()))
        caller.start()
        future = calls.wait_later()
        for _ in range(2):
            is_entered(patient)
        time.sleep(0.1)  # until both are listened to
        daemon._engine.shutdown()
        time.sleep(0.1)
        patient.go.set()

        assert "through" == future.value
        caller.join(scaled(10))
        assert ["through"] == answers


def test_a_drained_daemon_waits_for_the_call_that_is_listened_to(daemon, patient, uri):
    """A client whose coroutine runs does not rest."""
    with connect(uri) as proxy, pyronb.asyncproxy(proxy) as calls:
        future = calls._pyroCall(timeout=scaled(20)).wait_later()
        is_entered(patient)
        time.sleep(0.1)
        daemon.shutdown()
        patient.go.set()

        assert "through" == future.value
