"""Clients that mean harm in protocol 48, with pickles, or with the serializer that only pyronb has.

What `test_hostile` holds for protocol 502 holds here: everybody else is served, and nothing stays behind.
"""

from __future__ import annotations

import importlib
import json
import marshal
import pickle
import random
import socket
import struct
import zlib
from contextlib import ExitStack

import msgpack
import pytest

from pyronb.dialects import PYRO4, PYRO5
from pyronb.options import WireOptions
from pyronb.rpc.call import Raised
from pyronb.rpc.handshake import KEY
from pyronb.server.exposure import expose
from pyronb.sync.proxy import Proxy
from pyronb.wire.message import CONNECT, CONNECTFAIL, CONNECTOK, INVOKE, PING, RESULT, Message
from tests.support.harm import MEGABYTE, is_well, resident, return_large_blocks, unharmed
from tests.support.serving import RawClient, client_options, packed, serving
from tests.support.waiting import scaled

# What payloads can have loaded is loaded by now, or memory would seem to grow with them.
for name in ("arrays", "arrow", "frames", "polars"):
    importlib.import_module(f"pyronb.serializers.{name}")

HEADER = struct.Struct("!4sHHHHiHHHH")
DUMPS = {
    "serpent": lambda value: repr(value).encode(),
    "json": lambda value: json.dumps(value).encode(),
    "marshal": marshal.dumps,
    "msgpack": msgpack.packb,
}

FRIEND = {KEY: {"version": "1.0", "can": []}}
"""What a client of pyronb says of itself beside its greeting."""


def header(kind=CONNECT, serializer=1, flags=0x10, seq=0, payload=0, annotations=0, wrong=0):
    checksum = (kind + 48 + payload + annotations + serializer + flags + seq + 0x34E9 + wrong) & 0xFFFF
    return HEADER.pack(b"PYRO", 48, kind, flags, seq, payload, serializer, annotations, 0, checksum)


@expose
class Thing:
    def __init__(self):
        self.calls = 0

    def echo(self, value=None):
        self.calls += 1
        return value

    def _private(self):
        raise AssertionError("this cannot be reached")


class Bomb:
    """A pickle that runs code where it is read."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture(scope="module", autouse=True)
def _warmed_up():
    """Load what is loaded late, so that it does not count as growth."""
    return_large_blocks()
    with serving() as daemon:
        daemon.register(Thing(), "thing")
        for dialect in (PYRO4, PYRO5):
            for name in DUMPS:
                with RawClient(daemon.locationStr, name, dialect) as client:
                    assert client.greet("thing")[0] == CONNECTOK
                    assert client.call("thing", "echo", name).value == name
                is_well(daemon, protocol=dialect.version)


@pytest.fixture
def daemon(engine):
    with serving(wire=WireOptions(max_message_size=64 * MEGABYTE)) as daemon:
        daemon.register(Thing(), "thing")
        with unharmed(daemon, lambda daemon: is_well(daemon, protocol=48)):
            yield daemon


@pytest.fixture
def raw(daemon):
    with RawClient(daemon.locationStr, dialect=PYRO4) as client:
        yield client


def refusal(client):
    """Read the answer to bytes that are no greeting, in protocol 48 and its marshal; then the end."""
    message = client.message()
    assert (message.type, message.serializer_id, message.seq) == (CONNECTFAIL, 3, 0)
    text = marshal.loads(bytes(message.payload))
    assert isinstance(text, str)
    assert client.rest() == b""
    return text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (header(wrong=1), "header checksum mismatch"),
        (header(INVOKE), "invalid msg type 4 received"),
        (header(PING), "invalid msg type 6 received"),
        (header(RESULT), "invalid msg type 5 received"),
        (header(0), "invalid msg type 0 received"),
        (header(0xFFFF), "invalid msg type 65535 received"),
        (header(payload=0x7FFFFFFF), "message too large"),
        (header(payload=-1), "invalid data"),
        (header(payload=-0x80000000), "invalid data"),
        (header(annotations=3) + b"abc", "annotation"),
        (header(annotations=12) + struct.pack("!4sH", b"ABCD", 100) + b"abcdef", "annotation"),
        (header(annotations=6) + struct.pack("!4sH", b"\xff\xff\xff\xff", 0), "annotation"),
        (header(annotations=6) + struct.pack("!4sH", b"HMAC", 0), "hmac key config not symmetric"),
        (header(annotations=0xFFFF) + b"ABCD\0\0" * 10922 + b"abc", "annotation"),
        (header(serializer=99), "serializer that is not accepted: 99"),
        (header(serializer=4), "serializer that is not accepted: pickle"),
        (header(serializer=5), "serializer that is not accepted: dill"),
        (header(serializer=7), "serializer that is not accepted: cloudpickle"),
        (header(payload=5) + b"abcde", ""),
        (header(), ""),
        (header(flags=0), ""),
        (header(flags=2, payload=4) + b"abcd", "cannot be inflated"),
    ],
)
def test_whoever_does_not_greet_is_told_so(raw, data, text):
    """In the client's own protocol."""
    raw.send(data)

    assert text in refusal(raw)


