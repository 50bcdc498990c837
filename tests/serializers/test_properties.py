"""What holds for every value, and for every string of bytes."""

from __future__ import annotations

import contextlib
import copy
import marshal
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyronb.dialects import PYRO5
from pyronb.errors import SecurityError, SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import CallParts, Serializer
from pyronb.serializers.catalog import Catalog
from pyronb.serializers.recreate import MARK

CATALOG = Catalog(PYRO5, WireOptions(bytes_repr=True), pyronb_peer=True)
NAMES = CATALOG.names()
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

# Lone surrogates have no UTF-8, and a dict with a class name is no plain value.
TEXT = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: text != MARK)
COMMON = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT)
RICH = COMMON | st.binary() | st.complex_numbers(allow_nan=False, allow_infinity=False).map(lambda c: c + 0)
TEXT_TREES = st.recursive(COMMON, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner))
RICH_TREES = st.recursive(RICH, lambda inner: st.lists(inner) | st.dictionaries(TEXT | st.integers(), inner))
PYTHON_KEYS = st.recursive(COMMON, lambda inner: st.tuples(inner, inner), max_leaves=3)
PYTHON_TREES = st.recursive(
    RICH,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(PYTHON_KEYS.filter(lambda key: key is not None), inner)
        | st.sets(PYTHON_KEYS.filter(lambda key: key is not None), min_size=1)
    ),
)


def survives(name: str, value: Any) -> None:
    """Check that a value arrives as it was sent, and that sending has not changed it."""
    serializer, before = CATALOG.by_name(name), copy.deepcopy(value)

    actual = serializer.loads(serializer.dumps(value))

    assert value == actual
    assert before == value


@pytest.mark.parametrize("name", NAMES)
@given(value=TEXT_TREES)
@relaxed
def test_common_values_survive(name: str, value: Any) -> None:
    """Text, numbers, lists and dicts with text keys survive with every serializer."""
    survives(name, value)


@pytest.mark.parametrize("name", ["serpent", "marshal", "msgpack"])
@given(value=RICH_TREES)
@relaxed
def test_rich_values_survive(name: str, value: Any) -> None:
    """Bytes, complex numbers and int keys survive where they can be written."""
    survives(name, value)


@pytest.mark.parametrize("name", ["serpent", "marshal"])
@given(value=PYTHON_TREES)
@relaxed
def test_python_values_survive(name: str, value: Any) -> None:
    """Tuples, sets and keys of several types survive with the serializers of Python."""
    survives(name, value)


@given(object_id=TEXT, method=TEXT, args=st.lists(TEXT_TREES), kwargs=st.none() | st.dictionaries(TEXT, TEXT_TREES))
@relaxed
def test_calls_survive(object_id: str, method: str, args: list[Any], kwargs: Any) -> None:
    """A call survives with every serializer."""
    for name in NAMES:
        serializer = CATALOG.by_name(name)

        actual = serializer.loads_call(serializer.dumps_call(CallParts(object_id, method, args, kwargs)))

        assert (object_id, method, args, kwargs) == actual


FORGED_NAMES = st.sampled_from(
    [
        "builtins.ValueError",
        "UnicodeDecodeError",
        "ExceptionGroup",
        "SystemExit",
        "Pyro5.errors.PyroError",
        "Pyro5.core.URI",
        "Pyro5.core._ExceptionWrapper",
        "__main__.X",
        "float",
        "complex",
        "collections.OrderedDict",
        "what.Ever",
    ]
)
FORGED = st.recursive(
    COMMON,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(TEXT, inner)
        | st.fixed_dictionaries(
            {"__class__": FORGED_NAMES | inner},
            optional={
                "__exception__": st.booleans(),
                "args": inner,
                "attributes": inner
                | st.dictionaries(st.sampled_from(["pyronb_class", "pyronb_args", "args", "x"]), inner),
                "cause": inner,
                "context": inner,
                "state": inner,
                "value": inner,
                "real": inner,
                "items": inner,
                "exception": inner,
            },
        )
    ),
)


