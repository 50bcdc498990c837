"""deflate and inflate: one zlib stream, with a ceiling."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.errors import MessageTooLargeError, ProtocolError
from pyronb.wire.compression import deflate, inflate

# Wire specification, section 6.
CAPTURE = bytes.fromhex(
    "785e5356284e2d2a48cd2b51282d49d3b55028a82cc9c8cf33d633e2d250cf4fca52d7512f4a4d2e53d7d1504f1c054403751d4d9dea5a4d"
    "007ab68043"
)
PLAIN = b"# serpent utf-8 python3.2\n('obj','recv',('" + b"a" * 300 + b"',),{})"


def test_reads_the_capture():
    """What a real Pyro5 compressed comes out."""
    assert PLAIN == inflate(CAPTURE, 0)


def test_writes_the_capture():
    """At Pyro5's level the same bytes come out as from a real Pyro5."""
    assert CAPTURE == deflate(PLAIN, 4)


@given(st.binary(max_size=2000), st.integers(-1, 9))
def test_round_trip(data, level):
    """Whatever the level, the bytes come back, and just fit into their own size as limit."""
    assert data == inflate(deflate(data, level), 0)
    assert data == inflate(deflate(data, level), len(data))


@pytest.mark.parametrize("over", [1, 2, 1000])
def test_too_much_is_refused(over):
    """More than the limit does not come out."""
    with pytest.raises(MessageTooLargeError, match="MAX_MESSAGE_SIZE"):
        inflate(deflate(bytes(5000 + over), 4), 5000)


def test_zip_bomb_is_not_inflated():
    """A small payload that would become huge costs little more than the limit."""
    bomb = zlib.compress(bytes(20_000_000), 9)
    tracemalloc.start()
    try:
        with pytest.raises(MessageTooLargeError):
            inflate(bomb, 100_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


@given(st.binary(max_size=200))
def test_other_bytes_are_a_protocol_error(data):
    """Bytes that are no stream raise ProtocolError and nothing else."""
    try:
        inflate(data, 1000)
    except ProtocolError:
        pass
    else:
        assert zlib.decompressobj().decompress(data) is not None


@pytest.mark.parametrize("size", range(0, len(CAPTURE), 7))
def test_truncated(size):
    """A stream without its end is refused."""
    with pytest.raises(ProtocolError, match=r"truncated|inflated"):
        inflate(CAPTURE[:size], 0)
