"""A daemon as programs use it: objects, handshakes, sessions, errors, streams, over real sockets."""

from __future__ import annotations

import copy
import gc
import logging
import threading
import time
import uuid
from contextlib import ExitStack

import pytest

from pyronb.context import current_context
from pyronb.errors import (
    CommunicationError,
    ConnectionClosedError,
    DaemonError,
    MessageTooLargeError,
    ProtocolError,
    PyroError,
    RemoteError,
    SerializeError,
)
from pyronb.options import WireOptions
from pyronb.rpc.blob import SerializedBlob
from pyronb.rpc.call import Raised, Returned
from pyronb.serializers.base import SerializerBase
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import behavior, expose, oneway
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI
from pyronb.wire.message import CONNECTFAIL, CONNECTOK
from tests.support.serving import LOCAL, RawClient, client_options, connect, daemon_options, looping, serving
from tests.support.waiting import deadline, eventually, scaled

pytestmark = pytest.mark.usefixtures("engine")


class Unserializable:
    """Has a state that says no."""

    def __getstate__(self):
        raise RuntimeError("cannot be written")


class UnserializableError(Exception):
    """Has arguments that no serializer writes."""


@expose
class Thing:
    """A thing to call."""

    def __init__(self):
        self.value_ = 1
        self.other = None

    def echo(self, value):
        """Give it back."""
        return value

    def fail(self):
        raise ZeroDivisionError("by zero")

    def fail_with(self, value):
        raise ZeroDivisionError

    def fail_badly(self):
        raise UnserializableError(Unserializable(), "rest")

    def exit(self):
        raise SystemExit("bye")

    def interrupt(self):
        raise KeyboardInterrupt

    def unserializable(self):
        return [1, Unserializable()]

    def give_other(self):
        return {"other": [self.other]}

    def give_copy(self):
        return copy.copy(self.other)

    def count(self, limit):
        yield from range(limit)

    def annotate(self, annotations):
        current_context.response_annotations = annotations
        return "annotated"

    def context(self):
        return {
            "address": current_context.client_sock_addr,
            "client": type(current_context.client).__name__,
            "seq": current_context.seq,
            "serializer": current_context.serializer_id,
            "annotations": {key: bytes(value).decode() for key, value in current_context.annotations.items()},
            "correlation": str(current_context.correlation_id),
        }

    @oneway
    def fire(self):
        pass

    @property
    def value(self):
        return self.value_

    @value.setter
    def value(self, value):
        self.value_ = value


@pytest.fixture
def thing():
    return Thing()


@pytest.fixture
def daemon(engine, thing):
    with serving() as daemon:
        daemon.register(thing, "thing")
        yield daemon


@pytest.fixture
def proxy(daemon):
    with connect(daemon.uriFor("thing")) as proxy:
        yield proxy


# Objects


def test_an_object_is_called_by_its_address(daemon, thing, proxy):
    """Registering gives the address, and unregistering takes it away from one call to the next."""
    assert proxy.echo("x") == "x"
    assert daemon.uriFor(thing) == daemon.uriFor("thing") == proxy._pyroUri
    assert daemon.objectsById["thing"] is thing

    daemon.unregister(thing)

    with pytest.raises(DaemonError, match="unknown object"):
        proxy.echo("x")
    with pytest.raises(CommunicationError, match="unknown object"):
        connect(daemon.uriFor("thing"))
    assert not hasattr(thing, "_pyroDaemon")


def test_the_daemons_own_object_stays(daemon):
    """Nobody takes its id, and nobody takes it away."""
    with pytest.raises(DaemonError):
        daemon.register(Thing(), "Pyro.Daemon", force=True)
    with pytest.raises(DaemonError):
        daemon.unregister("Pyro.Daemon")


