"""ReceiveBuffer: chunks in, exact pieces out. Block: one large message, in its own memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.wire.buffer import Block, ReceiveBuffer

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.binary(max_size=20)),
        st.tuples(st.just("take"), st.integers(0, 60)),
        st.tuples(st.just("peek"), st.integers(0, 60)),
        st.tuples(st.just("clear"), st.none()),
    ),
    max_size=60,
)


@given(STEPS)
def test_behaves_as_a_bytearray(steps):
    """Whatever is fed, looked at and taken in whatever order: it is what a plain row of bytes would give."""
    buffer, model = ReceiveBuffer(), bytearray()
    for step, what in steps:
        if step == "feed":
            buffer.feed(what)
            model += what
        elif step == "clear":
            buffer.clear()
            model.clear()
        elif what > len(model):
            with pytest.raises(IndexError):
                getattr(buffer, step)(what)
        else:
            piece = getattr(buffer, step)(what)

            assert bytes(model[:what]) == piece
            assert type(piece) is bytes
            if step == "take":
                del model[:what]

        assert len(model) == len(buffer)
    assert bytes(model) == buffer.take(len(model))


def test_a_piece_that_is_one_chunk_is_not_copied():
    """A large payload that arrived as one chunk is handed out as it is."""
    buffer, chunk = ReceiveBuffer(), bytes(100_000)
    buffer.feed(chunk)

    assert buffer.take(len(chunk)) is chunk


def test_a_look_leaves_everything_there():
    """Looking joins chunks, and the bytes behind them keep their order."""
    buffer = ReceiveBuffer()
    for chunk in (b"ab", b"cd", b"efgh"):
        buffer.feed(chunk)
    buffer.take(1)

    assert b"bcde" == buffer.peek(4)
    assert b"bcdefgh" == buffer.take(7)
    assert 0 == len(buffer)


@pytest.mark.parametrize("size", [1, 1000, 3_000_000])
@pytest.mark.parametrize("step", [1, 7, 999_999])
def test_a_block_takes_any_chunks(size, step):
    """Bytes go to their place; those beyond are given back."""
    if size // step > 100_000:
        step = 4099
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size] + b"beyond"
    block = Block(size)
    beyond = b""
    for at in range(0, len(data), step):
        beyond += block.feed(data[at : at + step])

    assert 0 == block.missing
    assert b"beyond" == beyond
    assert data[:size] == bytes(block.take())


def test_a_block_can_be_received_into():
    """Its memory is filled from outside, in pieces."""
    block = Block(10)
    block.rest[:4] = b"abcd"
    block.filled(4)
    assert 6 == block.missing == len(block.rest)
    assert b"" == block.feed(b"efg")
    block.rest[:] = b"hij"
    block.filled(3)

    assert b"abcdefghij" == bytes(block.take())
    assert not block.take().readonly
