"""Ways back: connections that the caller made, to a program that nobody can dial."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading

import psutil
import pytest

from pyronb import aio
from pyronb.errors import CommunicationError, ConnectionClosedError, DaemonError
from pyronb.net import back
from pyronb.server import holds
from pyronb.server.officedaemon import OfficeDaemon
from pyronb.server.references import _offices, given_out, withdraw
from pyronb.server.waysback import WayBack
from pyronb.sync.asynchronous import AsyncProxy
from pyronb.uri import back_location
from tests.support.fix_certs import certificates
from tests.support.fix_engines import engine
from tests.support.fix_stations import caller, daemon, nothing_waits, station
from tests.support.paths import ROOT
from tests.support.programs import free_port
from tests.support.serving import LOCAL, client_options, connect, serving
from tests.support.waiting import deadline, eventually, scaled

__all__ = ["caller", "certificates", "daemon", "engine", "nothing_waits", "station"]


def listening():
    return {each.laddr for each in psutil.Process().net_connections() if each.status == psutil.CONN_LISTEN}


def test_no_port_is_opened(caller):
    """Whoever gives a function listens nowhere, and what it gave shows no way in."""
    before = listening()
    heard = []
    hear = heard.append
    (location,) = caller.subscribe(hear)

    assert [None] == caller.tell("a")
    assert [None] == caller.tell("b")
    assert ["a", "b"] == heard
    assert before == listening()
    assert location.startswith("./u:pyronb-back-")


def test_from_a_coroutine(caller):
    """An asynchronous method calls with a proxy of its room, several times at once over one connection."""

    def function(value):
        return value * 2

    caller.subscribe(function)

    assert [10, 12, 14] == caller.tell_later(5)


def test_from_other_rooms(daemon):
    """An asynchronous proxy gives functions as well, and so do calls in the background."""

    def function(value):
        return value + 1

    async def subscribe():
        async with aio.Proxy(daemon.uriFor("station"), options=client_options()) as caller:
            (location,) = await caller.subscribe(function)
            return location, await caller.tell(1)

    location, told = asyncio.run(subscribe())

    assert (True, [2]) == (location.startswith("./u:pyronb-back-"), told)
    with connect(daemon.uriFor("station")) as proxy, AsyncProxy(proxy._pyro) as caller:
        assert [location] == caller.subscribe(function).value
        assert {3} == set(caller.tell(2).value)


def test_over_tls(certificates, station, engine):
    """The settings are those of the proxy that the function was given over; no further certificate is needed."""
    tls = certificates.daemon(require_client=True)
    mine = certificates.client(certificate=certificates.file("client"))
    heard = []
    hear = heard.append
    with serving(tls=tls) as daemon, connect(daemon.register(station), tls=mine) as caller:
        caller.subscribe(hear)

        assert [None] == caller.tell("x" * 200_000)
        with station.functions[0] as function:
            function(["again"])
    assert ["x" * 200_000, ["again"]] == heard


def test_over_tls_from_a_coroutine(certificates, station, engine):
    """A proxy of the other room takes the encrypted connection over as well."""
    with (
        serving(tls=certificates.daemon()) as daemon,
        connect(daemon.register(station), tls=certificates.client()) as caller,
    ):

        def function(value):
            return [value]

        caller.subscribe(function)

        assert [[1], [2], [3]] == caller.tell_later(1)


def test_over_a_unix_socket(tmp_path, station, engine):
    """The way back is another connection to that socket."""
    heard = []
    hear = heard.append
    with serving(unixsocket=str(tmp_path / "s")) as daemon, connect(daemon.register(station)) as caller:
        caller.subscribe(hear)
        caller.tell(1)
    assert [1] == heard


@contextlib.contextmanager
def tunnel(location):
    """Give a port of this machine from which a helper carries the bytes to another place, as ``ssh -L`` does."""
    host, port = location.rsplit(":", 1)
    listener = socket.create_server((LOCAL, 0))
    open_sockets = [listener]

    def carry(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection((host, int(port)))
                open_sockets.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        for each in open_sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        thread.join(scaled(5))
        for each in open_sockets:
            each.close()


def test_through_a_tunnel(daemon):
    """The way back leads through what the proxy's own connection goes through."""
    heard = []
    hear = heard.append
    with tunnel(daemon.locationStr) as port, connect(f"PYRO:station@{LOCAL}:{port}") as caller:
        caller.subscribe(hear)
        caller.tell(1)
        assert [(f"{LOCAL}:{port}",)] == [each.to for each in given_out()]
    assert [1] == heard


