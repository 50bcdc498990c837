"""Many calls in flight on one connection: cancelling, time-outs, lost connections, back-pressure, strange servers."""

from __future__ import annotations

import asyncio
import gc
import random
import select
import socket
import struct
import threading
import time

import pytest

from pyronb import errors
from pyronb.aio import Proxy
from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError, SecurityError
from pyronb.net import aiostream
from pyronb.options import DaemonOptions
from pyronb.server.daemon import Daemon
from pyronb.uri import URI
from tests.support.fix_certs import certificates
from tests.support.fix_daemons import answering
from tests.support.programs import free_port
from tests.support.serving import LOCAL, client_options, looping, serving
from tests.support.waiting import deadline, scaled
from tests.sync.test_driver import REPLIES, accept_client, receive_message, reply_with

__all__ = ["certificates"]


# Cancelling


@pytest.mark.parametrize("times", [1, 3])
async def test_cancelled_call(make, bench, entered, dials, times):
    """It gives up its own reply: the connection stays, and nobody else gets that reply."""
    async with make() as proxy:
        await proxy._pyroBind()
        tasks = [asyncio.create_task(proxy.wait("late")) for _ in range(times)]
        await entered()
        other = asyncio.create_task(proxy.give("mine"))
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        bench.go.set()

        assert ["mine", 3] == [await other, await proxy.add(1, 2)]
        assert 1 == len(dials)
        assert not proxy._pyro.stream.receiver.busy


async def test_wait_for(make, bench, dials):
    """The time-out of asyncio cancels, and disturbs nobody either."""
    async with make() as proxy:
        await proxy._pyroBind()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(proxy.wait("late"), 0.05)
        bench.go.set()

        assert "mine" == await proxy.give("mine")
        assert 1 == len(dials)


async def test_many_cancelled_calls(make, bench, entered):
    """Whichever of many are cancelled, all others get what is theirs."""
    chance = random.Random(7)
    async with make() as proxy:
        await proxy._pyroBind()
        blocker = asyncio.create_task(proxy.wait())
        await entered()
        tasks = [asyncio.create_task(proxy.give(number)) for number in range(300)]
        await asyncio.sleep(0)
        cancelled = set(chance.sample(range(300), 150))
        for number in cancelled:
            tasks[number].cancel()
        bench.go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await blocker

        for number, result in enumerate(results):
            assert isinstance(result, asyncio.CancelledError) if number in cancelled else number == result
        assert 3 == await proxy.add(1, 2)


async def test_cancelled_before_it_was_sent(make):
    """A call that never went out is owed nothing."""
    async with make() as proxy:
        await proxy._pyroBind()
        task = asyncio.create_task(proxy.add(1, 2))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert set() == proxy._pyro.connection.calls_made
        assert 3 == await proxy.add(1, 2)


# Time-outs


async def test_timeout(make, bench, dials):
    """The error names the call; the late reply is read and dropped by its number, on the same connection."""
    async with make() as proxy:
        await proxy._pyroBind()
        proxy._pyroTimeout = 0.05
        with pytest.raises(errors.TimeoutError, match=r"no answer in time \(while calling 'wait' of 'bench'"):
            await proxy.wait("late")
        proxy._pyroTimeout = scaled(10)
        bench.go.set()

        assert ["mine", 3] == [await proxy.give("mine"), await proxy.add(1, 2)]
        assert 1 == len(dials)


async def test_a_call_that_is_dropped_does_not_time_out(make, bench, entered):
    """Nobody is told of its end, and its reply disturbs no other call."""
    loop, complaints = asyncio.get_running_loop(), []
    async with make() as proxy:
        assert 3 == await proxy.add(1, 2)
        loop.set_exception_handler(lambda _, what: complaints.append(what))
        proxy._pyroTimeout = scaled(0.4)
        dropped = proxy.wait("dropped")
        dropped.send(None)
        dropped.close()
        with pytest.raises(errors.TimeoutError):
            await proxy.wait("later")
        await entered(2)
        proxy._pyroTimeout = scaled(10)
        bench.go.set()
        assert 3 == await proxy.add(1, 2)
        gc.collect()

    assert [] == complaints


async def test_timeout_of_one_among_many(make, bench, entered):
    """Only the calls that had the time-out feel it."""
    async with make() as proxy:
        await proxy._pyroBind()
        patient = asyncio.create_task(proxy.wait("patient"))
        await entered()
        proxy._pyroTimeout = 0.05
        hasty = [asyncio.create_task(proxy.wait(number)) for number in range(5)]
        results = await asyncio.gather(*hasty, return_exceptions=True)
        proxy._pyroTimeout = None
        bench.go.set()

        assert {errors.TimeoutError} == {type(result) for result in results}
        assert "patient" == await patient


