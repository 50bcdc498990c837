"""The handshake's three messages, and what hostile peers make of them."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import ProtocolError
from pyronb.options import WireOptions
from pyronb.rpc.handshake import (
    ABILITIES,
    ABREAST,
    TOGETHER,
    Acceptance,
    Peer,
    decode_acceptance,
    decode_greeting,
    decode_refusal,
    encode_acceptance,
    encode_greeting,
    encode_refusal,
)
from pyronb.rpc.metadata import Details, Metadata, MethodDetails
from pyronb.serializers.catalog import Catalog
from pyronb.version import __version__
from pyronb.wire.message import CONNECT, CONNECTFAIL, CONNECTOK

METADATA = Metadata(
    methods=frozenset({"add", "fire"}),
    oneway=frozenset({"fire"}),
    attributes=frozenset({"val"}),
    details=Details("module.Adder", "Adds.", {"add": MethodDetails("(a, b)", "Add two.")}),
)

JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.text() | st.sampled_from(["handshake", "object", "meta", "pyronb", "can"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@pytest.fixture(params=["serpent", "json", "marshal", "msgpack"])
def serializer(request):
    """Give each serializer in turn."""
    return Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name(request.param)


def test_greeting(serializer):
    """A daemon reads who is wanted, what the client says, and that it is pyronb."""
    message = encode_greeting(serializer, "obj", {"user": "me"}, 9)
    greeting = decode_greeting(serializer.loads(message.payload))

    assert (CONNECT, 9) == (message.type, message.seq)
    assert ("obj", {"user": "me"}) == (greeting.object_id, greeting.handshake)
    assert Peer(__version__, frozenset(ABILITIES)) == greeting.peer
    assert greeting.peer.is_pyronb


def test_greeting_with_wishes(serializer):
    """They are told apart from what the client can do, and nothing is wanted that was not asked for."""
    asked = encode_greeting(serializer, "obj", "hello", 9, wants=(TOGETHER,))
    plain = encode_greeting(serializer, "obj", "hello", 9)

    assert frozenset({TOGETHER}) == decode_greeting(serializer.loads(asked.payload)).peer.wants
    assert frozenset() == decode_greeting(serializer.loads(plain.payload)).peer.wants


@pytest.mark.parametrize("dialect", [PYRO4, PYRO5])
def test_greeting_that_asks_for_no_metadata(dialect):
    """Where everybody is told, the object is named all the same: a daemon of that protocol insists on it."""
    serializer = Catalog(dialect, WireOptions(), pyronb_peer=True).by_name("serpent")
    message = encode_greeting(serializer, "obj", "hello", 9, dialect, metadata=False, annotations={"ABCD": b"x"})
    greeting = decode_greeting(serializer.loads(message.payload), dialect, message.flags)

    assert (0, {"ABCD": b"x"}) == (message.flags, message.annotations)
    assert (dialect is PYRO5, "obj" if dialect is PYRO5 else "") == (greeting.wants_metadata, greeting.object_id)


def test_greeting_of_a_real_peer():
    """It has two keys and no pyronb."""
    greeting = decode_greeting({"handshake": "hello", "object": "obj"})

    assert not greeting.peer.is_pyronb


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        ({"object": "obj"}, "'handshake'"),
        ({"handshake": "hello"}, "'object'"),
        ({"handshake": "hello", "object": 5}, "should be a text"),
        (["handshake"], "should be a map, not list"),
        (None, "should be a map, not NoneType"),
    ],
)
def test_wrong_greetings(wire, text):
    """They are refused in the words of real daemons where those have any (section 8.3)."""
    with pytest.raises(ProtocolError, match=text):
        decode_greeting(wire)


def test_acceptance_among_pyronb_peers(serializer):
    """The client gets answer, names and documentation."""
    greeting = encode_greeting(serializer, "obj", "hello", 9)
    greeting.correlation_id = bytes(range(16))
    peer = decode_greeting(serializer.loads(greeting.payload)).peer
    message = encode_acceptance(serializer, PYRO5, METADATA, "welcome", peer, greeting)
    acceptance = decode_acceptance(serializer.loads(message.payload))

    assert (CONNECTOK, 9, bytes(range(16))) == (message.type, message.seq, message.correlation_id)
    assert Acceptance("welcome", METADATA, Peer(__version__, frozenset(ABILITIES))) == acceptance


def test_acceptance_that_lacks_an_ability(serializer):
    """It is told to pyronb peers, and not mistaken for another one."""
    greeting = encode_greeting(serializer, "obj", "hello", 9)
    peer = Peer(__version__, frozenset(ABILITIES))

    def told(*cannot):
        message = encode_acceptance(serializer, PYRO5, METADATA, "welcome", peer, greeting, cannot=cannot)
        return decode_acceptance(serializer.loads(message.payload)).peer.abilities

    assert peer.takes_rows({TOGETHER})
    assert not peer.takes_rows(set())
    assert not Peer("1", frozenset({TOGETHER})).takes_rows({TOGETHER})
    assert [told(), told(ABREAST), told()] == [peer.abilities, peer.abilities - {ABREAST}, peer.abilities]


def test_acceptances_are_written_once(serializer):
    """For each answer and each kind of peer; answers that are no text are not kept, and no more than a few are."""
    greeting = encode_greeting(serializer, "obj", "hello", 9)
    metadata = replace(METADATA)

    def written(answer, peer, names=()):
        return encode_acceptance(serializer, PYRO5, metadata, answer, peer, greeting, names).payload

    ours = Peer(__version__, frozenset(ABILITIES))
    assert written("hello", ours) is written("hello", ours)
    some = written("hello", ours), written("hello", Peer()), written("bye", ours), written("bye", ours, ["json"])
    assert 4 == len(set(some))
    before = len(metadata.written)
    assert serializer.loads(written(1, Peer()))["handshake"] is not True
    assert serializer.loads(written(True, Peer()))["handshake"] is True
    assert before == len(metadata.written)
    for number in range(100):
        assert str(number) == serializer.loads(written(str(number), Peer()))["handshake"]
    assert len(metadata.written) < 50
    assert metadata == METADATA


def test_acceptance_towards_a_real_peer(serializer):
    """It holds what a real peer expects and nothing else."""
    message = encode_acceptance(serializer, PYRO5, METADATA, "hello", Peer(), encode_greeting(serializer, "o", "h", 0))
    value = serializer.loads(message.payload)

    assert {"handshake", "meta"} == set(value)
    assert {"methods", "oneway", "attrs"} == set(value["meta"])


def test_captured_acceptance():
    """The CONNECTOK of a real Pyro5 (section 8.4)."""
    payload = (
        b"# serpent utf-8 python3.2\n{'handshake':'hello','meta':{'methods':{'__getitem__','give','gen','noop',"
        b"'myerr','__len__','fire','err','add','selfref','kw','recv'},'oneway':{'fire'},'attrs':{'val'}}}"
    )
    value = Catalog(PYRO5, WireOptions(), pyronb_peer=False).by_name("serpent").loads(payload)
    acceptance = decode_acceptance(value)

    assert ("hello", Peer()) == (acceptance.handshake, acceptance.peer)
    assert (12, {"fire"}, {"val"}) == (
        len(acceptance.metadata.methods),
        acceptance.metadata.oneway,
        acceptance.metadata.attributes,
    )


@pytest.mark.parametrize("wire", [{"handshake": "hello"}, {"handshake": "hello", "meta": {}}, {"meta": None}, {}])
def test_acceptance_without_metadata(wire):
    """It has to be asked for (section 27)."""
    assert decode_acceptance(wire).metadata is None


@pytest.mark.parametrize("wire", ["hello", None, 5, ["meta"]])
def test_acceptance_of_another_shape(wire):
    """A bare value is no answer in this protocol."""
    with pytest.raises(ProtocolError, match="should be a map"):
        decode_acceptance(wire)


@pytest.mark.parametrize(
    ("wire", "peer"),
    [
        (None, Peer()),
        ("0.1", Peer()),
        ({}, Peer()),
        ({"version": 5, "can": ["details"]}, Peer()),
        ({"version": "1.0"}, Peer("1.0")),
        ({"version": "1.0", "can": "details"}, Peer("1.0")),
        ({"version": "1.0", "can": ["details", 5, [], {}]}, Peer("1.0", frozenset({"details"}))),
        ({"version": "1.0", "can": {"details"}}, Peer("1.0", frozenset({"details"}))),
        ({"version": "9" * 1000, "can": ()}, Peer("9" * 50)),
    ],
)
def test_introductions(wire, peer):
    """Whatever a peer says of itself is taken as far as it makes sense."""
    assert peer == decode_acceptance({"handshake": "hello", "pyronb": wire}).peer


def test_refusal(serializer):
    """It carries its reason as a text."""
    message = encode_refusal(serializer, "unknown object", 4)

    assert (CONNECTFAIL, 4) == (message.type, message.seq)
    assert "unknown object" == decode_refusal(serializer.loads(message.payload))


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"bytes\xff", "bytes\ufffd"), (5, "5"), (["a"], "['a']"), (None, "None"), ("x" * 9999, "x" * 2000)],
)
def test_refusals_of_any_kind(value, text):
    """Whatever was sent as the reason is shown."""
    assert text == decode_refusal(value)


@given(JSON_LIKE)
def test_no_value_raises_anything_else(value):
    """What a hostile peer sends as greeting or acceptance raises ProtocolError or nothing."""
    for decode in (decode_greeting, decode_acceptance, decode_refusal):
        with contextlib.suppress(ProtocolError):
            decode(value)


def test_captured_greetings():
    """The CONNECT payloads of real Pyro5 in other serializers (section 8.4)."""
    catalog = Catalog(PYRO5, WireOptions(), pyronb_peer=False)
    captured = {
        "json": b'{"handshake": "hello", "object": "obj"}',
        "marshal": bytes.fromhex("fbda0968616e647368616b65da0568656c6c6fda066f626a656374fa036f626a30"),
        "msgpack": bytes.fromhex("82a968616e647368616b65a568656c6c6fa66f626a656374a36f626a"),
    }
    for name, payload in captured.items():
        greeting = decode_greeting(catalog.by_name(name).loads(payload))

        assert ("obj", "hello") == (greeting.object_id, greeting.handshake)