def test_from_a_place_without_a_network(tmp_path):
    """A server that can dial nobody at all calls back: it is in a network namespace with nothing in it."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("this system gives no network namespaces (Linux, with the command unshare, has them)")
    path = tmp_path / "s"
    program = (
        "import socket, sys\n"
        "from pyronb import Daemon\n"
        "from tests.support.fix_stations import Station\n"
        "try:\n"
        "    socket.create_connection(('127.0.0.1', 9), 1)\n"
        "except OSError as error:\n"
        "    print(type(error).__name__, error.errno, flush=True)\n"
        "daemon = Daemon(unixsocket=sys.argv[1])\n"
        "daemon.register(Station(), 'station')\n"
        "print('ready', flush=True)\n"
        "daemon.requestLoop()\n"
    )
    heard = []
    hear = heard.append
    server = subprocess.Popen(
        ["unshare", "-rn", sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        assert "OSError 101" == server.stdout.readline().strip()  # the network is unreachable
        assert "ready" == server.stdout.readline().strip()
        with connect(f"PYRO:station@./u:{path}") as caller:
            caller.subscribe(hear)
            assert [None] == caller.tell("during a call")
            caller.tell_in_threads(2, 3)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    assert 7 == len(heard)


# When an end goes


def test_withdrawn(caller, station):
    """Nothing waits any more, and who calls is told what happened."""

    def function(value):
        return value

    caller.subscribe(function)
    caller.tell(1)
    eventually(lambda: back.waiting() == 1)
    station.functions[0]._pyroRelease()
    assert withdraw(function)
    eventually(lambda: not back.waiting())
    with pytest.raises((CommunicationError, DaemonError), match=r"has gone|unknown object"):
        caller.tell(2)


def test_program_that_was_killed(daemon, station):
    """Who calls it is told that it has gone, at once; another one is not disturbed."""
    program = (
        "import sys, time\n"
        "from pyronb import Proxy\n"
        "with Proxy(sys.argv[1]) as station:\n"
        "    station.subscribe(function := lambda value: value)\n"
        "    print(station.tell(1), flush=True)\n"
        "    time.sleep(60)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(daemon.uriFor("station"))], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert "[1]" == other.stdout.readline().strip()
    eventually(lambda: back.waiting() == 1)
    other.kill()
    other.wait()
    other.stdout.close()
    with station.functions[0] as function, pytest.raises(ConnectionClosedError, match="has gone"):
        function(2)
    with connect(daemon.uriFor("station")) as caller:
        station.functions.clear()
        heard = []
        hear = heard.append
        caller.subscribe(hear)
        caller.tell(3)
        assert [3] == heard


def test_daemon_that_comes_again(station, engine):
    """A daemon that was started anew, at the same place, is called and calls as before."""
    heard = []
    hear = heard.append
    port = free_port()
    with serving(port=port) as daemon, connect(daemon.register(station, "station")) as caller:
        caller.subscribe(hear)
        caller.tell(1)
    station.functions.clear()
    # The new daemon shares its program with the old one, which knows that connection to be lost.
    eventually(lambda: not any(way._waiting for office in _offices.all() for way in office._ways.values()))
    with serving(port=port) as daemon, connect(daemon.register(station, "station")) as caller:
        caller.subscribe(hear)
        caller.tell(2)
    assert [1, 2] == heard


def test_daemon_that_comes_again_before_its_end_is_noticed(station, engine, monkeypatch):
    """Whoever passes a function again has not gone, though the daemon that it was passed to first has ended."""
    adopt, late, release = OfficeDaemon.adopt, threading.Event(), threading.Event()

    def adopt_late(self, stream, data, way, **more):
        if made:
            late.set()
            assert release.wait(scaled(20))
        made.append(way)
        adopt(self, stream, data, way, **more)

    made, heard = [], []
    hear = heard.append
    monkeypatch.setattr(OfficeDaemon, "adopt", adopt_late)
    port = free_port()
    with serving(port=port) as daemon, connect(daemon.register(station, "station")) as caller:
        caller.subscribe(hear)
        caller.tell(1)
        # The next connection is there, and its end is not going to be seen before the next call.
        assert late.wait(scaled(20))
    station.functions.clear()
    with serving(port=port) as daemon, connect(daemon.register(station, "station")) as caller:
        caller.subscribe(hear)
        with AsyncProxy(caller._pyro) as background:
            told = background.tell(2)
            eventually(lambda: back._lot._asking or told.ready)
            release.set()
            assert [None] == told.value
    assert [1, 2] == heard


def test_function_that_is_given_while_its_way_is_refused(station, engine, monkeypatch):
    """It went to somebody who was there again, whatever an attempt that began before comes to."""
    attempt, refused, release = WayBack._connect, threading.Event(), threading.Event()

    def refused_late(self):
        try:
            attempt(self)
        except CommunicationError:
            refused.set()
            assert release.wait(scaled(20))
            raise

    heard = []
    hear = heard.append
    monkeypatch.setattr(WayBack, "_connect", refused_late)
    port = free_port()
    with serving(port=port) as daemon, connect(daemon.register(station, "station")) as caller:
        caller.subscribe(hear)
    assert refused.wait(scaled(20))
    station.functions.clear()
    with serving(port=port) as daemon, connect(daemon.register(station, "station")) as caller:
        with AsyncProxy(caller._pyro) as background:
            subscribed = background.subscribe(hear)
            eventually(lambda: any(way._hurry.is_set() for office in _offices.all() for way in office._ways.values()))
            release.set()
            assert "./u:pyronb-back-" in subscribed.value[0]
        # It is told besides that what was received before is not held any more.
        holds.tell()
        eventually(lambda: not holds._ledger._telling)
        caller.tell(1)
    assert [1] == heard


def test_connection_that_is_lost_while_it_waits(caller, daemon):
    """It is made again, and calls come through."""
    heard = []
    hear = heard.append
    caller.subscribe(hear)
    eventually(lambda: back.waiting() == 1)
    back.end(daemon)
    back.begin(daemon)
    assert not back.waiting()
    eventually(lambda: back.waiting() == 1)
    caller.tell(1)
    assert [1] == heard


def test_way_that_is_ended_while_a_connection_is_made(caller, monkeypatch):
    """That connection does not stay either."""
    adopt, ended = OfficeDaemon.adopt, threading.Event()

    def adopt_late(self, stream, data, way, **more):
        way.end()
        adopt(self, stream, data, way, **more)
        ended.set()

    def function(value):
        return value

    monkeypatch.setattr(OfficeDaemon, "adopt", adopt_late)
    caller.subscribe(function)

    assert ended.wait(scaled(5))
    eventually(lambda: not back.waiting())


# What cannot be reached


def test_nobody_made_a_connection(daemon, monkeypatch):
    """It is said what that means, after a while; the second time at once."""
    monkeypatch.setattr(back, "PATIENCE", 0.05)
    uri = f"PYRO:function_x@{back_location(secrets.token_hex(16))}"
    with pytest.raises(ConnectionClosedError, match="cannot be reached back: the program that passed it made no conn"):
        connect(uri)
    monkeypatch.setattr(back, "PATIENCE", 60)
    limit = deadline(20)
    with pytest.raises(ConnectionClosedError, match="has gone"):
        connect(uri)
    assert not limit.passed

    async def from_the_other_room():
        monkeypatch.setattr("pyronb.net.aiostream.PATIENCE", 0.05)
        async with aio.Proxy(f"PYRO:function_x@{back_location(secrets.token_hex(16))}") as proxy:
            await proxy._pyroBind()

    with pytest.raises(ConnectionClosedError, match="cannot be reached back"):
        asyncio.run(from_the_other_room())


def test_in_a_program_without_a_daemon():
    """A reference that was passed on leads nowhere, and says so at once."""
    with pytest.raises(ConnectionClosedError, match="only the program that it was passed to can call it"):
        connect(f"PYRO:function_x@{back_location(secrets.token_hex(16))}")


def test_interrupted_while_waiting(daemon):
    """Waiting for a connection can be interrupted."""
    if not hasattr(signal, "pthread_kill") or os.name != "posix":
        pytest.skip("this system sends no signals to threads")
    before = signal.signal(signal.SIGUSR1, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    timer = threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            connect(f"PYRO:function_x@{back_location(secrets.token_hex(16))}")
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
