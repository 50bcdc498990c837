"""Clients that mean harm, or are no clients at all.

After each of them a healthy client is served soon, no thread or descriptor stays behind, and memory does not
grow. (The first two hold for every test here, by the fixture.)
"""

from __future__ import annotations

import json
import marshal
import os
import random
import socket
import struct
import threading
import zlib
from contextlib import ExitStack

import msgpack
import pytest

from pyronb.errors import SerializeError
from pyronb.net.tls import client_context
from pyronb.options import WireOptions
from pyronb.rpc.call import Raised
from pyronb.server.exposure import expose
from pyronb.wire.message import CONNECT, CONNECTFAIL, CONNECTOK, INVOKE, PING, RESULT, Message
from tests.support.harm import MEGABYTE, is_well, resident, return_large_blocks, unharmed
from tests.support.serving import LAYOUT, RawClient, connect, packed, serving
from tests.support.waiting import deadline, eventually, scaled

HEADER = struct.Struct("!4sHBBHHII16sHH")

# The start of a real one; what follows is of no interest to a daemon that does not speak TLS.
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(189))


def dump_serpent(value):
    return repr(value).encode()


DUMPS = {
    "serpent": (1, dump_serpent),
    "json": (3, lambda value: json.dumps(value).encode()),
    "marshal": (2, marshal.dumps),
    "msgpack": (4, msgpack.packb),
}


def header(
    kind=CONNECT, serializer=1, flags=0, seq=0, payload=0, annotations=0, version=502, magic=0x4DC5, tag=b"PYRO"
):
    return HEADER.pack(tag, version, kind, serializer, flags, seq, payload, annotations, bytes(16), 0, magic)


@expose
class Thing:
    secret = "secret"

    def __init__(self):
        self.calls = 0

    def echo(self, value=None, *more, **named):
        self.calls += 1
        return value

    def large(self, size):
        return "x" * size

    def hidden(self):
        raise AssertionError("this cannot be reached")

    hidden._pyroExposed = False

    def _private(self):
        raise AssertionError("this cannot be reached")


Thing.hidden._pyroExposed = False


@pytest.fixture(scope="module", autouse=True)
def _warmed_up():
    """Load what is loaded late, and have the allocator give large blocks back, so that neither counts as growth."""
    return_large_blocks()
    with serving() as daemon:
        daemon.register(Thing(), "thing")
        for name in ("serpent", "json", "marshal", "msgpack"):
            with connect(daemon.uriFor("thing"), serializer=name) as proxy:
                proxy.echo(name)


@pytest.fixture
def daemon(engine):
    with serving(wire=WireOptions(max_message_size=64 * MEGABYTE)) as daemon:
        daemon.register(Thing(), "thing")
        with unharmed(daemon):
            yield daemon


@pytest.fixture
def raw(daemon):
    with RawClient(daemon.locationStr) as client:
        yield client


def refusal(client):
    """Read the answer to bytes that are no greeting: a CONNECTFAIL in protocol 502 and marshal; then the end."""
    message = client.message()
    assert (message.type, message.serializer_id, message.seq) == (CONNECTFAIL, 2, 0)
    text = marshal.loads(bytes(message.payload))
    assert isinstance(text, str)
    assert client.rest() == b""
    return text


