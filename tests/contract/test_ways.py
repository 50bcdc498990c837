"""What holds for a call whichever way it takes: the long one, and each of the short ones beside it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import uuid
from typing import ClassVar

import pytest

from pyronb.calls import record
from pyronb.client import greeting
from pyronb.context import current_context
from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import CommunicationError, MessageTooLargeError, PyroError, RemoteError, TimeoutError
from pyronb.options import WireOptions
from pyronb.serializers.base import SerializerBase
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import behavior, expose
from pyronb.sync.proxy import Proxy
from pyronb.tracebacks import getPyroTraceback
from pyronb.wire.message import INVOKE, ROW, Message
from tests.contract.ways import POOL, WAYS
from tests.support.fix_daemons import Bench
from tests.support.fix_engines import engine
from tests.support.serving import RawClient, client_options, daemon_options, looping, serving
from tests.support.waiting import eventually, scaled

__all__ = ["engine"]

LIMIT = 6_000
BIG = "x" * 2 * LIMIT
IN_LOOP = ("aio", "gathered")


@expose
class Thing(Bench):
    """A bench that tells the circumstances of a call."""

    made = 0

    def __init__(self):
        super().__init__()
        Thing.made += 1
        self.number = Thing.made

    def which(self):
        """Tell which instance this is."""
        return self.number

    def around(self):
        """Tell what the method sees of its call."""
        context = current_context
        current_context.response_annotations = {"RESP": b"there"}
        certificate = context.client.getpeercert() or {}
        return {
            "address": context.client_sock_addr == context.client.address and bool(context.client_sock_addr),
            "annotations": sorted((name, bytes(value).decode()) for name, value in context.annotations.items()),
            "id": str(context.correlation_id),
            "serializer": context.serializer_id,
            "batch": bool(context.msg_flags & context.client.dialect.batch),
            "certificate": [value for kind, value in certificate.get("subjectAltName", ()) if kind == "email"],
        }

    async def later(self, value):
        """Give a value, as a coroutine."""
        await asyncio.sleep(0)
        return value

    async def fail_later(self, text):
        """Raise, as a coroutine."""
        await asyncio.sleep(0)
        raise ValueError(text)

    @staticmethod
    def double(value):
        """Give twice the value; no method of an instance."""
        return 2 * value


class Unexposed(Thing):
    """Hides a method of its base."""

    def add(self, a, b=10):
        """Not to be called."""
        raise AssertionError("nobody calls this")


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Give the context manager that makes calls in one of the ways."""
    if POOL in request.param:
        # The daemon is taken for one that answers the calls of a connection one after the other.
        monkeypatch.setattr("pyronb.sync.line.TOGETHER", "what no daemon does")
    made = WAYS[request.param]

    def way(uri, *, prepare=lambda proxy: None, kind=Proxy, **options):
        return made(uri, client_options(**options), prepare, kind)

    way.name = request.param
    way.in_batch = "batch" in request.param or request.param == "alike"
    way.in_loop = request.param in IN_LOOP
    way.heard_here = request.param in ("long", "plain", "aio")
    return way


synchronous = pytest.mark.parametrize("way", [name for name in WAYS if name not in IN_LOOP], indirect=True)


@pytest.fixture
def thing():
    made = Thing()
    yield made
    made.go.set()


@pytest.fixture
def served(engine, thing):
    """Give a running daemon with the thing, and its address."""
    with serving(engine=engine) as daemon:
        yield daemon, daemon.register(thing, "thing")
        thing.go.set()


@pytest.fixture
def uri(served):
    return served[1]


def check(call, thing):
    """Make calls of all kinds, and look at what comes back."""
    assert [3, 15] == [call("add", 1, 2), call("add", a=5)]
    assert [["x", None, True], {"key": {"deep": [1.5]}}] == call("echo", "x", None, True, key={"deep": [1.5]})
    large = "0123456789" * 30_000
    assert large == call("give", large)
    assert 300_000 == len(call("zeros", 300_000))
    with pytest.raises(ValueError, match="boom") as caught:
        call("fail", "boom")
    assert ("boom", 7) == caught.value.args
    assert "in fail" in "".join(getPyroTraceback(caught.value))
    with pytest.raises(RemoteError, match="MotorStalled"):
        call("stall")
    with pytest.raises(PyroError, match=r"lock|'lock'"):
        call("lock")
    assert ["later", 8] == [call("later", "later"), call("double", 4)]
    with pytest.raises(ValueError, match="soon"):
        call("fail_later", "soon")
    assert call("around")["address"]
    thing.calls.clear()
    assert call("fire", "fired") in (None, "fired")
    assert eventually(lambda: "fired" in thing.calls)
    assert 3 == call("add", 1, 2)