def test_the_daemons_own_object_describes_it(daemon):
    """Ids, a line about the daemon, and the metadata of any object."""
    with connect(daemon.uriFor("Pyro.Daemon")) as own:
        assert sorted(own.registered()) == ["Pyro.Daemon", "thing"]
        assert own.ping() is None
        assert own.info().startswith(f"Pyro.Daemon bound on {daemon.locationStr}, NAT None, 2 objects registered.")
        told = own.get_metadata("thing")
        assert told["attrs"] == {"value"}
        assert told["oneway"] == {"fire"}
        assert "echo" in own.get_metadata("thing", as_lists=True)["methods"]
        with pytest.raises(DaemonError, match="unknown object"):
            own.get_metadata("nobody")
        assert own._pyroOneway == own._pyroAttrs == set()


def test_one_connection_reaches_all_objects(daemon):
    """The object is named in each call."""
    daemon.register(Thing(), "other")
    with RawClient(daemon.locationStr) as client:
        client.greet("thing")

        assert client.call("other", "echo", 1).value == 1
        assert isinstance(client.call("nobody", "echo", 1).error, DaemonError)
        assert client.call("Pyro.Daemon", "ping").value is None


def test_objects_that_take_no_attributes_can_be_registered(daemon):
    """They are served; only they do not become proxies by themselves."""

    @expose
    class Slotted:
        __slots__ = ()

        def method(self):
            return 1

    with connect(daemon.register(Slotted())) as proxy:
        assert proxy.method() == 1


def test_proxy_for_an_object_knows_it_without_connecting(daemon, thing):
    """Its members are those that the daemon knows."""
    with daemon.proxyFor(thing) as proxy:
        assert "echo" in proxy._pyroMethods
        assert "not connected" in repr(proxy)
        assert proxy.echo(1) == 1
    with pytest.raises(DaemonError):
        daemon.proxyFor(Thing())
    with pytest.raises(DaemonError):
        daemon.proxyFor("nobody")


def test_a_changed_class_shows_after_a_reset(daemon):
    """New clients are told the new members."""

    @expose
    class Changing:
        def one(self):
            return 1

    obj = Changing()
    uri = daemon.register(obj)
    connect(uri)._pyroRelease()
    Changing.two = expose(lambda self: 2)
    with connect(uri) as proxy:
        assert proxy._pyroMethods == {"one"}
    daemon.resetMetadataCache(obj)
    with connect(uri) as proxy:
        assert proxy._pyroMethods == {"one", "two"}
        assert proxy.two() == 2


# Autoproxy


@pytest.mark.parametrize("serializer", ["serpent", "json", "msgpack"])
def test_a_registered_object_travels_as_its_proxy(daemon, thing, serializer):
    """Also deep inside a result; it can be called over there."""
    thing.other = other = Thing()
    daemon.register(other, "other")
    with connect(daemon.uriFor("thing"), serializer=serializer) as proxy:
        got = proxy.give_other()["other"][0]
        with got:
            assert isinstance(got, Proxy)
            assert got._pyroUri == daemon.uriFor("other")
            assert got.echo(1) == 1


def test_a_copy_of_a_registered_object_is_not_taken_for_it(daemon, thing, proxy):
    """It carries the marks of the original and is not registered."""
    thing.other = Thing()
    daemon.register(thing.other, "other")
    with pytest.raises(PyroError):
        proxy.give_copy()


def test_an_object_that_was_replaced_is_no_longer_a_proxy(daemon, thing, proxy):
    """Its id belongs to another object now."""
    thing.other = Thing()
    daemon.register(thing.other, "other")
    daemon.register(Thing(), "other", force=True)
    with pytest.raises(PyroError):
        proxy.give_other()


def test_closing_one_daemon_leaves_the_marks_of_another(thing):
    """An object that two daemons have belongs to the later one."""
    with serving() as late:
        with serving() as early:
            early.register(thing)
            late.register(thing, "thing")
        assert thing._pyroDaemon is late
        thing.other = thing
        with connect(late.uriFor(thing)) as proxy:
            assert proxy.give_other()["other"] == [proxy]


# Instance modes


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("single", [1, 2, 3, 4]), ("session", [1, 2, 1, 2]), ("percall", [1, 1, 1, 1])],
)
def test_registered_classes_are_served_by_instances(daemon, mode, expected):
    """One for the daemon, for the connection, or for the call."""

    @expose
    @behavior(mode)
    class Counter:
        count = 0

        def up(self):
            self.count += 1
            return self.count

    uri, got = daemon.register(Counter), []
    for _ in range(2):
        with connect(uri) as proxy:
            got += [proxy.up(), proxy.up()]

    assert got == expected


