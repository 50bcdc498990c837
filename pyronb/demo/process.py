"""DemoProcess: a name server and the demo objects in a process of their own, for notebooks to play with."""

from __future__ import annotations

import atexit
import re
import subprocess
import sys
import threading

__all__ = ["DemoProcess", "start_demo"]

_START = 20.0
_STOP = 5.0
_READY = re.compile(r"registered in the name server at (\S+):(\d+)")


class DemoProcess:
    """The running process; `stop` ends it, and so does the end of this one.

    Attributes:
        host: where the name server is.
        port: its port.
    """

    host: str
    port: int

    def __init__(self) -> None:
        """Start it and wait until the objects are there.

        Raises:
            RuntimeError: it did not come up; the message holds what it said.
        """
        command = [sys.executable, "-m", "pyronb", "demo", "--with-ns", "--ns-port", "0", "--until-eof"]
        # It reads its standard input to the end, so it also ends when this process is killed.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        atexit.register(self.stop)
        self._said: list[str] = []
        self._up = threading.Event()
        self._reader = threading.Thread(target=self._read, name="pyronb-demo-output", daemon=True)
        self._reader.start()
        self._up.wait(_START)
        match = _READY.search("".join(self._said))
        if match is None:
            self.stop()
            raise RuntimeError(f"the demo objects did not come up: {''.join(self._said).strip() or 'no word of them'}")
        self.host, self.port = match[1], int(match[2])

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if len(self._said) < 100:
                self._said.append(line)
            if _READY.search(line):
                self._up.set()
        self._up.set()

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

    def __enter__(self) -> DemoProcess:
        """Give itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop it."""
        self.stop()

    def __repr__(self) -> str:
        """Show whether it runs, and where."""
        return f"<demo objects, name server at {self.host}:{self.port}>"


def start_demo() -> DemoProcess:
    """Start a name server and the demo objects in a process of their own."""
    return DemoProcess()
