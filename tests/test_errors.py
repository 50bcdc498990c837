"""The tree of exceptions."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from pyronb import errors
from pyronb.errors import RemoteError

BUILTINS = {
    "ConnectionClosedError": ConnectionError,
    "TimeoutError": TimeoutError,
    "NamingError": LookupError,
    "SecurityError": PermissionError,
}


@pytest.mark.parametrize("name", errors.__all__)
def test_all_are_pyro_errors(name):
    """One `except PyroError` catches whatever the library raises by itself."""
    kind = getattr(errors, name)

    assert issubclass(kind, errors.PyroError)
    assert issubclass(kind, BUILTINS.get(name, Exception))
    assert "boom" == str(kind("boom"))
    assert ("boom",) == kind("boom").args


def test_nothing_is_missing_from_the_list():
    """All classes of the module are public."""
    classes = {
        name for name, thing in vars(errors).items() if inspect.isclass(thing) and thing.__module__ == errors.__name__
    }

    assert set(errors.__all__) == classes


def test_the_drawn_tree_is_the_tree():
    """Each class stands in the docstring, below its base."""
    drawn, path = {}, []
    for line in errors.__doc__.splitlines():
        name = line.lstrip("│├└─ ").split(" ")[0]
        if name in errors.__all__:
            depth = (len(line) - len(line.lstrip("│├└─ "))) // 4 - 1
            path[depth:] = [name]
            drawn[name] = path[depth - 1] if depth else "Exception"

    assert {name: getattr(errors, name).__bases__[0].__name__ for name in errors.__all__} == drawn


@pytest.mark.parametrize(
    ("args", "text", "message"),
    [
        ((), "", ""),
        (("m.Stalled",), "m.Stalled", ""),
        (("m.Stalled", "axis"), "m.Stalled: axis", "axis"),
        (("m.Stalled", 5), "m.Stalled: 5", "5"),
        (("m.Stalled", "axis", 3), "m.Stalled: ('axis', 3)", "axis"),
    ],
)
def test_remote_error(args, text, message):
    """It shows the class over there and its arguments."""
    error = RemoteError(*args)

    assert (text, message) == (str(error), error.message)
    assert (args[0] if args else "") == error.class_name


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_remote_error_travels(again):
    """A copy keeps everything."""
    error = RemoteError("m.Stalled", "axis", 3)
    error.attributes["speed"] = 5
    error._pyroTraceback = ["line\n"]
    other = again(error)

    assert (error.args, error.class_name, error.message) == (other.args, other.class_name, other.message)
    assert ({"speed": 5}, ["line\n"]) == (other.attributes, other._pyroTraceback)
