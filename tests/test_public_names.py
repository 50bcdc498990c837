"""The public face is a list: all on it is there, once, and nothing else is."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import types

import pytest

import pyronb
from tests.support.paths import PACKAGE, ROOT
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
    """What the package has for its users is listed; the rest are submodules and the hooks of Jupyter."""
    hooks = {"load_ipython_extension", "unload_ipython_extension"}
    public = {
        name
        for name, thing in vars(pyronb).items()
        if not name.startswith("_") and not isinstance(thing, types.ModuleType)
    }

    assert public - {"annotations", "Any", "ModuleType"} - hooks <= set(pyronb.__all__)
    assert set(pyronb.__all__) <= set(dir(pyronb))


def test_type_checkers_see_the_same():
    """The stub lists the same names, from where they really are."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    listed = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign))
    homes = {
        alias.asname: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module != "typing"
    }
    doors = {name for name, home in homes.items() if home == "pyronb"}

    assert pyronb.__all__ == listed
    assert set(listed) == set(homes) - doors | {"errors"}
    assert pyronb._DOORS | {"errors"} == doors
    for name, home in homes.items():
        expected = importlib.import_module(f"pyronb.{name}" if name in doors else home)
        assert getattr(pyronb, name) is (expected if name in doors else getattr(expected, name))


MODULES_OF_PYRO4 = {
    "core": {"Daemon", "DaemonObject", "Proxy", "URI"},
    "errors": {"ConnectionClosedError", "PyroError"},
    "futures": {"Future", "FutureResult"},
    "naming": {"locateNS", "startNS", "startNSloop", "type_meta"},
    "util": {"SerializerBase", "excepthook", "getPyroTraceback"},
}


@pytest.mark.parametrize("module", MODULES_OF_PYRO4)
def test_modules_come_with_the_package(module):
    """As with Pyro4, `import pyronb as Pyro4` is all that ``Pyro4.util.SerializerBase`` needs."""
    program = f"import pyronb as Pyro4; print(*dir(Pyro4.{module}))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, timeout=50)

    assert MODULES_OF_PYRO4[module] <= set(ran.stdout.split())


def test_config_is_the_object():
    """Also after the module of that name was loaded, and nothing else takes its place."""
    module = importlib.import_module("pyronb.config")

    assert pyronb.config is module.config
    with pytest.raises(AttributeError, match="cannot be replaced"):
        pyronb.config = 1


def test_unknown_names():
    """They are told like those of any module."""
    with pytest.raises(AttributeError, match="module 'pyronb' has no attribute 'nothing'"):
        _ = pyronb.nothing


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
