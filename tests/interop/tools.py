"""The tools of the real packages, each in a process that ends with what it was started for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

FAMILIES = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"))
    for name in ("Pyro5", "Pyro4")
]
ECHO = {"Pyro5": "Pyro5.utils.echoserver", "Pyro4": "Pyro4.test.echoserver"}
NS = {"Pyro5": "Pyro5.nameserver", "Pyro4": "Pyro4.naming"}


def clean_environment(**more):
    """A real Pyro5 does not start where it finds settings that it does not know."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith(("PYRO_", "PYRONB_"))}, **more}


@contextmanager
def real(module, *words, until, **env):
    """Run a real server until the block ends; gives what `until` finds in a line of its output."""
    command = [sys.executable, "-u", "-W", "ignore", "-m", module, *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_environment(**env)
    )
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if match := re.search(until, line):
                yield match[1]
                break
        else:
            pytest.fail(f"{module} ended: {''.join(lines)}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
