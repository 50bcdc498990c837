"""Conversations recorded between a real client and a real daemon: our daemon and our client take part just so.

`tests/interop/peers/session.py` recorded them; they hold without the real packages, and where those are installed it is
looked that they are true.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import marshal
import os
import subprocess
import sys
import zlib

import msgpack
import pytest

from pyronb.context import current_context
from pyronb.dialects import DIALECTS, PYRO5
from pyronb.errors import CommunicationError
from pyronb.options import WireOptions
from pyronb.rpc.handshake import KEY
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose, oneway
from pyronb.sync.batch import batch
from pyronb.sync.methods import call_remote
from pyronb.sync.proxy import Proxy
from pyronb.wire.connection import LAYOUTS
from pyronb.wire.message import CONNECT, CONNECTFAIL, INVOKE
from tests.interop.peers.session import IDENTITY, SERIALIZERS
from tests.support.fix_daemons import answering
from tests.support.paths import ROOT
from tests.support.rawserver import RawServer
from tests.support.serving import ENGINES, RawClient, client_options, serving
from tests.support.waiting import scaled

pytestmark = pytest.mark.usefixtures("no_leaks")

RECORDED = {
    dialect: json.loads((ROOT / "tests" / "golden" / f"session-{dialect.family.lower()}.json").read_text())
    for dialect in DIALECTS.values()
}
READ = {"serpent": lambda data: ast.literal_eval(data.decode()), "json": json.loads, "marshal": marshal.loads}
READ["msgpack"] = msgpack.unpackb
ANEW = {"connect", "reconnect", "refused", "unknown object"}
"""What begins a connection."""

both = [
    pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.family),
    pytest.mark.parametrize("serializer", SERIALIZERS),
]


def in_both(function):
    """Run a test with each recording."""
    for mark in both:
        function = mark(function)
    return function


@expose
class Thing:
    """What the real daemon served."""

    value_ = 5

    def add(self, a, b=10):
        return a + b

    def echo(self, value):
        return value

    def fail(self):
        raise ValueError("boom", 7)

    @oneway
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


class Choosy(Daemon):
    """It refused one client."""

    def validateHandshake(self, conn, data):
        if data == "refuse":
            raise ValueError("not welcome")
        return "hello"


def unpacked(dialect, data):
    """Give a message of its bytes."""
    layout = LAYOUTS[dialect]
    header = layout.unpack_header(data[: layout.header_size])
    at = layout.header_size + header.annotations_size
    return layout.unpack_message(
        header, layout.unpack_annotations(memoryview(data)[layout.header_size : at]), data[at:], None
    )


def meaning(dialect, serializer, message):
    """Give all of a message that matters, so that two can be compared.

    How texts are written and sets ordered does not matter, and a traceback is that of another program.
    """
    payload = bytes(message.payload)
    if message.flags & dialect.compressed:
        payload = zlib.decompress(payload)
    if message.serializer_id == dialect.serializers[serializer]:
        payload = plain(READ[serializer](payload))
        if message.type == CONNECT:
            payload.pop(KEY, None)
        if message.type == INVOKE and not isinstance(payload, dict):
            object_id, method, args, kwargs = payload
            payload = object_id, method, list(args), kwargs  # or a tuple; peers take either
    flags = message.flags & ~dialect.correlation
    annotations = {name: bytes(value) for name, value in message.annotations.items()}
    return message.type, message.serializer_id, flags, message.seq, payload, annotations


def plain(value):
    """Give a value without what differs from one program to the next."""
    if isinstance(value, dict):
        found = {key: plain(each) for key, each in value.items()}
        for name in ("methods", "oneway", "attrs"):
            if name in found:
                found[name] = type(value[name]), sorted(value[name])
        if isinstance(found.get("_pyroTraceback"), list):
            assert all(isinstance(line, str) and line.endswith("\n") for line in found["_pyroTraceback"])
            found["_pyroTraceback"] = "lines"
        return found
    if isinstance(value, str):
        # Our errors say a little more.
        return value.removesuffix(" of 'thing'").removesuffix(" 'nobody'; this daemon has no such object")
    return type(value)(map(plain, value)) if isinstance(value, list | tuple) else value


@in_both
@pytest.mark.parametrize("engine", ENGINES)
def test_our_daemon_answers_a_real_client_as_the_real_daemon_did(dialect, serializer, engine):
    """Message by message, in the bytes that the client sent."""
    ours = stream = str(IDENTITY)
    client = None
    try:
        with (
            serving(Choosy, engine=engine) as daemon,
            serving(engine=engine, wire=WireOptions(compression=True)) as other,
        ):
            for each in (daemon, other):
                each.register(Thing(), "thing")
            for name, (asked, *answers) in RECORDED[dialect][serializer].items():
                if name == "compressed":
                    continue
                if name in ANEW:
                    if client is not None:
                        client.socket.close()
                    client = RawClient(daemon.locationStr, dialect=dialect)
                client.send(bytes.fromhex(asked[1:]).replace(stream.encode(), ours.encode()))
                if not answers:
                    continue
                expected = unpacked(dialect, bytes.fromhex(answers[0][1:]))
                got = client.message()
                if "STRM" in got.annotations:
                    ours = bytes(got.annotations["STRM"]).decode()
                    got.annotations["STRM"] = stream.encode()
                assert meaning(dialect, serializer, got) == meaning(dialect, serializer, expected), name
                if dialect is PYRO5 and got.type != CONNECTFAIL:  # the rest carries one by chance
                    assert got.correlation_id == expected.correlation_id, name
            greeting, compressed = (RECORDED[dialect][serializer][name] for name in ("connect", "compressed"))
            client.socket.close()
            client = RawClient(other.locationStr, dialect=dialect)
            client.send(bytes.fromhex(greeting[0][1:]))
            client.message()
            client.send(bytes.fromhex(compressed[0][1:]))
            expected = unpacked(dialect, bytes.fromhex(compressed[1][1:]))
            assert meaning(dialect, serializer, client.message()) == meaning(dialect, serializer, expected)
    finally:
        client.socket.close()


def steps(proxy, marshal):
    """Do with our proxy what was done with the real one: each step by its name, with what it comes to."""

    def error(call):
        try:
            return call()
        except Exception as error:
            return type(error), error.args

    stream = []
    yield "connect", lambda: bool(proxy._pyroBind()), True
    yield "call", lambda: proxy.add(1, b=4), 5
    yield "text", lambda: proxy.echo("größe 漢"), "größe 漢"
    yield "error", lambda: error(proxy.fail), (ValueError, ("boom", 7))
    text = "attempt to access private attribute '_private'"
    yield "private", lambda: error(lambda: call_remote(proxy._pyro, "_private", (), {})), (AttributeError, (text,))
    yield "oneway", lambda: proxy.fire("x"), None
    if not marshal:
        yield "get attribute", lambda: proxy.value, 5
        yield "set attribute", lambda: setattr(proxy, "value", 77), None
        calls = batch(proxy)
        calls.add(1, 2)
        calls.fail()
        calls.add(5, 6)
        results = calls()
        yield "batch", lambda: (next(results), error(lambda: next(results))), (3, (ValueError, ("boom", 7)))
        calls.add(1, 2)
        yield "oneway batch", lambda: calls(oneway=True), None
    yield "stream", lambda: stream.append(proxy.count()), None
    yield "item", lambda: next(stream[0]), 0
    yield "second item", lambda: next(stream[0]), 1
    yield "end of stream", lambda: next(stream[0], "end"), "end"
    yield "another stream", lambda: stream.append(proxy.count()), None
    yield "close stream", stream[1].close, None
    yield "ping", lambda: proxy._pyroPing(scaled(5)) is not None, True
    # "compressed" is read, though it is not written: that is set once for each proxy.
    yield "compressed", lambda: proxy.echo("a" * 300), "a" * 300
    current_context.annotations = {"TEST": b"beside"}
    yield "annotation", lambda: proxy.add(1, 2), 3
    current_context.annotations = {}
    proxy._pyroRelease()
    yield "reconnect", lambda: bool(proxy._pyroBind()), True
    proxy._pyroRelease()
    proxy._pyroHandshake = "refuse"
    refused = error(proxy._pyroBind)
    yield "refused", lambda: (refused[0] is CommunicationError, "not welcome" in refused[1][0]), (True, True)


@in_both
def test_our_client_talks_to_a_real_daemon_as_the_real_client_did(dialect, serializer):
    """Message by message, with the daemon's own bytes for answers."""
    recorded = RECORDED[dialect][serializer]
    left = list(recorded.items())[:-1]
    wrong = []

    def replay(sock):
        server = RawServer(sock)
        while left:
            got = server.hear()
            name, (asked, *answers) = left.pop(0)
            expected = meaning(dialect, serializer, unpacked(dialect, bytes.fromhex(asked[1:])))
            ours = meaning(dialect, serializer, got)
            if name == "compressed":
                expected = (*expected[:2], expected[2] & ~dialect.compressed, *expected[3:])
            # Ours leave greetings and the traffic of streams without an id.
            own = (got.type == INVOKE and "stream" not in name and "item" not in name) or name == "stream"
            if ours != expected or (own and got.correlation_id != IDENTITY.bytes):
                wrong.append((name, expected, ours))
            for answer in answers:
                sock.sendall(bytes.fromhex(answer[1:]))

    current_context.correlation_id = IDENTITY
    try:
        with answering(replay) as uri:
            options = client_options(serializer=serializer, protocol=dialect.version)
            with Proxy(uri.replace("obj", "thing"), options=options) as proxy:
                for name, do, expected in steps(proxy, serializer == "marshal"):
                    assert do() == expected, name
    finally:
        current_context.correlation_id = None
        current_context.annotations = {}
    assert not wrong
    assert not left


@pytest.mark.interop
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.family)
def test_the_recordings_are_true(dialect):
    """What is installed says the same still."""
    if importlib.util.find_spec(dialect.family) is None:
        pytest.skip(f"the real {dialect.family} is not installed")
    script = ROOT / "tests" / "interop" / "peers" / "session.py"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYRO_", "PYRONB_"))}
    done = subprocess.run(
        [sys.executable, script, dialect.family],
        env={**environment, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=scaled(60),
        check=True,
    )
    now, then = json.loads(done.stdout), RECORDED[dialect]
    for serializer in SERIALIZERS:
        assert now[serializer].keys() == then[serializer].keys()
        for name, messages in then[serializer].items():
            for before, after in zip(messages, now[serializer][name], strict=True):
                both = [unpacked(dialect, bytes.fromhex(each[1:])) for each in (before, after)]
                assert meaning(dialect, serializer, both[0]) == meaning(dialect, serializer, both[1]), (
                    serializer,
                    name,
                )