@pytest.mark.parametrize(
    "data",
    [
        header(CONNECT, payload=4) + b"text",
        header(CONNECTOK),
        header(RESULT),
        header(0),
        header(0xFFFF),
        header(INVOKE, wrong=1),
        header(INVOKE, payload=0x7FFFFFFF),
        header(INVOKE, payload=-1),
        header(INVOKE, serializer=99, payload=4) + b"text",
        header(INVOKE, annotations=7) + struct.pack("!4sH", b"ABCD", 2) + b"x",
        header(INVOKE, annotations=6) + struct.pack("!4sH", b"HMAC", 0),
        packed(Message(INVOKE, 1, 0, 1, b"('thing', 'echo', (1,), {})")),
        b"GET / HTTP/1.1\r\n\r\n" * 10,
    ],
)
def test_whoever_breaks_the_protocol_is_cut_off(raw, data):
    """Without an answer; who changes the protocol in mid-conversation, too."""
    assert raw.greet("thing")[0] == CONNECTOK
    raw.send(data)

    assert raw.rest() == b""


@pytest.mark.parametrize("seed", range(40))
def test_a_conversation_with_broken_bytes_never_harms(daemon, seed):
    """It is accepted, refused, or waited for."""
    noise = random.Random(seed)
    with RawClient(daemon.locationStr, noise.choice(list(DUMPS)), PYRO4) as client:
        data = bytearray(client.greeting("thing") + client.request("thing", "echo", [1, {"a": None}]))
        for _ in range(noise.randrange(1, 6)):
            data[noise.randrange(len(data))] = noise.randrange(256)
        client.send(bytes(data))
        client.socket.shutdown(socket.SHUT_WR)
        client.rest()


@pytest.mark.parametrize(
    "method", ["_private", "__class__", "__reduce__", "calls", "echo.__func__", "", "<batch>", "💥"]
)
@pytest.mark.parametrize("serializer", DUMPS)
def test_names_that_are_not_exposed_lead_nowhere(daemon, serializer, method):
    """As methods, as attributes, as calls in a batch, and as parts of any object's name."""
    with RawClient(daemon.locationStr, serializer, PYRO4) as client:
        client.greet("thing")
        for outcome in (
            client.call("thing", method),
            client.call("thing", "__getattr__", method),
            client.call("thing", "__setattr__", method, 1),
            client.call("thing", "<batch>", (method, (), {}), batch=True),
            client.call("Pyro.Daemon", method),
            client.call(f"thing.{method}", "echo"),
        ):
            assert isinstance(outcome, Raised), outcome
        assert client.call("thing", "echo", 1).value == 1


SHAPES = [
    None,
    3,
    [],
    ["thing"],
    ["thing", "echo", [], {}, 5],
    ["thing", "echo", None, {}],
    ["thing", "echo", 3, {}],
    ["thing", "echo", [], "kwargs"],
    [None, "echo", [], {}],
    ["thing", None, [], {}],
    {"object": "thing", "method": None, "params": [], "kwargs": {}},
    {"__class__": "os.system", "args": ["true"]},
    ["thing", "echo", [{"__class__": "subprocess.Popen", "args": ["true"]}], {}],
    ["thing", "echo", [{"__class__": "Pyro4.core.Proxy", "state": [1, 2, 3, 4, 5, 6, 7, 8, 9]}], {}],
    ["thing", "echo", [{"__class__": "Pyro4.core.Proxy", "state": 3}], {}],
    ["thing", "echo", [{"__class__": "Pyro4.core.URI", "state": [{}, [], {}, 1, "x"]}], {}],
    ["thing", "echo", [{"__class__": "Pyro4.util.SerpentSerializer"}], {}],
]


@pytest.mark.parametrize("serializer", DUMPS)
def test_malformed_calls_are_errors(daemon, serializer):
    """Each is answered with an exception under its own number, and the connection goes on."""
    with RawClient(daemon.locationStr, serializer, PYRO4) as client:
        client.greet("thing")
        for seq, shape in enumerate(SHAPES, 1000):
            payload = DUMPS[serializer](shape)
            client.send(client.packed(Message(INVOKE, client.serializer.number, 0, seq, payload)))
            message = client.message()
            outcome = client.codec.decode_reply(message)
            assert message.seq == seq
            assert isinstance(outcome, Raised), f"{shape!r} gave {outcome}"
        assert client.call("thing", "echo", 1).value == 1


