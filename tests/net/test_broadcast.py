"""Questions to the local network, and hearing them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time

import pytest

from pyronb.net import aiobroadcast, broadcast
from pyronb.net.broadcast import listen_for_broadcasts
from pyronb.net.deadline import after
from tests.support.waiting import scaled

pytestmark = pytest.mark.usefixtures("no_leaks")

LOCAL = "127.0.0.1"


@contextlib.contextmanager
def answering(*answers):
    """Give the port of somebody who answers the first question with these datagrams, and what was heard."""
    heard = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOCAL, 0))
        sock.settimeout(scaled(5))

        def answer():
            with contextlib.suppress(TimeoutError):
                question, address = sock.recvfrom(100)
                heard.append(question)
                for each in answers:
                    sock.sendto(each, address)

        thread = threading.Thread(target=answer)
        thread.start()
        yield sock.getsockname()[1], heard
        thread.join(scaled(10))


@pytest.fixture(params=["sync", "aio"])
def ask(request):
    """Give what asks, in either room."""
    if request.param == "sync":
        return broadcast.ask
    return lambda *args, **words: asyncio.run(aiobroadcast.ask(*args, **words))


def good(answer):
    """Take answers that begin well."""
    return answer if answer.startswith(b"good") else None


def test_first_good_answer(ask):
    """What is of no use is dropped, and addresses that cannot be reached are left out."""
    with answering(b"", b"bad", b"good 1", b"good 2") as (port, heard):
        addresses = ["no such address \0", LOCAL]
        assert b"good 1" == ask(b"who?", addresses, port, good, rounds=1, patience=scaled(5))

    assert [b"who?"] == heard


def test_asked_again(ask):
    """Each round asks once more; answers to an earlier one count."""
    with listen_for_broadcasts(LOCAL, 0) as sock:
        port = sock.getsockname()[1]
        assert ask(b"who?", [LOCAL], port, good, rounds=3, patience=0.01) is None

        assert [b"who?"] * 3 == [sock.recv(100) for _ in range(3)]


def test_deadline(ask):
    """It ends the waiting, whatever the rounds."""
    with listen_for_broadcasts(LOCAL, 0) as sock:
        began = time.monotonic()
        port = sock.getsockname()[1]

        assert ask(b"?", [LOCAL], port, good, rounds=1000, patience=scaled(5), deadline=after(0.05)) is None
        assert time.monotonic() - began < scaled(4)


def test_nobody_to_ask(ask):
    """There is nothing to wait for then."""
    began = time.monotonic()

    assert ask(b"who?", ["no such address \0"], 9, good, rounds=3, patience=60) is None
    assert ask(b"who?", [LOCAL], 100_000, good, rounds=3, patience=60) is None
    assert time.monotonic() - began < scaled(20)


def test_port_in_use():
    """The error names the address."""
    with listen_for_broadcasts(LOCAL, 0, reuse_address=False) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen for broadcasts on {LOCAL}:{port}"):
            listen_for_broadcasts(LOCAL, port, reuse_address=False)