@given(value=FORGED)
@relaxed
def test_forged_class_dicts_raise_only_our_errors(value: Any) -> None:
    """Whatever stands in a class dict: it is read, or refused with one of our errors."""
    for name in NAMES:
        only_our_errors(CATALOG.by_name(name), CATALOG.by_name(name).dumps(value))


@given(data=st.binary())
@relaxed
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    """Any bytes are read, or refused with one of our errors."""
    for name in NAMES:
        only_our_errors(CATALOG.by_name(name), data)


@given(value=PYTHON_TREES, at=st.integers(min_value=0), change=st.binary(max_size=3), drop=st.integers(0, 5))
@relaxed
def test_damaged_data_raises_only_our_errors(value: Any, at: int, change: bytes, drop: int) -> None:
    """Data that was damaged on its way is read as something else, or refused with one of our errors."""
    for name in ("serpent", "marshal"):
        data = CATALOG.by_name(name).dumps(["__class__", value])
        at %= len(data)
        only_our_errors(CATALOG.by_name(name), data[:at] + change + data[at + drop :])


DEEP = 100_000


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("serpent", b"[" * DEEP),
        ("serpent", b"-" * DEEP + b"1"),
        ("serpent", b"9" * 10_000),
        ("serpent", b"'\\ud800'"),
        ("serpent", b"{[]:1}"),
        ("serpent", b"__import__('os').getpid()"),
        ("json", b"[" * DEEP),
        ("json", b'{"a":' * DEEP),
        ("json", b"9" * 10_000),
        ("json", b"\xff"),
        ("msgpack", b"\x91" * DEEP),
        ("msgpack", b"\x81\x91\x01\x02"),
        ("msgpack", b"\xc1"),
        ("marshal", marshal.dumps(compile("1", "x", "eval"))),
        ("marshal", b"[\x01\0\0\0" * DEEP),
        ("msgpack", msgpack.packb({"__class__": "a" * 10})),
        ("json", b'{"__class__": "a", "x": ' + b"[" * 900 + b"]" * 900 + b"}"),
        ("json", b"[" * 900 + b'{"__class__": "a"}' + b"]" * 900),
    ],
)
def test_hostile_data(name: str, data: bytes) -> None:
    """Data made to hurt is refused with one of our errors."""
    only_our_errors(CATALOG.by_name(name), data)


@pytest.mark.parametrize(
    "call", [5, [], ["o", "m", [], {}, 1], ["o", 5, [], {}], [None, "m", [], {}], ["o", "m", 5, {}], ["o", "m", [], 5]]
)
def test_what_is_not_a_call(call: Any) -> None:
    """Data that has not the shape of a call is refused."""
    for name in ("serpent", "marshal", "msgpack"):
        serializer = CATALOG.by_name(name)
        with pytest.raises(SerializeError, match="not a call"):
            serializer.loads_call(serializer.dumps(call))


def test_keywords_that_are_no_text() -> None:
    """Keyword arguments need names."""
    for name in ("serpent", "marshal", "msgpack"):
        serializer = CATALOG.by_name(name)
        with pytest.raises(SerializeError, match="text keys"):
            serializer.loads_call(serializer.dumps(["o", "m", [], {1: 2}]))


def test_blobs() -> None:
    """In a call with a blob any value may stand where the arguments are."""
    for name in NAMES:
        serializer = CATALOG.by_name(name)
        data = serializer.dumps_call(CallParts("o", "m", 5, {}))  # type: ignore[arg-type]  # section 18

        assert 5 == serializer.loads_call(data, blob=True).args
        with pytest.raises(SerializeError, match="not a sequence"):
            serializer.loads_call(data)


def only_our_errors(serializer: Serializer, data: bytes) -> None:
    """Read bytes and calls, and let nothing but our errors pass silently."""
    for read in (serializer.loads, serializer.loads_call):
        with contextlib.suppress(SerializeError, SecurityError):
            read(data)
