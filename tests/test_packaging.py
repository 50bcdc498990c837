"""What users install: a wheel and an sdist that carry the built bundle, so that nobody needs Node.

Both are built as a user would, away from the tree, with a `node` and an `npm` that only fail.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests.support.paths import BUNDLE, PACKAGE, ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (BUNDLE / "package.json").exists(), reason="the bundle is not built: `make bundle`"),
]

LEFT_OUT = shutil.ignore_patterns(".*_cache", ".git", ".hypothesis", ".venv", "__pycache__", "dist", "node_modules")
SHARE = "share/jupyter/labextensions/pyronb-lab"


def build(kind, source, into, without_node):
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(into), str(source)]
    ran = subprocess.run(command, env=without_node, capture_output=True, check=False, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def without_node(tmp_path_factory):
    """An environment whose node and npm only fail."""
    folder = tmp_path_factory.mktemp("no-node")
    for tool in ("node", "npm", "npx"):
        (folder / tool).write_text(f"#!/bin/sh\necho {tool} was called >&2\nexit 1\n", encoding="utf-8")
        (folder / tool).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory, without_node):
    """The sdist of a copy of this tree."""
    copy = tmp_path_factory.mktemp("copy") / "pyronb"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    return build("sdist", copy, tmp_path_factory.mktemp("sdist"), without_node)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, without_node, sdist):
    """The wheel made from that sdist."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (source,) = unpacked.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"), without_node)


@pytest.fixture(scope="module")
def names(wheel):
    """Names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def data(names):
    """What the wheel puts below the environment's own folder."""
    return sorted(found.group(1) for name in names if (found := re.match(r"[^/]*\.data/data/(.*)", name)))


def test_wheel_carries_the_panel_and_its_switch(data):
    """The bundle as it was built, its install.json, and the file that enables the server extension; no more."""
    bundle = [path.relative_to(BUNDLE).as_posix() for path in BUNDLE.rglob("*") if path.is_file()]
    expected = {f"{SHARE}/{name}" for name in bundle}
    expected |= {f"{SHARE}/install.json", "etc/jupyter/jupyter_server_config.d/pyronb.json"}
    tutorials = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "notebooks" / "images").iterdir()]
    expected |= {f"share/pyronb/{path.relative_to(ROOT).as_posix()}" for path in tutorials}

    assert sorted(expected) == data


def test_panel_is_whole(data):
    """JupyterLab finds the entry that package.json names, the style and the settings."""
    built = json.loads((BUNDLE / "package.json").read_text(encoding="utf-8"))
    entry = built["jupyterlab"]["_build"]["load"]

    assert f"{SHARE}/{entry}" in data
    assert f"{SHARE}/static/style.js" in data
    assert [name for name in data if name.startswith(f"{SHARE}/schemas/pyronb-lab/")]


def test_panel_is_a_release(data):
    """No log, no source maps: those come from a development build (`make bundle` replaces it)."""
    assert [] == [name for name in data if name.endswith(("build_log.json", ".map"))]


def test_wheel_has_every_module_once(names):
    """All of pyronb/ is there, and the bundle is not there a second time."""
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and not path.is_relative_to(BUNDLE) and "__pycache__" not in path.parts
    }
    actual = [name for name in names if name.startswith("pyronb/")]

    assert sorted(expected) == sorted(actual)
    assert "pyronb/py.typed" in actual  # or type checkers would not believe our annotations


def test_sdist_carries_what_a_builder_needs(sdist):
    """The bundle, its sources and the tests; nothing that npm fetched or a run left behind."""
    with tarfile.open(sdist) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}

    assert {"LICENSE", "Makefile", "labextension/package-lock.json", "pyronb/labextension/package.json"} <= files
    assert [] == [name for name in files if "node_modules" in name or name.startswith((".venv", "labextension/lib"))]


def test_version_has_one_source(wheel):
    """The package, the wheel and the panel agree."""
    version = re.search(r'__version__ = "(.+)"', (PACKAGE / "version.py").read_text(encoding="utf-8"))[1]
    panel = json.loads((BUNDLE / "package.json").read_text(encoding="utf-8"))["version"]

    assert (version, version) == (wheel.name.split("-")[1], panel)
