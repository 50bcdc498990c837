"""The fast way through serpent gives what the general way gives, or says that it cannot tell."""

from __future__ import annotations

import contextlib
import math
import string
from typing import Any

import pytest
import serpent
from hypothesis import given
from hypothesis import strategies as st

from pyronb.dialects import PYRO5
from pyronb.options import WireOptions
from pyronb.serializers import nearlyjson
from pyronb.serializers.catalog import Catalog
from pyronb.serializers.literals import parse
from pyronb.serializers.nearlyjson import UNKNOWN, read, write

ATOMS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.text("ab'\"\\\n\x01é😀"))
KEYS = st.one_of(st.text(), st.integers(), st.tuples(st.text(), st.integers()), st.booleans(), st.floats())
VALUES = st.recursive(
    ATOMS | st.binary() | st.complex_numbers(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(KEYS, inner)
        | st.sets(KEYS)
    ),
)
# What texts are damaged with: the words of either language, and what stands between words.
PIECES = st.sampled_from(
    [
        *string.punctuation,
        *string.digits,
        *" \t\r\n\f\0\x01\xa0\ufeff\u0661",
        *("true", "false", "null", "NaN", "Infinity", "True", "False", "None", "1e400", "-0", "01", "1_0", "0x1"),
        *(",)", "(,)", "()", "(1)", "( 1 , )", "((1))", "[1,]", "'''", "''", "'a' 'b'", "b'a'", "u'a'", "# x\n"),
        *("\\u0001", "\\x01", "\\1", "\\ud83d\\ude00", "\\U0001f600", "\\U00110000", "\\N{DASH}", "\\b", "\\/", "\\\n"),
        *("{'\\x01':[1]}", "{'\x01':[1]}", '"it\'s"', "'\\''", "'\"'"),
    ]
)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same in type, sign and order, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    return repr(one) == repr(other)


@given(VALUES)
def test_texts_of_serpent(value: Any) -> None:
    """What the package or Python writes for a value is read as Python's parser reads it."""
    texts = [repr(value)]
    with contextlib.suppress(TypeError, UnicodeEncodeError):  # a key, or a character, that serpent cannot write
        texts.append(serpent.dumps(value, bytes_repr=True).decode())
    for text in texts:
        fast = read(text)
        if fast is not UNKNOWN:
            assert same(parse(text), fast)


@given(VALUES, st.lists(st.tuples(st.integers(min_value=0), st.integers(0, 2), PIECES), min_size=1, max_size=3))
def test_damaged_texts(value: Any, changes: list[tuple[int, int, str]]) -> None:
    """Nothing is read that Python's parser would refuse or read otherwise."""
    text = repr(value)
    for at, drop, piece in changes:
        at %= len(text) + 1
        text = text[:at] + piece + text[at + drop :]
    fast = read(text)
    if fast is not UNKNOWN:
        assert same(parse(text), fast)


@given(VALUES)
def test_written_as_serpent_means_it(value: Any) -> None:
    """What is written means what the package would have written."""
    text = write(value)
    if text is not UNKNOWN:
        assert same(parse(serpent.dumps(value, bytes_repr=True).decode("utf-8", "replace")), parse(text))


@pytest.mark.parametrize(
    "value",
    [
        None,
        -1.5,
        "it's",
        ("obj", "echo", ((1, "a"), [None, True, False]), {"key": {"k": [1e-7, 10**30]}}),
        {"say": 'a "word"', "path": "C:\\temp\n", "wide": "é😀\x7f\u2028"},
        [(), (1,), (1, 2), ((),), [[]], {}],
        [["deep"] * 3] * 3,
        [(i, str(i)) for i in range(1000)],
    ],
)
def test_usual_values_are_fast(value: Any) -> None:
    """The values that fill most messages do take the fast way, in both directions."""
    text = write(value)

    assert text is not UNKNOWN
    assert same(value, read(text))
    assert same(value, read(serpent.dumps(value).decode().partition("\n")[2]))


@pytest.mark.parametrize(
    "text",
    [
        *("true", "false", "null", "[null]", "NaN", "-Infinity", "[1 2]", "1 ", "\n 1", " 1", "01", "1_0", "+1", "0x1"),
        *("[1,]", "(,)", "((,),)", "{1:2}", "{1,2}", "b''", "'a' 'b'", "'a''b'", "# c\n1", "1 # c", "1j", "'''a'''"),
        *(r"'\1'", r"'\x01'", r"'\u0001'", r"'\N{DASH}'", r"'\b'", r"'\/'", r"'\ud83d\ude00'", r"'\U00110000'"),
        *(r""""\''""", r"""'\"" """, r"""["\',']"""),
        *(
            "'\t'",
            "'\0'",
            "'\x01'",
            "'a",
            "",
            '"',
            "(]}",
            "[(]},{'a':[)]",
            "(1],'b':[2)",
            "{'b':[)",
            "(1",
            "[1)",
            "__import__('os')",
            "[" * 200 + "]" * 200,
        ),
    ],
)
def test_unsure(text: str) -> None:
    """What json and Python may understand differently is left to Python's parser."""
    assert read(text) is UNKNOWN


def test_brackets_make_no_tuple() -> None:
    """A value in brackets is that value."""
    assert [1, (1,), (1, 2), (1, 2), ()] == read("[(1),(1,),(1,2),(1,2,),()]")


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], {None: 1}, {(1,): 1}, {1}, b"", 1j, object()])
def test_left_to_serpent(value: Any) -> None:
    """What has no literal, or not the one of its repr, is left to the package."""
    assert write(value) is UNKNOWN


def test_subclasses_are_left_to_serpent() -> None:
    """The repr of a subclass may be anything."""

    class Name(str):
        __slots__ = ()

        def __repr__(self) -> str:
            return "__import__('os')"

    for value in (Name("a"), [Name("a")], {Name("a"): 1}, {"a": (1, Name("a"))}):
        assert write(value) is UNKNOWN


def test_values_inside_themselves_are_left_to_serpent() -> None:
    """There the repr has three dots."""
    value: list[Any] = [1]
    value.append({"me": value})

    assert write(value) is UNKNOWN


@pytest.mark.parametrize("value", [[1, ("a", None)], {"__class__": "float", "value": "nan"}, {"a": [1.5, "é'\n"]}, {1}])
def test_either_way_through_the_serializer(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fast ways switched off the serializer gives the same."""
    serializer = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("serpent")
    written = serializer.dumps(value)
    fast = serializer.loads(written)
    monkeypatch.setattr(nearlyjson, "read", lambda _text, _start=0: UNKNOWN)
    monkeypatch.setattr(nearlyjson, "write", lambda _value: UNKNOWN)

    general = [serializer.loads(written), serializer.loads(serializer.dumps(value))]

    assert same([fast, fast], general)
