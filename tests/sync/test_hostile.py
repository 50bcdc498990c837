"""Servers that mean harm: a client gets an error of pyronb's in time, keeps no connection, no memory, and no thread.

`tests/aio/test_hostile.py` meets the same servers.
"""

from __future__ import annotations

import json
import marshal
import random
import socket
import struct
import time
import zlib

import msgpack
import pytest

from pyronb import errors
from pyronb.dialects import PYRO4, PYRO5
from pyronb.options import WireOptions
from pyronb.rpc.handshake import KEY
from pyronb.sync.proxy import Proxy
from pyronb.wire.connection import LAYOUTS
from pyronb.wire.message import CONNECTFAIL, CONNECTOK, PING, RESULT, TELLS_OUTPUT, TELLS_PROGRESS, Message
from tests.support.fix_daemons import answering
from tests.support.harm import MEGABYTE, has_not_grown, return_large_blocks
from tests.support.rawserver import META, RawServer
from tests.support.serving import client_options
from tests.support.waiting import scaled

MOST = 16 * MEGABYTE
_deflate = zlib.compressobj(9)
BOMB = b"".join(_deflate.compress(b"[" * MEGABYTE) for _ in range(100)) + _deflate.flush()


SERVERS = {}


def server(function):
    """Note a server by its name."""
    SERVERS[function.__name__.replace("_", " ")] = function
    return function


def claimed(dialect, kind, size, room=0):
    """Give a header that claims a payload and annotations of such sizes."""
    data = bytearray(b"".join(LAYOUTS[dialect].pack(Message(kind, 1, dialect.metadata_flag, 1, b""))))
    if dialect is PYRO5:
        data[12:20] = struct.pack("!II", size, room)
        return bytes(data)
    flags, seq = struct.unpack("!HH", data[8:12])
    checksum = (kind + 48 + size + room + 1 + flags + seq + 0x34E9) & 0xFFFF
    return struct.pack("!4sHHHHiHHHH", b"PYRO", 48, kind, flags, seq, size, 1, room, 0, checksum)


# Instead of an answer to the greeting


@server
def noise(peer):
    """Random bytes."""
    peer.hear()
    peer.socket.sendall(random.Random(5).randbytes(5_000))


@server
def zeros(peer):
    peer.hear()
    peer.socket.sendall(bytes(100_000))


@server
def huge_acceptance(peer):
    peer.hear()
    peer.socket.sendall(claimed(peer.dialect, CONNECTOK, 0x7FFFFFFF))


@server
def huge_annotations(peer):
    peer.hear()
    peer.socket.sendall(
        claimed(peer.dialect, CONNECTOK, 0, 0xFFFF if peer.dialect is PYRO4 else 0xFFFFFFFF) + b"A" * 70_000
    )


@server
def acceptance_that_is_a_bomb(peer):
    peer.hear()
    peer.say(CONNECTOK, BOMB, flags=2 | peer.dialect.metadata_flag)


@server
def refusal_that_is_a_bomb(peer):
    peer.hear()
    peer.say(CONNECTFAIL, BOMB, flags=2)


@server
def refusal_of_megabytes(peer):
    peer.hear()
    peer.say(CONNECTFAIL, repr("x" * 5 * MEGABYTE).encode())


@server
def pong_instead(peer):
    peer.hear()
    peer.say(PING, b"pong")


@server
def acceptance_that_ends_midway(peer):
    peer.hear()
    peer.socket.sendall(peer.packed(CONNECTOK, b"{'handshake': 1}")[:-3])


@server
def reset(peer):
    peer.hear()
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def metadata(name, meta, **more):
    def serve(peer):
        peer.hear()
        payload = repr({"handshake": "hello", "meta": meta, **more}).encode()
        peer.say(CONNECTOK, payload, flags=peer.dialect.metadata_flag)
        peer.hear()

    SERVERS[f"metadata {name}"] = serve


metadata("that is a text", "text")
metadata("of numbers", {"methods": [1, 2], "oneway": [3], "attrs": 4})
metadata("of maps", {"methods": {"add": {"add": {}}}, "oneway": {}, "attrs": {}})
metadata("of nothing", {"methods": [], "oneway": [], "attrs": []})
metadata("with a class", {"__class__": "os.system", "args": ["true"]})
metadata("and a false friend", META, **{KEY: {"version": {"a": 1}, "can": 3, "serializers": [[]]}})


