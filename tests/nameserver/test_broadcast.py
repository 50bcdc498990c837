"""Name servers that tell the local network where they are, and those that do not."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import select
import socket
import threading

import pytest

from pyronb import aio
from pyronb.config import config
from pyronb.nameserver.broadcast import BroadcastServer
from pyronb.nameserver.start import startNS, startNSloop
from pyronb.options import LookupOptions
from pyronb.sync.lookup import locateNS, resolve
from pyronb.uri import URI
from tests.net.test_sockets import needs_ipv6
from tests.support.serving import LOCAL, client_options, looping
from tests.support.waiting import eventually, scaled

EVERYWHERE = "0.0.0.0"


@pytest.fixture(autouse=True)
def _quick_turns(monkeypatch):
    monkeypatch.setitem(config._values, "POLLTIMEOUT", 0.05)


@contextlib.contextmanager
def answered(responder):
    """Serve a responder in a thread, as whoever runs a loop of his own would."""
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            if ready := select.select(responder.sockets, [], [], 0.05)[0]:
                responder.events(ready)

    thread = threading.Thread(target=serve)
    thread.start()
    with responder:
        try:
            yield responder
        finally:
            stop.set()
            thread.join(scaled(5))


def asked(port, *datagrams):
    """Send datagrams from one socket, and give the first answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(scaled(5))
        for each in datagrams:
            sock.sendto(each, (LOCAL, port))
        return sock.recv(1000)


def by_broadcast(port):
    """Give the options of a client that expects its name server elsewhere, and broadcasts on this machine."""
    lookup = LookupOptions(host="192.0.2.1", port=1, broadcast_addresses=(LOCAL,), broadcast_port=port)
    return client_options(lookup=lookup, connect_timeout=scaled(5))


def test_answer():
    """The question gets the address; everything else gets nothing, and does no harm."""
    uri = "PYRO:Pyro.NameServer@somewhere.example:9090"
    with answered(BroadcastServer(uri, LOCAL, 0)) as responder:
        hostile = [b"", b"GET_NSURI\n", b"get_nsuri", bytes(60_000), b"GET_NSURI" * 20, b"\xff" * 9]

        assert uri.encode() == asked(responder.getPort(), *hostile, b"GET_NSURI")
        assert f"{LOCAL}:{responder.getPort()}" == responder.locationStr


def test_answer_with_the_address_on_the_way():
    """One that listens everywhere tells each asker an address that it can reach."""
    with answered(BroadcastServer("PYRO:Pyro.NameServer@elsewhere:9", LOCAL, 0, everywhere=True)) as responder:
        assert f"PYRO:Pyro.NameServer@{LOCAL}:9".encode() == asked(responder.getPort(), b"GET_NSURI")


def test_events_of_others():
    """They are not answered."""
    with BroadcastServer("PYRO:Pyro.NameServer@x:9", LOCAL, 0) as responder:
        responder.events([])
        responder.events([object()])
        responder.processRequest()

        assert [responder] == responder.sockets


def test_thread():
    """Without a loop it can have a thread, which ends with it."""
    with BroadcastServer("PYRO:Pyro.NameServer@x:9", LOCAL, 0) as responder:
        thread = responder.runInThread()
        assert thread is responder.runInThread()
        for _ in range(3):
            assert b"PYRO:Pyro.NameServer@x:9" == asked(responder.getPort(), b"junk", b"GET_NSURI")
    responder.close()

    assert not thread.is_alive()


def test_found_by_broadcast():
    """A name server for the network is found by who does not know where it is; names are, too."""
    started = startNS(EVERYWHERE, 0, bchost=LOCAL, bcport=0)
    assert started.broadcast is not None
    options = by_broadcast(started.broadcast.getPort())
    with looping(started.daemon) as daemon:
        with locateNS(options=options) as names:
            assert (LOCAL, daemon.uri.port) == (names._pyroUri.host, names._pyroUri.port)
            names.register("somebody", "PYRO:x@y:1")
        assert URI("PYRO:x@y:1") == resolve("PYRONAME:somebody", options=options)

    assert -1 == started.broadcast.fileno()


