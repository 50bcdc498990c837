"""What type checkers, and editors with them, know of remote objects: `tests/typing`, and stubs of real objects."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import json
import os
import re
import runpy
import shutil
import subprocess
import sys

import pytest

import pyronb
from pyronb import expose, oneway
from pyronb.demo.host import Host
from pyronb.demo.scope import Scope
from pyronb.demo.store import Store
from tests.support.paths import ROOT
from tests.support.serving import client_options, serving
from tests.support.waiting import scaled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(scaled(300))]

NEEDS = {
    "mypy": None,
    "pyright": "it is a program of Node's, which is not here" if shutil.which("node") is None else None,
}


def mypy(*paths):
    """Complaints of mypy, strict, as (file, line)."""
    command = ["mypy", "--config-file", "pyproject.toml", "--no-error-summary", *map(str, paths)]
    complaints = re.findall(r"^(.+):(\d+): error", ran(command), re.MULTILINE)
    return {(name.rpartition("/")[2], int(line)) for name, line in complaints}


def pyright(*paths):
    """Complaints of pyright, likewise."""
    # It looks for modules in the folder that it runs in.
    command = ["pyright", "--outputjson", "--pythonpath", sys.executable, *map(str, paths)]
    told = json.loads(ran(command, paths[0].parent))
    assert told["summary"]["filesAnalyzed"] >= len(paths)
    return {
        (each["file"].rpartition("/")[2], each["range"]["start"]["line"] + 1)
        for each in told["generalDiagnostics"]
        if each["severity"] == "error"
    }


CHECKERS = {"mypy": mypy, "pyright": pyright}


def ran(command, folder=ROOT):
    """What a module said that was run as a program."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        timeout=scaled(280),
        cwd=folder,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(params=CHECKERS)
def check(request):
    """One checker after the other."""
    if NEEDS[request.param]:
        pytest.skip(NEEDS[request.param])
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return CHECKERS[request.param]


def test_programs_that_say_what_they_expect(check):
    """The public names, and proxies of a known interface, have the types that the programs there assert."""
    paths = sorted((ROOT / "tests" / "typing").glob("*.py"))

    assert len(paths) >= 2
    assert check(*paths) == set()


class Mode:
    """Is in no table."""


@expose
class Thermometer:
    """Measures."""

    label = property(lambda self: "", lambda self, value: None)

    @property
    def celsius(self) -> float:
        """Degrees."""
        return 20.0

    def read(self, channel: int = 0, *, unit: str | None = None, mode: Mode = Mode()) -> list[float]:  # noqa: B008
        """Read."""
        return [1.0]

    def stream(self):
        yield 1.0

    @oneway
    def fire(self) -> int:
        return 1

    def __getitem__(self, key: str) -> int:
        return 1

    def int(self) -> bytes:
        return b""


USE = """\
from __future__ import annotations
from collections.abc import AsyncIterator, Iterator
from typing import Any
from typing_extensions import assert_type
import pyronb
from things import Host, Scope, Store, Thermometer
import later

one = Thermometer("PYRONAME:thermometer")
assert_type(one.celsius, float)
assert_type(one.label, Any)
one.label = "x"
assert_type(one.read(1, unit="K"), list[float])
assert_type(one.read(mode="anything"), list[float])
assert_type(one["a"], int)
one.fire()
assert_type(one.int(), Any)
assert_type(one._pyroTimeout, "float | None")
one._pyroTimeout = 3
with one:
    pass
two = pyronb.Proxy[Thermometer](pyronb.URI("PYRO:a@b:1"))
assert_type(two, Thermometer)
for sample in Host("PYRONAME:demo.host").samples(count=3):
    assert_type(sample, Any)
assert_type(Scope("PYRONAME:demo.scope").acquire(averages=4), dict[str, Any])
assert_type(Store("PYRONAME:demo.store").keys(), list[str])

async def main() -> None:
    async with pyronb.aio.Proxy("PYRONAME:x"):
        pass
    far = later.Thermometer("PYRONAME:thermometer")
    assert_type(await far.celsius, float)
    assert_type(await far.read(1), list[float])
    assert_type(await far.int(), bytes)
    await far._pyroSet("label", "x")
    await far._pyroRelease()

one.read("a")  # wrong
one.read(unit=1)  # wrong
one.nothing_like_that()  # wrong
one.celsius = 5  # wrong
one.nothing = 5  # wrong
one[1]  # wrong
two.read(channels=1)  # wrong
later.Thermometer("PYRONAME:a").nothing_like_that()  # wrong
"""


def stub(*words):
    """What `pyronb stub` writes."""
    return ran(["pyronb", "stub", *words])


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A folder with a program, and with the stubs of real objects that it uses."""
    folder = tmp_path_factory.mktemp("program")
    with serving() as daemon, contextlib.ExitStack() as stack:
        things = [Thermometer(), Host(), Scope(), Store()]
        for thing in things[1:]:
            stack.callback(thing.abort if isinstance(thing, Scope) else thing.close)
        uris = [str(daemon.register(thing, type(thing).__name__)) for thing in things]
        (folder / "things.pyi").write_text(stub(*uris))
        (folder / "module.py").write_text(stub(*uris))
        (folder / "later.pyi").write_text(stub(*uris, "--aio"))
    (folder / "use.py").write_text(USE)
    return folder


def test_editors_know_remote_objects(check, program):
    """Parameters, results, attributes; what is wrong is told, and the stubs are right in themselves."""
    wrong = {("use.py", line) for line, text in enumerate(USE.splitlines(), 1) if "# wrong" in text}

    assert check(program / "use.py", *program.glob("*.pyi"), program / "module.py") == wrong


def test_a_stub_as_a_module(program):
    """Its classes can be imported, and are proxies like any other."""
    module = runpy.run_path(str(program / "module.py"))
    with serving() as daemon:
        daemon.register(Thermometer(), "Thermometer")
        with module["Thermometer"](daemon.uriFor("Thermometer"), options=client_options()) as proxy:
            assert proxy.read() == [1.0]
            assert proxy.celsius == 20.0
            assert list(proxy.stream()) == [1.0]
            assert proxy["a"] == 1
            proxy.label = "x"
            with pytest.raises(AttributeError, match="nothing_like_that"):
                proxy.nothing_like_that()
            assert type(pyronb.Proxy[module["Thermometer"]](proxy._pyroUri)) is module["Thermometer"]
            assert type(pyronb.Proxy[Thermometer](proxy._pyroUri)) is pyronb.Proxy
            assert type(copy.copy(proxy)) is module["Thermometer"]