def test_a_session_ends_with_its_connection(daemon):
    """The same proxy, connected anew, has a new instance; the old one is let go."""
    alive = []

    @expose
    class Session:
        def __init__(self):
            alive.append(self)

        def __del__(self):
            gone.set()

        def number(self):
            return len(alive)

    gone = threading.Event()
    with connect(daemon.register(Session)) as proxy:
        assert [proxy.number(), proxy.number()] == [1, 1]
        proxy._pyroRelease()
        alive.clear()
        assert gone.wait(scaled(5))
        assert proxy.number() == 1


def test_a_class_that_cannot_be_made_is_an_error_for_the_caller(daemon):
    """The connection goes on."""

    @expose
    class Broken:
        def __init__(self):
            raise OSError("no device")

        def method(self):
            pass

    with connect(daemon.register(Broken)) as proxy:
        for _ in range(2):
            with pytest.raises(OSError, match="no device"):
                proxy.method()


# The handshake


class Guarded(Daemon):
    gone: list

    def validateHandshake(self, conn, data):
        if isinstance(data, dict):
            return {"welcome": data["name"], "from": conn.address[0]}
        if data == "exit":
            raise SystemExit("no entry")
        if data == "odd":
            return Unserializable()
        if data == "silent":
            raise ValueError
        raise PermissionError(f"not with {data!r}")

    def clientDisconnect(self, conn):
        self.__dict__.setdefault("gone", []).append(conn.handshake)
        if conn.handshake["name"] == "troublesome":
            raise SystemExit


def test_the_handshake_is_checked_and_answered():
    """The answer reaches the client."""
    with serving(Guarded) as daemon:
        proxy = Proxy(daemon.register(Thing()), options=client_options())
        proxy._pyroHandshake = {"name": "me"}
        with proxy:
            assert proxy.echo(1) == 1
            assert proxy._pyro.handshake_answer == {"welcome": "me", "from": LOCAL}


@pytest.mark.parametrize(
    ("handshake", "reason"),
    [("hello", "not with 'hello'"), ("exit", "no entry"), ("silent", "ValueError"), ("odd", "cannot be written")],
)
def test_a_refused_client_is_told_why(handshake, reason):
    """Whatever the check raises, and the daemon goes on."""
    with serving(Guarded) as daemon:
        proxy = Proxy(daemon.register(Thing(), "thing"), options=client_options())
        proxy._pyroHandshake = handshake
        for _ in range(2):
            with pytest.raises(CommunicationError, match=f"rejected: .*{reason}"):
                proxy.echo(1)
        with RawClient(daemon.locationStr) as client:
            assert client.greet("thing", {"name": "me"})[0] == CONNECTOK


@pytest.mark.parametrize("name", ["me", "troublesome"])
def test_the_daemon_notes_who_is_gone(name):
    """Once for each client that was taken in, and not for those that were refused."""
    with serving(Guarded) as daemon:
        daemon.gone = []
        for _ in range(3):
            with RawClient(daemon.locationStr) as client:
                assert client.greet(handshake={"name": name})[0] == CONNECTOK
            with RawClient(daemon.locationStr) as client:
                assert client.greet(handshake="hello")[0] == CONNECTFAIL
        with RawClient(daemon.locationStr):
            pass
        eventually(lambda: len(daemon.gone) == 3 and daemon._engine.clients == 0)

    assert daemon.gone == [{"name": name}] * 3


def test_details_are_told_to_those_who_ask(daemon):
    """A real Pyro gets exactly the map that it expects."""
    with RawClient(daemon.locationStr) as real:
        _, answer = real.greet("thing")
        assert answer.keys() == {"handshake", "meta"}
        assert answer["meta"].keys() == {"methods", "oneway", "attrs"}
    with RawClient(daemon.locationStr) as other:
        _, answer = other.greet("thing", pyronb={"version": "9", "can": []})
        assert answer.keys() == {"handshake", "meta", "pyronb"}
        assert answer["meta"].keys() == {"methods", "oneway", "attrs"}
    with RawClient(daemon.locationStr) as curious:
        _, answer = curious.greet("thing", pyronb={"version": "9", "can": ["details", "more"]})
        assert answer["meta"]["pyronb"]["methods"]["echo"] == ["(value)", "Give it back."]