# Instead of a reply


def reply(name, payload, flags=0, serializer="serpent", annotations=None):
    def serve(peer):
        peer.accept()
        seq = peer.hear().seq
        number = peer.dialect.serializers[serializer]
        peer.say(RESULT, payload, seq=seq, flags=flags, number=number, annotations=annotations)
        peer.hear()

    SERVERS[f"reply {name}"] = serve


@server
def reply_of_noise(peer):
    peer.accept()
    peer.hear()
    peer.socket.sendall(random.Random(6).randbytes(5_000))


@server
def reply_with_a_huge_length(peer):
    peer.accept()
    peer.hear()
    peer.socket.sendall(claimed(peer.dialect, RESULT, 0x7FFFFFFF))


@server
def reply_that_never_ends(peer):
    """It claims as much as is allowed, and drips."""
    peer.accept()
    peer.hear()
    peer.socket.sendall(claimed(peer.dialect, RESULT, MOST))
    while True:
        peer.socket.sendall(b"x" * 10)
        time.sleep(0.02)


@server
def reply_that_drips(peer):
    peer.accept()
    seq = peer.hear().seq
    for byte in peer.packed(RESULT, b"'" + b"x" * 5_000 + b"'", seq=seq):
        peer.socket.sendall(bytes([byte]))
        time.sleep(0.02)


@server
def reply_that_ends_midway(peer):
    peer.accept()
    seq = peer.hear().seq
    peer.socket.sendall(peer.packed(RESULT, b"x" * 200_000, seq=seq)[:150_000])


@server
def replies_to_others(peer):
    peer.accept()
    seq = peer.hear().seq
    for number in range(2, 2000):
        peer.say(RESULT, b"5", seq=(seq + number) & 0xFFFF)


@server
def pongs_without_end(peer):
    peer.accept()
    peer.hear()
    while True:
        peer.say(PING, b"pong")


@server
def other_protocol_in_the_middle(peer):
    peer.accept()
    seq = peer.hear().seq
    peer.layout = LAYOUTS[PYRO4 if peer.dialect is PYRO5 else PYRO5]
    peer.say(RESULT, b"5", seq=seq)


