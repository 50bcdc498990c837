"""The examples of the README run as they stand."""

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

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture
def demo() -> Iterator[DemoProcess]:
    """Run a name server."""
    with start_demo() as process:
        yield process


def blocks() -> list[str]:
    """Give the Python examples."""
    return re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def run(code: str, demo: DemoProcess) -> subprocess.Popen[str]:
    """Run an example in a process of its own, with its name server set by the environment."""
    environment = {**os.environ, "PYRONB_NS_HOST": demo.host, "PYRONB_NS_PORT": str(demo.port)}
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)


def is_registered(name: str, demo: DemoProcess) -> bool:
    """Ask whether a name is known."""
    command = [sys.executable, "-m", "pyronb", "nsc", "-n", demo.host, "-p", str(demo.port), "lookup", name]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_server_and_client(demo: DemoProcess) -> None:
    """The clients of the README get temperatures from the server of the README."""
    server_code, *client_codes = blocks()
    said = []
    with run(server_code, demo) as server:
        try:
            eventually(lambda: is_registered("lab.thermometer", demo))
            for code in client_codes:
                with run(code, demo) as client:
                    said.append(client.communicate(timeout=20)[0])
        finally:
            server.kill()

    assert said == ["294.65\n", "100\n"]