@pytest.mark.parametrize(
    "claim", [3, "x", [], {"version": 3}, {"version": "1", "can": 3}, {"version": "1", "can": [3]}]
)
def test_a_nonsensical_introduction_is_overlooked(daemon, claim):
    """It is as good as none."""
    with RawClient(daemon.locationStr) as client:
        kind, answer = client.greet("thing", pyronb=claim)

        assert kind == CONNECTOK
        assert "pyronb" not in answer["meta"]


# Calls


def test_errors_come_back_as_what_they_were(proxy):
    """With the traceback of the other side, and the connection goes on."""
    with pytest.raises(ZeroDivisionError, match="by zero") as caught:
        proxy.fail()
    assert "in fail" in "".join(caught.value._pyroTraceback)
    assert proxy.echo(1) == 1


@pytest.mark.parametrize("method", ["exit", "interrupt"])
def test_what_would_end_a_program_ends_neither_daemon_nor_caller(proxy, method):
    """It is an error of the call, and the connection goes on."""
    with pytest.raises(PyroError, match="remote method ended with"):
        getattr(proxy, method)()
    assert proxy.echo(1) == 1


@pytest.mark.parametrize("serializer", ["serpent", "json", "marshal", "msgpack"])
def test_what_cannot_be_written_is_an_error_for_the_caller(daemon, serializer):
    """A result as well as an error; the connection goes on, and of the error all is told that can be."""
    with connect(daemon.uriFor("thing"), serializer=serializer) as proxy:
        with pytest.raises(SerializeError):
            proxy.unserializable()
        with pytest.raises(RemoteError, match=r"UnserializableError: .*Unserializable object at") as caught:
            proxy.fail_badly()
        assert "not all of this exception could be sent" in caught.value.__notes__[0]
        assert "in fail_badly" in "".join(caught.value._pyroTraceback)
        assert proxy.echo(1) == 1


def test_a_hook_that_fails_is_an_error_for_the_caller(daemon, thing, proxy):
    """User code runs when a result is written."""

    class Hooked:
        pass

    def broken(obj):
        raise RuntimeError("hook failed")

    SerializerBase.register_class_to_dict(Hooked, broken)
    try:
        thing.value_ = Hooked()
        with pytest.raises(PyroError, match="hook failed"):
            proxy.value  # noqa: B018
    finally:
        SerializerBase.unregister_class_to_dict(Hooked)
    assert proxy.echo(1) == 1


def test_a_result_that_is_too_large_is_an_error_for_the_caller(thing):
    """The daemon's own limit, and a limit on what comes in."""
    with serving(wire=WireOptions(max_message_size=10_000)) as daemon:
        uri = daemon.register(thing)
        thing.value_ = "x" * 20_000
        with connect(uri) as proxy:
            with pytest.raises(MessageTooLargeError):
                proxy.value  # noqa: B018
            assert proxy.echo(1) == 1
            with pytest.raises(ConnectionClosedError):
                proxy.echo("x" * 20_000)
            assert proxy.echo(2) == 2


@pytest.mark.parametrize("annotations", [{"TOOLONG": "x"}, {"MINE": "text"}, {"MINÉ": "x"}, {3: "x"}, 3])
def test_annotations_that_are_none_are_an_error_for_the_caller(proxy, annotations):
    """The mistake of one method is no reason to hang up."""
    with pytest.raises((ProtocolError, TypeError, ValueError, AttributeError)):
        proxy.annotate(annotations)
    assert proxy.echo(1) == 1


