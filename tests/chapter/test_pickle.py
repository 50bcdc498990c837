"""SER and PICK: the serializers that can do everything, and code that relies on them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec

import pytest

import pyronb
from tests.chapter.conftest import running
from tests.support.paths import ROOT

SAFE = ("serpent", "json", "marshal", "msgpack")
UNSAFE = ("pickle", "dill")

if find_spec("dill") is None:
    pytest.skip("dill is not installed", allow_module_level=True)


class Point:
    """A class that safe serializers do not make instances of."""

    def __init__(self, x, y):
        self.at = (x, y)

    def __eq__(self, other):
        return isinstance(other, Point) and self.at == other.at

    __hash__ = None


@pyronb.expose
class Echo:
    """Gives back what it gets, and asks others."""

    def echo(self, value):
        return value

    def fail(self, value):
        raise ValueError(value)

    def ask(self, uri, x, y):
        with pyronb.Proxy(uri) as other:
            return other.echo(Point(x, y)).at


def accepting(*names):
    """Have daemons accept these as well."""
    pyronb.config.SERIALIZERS_ACCEPTED.update(names)


def test_s24_pickle_takes_nearly_all_types(serve):
    """Instances of one's own classes arrive as such; it is not what one gets without asking for it."""
    accepting("pickle")
    uri = serve(echo=Echo()).uriFor("echo")
    with pyronb.Proxy(uri) as p, pytest.raises(pyronb.errors.SerializeError):
        p.echo(Point(1, 2))
    pyronb.config.SERIALIZER = "pickle"
    with pyronb.Proxy(uri) as p:
        value = [Point(1, 2), b"bytes", {3, 4}, {(1, 2): range(5)}]

        assert value == p.echo(value)


def test_s25_dill_takes_more(serve):
    """Even functions go by value, which pickle cannot do."""
    accepting("pickle", "dill")
    uri = serve(echo=Echo()).uriFor("echo")
    with pyronb.Proxy(uri) as p:
        p._pyroSerializer = "dill"

        assert 25 == p.echo(lambda x: x * x)(5)
        assert Point(1, 2) == p.echo(Point(1, 2))
        p._pyroSerializer = "pickle"
        with pytest.raises(pyronb.errors.SerializeError):
            p.echo(lambda x: x)


@pytest.mark.parametrize("name", UNSAFE)
def test_s26_s41_selected_by_name(serve, name):
    """SERIALIZER makes outgoing calls use it."""
    accepting(name)
    pyronb.config.SERIALIZER = name
    with pyronb.Proxy(serve(echo=Echo()).uriFor("echo")) as p:
        assert name == p._pyroSerializer
        assert Point(1, 2) == p.echo(Point(1, 2))


@pytest.mark.parametrize(("name", "item"), [("pickle", "PICKLE_PROTOCOL_VERSION"), ("dill", "DILL_PROTOCOL_VERSION")])
def test_s27_protocol_version(serve, name, item):
    """It is the highest by default, and can be set."""
    accepting(name)
    assert pickle.HIGHEST_PROTOCOL == getattr(pyronb.config, item)
    pyronb.config.SERIALIZER = name
    for version in (2, pickle.HIGHEST_PROTOCOL):
        setattr(pyronb.config, item, version)
        with pyronb.Proxy(serve(**{f"echo{version}": Echo()}).uriFor(f"echo{version}")) as p:
            p._pyroRawWireResponse = True
            payload = bytes(p.echo([1, 2]).payload)

            assert bytes([0x80, version]) == payload[:2]


@pytest.mark.parametrize("name", UNSAFE)
def test_s32_name_server_must_be_told_too(name):
    """It refuses what it was not told to accept, and takes it when it was."""
    for accepted in (False, True):
        if accepted:
            accepting(name)
        uri, daemon, _ = pyronb.startNS(port=0, enableBroadcast=False)
        with running(daemon), pyronb.Proxy(uri) as nameserver:
            nameserver._pyroSerializer = name
            if accepted:
                nameserver.register("thing", "PYRO:thing@somewhere:9999")
                assert pyronb.URI("PYRO:thing@somewhere:9999") == nameserver.lookup("thing")
            else:
                with pytest.raises(pyronb.errors.CommunicationError, match=f"not accept.*{name}"):
                    nameserver.ping()