def test_found_by_broadcast_with_asyncio():
    """The other room looks in the same way."""
    started = startNS(EVERYWHERE, 0, bchost=LOCAL, bcport=0)
    options = by_broadcast(started.broadcast.getPort())

    async def look():
        async with await aio.locateNS(options=options) as names:
            await names.register("somebody", "PYRO:x@y:1")
        return await aio.resolve("PYRONAME:somebody", options=options)

    with looping(started.daemon):
        assert URI("PYRO:x@y:1") == asyncio.run(look())


def test_inner_address_is_told():
    """Whoever hears a broadcast is on the inner side of the address translation."""
    started = startNS(EVERYWHERE, 0, bchost=LOCAL, bcport=0, nathost="outside.example", natport=1)
    with looping(started.daemon) as daemon:
        port = daemon.uriFor("x", nat=False).port

        assert f"PYRO:Pyro.NameServer@{LOCAL}:{port}".encode() == asked(started.broadcast.getPort(), b"GET_NSURI")
        assert "outside.example" == started.uri.host


@pytest.mark.parametrize("host", [LOCAL, "localhost", pytest.param("::1", marks=needs_ipv6)])
def test_nothing_is_told_of_a_local_one(host):
    """Nobody else could reach it."""
    started = startNS(host, 0, bchost=LOCAL, bcport=0)
    with started.daemon:
        assert started.broadcast is None


def test_nothing_is_told_of_a_unix_socket(tmp_path):
    """Nobody else could reach it."""
    with startNS(unixsocket=str(tmp_path / "ns"), bchost=LOCAL, bcport=0).daemon as daemon:
        assert daemon._responder is None


def test_switched_off():
    """Nothing is answered where that was not wanted."""
    started = startNS(EVERYWHERE, 0, enableBroadcast=False)
    with started.daemon:
        assert started.broadcast is None


def test_configuration(monkeypatch):
    """NS_BCHOST and NS_BCPORT say where broadcasts are heard."""
    monkeypatch.setitem(config._values, "NS_BCHOST", LOCAL)
    monkeypatch.setitem(config._values, "NS_BCPORT", 0)
    started = startNS(EVERYWHERE, 0)
    with started.daemon:
        assert LOCAL == started.broadcast.sock.getsockname()[0]
        assert f"{LOCAL}:{started.broadcast.getPort()}" == started.broadcast.locationStr


def test_port_in_use(monkeypatch):
    """It is an error that names the port, and nothing is left behind."""
    monkeypatch.setitem(config._values, "SOCK_REUSE", False)
    with (
        BroadcastServer("PYRO:x@y:1", LOCAL, 0, reuse_address=False) as taken,
        pytest.raises(OSError, match=f"cannot listen for broadcasts on {LOCAL}:{taken.getPort()}"),
    ):
        startNS(EVERYWHERE, 0, bchost=LOCAL, bcport=taken.getPort())


def test_loop():
    """It answers broadcasts as long as its condition holds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOCAL, 0))
        port = probe.getsockname()[1]
    stop = threading.Event()
    words = {"bchost": LOCAL, "bcport": port, "loopCondition": lambda: not stop.is_set()}
    thread = threading.Thread(target=startNSloop, args=(EVERYWHERE, 0), kwargs=words)
    thread.start()
    try:
        options = by_broadcast(port)
        lookup = dataclasses.replace(options.lookup, host=LOCAL)
        quick = dataclasses.replace(options, lookup=lookup)

        def count():
            with contextlib.suppress(LookupError), locateNS(options=quick) as names:
                return names.count()

        assert 1 == eventually(count, 10)
    finally:
        stop.set()
        thread.join(scaled(10))
    assert not thread.is_alive()
