"""Ways back, and those who mean no good."""

from __future__ import annotations

import contextlib
import threading

import pytest

from pyronb.errors import CommunicationError
from pyronb.net import back
from pyronb.rpc.handshake import KEY
from pyronb.server.secrets import back_key
from pyronb.sync.proxy import Proxy
from pyronb.uri import back_location
from pyronb.wire.message import CONNECTFAIL, CONNECTOK
from tests.support.fix_engines import engine
from tests.support.fix_stations import caller, daemon, nothing_waits, station
from tests.support.serving import LOCAL, RawClient, client_options, connect
from tests.support.waiting import eventually, scaled

__all__ = ["caller", "daemon", "engine", "nothing_waits", "station"]

SECRET = "0123456789abcdef" * 2


def test_keys(daemon):
    """What is no key is refused, and the daemon serves on."""
    for key in ("short", SECRET.upper(), SECRET + "0", "../" + SECRET[3:], "x" * 5000):
        with RawClient(daemon.locationStr) as client:
            kind, text = client.greet(**{KEY: {"version": "1", "back": key}})
            assert CONNECTFAIL == kind
            assert "32 hexadecimal digits" in text
    for odd in (5, None, [], {"a": 1}):
        with RawClient(daemon.locationStr) as client:
            assert CONNECTOK == client.greet(**{KEY: {"version": "1", "back": odd}})[0]
            client.ping()
    assert 0 == back.waiting()


def waiting_client(daemon, key=SECRET):
    client = RawClient(daemon.locationStr)
    kind, answer = client.greet(**{KEY: {"version": "1", "back": key}})
    return client, kind, answer


def test_wrong_key_gets_no_calls(caller, daemon):
    """Who guesses a key waits for ever, and the calls go where they should."""
    heard = []
    hear = heard.append
    stranger, kind, _ = waiting_client(daemon)
    with stranger:
        assert CONNECTOK == kind
        caller.subscribe(hear)
        caller.tell(1)
        stranger.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            stranger.socket.recv(1)
    assert [1] == heard


def test_flood(daemon, monkeypatch):
    """There is a limit for each key and for each host; others are served, and room comes back."""
    monkeypatch.setattr(back, "_MOST_OF_KEY", 3)
    monkeypatch.setattr(back, "_MOST_OF_HOST", 6)
    with contextlib.ExitStack() as stack:
        kinds = []
        for number in range(12):
            client, kind, _ = waiting_client(daemon, SECRET if number < 6 else f"{number:032x}")
            stack.enter_context(client)
            kinds.append(kind)
            eventually(lambda: back.waiting() == kinds.count(CONNECTOK))

        assert [CONNECTOK] * 3 + [CONNECTFAIL] * 3 + [CONNECTOK] * 3 + [CONNECTFAIL] * 3 == kinds
        with connect(daemon.uriFor("station")) as caller:
            assert 4 == caller.double(2)
    eventually(lambda: not back.waiting())
    client, kind, _ = waiting_client(daemon)
    with client:
        assert CONNECTOK == kind


def test_who_is_full_is_dialled_directly(daemon, caller, monkeypatch):
    """A program whose connections are refused listens, as towards a real Pyro."""
    monkeypatch.setattr(back, "_MOST_OF_HOST", 0)
    heard = []
    hear = heard.append
    (location,) = caller.subscribe(hear)
    caller.tell(1)

    assert [1] == heard
    assert location.startswith(LOCAL)


def test_who_speaks_while_waiting(daemon):
    """It is hung up on: nothing that it says is heard."""
    client, _, _ = waiting_client(daemon)
    with client:
        client.send(client.request("station", "double", 5))
        assert b"" == client.rest()
    assert 0 == back.waiting()


def test_who_speaks_with_the_greeting(daemon):
    """What comes with the greeting is not heard either."""
    with RawClient(daemon.locationStr) as client:
        greeting = client.greeting(**{KEY: {"version": "1", "back": SECRET}})
        client.send(greeting + client.request("station", "subscribe"))
        assert CONNECTOK == client.answer()[0]
        client.send(client.request("station", "subscribe"))
        assert b"" == client.rest()
    eventually(lambda: not back.waiting())


def test_who_never_answers(daemon):
    """A call over a connection whose other end is silent ends with its time-out, and others go on."""
    client, _, _ = waiting_client(daemon)
    with (
        client,
        Proxy(
            f"PYRO:function_x@{back_location(back_key(SECRET))}", options=client_options(connect_timeout=0.1)
        ) as silent,
        pytest.raises(CommunicationError, match="no answer in time"),
    ):
        silent._pyroBind()


def test_who_answers_rubbish(daemon):
    """It is a protocol error of that connection."""
    client, _, _ = waiting_client(daemon)
    with client, Proxy(f"PYRO:function_x@{back_location(back_key(SECRET))}", options=client_options()) as proxy:
        failed = []

        def bind():
            try:
                proxy._pyroBind()
            except CommunicationError as error:
                failed.append(error)

        thread = threading.Thread(target=bind)
        thread.start()
        client.message()
        client.send(b"HTTP/1.1 200 OK\r\n\r\n" * 10)
        thread.join(scaled(10))
        assert "not a Pyro peer" in str(failed[0])