@pytest.mark.parametrize("name", SAFE)
def test_s40_simple_interfaces_need_no_pickle(serve, name):
    """Builtin types, exceptions and the library's own classes work with every safe serializer."""
    pyronb.config.SERIALIZER = name
    daemon = serve(echo=Echo())
    with pyronb.Proxy(daemon.uriFor("echo")) as p:
        value = {"numbers": [1, 2.5], "nothing": None, "uri": daemon.uriFor("echo")}

        assert value == p.echo(value)
        assert isinstance(p.echo(p), pyronb.Proxy)
        with pytest.raises(ValueError, match="simple"):
            p.fail("simple")


def settings_from(**environment):
    """Ask a new process for its settings."""
    program = "import pyronb; print(pyronb.config.SERIALIZER, *sorted(pyronb.config.SERIALIZERS_ACCEPTED))"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
        text=True,
        timeout=50,
    )
    serializer, *accepted = ran.stdout.split()
    return serializer, set(accepted)


def test_s41_s42_from_the_environment():
    """Variables do the same as settings in code."""
    found = settings_from(PYRO_SERIALIZER="pickle", PYRO_SERIALIZERS_ACCEPTED="serpent,json,marshal,pickle")

    assert ("pickle", {"serpent", "json", "marshal", "pickle"}) == found


def test_s42_server_accepts_it(serve):
    """Adding the name to the set is all it takes; without, calls are refused."""
    pyronb.config.SERIALIZER = "pickle"
    with pytest.raises(pyronb.errors.CommunicationError, match="pickle"):
        pyronb.Proxy(serve(echo=Echo()).uriFor("echo"))._pyroBind()
    pyronb.config.SERIALIZERS_ACCEPTED.add("pickle")
    with pyronb.Proxy(serve(echo=Echo()).uriFor("echo")) as p:
        assert Point(1, 2) == p.echo(Point(1, 2))


def test_s43_in_and_out_are_independent(serve):
    """A server that calls others needs both: what it accepts does not change what it sends."""
    accepting("pickle")
    first, second = serve(echo=Echo()), serve(echo=Echo())
    with pyronb.Proxy(first.uriFor("echo")) as p:
        p._pyroSerializer = "pickle"
        assert Point(1, 2) == p.echo(Point(1, 2))
        with pytest.raises(pyronb.errors.SerializeError):
            p.ask(second.uriFor("echo"), 3, 4)
        pyronb.config.SERIALIZER = "pickle"

        assert (3, 4) == tuple(p.ask(second.uriFor("echo"), 3, 4))


def test_s44_always_an_explicit_act(serve):
    """Nobody gets it by default, on either side."""
    serializer, accepted = settings_from()

    assert serializer == "serpent"
    assert not accepted & {"pickle", "dill", "cloudpickle"}
    with pyronb.Proxy(serve(echo=Echo()).uriFor("echo")) as p:
        p._pyroBind()
        with pytest.raises(pyronb.errors.PyroError):
            p._pyroSerializer = "pickle"
            p.echo(1)


def test_s111_two_ways_out(serve):
    """Code that relied on pickle either passes simple values, or switches pickle on; the error tells of a way."""
    accepting("pickle")
    uri = serve(echo=Echo()).uriFor("echo")
    with pyronb.Proxy(uri) as p:
        with pytest.raises(pyronb.errors.SerializeError, match="register"):
            p.echo(Point(1, 2))
        assert [1, 2] == p.echo([1, 2])
        p._pyroSerializer = "pickle"
        assert Point(1, 2) == p.echo(Point(1, 2))
