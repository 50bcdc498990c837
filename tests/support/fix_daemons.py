"""A daemon with a bench of objects on it, for tests of clients; and servers that misbehave."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pyronb.context import CallContext, current_context, enter, leave
from pyronb.rpc.blob import SerializedBlob
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose, oneway
from pyronb.sync.proxy import Proxy
from tests.support.serving import LOCAL, client_options, serving
from tests.support.waiting import scaled


class MotorStalled(Exception):
    """An exception that clients do not know."""


@expose
class Bench:
    """Something of everything that can be called.

    What runs in the test's own process can be waited for: `entered` counts the calls of `wait`, which end when `go`
    is set.
    """

    def __init__(self) -> None:
        self.go = threading.Event()
        self.entered = threading.Semaphore(0)
        self.calls: list[Any] = []
        self.streams: list[str] = []
        self.level = 5

    def add(self, a: int, b: int = 10) -> int:
        """Add two numbers."""
        self.calls.append((a, b))
        return a + b

    def echo(self, *args: Any, **kwargs: Any) -> Any:
        """Give back what came."""
        return [list(args), kwargs]

    def give(self, value: Any) -> Any:
        """Give back one value."""
        return value

    def wait(self, value: Any = None) -> Any:
        """Wait until the test lets go."""
        self.entered.release()
        self.go.wait(scaled(20))
        return value

    def meet(self, value: Any) -> Any:
        """Wait for another call of this method."""
        self.entered.release()
        assert self.go.wait(scaled(10)), "nobody came"
        return value

    def zeros(self, size: int) -> str:
        """Give a long text."""
        return "0" * size

    def fail(self, text: str) -> None:
        """Raise an error with an attribute."""
        error = ValueError(text, 7)
        error.extra = "attr"
        raise error

    def stall(self) -> None:
        """Raise an error that clients do not know."""
        raise MotorStalled("axis", 3)

    def lock(self) -> Any:
        """Give what cannot travel."""
        return threading.Lock()

    @oneway
    def fire(self, value: Any) -> None:
        """Take a value, without an answer."""
        self.calls.append(value)
        self.entered.release()

    @oneway
    def misfire(self) -> None:
        """Raise where nobody hears it."""
        self.entered.release()
        raise ValueError("nobody hears")

    def count(self, to: int, fail: bool = False) -> Iterator[int]:
        """Give the numbers below this one, one at a time."""
        try:
            for number in range(to):
                self.streams.append(f"item {number}")
                yield number
            if fail:
                raise MotorStalled("in mid-stream")
        finally:
            self.streams.append("closed")

    def count_on(self, to: int) -> Iterator[int]:
        """Wait until the test lets go, take the first of the numbers here, and give the others."""
        self.wait()
        numbers = Bench.count(self, to)
        next(numbers)
        return numbers

    def blocks(self, to: int, size: int, fail: bool = False) -> Iterator[bytes]:
        """Give as many blocks of one byte each, its number."""
        return (bytes([number]) * size for number in self.count(to, fail))

    def context(self) -> dict[str, Any]:
        """Tell what came beside the call, and answer beside the reply."""
        current_context.response_annotations = {"RESP": b"there"}
        came = {name: bytes(value) for name, value in current_context.annotations.items()}
        return {"annotations": sorted(came.items()), "id": str(current_context.correlation_id)}

    def call_on(self, uri: str) -> Any:
        """Ask another object for its context, and answer beside the reply."""
        current_context.response_annotations = {"MINE": b"first"}
        with Proxy(uri, options=client_options()) as other:
            there = other.context()
        current_context.response_annotations["MINE"] = b"mine"
        return there

    def blob(self, blob: SerializedBlob) -> Any:
        """Give what a blob tells without and with being read."""
        return [blob.info, blob.deserialized()]

    @property
    def value(self) -> int:
        """A number that can be set."""
        return self.level

    @value.setter
    def value(self, level: int) -> None:
        self.level = level

    @property
    def fixed(self) -> str:
        """A text that cannot be set."""
        return "fixed"

    @property
    def broken(self) -> int:
        """Never to be read."""
        raise ValueError("broken")

    def __len__(self) -> int:
        return 42

    def hidden_by_underscore(self) -> str:
        """Give a text; the name is only long."""
        return "seen"

    def _private(self) -> None:
        raise AssertionError("nobody calls this")


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Give the object, as it is in this process; whoever waits in it is let go at the end."""
    made = Bench()
    yield made
    made.go.set()


@pytest.fixture
def daemon(bench: Bench) -> Iterator[Daemon]:
    """Give a running daemon, which has the bench under the id `bench`."""
    with serving() as running:
        running.register(bench, "bench")
        yield running
        bench.go.set()


@pytest.fixture
def proxy(daemon: Daemon) -> Iterator[Proxy]:
    """Give an unconnected proxy for the bench."""
    with Proxy(daemon.uriFor("bench"), options=client_options()) as made:
        yield made


@contextlib.contextmanager
def in_context(context: CallContext) -> Iterator[CallContext]:
    """Make this the context of the moment, as while a call is served."""
    token = enter(context)
    try:
        yield context
    finally:
        leave(token)


@contextlib.contextmanager
def answering(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Give the URI of a server of raw bytes: each client is handed to a function, and hung up on when that returns."""
    stop = threading.Event()
    taken: list[socket.socket] = []

    def attend(sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            serve(sock)

    def accept() -> None:
        while not stop.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            taken.append(sock)
            helper = threading.Thread(target=attend, args=(sock,))
            helpers.append(helper)
            helper.start()

    helpers: list[threading.Thread] = []
    with socket.create_server((LOCAL, 0)) as listener:
        loop = threading.Thread(target=accept)
        loop.start()
        try:
            yield f"PYRO:obj@{LOCAL}:{listener.getsockname()[1]}"
        finally:
            stop.set()
            # On Linux this is what wakes a thread in accept.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for sock in taken:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            loop.join(scaled(5))
            for helper in helpers:
                helper.join(scaled(5))
