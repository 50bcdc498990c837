"""What is particular to serpent."""

from __future__ import annotations

import collections
import gc
import math
from typing import Any

import pytest
import serpent

from pyronb.dialects import PYRO5
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import CallParts
from pyronb.serializers.hooks import HOOKS
from pyronb.serializers.serpent import SerpentSerializer
from pyronb.uri import URI

HEADER = b"# serpent utf-8 python3.2\n"


@pytest.fixture
def codec() -> SerpentSerializer:
    """Give the serializer with default options."""
    return SerpentSerializer(PYRO5, WireOptions(), foreign_exceptions=True)


def test_call_bytes(codec: SerpentSerializer) -> None:
    """A call is written as the real Pyro does it, but for spaces."""
    data = HEADER + b"('obj','add',(3,),{'b':4})"

    assert data == codec.dumps_call(CallParts("obj", "add", (3,), {"b": 4})).replace(b", ", b",").replace(b": ", b":")
    assert ("obj", "add", (3,), {"b": 4}) == codec.loads_call(data)


@pytest.mark.parametrize("data", [b"[1]", HEADER + b"[1]", b"# x\n# y\n[1] # z", bytearray(b"[1]"), memoryview(b"[1]")])
def test_header_is_optional(codec: SerpentSerializer, data: Any) -> None:
    """The header line is a comment like any other."""
    assert [1] == codec.loads(data)


@pytest.mark.parametrize("space", ["", " "])
@pytest.mark.parametrize("header", [b"", HEADER])
@pytest.mark.parametrize(
    ("parts", "uri"),
    [
        ("'object', None, 'localhost', 9999", "PYRO:object@localhost:9999"),
        ("'\u00e4 \\'b\\'', None, '::1', 0", "PYRO:\u00e4_'b'@[::1]:0"),
        ("'object', '/path', None, None", "PYRO:object@./u:/path"),
        ('"object", None, "h", 1', "PYRO:object@h:1"),
    ],
)
def test_address(codec: SerpentSerializer, parts: str, uri: str, header: bytes, space: str) -> None:
    """An address is read alike in whatever form it is written."""
    text = f"{{'__class__': 'Pyro5.core.URI', 'state': ('PYRO', {parts})}}"
    found = codec.loads(header + text.replace(": ", f":{space}").replace(", ", f",{space}").encode())

    assert type(found) is URI
    assert uri == str(found).replace(" ", "_")
    assert found == codec.loads(codec.dumps([found]))[0]


@pytest.mark.parametrize(
    "parts", ["'a\nb', None, 'h', 1", "'a\0b', None, 'h', 1", "'a', None, 'h', 01", "'a', None, 'h'"]
)
def test_spoilt_address(codec: SerpentSerializer, parts: str) -> None:
    """What is no literal, or lacks a part, is no address."""
    text = f"{{'__class__': 'Pyro5.core.URI', 'state': ('PYRO', {parts})}}"

    with pytest.raises(SerializeError):
        codec.loads(text.encode())


def test_address_with_converter(codec: SerpentSerializer) -> None:
    """A program that wants addresses read its own way gets them so."""
    data = codec.dumps(URI("PYRO:object@localhost:9999"))
    HOOKS.register_dict_to_class("Pyro5.core.URI", lambda name, data: [name, data["state"][1]])
    try:
        found = codec.loads(data)
    finally:
        HOOKS.unregister_dict_to_class("Pyro5.core.URI")

    assert ["Pyro5.core.URI", "object"] == found


def test_bytes_repr() -> None:
    """With the option, bytes are written as literals, also as keys."""
    codec = SerpentSerializer(PYRO5, WireOptions(bytes_repr=True), foreign_exceptions=True)

    data = codec.dumps([b"\xff", bytearray(b"a"), {b"k": memoryview(b"v")}])

    assert HEADER + b"[b'\\xff',b'a',{b'k':b'v'}]" == data
    assert [b"\xff", b"a", {b"k": b"v"}] == codec.loads(data)


def test_forms_of_real_pyro_are_read(codec: SerpentSerializer) -> None:
    """Forms that real Pyro writes and cannot read itself are read."""
    text = (
        "[{'__class__':'collections.OrderedDict','items':[('a',1),('b',{'__class__':'float','value':'nan'})]},"
        "{'__class__':'complex','real':{'__class__':'float','value':'nan'},'imag':1.0}]"
    )

    ordered, number = codec.loads(text.encode())

    assert isinstance(ordered, collections.OrderedDict)
    assert ["a", "b"] == list(ordered)
    assert math.isnan(ordered["b"])
    assert math.isnan(number.real)


@pytest.mark.parametrize(
    "text",
    [
        "{'__class__':'float'}",
        "{'__class__':'float','value':'x'}",
        "{'__class__':'complex','real':1}",
        "{'__class__':'complex','real':1,'imag':1" + "0" * 400 + "}",
        "{'__class__':'collections.OrderedDict'}",
        "{'__class__':'collections.OrderedDict','items':[1]}",
        "{'__class__':'collections.OrderedDict','items':[([],1)]}",
    ],
)
def test_broken_special_forms(codec: SerpentSerializer, text: str) -> None:
    """Special forms with missing or wrong parts are a SerializeError."""
    with pytest.raises(SerializeError):
        codec.loads(text.encode())


def test_nul_is_refused(codec: SerpentSerializer) -> None:
    """A NUL character is refused."""
    with pytest.raises(SerializeError, match="NUL"):
        codec.loads(b"'\0'")


def test_global_table_of_the_package_is_not_used(codec: SerpentSerializer) -> None:
    """What others register with the serpent package does not change what is written here, and the reverse."""

    class Thing:
        pass

    serpent.register_class(Thing, lambda _o, _s, out, _l: out.append("'theirs'"))
    try:
        assert b"theirs" not in codec.dumps(Thing())
        assert serpent.Serializer.dispatch is not type(codec).__dict__.get("dispatch")
    finally:
        serpent.unregister_class(Thing)


def test_garbage_collector_is_left_alone(codec: SerpentSerializer) -> None:
    """A program that has switched the collector off finds it off afterwards."""
    gc.disable()
    try:
        codec.loads(codec.dumps([1]))

        assert not gc.isenabled()
    finally:
        gc.enable()


def test_objects_that_contain_themselves(codec: SerpentSerializer) -> None:
    """An object that refers to itself is refused with the reason."""

    class Thing:
        me: Any

    thing = Thing()
    thing.me = thing

    with pytest.raises(SerializeError, match="contains itself"):
        codec.dumps(thing)


def test_same_object_twice(codec: SerpentSerializer) -> None:
    """An object may occur in several places."""
    shared = collections.OrderedDict(a=1)

    assert [{"a": 1}, {"a": 1}] == codec.loads(codec.dumps([shared, shared]))
