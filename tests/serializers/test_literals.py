"""Texts that are literals, and texts that only look like it."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.errors import SerializeError
from pyronb.serializers.literals import parse

PADDING = "[" + "0," * 2000

ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.binary()
)
VALUES = st.recursive(
    ATOMS, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
)


@given(VALUES)
def test_long_literals_pass(value: Any) -> None:
    """What Python writes for a value is read, also in a text that is long enough to be looked through."""
    assert [0] * 2000 + [value] == parse(f"{PADDING}{value!r}]")


@pytest.mark.parametrize(
    "text", ["1e30000", "-1e30000", "(1e30000-2.0j)", "(-0.0+1e-05j)", "{1,2}", "'a' 'b'", "1_0", ".5", "# c\n1"]
)
def test_other_literals_pass(text: str) -> None:
    """Forms that serpent's writers in other languages use are read too."""
    assert parse(text) == parse(f"{PADDING}{text}]")[-1]


@pytest.mark.parametrize(
    "text",
    [
        "1+1+1j",
        "--1",
        "a.b",
        "__import__('os')",
        "lambda: 0",
        "not 1",
        "1 if 1 else 2",
        "f'{1}'",
        "'''a'''",
        '"""a"""',
        "0x10",
        "Truex",
        "1 2j",
        "[1][0]()",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """Operators, names and calls are refused before Python's parser sees them."""
    with pytest.raises((SerializeError, ValueError, SyntaxError)):
        parse(f"{PADDING}{text}.x]")
    if text not in ("[1][0]()", "1 2j"):
        with pytest.raises(SerializeError, match="something else than a literal"):
            parse(f"{PADDING}{text}]")


@pytest.mark.parametrize("link", ["1+", "-", "not ", "a.", "1**", "lambda:", "a[0]", "(", "[", "{1:", "'''' ''' +1"])
def test_chains_are_refused(link: str) -> None:
    """Long chains, at which Python's parser may give up the ghost, are refused quickly."""
    with pytest.raises((SerializeError, SyntaxError, MemoryError)):
        parse(link * 200_000 + "1")


def test_threads_parse_at_the_same_time() -> None:
    """Whatever the garbage collector runs in between, also the parser in another thread."""
    value = [["x", 1, (2, 3)]] * 20
    text = repr(value)
    parsed = []

    class Garbage:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            thread = threading.Thread(target=lambda: parsed.append(parse("[1, [2]]")))
            thread.start()
            thread.join()

    before = gc.get_threshold()
    gc.collect()
    try:
        for allocations in range(20, 200, 20):
            Garbage()
            gc.set_threshold(allocations)
            assert value == parse(text)
            gc.set_threshold(0)
            gc.collect()
    finally:
        gc.set_threshold(*before)
    assert [[1, [2]]] * 9 == parsed
