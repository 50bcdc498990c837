"""Models of objects, made from what a proxy knows."""

from __future__ import annotations

from pyronb.jupyter import describing
from pyronb.jupyter.describing import object_model
from pyronb.options import ClientOptions
from pyronb.rpc.metadata import AttributeDetails, Details, Metadata, MethodDetails
from pyronb.sync.proxy import Proxy
from tests.jupyter.server.peers import HOSTILE


def proxy_with(metadata):
    proxy = Proxy("PYRO:motor@127.0.0.1:1", options=ClientOptions())
    proxy._pyro.metadata = metadata
    return proxy


def test_model_of_an_unconnected_proxy():
    """There is nothing to tell yet, and nothing is asked."""
    model = object_model(proxy_with(None), "lab.motor", ["b", "a"])

    assert model["state"] == "unreachable"
    assert model["reason"] == "The proxy of 'lab.motor' is not connected."
    assert (model["uri"], model["tags"]) == ("PYRO:motor@127.0.0.1:1", ["a", "b"])


def test_model_without_details():
    """A real Pyro tells names only."""
    metadata = Metadata(frozenset({"b", "a"}), frozenset({"b"}), frozenset({"x"}))
    model = object_model(proxy_with(metadata), "lab.motor")

    assert model["state"] == "ok"
    assert model["methods"] == [
        {"name": "a", "signature": "(...)", "doc": "", "oneway": False},
        {"name": "b", "signature": "(...)", "doc": "", "oneway": True},
    ]
    assert model["attributes"] == [{"name": "x", "type": "", "doc": "", "writable": None}]


def test_model_of_hostile_details():
    """Long texts are shortened; markup stays text."""
    details = Details(
        HOSTILE, "d" * 9000, {"a" * 900: MethodDetails("(" + "x" * 9000, HOSTILE)}, {"x": AttributeDetails("t" * 9000)}
    )
    metadata = Metadata(frozenset({"a" * 900}), frozenset(), frozenset({"x"}), details)
    model = object_model(proxy_with(metadata), HOSTILE)

    assert (model["name"], model["class_name"], len(model["doc"])) == (HOSTILE, HOSTILE, 4000)
    assert [len(model["methods"][0][key]) for key in ("name", "signature", "doc")] == [500, 1000, len(HOSTILE)]
    assert len(model["attributes"][0]["type"]) == 1000


def test_model_of_too_many_members():
    """There is a limit to how much one object can be."""
    methods = {f"m{n:04}": MethodDetails("()", "d" * 4000) for n in range(3000)}
    model = object_model(proxy_with(Metadata(frozenset(methods), details=Details(methods=methods))), "x")

    assert len(model["methods"]) == describing.MAX_MEMBERS
    assert sum(len(method["doc"]) for method in model["methods"]) == describing.MAX_DOCS


def test_lone_surrogates_are_replaced():
    """What cannot be written as UTF-8 does not get far."""
    model = object_model(proxy_with(Metadata(frozenset({"a\ud800"}))), "n\udfff")

    assert (model["name"], model["methods"][0]["name"]) == ("n?", "a?")
