"""Servers in processes of their own, for notebooks to play with: the demo objects, and programs of one's own.

Each ends with whoever started it, also when that is killed.
"""

from __future__ import annotations

import atexit
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

__all__ = ["DemoProcess", "ServerProcess", "start_demo", "start_server"]

_START = 20.0
"""Seconds that the other process has to come up."""
_STOP = 5.0
"""Seconds that it has to end."""
_NAME_SERVER = re.compile(r"registered in the name server at (\S+):(\d+)")
_ADDRESS = re.compile(r"PYRO:\S+@\S+")
_FILE = "server.py"
_KEPT = 100
"""Most lines that are kept of what a process says."""

# Runs a program, and asks it to end when nobody holds its standard input any more.
_UNTIL_EOF = """
import os, runpy, signal, sys, threading

def watch():
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=watch, daemon=True).start()
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class _Process:
    """A process that says when it is ready, and ends when its standard input does."""

    def __init__(self, command: Sequence[str], ready: re.Pattern[str], folder: str | None = None) -> None:
        """Start it and wait until it said that it is ready.

        Raises:
            RuntimeError: it did not; the message holds what it said.
        """
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, *command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        atexit.register(self.stop)
        self._ready = ready
        self._said: list[str] = []
        self._up = threading.Event()
        self._reader = threading.Thread(target=self._read, name="pyronb-demo-output", daemon=True)
        self._reader.start()
        self._up.wait(_START)
        match = ready.search("".join(self._said))
        if match is None:
            self.stop()
            raise RuntimeError(f"the server did not come up: {''.join(self._said).strip() or 'no word of it'}")
        self._match = match

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if len(self._said) < _KEPT:
                self._said.append(line)
            if self._ready.search(line):
                self._up.set()
        self._up.set()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process; stopping again does nothing."""
        atexit.unregister(self.stop)
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.close()
            process.wait(_STOP)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        self._reader.join(_STOP)
        process.stdout.close()

    def __exit__(self, *exc: object) -> None:
        """Stop it."""
        self.stop()


class DemoProcess(_Process):
    """A name server and the demo objects; `stop` ends them, and so does the end of this process.

    Attributes:
        host: where the name server is.
        port: its port.
    """

    host: str
    port: int

    def __init__(self) -> None:
        """Start them and wait until they are there.

        Raises:
            RuntimeError: they did not come up; the message holds what they said.
        """
        super().__init__(["-m", "pyronb", "demo", "--with-ns", "--ns-port", "0", "--until-eof"], _NAME_SERVER)
        self.host, self.port = self._match[1], int(self._match[2])

    def __enter__(self) -> DemoProcess:
        """Give itself."""
        return self

    def __repr__(self) -> str:
        """Show where it is."""
        return f"<demo objects, name server at {self.host}:{self.port}>"


class ServerProcess(_Process):
    """A program that serves an object; `stop` ends it, and so does the end of this process.

    Attributes:
        uri: address of the object.
    """

    uri: str

    def __init__(self, program: str, *words: object) -> None:
        """Start it and wait until it has printed the address of its object.

        Args:
            program: the Python text. It prints an address, which begins with ``PYRO:``, and serves.
            *words: what the program finds in ``sys.argv``, behind its own name.

        Raises:
            RuntimeError: it printed none; the message holds what it said.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="pyronb-server-")
        # A file rather than an argument: so tracebacks show its lines.
        Path(self._folder.name, _FILE).write_text(program.strip("\n") + "\n", encoding="utf-8")
        super().__init__(["-u", "-c", _UNTIL_EOF, _FILE, *map(str, words)], _ADDRESS, self._folder.name)
        self.uri = self._match[0]

    def kill(self) -> None:
        """End the process at once, as a crash would: nothing is finished, nobody is told."""
        self._process.kill()
        self.stop()

    def stop(self) -> None:
        """End the process; stopping again does nothing."""
        super().stop()
        self._folder.cleanup()

    def __enter__(self) -> ServerProcess:
        """Give itself."""
        return self

    def __repr__(self) -> str:
        """Show what it serves."""
        return f"<server of {self.uri}{'' if self.running else '; it has ended'}>"


def start_demo() -> DemoProcess:
    """Start a name server and the demo objects in a process of their own."""
    return DemoProcess()


def start_server(program: str, *words: object) -> ServerProcess:
    """Start a program that serves an object in a process of its own; see `ServerProcess`."""
    return ServerProcess(program, *words)
