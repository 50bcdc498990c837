"""The examples in the help of the magics, and the cells of the README, run as they stand."""

from __future__ import annotations

import inspect
import re

import pytest

import pyronb
from pyronb.demo.process import start_demo
from tests.jupyter.ipython.scene import HOST, run_cell
from tests.support.magics import magic_classes
from tests.support.paths import ROOT
from tests.support.programs import free_port

MAGICS = {name: member for kind in magic_classes() for name, member in vars(kind).items() if name.startswith("pyro_")}
FIRST = {
    "pyro_close": ["%pyro_serve camera as lab.counter"],
    "pyro_connect": ["del camera"],
    "pyro_ns": [f"%pyro_config NS_PORT {free_port()}"],
}
"""What is to be done before the examples of a magic make sense."""


@pyronb.expose
class Camera:
    """All that the examples ask of an instrument."""

    def turn(self, angle):
        return angle

    def move(self, to):
        return to

    def picture(self, size=100):
        return [0] * size


def indented(text):
    """Code after each `::`, without its indentation."""
    return [inspect.cleandoc(block) for block in re.findall(r"::\n\n((?: {4}.*\n|\n)+)", inspect.cleandoc(text) + "\n")]


def cells(text):
    """What is put into cells: magics of one line each, or all of a cell magic."""
    for block in indented(text):
        yield from [block] if block.startswith("%%") else block.splitlines()


@pytest.fixture
def lab(shell, scene, monkeypatch, tmp_path):
    """The instruments of the examples; gives a function that runs an example with their addresses."""
    monkeypatch.chdir(tmp_path)  # where an example writes a file
    host, port = scene.nameserver.split(":")
    monkeypatch.setattr(pyronb.config, "NS_HOST", host)
    monkeypatch.setattr(pyronb.config, "NS_PORT", int(port))
    for name in ("camera", "stage", "laser"):
        scene.enter(f"lab.{name}", scene.daemon.register(Camera(), name), {"motors"})
    addresses = {"lab-pc:9090": scene.nameserver, "lab-pc:4433": scene.daemon.uriFor("camera").location}

    def run(code):
        for written, real in addresses.items():
            code = code.replace(written, real)
        result = run_cell(shell, code)
        assert result.error is None, (code, result.error)

    shell.user_ns |= {"Camera": Camera, "camera": Camera()}
    run("%pyro_connect lab.camera as cam lab.stage as stage")
    return run


@pytest.mark.parametrize("name", MAGICS)
def test_examples_of_a_magic(name, lab, monkeypatch):
    """No example in the help fails, where there are objects of these names."""
    monkeypatch.setattr(pyronb.config, "COMMTIMEOUT", pyronb.config.COMMTIMEOUT)  # which an example changes
    examples = list(cells(MAGICS[name].__doc__))
    assert examples

    for code in [*FIRST.get(name, ()), *examples]:
        lab(code)


def test_cells_of_the_readme(shell, monkeypatch):
    """They work with the demo objects."""
    examples = re.findall(r"^```\n(%.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(examples) >= 2

    with start_demo() as demo:
        monkeypatch.setattr(pyronb.config, "NS_HOST", demo.host)
        monkeypatch.setattr(pyronb.config, "NS_PORT", demo.port)
        for code in examples:
            result = run_cell(shell, code)
            assert result.error is None, (code, result.error)


@pyronb.expose
class Motor:
    """What the example of `pyronb.aio` asks of a motor."""

    @property
    def position(self):
        return 10

    def move(self, to):
        return to

    def readings(self):
        yield from range(3)


def test_example_of_the_asynchronous_room(shell, scene, monkeypatch):
    """It works in a cell."""
    monkeypatch.setattr(pyronb.config, "NS_HOST", HOST)
    monkeypatch.setattr(pyronb.config, "NS_PORT", int(scene.nameserver.split(":")[1]))
    scene.offer("example.motor", Motor())
    (example,) = indented(pyronb.aio.__doc__)

    assert run_cell(shell, example).error is None
    assert shell.user_ns["position"] == 10
