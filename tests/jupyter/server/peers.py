"""Peers for tests: good name servers and daemons, and all kinds of bad ones, each with a port of its own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time

from pyronb.nameserver.start import startNS
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose, oneway
from pyronb.sync.proxy import Proxy
from tests.support.waiting import scaled

HOST = "127.0.0.1"
HOSTILE = "<img src=x onerror=alert(1)>"


@expose
class Motor:
    """Moves the stage."""

    @property
    def position(self) -> float:
        """Where it is."""
        return 0.0

    @property
    def speed(self) -> float:
        return 1.0

    @speed.setter
    def speed(self, value: float) -> None:
        pass

    def move(self, to: float, *, slowly: bool = False) -> float:
        """Go there."""
        return to

    @oneway
    def stop(self) -> None:
        """Stop at once."""


class NameServerLike:
    """What a name server exposes, with answers that a test chooses, and a count of its calls."""

    def __init__(self, names=(), lookup=None):
        self.names = {} if names == () else names
        self.found = lookup
        self.calls = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    @expose
    def list(self, prefix=None, regex=None, return_metadata=False):
        self.calls += 1
        self.may_answer.wait(scaled(30))
        if isinstance(self.names, Exception):
            raise self.names
        return self.names

    @expose
    def lookup(self, name, return_metadata=False):
        self.calls += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def address_of(daemon):
    return daemon.locationStr


@contextlib.contextmanager
def running(daemon):
    """Let a daemon serve in a thread, and close it at the end."""
    thread = threading.Thread(target=daemon.requestLoop, daemon=True)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.shutdown()
        thread.join(scaled(10))
        daemon.close()


@contextlib.contextmanager
def nameserver(port=0):
    """Run a real name server of pyronb; gives its daemon."""
    daemon = startNS(HOST, port=port, storage="memory").daemon
    with running(daemon):
        yield daemon


def register(daemon, name, uri, metadata=None):
    """Enter a name in the name server of this daemon, as any program does."""
    with Proxy(f"PYRO:Pyro.NameServer@{daemon.locationStr}") as ns:
        ns.register(name, uri, metadata=metadata)


def unregister(daemon, name):
    """Remove a name from the name server of this daemon."""
    with Proxy(f"PYRO:Pyro.NameServer@{daemon.locationStr}") as ns:
        ns.remove(name)


@contextlib.contextmanager
def serving(objects):
    """Run a daemon with these objects by id; gives the daemon."""
    daemon = Daemon(host=HOST, port=0)
    for name, thing in objects.items():
        daemon.register(thing, name)
    with running(daemon):
        yield daemon


@contextlib.contextmanager
def listening(talk):
    """Accept connections and let `talk(connection, over)` deal with each, in a thread; gives the address."""
    over = threading.Event()
    threads = []

    def talking(connection):
        with connection, contextlib.suppress(OSError):
            talk(connection, over)

    def accepting():
        while not over.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            thread = threading.Thread(target=talking, args=(connection,), daemon=True)
            threads.append(thread)
            thread.start()

    with socket.create_server((HOST, 0)) as server:
        acceptor = threading.Thread(target=accepting, daemon=True)
        acceptor.start()
        try:
            yield f"{HOST}:{server.getsockname()[1]}"
        finally:
            over.set()
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            acceptor.join(scaled(5))
            for thread in threads:
                thread.join(scaled(5))


def silent(connection, over):
    """Say nothing, ever."""
    over.wait(scaled(30))


def hanging_up(connection, over):
    """Close at once."""


def talking_http(connection, over):
    """Answer like a web server."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" * 4)


def talking_garbage(connection, over):
    """Send bytes that make no sense."""
    connection.sendall(bytes(range(256)) * 64)
    over.wait(scaled(30))


def trickling(connection, over):
    """Begin a message that never ends, a byte each tenth of a second."""
    connection.sendall(b"PYRO\x01\xf6\x02")
    while not over.wait(0.1):
        connection.sendall(b"\0")


def speaking_older_pyro(connection, over):
    """Refuse like a daemon of a protocol before Pyro4's last one (wire specification, section 25)."""
    connection.recv(4096)
    connection.sendall(
        bytes.fromhex(
            "5059524f002f0003000000000000002e000300000000354c"
            "fa2c696e76616c69642064617461206f7220756e737570706f727465642070726f746f636f6c2076657273696f6e"
        )
    )


BAD_PEERS = {
    silent: "unreachable",
    trickling: "unreachable",
    hanging_up: "unreachable",
    talking_http: "wrong-version",
    talking_garbage: "wrong-version",
    speaking_older_pyro: "wrong-version",
}
"""Peers that are no name servers, and the state that each should be seen in."""


def patience_with(peer):
    """Seconds to give a peer: those that never answer are found out soon, the others have the time for their answer."""
    return 0.5 if peer in (silent, trickling) else scaled(5)


PYRO5_NAMESERVER = """
import sys
import Pyro5.nameserver
uri, daemon, _ = Pyro5.nameserver.start_ns(host="127.0.0.1", port=0, enableBroadcast=False)
daemon.nameserver.register("lab.motor", "PYRO:motor@127.0.0.1:1", metadata={"b", "a"})
print(daemon.locationStr, flush=True)
daemon.requestLoop()
"""

PYRO4_NAMESERVER = """
import warnings
warnings.simplefilter("ignore")
import Pyro4.naming
uri, daemon, _ = Pyro4.naming.startNS(host="127.0.0.1", port=0, enableBroadcast=False)
print(daemon.locationStr, flush=True)
daemon.requestLoop()
"""


def pyro5_nameserver(environment):
    """Run the name server of the real Pyro5 in another process; gives its address."""
    return _nameserver_of(PYRO5_NAMESERVER, environment)


def pyro4_nameserver(environment):
    """Run the name server of the real Pyro4 in another process; gives its address."""
    return _nameserver_of(PYRO4_NAMESERVER, environment)


@contextlib.contextmanager
def _nameserver_of(program, environment):
    # A real Pyro5 does not start with items in its environment that it does not know.
    environment = {name: text for name, text in environment.items() if not name.startswith(("PYRO_", "PYRONB_"))}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextlib.contextmanager
def at_most(seconds):
    """Fail when this takes longer than so many scaled seconds."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began

    assert took <= scaled(seconds), f"took {took:.2f} s"
