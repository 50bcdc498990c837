"""A scene for the notebook's tests: a name server, a daemon with objects, bad peers, and a probe for the network."""

from __future__ import annotations

import atexit
import contextlib
import socket
import sys
import threading
from dataclasses import dataclass, field

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from pyronb.nameserver.start import startNS
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose, oneway
from pyronb.sync.proxy import Proxy
from tests.support.waiting import scaled

HOST = "127.0.0.1"
HOSTILE = "<script>alert(1)</script>"


@expose
class Counter:
    """Counts <b>things</b>."""

    def __init__(self):
        self.total = 0
        self.notes = []
        self.reads = 0

    def add(self, number: int, times: int = 1) -> int:
        """Add a number, so many times."""
        self.total += number * times
        return self.total

    def echo(self, value):
        return value

    def fail(self, text="over there"):
        raise ValueError(text)

    def syntax(self):
        compile("1 +", "far.py", "exec")

    @oneway
    def note(self, text):
        """Write it down."""
        self.notes.append(text)

    @property
    def value(self) -> int:
        """What came together."""
        self.reads += 1
        return self.total

    @property
    def speed(self):
        return 1.0

    @speed.setter
    def speed(self, value):
        pass


@contextlib.contextmanager
def serving(daemon):
    """Let a daemon serve in a thread, and close it at the end."""
    thread = threading.Thread(target=daemon.requestLoop, daemon=True)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.shutdown()
        thread.join(scaled(10))
        daemon.close()


@dataclass
class Scene:
    """What runs: `nameserver` is an address, `counter` the object behind the name lab.counter."""

    nameserver: str
    daemon: Daemon
    counter: Counter = field(default_factory=Counter)

    def enter(self, name, uri, tags=()):
        with Proxy(f"PYRO:Pyro.NameServer@{self.nameserver}") as ns:
            ns.register(name, str(uri), metadata=set(tags))

    def leave(self, name):
        with Proxy(f"PYRO:Pyro.NameServer@{self.nameserver}") as ns:
            ns.remove(name)

    def offer(self, name, obj, tags=()):
        """Serve an object and register it."""
        uri = self.daemon.register(obj)
        self.enter(name, uri, tags)
        return uri


@contextlib.contextmanager
def nameserver(port=0):
    """Run a real name server; gives its address."""
    started = startNS(HOST, port=port, storage="memory")
    with serving(started.daemon):
        yield started.uri.location


@contextlib.contextmanager
def playing():
    """Run a scene."""
    with nameserver() as address, serving(Daemon(host=HOST, port=0)) as daemon:
        scene = Scene(address, daemon)
        scene.enter("lab.counter", daemon.register(scene.counter, "counter"), {"class:counter", "floor2"})
        yield scene


@contextlib.contextmanager
def bad_peer(answer=None):
    """Listen and answer every connection with these bytes; with None accept and stay silent. Gives the address."""
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        held = []

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if answer is not None:
                    with contextlib.suppress(OSError):
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"{HOST}:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(scaled(5))
            for connection in held:
                connection.close()


class NetworkProbe:
    """Counts what this process does with sockets."""

    METHODS = ("connect", "connect_ex", "send", "sendall", "sendmsg", "recv", "recv_into")

    def __init__(self, monkeypatch):
        self.calls = []
        for name in self.METHODS:
            monkeypatch.setattr(socket.socket, name, self._counted(name, getattr(socket.socket, name)), raising=True)
        monkeypatch.setattr(socket, "getaddrinfo", self._counted("getaddrinfo", socket.getaddrinfo))

    def _counted(self, name, original):
        main = threading.get_ident()

        def counted(*args, **kwargs):
            # The servers of the scene run in this process too, in threads of their own.
            if threading.get_ident() == main:
                self.calls.append(name)
            return original(*args, **kwargs)

        return counted


@contextlib.contextmanager
def a_shell():
    """Make the one shell of a test; nothing of it is left in the interpreter."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    main = sys.modules["__main__"]
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    try:
        yield shell
    finally:
        InteractiveShell.clear_instance()
        # At exit each shell collects garbage, which takes long after some hundred of them.
        atexit.unregister(shell.atexit_operations)
        sys.modules["__main__"] = main


@dataclass
class Cell:
    """What came of a cell."""

    result: object
    error: BaseException | None
    stdout: str
    stderr: str
    outputs: list

    @property
    def text(self):
        return "".join(output.data.get("text/plain", "") for output in self.outputs)

    @property
    def html(self):
        return "".join(output.data.get("text/html", "") for output in self.outputs)


def run_cell(shell, source, *, silent=False):
    """Run a cell as a notebook does, and catch what it shows."""
    with capture_output() as captured:
        done = shell.run_cell(source, store_history=not silent)
    return Cell(
        done.result,
        done.error_before_exec or done.error_in_exec,
        captured.stdout,
        captured.stderr,
        captured.outputs,
    )
