"""The log: nothing unless it is asked for; where it goes then."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from pyronb.logs import log_to
from tests.support.paths import ROOT

PROGRAM = """
import logging
from pyronb import Daemon
logging.getLogger("pyronb.server").info("something happened")
logging.getLogger("pyronb.server").warning("beware")
"""


def run(program=PROGRAM, **environment):
    """Run a program with these settings, and give what it wrote to the terminal."""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
        text=True,
        timeout=50,
    )
    return ran.stdout + ran.stderr


def test_silent():
    """A program that says nothing about logging sees nothing of it."""
    assert run() == ""


def test_in_the_terminal():
    """From the level on that the environment names."""
    printed = run(PYRO_LOGLEVEL="INFO", PYRO_LOGFILE="{stderr}")

    assert "pyronb.server,INFO] something happened" in printed
    assert "something happened" not in run(PYRONB_LOGLEVEL="warning", PYRONB_LOGFILE="{stderr}")


def test_in_a_file(tmp_path):
    """It is added to."""
    file = tmp_path / "log"
    for _ in range(2):
        assert run(PYRO_LOGLEVEL="DEBUG", PYRO_LOGFILE=str(file)) == ""

    assert 2 == file.read_text("utf-8").count("something happened")


def test_file_that_cannot_be_written(tmp_path):
    """The program runs all the same, and says why its log is in the terminal."""
    printed = run(PYRO_LOGLEVEL="INFO", PYRO_LOGFILE=str(tmp_path / "missing" / "log"))

    assert "cannot be written" in printed
    assert "something happened" in printed


@pytest.mark.parametrize("level", ["", "error"])
def test_handler(level):
    """It is given, for whoever wants to take it back."""
    log = logging.getLogger("pyronb")
    before = log.level
    handler = log_to(level, "{stderr}")
    log.removeHandler(handler)

    assert isinstance(handler, logging.StreamHandler if level else logging.NullHandler)
    assert (logging.ERROR if level else before) == log.level
    log.setLevel(before)
