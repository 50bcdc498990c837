"""Streams that never wait."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.errors import ConnectionClosedError
from pyronb.net.ready import ReadyStream
from tests.support.waiting import deadline, scaled


@pytest.fixture
def pair():
    """Give a stream and the socket at its other end."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(scaled(5))
    stream = ReadyStream(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


def read(stream, theirs, size):
    """Read so many bytes while the stream flushes what it has kept."""
    got, limit = bytearray(), deadline(10)
    while len(got) < size:
        assert not limit.passed
        stream.flush()
        got += theirs.recv(1 << 20)
    return bytes(got)


def test_receiving(pair):
    """None while there is nothing, bytes when there are, and an error at the end."""
    stream, theirs = pair
    assert stream.receive_now() is None
    theirs.sendall(b"abc")
    assert stream.receive_now() == b"abc"
    assert stream.receive_now(missing=100) is None
    theirs.close()
    with pytest.raises(ConnectionClosedError):
        stream.receive_now()


def test_small_things_leave_at_once(pair):
    """Nothing is kept of them."""
    stream, theirs = pair
    stream.say([b"abc"])
    stream.say([b"d", bytearray(b"e"), memoryview(b"f")])
    stream.say([])
    stream.say([b""])

    assert stream.unsent == 0
    assert theirs.recv(100) == b"abcdef"


def test_what_is_not_read_is_kept(pair):
    """In order, until it can be sent; what is said meanwhile comes behind it."""
    stream, theirs = pair
    large = bytes(range(256)) * 20_000
    stream.say([large])
    kept = stream.unsent
    assert 0 < kept <= len(large)
    assert stream.flush() == 0
    stream.say([b"tail", b"end"])
    assert stream.unsent == kept + 7

    assert read(stream, theirs, len(large) + 7) == large + b"tailend"
    assert stream.unsent == 0


def test_what_is_kept_is_the_streams_own(pair):
    """A buffer that its owner writes to afterwards arrives as it was."""
    stream, theirs = pair
    buffer = bytearray(b"a" * 5_000_000)
    stream.say([b"head", buffer])
    buffer[:] = b"b" * len(buffer)

    assert read(stream, theirs, 4 + len(buffer)) == b"head" + b"a" * len(buffer)


@given(st.lists(st.lists(st.binary(max_size=3000), max_size=5), max_size=20))
def test_any_buffers_arrive_in_order(messages):
    """However they are cut."""
    ours, theirs = socket.socketpair()
    stream = ReadyStream(ours)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with theirs:
        for message in messages:
            stream.say(message)
        expected = b"".join(map(b"".join, messages))

        assert read(stream, theirs, len(expected)) == expected
        stream.close()


def test_a_peer_that_is_gone_is_an_error(pair):
    """For sending at once and for sending later."""
    stream, theirs = pair
    stream.say([b"x" * 5_000_000])
    theirs.close()
    with pytest.raises(ConnectionClosedError):
        stream.flush()
    with pytest.raises(ConnectionClosedError):
        stream.say([b"more"])
