"""SocketStream over pairs of sockets, and dialling."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import threading
import time

import pytest

from pyronb import errors
from pyronb.errors import ConnectionClosedError
from pyronb.net.deadline import after
from pyronb.net.stream import SocketStream, dial
from pyronb.uri import URI
from tests.support.fix_leaks import open_sockets
from tests.support.waiting import deadline, eventually, scaled

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def pair():
    """Give a stream and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(scaled(5))
    stream = SocketStream(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


@contextlib.contextmanager
def elsewhere(work):
    """Run something in a thread while the block runs; what it raised is raised here."""
    failed = []

    def run():
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    thread.join(scaled(10))
    assert not thread.is_alive()
    if failed:
        raise failed[0]


def read(sock, count):
    """Read so many bytes from a bare socket."""
    data = bytearray()
    while len(data) < count and (piece := sock.recv(1 << 16)):
        data += piece
    return bytes(data)


@contextlib.contextmanager
def listening():
    """Give the URI of a socket that listens and accepts nobody by itself, and that socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(scaled(5))
        yield URI(f"PYRO:x@127.0.0.1:{server.getsockname()[1]}"), server


# Receiving


def test_receive(pair):
    """What is there is given."""
    stream, theirs = pair
    theirs.sendall(b"hello")

    assert b"hello" == stream.receive()
    theirs.sendall(b"again")
    assert b"again" == stream.receive(after(5))


def test_receive_deadline(pair):
    """Nothing in time is a TimeoutError, at about that time, and the stream goes on."""
    stream, theirs = pair
    began = time.monotonic()
    with pytest.raises(errors.TimeoutError, match="receiving: no answer in time") as caught:
        stream.receive(after(0.05))

    assert time.monotonic() - began < scaled(10)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.__cause__ is not None
    theirs.sendall(b"late")
    assert b"late" == stream.receive(after(5))


def test_deadline_that_has_passed(pair):
    """What is there already is given all the same; else it is a TimeoutError at once."""
    stream, theirs = pair
    theirs.sendall(b"here")

    assert b"here" == stream.receive(time.monotonic() - 1)
    with pytest.raises(errors.TimeoutError):
        stream.receive(time.monotonic() - 1)


def test_receive_without_an_end(pair):
    """An infinite deadline waits."""
    stream, theirs = pair
    theirs.sendall(b"x")

    assert b"x" == stream.receive(after(float("inf")))


def test_receive_within(pair):
    """A moment without bytes is no error."""
    stream, theirs = pair

    assert stream.receive_within(0.01) is None
    theirs.sendall(b"x")
    assert b"x" == stream.receive_within(5)


def test_closed_by_the_peer(pair):
    """It is an error that is also a ConnectionError; bytes that came before are given first."""
    stream, theirs = pair
    theirs.sendall(b"last")
    theirs.close()

    assert b"last" == stream.receive()
    with pytest.raises(ConnectionClosedError, match="the peer closed the connection") as caught:
        stream.receive()
    assert isinstance(caught.value, ConnectionError)


def test_large_pieces(pair):
    """When much is known to come, much is read at once."""
    stream, theirs = pair
    size = 3_000_000
    with elsewhere(lambda: theirs.sendall(bytes(size))):
        got, reads = 0, 0
        while got < size:
            got += len(stream.receive(after(scaled(5)), missing=size - got))
            reads += 1

    assert size == got
    assert reads < size / 1000


def test_reset_by_the_peer():
    """A connection that broke is a ConnectionClosedError, from the cause."""
    with listening() as (uri, server):
        stream = dial(uri, after(5))
        theirs, _ = server.accept()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        theirs.close()
        with pytest.raises(ConnectionClosedError) as caught:
            stream.receive(after(scaled(5)))
        stream.close()

    assert isinstance(caught.value.__cause__, OSError | None)


# Sending


@pytest.mark.parametrize(
    "buffers",
    [
        [b""],
        [],
        [b"one"],
        [b"one", b"", b"two"],
        [bytearray(b"ab"), memoryview(b"cd"), b"ef"],
        [memoryview(b"abcdefgh").cast("H"), b"x"],
        [memoryview(b"abcdefgh").cast("I")],
        [bytes([number % 256]) for number in range(1000)],
    ],
    ids=range(8),
)
def test_buffers(pair, buffers):
    """They arrive one after the other, of whatever kind and number they are."""
    stream, theirs = pair
    expected = b"".join(bytes(buffer) for buffer in buffers)
    stream.send(buffers)

    assert expected == read(theirs, len(expected))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("limit", [None, 30.0])
def test_large_sends(pair, count, limit):
    """More than the system takes at once goes in several writes, and nothing is lost."""
    stream, theirs = pair
    buffers = [os.urandom(2_000_000) for _ in range(count)]
    received = []
    with elsewhere(lambda: received.append(read(theirs, 2_000_000 * count))):
        stream.send(buffers, None if limit is None else after(limit))

    assert b"".join(buffers) == received[0]


def test_peer_that_does_not_read(pair):
    """Sending ends with the deadline."""
    stream, _ = pair
    began = time.monotonic()
    with pytest.raises(errors.TimeoutError, match="sending: no answer in time"):
        stream.send([bytes(50_000_000)], after(0.05))

    assert time.monotonic() - began < scaled(5)


@pytest.mark.parametrize("sizes", [(3,), (5_000_000,), (1, 5_000_000, 0, 7, 5_000_000)])
def test_sending_for_a_moment(pair, sizes):
    """What the peer does not take is kept, and goes out with the next attempts, in order."""
    stream, theirs = pair
    buffers = [bytearray(os.urandom(size)) for size in sizes]
    expected = b"".join(buffers)
    done = stream.send_within(0.01, buffers)
    assert done is (sum(sizes) < 1000)
    assert stream.unfinished is not done
    assert done or not stream.send_within(0.001)
    for buffer in buffers:
        buffer[:] = bytes(len(buffer))  # it is the owner's again
    received = []
    with elsewhere(lambda: received.append(read(theirs, len(expected)))):
        while not done:
            done = stream.send_within(0.01)

    assert expected == received[0]
    assert not stream.unfinished
    assert stream.send_within(0.01)


def test_sending_without_time(pair):
    """What the system takes at once goes out, several buffers too; the rest when there is room for it."""
    stream, theirs = pair
    assert stream.send_within(0, [b"a", b"", b"b"])
    assert b"ab" == read(theirs, 2)
    assert not stream.send_within(0, [bytes(10_000_000)])
    received = []
    with elsewhere(lambda: received.append(read(theirs, 10_000_001))):
        done = stream.send_within(0, [b"c"])
        while not done:
            done = stream.send_within(0)

    assert bytes(10_000_000) + b"c" == received[0]


def test_sending_for_a_moment_to_nobody(pair):
    """The connection is gone."""
    stream, theirs = pair
    theirs.close()
    with pytest.raises(ConnectionClosedError, match="sending: Broken pipe"):
        for _ in range(100):
            stream.send_within(0.01, [bytes(100_000)])


def test_stalled_peer():
    """Without a deadline, a peer that takes nothing for too long is given up; one that is slow is not."""
    ours, theirs = socket.socketpair()
    stream = SocketStream(ours, stall=scaled(0.2))
    theirs.settimeout(scaled(5))
    size, received = 3_000_000, []

    def read_slowly():
        pause = threading.Event()
        while sum(map(len, received)) < size:
            received.append(theirs.recv(100_000))
            pause.wait(0.01)

    try:
        with elsewhere(read_slowly):
            stream.send([bytes(size), b""])
        with pytest.raises(errors.TimeoutError):
            stream.send([bytes(50_000_000)])
    finally:
        stream.close()
        theirs.close()


def test_sending_to_nobody(pair):
    """A connection that is gone is a ConnectionClosedError, not a signal or an OSError."""
    stream, theirs = pair
    theirs.close()
    with pytest.raises(ConnectionClosedError, match="sending: Broken pipe"):
        for _ in range(100):
            stream.send([bytes(100_000)], after(5))


# Ending


def test_close(pair):
    """The peer sees the end; closing again does nothing; a closed stream says so."""
    stream, theirs = pair
    stream.close()
    stream.close()

    assert b"" == theirs.recv(1)
    for use in (lambda: stream.send([b"x"]), stream.receive):
        with pytest.raises(ConnectionClosedError):
            use()


def test_dropped_stream_closes(pair):
    """A stream that nobody holds gives its descriptor back, without a warning."""
    ours, theirs = socket.socketpair()
    stream = SocketStream(ours)
    del ours, stream
    gc.collect()
    theirs.settimeout(scaled(5))

    assert b"" == theirs.recv(1)
    theirs.close()


@pytest.mark.parametrize("end", [SocketStream.close, lambda stream: stream.__del__()])
def test_somebody_elses_socket_stays_open(end):
    """Closing or dropping the stream leaves it as it is."""
    ours, theirs = socket.socketpair()
    stream = SocketStream(ours, keep_open=True)
    end(stream)
    del stream
    gc.collect()
    ours.sendall(b"still here")

    assert b"still here" == theirs.recv(100)
    ours.close()
    theirs.close()


def test_shutdown_wakes_who_waits(pair):
    """From another thread, at once."""
    stream, _ = pair
    failed = []

    def wait():
        try:
            stream.receive(after(scaled(20)))
        except ConnectionClosedError as error:
            failed.append(error)

    began = time.monotonic()
    with elsewhere(wait):
        stream.shutdown()

    assert 1 == len(failed)
    assert time.monotonic() - began < scaled(10)


def test_finish_sending(pair):
    """The peer sees the end and can still be heard."""
    stream, theirs = pair
    stream.finish_sending()

    assert b"" == theirs.recv(1)
    theirs.sendall(b"bye")
    assert b"bye" == stream.receive()


def test_endings_of_a_dead_socket(pair):
    """They are quiet."""
    stream, theirs = pair
    theirs.close()
    stream.close()
    stream.shutdown()
    stream.finish_sending()


# Dialling


def test_dial():
    """Connected, small messages leave at once, and a dead peer is noticed some day."""
    with listening() as (uri, server):
        for nodelay in (True, False):
            stream = dial(uri, after(5), nodelay=nodelay)
            theirs, _ = server.accept()
            options = [
                stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            ]

            assert [True, nodelay] == [bool(option) for option in options]
            stream.close()
            theirs.close()


def test_dialled_streams_wait(pair):
    """The limit for connecting is none for what comes after."""
    with listening() as (uri, server):
        stream = dial(uri, after(0.05))
        theirs, _ = server.accept()
        threading.Timer(0.1, theirs.sendall, (b"x",)).start()

        assert b"x" == stream.receive()
        stream.close()
        theirs.close()


@pytest.mark.parametrize("limit", [None, 5.0, -1.0])
def test_refused(limit):
    """Nobody listens: the error names the address."""
    with listening() as (uri, _):
        pass
    with pytest.raises(ConnectionClosedError, match=rf"cannot connect to {uri}: Connection refused"):
        dial(uri, None if limit is None else after(limit))


@pytest.mark.parametrize(
    "place",
    [
        "no-such-host.invalid:9",
        "a..b:9",
        "a" * 70 + ":9",
        "host\0name:9",
        "./u:/no/such/socket",
        "./u:" + "x" * 300,
        "./u:/tmp/nul\0inside",
        "<<connected-socket>>:0",
    ],
    ids=range(8),
)
def test_nowhere(place):
    """Whatever is wrong with the address, it is a ConnectionClosedError that names it."""
    with pytest.raises(ConnectionClosedError) as caught:
        dial(URI(f"PYRO:x@{place}"), after(scaled(10)))

    assert f"cannot connect to PYRO:x@{place}" in str(caught.value)
    assert caught.value.__cause__ is not None


def test_dial_deadline():
    """A peer that does not even accept is given up in time."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        uri = URI(f"PYRO:x@127.0.0.1:{server.getsockname()[1]}")
        waiting, began = [], time.monotonic()
        # The queue of a listening socket holds one or two; then the system drops what comes.
        with pytest.raises(errors.TimeoutError, match=rf"cannot connect to {uri}: no answer in time"):
            while len(waiting) < 20:
                waiting.append(dial(uri, after(scaled(0.2))))
        for stream in waiting:
            stream.close()

    assert time.monotonic() - began < scaled(10)


def test_unix_sockets(tmp_path):
    """They are dialled by their path."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        stream = dial(URI(f"PYRO:x@./u:{path}"), None)
        theirs, _ = server.accept()
        stream.send([b"x"])

        assert b"x" == theirs.recv(1)
        stream.close()
        theirs.close()


def test_unix_socket_that_nobody_accepts_at(tmp_path):
    """The deadline holds there too, also one that has passed."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(0)
        waiting, limit = [], deadline(5)
        with pytest.raises(errors.TimeoutError, match="cannot connect"):
            while not limit.passed:
                waiting.append(dial(URI(f"PYRO:x@./u:{path}"), after(-1)))
        for stream in waiting:
            stream.close()


def test_nothing_leaks():
    """The descriptors of all that was dialled and dropped are given back."""
    with listening() as (uri, server):
        count = len(open_sockets())
        for _ in range(20):
            dial(uri, after(5))
            server.accept()[0].close()

        assert eventually(lambda: len(open_sockets()) <= count)