# Before the greeting


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "invalid data"),
        (CLIENT_HELLO, "invalid data"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "invalid data"),
        (b"\0" * 100, "invalid data"),
        (b"PYRX" + bytes(36), "invalid data"),
        (b"pyro" + bytes(36), "invalid data"),
        (b"PYRO\0\x2f" + bytes(18), "invalid protocol version: 47"),
        (b"PYRO\0\x2f", "invalid protocol version: 47"),
        (b"PYRO\xff\xff", "invalid protocol version: 65535"),
        (header(magic=0x1234), "invalid message or protocol version"),
        (header(INVOKE), "invalid msg type 4 received (expected: 1)"),
        (header(PING), "invalid msg type 6 received (expected: 1)"),
        (header(RESULT), "invalid msg type 5 received (expected: 1)"),
        (header(CONNECTOK), "invalid msg type 2 received (expected: 1)"),
        (header(0), "invalid msg type 0 received (expected: 1)"),
        (header(200), "invalid msg type 200 received (expected: 1)"),
        (header(payload=0xFFFFFFFF), "message too large"),
        (header(annotations=0xFFFFFFFF), "message too large"),
        (header(payload=0xFFFFFFFF, annotations=0xFFFFFFFF), "message too large"),
        (header(annotations=3) + b"abc", "annotation"),
        (header(annotations=12) + struct.pack("!4sI", b"ABCD", 100) + b"abcd", "annotation"),
        (header(annotations=8) + struct.pack("!4sI", b"\xff\xff\xff\xff", 0), "annotation"),
        (header(serializer=99), "serializer that is not accepted: 99"),
        (header(serializer=0), "serializer that is not accepted: 0"),
        (header(payload=5) + b"abcde", ""),
        (header(), ""),
        (header(serializer=2), ""),
        (header(flags=2, payload=4) + b"abcd", "cannot be inflated"),
    ],
)
def test_whoever_does_not_greet_is_told_so(raw, data, text):
    """In a way that every Pyro understands, and in one that whoever looks at the bytes can read."""
    raw.send(data)

    assert text in refusal(raw)


def test_the_answer_to_an_unknown_protocol_is_the_one_that_pyro5_gives(raw):
    """The bytes up to the end of the text that both have in common; a client reads the version from them."""
    raw.send(b"PYRO" + struct.pack("!HHHHiHHHH", 47, 1, 0x10, 0, 0, 1, 0, 0, 0))
    data = raw.rest()

    assert data[:12] == bytes.fromhex("5059524f01f6030200000000")
    assert HEADER.unpack(data[:40])[-1] == 0x4DC5
    assert b"invalid protocol version: 47" in data
    assert len(data) == 40 + HEADER.unpack(data[:40])[6]


def test_a_bad_checksum_of_pyro4_is_told_in_its_own_protocol(raw):
    """With the number that marshal has there (sections 8.3 and 25)."""
    raw.send(b"PYRO" + struct.pack("!HHHHiHHHH", 48, 1, 0x10, 0, 0, 1, 0, 0, 0))
    data = raw.rest()

    assert data[:4] == b"PYRO"
    assert struct.unpack("!HHHHiH", data[4:18])[:2] == (48, 3)
    assert struct.unpack("!HHHHiH", data[4:18])[5] == 3
    assert b"header checksum mismatch" in data


@pytest.mark.parametrize("seed", range(30))
def test_random_bytes_are_refused(raw, seed):
    """Whatever they are, and however they are cut; the reason arrives although more rubbish is under way."""
    noise = random.Random(seed)
    for _ in range(10):
        raw.send(noise.randbytes(noise.randrange(6, 2000)))

    assert "invalid data" in refusal(raw)


@pytest.mark.parametrize("seed", range(60))
def test_a_greeting_with_broken_bytes_never_harms(daemon, seed):
    """It is accepted, refused, or waited for."""
    noise = random.Random(seed)
    with RawClient(daemon.locationStr) as client:
        client.seq = 0
        data = bytearray(client.greeting("thing") + client.request("thing", "echo", [1, {"a": None}]))
        for _ in range(noise.randrange(1, 6)):
            data[noise.randrange(len(data))] = noise.randrange(256)
        client.send(bytes(data))
        client.socket.shutdown(socket.SHUT_WR)
        client.rest()


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "text",
        [],
        {},
        {"object": "thing"},
        {"handshake": "hello"},
        {"handshake": "hello", "object": 3},
        {"handshake": "hello", "object": None},
        {"handshake": "hello", "object": ["thing"]},
        {"handshake": "hello", "object": ""},
        {"handshake": "hello", "object": "nobody"},
        {"handshake": "hello", "object": "thing\0"},
    ],
)
@pytest.mark.parametrize("serializer", DUMPS)
def test_greetings_of_another_shape_are_refused(daemon, serializer, value):
    """With a reason in text."""
    number, dumps = DUMPS[serializer]
    with RawClient(daemon.locationStr, serializer) as client:
        client.send(packed(Message(CONNECT, number, 0, 0, dumps(value))))
        kind, text = client.answer()

        assert kind == CONNECTFAIL
        assert isinstance(text, str)
        assert client.rest() == b""


