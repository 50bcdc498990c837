"""URI: the address of a remote object (wire specification, section 19)."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.errors import PyroError
from pyronb.uri import URI, back_location

# text, (protocol, object, sockname, host, port), location
GOOD = [
    ("PYRO:obj@host:55", ("PYRO", "obj", None, "host", 55), "host:55"),
    ("pyro:obj@host:0", ("PYRO", "obj", None, "host", 0), "host:0"),
    ("PYRO:obj@[::1]:55", ("PYRO", "obj", None, "::1", 55), "[::1]:55"),
    ("PYRO:obj@[fe80::1%2]:55", ("PYRO", "obj", None, "fe80::1%2", 55), "[fe80::1%2]:55"),
    ("PYRO:obj@./u:/tmp/sock", ("PYRO", "obj", "/tmp/sock", None, None), "./u:/tmp/sock"),
    ("PYRO:a@b@h:1", ("PYRO", "a", None, "b@h", 1), "b@h:1"),
    ("PYRO:a@:55", ("PYRO", "a", None, "", 55), None),
    ("PYRO:obj@<<connected-socket>>:0", ("PYRO", "obj", None, "<<connected-socket>>", 0), "<<connected-socket>>:0"),
    ("PYRONAME:lab.motor", ("PYRONAME", "lab.motor", None, None, None), None),
    ("PYRONAME:lab.motor@host", ("PYRONAME", "lab.motor", None, "host", None), "host"),
    ("PYRONAME:lab.motor@host:9", ("PYRONAME", "lab.motor", None, "host", 9), "host:9"),
    ("PYRONAME:lab.motor@[::1]", ("PYRONAME", "lab.motor", None, "::1", None), "[::1]"),
    ("PYRONAME:x@./u:ns", ("PYRONAME", "x", "ns", None, None), "./u:ns"),
    ("PYROMETA:a,b", ("PYROMETA", {"a", "b"}, None, None, None), None),
    ("PYROMETA:b,,a@host:9", ("PYROMETA", {"a", "b"}, None, "host", 9), "host:9"),
]


@pytest.mark.parametrize(("text", "state", "location"), GOOD)
def test_good(text, state, location):
    """The parts come out, whatever the case of the protocol."""
    uri = URI(text)

    assert state == uri.__getstate__()
    assert location == uri.location


@pytest.mark.parametrize(
    ("text", "state", "location"), [row for row in GOOD if row[2] or row[0][4:8] in ("NAME", "META")]
)
def test_text_form(text, state, location):
    """What a URI shows is a URI that equals it."""
    uri = URI(text)

    assert uri == URI(str(uri))
    assert uri.asString() == str(uri)
    assert f"<pyronb.URI {uri}>" == repr(uri)
    assert hash(uri) == hash(URI(str(uri)))


BAD = [
    ("", "invalid uri: ''"),
    ("obj@host:55", "invalid uri"),
    ("PYRO:", "invalid uri"),
    ("PYRO:obj", r"\(location\).*lacks @host:port"),
    ("PYRO:obj@host", "lacks a port"),
    ("PYRO:obj@host:", "lacks a port"),
    ("PYRO:obj@[::1]", "lacks a port"),
    ("PYRO:obj@host:x", "invalid port in uri, port='x'"),
    ("PYRO:obj@host:-1", "invalid port"),
    ("PYRO:obj@host:+1", "invalid port"),
    ("PYRO:obj@host:1_0", "invalid port"),
    ("PYRO:obj@host:\u0661", "invalid port"),
    ("PYRO:obj@host:65536", "invalid port"),
    ("PYRO:obj@host:1:2", "invalid port"),
    ("PYRO:obj@[::1:55", "invalid ipv6 address"),
    ("PYRO:obj@[fe80::1%eth0]:5", "invalid ipv6 address"),
    ("PYRO:obj@./u:", "needs a socket path"),
    ("PYRO:obj@./u:a:b", "without ':'"),
    ("PYRO:a b@host:5", "invalid uri"),
    ("PYROLOC:obj@host:5", r"\(protocol\)"),
    ("PYROMETA:a, b", "invalid uri"),
    ("PYROMETA:,", "names no tags"),
    ("http://x", "invalid uri"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad(text, message):
    """The error says which part is wrong, and shows the whole."""
    with pytest.raises(PyroError, match=message) as caught:
        URI(text)

    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("thing", [None, 5, b"PYRO:a@b:1", ["PYRO:a@b:1"]])
def test_neither_text_nor_uri(thing):
    """It is a TypeError that names the type."""
    with pytest.raises(TypeError, match=type(thing).__name__):
        URI(thing)


@given(st.text(max_size=40) | st.from_regex(r"\A[Pp][Yy][Rr][Oo](NAME|META)?:\S{1,20}(@\S{1,20})?\Z"))
def test_any_text(text):
    """It is a URI, or an error of ours; and what was read shows itself as what can be read."""
    try:
        uri = URI(text)
    except PyroError:
        return
    if uri.host != "":
        assert uri == URI(str(uri))


@pytest.mark.parametrize(
    "again", [URI, copy.copy, copy.deepcopy, lambda uri: pickle.loads(pickle.dumps(uri))], ids=range(4)
)
@pytest.mark.parametrize("text", [row[0] for row in GOOD])
def test_copies(text, again):
    """They are equal, and others."""
    uri = URI(text)
    other = again(uri)

    assert uri == other
    assert hash(uri) == hash(other)
    assert uri is not other


def test_equality():
    """Every part counts; other things are not equal."""
    uris = [URI(text) for text, *_ in GOOD]

    assert len(set(uris)) == len(GOOD)
    assert URI("PYRO:a@b:1") != "PYRO:a@b:1"
    assert URI("PYROMETA:a,b") == URI("PYROMETA:b,a")


def test_tags_that_travelled_as_a_list():
    """They are a set again."""
    uri = URI.__new__(URI)
    uri.__setstate__(("PYROMETA", ["b", "a"], None, None, None))

    assert URI("PYROMETA:a,b") == uri


def test_ways_back():
    """The key of a way back is part of an address that every peer can read."""
    key = "0123456789abcdef" * 2
    uri = URI(f"PYRO:thing@{back_location(key)}")

    assert (key, None) == (uri.back, URI("PYRO:thing@./u:/tmp/socket").back)
    assert URI("PYRO:thing@localhost:1").back is None
    assert uri == URI(str(uri))
