"""Rows: calls that are alike travel as one between pyronb ends, in a batch and on their way."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.dialects import PYRO5
from pyronb.options import WireOptions
from pyronb.rpc.call import Call
from pyronb.rpc.codec import Codec
from pyronb.rpc.rows import abreast, in_rows, one_by_one, read_row
from pyronb.serializers.base import BATCH_METHOD
from pyronb.serializers.catalog import Catalog

CALLS = st.tuples(
    st.sampled_from(["add", "echo"]),
    st.lists(st.integers(), max_size=2).map(tuple),
    st.sampled_from([{}, {}, {}, {"b": 1}]),
)


class Name(str):
    """A text of a class of its own."""

    __slots__ = ()


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


# Calls that are on their way together

ATOMS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary())
ARGS = st.one_of(ATOMS, st.lists(ATOMS, max_size=3).map(tuple))


@given(st.integers(0, 3).flatmap(lambda size: st.lists(st.tuples(*[ARGS] * size), min_size=1, max_size=20)))
def test_abreast_and_read_again(calls):
    """Each has its own arguments and its number."""
    row = read_row(6, 5, ("obj", "m", abreast(calls), {}))

    assert (6, "obj", "m", range(5, 5 + len(calls))) == (row.serializer_id, row.object_id, row.method, row.numbers)
    assert list(enumerate(calls, 5)) == list(row.calls)


@pytest.mark.parametrize("value", [[1], {}, {1}, (1, [2]), ((1,),), (1, {}), 1j, Decimal(1), object(), Name("x")])
def test_what_does_not_go_abreast(value):
    """What can be changed, or what not every peer reads; nor what merely looks like something else."""
    assert abreast([(1,), (value,)]) is None


@pytest.mark.parametrize("value", ["x" * 9000, b"x" * 9000, (1, "x" * 9000)])
def test_long_ones_do_not_go_abreast(value):
    """They are not written to find that out."""
    assert abreast([(value,)]) is not None
    assert abreast([(value,)] * 2) is None


@pytest.mark.parametrize("args", [(), (0,), (-1, 2), (2, 1), (True, 1), (1.0, 1), ("1", 1), (101,), (10**9,), (None,)])
def test_what_is_no_row(args):
    """Neither how many calls there are, nor the arguments of so many."""
    with pytest.raises(TypeError, match="the arguments of a row"):
        read_row(6, 5, ("obj", "m", args, {}))


def test_numbers_and_names_of_a_row():
    """No named arguments, and no numbers beyond those of the protocol."""
    assert range(65534, 65536) == read_row(6, 65534, ("obj", "m", (2,), None)).numbers
    with pytest.raises(TypeError, match="there are no numbers for 2 calls from 65535 on"):
        read_row(6, 65535, ("obj", "m", (2,), {}))
    with pytest.raises(TypeError, match="the arguments of a row"):
        read_row(6, 1, ("obj", "m", (2, 1, 1), {"b": 1}))