def test_a_huge_length_reserves_no_memory(daemon):
    """The room for a message is made as it arrives."""
    before = resident()
    with ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(RawClient(daemon.locationStr))
            client.send(header(payload=64 * MEGABYTE) + b"some of it")
        is_well(daemon)

        assert resident() - before < 64 * MEGABYTE


def test_a_huge_length_of_a_call_reserves_no_memory(daemon):
    """Neither from whoever was taken in: the header is a claim, and some of the message has to come first."""
    before = resident()
    with ExitStack() as stack:
        for size in (31, 64) * 25:
            client = stack.enter_context(RawClient(daemon.locationStr))
            client.greet("thing")
            client.send(header(INVOKE, payload=size * MEGABYTE) + b"some of it")
        is_well(daemon)

        assert resident() - before < 64 * MEGABYTE


def test_a_bomb_does_not_go_off(daemon):
    """Inflating stops at the ceiling, for a greeting and for a call."""
    deflate = zlib.compressobj(9)
    bomb = b"".join(deflate.compress(b"[" * MEGABYTE) for _ in range(200)) + deflate.flush()
    with RawClient(daemon.locationStr) as client:
        client.send(packed(Message(CONNECT, 1, 2, 0, bomb)))

        assert "MAX_MESSAGE_SIZE" in refusal(client)
    with RawClient(daemon.locationStr) as client:
        client.greet("thing")
        client.send(packed(Message(INVOKE, 1, 2, 7, bomb)))
        message = client.message()

        assert message.seq == 7
        assert "MAX_MESSAGE_SIZE" in str(client.codec.decode_reply(message).error)


@pytest.mark.parametrize(
    ("serializer", "payload"),
    [
        (1, b"[" * 100_000),
        (1, b"# serpent utf-8 python3.2\n" + b"(" * 100_000 + b")" * 100_000),
        (1, b"-" * 100_000 + b"1"),
        (1, b"9" * 10_000),
        (3, b"[" * 100_000 + b"]" * 100_000),
        (3, b'{"a":' * 100_000),
        (3, b"9" * 100_000),
        (2, b"[\x01\0\0\0" * 100_000),
        (2, b"(\xff\xff\xff\x7f"),
        (2, b"[\xff\xff\xff\x7f"),
        (2, b"s\xff\xff\xff\x7f"),
        (2, b"l\xff\xff\xff\x7f"),
        (2, marshal.dumps(compile("1", "", "eval"))),
        (4, b"\x91" * 100_000),
        (4, b"\xdd\xff\xff\xff\xff"),
        (4, b"\xdf\xff\xff\xff\xff"),
        (4, b"\xc6\xff\xff\xff\xff"),
        (4, b"\xc7\xff\x31" + b"9" * 255),
    ],
)
def test_payloads_that_exhaust_a_reader_are_errors(daemon, serializer, payload):
    """As a greeting they are refused, as a call they are an error and the connection goes on."""
    with RawClient(daemon.locationStr) as client:
        client.send(packed(Message(CONNECT, serializer, 0, 0, payload)))
        assert client.message().type == CONNECTFAIL
    with RawClient(daemon.locationStr) as client:
        client.greet("thing")
        client.send(packed(Message(INVOKE, serializer, 0, 9, payload)))
        assert isinstance(client.codec.decode_reply(client.message()), Raised)
        assert client.call("thing", "echo", 1).value == 1


# After the greeting


@pytest.mark.parametrize(
    "data",
    [
        header(CONNECT, payload=4) + b"text",
        header(CONNECTOK),
        header(CONNECTFAIL),
        header(RESULT),
        header(0),
        header(99),
        header(INVOKE, serializer=99, payload=4) + b"text",
        header(INVOKE, payload=0xFFFFFFF0),
        header(INVOKE, version=48),
        header(INVOKE, magic=1),
        header(INVOKE, tag=b"PYRX"),
        b"GET / HTTP/1.1\r\n\r\n" * 10,
        header(INVOKE, annotations=9) + struct.pack("!4sI", b"ABCD", 2) + b"x",
    ],
)
def test_whoever_breaks_the_protocol_is_cut_off(raw, data):
    """Without an answer, as real daemons do it."""
    assert raw.greet("thing")[0] == CONNECTOK
    raw.send(data)

    assert raw.rest() == b""


