"""Fixtures: a shell with the extension loaded, and a scene to play in."""

from __future__ import annotations

import pytest

pytest.importorskip("IPython")

from pyronb.jupyter.ipython.extension import load_ipython_extension, unload_ipython_extension
from tests.jupyter.ipython.scene import NetworkProbe, a_shell, playing, run_cell


@pytest.fixture
def bare_shell(tmp_path, monkeypatch):
    """A shell without the extension."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with a_shell() as shell:
        yield shell
        unload_ipython_extension(shell)


@pytest.fixture
def shell(bare_shell):
    load_ipython_extension(bare_shell)
    return bare_shell


@pytest.fixture
def cell(shell):
    """Run a cell."""
    return lambda source, **options: run_cell(shell, source, **options)


@pytest.fixture
def scene():
    with playing() as scene:
        yield scene


@pytest.fixture
def counter(shell, scene, cell):
    """The proxy that the variable `c` holds."""
    assert cell(f"%pyro_connect lab.counter as c --ns {scene.nameserver}").error is None
    proxy = shell.user_ns["c"]
    yield proxy
    proxy._pyroRelease()


@pytest.fixture
def network(monkeypatch):
    return NetworkProbe(monkeypatch)
