"""Progress, output, cancelling and deadlines where the other end is a real Pyro: plain, correct, and no byte more."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time

import pytest

import pyronb
import pyronb.aio
from pyronb.context import current_context
from pyronb.errors import TimeoutError
from pyronb.wire.message import INVOKE
from tests.interop.conftest import peer
from tests.interop.tools import FAMILIES, clean_environment
from tests.support.paths import ROOT
from tests.support.serving import ENGINES, client_options, connect, serving
from tests.support.waiting import eventually, scaled

PEERS = {"Pyro5": "pyro5_daemon.py", "Pyro4": "pyro4_daemon.py"}


@pyronb.expose
class Worker:
    """Tells of its calls."""

    def __init__(self):
        self.seen = []
        self.entered = threading.Event()

    def work(self, steps):
        for step in pyronb.track(range(steps), message="working"):
            print("step", step)
        self.seen.append(pyronb.cancelled())
        return steps

    async def work_later(self, steps):
        for step in pyronb.track(range(steps)):
            print("step", step)
            await asyncio.sleep(0.001)
        self.seen.append(pyronb.cancelled())
        return steps

    def items(self, count):
        yield from pyronb.track(range(count))

    @pyronb.oneway
    def fire(self, steps):
        self.work(steps)

    def wait(self):
        self.entered.set()
        until = time.monotonic() + scaled(20)
        while not pyronb.cancelled() and time.monotonic() < until:
            time.sleep(0.01)
        self.seen.append(pyronb.cancelled())


CLIENT = """
import sys
if sys.argv[1] == "Pyro5":
    from Pyro5.client import Proxy, BatchProxy
else:
    from Pyro4.core import Proxy, batch as BatchProxy
with Proxy(sys.argv[2]) as proxy:
    proxy._pyroTimeout = 20
    proxy._pyroBind()
    found = [proxy.work(500), proxy.work_later(50), list(proxy.items(3))]
    batch = BatchProxy(proxy)
    batch.work(100)
    batch.work_later(10)
    found += [list(batch()), proxy.fire(5), proxy.work(3)]
    print(found, flush=True)
    if sys.argv[3:]:
        print("waiting", flush=True)
        proxy.wait()
"""


def real_client(family, uri, *more):
    """Start a real client."""
    command = [sys.executable, "-W", "ignore", "-c", CLIENT, family, str(uri), *more]
    return subprocess.Popen(command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_real_client_hears_results_alone(family, engine):
    """Of methods that tell how far they are, print, and ask whether they are cancelled."""
    with serving(engine=engine) as daemon:
        worker = Worker()
        with real_client(family, daemon.register(worker, "worker")) as process:
            found = process.communicate(timeout=scaled(50))[0]

        assert "[500, 50, [0, 1, 2], [100, 10], None, 3]" == found.strip()
        eventually(lambda: len(worker.seen) == 6)
        assert not any(worker.seen)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_real_client_that_dies_counts_as_cancelled(family):
    """Its method may ask."""
    with serving() as daemon:
        worker = Worker()
        with real_client(family, daemon.register(worker, "worker"), "wait") as process:
            while process.stdout.readline() != "waiting\n":
                assert process.poll() is None
            assert worker.entered.wait(scaled(20))
            process.kill()

        eventually(lambda: True in worker.seen)


@contextlib.contextmanager
def overheard(uri):
    """Stand between a client and a daemon; gives an address, and the bytes that the client has said."""
    where = pyronb.URI(str(uri))
    said, ends = bytearray(), []

    def carry(here, there, kept=None):
        with contextlib.suppress(OSError):
            while data := here.recv(65536):
                if kept is not None:
                    kept += data
                there.sendall(data)
        for sock in (here, there):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def accept():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            daemon = socket.create_connection((where.host, where.port))
            ends.extend((client, daemon))
            threading.Thread(target=carry, args=(client, daemon, said), daemon=True).start()
            threading.Thread(target=carry, args=(daemon, client), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"PYRO:{where.object}@127.0.0.1:{listener.getsockname()[1]}", said
        listener.shutdown(socket.SHUT_RDWR)
    for sock in ends:
        sock.close()


def flags_of_calls(said):
    """Give the flags of all requests in these bytes of protocol 502 or 48."""
    return {
        int.from_bytes(said[at + 8 : at + 10], "big")
        for at in range(len(said) - 10)
        if said[at : at + 4] == b"PYRO" and INVOKE in (said[at + 6], int.from_bytes(said[at + 6 : at + 8], "big"))
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_our_client_asks_a_real_daemon_for_nothing_more(family):
    """Whatever is wished for, listened to, timed out or cancelled, in both rooms: it sees plain calls alone."""
    heard = []

    async def main(uri):
        async with pyronb.aio.Proxy(uri, options=client_options()) as proxy:
            view = proxy._pyroCall(output=True, timeout=scaled(20), on_progress=heard.append)
            assert 3 == await view.add(1, 2)
            with pytest.raises(TimeoutError, match=r"its timeout allows 0\.2 s"):
                await proxy._pyroCall(timeout=0.2).sleep(1)
            task = asyncio.create_task(proxy.sleep(0.5))
            await asyncio.sleep(0.1)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert 3 == await proxy.add(1, 2)

    current_context.listener = heard.append
    try:
        with peer(PEERS[family]) as real, overheard(real) as (uri, said):
            with connect(uri, remote_output=True) as proxy, pyronb.asyncproxy(proxy) as calls:
                assert 3 == proxy.add(1, 2)
                assert 3 == proxy._pyroCall(output=True, on_progress=heard.append).add(1, 2)
                with pytest.raises(TimeoutError, match=r"its timeout allows 0\.2 s"):
                    proxy._pyroCall(timeout=0.2).sleep(1)
                assert 3 == proxy.add(1, 2)
                future = calls._pyroCall(output=True).sleep(0.3)
                eventually(lambda: future.running() or future.done())
                assert future.cancel() is False
                assert future.value is None
                assert future.progress is None
                batch = proxy._pyroCall(output=True, timeout=scaled(20))._pyroBatch()
                batch.add(1, 2)
                assert [3] == list(batch())
            asyncio.run(main(uri))
    finally:
        current_context.listener = None

    assert [] == heard
    assert flags_of_calls(bytes(said))
    assert all(flags < 0x100 for flags in flags_of_calls(bytes(said)))


def test_a_plain_call_says_nothing_more():
    """Between pyronb peers, too: as many bytes as a real client says, whether or not somebody listens."""
    sizes = []
    with serving() as daemon, overheard(daemon.register(Worker(), "worker")) as (uri, said), connect(uri) as proxy:
        for listener in (None, print):
            current_context.listener = listener
            for _ in range(3):
                before = len(said)
                assert [0] == [proxy.work(0)]
                eventually(lambda before=before: len(said) > before)
                sizes.append(len(said) - before)
        current_context.listener = None

    payload = proxy._pyro.codec.catalog.by_name("serpent").dumps(("worker", "work", (0,), {}))
    assert {40 + len(payload)} == set(sizes)