def test_a_second_greeting_is_not_a_second_chance(raw):
    """Not even a perfect one."""
    assert raw.greet("thing")[0] == CONNECTOK
    raw.send(raw.greeting("thing") + raw.request("thing", "echo", 1))

    assert raw.rest() == b""


@pytest.mark.parametrize("forbidden", ["json", "marshal", "msgpack"])
def test_a_forbidden_serializer_is_not_read(forbidden):
    """In a greeting as in a call it is refused with a reason; the payload is not looked at."""
    with serving(serializers=frozenset({"serpent"})) as daemon:
        thing = Thing()
        daemon.register(thing, "thing")
        with RawClient(daemon.locationStr, forbidden) as client:
            client.send(client.greeting("thing"))
            assert "serializer that is not accepted" in refusal(client)
        with RawClient(daemon.locationStr) as client:
            client.greet("thing")
            client.serializer = client.catalog.by_name(forbidden)
            error = client.call("thing", "echo", 1).error
            assert isinstance(error, SerializeError)
            assert f"not accepted: {forbidden} (accepted: serpent" in str(error)
            client.serializer = client.catalog.by_name("serpent")
            assert client.call("thing", "echo", 2).value == 2
        is_well(daemon)
        assert thing.calls == 1


@pytest.mark.parametrize(
    "method",
    [
        "_private",
        "__init__",
        "__class__",
        "__dict__",
        "__reduce__",
        "__getattribute__",
        "__delattr__",
        "__subclasses__",
        "hidden",
        "secret",
        "echo.__globals__",
        "echo.__func__",
        "__class__.__mro__",
        "calls",
        "_pyroDaemon",
        "_pyroId",
        "_pyroExposed",
        "<batch>",
        "",
        " ",
        "\n",
        "💥",
        "x" * 100_000,
    ],
)
@pytest.mark.parametrize("serializer", DUMPS)
def test_names_that_are_not_exposed_lead_nowhere(daemon, serializer, method):
    """As methods, as attributes, as calls in a batch, and as parts of any object's name."""
    with RawClient(daemon.locationStr, serializer) as client:
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
    "text",
    [],
    ["thing"],
    ["thing", "echo"],
    ["thing", "echo", []],
    ["thing", "echo", [], {}, 5],
    ["thing", "echo", {}, {}],
    ["thing", "echo", None, {}],
    ["thing", "echo", "args", {}],
    ["thing", "echo", 3, {}],
    ["thing", "echo", [], []],
    ["thing", "echo", [], "kwargs"],
    ["thing", "echo", [], 3],
    [None, "echo", [], {}],
    [3, "echo", [], {}],
    [["thing"], "echo", [], {}],
    ["thing", None, [], {}],
    ["thing", 3, [], {}],
    ["thing", ["echo"], [], {}],
    {"object": "thing"},
    {"object": "thing", "method": "echo", "params": 3, "kwargs": {}},
    {"object": 3, "method": "echo", "params": [], "kwargs": {}},
    {"object": "thing", "method": None, "params": [], "kwargs": {}},
    {"object": "thing", "method": "echo", "params": [], "kwargs": []},
    {"object": "thing", "method": "echo", "params": {}, "kwargs": {}},
    {"__class__": "os.system", "args": ["true"]},
    {"__class__": "__main__.Thing"},
    {"__class__": 3},
    ["thing", "echo", [{"__class__": "subprocess.Popen", "args": ["true"]}], {}],
    ["thing", "echo", [{"__class__": "Pyro5.client.Proxy", "state": 3}], {}],
    ["thing", "echo", [{"__class__": "Pyro5.client.Proxy", "state": [1, 2, 3, 4, 5, 6]}], {}],
    ["thing", "echo", [{"__class__": "Pyro5.core.URI", "state": ["PYRO", 1]}], {}],
    ["thing", "echo", [{"__class__": "Pyro5.core.URI", "state": [{}, [], {}, 1, "x"]}], {}],
    ["thing", "echo", [{"__class__": "Pyro5.server.Daemon", "state": []}], {}],
]