@contextlib.contextmanager
def around_here(**fields):
    """Have these in the context of this thread."""
    for name, value in fields.items():
        setattr(current_context, name, value)
    try:
        yield
    finally:
        current_context.annotations, current_context.correlation_id = {}, None


def response_annotations():
    """Give those of the last answer."""
    return {name: bytes(value) for name, value in current_context.response_annotations.items()}


# Over each kind of connection


WIRES = ["plain", "TLS", "mutual TLS", "unix", "IPv6", "compression", "logged", "48", "signed", "unknown", "retries"]


@pytest.mark.parametrize("wire", WIRES)
def test_over_each_connection(way, wire, engine, thing, certificates, tmp_path, monkeypatch):
    """All kinds of calls come through, over all kinds of connections."""
    server, client, where, key = {}, {}, {"host": "127.0.0.1"}, None
    if wire == "TLS":
        server["tls"], client["tls"] = certificates.daemon(), certificates.client()
    elif wire == "mutual TLS":
        server["tls"] = certificates.daemon(require_client=True)
        client["tls"] = certificates.client(certificate=certificates.file("client"))
    elif wire == "unix":
        where = {"unixsocket": str(tmp_path / "socket")}
    elif wire == "IPv6":
        where["host"] = "::1"
    elif wire == "compression":
        server["wire"] = client["wire"] = WireOptions(compression=True)
    elif wire == "logged":
        server["wire"] = client["wire"] = WireOptions(log=True)
    elif wire == "signed":
        key = b"secret"
    elif wire == "unknown":
        client["metadata"] = False
    elif wire == "retries":
        client["max_retries"] = 1
    known = {}
    monkeypatch.setattr(greeting, "_dialects", known)
    try:
        daemon = Daemon(options=daemon_options(engine=engine, **server), **where)
    except OSError:
        pytest.skip(f"this machine has no {wire}")
    with looping(daemon):
        daemon._pyroHmacKey = key
        uri = daemon.register(thing, "thing")
        known[str(uri.location)] = PYRO4 if wire in ("48", "signed") else PYRO5
        with way(uri, prepare=lambda proxy: setattr(proxy, "_pyroHmacKey", key), **client) as call:
            check(call, thing)
            around = call("around")
            assert (["client@example.org"] if wire == "mutual TLS" else []) == around["certificate"]
            assert way.in_batch is around["batch"]


# What cannot be reached


@pytest.mark.parametrize("name", ["value", "nope", "go", "level"])
def test_what_is_not_exposed(way, uri, name):
    """It cannot be called, though the client does not know and asks for it, however often."""
    with way(uri, metadata=False) as call:
        for _ in range(2):
            with pytest.raises(AttributeError):
                call(name)

        assert 3 == call("add", 1, 2)


PRIVATE = ["_private", "__init__", "__class__", "__dict__", "__reduce__", "__getattribute__", "value", "go"]


@pytest.mark.parametrize("form", ["single", "batch", "rows of a batch", "together", "row"])
def test_private_members_by_hand(served, form):
    """Whatever a client sends, in whichever form, it reaches none of them."""
    daemon, _ = served
    together = form in ("together", "row")
    peer = {"version": "9", "can": ["side", "rows", "together", "abreast"], "wants": ["together"] if together else []}
    with RawClient(daemon.locationStr) as client:
        client.greet("thing", pyronb=peer)
        for name in PRIVATE * 2:
            assert 3 == client.call("thing", "add", 1, 2).value
            number, flags, answers = client.serializer.number, 0, 1
            parts = name, (), {}
            if form == "batch":
                parts, flags = ("<batch>", [(name, (), {})], None), client.dialect.batch
            elif form == "rows of a batch":
                parts, flags = ("<batch>", [(name, ("x", "x"), 1)], {"rows": True}), client.dialect.batch
            elif form == "row":
                parts, flags, answers = (name, (2, "x", "x"), {}), ROW, 2
            payload = client.serializer.dumps_call(("thing", *parts))
            client.send(client.packed(Message(INVOKE, number, flags, client.seq + 1, payload)))
            client.seq += answers
            for _ in range(answers):
                assert isinstance(client.codec.decode_reply(client.message()).error, AttributeError)


# Beside the call


class Telling(Proxy):
    """A proxy that adds annotations, and hears those of answers."""

    told: ClassVar[list] = []

    def _pyroAnnotations(self):
        return {"MINE": b"own"}

    def _pyroResponseAnnotations(self, annotations, msgtype):
        self.told.append((msgtype, {name: bytes(value) for name, value in annotations.items()}))


