"""Watching: each message that passes is told, and logged so that a person can read it."""

from __future__ import annotations

import logging

from pyronb.dialects import PYRO5
from pyronb.wire.connection import ClientConnection, ServerConnection
from pyronb.wire.message import CONNECT, CONNECTFAIL, CONNECTOK, INVOKE, RESULT, Message
from pyronb.wire.watching import log_message, watch_for
from tests.support.pair import joined


def test_all_messages_of_both_ends():
    """Either end tells what it sends and what it receives, each once."""
    seen = []
    client = ClientConnection(PYRO5, watch=lambda way, message: seen.append(("client", way, message.type)))
    server = ServerConnection(watch=lambda way, message: seen.append(("server", way, message.type)))

    def pass_on(sender, buffers, receiver):
        del sender
        receiver.receive(joined(buffers))
        assert receiver.next_event() is not None
        assert receiver.next_event() is None

    pass_on(client, client.greet(Message(CONNECT, 1, 0, 0, b"hello")), server)
    pass_on(server, server.accept(Message(CONNECTOK, 1, 0, 0, b"welcome")), client)
    pass_on(client, client.call(Message(INVOKE, 1, 0, 1, b"call")), server)
    pass_on(server, server.reply(Message(RESULT, 1, 0, 1, b"result", {"ABCD": b"x"})), client)

    assert [
        (who, way, kind)
        for kind, first, second in (
            (CONNECT, "client", "server"),
            (CONNECTOK, "server", "client"),
            (INVOKE, "client", "server"),
            (RESULT, "server", "client"),
        )
        for who, way in ((first, "sent"), (second, "received"))
    ] == seen


def test_refusal():
    """It is told too."""
    seen = []
    server = ServerConnection(watch=lambda way, message: seen.append((way, message.type)))
    server.refuse(Message(CONNECTFAIL, 1, 0, 0, b"no"))

    assert [("sent", CONNECTFAIL)] == seen


def test_log(caplog):
    """A line holds all that a message says, though not without end."""
    with caplog.at_level(logging.DEBUG, "pyronb.wire"):
        log_message("sent", Message(INVOKE, 1, 0x40, 7, b"pay" * 1000, {"ABCD": b"chunk"}, bytes(range(16))))
    (line,) = caplog.messages

    assert line.startswith("sent INVOKE: flags=0x40 serializer=1 seq=7 correlation=000102")
    assert "{'ABCD': b'chunk'} payload of 3000 bytes=b'paypay" in line
    assert line.endswith("...")
    assert len(line) < 2500


def test_nothing_is_made_for_nobody(caplog):
    """Without LOGWIRE there is nothing to tell; without the level nothing is written."""
    assert watch_for(logged=False) is None
    watch = watch_for(logged=True)
    assert watch is not None
    with caplog.at_level(logging.INFO, "pyronb.wire"):
        watch("sent", Message(INVOKE, 1, 0, 7, b""))

    assert [] == caplog.messages