@pytest.mark.parametrize("serializer", DUMPS)
def test_malformed_calls_are_errors(daemon, serializer):
    """Each is answered with an exception under its own number, and the connection goes on."""
    number, dumps = DUMPS[serializer]
    with RawClient(daemon.locationStr, serializer) as client:
        client.greet("thing")
        for seq, shape in enumerate(SHAPES, 1000):
            client.send(packed(Message(INVOKE, number, 0, seq, dumps(shape))))
            message = client.message()
            outcome = client.codec.decode_reply(message)
            assert message.seq == seq
            assert isinstance(outcome, Raised), f"{shape!r} gave {outcome}"
        assert client.call("thing", "echo", 1).value == 1


@pytest.mark.parametrize("serializer", DUMPS)
def test_malformed_batches_are_errors(daemon, serializer):
    """As a whole, or as the last result."""
    number, dumps = DUMPS[serializer]
    with RawClient(daemon.locationStr, serializer) as client:
        client.greet("thing")
        for entries in ([3], [["echo"]], [["echo", 3, {}]], [["echo", [], 3]], [[3, [], {}]], [{}], ["echo"]):
            for named in (None, {"rows": True}):
                call = ["thing", "<batch>", entries, named]
                if serializer == "json":
                    call = {"object": "thing", "method": "<batch>", "params": entries, "kwargs": named}
                client.send(packed(Message(INVOKE, number, 8, 1, dumps(call))))
                assert isinstance(client.codec.decode_reply(client.message()), Raised)
        assert client.call("thing", "echo", 1).value == 1


def test_blobs_without_their_annotation_are_errors(raw):
    """Or with one that says nothing sensible."""
    raw.greet("thing")
    for chunk in (None, b"", b"abc", marshal.dumps(3), marshal.dumps(("info", 3, "echo")), marshal.dumps(("a", "b"))):
        annotations = {} if chunk is None else {"BLBI": chunk}
        raw.send(packed(Message(INVOKE, 1, 0x20, 1, b"payload", annotations)))
        assert isinstance(raw.codec.decode_reply(raw.message()), Raised)
    assert raw.call("thing", "echo", 1).value == 1


def test_stream_ids_that_are_none_are_errors(raw):
    """Of whatever type."""
    raw.greet("thing")
    for stream_id in ("", "x", 3, None, [], {}, "x" * 100_000):
        assert isinstance(raw.call("Pyro.Daemon", "get_next_stream_item", stream_id), Raised)
        raw.send(raw.request("Pyro.Daemon", "close_stream", stream_id, oneway=True))
    assert raw.call("thing", "echo", 1).value == 1


def test_pings_are_answered_whatever_is_in_them(raw):
    """Their payload is not read."""
    raw.greet("thing")
    for payload in (b"", b"ping", os.urandom(1000), b"x" * 100_000):
        raw.send(packed(Message(PING, 42, 0xFF80, 77, payload)))
        message = raw.message()
        assert (message.type, message.serializer_id, message.seq, bytes(message.payload)) == (PING, 42, 77, b"pong")


def test_unknown_flags_are_overlooked(raw):
    """As real daemons do."""
    raw.greet("thing")
    message = bytearray(raw.request("thing", "echo", 5))
    message[8:10] = struct.pack("!H", 0xFF80)
    raw.send(bytes(message))

    assert raw.codec.decode_reply(raw.message()).value == 5


# Many, slow, silent, deaf and dying


def test_two_hundred_silent_connections_delay_nobody(daemon):
    """Some say nothing at all, some greet and say nothing more."""
    with ExitStack() as stack:
        for number in range(200):
            client = stack.enter_context(RawClient(daemon.locationStr))
            if number % 2:
                client.send(client.greeting("thing"))
        is_well(daemon)


def test_two_hundred_refused_clients_delay_nobody(daemon):
    """Even when they do not go away."""
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(RawClient(daemon.locationStr)).send(b"GET / HTTP/1.1\r\n\r\n")
        is_well(daemon)
        eventually(lambda: daemon._engine.clients == 0, 10)


