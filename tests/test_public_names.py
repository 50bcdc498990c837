"""The public face is a list: all on it is there, once, and nothing else is."""

from __future__ import annotations

import types

import pytest

import pyronb
from tests.support.paths import ROOT
from tests.support.source import modules


@pytest.mark.parametrize("name", pyronb.__all__)
def test_importable(name):
    """Every name of the list is there, and it has a docstring if it is a class or a function."""
    thing = getattr(pyronb, name)

    if isinstance(thing, type | types.FunctionType):
        assert thing.__doc__


def test_star_import():
    """It gives the list and nothing else."""
    names = {}
    exec("from pyronb import *", names)  # a star is not allowed in a function
    del names["__builtins__"]

    assert sorted(pyronb.__all__) == sorted(names)


def test_no_name_twice():
    """Neither in the list, nor two names for one thing."""
    things = [id(getattr(pyronb, name)) for name in pyronb.__all__]

    assert len(things) == len(set(things))
    assert len(pyronb.__all__) == len(set(pyronb.__all__))


def test_everything_public_is_on_the_list():
    """What the package imports for its users is listed; the rest are submodules and the hooks of Jupyter."""
    hooks = {"load_ipython_extension", "unload_ipython_extension"}
    public = {
        name
        for name, thing in vars(pyronb).items()
        if not name.startswith("_") and not isinstance(thing, types.ModuleType) and name not in ("annotations", "Any")
    }

    assert set(pyronb.__all__) - {"__version__", "errors"} == public - hooks


# Names that other floors use, and modules that are only ever imported as a whole.
EXPORTS = [module.name for module in modules(ROOT) if "__all__" in {name for _, name in module.definitions()}]


@pytest.mark.parametrize("name", [name for name in EXPORTS if name.split(".")[1:2] != ["jupyter"]])
def test_lists_of_modules(name):
    """Each module's own list names what is there, each once."""
    module = __import__(name, fromlist=["*"])
    missing = [each for each in module.__all__ if not hasattr(module, each)]

    assert [] == missing
    assert len(module.__all__) == len(set(module.__all__))


def test_name_that_became_a_keyword():
    """Pyro4's `async` can still be asked for; other names are as missing as ever."""
    assert pyronb.asyncproxy is getattr(pyronb, "async")
    with pytest.raises(AttributeError, match="nonsense"):
        _ = pyronb.nonsense
