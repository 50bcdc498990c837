"""Pickle and its kin: what they carry, and that nothing is read with them unless they were chosen."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pyronb.dialects import PYRO4, PYRO5, UNSAFE, Dialect
from pyronb.errors import NamingError, PyroError, RemoteError, SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import CallParts, SerializerBase
from pyronb.serializers.catalog import Catalog
from pyronb.serializers.hooks import HOOKS, BatchError
from pyronb.serializers.pickle import PickleSerializer
from pyronb.uri import URI

URI_TEXT = "PYRO:thing@localhost:99"


def made(name: str = "pickle", dialect: Dialect = PYRO5, *, pyronb_peer: bool = True, **options: Any) -> Any:
    """Make one of the serializers."""
    catalog = Catalog(dialect, WireOptions(**options), pyronb_peer=pyronb_peer, unsafe=frozenset(UNSAFE))
    return catalog.by_name(name)


@pytest.fixture(params=UNSAFE)
def kin(request: pytest.FixtureRequest) -> Any:
    """Give each of them in turn, for a pyronb peer."""
    return made(request.param)


class Stalled(Exception):
    """An exception whose constructor takes other arguments than it keeps."""

    def __init__(self, motor: str, at: float) -> None:
        super().__init__(f"{motor} stalled at {at}")
        self.motor = motor


class Trap:
    """A value that runs code where it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("dialect", [PYRO4, PYRO5], ids=["48", "502"])
