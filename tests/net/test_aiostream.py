"""Streams of bytes in an event loop, without anything above them."""

from __future__ import annotations

import asyncio
import gc
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from pyronb.errors import ConnectionClosedError
from pyronb.errors import TimeoutError as PyroTimeoutError
from pyronb.net.aiostream import adopt, dial
from pyronb.uri import URI
from tests.support.waiting import scaled

pytestmark = pytest.mark.usefixtures("no_leaks")


class Heard:
    """A receiver that keeps what it gets."""

    impatient = True

    def __init__(self):
        self.data = b""
        self.error = None
        self.ended = asyncio.Event()
        self.came = asyncio.Event()
        self.over = False

    def received(self, data):
        self.data += data
        self.came.set()
        return None if self.over else 0

    def lost(self, error):
        self.error = self.error or error
        self.ended.set()


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(scaled(5))
        yield made


def place_of(listener):
    return URI(f"PYRO:x@127.0.0.1:{listener.getsockname()[1]}")


async def test_both_ways(listener):
    """Bytes go out together and come in at once."""
    heard = Heard()
    stream = await dial(place_of(listener), heard, None)
    peer, _ = listener.accept()
    with peer:
        stream.send([b"one"], at_once=True)
        stream.send([b"two", memoryview(b"three")], at_once=False)
        stream.send([bytearray(100_000)], at_once=False)
        await asyncio.sleep(0)
        wanted = b"onetwothree" + bytes(100_000)

        assert wanted == await asyncio.to_thread(take, peer, len(wanted))
        peer.sendall(b"answer")
        await heard.came.wait()
        assert b"answer" == heard.data
        assert stream.local_address == peer.getpeername()
        stream.close()
        stream.close()
        await stream.closed()
        assert isinstance(heard.error, ConnectionClosedError)
        with pytest.raises(ConnectionClosedError, match="closed"):
            stream.send([b"late"], at_once=True)


async def test_more_of_what_leaves_in_this_turn(listener):
    """It is known as such in the loop's own turn and thread, as long as nobody waits for room, and leaves with it."""
    stream = await dial(place_of(listener), Heard(), None)
    peer, _ = listener.accept()
    with peer:
        assert not stream.loaded
        stream.send([b"one"], at_once=False)
        assert stream.loaded
        assert not in_another_thread(lambda: stream.loaded)
        stream.load(b"two")
        await asyncio.sleep(0)
        assert not stream.loaded
        stream.load(b"three")
        assert stream.loaded
        await asyncio.sleep(0)

        assert b"onetwothree" == await asyncio.to_thread(take, peer, 11)
        stream.send([b"last"], at_once=False)
        stream.close()
        assert not stream.loaded
        with pytest.raises(ConnectionClosedError, match="closed"):
            stream.load(b"late")
        assert b"last" == await asyncio.to_thread(take, peer, 5)
        await stream.closed()


async def test_much_that_grows_in_this_turn(listener):
    """It is not held back until the turn ends: whoever wants to send more than there is room for has to wait."""
    stream = await dial(place_of(listener), Heard(), None)
    peer, _ = listener.accept()
    with peer:
        stream.send([b"x"], at_once=False)
        pieces = 0
        while not stream.crowded and pieces < 1000:
            stream.load_later(lambda: [bytes(100_000)])
            pieces += 1
        assert stream.crowded
        assert stream._mover.held_size <= 100_000
        stream._mover.flush()
        await asyncio.to_thread(swallow, peer, 1 + pieces * 100_000)
        stream.close()
        await stream.closed()


