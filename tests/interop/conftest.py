"""Peers made of the real Pyro5 or Pyro4, each in a process of its own that ends with what it was started for."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import scaled

PEERS = Path(__file__).parent / "peers"


@contextmanager
def peer(script, options=None, pass_fds=()):
    """Start a script, wait until it says READY, and give the rest of that line; it is killed at the end."""
    # A real Pyro5 does not start where it finds settings that it does not know.
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("PYRO_", "PYRONB_"))}
    process = subprocess.Popen(
        [sys.executable, "-u", PEERS / script, json.dumps(options or {})],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        pass_fds=pass_fds,
    )
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read)
    reader.start()
    heard = []
    try:
        while True:
            line = lines.get(timeout=scaled(200))  # What tests may take is limited elsewhere.
            assert line is not None, f"{script} ended:\n{''.join(heard)}"
            if line.startswith("READY "):
                break
            heard.append(line)
        yield line.removeprefix("READY ").strip()
    finally:
        process.kill()
        process.wait()
        reader.join(scaled(5))
        process.stdout.close()


def ask_real_client(options, script="pyro5_client.py"):
    """Have a real client run its checks, and give what became of them."""
    with peer(script, options) as results:
        return json.loads(results)


@pytest.fixture(scope="module")
def real_ns():
    """Give the address of a real name server."""
    with peer("pyro5_ns.py") as uri:
        yield uri
