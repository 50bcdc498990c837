"""Regular expressions of strangers: all that Python knows, and none that holds the name server up."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.errors import NamingError
from pyronb.nameserver.names import NameServer
from pyronb.nameserver.patterns import Patterns, _effort, literal_prefix
from pyronb.nameserver.storage.memory import MemoryStorage
from tests.support.waiting import scaled

A = "PYRO:a@localhost:1"
NAMES = [
    "",
    "a",
    "ab",
    "abc",
    "abcabc",
    "app.one",
    "app.two",
    "App.one",
    "a\nb",
    "ä",
    "x{2}",
    "aaaaaaaaaaaaaaaa",
    "(a)",
]

CHEAP = [
    "a",
    ".*",
    "a.*c",
    r"app\.",
    "a?b?c",
    "[abc]+",
    "[]a]",
    "[^]a]*",
    "a|b",
    "(?:a|b)c",
    "(a)(b)?",
    "a{2,3}",
    r"\w+$",
]
COSTLY = ["(a+)+$", "(?i)APP", "(?=a)a", r"(a)\1", "(ab)*", "(abc){2}", "(?x) a b", "(?P<n>a)(?P=n)"]


@pytest.mark.parametrize("regex", CHEAP + COSTLY)
def test_the_same_as_python_finds(regex):
    """Wherever it is matched."""
    assert (_effort(regex) is None) == (regex in COSTLY)
    assert Patterns(scaled(20)).matching(regex, NAMES) == [name for name in NAMES if re.match(regex, name)]


PIECES = st.sampled_from(
    ["a", "b", "c", ".", r"\.", "[ab]", "[^]c]", "(", "(?:", ")", "|", "*", "+", "?", "{2}", "{", "^", "$"]
)


@given(st.lists(PIECES, max_size=8).map("".join), st.lists(st.text("abc.{\n", max_size=6), max_size=8))
def test_what_is_found_has_the_literal_prefix(regex, names):
    """Nothing that matches is lost by looking at names with that prefix only."""
    try:
        matches = re.compile(regex).match
    except re.error:
        return
    assert all(name.startswith(literal_prefix(regex)) for name in names if matches(name))
    if _effort(regex) is not None:
        assert Patterns().matching(regex, names) == [name for name in names if matches(name)]


@pytest.mark.parametrize(
    ("regex", "prefix"),
    [
        ("abc", "abc"),
        (r"app\.one.*", "app.one"),
        ("^abc", "abc"),
        ("abc*", "ab"),
        ("abc?d", "ab"),
        ("abc{0}", "ab"),
        ("abc+", "ab"),
        (r"ab\d", "ab"),
        ("ab[c]", "ab"),
        ("ab|cd", ""),
        ("(?i)abc", ""),
        ("", ""),
        ("*", ""),
    ],
)
def test_literal_prefixes(regex, prefix):
    """What every match starts with."""
    assert literal_prefix(regex) == prefix


HOSTILE = [
    "(a+)+$",
    "(a|a)*$",
    "(a|a)" * 40 + "$",
    "a?" * 200 + "a" * 200,
    "(?:a?)" * 100 + "b",
    ".*" * 40 + "b",
    "(?=(a+)+$)",
    r"(a*)*\1b",
    "a{0,9}" * 30 + "b",
    "((a{1,60}){1,60}){1,60}$",
]


@pytest.mark.parametrize("regex", HOSTILE)
def test_no_pattern_takes_long(regex):
    """It is given up, and whoever sent it is told."""
    began = time.monotonic()
    with contextlib.suppress(NamingError):
        Patterns(0.5).matching(regex, ["a" * 60 + "!", "a" * 60] * 5)

    assert time.monotonic() - began < scaled(10)


@pytest.mark.parametrize(
    "regex", ["(", "(?", "(?:", "[", "[]", "[^", "\\", "a**", "(?P<", "(a", "x)", "(?<=a*)b", "a{3,2}"]
)
def test_what_is_no_pattern(regex):
    """It is said, wherever that was found out."""
    with pytest.raises(NamingError, match="invalid regex"):
        Patterns(scaled(20)).matching(regex, NAMES)


def test_what_takes_too_long_is_said():
    """With what to do instead."""
    with pytest.raises(NamingError, match=r"takes longer than 0\.2 seconds; use a simpler one, or a prefix"):
        Patterns(0.2).matching("(a+)+$", ["a" * 60 + "!"])


def test_a_pattern_has_a_length():
    """Nobody needs so long a one."""
    with pytest.raises(NamingError, match="invalid regex: it is longer than 1000 characters"):
        Patterns().matching("a" * 1001, NAMES)


def test_without_a_python_to_run():
    """A program that was packed up cannot start another Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", "")
        assert Patterns().matching("a", NAMES)
        with pytest.raises(NamingError, match="no Python"):
            Patterns().matching("(a+)+", NAMES)


def test_others_are_served_meanwhile():
    """However many hostile patterns come at the same time."""
    names = NameServer(MemoryStorage())
    names.register("a" * 60 + "!", A)
    failed = []

    def ask():
        try:
            names.list(regex="(a+)+$")
        except NamingError as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    asked = 0
    while any(thread.is_alive() for thread in threads):
        names.register("b", A)
        assert str(names.lookup("b")) == A
        asked += 1
    for thread in threads:
        thread.join(scaled(20))

    assert len(failed) == 6
    assert asked > 100