def test_annotations_travel_both_ways():
    """Those of the call, those of the method and those of the daemon."""

    class Annotating(Daemon):
        def annotations(self):
            return {"DAEM": b"daemon"}

    @expose
    class Answering:
        def answer(self):
            current_context.response_annotations = {"MINE": bytes(current_context.annotations["YOUR"])}

    with serving(Annotating) as daemon, connect(daemon.register(Answering())) as proxy:
        current_context.annotations = {"YOUR": b"client"}
        try:
            proxy.answer()
            got = {key: bytes(value) for key, value in current_context.response_annotations.items()}
        finally:
            current_context.annotations = {}

        assert got == {"MINE": b"client", "DAEM": b"daemon"}


def test_failing_annotations_of_a_daemon_are_left_out(caplog):
    """They are logged; the reply comes without."""

    class Failing(Daemon):
        def annotations(self):
            raise RuntimeError("no annotations")

    with serving(Failing) as daemon, connect(daemon.register(Thing())) as proxy:
        assert proxy.echo(1) == 1

    assert "no annotations" in caplog.text


def test_a_method_knows_the_circumstances_of_its_call(daemon, proxy):
    """Who calls, with which number, in which serializer, as part of what."""
    current_context.correlation_id = wanted = uuid.uuid4()
    try:
        got = proxy.context()
    finally:
        current_context.correlation_id = None

    assert got["address"][0] == LOCAL
    assert got["client"] == "Caller"
    assert got["seq"] == proxy._pyro.sequence
    assert got["serializer"] == 1
    assert got["correlation"] == str(wanted)


def test_the_error_handler_is_told_of_errors(caplog):
    """Of those that methods raise; if it fails itself, that is logged and the caller has the method's error."""
    told = []

    class Told(Daemon):
        def methodcall_error_handler(self, client_sock_addr, method, vargs, kwargs, exception):
            told.append((client_sock_addr[0], method, vargs, kwargs, type(exception)))
            raise RuntimeError("handler failed")

    with serving(Told) as daemon, connect(daemon.register(Thing())) as proxy:
        with pytest.raises(ZeroDivisionError):
            proxy.fail()
        with pytest.raises(TypeError):
            proxy.echo(1, 2, third=3)
        assert proxy.echo(1) == 1

    assert [entry[1] for entry in told] == ["fail", "echo"]
    assert told[1] == (LOCAL, "echo", (1, 2), {"third": 3}, TypeError)
    assert "handler failed" in caplog.text


def test_an_error_handler_can_be_assigned(daemon, proxy):
    """As Pyro5 has it: with the daemon first, and the method itself."""
    told = []
    daemon.methodcall_error_handler = lambda *args: told.append(args)
    with pytest.raises(ZeroDivisionError):
        proxy.fail_with("x")

    ((who, address, method, args, _, error),) = told
    assert (who, address[0], method.__qualname__, tuple(args)) == (daemon, LOCAL, "Thing.fail_with", ("x",))
    assert isinstance(error, ZeroDivisionError)


def test_errors_are_logged_as_information(proxy, caplog):
    """They are the caller's business; whoever runs the daemon can look at them."""
    caplog.set_level(logging.INFO, "pyronb")
    with pytest.raises(ZeroDivisionError):
        proxy.fail()

    assert "method 'fail' raised for client" in caplog.text


@pytest.mark.parametrize("serializer", ["serpent", "json", "marshal", "msgpack"])
def test_pipelined_calls_are_answered_in_order(daemon, serializer):
    """Greeting, ping and calls written at once, as real daemons take them too."""
    with RawClient(daemon.locationStr, serializer) as client:
        client.send(client.greeting("thing") + b"".join(client.request("thing", "echo", n) for n in range(20)))
        assert client.answer()[0] == CONNECTOK
        for number in range(20):
            message = client.message()
            assert message.seq == number + 1
            assert client.codec.decode_reply(message) == Returned(number, message.annotations)
        client.ping()


def test_any_chunking_gives_the_same_answers(daemon):
    """A byte at a time."""
    with RawClient(daemon.locationStr) as client:
        for byte in client.greeting("thing") + client.request("thing", "echo", "x"):
            client.send(bytes([byte]))

        assert client.answer()[0] == CONNECTOK
        assert client.answer()[1] == "x"