async def test_retries(make, bench, entered):
    """After a time-out the method runs again, as often as was allowed."""
    async with make() as proxy:
        await proxy._pyroBind()
        bench.go.set()
        proxy._pyroMaxRetries = 2
        assert "x" == await proxy.wait("x")
        await entered()
        bench.go.clear()
        proxy._pyroTimeout = scaled(0.4)
        with pytest.raises(errors.TimeoutError):
            await proxy.wait()
        bench.go.set()
        await entered(3)


async def test_time_for_connecting():
    """A server that says nothing is a TimeoutError after CONNECT_TIMEOUT."""
    silent = threading.Event()
    with answering(lambda sock: silent.wait(scaled(20))) as uri:
        proxy = Proxy(uri, options=client_options(connect_timeout=0.1))
        with pytest.raises(errors.TimeoutError, match=f"while connecting to {uri}"):
            await proxy.add(1, 2)

        assert (None, None) == (proxy._pyro.stream, proxy._pyro.connection)
        silent.set()


# Lost connections


async def test_lost_connection_fails_all_calls(bench):
    """Each of them, with an error that names it; the next call connects again."""
    hang_up = threading.Event()

    def serve(sock):
        accept_client(sock)
        for _ in range(3):
            receive_message(sock)
        hang_up.wait(scaled(5))

    with answering(serve) as uri:
        async with Proxy(uri, options=client_options()) as proxy:
            await proxy._pyroBind()
            tasks = [asyncio.create_task(proxy.add(number, 1)) for number in range(3)]
            await asyncio.sleep(0)
            hang_up.set()
            results = await asyncio.gather(*tasks, return_exceptions=True)

            assert {ConnectionClosedError} == {type(result) for result in results}
            assert 3 == len({id(result) for result in results})
            for result in results:
                assert f"while calling 'add' of 'obj' at {uri}; is its program still running?" in str(result)
            assert not proxy._pyro.connected


async def test_restarted_server(bench):
    """The loop hears of the end at once, so the next call already goes to the new server."""
    port = free_port()
    with serving(port=port) as daemon:
        uri = daemon.register(bench, "bench")
        proxy = Proxy(uri, options=client_options())
        assert 3 == await proxy.add(1, 2)
    while proxy._pyro.connected:
        await asyncio.sleep(0.001)
    with serving(port=port) as daemon:
        daemon.register(bench, "bench")

        assert 7 == await proxy.add(3, 4)
        await proxy._pyroRelease()


async def test_lost_connection_with_retries():
    """With a retry, all calls come through on the next connection."""
    connections = []

    def serve(sock):
        connections.append(sock)
        accept_client(sock)
        if len(connections) == 1:
            receive_message(sock)
            return
        while True:
            header = receive_message(sock)
            sock.sendall(reply_with(header.seq, b"# serpent utf-8 python3.2\n5"))

    with answering(serve) as uri:
        async with Proxy(uri, options=client_options(max_retries=1)) as proxy:
            await proxy._pyroBind()

            assert [5, 5, 5] == await asyncio.gather(*(proxy.add(1, 2) for _ in range(3)))
            assert 2 == len(connections)


@pytest.mark.parametrize("turns", range(5))
@pytest.mark.parametrize("reset", [False, True])
async def test_lost_connection_in_any_turn(turns, reset, bench):
    """With a retry all calls come through, however far the loop is with finding out."""

    bound = threading.Event()

    def serve(sock):
        accept_client(sock)
        bound.wait(scaled(5))
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with answering(serve) as uri:
        proxy = Proxy(uri, options=client_options(max_retries=1))
        await proxy._pyroBind()
        sock = proxy._pyroConnection._mover.transport.get_extra_info("socket")
        bound.set()
        # The loop is not asked meanwhile.
        assert select.select([sock], [], [], scaled(5))[0]
    with looping(Daemon(LOCAL, URI(uri).port, options=DaemonOptions(poll_timeout=0.05))) as daemon:
        daemon.register(bench, "obj")
        for _ in range(turns):
            await asyncio.sleep(0)

        assert [3, 3, 3] == await asyncio.gather(*(proxy.add(1, 2) for _ in range(3)))
        await proxy._pyroRelease()


# What servers send