def test_context(way, uri):
    """Annotations and the correlation id of the context reach the method, and those of the next call only there."""
    wanted = uuid.uuid4()
    with way(uri) as call, around_here(annotations={"ABCD": b"x"}, correlation_id=wanted):
        told = call("around")
        assert [["ABCD", "x"]] == list(map(list, told["annotations"]))
        assert str(wanted) == told["id"]
        current_context.annotations, current_context.correlation_id = {}, None

        told = call("around")
        assert [] == told["annotations"]
        assert "None" == told["id"]


def test_greeting_in_context(way, engine, thing):
    """What goes beside the first call goes beside the greeting as well: daemons may ask for it there."""

    class Strict(Daemon):
        def validateHandshake(self, conn, data):
            if "ABCD" not in current_context.annotations:
                raise ValueError("nothing beside the greeting")
            return data

    with serving(Strict, engine=engine) as daemon:
        uri = daemon.register(thing, "thing")
        with around_here(annotations={"ABCD": b"x"}), way(uri) as call:
            assert 3 == call("add", 1, 2)


def test_annotations_of_answers(way, engine, thing):
    """Those of the method and of the daemon come with each answer, also where a function was assigned late."""
    with serving(engine=engine) as daemon:
        uri = daemon.register(thing, "thing")
        daemon.annotations = lambda: {"LATE": b"late"}
        with way(uri) as call:
            for _ in range(2):
                call("around")
                assert not way.heard_here or {"RESP": b"there", "LATE": b"late"} == response_annotations()
                call("add", 1, 2)
                assert not way.heard_here or {"LATE": b"late"} == response_annotations()
        if not way.in_loop:
            Telling.told.clear()
            with way(uri, kind=Telling) as call:
                call("around")
            assert all(told["LATE"] == b"late" for _, told in Telling.told)
            assert any("RESP" in told for _, told in Telling.told)


@synchronous
def test_proxies_with_a_say(way, uri):
    """What a class of proxies adds to calls arrives with each."""
    with way(uri, kind=Telling) as call:
        for _ in range(2):
            assert [["MINE", "own"]] == list(map(list, call("around")["annotations"]))


@synchronous
def test_refused_answer(way, uri):
    """A class of proxies may refuse a daemon by what it answered."""

    class Wary(Proxy):
        def _pyroValidateHandshake(self, response):
            raise ValueError(f"not {response}")

    with pytest.raises(ValueError, match="not hello"), way(uri, kind=Wary) as call:
        call("add", 1, 2)


def test_logged(way, engine, thing, caplog):
    """With LOGWIRE each message is logged at both ends, whichever way it is made and read."""
    wire = WireOptions(log=True)
    with serving(engine=engine, wire=wire) as daemon:
        uri = daemon.register(thing, "thing")
        with way(uri, wire=wire) as call, caplog.at_level(logging.DEBUG, "pyronb.wire"):
            call("give", "first")
            caplog.clear()
            for number in range(3):
                call("give", f"word {number}")
    for number in range(3):
        heads = [line.split(":")[0] for line in caplog.messages if f"word {number}" in line]
        assert {"sent INVOKE", "received INVOKE", "sent RESULT", "received RESULT"} == set(heads)


def test_recorded(way, uri):
    """While calls are recorded, each is: with its arguments, its result or error, and the bytes that went."""
    with way(uri) as call:
        call("add", 1, 2)
        with record() as records:
            call("give", "word")
            with pytest.raises(ValueError, match="boom"):
                call("fail", "boom")
        call("add", 1, 2)

    if way.in_batch:
        assert ["batch", "batch"] == [made.kind for made in records]
    else:
        found = [made for made in records if made.method in ("give", "fail")]
        assert [("give", "returned"), ("fail", "raised")] == [(made.method, made.outcome) for made in found]
    assert all(made.sent and made.received for made in records)


# Limits


def test_what_is_too_large_to_send(way, uri):
    """It is refused here, and nothing else suffers."""
    with way(uri, wire=WireOptions(max_message_size=LIMIT)) as call:
        for _ in range(2):
            with pytest.raises(MessageTooLargeError):
                call("give", BIG)

            assert 3 == call("add", 1, 2)


def test_what_is_too_large_to_receive(way, uri):
    """It is refused here; the next call connects anew if need be."""
    with way(uri, wire=WireOptions(max_message_size=LIMIT)) as call:
        for _ in range(2):
            with pytest.raises(CommunicationError, match="message too large"):
                call("zeros", 2 * LIMIT)

            assert 3 == call("add", 1, 2)


