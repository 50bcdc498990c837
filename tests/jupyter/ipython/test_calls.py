"""`%pyro_calls`: switched on and off, shown, kept in a variable and in a file."""

from __future__ import annotations

import json

import pytest

from pyronb.calls import recordings
from pyronb.config import config
from pyronb.jupyter.ipython.extension import load_ipython_extension, unload_ipython_extension
from tests.jupyter.ipython.scene import HOSTILE, run_cell
from tests.jupyter.ipython.test_connect import usage


@pytest.fixture(autouse=True)
def _nobody_records(bare_shell):
    yield
    unload_ipython_extension(bare_shell)
    assert [] == recordings


def test_off_until_it_is_switched_on(counter, cell):
    cell("c.add(1)")
    assert "Calls: off; switch it on with %pyro_calls on" in cell("%pyro_calls").text
    assert [] == recordings

    cell("%pyro_calls on")
    cell("c.add(2)")
    cell(f"c.echo({HOSTILE!r})")
    cell("c.fail('no luck')")
    done = cell("%pyro_calls")

    assert "3 recorded, on" in done.text
    assert "add(2)" in done.text
    assert "ValueError: no luck" in done.text
    assert "<script>alert" not in done.html
    assert "add(2)" not in cell("%pyro_calls --last 1").text

    cell("%pyro_calls off")
    cell("c.add(3)")
    assert "3 recorded, off" in cell("%pyro_calls show").text
    cell("%pyro_calls clear")
    assert "switch it on" in cell("%pyro_calls").text


def test_kept(shell, counter, cell, tmp_path):
    """In a variable, used like a list, and in a file."""
    cell("%pyro_calls on -o calls")
    cell("c.add(2)")
    assert [".add(2)"] == [made.code for made in shell.user_ns["calls"]]

    file = tmp_path / "calls.json"
    assert "1 call written" in cell(f"%pyro_calls save {file}").stdout
    assert ["add"] == [made["method"] for made in json.loads(file.read_text())]
    assert "cannot be written" in usage(cell(f"%pyro_calls save {tmp_path}"))


@pytest.mark.parametrize("line", ["perhaps", "on off", "save"])
def test_mistakes(cell, line):
    assert "takes one of on, off, show, clear, save FILE" in usage(cell(f"%pyro_calls {line}"))


def test_from_the_start(bare_shell, monkeypatch):
    """Where the configuration says so."""
    monkeypatch.setattr(config, "RECORD_CALLS", True)
    load_ipython_extension(bare_shell)

    assert 1 == len(recordings)
    assert "0 recorded, on" in run_cell(bare_shell, "%pyro_calls").text
