"""The site names everything that users may use."""

from __future__ import annotations

import re

import pytest

import pyronb
import pyronb.aio
from pyronb.cli import COMMANDS
from tests.support.magics import magic_classes
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
MODULES = {"config", "errors"}
"""Public names that have a page of their own."""


def page(name):
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def section(text, title):
    """What stands below a heading."""
    return re.split(r"^## ", text.partition(f"## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("name", sorted(set(pyronb.__all__) - MODULES - {"__version__"}))
def test_public_name_is_in_the_reference(name):
    """Each name of the package, somewhere outside of the part on asyncio."""
    text = page("library").replace(section(page("library"), "Calling from asyncio"), "")

    assert re.search(rf"^\.\. auto\w+:: {name}$", text, re.MULTILINE)


@pytest.mark.parametrize("name", pyronb.aio.__all__)
def test_name_of_asyncio_is_in_the_reference(name):
    """Each name of that room."""
    text = section(page("library"), "Calling from asyncio")

    assert re.search(rf"^\.\. auto\w+:: {name}$", text, re.MULTILINE)


def test_magics_are_in_the_reference():
    """All of them, and no other."""
    there = {"%" + name for kind in magic_classes() for name in kind.magics["line"]}
    there |= {"%%" + name for kind in magic_classes() for name in kind.magics["cell"]}

    assert there == set(re.findall(r"^\.\. magic:: (\S+)$", page("notebook"), re.MULTILINE))


def test_commands_are_in_the_reference():
    """All of them, and no other."""
    there = {f"pyronb {name}" for name in COMMANDS} | {"pyronb"}

    assert there == set(re.findall(r"^\.\. command:: (.+)$", page("commands"), re.MULTILINE))
