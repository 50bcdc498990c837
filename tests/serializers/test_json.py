"""What is particular to json."""

from __future__ import annotations

import json
import threading
from types import ModuleType
from typing import Any

import pytest

from pyronb.dialects import PYRO5
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import CallParts
from pyronb.serializers.json import JsonSerializer


@pytest.fixture
def codec() -> JsonSerializer:
    """Give the serializer with the standard library's module."""
    return JsonSerializer(PYRO5, WireOptions(), foreign_exceptions=True)


def test_call_bytes(codec: JsonSerializer) -> None:
    """A call is a map, written byte for byte as the real Pyro does it."""
    data = b'{"object": "obj", "method": "add", "params": [1], "kwargs": {"b": 2}}'

    assert data == codec.dumps_call(CallParts("obj", "add", (1,), {"b": 2}))
    assert ("obj", "add", [1], {"b": 2}) == codec.loads_call(data)


@pytest.mark.parametrize("value", [["é", {"a": [1.5, None, True]}], {1: {"x": ()}}, "\u2028", float("inf"), -0.0])
def test_same_bytes_as_the_standard_library(codec: JsonSerializer, value: Any) -> None:
    """The kept encoder writes what the standard library would."""
    assert json.dumps(value, ensure_ascii=False).encode() == codec.dumps(value)


def test_after_an_error(codec: JsonSerializer) -> None:
    """A value that could not be written leaves nothing behind."""
    value = [b"no"]
    for _ in range(2):
        with pytest.raises(SerializeError, match="serpent and msgpack write more"):
            codec.dumps(value)
    value[:] = []

    assert b"[]" == codec.dumps(value)


def test_same_value_in_two_threads(codec: JsonSerializer) -> None:
    """Threads that write the same value at the same time do not disturb each other."""
    value = [{"a": list(range(50))}] * 50
    expected, failed = codec.dumps(value), []

    def work() -> None:
        failed.extend(1 for _ in range(50) if codec.dumps(value) != expected)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failed


@pytest.mark.parametrize("data", [b"5", b"[]", b"{}", b'{"object":"o","method":"m","params":[]}', b'["o","m",[],{}]'])
def test_not_a_call(codec: JsonSerializer, data: bytes) -> None:
    """Data without the four keys is no call."""
    with pytest.raises(SerializeError, match="not a call"):
        codec.loads_call(data)


def module(dumps: Any) -> ModuleType:
    """Give a module that does json's work."""
    made = ModuleType("other")
    vars(made).update(dumps=dumps, loads=json.loads)
    return made


def test_other_modules() -> None:
    """A module that writes bytes and knows no ensure_ascii (orjson) does as well as one like the standard library's."""
    modules = [module(json.dumps), module(lambda value, default=None: json.dumps(value, default=default).encode())]
    for other in modules:
        codec = JsonSerializer(PYRO5, WireOptions(), foreign_exceptions=True, module=other)

        assert [1, ["a"]] == codec.loads(codec.dumps([1, {"a"}]))


def simple(value: Any, *, ensure_ascii: bool, default: Any, **more: bool) -> str:
    """Write as simplejson does, which has its own ideas of some types unless it is told otherwise."""
    assert {"allow_nan": True, "use_decimal": False, "namedtuple_as_object": False} == more
    return json.dumps(value, ensure_ascii=ensure_ascii, default=default)


def bare(value: Any) -> str:
    """Write without a way to say what becomes of other types."""
    return json.dumps(value)


def test_simplejson() -> None:
    """It is told to write as the standard library does."""
    codec = JsonSerializer(PYRO5, WireOptions(), foreign_exceptions=True, module=module(simple))

    assert b'"\xc3\xa9"' == codec.dumps("é")


@pytest.mark.parametrize("other", [module(bare), ModuleType("empty")])
def test_modules_that_cannot_do_it(other: ModuleType) -> None:
    """The error names the module, and what it lacks."""
    with pytest.raises(SerializeError, match=rf"JSON_MODULE '{other.__name__}' cannot do json's work.*`default`"):
        JsonSerializer(PYRO5, WireOptions(), foreign_exceptions=True, module=other)


def test_without_the_fast_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python lacks its encoder in C, the slow one does the same."""
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    codec = JsonSerializer(PYRO5, WireOptions(), foreign_exceptions=True)

    assert b'{"a": ["\xc3\xa9"]}' == codec.dumps({"a": {"é"}})
