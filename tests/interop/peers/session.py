"""Conversations between a real client and a real daemon of one family: every message of both, as hexadecimal digits.

`PYTHONHASHSEED=0 python tests/interop/peers/session.py Pyro5 > tests/golden/session-pyro5.json`, likewise for Pyro4.

What would differ from one recording to the next is fixed: ids, and the text of tracebacks. All else is what the real
packages make of it.
"""

import contextlib
import json
import socket
import sys
import threading
import time
import uuid
import warnings

SERIALIZERS = ("serpent", "json", "marshal", "msgpack")
IDENTITY = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
TRACEBACK = ["Traceback (most recent call last):\n", "ValueError: boom\n"]


def real(family):
    """Give the names of a real package that are needed here."""
    warnings.simplefilter("ignore")
    uuid.uuid4 = lambda: IDENTITY
    if family == "Pyro5":
        from Pyro5 import api, errors, protocol

        errors.format_traceback = lambda *_, **__: list(TRACEBACK)

        return api, api.BatchProxy, lambda proxy: protocol.SendingMessage.ping(proxy._pyroConnection)
    import Pyro4
    from Pyro4 import message, util

    Pyro4.config.SERIALIZERS_ACCEPTED = {*SERIALIZERS}
    util.formatTraceback = lambda *_, **__: list(TRACEBACK)
    return Pyro4, Pyro4.batch, lambda proxy: message.Message.ping(proxy._pyroConnection)


class Tap:
    """Stands between client and daemon, and notes what each of them says: one connection at a time."""

    def __init__(self, port):
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard = {">": b"", "<": b""}
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            daemon = socket.create_connection(("127.0.0.1", self.to))
            threading.Thread(target=self.carry, args=(">", client, daemon), daemon=True).start()
            threading.Thread(target=self.carry, args=("<", daemon, client), daemon=True).start()

    def carry(self, way, come, go):
        while data := come.recv(1 << 20):
            self.heard[way] += data
            go.sendall(data)
        go.shutdown(socket.SHUT_WR)

    def take(self, family):
        """Give what was said since the last time, as messages; it must be all of whole ones."""
        said = []
        for way in "><":
            data, self.heard[way] = self.heard[way], b""
            while data:
                if family == "Pyro5":
                    size = 40 + int.from_bytes(data[12:16], "big") + int.from_bytes(data[16:20], "big")
                else:
                    size = 24 + int.from_bytes(data[12:16], "big") + int.from_bytes(data[18:20], "big")
                assert len(data) >= size
                said.append(way + data[:size].hex())
                data = data[size:]
        return said


def record(family):
    """Have every conversation once, with each safe serializer."""
    api, batch, ping = real(family)

    @api.expose
    class Thing:
        value_ = 5

        def add(self, a, b=10):
            return a + b

        def echo(self, value):
            return value

        def fail(self):
            raise ValueError("boom", 7)

        @api.oneway
        def fire(self, value):
            pass

        def count(self):
            yield from range(2)

        @property
        def value(self):
            return self.value_

        @value.setter
        def value(self, value):
            pass

    class Daemon(api.Daemon):
        def validateHandshake(self, conn, data):
            if data == "refuse":
                raise ValueError("not welcome")
            return "hello"

    daemon = Daemon("127.0.0.1")
    daemon.register(Thing(), "thing")
    threading.Thread(target=daemon.requestLoop, daemon=True).start()
    tap = Tap(int(daemon.locationStr.rpartition(":")[2]))
    return {name: converse(api, batch, ping, tap, family, name) for name in SERIALIZERS}


def converse(api, batch, ping, tap, family, serializer):
    """Say everything once in this serializer."""
    api.config.SERIALIZER = serializer
    said = {}

    def note(name, do, answers):
        with contextlib.suppress(Exception):  # of the far side, and part of what is recorded
            do()
        limit, got = time.monotonic() + 10, []
        while len(got) < answers:
            assert time.monotonic() < limit, (serializer, name, got)
            time.sleep(0.01)
            got += tap.take(family)
        said[name] = got

    proxy = api.Proxy(f"PYRO:thing@127.0.0.1:{tap.port}")
    api.current_context.correlation_id = IDENTITY
    note("connect", proxy._pyroBind, 2)
    note("call", lambda: proxy.add(1, b=4), 2)
    note("text", lambda: proxy.echo("gr\u00f6\u00dfe \u6f22"), 2)
    note("error", proxy.fail, 2)
    note("private", lambda: proxy._pyroInvoke("_private", (), {}), 2)
    note("oneway", lambda: proxy.fire("x"), 1)
    if serializer != "marshal":  # no real client can do these in marshal
        note("get attribute", lambda: proxy.value, 2)
        note("set attribute", lambda: setattr(proxy, "value", 77), 2)
        calls = batch(proxy)
        calls.add(1, 2)
        calls.fail()
        calls.add(5, 6)
        note("batch", lambda: list(calls()), 2)
        calls = batch(proxy)
        calls.add(1, 2)
        note("oneway batch", lambda: calls(oneway=True), 1)
    stream = []
    note("stream", lambda: stream.append(proxy.count()), 2)
    note("item", lambda: next(stream[0]), 2)
    note("second item", lambda: next(stream[0]), 2)
    note("end of stream", lambda: next(stream[0]), 2)
    note("another stream", lambda: stream.append(proxy.count()), 2)
    note("close stream", stream[1].close, 1)
    note("ping", lambda: ping(proxy), 2)
    api.config.COMPRESSION = True
    note("compressed", lambda: proxy.echo("a" * 300), 2)
    api.config.COMPRESSION = False
    api.current_context.annotations = {"TEST": b"beside"}
    note("annotation", lambda: proxy.add(1, 2), 2)
    api.current_context.annotations = {}
    proxy._pyroRelease()
    note("reconnect", proxy._pyroBind, 2)
    proxy._pyroRelease()
    proxy._pyroHandshake = "refuse"
    note("refused", proxy._pyroBind, 2)
    nobody = api.Proxy(f"PYRO:nobody@127.0.0.1:{tap.port}")
    note("unknown object", nobody._pyroBind, 2)
    return said


if __name__ == "__main__":
    print(json.dumps(record(sys.argv[1]), indent=1))
