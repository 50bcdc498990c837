"""A daemon in somebody else's loop: select, asyncio, or the loop of another daemon."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading

import pytest

from pyronb.errors import CommunicationError, DaemonError
from pyronb.nameserver.broadcast import BroadcastServer
from pyronb.nameserver.daemon import NameServerDaemon
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from tests.support.serving import LOCAL, RawClient, connect, daemon_options, looping, serving
from tests.support.waiting import deadline, eventually, scaled


@expose
class Thing:
    def __init__(self):
        self.threads = set()

    def echo(self, value):
        self.threads.add(threading.current_thread().name)
        return value

    def large(self, size):
        return "x" * size


@contextlib.contextmanager
def calling(*jobs):
    """Run jobs in threads of their own; the loop of the test goes on until `done` says that they have ended."""
    failed = []

    def run(job):
        try:
            job()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    limit = deadline(10)

    def done():
        assert not limit.passed
        return not any(thread.is_alive() for thread in threads)

    yield done
    for thread in threads:
        thread.join(scaled(5))
    assert not failed, failed


def client_of(uri, got, calls=5):
    def run():
        with connect(uri) as proxy:
            got.extend(proxy.echo(n) for n in range(calls))
            assert len(proxy.large(3_000_000)) == 3_000_000

    return run


@pytest.mark.usefixtures("engine")
def test_a_loop_of_ones_own_serves_with_select():
    """As programs for Pyro do it: select on the sockets, hand over those that are readable."""
    with Daemon(LOCAL, options=daemon_options()) as daemon:
        uri, got = daemon.register(Thing()), []
        with calling(client_of(uri, got), client_of(uri, got)) as done:
            while not done():
                ready, _, _ = select.select(daemon.sockets, [], [], 0.05)
                if ready:
                    daemon.events(ready)

    assert sorted(got) == sorted([0, 1, 2, 3, 4] * 2)


@pytest.mark.usefixtures("engine")
def test_the_selector_alone_is_enough():
    """It is readable whenever one of the sockets needs something, so that an asyncio loop watches it once."""

    async def serve(daemon, done):
        loop = asyncio.get_running_loop()
        loop.add_reader(daemon.selector, daemon.events)
        while not done():
            await asyncio.sleep(0.005)
        loop.remove_reader(daemon.selector)

    with Daemon(LOCAL, options=daemon_options()) as daemon:
        uri, got = daemon.register(Thing()), []
        with calling(client_of(uri, got), client_of(uri, got)) as done:
            asyncio.run(serve(daemon, done))

    assert sorted(got) == sorted([0, 1, 2, 3, 4] * 2)


def test_sockets_come_and_go_with_clients():
    """The listening socket is among them, and those of all connected clients."""
    with Daemon(LOCAL, options=daemon_options(engine="multiplex")) as daemon:
        alone = daemon.sockets
        assert daemon.sock in alone
        with RawClient(daemon.locationStr) as client:
            eventually(lambda: daemon.events() or len(daemon.sockets) == len(alone) + 1)
            client.send(client.greeting())
            eventually(lambda: daemon.events() or select.select([client.socket], [], [], 0)[0])
            assert client.answer()[0] == 2
        eventually(lambda: daemon.events() or len(daemon.sockets) == len(alone))
    assert daemon.sockets == []
    assert daemon.events() is None


@pytest.mark.usefixtures("engine")
def test_a_daemon_has_one_loop_at_a_time():
    """Whose sockets are served in another thread already is told so, instead of served twice."""
    with serving() as daemon:
        with connect(daemon.uriFor("Pyro.Daemon")) as proxy:
            proxy.ping()
        with pytest.raises(DaemonError, match="runs in another thread"):
            daemon.events([])


@pytest.mark.usefixtures("engine")
def test_shutdown_in_a_loop_of_ones_own_closes_with_the_next_events():
    """There is nobody else who would."""
    with Daemon(LOCAL, options=daemon_options()) as daemon:
        daemon.shutdown()
        assert "closed" not in repr(daemon)
        daemon.events()
        assert "closed" in repr(daemon)


def test_combined_daemons_share_a_loop():
    """One thread serves them all, and each can be closed at any time."""
    options = daemon_options(engine="multiplex")
    things = [Thing() for _ in range(3)]
    with (
        looping(Daemon(LOCAL, options=options)) as host,
        Daemon(LOCAL, options=options) as one,
        Daemon(LOCAL, options=options) as other,
    ):
        uris = [daemon.register(thing) for daemon, thing in zip((host, one, other), things, strict=True)]
        host.combine(one)
        host.combine(other)
        for uri in uris:
            with connect(uri) as proxy:
                assert proxy.echo(1) == 1
        one.close()
        with pytest.raises(CommunicationError):
            connect(uris[1])
        other.shutdown()
        eventually(lambda: "closed" in repr(other))
        with connect(uris[0]) as proxy:
            assert proxy.echo(2) == 2

    assert {name for thing in things for name in thing.threads} == {"pyronb-test-loop"}


def test_chores_of_guests_are_done():
    """Their clients are let go in time too."""
    options = daemon_options(engine="multiplex", handshake_timeout=0.05)
    with looping(Daemon(LOCAL, options=options)) as host, Daemon(LOCAL, options=options) as guest:
        host.combine(guest)
        with RawClient(guest.locationStr) as silent:
            assert silent.rest() == b""


def test_a_host_that_ends_leaves_its_guests_alone():
    """They can be served otherwise then."""
    options = daemon_options(engine="multiplex")
    with Daemon(LOCAL, options=options) as guest:
        with looping(Daemon(LOCAL, options=options)) as host:
            host.combine(guest)
        with looping(guest), connect(guest.register(Thing())) as proxy:
            assert proxy.echo(1) == 1


def test_a_responder_can_be_combined(caplog):
    """Anything with `processRequest` that can be watched; its errors are logged and end nothing."""

    class Responder:
        def __init__(self):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind((LOCAL, 0))
            self.sockets = [self.sock]

        def processRequest(self):
            data, address = self.sock.recvfrom(100)
            if data == b"bad":
                raise RuntimeError("cannot respond")
            self.sock.sendto(data[::-1], address)

    responder = Responder()
    with (
        responder.sock,
        looping(Daemon(LOCAL, options=daemon_options(engine="multiplex"))) as daemon,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker,
    ):
        daemon.combine(responder)
        asker.settimeout(scaled(5))
        asker.sendto(b"bad", responder.sock.getsockname())
        asker.sendto(b"abc", responder.sock.getsockname())
        assert asker.recv(100) == b"cba"
        with connect(daemon.register(Thing())) as proxy:
            assert proxy.echo(1) == 1

    assert "cannot respond" in caplog.text


def test_a_name_server_and_its_broadcasts_share_the_loop_of_a_daemon():
    """As programs for Pyro do it, with everything in one thread."""
    options = daemon_options(engine="multiplex")
    with (
        looping(Daemon(LOCAL, options=options)) as daemon,
        NameServerDaemon(LOCAL, options=options) as names,
        BroadcastServer(names.uri, LOCAL, 0) as responder,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker,
    ):
        daemon.combine(names)
        daemon.combine(responder)
        asker.settimeout(scaled(5))
        asker.sendto(b"GET_NSURI", (LOCAL, responder.getPort()))
        told = asker.recv(1000).decode()
        assert told == str(names.uri)
        uri = daemon.register(Thing())
        with connect(told) as nameserver:
            nameserver.register("the.thing", uri)
            with connect(nameserver.lookup("the.thing")) as proxy:
                assert proxy.echo(1) == 1


def test_what_cannot_be_combined_is_said():
    """Other engines, itself, circles, twice, and what is neither daemon nor responder."""
    many = daemon_options(engine="multiplex")
    with (
        Daemon(LOCAL, options=many) as one,
        Daemon(LOCAL, options=many) as other,
        Daemon(LOCAL, options=daemon_options(engine="thread")) as threads,
    ):
        one.combine(other)
        for host, guest in ((threads, one), (one, threads), (one, one), (other, one), (one, other), (one, object())):
            with pytest.raises(DaemonError):
                host.combine(guest)


def test_a_daemon_whose_loop_runs_cannot_be_a_guest():
    """It has one already."""
    with serving(engine="multiplex") as busy, Daemon(LOCAL, options=daemon_options(engine="multiplex")) as host:
        with connect(busy.uriFor("Pyro.Daemon")) as proxy:
            proxy.ping()
        with pytest.raises(DaemonError, match="runs in another thread"):
            host.combine(busy)