async def test_replies_in_any_order():
    """Each call gets the reply with its number."""

    def serve(sock):
        accept_client(sock)
        headers = [receive_message(sock) for _ in range(5)]
        for header in reversed(headers):
            sock.sendall(reply_with(header.seq, b"# serpent utf-8 python3.2\n%d" % header.seq))
        receive_message(sock)

    with answering(serve) as uri:
        async with Proxy(uri, options=client_options()) as proxy:
            await proxy._pyroBind()

            assert [1, 2, 3, 4, 5] == await asyncio.gather(*(proxy.add(1, 2) for _ in range(5)))


@pytest.mark.parametrize("size", [1, 7, 41, 1000])
async def test_replies_in_pieces(size):
    """However the bytes are cut, the same comes out; by the long way and by the short one."""

    def serve(sock):
        accept_client(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for count in (1, 8):
            data = b""
            for _ in range(count):
                header = receive_message(sock)
                data += reply_with(header.seq, b"# serpent utf-8 python3.2\n%d" % header.seq)
            for at in range(0, len(data), size):
                sock.sendall(data[at : at + size])
        receive_message(sock)

    with answering(serve) as uri:
        async with Proxy(uri, options=client_options()) as proxy:
            assert 1 == await proxy.add(1, 2)
            assert list(range(2, 10)) == await asyncio.gather(*(proxy.add(1, 2) for _ in range(8)))


@pytest.mark.parametrize("after", [0, 1], ids=["long way", "short-cut"])
@pytest.mark.parametrize("kind", REPLIES)
async def test_replies_that_make_no_sense(kind, after):
    """They end the connection, and all its calls, with an error that says what was wrong."""
    make, text = REPLIES[kind]

    def serve(sock):
        accept_client(sock)
        for _ in range(after):
            sock.sendall(reply_with(receive_message(sock).seq, b"# serpent utf-8 python3.2\n5"))
        header = receive_message(sock)
        receive_message(sock)
        sock.sendall(make(header.seq + 1))
        receive_message(sock)

    with answering(serve) as uri:
        async with Proxy(uri, options=client_options()) as proxy:
            await proxy._pyroBind()
            for _ in range(after):
                await proxy.add(1, 2)
            results = await asyncio.gather(proxy.add(1, 2), proxy.add(3, 4), return_exceptions=True)
            for result in results:
                assert isinstance(result, ProtocolError), result
                assert text in str(result)
                assert "while calling 'add' of 'obj'" in str(result)
            assert not proxy._pyro.connected


async def test_server_of_another_kind():
    """What answers the greeting with something else is told as such."""

    def serve(sock):
        receive_message(sock)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100)
        receive_message(sock)

    with (
        answering(serve) as uri,
        pytest.raises(ProtocolError, match="not a Pyro peer"),
    ):
        await Proxy(uri, options=client_options()).add(1, 2)


# Sending


async def test_messages_of_one_turn_leave_together(make, monkeypatch):
    """The first of many calls leaves at once, the others as one piece."""
    writes = []
    real = aiostream._Mover._write

    def write(self, buffers):
        writes.append(len(buffers))
        real(self, buffers)

    monkeypatch.setattr(aiostream._Mover, "_write", write)
    async with make() as proxy:
        await proxy.add(1, 2)
        writes.clear()

        assert list(range(50)) == await asyncio.gather(*(proxy.add(number, 0) for number in range(50)))
        assert 1 == writes[0]
        assert 2 == len(writes)


