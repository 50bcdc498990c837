"""`import pyronb` is cheap: it loads nothing that draws, computes or watches.

Jupyter's server imports the package at its start, and a command line answers at once, or it feels broken.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.source import modules

HEAVY = (
    *("IPython", "ipykernel", "ipywidgets", "jupyter", "tornado", "traitlets", "zmq"),
    *("numpy", "pandas", "polars", "psutil", "pyarrow"),
)

# asyncio loads `ssl` by itself; whoever talks without TLS in the other room does without.
TOO_HEAVY_FOR = {"pyronb": ("ssl",), "pyronb.cli": ("ssl",)}

# What the start of the interpreter loads (site, .pth files of other packages) is not ours to answer for.
PROGRAM = """
import importlib, json, sys
before = set(sys.modules)
importlib.import_module(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
"""

# The commands load their neighbours when they are asked for, not before.
LIGHT = [name for name in ("pyronb", "pyronb.cli", "pyronb.aio") if name in {module.name for module in modules(ROOT)}]


# So many modules beyond those of a bare interpreter may `import pyronb` load.
FEW = 70


def loaded_by(name):
    """Name the modules that importing this one loads in a new interpreter."""
    command = [sys.executable, "-c", PROGRAM, name]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True, timeout=50)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_names_are_loaded_when_they_are_used():
    """The package alone brings neither network nor storage, and a client no server."""
    package, client = loaded_by("pyronb"), loaded_by("pyronb.sync.proxy")

    assert len(package) <= FEW, package
    assert not {"logging", "inspect", "socket", "sqlite3", "ssl"} & set(package)
    assert not [name for name in client if name.startswith(("pyronb.server", "pyronb.nameserver", "sqlite3", "ssl"))]


@pytest.mark.parametrize("name", LIGHT)
def test_import_loads_nothing_heavy(name):
    """No package for drawing, computing or watching comes with it."""
    loaded = loaded_by(name)

    # jupyter_server, jupyter_core and the like all begin alike; pyronb.jupyter does not.
    heavy = [
        module for module in loaded if module.split(".")[0].split("_")[0] in (*HEAVY, *TOO_HEAVY_FOR.get(name, ()))
    ]

    assert not heavy, f"import {name} loaded {len(loaded)} modules, among them {heavy}"


def test_blocking_calls_need_no_event_loop():
    """`asyncio` and `ssl` are loaded by whoever uses them."""
    program = "import sys, pyronb; pyronb.Proxy, pyronb.locateNS; print({'asyncio', 'ssl'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True)

    assert "set()" == ran.stdout.strip()