def test_what_is_too_large_for_the_daemon(way, engine, thing):
    """It is refused over there, unread: no method runs."""
    with serving(engine=engine, wire=WireOptions(max_message_size=LIMIT)) as daemon:
        uri = daemon.register(thing, "thing")
        with way(uri) as call:
            for _ in range(2):
                thing.calls.clear()
                with pytest.raises(CommunicationError):
                    call("add", BIG, "")
                assert all(type(first) is int for first, _ in thing.calls)
                assert 3 == call("add", 1, 2)
                with pytest.raises((CommunicationError, PyroError), match="too large"):
                    call("zeros", 2 * LIMIT)


def test_timeout(way, uri, thing):
    """A call that takes too long is given up, and the next one is made."""
    with way(uri, prepare=lambda proxy: setattr(proxy, "_pyroTimeout", scaled(0.1))) as call:
        with pytest.raises(TimeoutError):
            call("wait")
        thing.go.set()

        assert eventually(lambda: answers(call))


def answers(call):
    """Tell whether a call is answered in time."""
    try:
        return 3 == call("add", 1, 2)
    except TimeoutError:
        return False


# Over there


@pytest.mark.parametrize("assigned", [False, True])
def test_error_handler(way, engine, thing, assigned):
    """It hears of each error: the method, its own arguments, and the error."""
    told = []

    class Handling(Daemon):
        def methodcall_error_handler(self, client_sock_addr, method, vargs, kwargs, exception):
            told.append((method, list(vargs), kwargs, str(exception)))

    with serving(Daemon if assigned else Handling, engine=engine) as daemon:
        uri = daemon.register(thing, "thing")
        if assigned:
            daemon.methodcall_error_handler = lambda _, __, method, args, kwargs, error: told.append(
                (method.__name__, list(args), kwargs, str(error))
            )
        with way(uri) as call:
            for _ in range(2):
                told.clear()
                with pytest.raises(ValueError, match="boom"):
                    call("fail", "boom")
                with pytest.raises(ValueError, match="soon"):
                    call("fail_later", text="soon")
                with pytest.raises(TypeError):
                    call("add")

                assert ("fail", ["boom"], {}) == told[0][:3]
                assert ("fail_later", [], {"text": "soon"}, "soon") == told[1]
                assert ("add", [], {}) == told[2][:3]
                assert 3 == len(told)


@pytest.mark.parametrize("mode", ["single", "session", "percall"])
def test_instances(way, engine, mode):
    """One instance for all calls, one for each connection, or one for each call."""

    class Registered(Thing):
        pass

    behavior(instance_mode=mode)(Registered)
    with serving(engine=engine) as daemon:
        uri = daemon.register(Registered, "thing")
        with way(uri) as call, way(uri) as other:
            mine, theirs = [call("which") for _ in range(5)], other("which")

    if mode == "single":
        assert {theirs} == set(mine)
    elif mode == "percall":
        assert 6 == len({theirs, *mine})
    else:
        assert theirs not in mine
        # There may be several connections.
        assert POOL in way.name or way.name == "background batch" or 1 == len(set(mine))


def test_overridden_without_a_mark(way, engine):
    """A method that hides an exposed one is not exposed by that."""
    with serving(engine=engine) as daemon:
        uri, other = daemon.register(Thing(), "thing"), daemon.register(Unexposed(), "other")
        with way(uri) as call:
            assert 3 == call("add", 1, 2)
        with pytest.raises(AttributeError), way(other, metadata=False) as call:
            call("add", 1, 2)


class Point:
    """A value of the user's."""

    def __init__(self, x):
        self.x = x


def test_registered_classes(way, uri):
    """They are made dicts and made anew by the functions that were registered, on every way."""
    SerializerBase.register_class_to_dict(Point, lambda point: {"__class__": "test.Point", "x": point.x})
    SerializerBase.register_dict_to_class("test.Point", lambda _, members: Point(members["x"]))
    try:
        with way(uri) as call:
            for _ in range(2):
                given = call("give", Point(5))
                assert (Point, 5) == (type(given), given.x)
    finally:
        SerializerBase.unregister_class_to_dict(Point)
        SerializerBase.unregister_dict_to_class("test.Point")


def test_pickle_is_refused(way, uri):
    """As long as the daemon does not accept it, nobody reads it there."""
    with pytest.raises(PyroError, match="accept"), way(uri, serializer="pickle") as call:
        call("give", Point(5))


def test_given_socket_with_a_key(engine, thing):
    """Whoever does not sign is refused, though the key was set after the socket was given."""
    ours, theirs = socket.socketpair()
    with ours, theirs, looping(Daemon(connected_socket=ours, options=daemon_options(engine=engine))) as daemon:
        daemon._pyroHmacKey = b"secret"
        daemon.register(thing, "thing")
        proxy = Proxy("thing", connected_socket=theirs, options=client_options(metadata=False))
        with proxy, pytest.raises(CommunicationError):
            proxy.add(1, 2)

    assert [] == thing.calls
