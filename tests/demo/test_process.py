"""Servers in processes of their own: they come up, are reached, end, and say what went wrong."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

import pyronb
from pyronb.demo.process import start_server
from tests.support.waiting import eventually

PROGRAM = """
import sys
import pyronb

@pyronb.expose
class Echo:
    def words(self):
        return sys.argv[1:]

    def fail(self):
        raise ValueError("as asked")

pyronb.serveSimple({Echo: "echo"}, ns=False)
"""


def test_a_program_serves():
    """Its object can be called, and it finds its words where a program does."""
    with start_server(PROGRAM, 1, "two") as server, pyronb.Proxy(server.uri) as echo:
        assert ["1", "two"] == echo.words()
        assert f"<server of {server.uri}>" == repr(server)
    assert not server.running
    assert f"<server of {server.uri}; it has ended>" == repr(server)


def test_a_remote_traceback_shows_the_line():
    """The program is a file, without the path of this machine."""
    with start_server(PROGRAM) as server, pyronb.Proxy(server.uri) as echo, pytest.raises(ValueError) as caught:
        echo.fail()
    shown = "".join(pyronb.getPyroTraceback(caught.value))

    assert 'File "server.py", line 10, in fail' in shown
    assert 'raise ValueError("as asked")' in shown


def test_a_program_is_killed():
    """As after a crash, the connection is lost; ending it again does nothing."""
    server = start_server(PROGRAM)
    with pyronb.Proxy(server.uri) as echo:
        echo.words()
        server.kill()
        with pytest.raises(pyronb.errors.ConnectionClosedError):
            echo.words()
    server.kill()
    server.stop()


def test_a_program_that_does_not_come_up():
    """What it said is the message."""
    with pytest.raises(RuntimeError, match=r"(?s)did not come up.*ZeroDivisionError: division by zero$"):
        start_server("1 / 0")


def test_a_program_ends_with_a_killed_parent():
    """Nobody has to clean up."""
    parent = (
        "import sys; from pyronb.demo.process import start_server\n"
        "server = start_server(sys.argv[1]); print(server._process.pid, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        child = psutil.Process(int(process.stdout.readline()))
        process.kill()

    eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
