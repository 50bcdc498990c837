"""Programs of our own in processes of their own: each is ended with the block it was started for, whatever happened."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.support.waiting import eventually, scaled

LOCAL = "127.0.0.1"
_BY_NAME_ONLY = range(20_000, 32_000)
"""Ports below those that systems give to whoever asks for any, as tests do that run at the same time."""
_CHANCE = random.SystemRandom()


class Program:
    """`pyronb WORDS` as it runs; what it prints is kept line by line.

    Attributes:
        lines: what it printed so far, on stdout and stderr.
    """

    def __init__(self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        self.words = words
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pyronb", *words],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._seen: dict[int, psutil.Process] = {}

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        """All that it printed so far."""
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, timeout: float = 20.0) -> re.Match[str]:
        """Wait until a line matches, and give the match."""

        def look() -> re.Match[str] | None:
            found = next(filter(None, (re.search(pattern, line) for line in list(self.lines))), None)
            assert found or self._process.poll() is None, f"pyronb {' '.join(self.words)} ended:\n{self.output}"
            return found

        return eventually(look, timeout, what=f"{pattern} from pyronb {' '.join(self.words)}")

    def family(self) -> list[psutil.Process]:
        """Every process that it is known to have started, directly or not; some may have ended."""
        try:
            for child in psutil.Process(self._process.pid).children(recursive=True):
                self._seen[child.pid] = child
        except psutil.NoSuchProcess:
            pass
        return list(self._seen.values())

    def signal(self, number: int = signal.SIGINT) -> None:
        """Send it a signal."""
        self.family()
        self._process.send_signal(number)

    def wait(self, timeout: float = 15.0) -> int:
        """Wait until it has ended, and give its exit code."""
        code = self._process.wait(scaled(timeout))
        self._reader.join(scaled(5))
        return code

    def stop(self, timeout: float = 15.0) -> int:
        """Interrupt it as Ctrl-C does, and give its exit code."""
        if self._process.poll() is None:
            self.signal()
        return self.wait(timeout)

    def end(self) -> None:
        """End it and all that it started, by force where asking does not help."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            pass
        finally:
            for process in [self._process, *self.family()]:
                try:
                    process.kill()
                except (psutil.NoSuchProcess, ProcessLookupError):
                    continue
            self._process.wait()
            self._reader.join(scaled(5))
            if self._process.stdout is not None:
                self._process.stdout.close()


@contextmanager
def running(*words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Run `pyronb WORDS` until the block ends."""
    program = Program(*words, cwd=cwd, env=env)
    try:
        yield program
    finally:
        program.end()


def jupyter_folders(folder: Path) -> dict[str, str]:
    """Make folders for a Jupyter that knows nothing of its user, and give the environment that names them.

    The page of such a Jupyter has a global variable `jupyterapp`, and asks nobody for news.
    """
    env = {
        name: str(folder / part)
        for name, part in {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
        }.items()
    }
    config = folder / "config"
    config.mkdir(parents=True)
    (config / "jupyter_lab_config.json").write_text(
        '{"LabApp": {"expose_app_in_browser": true, "extension_manager": "readonly"}}'
    )
    return env


def settings_folder(folder: Path) -> Path:
    """Where JupyterLab keeps the settings of its user; `folder` as in `jupyter_folders`."""
    return folder / "config" / "lab" / "user-settings"


def write_setting(folder: Path, plugin: str, text: str) -> None:
    """Set what a plugin of JupyterLab reads from the settings of its user; `folder` as in `jupyter_folders`."""
    package, _, name = plugin.partition(":")
    file = settings_folder(folder) / package / f"{name}.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def free_port() -> int:
    """Give a port that nobody listens on, nor is going to who does not ask for just that one."""
    while True:
        port = _CHANCE.choice(_BY_NAME_ONLY)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOCAL, port))
            return port


def listens(port: int) -> bool:
    """Tell whether anybody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(scaled(1))
        return probe.connect_ex((LOCAL, port)) == 0
