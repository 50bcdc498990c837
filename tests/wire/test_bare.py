"""Bare messages: found in whatever arrives, and never taken for what they are not."""

from __future__ import annotations

from pyronb.wire.bare import BARE_SIZE, bare_bytes, bare_head, bares_in, pack_bare
from pyronb.wire.message import RESULT, Message
from tests.support.pair import joined
from tests.support.serving import LAYOUT

HEAD = bare_head(RESULT, 4)
HEADS = frozenset({HEAD})


def test_same_as_the_layout():
    """The bytes are those that the layout gives."""
    message = Message(RESULT, 4, 0, 7, b"abc")

    assert joined(LAYOUT.pack(message)) == pack_bare(HEAD, 7, b"abc") == bare_bytes(message)


def test_many_at_once():
    """All whole ones are found, and where the rest begins."""
    first, second = pack_bare(HEAD, 1, b"one"), pack_bare(HEAD, 2, b"")
    data = first + second + first[:-1]

    spans = [(1, 0, len(first)), (2, len(first), len(first + second))]

    assert (spans, len(first + second), True) == bares_in(data, HEADS, 9)
    assert b"one" == data[BARE_SIZE : len(first)]


def test_where_it_stops():
    """At another head, at annotations, at a payload that is too large and at foreign bytes; more of them is no help."""
    good = pack_bare(HEAD, 1, b"one")
    annotated = joined(LAYOUT.pack(Message(RESULT, 4, 0, 2, b"x", {"ABCD": b"y"})))
    others = [
        pack_bare(bare_head(RESULT, 1), 2, b"x"),
        annotated,
        pack_bare(HEAD, 2, b"0123456789"),
        b"x" * 99,
        b"HTTP",
    ]

    for other in others:
        assert ([(1, 0, len(good))], len(good), False) == bares_in(good + other, HEADS, 9)
    assert ([], 0, False) == bares_in(b"", HEADS, 9)


def test_beginnings():
    """Every beginning of a bare message may become one."""
    good = pack_bare(HEAD, 1, b"one")

    for size in range(1, len(good)):
        assert ([], 0, True) == bares_in(good[:size], HEADS, 9)
