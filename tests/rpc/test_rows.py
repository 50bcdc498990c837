"""Rows: calls of a batch that are alike are one entry between pyronb ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.dialects import PYRO5
from pyronb.options import WireOptions
from pyronb.rpc.call import Call
from pyronb.rpc.codec import Codec
from pyronb.rpc.rows import in_rows, one_by_one
from pyronb.serializers.base import BATCH_METHOD
from pyronb.serializers.catalog import Catalog

CALLS = st.tuples(
    st.sampled_from(["add", "echo"]),
    st.lists(st.integers(), max_size=2).map(tuple),
    st.sampled_from([{}, {}, {}, {"b": 1}]),
)


def shown(calls):
    """Give calls in a form that can be compared, whatever the types of their parts are."""
    return [(name, tuple(args), named or {}) for name, args, named in calls]


@given(st.lists(CALLS, max_size=12))
def test_the_same_calls_in_the_same_order(calls):
    """Whatever they are; nothing that was given is changed."""
    kept = list(calls)
    assert shown(one_by_one(in_rows(calls))) == calls == kept


def test_what_makes_a_row():
    """One method, so many arguments, none of them named; a single call stays as it is."""
    one, two, named, none = ("m", (1,), {}), ("m", (2, 3), {}), ("m", (1,), {"b": 2}), ("m", (), {})

    assert [("m", [1, 1, 1], 1)] == in_rows([one, one, one])
    assert [("m", [2, 3, 2, 3], 2)] == in_rows([two, two])
    assert [one, two, one] == in_rows([one, two, one])
    assert [("m", [1, 1], 1), named, one, none, none] == in_rows([one, one, named, one, none, none])
    assert [("m", [1, 1], 1), ("n", [1, 1], 1)] == in_rows([one, one, ("n", (1,), {}), ("n", (1,), {})])
    assert [] == in_rows([])


def test_entries_of_any_kind_side_by_side():
    """Rows and calls, as lists and as tuples."""
    entries = [["m", [1, 2], 1], ("n", (1, 2, 3, 4), 2), ["m", [5], {"b": 2}], ("n", (), None)]

    assert [
        ("m", (1,), {}),
        ("m", (2,), {}),
        ("n", (1, 2), {}),
        ("n", (3, 4), {}),
        ("m", (5,), {"b": 2}),
        ("n", (), {}),
    ] == shown(one_by_one(entries))


@pytest.mark.parametrize(
    "entry",
    [
        *(None, 3, "abc", (), ("m", []), (3, [1], 1), ("m", "a", 1), ("m", {1: 2}, 1), ("m", [1], "named")),
        *(("m", [], 1), ("m", [1], 0), ("m", [1], -1), ("m", [1, 2, 3], 2), ("m", [1], True), ("m", [1], 1.0)),
    ],
)
def test_what_is_no_entry(entry):
    """It is an error when its turn comes."""
    calls = one_by_one([["m", [1], 1], entry])

    assert [("m", (1,), {})] == shown([next(calls)])
    with pytest.raises(TypeError, match="each entry of a batch"):
        next(calls)


@pytest.mark.parametrize("name", ["serpent", "json", "marshal", "msgpack", "native"])
def test_rows_are_for_peers_that_read_them(name):
    """Others get each call as an entry."""
    wire = WireOptions()
    catalog = Catalog(PYRO5, wire, pyronb_peer=True)
    batch = Call("obj", BATCH_METHOD, [("add", (1,), {}), ("add", (2,), {}), ("add", (), {"b": 3})], None, batch=True)

    def arrived(**able):
        codec = Codec(PYRO5, catalog, wire, **able)
        there = codec.decode_call(codec.encode_call(batch, catalog.by_name(name), 1))
        return there.kwargs, [(name, list(args), named) for name, args, named in there.args]

    assert (None, [("add", [1], {}), ("add", [2], {}), ("add", [], {"b": 3})]) == arrived()
    assert ({"rows": True}, [("add", [1, 2], 1), ("add", [], {"b": 3})]) == arrived(rows=True)
    del batch.args[1]
    assert arrived() == arrived(rows=True)
