"""The examples of the README, and of the pages that show how something is done, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyronb.demo.process import DemoProcess, start_demo
from tests.support.waiting import eventually

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
FILES = ROOT / "docs" / "files.md"


@pytest.fixture
def demo() -> Iterator[DemoProcess]:
    """Run a name server."""
    with start_demo() as process:
        yield process


def blocks(page: Path) -> list[str]:
    """Give the Python examples."""
    return re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def run(code: str, demo: DemoProcess) -> subprocess.Popen[str]:
    """Run an example in a process of its own, with its name server set by the environment."""
    environment = {**os.environ, "PYRONB_NS_HOST": demo.host, "PYRONB_NS_PORT": str(demo.port)}
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)


def is_registered(name: str, demo: DemoProcess) -> bool:
    """Ask whether a name is known."""
    command = [sys.executable, "-m", "pyronb", "nsc", "-n", demo.host, "-p", str(demo.port), "lookup", name]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("page", "name", "expected"),
    [(README, "lab.thermometer", ["294.65\n", "100\n"]), (FILES, "lab.files", ["10000000\n10000000\n50000\n"])],
    ids=["readme", "files"],
)
def test_server_and_client(demo: DemoProcess, page: Path, name: str, expected: list[str]) -> None:
    """The clients of a page get what it says from the server of the page."""
    server_code, *client_codes = blocks(page)
    said = []
    with run(server_code, demo) as server:
        try:
            eventually(lambda: is_registered(name, demo))
            for code in client_codes:
                with run(code, demo) as client:
                    said.append(client.communicate(timeout=20)[0])
        finally:
            server.kill()

    assert said == expected
