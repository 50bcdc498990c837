"""Payloads with values beside them: which leave, and that they are not copied."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyronb.dialects import PYRO5
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.rpc.call import Call, Raised, Returned
from pyronb.rpc.codec import Codec
from pyronb.serializers.catalog import Catalog
from pyronb.wire.message import BESIDE, Message

LARGE = bytes(range(256)) * 1000
PLAIN = ("serpent", "json", "marshal", "msgpack")


def codec(*, beside=True, **options):
    wire = WireOptions(**options)
    return Codec(PYRO5, Catalog(PYRO5, wire, pyronb_peer=True), wire, beside=beside)


def call(codec, name, *args):
    """Give the message for a call."""
    return codec.encode_call(Call("id", "put", args, {}), codec.catalog.by_name(name), 1)


def answer(codec, name, outcome):
    """Give the message for an outcome."""
    return codec.encode_outcome(outcome, call(codec, name), codec.catalog.by_name(name))


def arrived(message):
    """Give the message as it arrives."""
    payload = memoryview(bytearray(b"".join((message.payload, *message.beside))))
    return Message(message.type, message.serializer_id, message.flags, message.seq, payload)


def owners(message):
    """Give the objects whose memory goes out."""
    return [piece.obj for piece in message.beside if isinstance(piece, memoryview)]


@pytest.mark.parametrize(
    ("name", "options"),
    [("msgpack", {}), ("marshal", {}), ("serpent", {"bytes_repr": True})],
    ids=str,
)
def test_large_bytes_are_not_copied(name, options):
    """Those of an argument and those of a result go out from where they are."""
    both = codec(**options)
    for value in (LARGE, ["name", LARGE], [LARGE, 1]):
        for message in (call(both, name, 5, value), answer(both, name, Returned(value))):
            assert message.flags & BESIDE
            assert all(owner is LARGE for owner in owners(message))
            assert len(message.payload) < 1000
        assert [5, value] == list(both.decode_call(arrived(call(both, name, 5, value))).args)
        assert value == both.decode_reply(arrived(answer(both, name, Returned(value)))).value


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("msgpack", {"beside": False}),
        ("msgpack", {"compression": True}),
        ("marshal", {"beside": False}),
        ("serpent", {}),
    ],
)
def test_large_bytes_that_stay(name, changes):
    """For peers that know nothing of it, where payloads are compressed, and where serpent makes dicts of bytes."""
    both = codec(**changes)
    message = call(both, name, LARGE)

    assert not message.flags & BESIDE
    assert not message.beside


@pytest.mark.parametrize("name", PLAIN)
def test_nothing_changes_for_other_values(name):
    """The bytes on the wire are those that every peer knows."""
    values = ([1, "x", None], {"a": [b"small" if name != "json" else "small"]})

    assert call(codec(beside=False), name, *values) == call(codec(), name, *values)


@pytest.mark.parametrize("name", PLAIN)
def test_arrays_are_not_copied(name):
    """Neither on the way out nor on the way in."""
    array = np.arange(20_000.0)
    both = codec()
    message = answer(both, name, Returned({"deep": [array]}))
    received = arrived(message)

    value = both.decode_reply(received).value

    assert any(np.shares_memory(array, np.frombuffer(piece, np.uint8)) for piece in message.beside if len(piece))
    assert np.shares_memory(value["deep"][0], np.frombuffer(received.payload, np.uint8))
    assert np.array_equal(array, value["deep"][0])


def same(one, other):
    """Tell whether two values with arrays in them are the same, where lists may have become tuples or the like."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, list):
        return isinstance(other, list | tuple) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and same(list(one.values()), list(other.values()))
    return one == other


TEXT = st.text("abcé_", max_size=5)
TREES = st.recursive(
    st.none()
    | st.integers(-5, 5)
    | TEXT
    | hnp.arrays(
        st.sampled_from(["<f8", ">i4", "?", "c16", "f2"]), hnp.array_shapes(min_dims=0, min_side=0), fill=st.nothing()
    )
    | st.sampled_from([np.arange(5000), np.asfortranarray(np.ones((70, 80))), np.arange(9000)[::-3]]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", PLAIN)
@given(TREES)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_with_arrays(name, value):
    """Wherever they are in it, and however large."""
    both = codec()
    for message in (call(both, name, value), answer(both, name, Returned(value))):
        assert bool(message.flags & BESIDE) == bool(message.beside)
    assert same([value], both.decode_call(arrived(call(both, name, value))).args)
    assert same(value, both.decode_reply(arrived(answer(both, name, Returned(value)))).value)


@pytest.mark.parametrize("name", PLAIN)
def test_peers_that_know_nothing_of_it(name):
    """The caller is told what to do, and whoever asked gets an error that says it."""
    alone = codec(beside=False)
    with pytest.raises(SerializeError, match=r"tolist\(\)"):
        call(alone, name, np.arange(3))

    outcome = alone.decode_reply(arrived(answer(alone, name, Returned(np.arange(3)))))
    assert isinstance(outcome, Raised)
    assert "tolist()" in str(outcome.error)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda payload: payload[:5],
        lambda payload: b"",
        lambda payload: b"\xc1" + b"\xff" * 4 + payload[5:],
        lambda payload: b"\xc0" + payload[1:],
        lambda payload: payload[: len(payload) // 2],
        lambda payload: payload.replace(b"beside", b"beyond"),
        lambda payload: b"\xc1\0\0\0\0",
    ],
)
def test_payloads_that_are_broken(name, spoil):
    """A complaint of ours, whatever is missing."""
    both = codec()
    message = arrived(call(both, name, np.arange(20_000.0)))
    message.payload = spoil(bytes(message.payload))

    with pytest.raises(SerializeError):
        both.decode_call(message)
