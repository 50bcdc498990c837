"""Connecting once more: in short where the daemon says what it said before, and in full where it does not."""

from __future__ import annotations

import socket
import threading

import pytest

from pyronb.client import acquaintances
from pyronb.dialects import PYRO4
from pyronb.errors import CommunicationError, ConnectionClosedError, PyroError, TimeoutError
from pyronb.options import WireOptions
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from pyronb.sync import driver
from pyronb.sync.proxy import Proxy
from pyronb.wire.connection import OtherDialectError
from tests.support.serving import LOCAL, client_options, daemon_options, looping, serving
from tests.support.waiting import scaled


@expose
class Thing:
    def echo(self, value):
        return value


@expose
class Other:
    @property
    def level(self):
        return 3

    def echo(self, value):
        return [value]

    def more(self):
        return "more"


def bound(uri, options):
    """Give a connected proxy; options are known by what they are, not by what is in them."""
    proxy = Proxy(uri, options=options)
    proxy._pyroBind()
    return proxy


@pytest.fixture
def ways(monkeypatch):
    """List for each connecting of a known link whether it was short."""
    taken = []
    meet = acquaintances.Acquaintance.goes_on

    def watched(self, link, data):
        taken.append(meet(self, link, data))
        return taken[-1]

    monkeypatch.setattr(acquaintances.Acquaintance, "goes_on", watched)
    return taken


class Kept(Proxy):
    """A proxy with an attribute of its own."""

    def __init__(self, uri, **more):
        super().__init__(uri, **more)
        self._own = "kept"


def test_own_attributes_stay(ways):
    """Knowing the object anew does not touch what the proxy of a user's class has of its own."""
    options = client_options()
    with serving() as daemon:
        uri = daemon.register(Thing())
        for _ in range(2):
            with Kept(uri, options=options) as proxy:
                assert 1 == proxy.echo(1)
                assert "kept" == proxy._own

    assert [True] == ways


def facts(proxy):
    """Give what a proxy knows from its handshake."""
    link = proxy._pyro
    return (
        link.metadata,
        link.remote,
        link.handshake_answer,
        dict(link.handshake_annotations),
        link.codec,
        link.serializer,
        link.connection.side,
        str(link.connected_uri),
        link.peer,
    )


@pytest.mark.parametrize("serializer", ["serpent", "json", "marshal", "msgpack", "auto"])
def test_the_second_time(ways, serializer):
    """It knows all that the first proxy knows, and calls alike."""
    with serving() as daemon:
        uri, options, known = daemon.register(Thing()), client_options(serializer=serializer), []
        for _ in range(3):
            with bound(uri, options) as proxy:
                assert proxy.echo([1, "two"]) == [1, "two"]
                known.append(facts(proxy))
                with pytest.raises(AttributeError):
                    proxy.more()

    assert ways == [True, True]
    assert known[0] == known[1] == known[2]


def test_without_binding(ways):
    """The first call of a proxy connects in the same way."""
    with serving() as daemon:
        uri, options = daemon.register(Thing()), client_options()
        for value in range(3):
            with Proxy(uri, options=options) as proxy:
                assert proxy.echo(value) == value

    assert ways == [True, True]


def test_an_object_that_was_replaced(ways):
    """What is told anew counts."""
    with serving() as daemon:
        uri, options = daemon.register(Thing(), "thing"), client_options()
        with bound(uri, options) as proxy:
            assert proxy.echo(1) == 1
        daemon.unregister("thing")
        daemon.register(Other(), "thing")
        for _ in range(2):
            with bound(uri, options) as proxy:
                assert (proxy.echo(1), proxy.more(), proxy.level) == ([1], "more", 3)

    assert ways == [False, True]


def test_an_object_that_has_gone(ways):
    """The daemon's reason to refuse is told as ever."""
    with serving() as daemon:
        uri, options = daemon.register(Thing(), "thing"), client_options()
        bound(uri, options)._pyroRelease()
        daemon.unregister("thing")
        with pytest.raises(CommunicationError, match="unknown object"):
            bound(uri, options)

    assert ways == [False]


