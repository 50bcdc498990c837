"""Serializers by name and by number."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
from types import MappingProxyType, ModuleType
from typing import Any

import pytest

from pyronb.dialects import PYRO5
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.catalog import Catalog


def test_by_name_and_number(catalog: Catalog) -> None:
    """Name and number of the dialect lead to one instance."""
    for name, number in PYRO5.serializers.items():
        serializer = catalog.by_number(number)

        assert (name, number) == (serializer.name, serializer.number)
        assert serializer is catalog.by_name(name)
        assert serializer is catalog.by_number(number)


def test_names(catalog: Catalog) -> None:
    """The names of what is installed are told in the order of the dialect."""
    assert ("serpent", "marshal", "json", "msgpack", "native") == catalog.names()


def test_unknown(catalog: Catalog) -> None:
    """An unknown name or number is an error that says what there is."""
    with pytest.raises(SerializeError, match=r"no serializer 'bson'; there is: serpent, marshal, json, msgpack"):
        catalog.by_name("bson")
    with pytest.raises(SerializeError, match=r"number 9; there is: 1 \(serpent\), 2 \(marshal\)"):
        catalog.by_number(9)


def test_numbers_belong_to_the_dialect() -> None:
    """Another dialect gives the same serializers other numbers, and may lack some."""
    other = dataclasses.replace(PYRO5, serializers=MappingProxyType({"json": 2, "bson": 4}))
    catalog = Catalog(other, WireOptions(), pyronb_peer=False)

    assert 2 == catalog.by_name("json").number
    assert ("json",) == catalog.names()
    with pytest.raises(SerializeError, match="'bson'"):
        catalog.by_number(4)
    with pytest.raises(SerializeError, match="'msgpack'"):
        catalog.by_name("msgpack")


def test_missing_package(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is told with the way to get it, and its serializer is not listed."""
    find = importlib.util.find_spec
    monkeypatch.setitem(sys.modules, "msgpack", None)
    monkeypatch.delitem(sys.modules, "pyronb.serializers.msgpack", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "msgpack" else find(name))

    with pytest.raises(SerializeError, match="pip install msgpack"):
        catalog.by_name("msgpack")
    assert ("serpent", "marshal", "json") == catalog.names()


def test_json_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module that does json's work is a setting."""
    module: Any = ModuleType("fancyjson")
    module.dumps, module.loads = lambda _, **_more: "[5]", lambda _: ["fancy"]
    monkeypatch.setitem(sys.modules, "fancyjson", module)
    options = WireOptions(json_module="fancyjson")

    json = Catalog(PYRO5, options, pyronb_peer=True).by_name("json")

    assert b"[5]" == json.dumps(1)
    assert ["fancy"] == json.loads(b"1")


def test_missing_json_module() -> None:
    """A json module that is not installed is an error that names it."""
    options = WireOptions(json_module="no_such_json")

    with pytest.raises(SerializeError, match="no_such_json is not installed"):
        Catalog(PYRO5, options, pyronb_peer=True).by_name("json")
