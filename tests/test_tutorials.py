"""The tutorials as a whole: the index, and the tool that runs them anew."""

from __future__ import annotations

import re

import nbformat
import pytest

from tests.tutorials import NOTEBOOKS, run, sanitizer

EXAMPLES = {
    "async",
    "attributes",
    "auto-reconnect",
    "auto-retry",
    "batched calls",
    "callback",
    "custom serialization",
    "exceptions",
    "oneway",
    "proxy sharing",
    "timeout",
}
"""What the client chapter of Pyro's manual points to."""


@pytest.fixture(scope="module")
def rows():
    """The rows of the index, each as (notebook, examples)."""
    index = (NOTEBOOKS / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| \[[^]]+\]\(([^)]+)\) \|.*\|([^|]*)\|$", index, re.MULTILINE)
    return [(name, {example.strip() for example in examples.split(",")} - {""}) for name, examples in found]


def test_index_names_every_notebook(rows):
    """In their order."""
    assert sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")) == [name for name, _ in rows]


def test_every_example_of_the_chapter_has_a_home(rows):
    """Whoever followed a pointer of Pyro's manual finds what it pointed to."""
    assert set().union(*(examples for _, examples in rows)) == EXAMPLES


@pytest.mark.notebooks
def test_running_anew_changes_only_what_changed(tmp_path, monkeypatch):
    """An address is kept, so is what is not compared; what says something else is not, and no path is."""
    monkeypatch.setattr("tests.tutorials.NOTEBOOKS", tmp_path)
    cells = [
        nbformat.v4.new_code_cell("print('localhost:4321')", id="same"),
        nbformat.v4.new_code_cell("print('new')", id="changed"),
        nbformat.v4.new_code_cell("1", id="ignored", metadata={"tags": ["nbval-ignore-output"]}),
        nbformat.v4.new_code_cell("1 / 0", id="failed", metadata={"tags": ["raises-exception"]}),
    ]
    for cell, text in zip(cells, ("localhost:1234\n", "old\n", "not compared\n"), strict=False):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    path = tmp_path / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    sanitize = sanitizer(NOTEBOOKS / "sanitize.cfg")

    assert run(path, sanitize, fresh=False)

    done = nbformat.read(path, as_version=4)
    assert ["localhost:1234\n", "new\n", "not compared\n"] == [cell.outputs[0].text for cell in done.cells[:3]]
    assert "ZeroDivisionError" == done.cells[3].outputs[0].ename
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    assert not run(path, sanitize, fresh=False)
    assert run(path, sanitize, fresh=True)