def test_a_bomb_does_not_go_off(daemon):
    """Inflating stops at the ceiling, for a greeting and for a call."""
    deflate = zlib.compressobj(9)
    bomb = b"".join(deflate.compress(b"[" * MEGABYTE) for _ in range(200)) + deflate.flush()
    with RawClient(daemon.locationStr, dialect=PYRO4) as client:
        client.send(client.packed(Message(CONNECT, 1, 0x12, 0, bomb)))

        assert "MAX_MESSAGE_SIZE" in refusal(client)
    with RawClient(daemon.locationStr, dialect=PYRO4) as client:
        client.greet("thing")
        client.send(client.packed(Message(INVOKE, 1, 2, 7, bomb)))

        assert "MAX_MESSAGE_SIZE" in str(client.codec.decode_reply(client.message()).error)


def test_a_huge_length_reserves_no_memory(daemon):
    """Neither before nor after the greeting."""
    before = resident()
    with ExitStack() as stack:
        for number in range(50):
            client = stack.enter_context(RawClient(daemon.locationStr, dialect=PYRO4))
            if number % 2:
                client.greet("thing")
            client.send(header(INVOKE if number % 2 else CONNECT, payload=31 * MEGABYTE) + b"some of it")
        is_well(daemon, protocol=48)

        assert resident() - before < 64 * MEGABYTE


def test_silent_slow_and_dying_clients_delay_nobody(daemon):
    """In the middle of a greeting, and of a call."""
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(daemon.locationStr, dialect=PYRO4)) for _ in range(150)]
        greeted = clients[::2]
        for client in greeted:
            assert client.greet("thing")[0] == CONNECTOK
        for client in clients[1::2]:
            client.send(client.greeting("thing")[:23])
        requests = [client.request("thing", "echo", "x") for client in greeted]
        for at in range(12):
            for client, request in zip(greeted, requests, strict=True):
                client.send(request[at : at + 1])
        is_well(daemon, protocol=48)
        for client in clients[::3]:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("payload", [b"", b"x", b"\x80\x05.", b"\0" * 100])
def test_keys_are_asked_for_before_anything_is_read(engine, payload):
    """A daemon with a key takes neither unsigned nor wrongly signed messages, and tells so."""
    with serving() as daemon:
        thing = Thing()
        daemon.register(thing, "thing")
        daemon._pyroHmacKey = "secret"
        with unharmed(daemon, is_keyed_well):
            for chunk in (b"", b"HMAC" + struct.pack("!H", 20) + bytes(20), b"HMAC" + struct.pack("!H", 0)):
                with RawClient(daemon.locationStr, dialect=PYRO4) as client:
                    client.send(header(payload=len(payload), annotations=len(chunk)) + chunk + payload)
                    data = client.rest()
                    assert data[:4] == b"PYRO"
                    assert b"hmac" in data
        assert thing.calls == 0


def is_keyed_well(daemon):
    """Whoever has the key is served."""
    with Proxy(daemon.uriFor("thing"), options=client_options(timeout=scaled(5))) as proxy:
        proxy._pyroHmacKey = "secret"
        assert proxy._pyroBind()


# Pickles, and what only pyronb writes


@pytest.mark.parametrize(
    ("dialect", "number"), [(PYRO4, 4), (PYRO4, 5), (PYRO4, 7), (PYRO5, 104), (PYRO5, 105), (PYRO5, 107)]
)
def test_a_pickle_that_nobody_asked_for_does_not_run(daemon, dialect, number, tmp_path):
    """Neither as a greeting nor as a call; and the connection survives it."""
    mark = tmp_path / "ran"
    payload = pickle.dumps({"object": "thing", "handshake": Bomb(mark)})
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        client.send(client.packed(Message(CONNECT, number, dialect.metadata_flag, 0, payload)))
        assert client.message().type == CONNECTFAIL
    payload = pickle.dumps(("thing", "echo", (Bomb(mark),), {}))
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        client.greet("thing", **FRIEND)
        client.send(client.packed(Message(INVOKE, number, 0, 1, payload)))
        assert client.message().flags & dialect.exception
        assert client.call("thing", "echo", 1).value == 1
    assert not mark.exists()


@pytest.mark.parametrize("dialect", [PYRO4, PYRO5], ids=lambda dialect: dialect.family)
def test_hostile_payloads_in_our_own_serializer(daemon, dialect):
    """They are errors like any other, or values, and the connection goes on."""
    call = b"\x94\xa5thing\xa4echo\x91%s\x80"
    payloads = [b"", b"\xc1", b"\x91" * 100_000, b"\xdd\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01"]
    extensions = (b"", b"\xff", b"\xff" * 8, b"\x91" * 200, b"\x81\xa9__class__\xa1x")
    payloads += [call % (bytes([0xC7, len(data), kind]) + data) for kind in range(256) for data in extensions]
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        assert client.greet("thing", **FRIEND)[0] == CONNECTOK
        for seq, payload in enumerate(payloads):
            client.send(client.packed(Message(INVOKE, 100, 0, seq, payload)))
            message = client.message()
            assert (message.type, message.seq) == (RESULT, seq)
        assert client.call("thing", "echo", 1).value == 1
