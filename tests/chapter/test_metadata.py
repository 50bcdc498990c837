"""META: metadata from the daemon."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import pyronb
from pyronb.core import DaemonObject
from tests.interop.conftest import peer


class Thing:
    """Has something of each kind."""

    def __init__(self):
        self._value = 5

    @pyronb.expose
    def method(self):
        return "method"

    @pyronb.expose
    @pyronb.oneway
    def fire(self):
        return "nobody reads this"

    @pyronb.expose
    @property
    def value(self):
        return self._value

    def hidden(self):
        raise AssertionError


class Counted(DaemonObject):
    """The daemon's own object, which counts the questions."""

    asked = 0

    @pyronb.expose
    def get_metadata(self, objectId, as_lists=False):
        Counted.asked += 1
        return super().get_metadata(objectId, as_lists)


class Recording(pyronb.Daemon):
    """Notes every request that runs."""

    def __init__(self, **options):
        Counted.asked = 0
        super().__init__(interface=Counted, **options)


@pytest.fixture
def daemon(serve):
    """Give one that counts, with a thing to call."""
    return serve(Recording, thing=Thing())


@pytest.fixture
def thing(daemon):
    """Give a proxy for the thing."""
    with pyronb.Proxy(daemon.uriFor("thing")) as proxy:
        yield proxy


@pytest.mark.usefixtures("thing")
def test_s102_get_metadata_is_public(daemon):
    """The daemon's own object tells everybody what an object exposes."""
    with pyronb.Proxy(f"PYRO:Pyro.Daemon@{daemon.locationStr}") as there:
        told = there.get_metadata("thing")

    assert {"method", "fire"} == set(told["methods"])
    assert 1 == Counted.asked


def test_s103_methods_attributes_oneway(thing):
    """All three are known once the proxy is connected."""
    assert (set(), set(), set()) == (thing._pyroMethods, thing._pyroAttrs, thing._pyroOneway)
    thing._pyroBind()

    assert {"method", "fire"} == thing._pyroMethods
    assert {"value"} == thing._pyroAttrs
    assert {"fire"} == thing._pyroOneway


def test_s104_s106_no_round_trip(thing):
    """Oneway calls are made as such, and what is not there fails, without asking the server."""
    thing._pyroBind()
    before = thing._pyroSeq
    for name in ("hidden", "nonsense"):
        with pytest.raises(AttributeError, match=f"thing.*{name}"):
            getattr(thing, name)
        with pytest.raises(AttributeError, match=f"thing.*{name}"):
            setattr(thing, name, 5)
    with pytest.raises(AttributeError, match="method"):
        thing.method = 5

    assert before == thing._pyroSeq
    assert thing.fire() is None


def test_s105_hasattr(thing):
    """It tells the truth."""
    there = [name for name in ("method", "fire", "value", "hidden", "nonsense", "_private") if hasattr(thing, name)]

    assert ["method", "fire", "value"] == there


def test_s107_attributes_rely_on_it(thing):
    """An attribute is read rather than called because the proxy knows that it is one."""
    assert 5 == thing.value
    assert callable(thing.method)


@pytest.mark.usefixtures("thing")
def test_s108_switched_off(daemon):
    """Connecting tells nothing then; methods can be called all the same."""
    pyronb.config.METADATA = False
    with pyronb.Proxy(daemon.uriFor("thing")) as proxy:
        assert "method" == proxy.method()
        assert set() == proxy._pyroMethods
        assert callable(proxy.nonsense)
        with pytest.raises(AttributeError, match="nonsense"):
            proxy.nonsense()
    assert 0 == Counted.asked


@pytest.mark.interop
@pytest.mark.parametrize("family", ["pyro4", "pyro5"])
def test_s108_switched_off_towards_real_peers(family):
    """They can be called as well; Pyro5 has no such setting and does not notice."""
    if find_spec(family.capitalize()) is None:
        pytest.skip(f"{family} is not installed")
    pyronb.config.METADATA = False
    with peer(f"{family}_daemon.py") as uri, pyronb.Proxy(uri) as proxy:
        assert 3 == proxy.add(1, 2)
        assert [0, 1] == list(proxy.count(2))
        assert set() == proxy._pyroMethods
        with pytest.raises(AttributeError, match="nonsense"):
            proxy.nonsense()


@pytest.mark.interop
@pytest.mark.skipif(find_spec("Pyro4") is None, reason="Pyro4 is not installed")
def test_s108_s109_daemon_without_get_metadata():
    """The error says what is missing and what to do; having done it, one can call."""
    with peer("pyro4_old_daemon.py") as uri:
        with pytest.raises(pyronb.errors.PyroError, match=r"DaemonObject.*get_metadata.*METADATA to False"):
            pyronb.Proxy(uri)._pyroBind()
        pyronb.config.METADATA = False
        with pyronb.Proxy(uri) as proxy:
            assert 3 == proxy.add(1, 2)


def test_s110_within_the_answer_to_the_greeting(thing):
    """There is no further call for it."""
    thing._pyroBind()

    assert {"method", "fire"} == thing._pyroMethods
    assert (0, 0) == (thing._pyroSeq, Counted.asked)