def in_another_thread(ask):
    """Ask in another thread, without a turn of the loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result(scaled(5))


def swallow(peer, size):
    peer.settimeout(scaled(5))
    while size > 0:
        size -= len(peer.recv(1 << 20))


def take(peer, size):
    peer.settimeout(scaled(5))
    return peer.recv(size, socket.MSG_WAITALL)


async def test_peer_that_hangs_up(listener):
    """The receiver hears of it at once."""
    heard = Heard()
    stream = await dial(place_of(listener), heard, None)
    listener.accept()[0].close()
    await asyncio.wait_for(heard.ended.wait(), scaled(5))

    assert "closed the connection" in str(heard.error)
    await stream.closed()


async def test_hanging_up_is_told_before_it_is_done(listener):
    """The receiver hears of the end at once, and who wants to send until the loop has closed the connection waits."""
    heard = Heard()
    stream = await dial(place_of(listener), heard, None)
    seen = []

    async def send():
        seen.append((stream.crowded, stream._mover.gone))
        await stream.turn(None)
        seen.append((stream.crowded, stream._mover.gone))
        stream.send([b"late"], at_once=True)

    sending = asyncio.get_running_loop().create_future()
    lost = heard.lost

    def hear(error):
        lost(error)
        if not sending.done():
            sending.set_result(asyncio.create_task(send()))

    heard.lost = hear
    listener.accept()[0].close()
    with pytest.raises(ConnectionClosedError, match="closed"):
        await (await sending)

    assert [(True, False), (False, True)] == seen
    await stream.closed()


async def test_receiver_that_has_enough(listener):
    """When the conversation is over, so is the connection."""
    heard = Heard()
    heard.over = True
    stream = await dial(place_of(listener), heard, None)
    peer, _ = listener.accept()
    with peer:
        peer.sendall(b"x")
        await asyncio.wait_for(stream.closed(), scaled(5))


async def test_nobody_there(listener):
    """The error names the address."""
    place = place_of(listener)
    listener.close()
    with pytest.raises(ConnectionClosedError, match=f"cannot connect to {place}"):
        await dial(place, Heard(), None)
    with pytest.raises(ConnectionClosedError, match="cannot connect to PYRO:x@"):
        await dial(URI("PYRO:x@no-such-host.invalid:1"), Heard(), None)


async def test_dropped(listener):
    """A stream that is dropped closes its connection."""
    stream = await dial(place_of(listener), Heard(), None)
    peer, _ = listener.accept()
    with peer:
        del stream
        gc.collect()
        peer.settimeout(scaled(5))

        assert b"" == await asyncio.to_thread(peer.recv, 1)


def test_loop_that_ends(listener):
    """What is still open then is closed, without warnings."""
    kept = []

    async def use():
        kept.append(await dial(place_of(listener), Heard(), None))

    asyncio.run(use())
    peer, _ = listener.accept()
    with peer:
        peer.settimeout(scaled(5))
        assert b"" == peer.recv(1)


def test_loop_that_is_only_closed(listener):
    """A loop that nobody shuts down properly is no reason to fail later."""
    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(dial(place_of(listener), Heard(), None))
    stream.close()
    loop.run_until_complete(stream.closed())
    loop.close()
    del stream
    gc.collect()


async def test_closing_does_not_wait_for_ever(listener):
    """A peer that does not read what was sent is left after a moment."""
    stream = await dial(place_of(listener), Heard(), None)
    peer, _ = listener.accept()
    with peer:
        stream.send([bytes(20_000_000)], at_once=True)
        stream.close()
        await asyncio.wait_for(stream.closed(), scaled(10))


async def test_waiting_for_room(listener):
    """Whoever wants to send while the peer does not read waits until a moment; then it is the next one's turn."""
    stream = await dial(place_of(listener), Heard(), None)
    peer, _ = listener.accept()
    with peer:
        stream.send([bytes(20_000_000)], at_once=True)
        assert stream.crowded
        patient = asyncio.create_task(stream.turn(stream.loop.time() + scaled(30)))
        with pytest.raises(PyroTimeoutError, match="sending: no answer in time"):
            await stream.turn(stream.loop.time() + 0.01)
        assert not patient.done()
        await asyncio.to_thread(swallow, peer, 20_000_000)
        await asyncio.wait_for(patient, scaled(10))

        assert not stream.crowded
        stream.close()
        await stream.closed()


async def test_given_socket():
    """It stays open, and blocks as it did, when the stream is closed."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(3)
        heard = Heard()
        stream = await adopt(ours, heard)
        theirs.sendall(b"hello")
        await heard.came.wait()
        stream.close()
        await stream.closed()

        assert b"hello" == heard.data
        assert 3 == ours.gettimeout()
        ours.sendall(b"still there")
        assert b"still there" == theirs.recv(99)


async def test_given_socket_that_is_closed():
    """It cannot be used, and the error says so."""
    sock = socket.socket()
    sock.close()
    with pytest.raises(ConnectionClosedError, match="cannot use the given socket"):
        await adopt(sock, Heard())
