"""ReceiveBuffer: chunks in, exact pieces out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.wire.buffer import ReceiveBuffer

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