@server
def reply_with_endless_annotations(peer):
    peer.accept()
    peer.hear()
    chunk = struct.pack("!4sH" if peer.dialect is PYRO4 else "!4sI", b"ABCD", 0)
    room = 0xFFFF // 6 * 6 if peer.dialect is PYRO4 else 1_000_000 * 8
    peer.socket.sendall(claimed(peer.dialect, RESULT, 0, room) + chunk * (room // len(chunk)))


@server
def signed_without_being_asked(peer):
    peer.accept()
    seq = peer.hear().seq
    peer.say(RESULT, b"x", seq=seq, annotations={"HMAC": bytes(20)})


reply("that is a bomb", BOMB, flags=2)
reply("nested without end", b"[" * 200_000)
reply("closed without end", b"[" * 200_000 + b"]" * 200_000)
reply("in json without end", b"[" * 200_000, serializer="json")
reply("in marshal without end", b"[\x01\0\0\0" * 200_000, serializer="marshal")
reply("in marshal of code", marshal.dumps(compile("1", "", "eval")), serializer="marshal")
reply("in marshal that claims", b"[\xff\xff\xff\x7f", serializer="marshal")
reply("in msgpack without end", b"\x91" * 200_000, serializer="msgpack")
reply("in msgpack that claims", b"\xdd\xff\xff\xff\xff", serializer="msgpack")
reply("in msgpack of a class", msgpack.packb({"__class__": "os.system"}), serializer="msgpack")
reply("of a class", b"{'__class__': 'os.system', 'args': ('true',)}")
reply("of a proxy of nonsense", b"{'__class__': 'Pyro5.client.Proxy', 'state': (1, 2, 3, 4, 5, 6)}")
reply("that is no exception", b"5", flags=1)
reply(
    "with an exception of nonsense", b"{'__class__': 'builtins.ValueError', '__exception__': True, 'args': 3}", flags=1
)
reply("with exit", b"{'__class__': 'builtins.SystemExit', '__exception__': True, 'args': (3,)}", flags=1)
reply("with an interrupt", b"{'__class__': 'builtins.KeyboardInterrupt', '__exception__': True, 'args': ()}", flags=1)
reply("with a stream of no name", json.dumps("x").encode(), flags=0x11)
reply("with a stream of a strange name", b"'x'", flags=0x11, annotations={"STRM": b"\xff" * 1000})
reply("with a batch nobody asked for", b"[1, 2]", flags=8)

# What is told beside a call

ABLE = {KEY: {"version": "1", "can": ["side"]}}
"""What a peer says that tells of calls."""


def telling(peer):
    """Take a client in, and give the number of its call."""
    peer.accept(**ABLE)
    return peer.hear().seq


@server
def tells_without_end(peer):
    seq = telling(peer)
    piece = peer.packed(RESULT, b'[1, 2, "", 0]', seq=seq, flags=TELLS_PROGRESS) * 500
    while True:
        peer.socket.sendall(piece)


@server
def prints_without_end(peer):
    seq = telling(peer)
    piece = peer.packed(RESULT, json.dumps(["x" * 8000, "stdout"]).encode(), seq=seq, flags=TELLS_OUTPUT) * 10
    while True:
        peer.socket.sendall(piece)


@server
def tells_of_other_calls_without_end(peer):
    seq = telling(peer)
    piece = peer.packed(RESULT, b'[1, 2, "", 0]', seq=(seq + 1) & 0xFFFF, flags=TELLS_PROGRESS) * 500
    while True:
        peer.socket.sendall(piece)


@server
def tells_much(peer):
    seq = telling(peer)
    peer.socket.sendall(peer.packed(RESULT, b"x" * 5 * MEGABYTE, seq=seq, flags=TELLS_PROGRESS))


@server
def tells_instead_of_taking_in(peer):
    peer.hear()
    peer.say(RESULT, b'[1, 2, "", 0]', flags=TELLS_PROGRESS | peer.dialect.metadata_flag)


@server
def tells_nonsense_and_answers(peer):
    seq = telling(peer)
    for payload in (b"", b"{}", b"\xff", b"[" * 50_000, b'[1e999, 2, "", 0]', b'["x", "nowhere"]'):
        for flags in (TELLS_PROGRESS, TELLS_OUTPUT, TELLS_PROGRESS | TELLS_OUTPUT):
            peer.say(RESULT, payload, seq=seq, flags=flags)
    peer.say(RESULT, b"3", seq=seq)


FINE = {
    "metadata and a false friend",
    "reply with a batch nobody asked for",
    "metadata of maps",
    "tells nonsense and answers",
}
"""Nothing is wrong enough with these to be an error, at once."""


def allowed(name, error):
    """Whether this is how a client may take what this server does."""
    if name in ("reply with exit", "reply with an interrupt"):
        # An exception of the far side's must not end the program here, nor pass for the user's own interrupt.
        return isinstance(error, Exception)
    return isinstance(error, errors.PyroError) or (
        name.startswith("reply with an exception") and isinstance(error, ValueError)
    )


def outcome(call):
    """Give what a call raises; None when it returns."""
    try:
        call()
    except BaseException as error:
        return error
    return None


def check(name, error):
    """Check that what a call came to is one of the ways in which it may end."""
    if error is None:
        assert name in FINE, "it was taken for a good one"
        return
    assert allowed(name, error), repr(error)
    assert len(str(error)) < 20_000, "an error that nobody can read"


def serve(name):
    """Give the function that attends to a client as this server does."""
    return lambda sock: SERVERS[name](RawServer(sock))


OPTIONS = {
    "timeout": scaled(1),
    "connect_timeout": scaled(2),
    "wire": WireOptions(max_message_size=MOST),
}

dialects = pytest.mark.parametrize("protocol", [502, 48], ids=["502", "48"])


@pytest.fixture(scope="module", autouse=True)
def _measured():
    return_large_blocks()


@dialects
@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_means_harm(name, protocol, daemon):
    """Whatever it does."""
    with has_not_grown(), answering(serve(name)) as uri:
        proxy = Proxy(uri, options=client_options(protocol=protocol, **OPTIONS))
        began = time.monotonic()
        check(name, outcome(lambda: proxy.add(1, 2)))
        assert time.monotonic() - began < scaled(10)
        proxy._pyroRelease()
        began = time.monotonic()
        with Proxy(daemon.uriFor("bench"), options=client_options()) as healthy:
            assert healthy.add(1, 2) == 3
        assert time.monotonic() - began < scaled(5)