def test_serializers_may_change_from_call_to_call(daemon):
    """Each reply follows its request."""
    with RawClient(daemon.locationStr) as client:
        client.greet("thing")
        for name in ("json", "marshal", "msgpack", "serpent"):
            client.serializer = client.catalog.by_name(name)
            client.send(client.request("thing", "echo", [1, "x"]))
            message = client.message()
            assert message.serializer_id == client.serializer.number
            assert client.codec.decode_payload(message) == [1, "x"]


def test_resources_are_closed_with_their_connection(daemon):
    """Those that were tracked and not taken back, also when closing one of them fails."""

    class Resource:
        closed = False

        def close(self):
            self.closed = True
            raise RuntimeError("closing failed")

    kept, taken_back = [Resource(), Resource()], Resource()

    @expose
    class Owner:
        def track(self):
            for resource in (*kept, taken_back):
                current_context.track_resource(resource)
            current_context.untrack_resource(taken_back)

    with connect(daemon.register(Owner())) as proxy:
        proxy.track()
        assert not kept[0].closed
    eventually(lambda: all(resource.closed for resource in kept))

    assert not taken_back.closed


# Streams


def test_a_stream_is_read_item_by_item(proxy):
    """And closed early, or read to its end."""
    assert list(proxy.count(3)) == [0, 1, 2]
    stream = proxy.count(100)
    assert next(stream) == 0
    stream.close()
    with pytest.raises(StopIteration):
        next(stream)
    assert proxy.echo(1) == 1


def test_a_closed_stream_is_gone_at_the_daemon(daemon, proxy):
    """The daemon is told, also of one that was simply dropped."""
    stream = proxy.count(3)
    next(stream)
    assert len(daemon._streams) == 1
    stream.close()
    proxy.echo(1)
    eventually(lambda: len(daemon._streams) == 0)
    next(proxy.count(3))
    proxy.echo(1)
    eventually(lambda: len(daemon._streams) == 0)


def test_a_stream_outlives_its_connection_for_a_while(daemon, proxy):
    """It goes on after reconnecting."""
    stream = proxy.count(3)
    assert next(stream) == 0
    proxy._pyroReconnect(tries=1)

    assert list(stream) == [1, 2]


def test_without_linger_a_stream_ends_with_its_connection(thing):
    """Whoever comes back finds it gone."""
    with serving(stream_linger=0.0) as daemon, connect(daemon.register(thing)) as proxy:
        stream = proxy.count(3)
        assert next(stream) == 0
        proxy._pyroReconnect(tries=1)
        eventually(lambda: len(daemon._streams) == 0)
        with pytest.raises(PyroError, match="item stream terminated"):
            next(stream)


def test_the_daemon_forgets_streams_whose_time_is_up(thing):
    """Housekeeping sees to it."""
    with serving(stream_lifetime=0.01) as daemon, connect(daemon.register(thing)) as proxy:
        stream = proxy.count(3)
        eventually(lambda: len(daemon._streams) == 0)
        with pytest.raises(PyroError, match="item stream terminated"):
            next(stream)


def test_a_daemon_that_does_not_stream_says_so(thing):
    """The caller has an error, and nothing stays behind."""
    with serving(streaming=False) as daemon, connect(daemon.register(thing)) as proxy:
        with pytest.raises(ProtocolError, match="iterator"):
            proxy.count(3)
        assert len(daemon._streams) == 0
        assert proxy.echo(1) == 1


def test_an_iterator_as_an_item_is_an_error(daemon):
    """A stream of streams cannot be; the caller is told."""

    @expose
    class Nested:
        def nested(self):
            yield iter([1])

    with connect(daemon.register(Nested())) as proxy:
        stream = proxy.nested()
        with pytest.raises(PyroError):
            next(stream)


# Addresses and ending


def test_a_unix_socket_is_as_good_as_a_port(tmp_path, thing):
    """Its file goes with the daemon, and one that a dead daemon left behind is no obstacle."""
    path = str(tmp_path / "daemon.sock")
    for _ in range(2):
        with serving(unixsocket=path) as daemon:
            uri = daemon.register(thing, "thing", force=True)
            assert str(uri) == f"PYRO:thing@./u:{path}"
            with connect(uri) as proxy:
                assert proxy.echo(1) == 1
                assert proxy.context()["address"] == "unix socket"
        assert not (tmp_path / "daemon.sock").exists()
    with serving() as other, Daemon(unixsocket=path) as daemon:
        with pytest.raises(OSError, match="cannot listen"):
            Daemon(unixsocket=path)
        assert other.locationStr != daemon.locationStr


