"""Daemons and raw clients for tests: each ends with the block it was made for."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Iterator
from typing import Any

from pyronb.dialects import PYRO5, Dialect
from pyronb.nameserver.daemon import NameServerDaemon
from pyronb.options import ClientOptions, DaemonOptions, LookupOptions, WireOptions
from pyronb.rpc.call import Call
from pyronb.rpc.codec import Codec
from pyronb.serializers.catalog import Catalog
from pyronb.server.daemon import Daemon
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI
from pyronb.wire.connection import LAYOUTS
from pyronb.wire.message import CONNECT, PING, Message
from tests.support.waiting import deadline, scaled

LOCAL = "127.0.0.1"

ENGINES = ["thread", "multiplex"]

LAYOUT = LAYOUTS[PYRO5]


class Usual:
    """What daemons of tests are made with, where a test says nothing else."""

    engine = ENGINES[0]


def daemon_options(**changes: Any) -> DaemonOptions:
    """Give options with which a daemon does its chores often, and which have the engine of the moment."""
    return DaemonOptions(**{"engine": Usual.engine, "poll_timeout": 0.05, **changes})


@contextlib.contextmanager
def looping(daemon: Daemon) -> Iterator[Daemon]:
    """Run a daemon's loop in a thread until the block ends; the daemon is closed then, and its thread has ended."""
    thread = threading.Thread(target=daemon.requestLoop, name="pyronb-test-loop", daemon=True)
    with daemon:
        thread.start()
        yield daemon
    thread.join(scaled(20))
    assert not thread.is_alive(), "the loop did not end when its daemon was closed"


@contextlib.contextmanager
def serving(
    daemon_class: type[Daemon] = Daemon, *, port: int = 0, unixsocket: str | None = None, **options: Any
) -> Iterator[Daemon]:
    """Give a daemon whose loop runs; options are fields of `DaemonOptions`."""
    with looping(daemon_class(LOCAL, port, unixsocket=unixsocket, options=daemon_options(**options))) as daemon:
        yield daemon


@contextlib.contextmanager
def naming(storage: str | None = None, **options: Any) -> Iterator[NameServerDaemon]:
    """Give a daemon with a name server in it whose loop runs."""
    daemon = NameServerDaemon(LOCAL, 0, None, storage, options=daemon_options(**options))
    with looping(daemon):
        yield daemon


def client_options(**changes: Any) -> ClientOptions:
    """Give options with which no test waits for ever."""
    return dataclasses.replace(ClientOptions(timeout=scaled(20), connect_timeout=scaled(10)), **changes)


def lookup_at(names: URI) -> LookupOptions:
    """Give the options that look for the name server at this address."""
    return LookupOptions(host=names.host or f"./u:{names.sockname}", port=names.port or 0)


def connect(uri: Any, **changes: Any) -> Proxy:
    """Give a connected proxy with options under which no test waits for ever."""
    proxy = Proxy(uri, options=client_options(**changes))
    proxy._pyroBind()
    return proxy


class RawClient:
    """A client that sends whatever it is told, and reads whatever comes.

    The requests that it makes are well-formed in its dialect; the bytes around them are the test's own business.
    """

    def __init__(self, location: str, serializer: str = "serpent", dialect: Dialect = PYRO5) -> None:
        if location.startswith("./u:"):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.connect(location[4:])
        else:
            host, _, port = location.rpartition(":")
            self.socket = socket.create_connection((host, int(port)), timeout=scaled(20))
        self.socket.settimeout(scaled(20))
        self.dialect = dialect
        self.layout = LAYOUTS[dialect]
        self.catalog = Catalog(dialect, WireOptions(), pyronb_peer=False)
        self.serializer = self.catalog.by_name(serializer)
        self.codec = Codec(dialect, self.catalog, WireOptions())
        self.seq = 0

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def greeting(self, object_id: str = "Pyro.Daemon", handshake: Any = "hello", **more: Any) -> bytes:
        """Give the bytes of a greeting as a real Pyro would send it; `more` are further keys."""
        payload = self.serializer.dumps({"handshake": handshake, "object": object_id, **more})
        return self.packed(Message(CONNECT, self.serializer.number, self.dialect.metadata_flag, 0, payload))

    def packed(self, message: Message) -> bytes:
        """Give the bytes of a message in the client's dialect."""
        return b"".join(bytes(buffer) for buffer in self.layout.pack(message))

    def request(
        self, object_id: str, method: str, *args: Any, oneway: bool = False, batch: bool = False, **kwargs: Any
    ) -> bytes:
        """Give the bytes of a call."""
        self.seq += 1
        call = Call(object_id, method, list(args) if batch else args, None if batch else kwargs, oneway, batch)
        return self.packed(self.codec.encode_call(call, self.serializer, self.seq))

    def greet(self, object_id: str = "Pyro.Daemon", handshake: Any = "hello", **more: Any) -> Any:
        """Send a greeting and give the type and the value of the answer."""
        self.send(self.greeting(object_id, handshake, **more))
        return self.answer()

    def call(self, object_id: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Send a call and give what became of it."""
        self.send(self.request(object_id, method, *args, **kwargs))
        return self.codec.decode_reply(self.message())

    def ping(self) -> None:
        """Send a ping and read the answer."""
        self.send(self.packed(Message(PING, 42, 0, 0, b"ping")))
        answer = self.message()
        assert (answer.type, bytes(answer.payload)) == (PING, b"pong")

    def message(self) -> Message:
        """Read one message."""
        layout = self.layout
        header = layout.unpack_header(self.exactly(layout.header_size))
        annotations = layout.unpack_annotations(memoryview(self.exactly(header.annotations_size)))
        return layout.unpack_message(header, annotations, self.exactly(header.payload_size), None)

    def answer(self) -> tuple[int, Any]:
        """Read one message and give its type and value."""
        message = self.message()
        return message.type, self.codec.decode_payload(message)

    def exactly(self, count: int) -> bytes:
        """Read so many bytes."""
        data = bytearray()
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, f"the connection was closed after {len(data)} of {count} bytes"
            data += piece
        return bytes(data)

    def rest(self) -> bytes:
        """Read until the other side closes; a reset counts as that, silence fails the test."""
        data, limit = b"", deadline(8)
        while True:
            try:
                self.socket.settimeout(max(limit.remaining, 0.01))
                piece = self.socket.recv(65536)
            except ConnectionError:
                return data
            except TimeoutError:
                raise AssertionError(f"the connection is still open; it gave {data[:100]!r}") from None
            if not piece:
                return data
            data += piece


def packed(message: Message) -> bytes:
    """Give the bytes of a message in protocol 502."""
    return b"".join(bytes(buffer) for buffer in LAYOUT.pack(message))