def test_answers_that_differ_each_time(ways):
    """A daemon may answer the handshake with something new."""
    answers = iter("abc")

    class Greeter(Daemon):
        def validateHandshake(self, conn, data):
            return next(answers)

    with serving(Greeter) as daemon:
        uri, options, heard = daemon.register(Thing()), client_options(), []
        for _ in range(3):
            with bound(uri, options) as proxy:
                heard.append(proxy._pyro.handshake_answer)
                assert proxy.echo(1) == 1

    assert heard == ["a", "b", "c"]
    assert ways == [False, False]


def test_another_handshake_or_serializer_is_another_acquaintance(ways):
    """So is what was asked for with other options."""
    with serving() as daemon:
        uri = daemon.register(Thing())
        for changes in ({}, {"timeout": 5.0}, {"wire": WireOptions(compression=True)}):
            with Proxy(uri, options=client_options(**changes)) as proxy:
                assert proxy.echo(1) == 1
        options = client_options()
        for number in range(2):
            with Proxy(uri, options=options) as proxy:
                proxy._pyroHandshake = f"I am {number}"
                assert proxy.echo(1) == 1

    assert ways == []


def test_a_subclass_that_has_a_say(ways):
    """It validates each handshake."""

    class Careful(Proxy):
        def _pyroValidateHandshake(self, response):
            raise PyroError("not with me")

    with serving() as daemon:
        uri, options = daemon.register(Thing()), client_options()
        bound(uri, options)._pyroRelease()
        with pytest.raises(PyroError, match="not with me"):
            Careful(uri, options=options)._pyroBind()

    assert ways == []


def test_a_daemon_that_has_gone():
    """The errors are those of the first time."""
    options, errors = client_options(), []
    with serving() as daemon:
        uri = daemon.register(Thing())
        with bound(uri, options) as proxy:
            assert proxy.echo(1) == 1
    for forget in (False, True):
        if forget:
            acquaintances._known.clear()
        with pytest.raises(ConnectionClosedError) as caught:
            bound(uri, options)
        errors.append(str(caught.value))

    assert errors[0] == errors[1]
    assert "is the program that serves it running?" in errors[0]


@pytest.mark.parametrize("answer", [b"", b"PYRO"])
def test_a_daemon_that_became_something_else(answer):
    """Who hangs up, or answers in part and then not at all, is told apart; the connection is closed."""
    options, errors = client_options(connect_timeout=scaled(1)), []
    with socket.create_server((LOCAL, 0)) as listener:
        port = listener.getsockname()[1]
        with looping(Daemon(LOCAL, options=daemon_options())) as daemon:
            uri = daemon.register(Thing(), "thing")
            with bound(uri, options) as proxy:
                assert proxy.echo(1) == 1
        known = dict(acquaintances._known)
        place = f"PYRO:thing@{LOCAL}:{port}"

        def serve():
            for _ in range(2):
                sock, _ = listener.accept()
                sock.recv(65536)
                sock.sendall(answer)
                kept.append(sock)
                if not answer:
                    sock.close()

        kept = []
        server = threading.Thread(target=serve)
        server.start()
        for short in (True, False):
            acquaintances._known.clear()
            if short:
                ((host, _, *rest), acquainted) = next(iter(known.items()))
                acquaintances._known[(host, port, *rest)] = acquainted
            proxy = Proxy(place, options=options)
            with pytest.raises((ConnectionClosedError, TimeoutError)) as caught:
                proxy._pyroBind()
            errors.append((type(caught.value), str(caught.value)))
            assert proxy._pyro.stream is None
            assert proxy._pyro.connection is None
        server.join(scaled(5))
        for sock in kept:
            sock.close()

    assert errors[0] == errors[1]


def test_a_daemon_that_speaks_another_protocol_by_now(monkeypatch):
    """The greeting is said anew, in that one."""
    with serving() as daemon:
        uri, options = daemon.register(Thing()), client_options()
        with bound(uri, options) as proxy:
            assert proxy.echo(1) == 1
        real, meetings = driver._meet, []

        def meet(link, known):
            # As a daemon of Pyro4 answers it.
            meetings.append(known)
            monkeypatch.setattr(acquaintances.Acquaintance, "goes_on", other)
            return real(link, known)

        def other(self, link, data):
            raise OtherDialectError(PYRO4, link.dialect)

        monkeypatch.setattr(driver, "_meet", meet)
        with bound(uri, options) as proxy:
            assert proxy.echo(2) == 2

    assert len(meetings) == 1