def test_a_taken_port_is_an_error_that_names_it(daemon):
    """Whoever starts a daemon twice should see why."""
    port = URI(f"PYRO:x@{daemon.locationStr}").port
    with pytest.raises(OSError, match=f"cannot listen on {LOCAL}:{port}"):
        Daemon(LOCAL, port)


def test_a_port_can_be_taken_again_at_once(thing):
    """After a restart, with connections of the old daemon still dying."""
    with serving() as daemon, connect(daemon.register(thing)) as proxy:
        proxy.echo(1)
        port = URI(f"PYRO:x@{daemon.locationStr}").port
        daemon.close()
        with Daemon(LOCAL, port) as again:
            assert again.locationStr == daemon.locationStr


def test_ipv6_addresses_are_written_in_brackets(thing):
    """Where the system has IPv6."""
    try:
        daemon = Daemon("::1", options=daemon_options())
    except OSError:
        pytest.skip("no IPv6 here")
    with looping(daemon), connect(daemon.register(thing)) as proxy:
        assert daemon.locationStr.startswith("[::1]:")
        assert proxy.echo(1) == 1


def test_a_daemon_on_all_addresses_tells_one_that_can_be_reached(thing):
    """Nobody can connect to 0.0.0.0 from elsewhere."""
    with looping(Daemon("0.0.0.0", options=daemon_options())) as daemon:
        assert not daemon.locationStr.startswith("0.0.0.0")
        with connect(daemon.register(thing)) as proxy:
            assert proxy.echo(1) == 1


@pytest.mark.parametrize("how", ["shutdown", "close"])
def test_a_served_call_may_stop_the_daemon(how):
    """`shutdown` lets the answer out before the loop ends."""
    daemon = Daemon(LOCAL, options=daemon_options())

    @expose
    class Stopper:
        def stop(self):
            getattr(daemon, how)()
            return "stopped"

    with daemon:
        uri = daemon.register(Stopper())
        loop = threading.Thread(target=daemon.requestLoop)
        loop.start()
        with Proxy(uri, options=client_options()) as proxy:
            if how == "shutdown":
                assert proxy.stop() == "stopped"
            else:
                with pytest.raises(CommunicationError):
                    proxy.stop()
        loop.join(scaled(5))
        assert not loop.is_alive()


def test_shutdown_wakes_a_loop_that_looks_rarely(thing):
    """However long its poll time is."""
    with looping(Daemon(LOCAL, options=daemon_options(poll_timeout=60))) as daemon:
        with connect(daemon.register(thing)) as proxy:
            proxy.echo(1)
        began = time.monotonic()
        daemon.shutdown()
        daemon.shutdown()
    assert time.monotonic() - began < scaled(20)


def test_a_closed_daemon_says_so():
    """Closing again does nothing; entering its loop is an error."""
    daemon = Daemon(LOCAL)
    assert "2 objects" not in repr(daemon)
    daemon.close()
    daemon.close()

    assert "closed" in repr(daemon)
    with pytest.raises(PyroError, match="was closed"):
        daemon.requestLoop()


def test_housekeeping_is_done_now_and_then(caplog):
    """Its errors are logged and end nothing."""
    done = []

    class Tidy(Daemon):
        def housekeeping(self):
            done.append(1)
            raise RuntimeError("cannot tidy up")

    with serving(Tidy, poll_timeout=0.01):
        eventually(lambda: len(done) > 2)

    assert "cannot tidy up" in caplog.text


def test_many_clients_come_and_go(daemon):
    """Nothing of them stays: no connections, sessions or streams."""
    with ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(RawClient(daemon.locationStr))
            client.greet("thing")
            assert not isinstance(client.call("thing", "echo", 1), Raised)
        assert daemon._engine.clients == 50
    limit = deadline(5)
    eventually(lambda: daemon._engine.clients == 0, limit.remaining)


# Settings


