"""Metadata as it travels, and signatures that are read without being evaluated."""

from __future__ import annotations

import inspect
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyronb.dialects import PYRO5
from pyronb.errors import ProtocolError
from pyronb.rpc.metadata import (
    MAX_DOC,
    MAX_MEMBERS,
    AttributeDetails,
    Details,
    Metadata,
    MethodDetails,
    parse_signature,
)

FULL = Metadata(
    frozenset({"add"}),
    frozenset(),
    frozenset({"val"}),
    Details("m.C", "Doc.", {"add": MethodDetails("(a)", "Add.")}, {"val": AttributeDetails("int", "A value.", True)}),
)


@pytest.mark.parametrize("kind", [set, list, tuple, frozenset])
def test_collections_of_names(kind):
    """Sets, lists and tuples are all in use (section 8.2), and an empty set is ()."""
    wire = {"methods": kind(["a", "b"]), "oneway": kind(["b"]), "attrs": ()}

    assert Metadata(frozenset("ab"), frozenset("b")) == Metadata.from_wire(wire)


def test_round_trip():
    """With details, all of it comes back."""
    assert FULL == Metadata.from_wire(FULL.to_wire(PYRO5, details=True))


def test_without_details():
    """Towards a real peer the three collections go alone, as sets."""
    assert {"methods": {"add"}, "oneway": set(), "attrs": {"val"}} == FULL.to_wire(PYRO5, details=False)


def test_missing_parts():
    """What a peer leaves out is empty, and what is not known of a member is too."""
    metadata = Metadata.from_wire({})

    assert Metadata() == metadata
    assert (MethodDetails(), AttributeDetails()) == (metadata.method("x"), metadata.attribute("x"))


@pytest.mark.parametrize(
    "wire",
    [
        None,
        [],
        "methods",
        {"methods": None},
        {"methods": "abc"},
        {"oneway": 5},
        {"attrs": [5]},
        {"attrs": b"abc"},
        {"methods": [["nested"]]},
        {"methods": [str(number) for number in range(MAX_MEMBERS + 1)]},
    ],
)
def test_names_of_a_wrong_shape(wire):
    """Names are needed, so they must be right, and not too many."""
    with pytest.raises(ProtocolError, match="metadata should"):
        Metadata.from_wire(wire)


@pytest.mark.parametrize(
    "details",
    [
        None,
        5,
        [],
        "text",
        {"class": 5, "doc": None, "methods": [], "attrs": 5},
        {"methods": {"add": "(a)", 5: ["(a)", ""], "b": ["(a)"], "c": [1, 2, 3], "d": None}},
        {"attrs": {"val": ["int", "doc"], "w": {}, b"x": ["", "", True]}},
    ],
)
def test_details_of_a_wrong_shape(details):
    """They are an extra: what is wrong is left out quietly."""
    metadata = Metadata.from_wire({"methods": ["add"], "pyronb": details})

    assert {"add"} == metadata.methods
    assert MethodDetails() == metadata.method("add")
    assert AttributeDetails() == metadata.attribute("val")


def test_half_right_details():
    """Members whose row is right are kept beside those whose row is not."""
    metadata = Metadata.from_wire(
        {"pyronb": {"methods": {"a": [5, "doc"], "b": []}, "attrs": {"v": ["int", None, "yes"]}}}
    )

    assert MethodDetails("", "doc") == metadata.method("a")
    assert AttributeDetails("int", "", None) == metadata.attribute("v")


def test_long_texts_are_cut():
    """Both ways: a docstring that travels has an end."""
    long = Metadata(details=Details("C", "x" * 10_000, {"m": MethodDetails("(a)", "y" * 10_000)}))
    wire = long.to_wire(PYRO5, details=True)["pyronb"]

    assert (MAX_DOC, MAX_DOC) == (len(wire["doc"]), len(wire["methods"]["m"][1]))
    assert MAX_DOC == len(Metadata.from_wire({"pyronb": {"doc": "x" * 10_000}}).details.doc)


# Signatures

SIGNATURES = [
    "()",
    "(a, b=1, *args, c, d='x', **kwargs)",
    "(a, /, b, *, c=None)",
    "(x: int = 5, y: 'str' = \"a\") -> list[int]",
    "(self: Any, a: numpy.ndarray = numpy.pi)",
    "(a=[1, 2], b={'k': (1, 2)}, c=-1, d=1.5)",
    "(*, on_change: Callable[[int], None])",
]


@pytest.mark.parametrize("text", SIGNATURES)
def test_signatures_show_themselves_as_they_were_written(text):
    """The text of the signature is the text that came, up to quotes and spaces."""
    signature = parse_signature(text)

    assert isinstance(signature, inspect.Signature)
    assert text.replace('"', "'").replace(" ", "") == str(signature).replace('"', "'").replace(" ", "")


def test_literals_become_values():
    """A default that is a literal is its value; anything else shows its source."""
    parameters = parse_signature("(a=5, b='x', c=None, d=np.pi, e=...)").parameters

    assert [5, "x", None] == [parameters[name].default for name in "abc"]
    assert "np.pi" == repr(parameters["d"].default)
    assert "..." == repr(parameters["e"].default)


WRONG = [
    "",
    "(",
    "(a",
    "(a=<object object at 0x7f>)",
    "(...)",
    "(a, a)",
    "(a=1, b)",
    "(): pass\nimport os",
    "(): pass; import os #",
    "(): pass\ndef g()",
    "(\0)",
    "(a\ud800)",
    "(None)",
    "(a=" + "9" * 3990 + ")",
    "(a=" + "-" * 3000 + "1)",
    "(a=x" + ".b" * 1900 + ")",
    "(a=" + "1+" * 1900 + "1)",
    "(a=" + "(" * 500 + ")" * 500 + ")",
    "(a: x" + ".b" * 1900 + ")",
    "() -> x" + ".b" * 1900,
    "(" + "a, " * 5000 + ")",
]


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_no_signature(text):
    """It gives None, or a signature that can be shown; never an exception."""
    signature = parse_signature(text)

    assert signature is None or str(signature)


def test_nothing_is_evaluated():
    """Defaults and annotations of a peer are never run."""
    before = set(sys.modules)
    parse_signature("(a=__import__('this'), b: __import__('antigravity') = open('/tmp/x', 'w')) -> exit()")

    assert not {"this", "antigravity"} & (set(sys.modules) - before)


@pytest.mark.filterwarnings("error")
def test_odd_python_does_not_warn():
    r"""A text such as '\d' or 0or 1 is the peer's affair; the user is not told."""
    assert parse_signature(r"(a='\d')") is not None
    parse_signature("(a=0or 1)")


ALPHABET = st.text(st.sampled_from("()[]{}:=,*/->.'\"\\ab01 \n#;@lambda") | st.characters(), max_size=60)


@settings(max_examples=500)
@given(ALPHABET | ALPHABET.map("({})".format))
def test_any_text(text):
    """No text raises."""
    signature = parse_signature(text)

    assert signature is None or isinstance(str(signature), str)