def test_nothing_is_read_that_was_not_chosen(name: str, dialect: Dialect, tmp_path: Path) -> None:
    """A catalog has none of them but those it was given by name; the error says how one is chosen. (S44.)"""
    others = frozenset(UNSAFE) - {name}
    catalog = Catalog(dialect, WireOptions(), pyronb_peer=True, unsafe=others)
    number = {**dialect.own_serializers, **dialect.serializers}[name]

    with pytest.raises(SerializeError, match=f"'{name}' can run code.*SERIALIZERS_ACCEPTED.*_pyroSerializer"):
        catalog.by_number(number).loads(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(SerializeError, match="was not chosen"):
        catalog.by_name(name)
    assert name not in catalog.names()
    assert others < set(catalog.names())
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", UNSAFE)
def test_a_real_pyro5_knows_none_of_them(name: str) -> None:
    """Their numbers in protocol 502 mean something to pyronb only."""
    catalog = Catalog(PYRO5, WireOptions(), pyronb_peer=False, unsafe=frozenset(UNSAFE))

    with pytest.raises(SerializeError, match=f"Pyro5 has no serializer '{name}'; there is: serpent, marshal"):
        catalog.by_name(name)
    with pytest.raises(SerializeError, match="no serializer with number"):
        catalog.by_number(PYRO5.own_serializers[name])


@pytest.mark.parametrize("name", ["dill", "cloudpickle"])
def test_a_missing_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which extra brings it."""
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"pyronb.serializers.{name}", raising=False)

    with pytest.raises(SerializeError, match=rf'{name} is not installed \(pip install "pyronb\[pickles\]"\)'):
        made(name)


def test_values(kin: Any) -> None:
    """Whatever pickle can, and calls."""
    value = {(1, "a"): {2.5}, None: [frozenset({b"x"}), 1j, range(3), Path("a")]}

    assert value == kin.loads(kin.dumps(value))
    assert value == kin.loads(memoryview(kin.dumps(value)))
    parts = CallParts("thing", "echo", (value,), {"more": 1})
    assert parts == kin.loads_call(kin.dumps_call(parts))


def test_the_hooks_do_not_apply(kin: Any) -> None:
    """A class goes as itself, whatever is registered for it. (S33.)"""
    SerializerBase.register_class_to_dict(NamingError, lambda _: {"__class__": "Other"})

    assert isinstance(kin.loads(kin.dumps([NamingError("x")]))[0], NamingError)


def test_what_is_registered_goes_as_its_proxy(kin: Any) -> None:
    """Substitutes are no hooks of the user's."""
    HOOKS.register_substitute(Path, lambda _: URI(URI_TEXT))

    assert [URI(URI_TEXT)] == kin.loads(kin.dumps([Path("x")]))


@pytest.mark.parametrize(("name", "option"), [("pickle", "pickle"), ("cloudpickle", "pickle"), ("dill", "dill")])
def test_protocol_versions(name: str, option: str) -> None:
    """PICKLE_PROTOCOL_VERSION and DILL_PROTOCOL_VERSION say what is written. (S27.)"""
    for version in (2, 4, 5):
        data = made(name, **{f"{option}_protocol": version}).dumps([1])
        assert b"\x80" + bytes([version]) == data[:2]


def test_functions() -> None:
    """Dill and cloudpickle take code along."""
    for name in ("dill", "cloudpickle"):
        serializer = made(name)
        assert 6 == serializer.loads(serializer.dumps(lambda x: 2 * x))(3)


def test_what_cannot_be_written(kin: Any) -> None:
    """The error names the serializer and gives no advice about hooks."""
    with pytest.raises(SerializeError, match=f"^{kin.name} cannot write this builtins.list: .*") as caught:
        kin.dumps([sys._getframe()])

    assert "register" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x80\x05", pickle.dumps([1])[:-3], b"cnot.there\nThing\n."])
def test_what_cannot_be_read(kin: Any, data: bytes) -> None:
    """It is an error of ours, whatever pickle raises."""
    with pytest.raises(SerializeError, match=f"received.*{kin.name}"):
        kin.loads(data)


def test_a_pickle_that_ends_the_program(kin: Any) -> None:
    """It does not; who reads pickles runs them, but a daemon lives on."""
    with pytest.raises(SerializeError, match="received"):
        kin.loads(b"csys\nexit\n(I3\ntR.")


# Exceptions


def test_exceptions_arrive_as_themselves(kin: Any) -> None:
    """With attributes, notes, and what they were raised from."""
    error = ValueError("a", 1)
    error.extra = [1]  # type: ignore[attr-defined]
    error.__cause__ = KeyError("k")
    error.__cause__.__context__ = OSError(2, "gone")
    got = kin.loads(kin.dumps(error))

    assert (ValueError, ("a", 1), [1]) == (type(got), got.args, got.extra)
    assert (KeyError, ("k",)) == (type(got.__cause__), got.__cause__.args)
    assert (FileNotFoundError, 2) == (type(got.__cause__.__context__), got.__cause__.__context__.errno)


def test_exceptions_that_cannot_be_made_again(kin: Any) -> None:
    """Are told of as `RemoteError`, alone, in a batch and inside other values."""
    for value in (Stalled("x", 2.5), [1, BatchError(Stalled("x", 2.5))], {"error": Stalled("x", 2.5)}):
        got = kin.loads(kin.dumps(value))
        got = got["error"] if isinstance(got, dict) else got[1].exception if isinstance(got, list) else got
        assert isinstance(got, RemoteError)
        assert f"{__name__}.Stalled" == got.class_name
        assert "x stalled at 2.5" == got.message
        assert "x" == got.attributes["motor"]


def test_exceptions_of_missing_classes(kin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are told of as `RemoteError`, whoever wrote them."""
    module: Any = ModuleType("far_away")
    module.Broken = type("Broken", (Exception,), {"__module__": "far_away"})
    monkeypatch.setitem(sys.modules, "far_away", module)
    error = module.Broken("lost", 5)
    error.__cause__ = KeyError(1)
    written = kin.dumps(error), pickle.dumps(error), pickle.dumps([1, BatchError(error)])
    monkeypatch.delitem(sys.modules, "far_away")

    for data, cause in zip(written, (KeyError, type(None), type(None)), strict=True):
        got = kin.loads(data)
        got = got[1].exception if isinstance(got, list) else got
        if isinstance(got, RemoteError):  # dill and cloudpickle may have taken the class along
            assert ("far_away.Broken", ("far_away.Broken", "lost", 5)) == (got.class_name, got.args)
        else:
            assert ("Broken", ("lost", 5)) == (type(got).__name__, got.args)
        assert cause is type(got.__cause__)
    with pytest.raises(SerializeError, match=r"class that is not here.*far_away"):
        kin.loads(pickle.dumps(1)[:-1].replace(pickle.dumps(1)[2:-1], b"cfar_away\nThing\n") + b".")


def test_exceptions_that_pickle_cannot_write(kin: Any) -> None:
    """Keep their class, and have text for what could not be written."""
    got = kin.loads(kin.dumps(ValueError("busy", threading.get_ident, sys._getframe())))

    assert isinstance(got, ValueError)
    assert "busy" == got.args[0]
    assert "<frame" in got.args[2]


# Names of real Pyro4


def test_names_of_pyro4_are_read_without_pyro4(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its errors and URIs become ours, whether it is installed here or not."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "Pyro4"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "Pyro4", None)
    serializer = made(dialect=PYRO4, pyronb_peer=False)
    error = b"cPyro4.errors\nNamingError\n(Vunknown\ntR."
    uri = b"cPyro4.core\nURI\n(t\x81(VPYRO\nVthing\nNVlocalhost\nI99\ntb."

    assert isinstance(serializer.loads(error), NamingError)
    assert URI(URI_TEXT) == serializer.loads(uri)
    wrapped = b"(lcPyro4.futures\n_ExceptionWrapper\n(t\x81(dVexception\n" + error[:-1] + b"sba."
    assert isinstance(serializer.loads(wrapped)[0].exception, NamingError)


def test_our_names_go_out_as_those_of_pyro4(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are written without Pyro4, and our own reader takes them too."""
    monkeypatch.setitem(sys.modules, "Pyro4", None)
    serializer = made(dialect=PYRO4, pyronb_peer=False)
    assert isinstance(serializer, PickleSerializer)
    values = [URI(URI_TEXT), NamingError("x"), RemoteError("far.Away", "lost"), BatchError(NamingError("y"))]
    data = serializer.dumps(values)
    uri, naming, told, failed = serializer.loads(data)

    assert b"pyronb." not in data
    assert URI(URI_TEXT) == uri
    assert isinstance(naming, NamingError)
    assert (PyroError, "far.Away: lost") == (type(told), str(told))
    assert isinstance(failed.exception, NamingError)
