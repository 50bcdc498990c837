"""A gateway as it runs: a name server, a daemon with objects, and uvicorn in a thread."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import numpy as np

from pyronb.context import current_context
from pyronb.gateway.options import GatewayOptions
from pyronb.gateway.serve import make_server
from pyronb.server.exposure import behavior, expose, oneway
from tests.support.serving import LOCAL, client_options, lookup_at, naming, serving
from tests.support.waiting import eventually, scaled


@expose
class Lab:
    """An object to call."""

    def __init__(self):
        self.fired = threading.Event()
        self.leave = threading.Event()
        self.closed = threading.Event()
        self._level = 1.5

    def add(self, a, b=2):
        """Add."""
        return a + b

    def keywords(self, **kwargs):
        return kwargs

    def correlation(self):
        return str(current_context.correlation_id)

    @oneway
    def fire(self):
        self.fired.set()

    def nothing(self):
        return None

    def boom(self):
        raise KeyError("größe")

    def odd_numbers(self):
        return {"a": [float("nan"), float("inf"), 1.5], "b": "NaN"}

    def array(self, *, inside=False):
        array = np.arange(3)
        return {"a": [array]} if inside else array

    def stranger(self):
        return {"__class__": "elsewhere.Thing", "x": 1}

    def items(self, count):
        yield from range(count)

    def broken_items(self):
        yield "a\nb"
        raise ValueError("no more")

    def endless(self):
        try:
            while True:
                yield "x" * 100
        finally:
            self.closed.set()

    def hold(self):
        self.leave.wait(scaled(20))
        return "held"

    @property
    def level(self):
        return self._level

    @level.setter
    def level(self, value):
        self._level = value


@expose
@behavior(instance_mode="session")
class Counter:
    """Counts the calls of one session."""

    def __init__(self):
        self._count = 0

    def count(self):
        self._count += 1
        return self._count


@dataclass
class Response:
    status: int
    headers: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


class Web:
    """A client of a gateway."""

    def __init__(self, port, app):
        self.port = port
        self.gateway = app.state.gateway

    def connection(self):
        return http.client.HTTPConnection(LOCAL, self.port, timeout=scaled(20))

    def ask(self, method, path, body=None, **headers):
        connection = self.connection()
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            answer = connection.getresponse()
            return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, value, **headers):
        headers = {"Content_Type": "application/json", **headers}
        return self.ask("POST", path, value if isinstance(value, bytes) else json.dumps(value).encode(), **headers)


@contextmanager
def gateway_to(names, **options):
    """Serve a gateway to the objects in this name server."""
    options = {"timeout": scaled(20), "idle": 0.2, **options}
    client = client_options(lookup=lookup_at(names))
    server = make_server(GatewayOptions(**options), client=client, grace=1)
    with socket.create_server((LOCAL, 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            eventually(lambda: server.started, 10)
            yield Web(listener.getsockname()[1], server.config.app)
        finally:
            server.should_exit = True
            thread.join(scaled(20))
            assert not thread.is_alive(), "the gateway did not end"


@pytest.fixture
def names():
    """A name server whose loop runs."""
    with naming() as daemon:
        yield daemon


@pytest.fixture
def lab(names):
    """An object that is registered as http.lab; its daemon is `lab._pyroDaemon`."""
    with serving() as daemon:
        lab = Lab()
        names.nameserver.register("http.lab", daemon.register(lab), metadata=["class:Lab"])
        names.nameserver.register("http.counter", daemon.register(Counter))
        names.nameserver.register("private.lab", daemon.uriFor(lab))
        yield lab
        lab.leave.set()


@pytest.fixture
def web(names, lab):
    """A client of a gateway to the lab, with the options that a gateway has by default."""
    with gateway_to(names.uri) as web:
        yield web


@pytest.fixture
def gateway(names, lab):
    """Make a client of a gateway with these options; `with gateway(key="x") as web`."""
    return lambda **options: gateway_to(names.uri, **options)