async def test_server_that_does_not_read():
    """Callers wait in line rather than fill the memory; a time-out takes one out of the line."""
    silent = threading.Event()

    def serve(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        accept_client(sock)
        silent.wait(scaled(20))

    with answering(serve) as uri:
        proxy = Proxy(uri, options=client_options())
        await proxy._pyroBind()
        text = "x" * 400_000
        tasks = [asyncio.create_task(proxy.add(text)) for _ in range(40)]
        mover = proxy._pyro.stream._mover
        # The system takes a while to find that nobody reads.
        limit = deadline(5)
        while not ((mover.paused and len(mover.line) > 10) or limit.passed):
            await asyncio.sleep(0.001)

        assert mover.paused
        assert mover.transport.get_write_buffer_size() < 2_000_000
        assert 10 < len(mover.line) < 40
        proxy._pyroTimeout = 0.05
        with pytest.raises(errors.TimeoutError, match="sending: no answer in time"):
            await proxy.add(text)
        for task in tasks[5:10]:
            task.cancel()
        await asyncio.sleep(0)
        await proxy._pyroRelease()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {ConnectionClosedError, asyncio.CancelledError} == {type(result) for result in results}
        assert 5 == sum(isinstance(result, asyncio.CancelledError) for result in results)
        silent.set()


async def test_slow_server_gets_everything(make):
    """All who waited in line have their turn."""
    async with make() as proxy:
        texts = [str(number) * 300_000 for number in range(10)] * 3

        assert texts == await asyncio.gather(*(proxy.give(text) for text in texts))


# A thousand calls


@pytest.mark.parametrize("engine", ["thread", "multiplex"])
@pytest.mark.parametrize("serializer", ["serpent", "msgpack"])
async def test_a_thousand_calls(bench, engine, serializer, dials):
    """On one connection, all at once."""
    with serving(engine=engine) as daemon:
        async with Proxy(daemon.register(bench, "bench"), options=client_options(serializer=serializer)) as proxy:
            for _ in range(2):
                assert list(range(1, 1001)) == await asyncio.gather(*(proxy.add(number, 1) for number in range(1000)))
    assert 1 == len(dials)


async def test_more_calls_than_numbers(make, bench, entered):
    """A number whose reply is still outstanding is not given again."""
    async with make() as proxy:
        await proxy._pyroBind()
        task = asyncio.create_task(proxy.wait("first"))
        await entered()
        taken = proxy._pyro.sequence
        proxy._pyro.connection.sequence = taken - 1
        other = asyncio.create_task(proxy.give("second"))
        await asyncio.sleep(0)
        bench.go.set()

        assert ["first", "second"] == [await task, await other]
        assert taken + 1 == proxy._pyro.sequence


# Other ways to a daemon


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_tls(bench, certificates, host):
    """Over TLS, a thousand calls, large ones, and one after the other."""
    with serving(tls=certificates.daemon()) as daemon:
        uri = daemon.register(bench, "bench")
        where = f"PYRO:bench@{host}:{uri.port}"
        async with Proxy(where, options=client_options(tls=certificates.client(), ip_version=4)) as proxy:
            assert 3 == await proxy.add(1, 2)
            assert list(range(1000)) == await asyncio.gather(*(proxy.add(number, 0) for number in range(1000)))
            assert "x" * 3_000_000 == await proxy.give("x" * 3_000_000)
            assert proxy._pyroConnection.getpeercert()


async def test_tls_that_fails(bench, certificates):
    """An authority that is not known, and a daemon without TLS, are named as such."""
    with serving(tls=certificates.daemon()) as daemon:
        uri = daemon.register(bench, "bench")
        with pytest.raises(CommunicationError, match=r"not trusted here: .*SSL_CACERTS"):
            await Proxy(uri, options=client_options(tls=certificates.client(authorities=""))).add(1, 2)
    with serving() as daemon:
        uri = daemon.register(bench, "bench")
        with pytest.raises(ProtocolError, match="does not talk TLS"):
            await Proxy(uri, options=client_options(tls=certificates.client())).add(1, 2)


async def test_ipv6(bench):
    """An address with colons."""
    try:
        daemon = Daemon("::1", options=DaemonOptions(poll_timeout=0.05))
    except OSError:
        pytest.skip("no IPv6 here")
    with looping(daemon):
        async with Proxy(daemon.register(bench, "bench"), options=client_options()) as proxy:
            assert 3 == await proxy.add(1, 2)


async def test_key(bench, make):
    """Messages are signed with the shared key; without it the daemon refuses."""
    with serving() as daemon:
        uri = daemon.register(bench, "bench")
        daemon._pyroHmacKey = "secret"
        async with Proxy(uri, options=client_options()) as proxy:
            proxy._pyroHmacKey = "secret"

            assert [3, 4] == await asyncio.gather(proxy.add(1, 2), proxy.add(2, 2))
        stranger = Proxy(uri, options=client_options())
        with pytest.raises(SecurityError, match="set _pyroHmacKey here too"):
            await stranger.add(1, 2)


async def test_without_metadata(make, bench):
    """With METADATA off nothing is known beforehand; methods are called, attributes read and set."""
    async with make(metadata=False) as proxy:
        assert 3 == await proxy.add(1, 2)
        await proxy._pyroSet("value", 9)
        assert 9 == await proxy.value
        with pytest.raises(AttributeError, match="nope"):
            await proxy.nope()


async def test_time_is_not_spent_waiting(make):
    """Many short calls one after the other take no time-outs of the network along."""
    async with make() as proxy:
        await proxy.add(1, 2)
        began = time.monotonic()
        for _ in range(100):
            await proxy.add(1, 2)

        assert time.monotonic() - began < scaled(4)