def test_peers_that_die_in_the_middle_leave_nothing(daemon):
    """At every byte of a greeting and a call, by a proper end and by a reset."""
    with RawClient(daemon.locationStr) as client:
        data = client.greeting("thing") + client.request("thing", "echo", "x" * 50)
    for at in range(0, len(data), 7):
        for reset in (False, True):
            with RawClient(daemon.locationStr) as client:
                client.send(data[:at])
                if reset:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_peer_that_dies_before_its_answer_leaves_nothing(daemon):
    """The answer has nobody to go to."""
    for _ in range(20):
        with RawClient(daemon.locationStr) as client:
            client.greet("thing")
            client.send(client.request("thing", "large", 1_000_000))


def test_a_trickle_delays_nobody(daemon):
    """A byte at a time, from more clients than there are workers."""
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(daemon.locationStr)) for _ in range(100)]
        data = clients[0].greeting("thing")
        for byte in data[:20]:
            for client in clients:
                client.send(bytes([byte]))
        is_well(daemon)
        for client in clients:
            client.send(data[20:])
        for client in clients:
            assert client.answer()[0] == CONNECTOK


def test_deaf_peers_delay_nobody(daemon):
    """They ask for large answers and do not read them."""
    with ExitStack() as stack:
        for _ in range(3):
            client = stack.enter_context(RawClient(daemon.locationStr))
            client.greet("thing")
            client.send(client.request("thing", "large", 10_000_000))
        is_well(daemon)


def test_a_deaf_peer_that_keeps_asking_is_held_back(daemon):
    """It fills its own connection, and neither the daemon's memory nor anybody's time."""
    before = resident()
    with RawClient(daemon.locationStr) as client:
        client.greet("thing")
        request = client.request("thing", "large", 1_000_000)
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            while True:
                client.send(request * 100)
        is_well(daemon)

        assert resident() - before < 48 * MEGABYTE


def test_a_storm_of_connections_passes(daemon):
    """Hundreds of short connections, some with rubbish, from several threads."""

    def storm(seed):
        noise, limit = random.Random(seed), deadline(10)
        for _ in range(100):
            assert not limit.passed
            with RawClient(daemon.locationStr) as client:
                kind = noise.randrange(4)
                if kind == 0:
                    client.send(noise.randbytes(100))
                elif kind == 1:
                    client.greet("thing")
                    assert client.call("thing", "echo", seed).value == seed
                elif kind == 2:
                    client.send(client.greeting("thing")[:30])

    threads = [threading.Thread(target=storm, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    is_well(daemon)
    for thread in threads:
        thread.join(scaled(15))
        assert not thread.is_alive()


@pytest.mark.parametrize("tls", [False, True])
def test_more_deaf_peers_than_workers_delay_nobody(engine, certificates, tls):
    """Whoever does not read what it asked for holds no thread; and whoever reads late gets all of it, in order."""
    options = {"tls": certificates.daemon()} if tls else {}
    with serving(workers=3, **options) as daemon, ExitStack() as stack:
        daemon.register(Thing(), "thing")
        clients = [stack.enter_context(RawClient(daemon.locationStr)) for _ in range(8)]
        for client in clients:
            if tls:
                context = client_context(certificates.client())
                client.socket = stack.enter_context(context.wrap_socket(client.socket, server_hostname="localhost"))
            client.greet("thing")
            client.send(client.request("thing", "large", 8_000_000) + client.request("thing", "echo", 1))
        for client in clients:
            assert client.socket.recv(1) == b"P"  # its answer is under way
        is_well(daemon, tls=certificates.client() if tls else None)
        for client in clients[::3]:
            header = LAYOUT.unpack_header(b"P" + client.exactly(LAYOUT.header_size - 1))
            assert len(client.exactly(header.payload_size)) > 8_000_000
            assert client.codec.decode_reply(client.message()).value == 1


def test_a_deaf_peer_is_let_go_in_the_end(engine):
    """When it has not read anything for as long as COMMTIMEOUT says."""
    with serving(timeout=scaled(0.3)) as daemon, RawClient(daemon.locationStr) as client:
        daemon.register(Thing(), "thing")
        client.greet("thing")
        client.send(client.request("thing", "large", 8_000_000))
        assert client.socket.recv(1) == b"P"
        eventually(lambda: daemon._engine.clients == 0, what="the deaf client to be gone")
        is_well(daemon)
