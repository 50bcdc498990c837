"""What git holds: nothing of one machine, nothing that was built, notebooks as Jupyter left them."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.support.paths import ROOT, repository_files

FILES = repository_files()

pytestmark = pytest.mark.skipif(FILES is None, reason="this is not a git checkout")

# The patterns are written so that none matches its own text: this file is searched too.
MACHINES = re.compile(
    rb"""(?<![\w.~$}/-])             # at the start of a path, not within a longer one or a URL
    (?: /(?:root|work)/
      | /(?:home|Users)/(?!jovyan/)[a-z][\w-]*/   # jovyan is everybody, in Jupyter's containers
      | [A-Z]:\\Users\\
    )""",
    re.VERBOSE,
)
INDEXES = re.compile(rb"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|registry\.yarnpkg\.com|deb\.debian\.org")
BUILT = re.compile(
    r"(^|/)(node_modules|__pycache__|\.ipynb_checkpoints)/"
    r"|^(pyronb/labextension|labextension/lib|tests/artifacts|build|dist|\.venv)/"
    r"|\.(pyc|so|tsbuildinfo)$"
)


def name(path):
    return path.relative_to(ROOT).as_posix()


def matches(pattern):
    """Every place in every file where the pattern is found, as `file:line: what`."""
    for path in FILES:
        content = path.read_bytes()
        for match in pattern.finditer(content):
            line = content.count(b"\n", 0, match.start()) + 1
            yield f"{name(path)}:{line}: {match.group().decode(errors='replace')}"


def test_no_path_of_a_machine():
    """Nothing points into somebody's home directory."""
    assert [] == list(matches(MACHINES))


def test_no_package_index():
    """Where packages come from is a setting of the machine that installs them."""
    assert [] == list(matches(INDEXES))


@pytest.mark.parametrize(
    "text",
    [b"cd /ro" + b"ot/x", b'"/wo' + b'rk/x"', b"/ho" + b"me/ann/x", b"/Us" + b"ers/ann/x", b"C:\\Us" + b"ers\\ann"],
)
def test_machine_pattern_finds(text):
    """The pattern knows homes of all kinds."""
    assert MACHINES.search(text)


@pytest.mark.parametrize(
    "text", [b"~/wo" + b"rk/x", b"a/wo" + b"rk/x", b"http://host/wo" + b"rk/", b"/home/jovyan/x", b"/rooted/"]
)
def test_machine_pattern_passes(text):
    """The pattern leaves other paths alone."""
    assert not MACHINES.search(text)


def test_what_lies_on_top():
    """The first thing that a newcomer sees; what some program wrote into its working directory is not among it."""
    top = {name(path).split("/")[0] for path in FILES}
    files = {".editorconfig", ".gitattributes", ".gitignore", ".pre-commit-config.yaml", "Makefile", "pyproject.toml"}
    pages = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"}
    folders = {".ci", ".github", "docs", "jupyter-config", "labextension", "notebooks", "pyronb", "tests"}

    assert set() == top - files - pages - folders


def test_nothing_built():
    """What a tool can make again is not kept."""
    assert [] == [name(path) for path in FILES if BUILT.search(name(path))]


def test_ignored_and_kept_do_not_overlap():
    """A file that git both holds and ignores would vanish with the next clone of somebody's changes."""
    command = ["git", "ls-files", "-z", "--cached", "--ignored", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout

    assert "" == listed


def test_lock_file_names_no_host():
    """The lock pins hashes; `resolved` would pin the index it was written with."""
    locks = [path for path in FILES if path.name == "package-lock.json"]

    assert [] == [name(path) for path in locks if '"resolved"' + ":" in path.read_text(encoding="utf-8")]


COLORS = re.compile(r"\\u001b\[[0-9;]*m")
NOTEBOOKS = [path for path in FILES or () if path.suffix == ".ipynb"]


def notebook(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_notebook_has_no_widget_state(path):
    """Saved widget state is large, stale, and drawn by nobody without the internet."""
    assert "widgets" not in notebook(path)["metadata"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_notebook_was_run_from_top_to_bottom(path):
    """Execution counts are 1, 2, 3 ..., so the outputs are those of one run of the whole notebook."""
    code = [cell for cell in notebook(path)["cells"] if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in code if "".join(cell["source"]).strip()]

    assert list(range(1, len(counts) + 1)) == counts


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_notebook_outputs_have_counts(path):
    """A result carries the count of its cell."""
    wrong = [
        output["execution_count"]
        for cell in notebook(path)["cells"]
        for output in cell.get("outputs", ())
        if output["output_type"] == "execute_result" and output["execution_count"] != cell["execution_count"]
    ]

    assert [] == wrong


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_notebook_outputs_name_no_file_of_a_machine(path):
    """What was printed where the notebook was run, as in a traceback, does not tell where that was."""
    outputs = [output for cell in notebook(path)["cells"] for output in cell.get("outputs", ())]
    shown = COLORS.sub("", json.dumps(outputs))

    assert [] == re.findall(r"(?<![\w.~$}/-])/(?:tmp|usr|opt|var|home|root|work)/[^\s\"]*", shown)
