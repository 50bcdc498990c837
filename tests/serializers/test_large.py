"""Large bytes take ways of their own, on which they are copied and searched less; what comes out is the same."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import serpent

from pyronb.dialects import PYRO5
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import CallParts, Serializer
from pyronb.serializers.catalog import Catalog
from pyronb.serializers.hooks import HOOKS

LARGE = bytes(range(256)) * 8000
FORMS = [bytes, bytearray, memoryview]


class Marked:
    """Travels as a dict with the name of its class."""


def with_bytes(name: str) -> Serializer:
    """Give a serializer that knows how to read `Marked`."""
    HOOKS.register_class_to_dict(Marked, lambda _: {"__class__": "marked"})
    HOOKS.register_dict_to_class("marked", lambda _name, _data: "made")
    return Catalog(PYRO5, WireOptions(bytes_repr=True), pyronb_peer=True).by_name(name)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["serpent", "marshal", "msgpack"])
def test_calls_with_large_bytes(name: str, form: Any) -> None:
    """They arrive, from whatever memory they are read, and class dicts beside them are made objects."""
    serializer = with_bytes(name)
    for value in (LARGE, [LARGE, Marked()], {"before": Marked(), "data": LARGE, "n": [1, ("a", None)]}):
        data = form(serializer.dumps_call(CallParts("obj", "put", (value,), {})))

        call = serializer.loads_call(data)

        expected = {"before": "made", "data": LARGE, "n": [1, ("a", None)]} if isinstance(value, dict) else value
        assert (LARGE if value is LARGE else [LARGE, "made"] if isinstance(value, list) else expected) == as_sent(
            call.args[0], name
        )


def as_sent(value: Any, name: str) -> Any:
    """Make tuples of what msgpack has made lists."""
    if name == "msgpack" and isinstance(value, dict):
        value["n"][1] = tuple(value["n"][1])
    return value


@pytest.mark.parametrize("name", ["marshal", "msgpack"])
def test_name_of_a_class_inside_of_bytes(name: str) -> None:
    """It is only bytes."""
    value = [b"__class__" + LARGE, {"a": b"__class__"}]
    serializer = with_bytes(name)

    assert value == serializer.loads(serializer.dumps(value))


@pytest.mark.parametrize("data", [b"[\2\0\0\0s\0\0\x20\0" + bytes(1 << 21), b"NN" + bytes(1 << 21)])
def test_broken_large_data(data: bytes) -> None:
    """It is refused as any other."""
    with pytest.raises(SerializeError):
        with_bytes("marshal").loads(data)


@pytest.mark.parametrize("data", [b"", b"a", LARGE])
def test_serpent_writes_base64_as_the_package_does(data: bytes) -> None:
    """The bytes on the wire are those of the package, for all types of bytes."""
    serializer = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("serpent")
    for value in (data, bytearray(data), memoryview(data)):
        written = serializer.dumps([value])

        assert serpent.dumps([value]).replace(b": ", b":").replace(b", ", b",") == written
        assert data == serpent.tobytes(serializer.loads(written)[0])


@pytest.mark.parametrize("value", [np.float64(1.5), [np.int32(7)], {"a": (np.bool_(1), b"x")}, {np.int64(3): 1}])
def test_numbers_of_numpy_in_marshal(value: Any) -> None:
    """They go as numbers, though marshal would write their memory; large bytes beside them change nothing."""
    assert "numpy" in sys.modules
    serializer = with_bytes("marshal")
    plain = {"a": (True, b"x")} if isinstance(value, dict) and "a" in value else value

    assert plain == serializer.loads(serializer.dumps(value))
    assert [plain, LARGE] == serializer.loads(serializer.dumps([value, LARGE]))
    assert not isinstance(serializer.loads(serializer.dumps([value, LARGE]))[0], bytes)


def test_shared_and_circular_values_in_marshal() -> None:
    """Looking for numbers of numpy ends, also in values that contain themselves."""
    circle: list[Any] = [b"bytes"]
    circle.append({"me": circle})
    doubled: Any = b"bytes"
    for _ in range(60):
        doubled = [doubled, doubled]
    serializer = with_bytes("marshal")

    actual = serializer.loads(serializer.dumps(circle))

    assert actual[1]["me"] is actual
    assert serializer.dumps(doubled)