class Unmarked:
    """Nothing here is marked."""

    secret = "secret"

    def __init__(self):
        self.value_ = 1
        self.helper = lambda: "of the object, not of its class"

    def method(self):
        return "reached"

    def _private(self):
        raise AssertionError

    @property
    def value(self):
        return self.value_

    @value.setter
    def value(self, value):
        self.value_ = value

    @property
    def _hidden(self):
        raise AssertionError


def test_without_required_marks_all_that_is_not_private_is_reached():
    """REQUIRE_EXPOSE is off, as old programs for Pyro4 may want it; private names stay private."""
    with serving(require_expose=False) as daemon:
        uri = daemon.register(Unmarked(), "thing")
        with connect(uri) as proxy:
            assert proxy._pyroMethods == {"method"}
            assert proxy._pyroAttrs == {"value"}
            assert proxy.method() == "reached"
            proxy.value = 5
            assert proxy.value == 5
        with RawClient(daemon.locationStr) as client:
            client.greet("thing")
            for name in ("_private", "helper", "secret", "__init__", "__reduce__", "__class__"):
                assert isinstance(client.call("thing", name), Raised)
            assert isinstance(client.call("thing", "__getattr__", "_hidden"), Raised)
            assert isinstance(client.call("thing", "__getattr__", "secret"), Raised)


def test_marks_are_required_by_default():
    """What is not marked cannot be reached."""
    with serving() as daemon, RawClient(daemon.locationStr) as client:
        daemon.register(Unmarked(), "thing")
        client.greet("thing")
        assert isinstance(client.call("thing", "method"), Raised)
        assert isinstance(client.call("thing", "__getattr__", "value"), Raised)


def test_an_object_that_is_registered_weakly_goes_with_its_owner(daemon):
    """Its clients are told that there is no such object any more."""
    thing = Thing()
    uri = daemon.register(thing, weak=True)
    with connect(uri) as proxy:
        assert proxy.echo(1) == 1
        del thing
        gc.collect()
        with pytest.raises(DaemonError, match="unknown object"):
            proxy.echo(2)
    assert len(daemon.objectsById) == 2


def test_registered_classes_tell_how_they_are_made(daemon):
    """Programs for Pyro look at `_pyroInstancing`."""

    @expose
    class Plain:
        pass

    @expose
    @behavior("single")
    class Single:
        pass

    daemon.register(Plain)
    daemon.register(Single)

    assert Plain._pyroInstancing == ("session", None)
    assert Single._pyroInstancing == ("single", None)


def test_tracebacks_can_show_the_variables(thing):
    """DETAILED_TRACEBACK: what helps those who look, and is nobody's business otherwise."""
    for detailed in (True, False):
        with serving(detailed_traceback=detailed) as daemon, connect(daemon.register(thing, force=True)) as proxy:
            with pytest.raises(ZeroDivisionError) as caught:
                proxy.fail_with("visible")
            assert ("'visible'" in "".join(caught.value._pyroTraceback)) is detailed


def test_messages_are_logged_where_that_is_asked_for(thing, caplog):
    """LOGWIRE: both directions, from the greeting on; without it, none."""
    caplog.set_level(logging.DEBUG, "pyronb")
    for log in (False, True):
        caplog.clear()
        with serving(wire=WireOptions(log=log)) as daemon, connect(daemon.register(thing, force=True)) as proxy:
            proxy.echo("some text")
        kinds = [record.args[:2] for record in caplog.records if record.name == "pyronb.wire"]
        expected = [("received", "CONNECT"), ("sent", "CONNECTOK"), ("received", "INVOKE"), ("sent", "RESULT")]
        assert kinds == (expected if log else [])
    assert "some text" in caplog.text


def test_blobs_reach_their_method_unread(daemon):
    """The daemon looks at where a blob goes, and its method decides whether it is read."""

    @expose
    class Reader:
        def read(self, blob):
            return [type(blob).__name__, blob.info, blob.deserialized()]

    with connect(daemon.register(Reader())) as proxy:
        assert proxy.read(SerializedBlob("info", [1, 2])) == ["SerializedBlob", "info", [1, 2]]
