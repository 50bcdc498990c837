"""Clients that mean harm to a daemon that talks TLS: before, within and after the handshake."""

from __future__ import annotations

import random
import ssl
import struct
from contextlib import ExitStack, suppress

import pytest

from pyronb.net.tls import client_context
from pyronb.server.exposure import expose
from pyronb.wire.message import CONNECTOK
from tests.support.harm import is_well, return_large_blocks, unharmed
from tests.support.serving import RawClient, serving


@expose
class Thing:
    def echo(self, value):
        return value


@pytest.fixture
def tls(certificates):
    return certificates.client()


@pytest.fixture
def daemon(engine, certificates, tls):
    return_large_blocks()
    with serving(tls=certificates.daemon()) as daemon:
        daemon.register(Thing(), "thing")
        is_well(daemon, tls=tls)
        with unharmed(daemon, lambda daemon: is_well(daemon, tls=tls)):
            yield daemon


def hello(tls):
    """Give the first bytes of a real client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    talk = client_context(tls).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        talk.do_handshake()
    return outgoing.read()


def record(kind, size, data=b""):
    """Give a record of TLS that claims this size."""
    return struct.pack("!BHH", kind, 0x0303, size) + data


@pytest.mark.parametrize("seed", range(10))
def test_noise_instead_of_a_handshake(daemon, seed):
    """From the first byte, or behind the head of a record."""
    noise = random.Random(seed)
    head = record(22, noise.randrange(1 << 14)) if seed % 2 else b""
    with RawClient(daemon.locationStr) as client:
        client.send(head + noise.randbytes(20_000))
        client.rest()


def test_handshakes_with_broken_bytes(daemon, tls):
    """They are refused, or waited for."""
    start = hello(tls)
    for seed in range(30):
        noise, data = random.Random(seed), bytearray(start)
        for _ in range(noise.randrange(1, 5)):
            data[noise.randrange(len(data))] = noise.randrange(256)
        with RawClient(daemon.locationStr) as client:
            client.send(bytes(data[: noise.randrange(len(data))] if seed % 3 == 0 else data))


def test_noise_in_the_middle_and_after_the_handshake(daemon, tls):
    """The daemon hangs up; what was said before it has been heard."""
    for after in (b"\0" * 1000, record(23, 1 << 14, bytes(1 << 14)), record(21, 2, b"\2\0"), b"GET / HTTP/1.1\r\n\r\n"):
        with RawClient(daemon.locationStr) as client:
            client.send(hello(tls) + after)
            client.rest()
        with RawClient(daemon.locationStr) as client:
            plain = client.socket.dup()
            with plain, client_context(tls).wrap_socket(client.socket, server_hostname="localhost") as client.socket:
                assert client.greet("thing")[0] == CONNECTOK
                assert client.call("thing", "echo", 1).value == 1
                plain.settimeout(5)
                plain.sendall(after)
                with suppress(OSError):
                    while plain.recv(1 << 16):
                        pass


def test_noise_inside_of_the_tunnel(daemon, tls):
    """It is no greeting, and is told so in the tunnel."""
    with RawClient(daemon.locationStr) as client:
        client.socket = client_context(tls).wrap_socket(client.socket, server_hostname="localhost")
        client.send(random.Random(1).randbytes(5_000))
        with suppress(ssl.SSLError):
            assert b"invalid data" in client.rest()


def test_silent_clients_in_all_states(daemon, tls):
    """Two hundred of them: without a word, in mid-handshake, and without a greeting after it."""
    start = hello(tls)
    with ExitStack() as stack:
        for number in range(200):
            client = stack.enter_context(RawClient(daemon.locationStr))
            if number % 4 == 1:
                client.send(start[: number % len(start)])
            elif number % 4 == 2:
                client.send(start)
            elif number % 20 == 3:
                client.socket = client_context(tls).wrap_socket(client.socket, server_hostname="localhost")
        is_well(daemon, tls=tls)
