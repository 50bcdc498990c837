"""Proxy against a real daemon: calls, attributes, names, and what looking at one costs."""

from __future__ import annotations

import copy
import gc
import inspect
import logging
import pickle
import socket
import threading
import weakref

import pytest

from pyronb.config import config
from pyronb.context import current_context
from pyronb.errors import (
    CommunicationError,
    ConnectionClosedError,
    MessageTooLargeError,
    PyroError,
    RemoteError,
    SecurityError,
    SerializeError,
)
from pyronb.options import WireOptions
from pyronb.rpc.blob import SerializedBlob
from pyronb.serializers.catalog import Catalog
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from pyronb.sync.proxy import Proxy
from pyronb.tracebacks import getPyroTraceback
from pyronb.uri import URI
from pyronb.wire.message import CONNECTOK, RESULT
from tests.support.serving import client_options, connect, serving
from tests.support.waiting import eventually

SERIALIZERS = ("serpent", "json", "marshal", "msgpack")

# Calls


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_calls(proxy, serializer):
    """Positional and named arguments, defaults, in every serializer."""
    proxy._pyroSerializer = serializer

    assert 3 == proxy.add(1, 2)
    assert 11 == proxy.add(1)
    assert 3 == proxy.add(b=2, a=1)
    assert [[1, "two", None], {"key": [3.5]}] == proxy.echo(1, "two", None, key=[3.5])
    assert [[], {}] == proxy.echo()


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_attributes(proxy, bench, serializer):
    """They are read and set like local ones."""
    proxy._pyroSerializer = serializer

    assert 5 == proxy.value
    proxy.value = 77
    assert (77, 77) == (proxy.value, bench.level)
    assert "fixed" == proxy.fixed


def test_attribute_that_raises(proxy):
    """What its code raised is raised here; setting one that cannot be set is an AttributeError that names it."""
    with pytest.raises(ValueError, match="broken"):
        _ = proxy.broken
    with pytest.raises(AttributeError, match="'fixed' of 'bench' cannot be set"):
        proxy.fixed = 5
    assert 5 == proxy.value


def test_double_underscore_methods(proxy):
    """Those that the object exposes can be called once they are known."""
    assert 3 == proxy.add(1, 2)
    assert 42 == proxy.__len__()


def test_oneway(proxy, bench):
    """A oneway method gives None at once, and its errors are nobody's."""
    assert proxy.fire("x") is None
    assert bench.entered.acquire(timeout=5)
    assert ["x"] == bench.calls
    assert proxy.misfire() is None
    assert bench.entered.acquire(timeout=5)
    assert 3 == proxy.add(1, 2)


def test_large_values(proxy):
    """Megabytes go both ways."""
    text = "0" * 3_000_000

    assert text == proxy.zeros(3_000_000)
    assert text == proxy.give(text)


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_compression(daemon, serializer):
    """It changes nothing but the bytes."""
    with connect(daemon.uriFor("bench"), serializer=serializer, wire=WireOptions(compression=True)) as proxy:
        assert "x" * 10_000 == proxy.give("x" * 10_000)


def test_blob(proxy):
    """The receiver sees the info, and reads the rest when it wants to."""
    assert ["topic", [1, 2]] == proxy.blob(SerializedBlob("topic", [1, 2]))


def test_unix_socket(bench, tmp_path):
    """Calls go over a path as well."""
    with serving(unixsocket=str(tmp_path / "s")) as daemon, connect(daemon.register(bench)) as proxy:
        assert 3 == proxy.add(1, 2)


# Errors


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_exceptions(proxy, serializer):
    """An exception over there is raised here, whole, with the traceback of over there."""
    proxy._pyroSerializer = serializer
    with pytest.raises(ValueError, match="boom") as caught:
        proxy.fail("boom")

    assert ("boom", 7) == caught.value.args
    assert "attr" == caught.value.extra
    text = "".join(getPyroTraceback(caught.value))
    assert "fix_daemons.py" in text
    assert "in fail" in text
    assert "the remote traceback is" in text


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_unknown_exceptions(proxy, dials, serializer):
    """One of an unknown class is a RemoteError that tells all, and the connection survives it."""
    proxy._pyroSerializer = serializer
    with pytest.raises(RemoteError) as caught:
        proxy.stall()

    assert caught.value.class_name.endswith("MotorStalled")
    assert ("axis", 3) == caught.value.args[1:]
    assert "in stall" in "".join(getPyroTraceback(caught.value))
    assert 3 == proxy.add(1, 2)
    assert 1 == len(dials)


def test_wrong_arguments(proxy):
    """Python's own error comes from over there."""
    with pytest.raises(TypeError, match="add"):
        proxy.add()


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_unserializable_argument(proxy, dials, serializer):
    """It is a SerializeError that names the call; nothing was sent and the connection is as good as before."""
    proxy._pyroSerializer = serializer
    with pytest.raises(SerializeError, match=r"while calling 'give' of 'bench' at PYRO:bench@"):
        proxy.give(threading.Lock())

    assert 3 == proxy.add(1, 2)
    assert 1 == len(dials)


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_unserializable_result(proxy, dials, serializer):
    """The daemon says so, and the connection survives."""
    proxy._pyroSerializer = serializer
    with pytest.raises(SerializeError, match="lock"):
        proxy.lock()

    assert 3 == proxy.add(1, 2)
    assert 1 == len(dials)


def test_request_that_is_too_large(daemon, dials):
    """It is refused here, by name; the connection survives."""
    with connect(daemon.uriFor("bench"), wire=WireOptions(max_message_size=10_000)) as proxy:
        with pytest.raises(MessageTooLargeError, match=r"MAX_MESSAGE_SIZE is 10000 \(while calling 'give'"):
            proxy.give("x" * 20_000)

        assert 3 == proxy.add(1, 2)
        assert 1 == len(dials)


def test_reply_that_is_too_large(daemon):
    """It is refused with its header, and the next call connects anew."""
    with connect(daemon.uriFor("bench"), wire=WireOptions(max_message_size=10_000)) as proxy:
        with pytest.raises(MessageTooLargeError, match=r"MAX_MESSAGE_SIZE is 10000 \(while calling 'zeros' of 'bench'"):
            proxy.zeros(20_000)

        assert 3 == proxy.add(1, 2)


def test_reply_that_is_too_large_for_the_daemon(bench):
    """The daemon says so instead of sending it."""
    with serving(wire=WireOptions(max_message_size=10_000)) as daemon, connect(daemon.register(bench)) as proxy:
        with pytest.raises(MessageTooLargeError):
            proxy.zeros(20_000)

        assert 3 == proxy.add(1, 2)


def test_unknown_object(daemon):
    """The daemon refuses; the error names the address and the object."""
    with pytest.raises(CommunicationError, match=r"connection to PYRO:nobody@.* rejected: unknown object 'nobody'"):
        connect(f"PYRO:nobody@{daemon.locationStr}")


def test_serializer_that_is_not_accepted(bench):
    """The daemon's reason is told."""
    with serving(serializers=frozenset({"json"})) as daemon:
        uri = daemon.register(bench)
        with pytest.raises(CommunicationError, match="serializer that is not accepted: serpent"):
            connect(uri)
        with connect(uri, serializer="json") as proxy:
            assert 3 == proxy.add(1, 2)


# Names


def test_unknown_names_ask_nobody(proxy, sends):
    """Once connected, the proxy knows what there is; the error names object and member."""
    proxy.add(1, 2)
    sends.clear()
    with pytest.raises(AttributeError, match=r"remote object 'bench' at PYRO:bench@.* has no .* 'nope'"):
        proxy.nope()
    with pytest.raises(AttributeError, match="'nope'"):
        proxy.nope = 5

    assert not hasattr(proxy, "nope")
    assert hasattr(proxy, "add")
    assert [] == sends


@pytest.mark.parametrize("name", ["_private", "__private", "_pyroNope", "_repr_html_", "__wrapped__", "getdoc"])
def test_local_names_never_connect(proxy, dials, name):
    """Names with an underscore fail at once, for reading and for setting."""
    assert not hasattr(proxy, name)
    with pytest.raises(AttributeError, match=f"'{name}'"):
        setattr(proxy, name, 5)

    assert [] == dials


def test_methods_are_made_once(proxy):
    """Asking for a method gives the same object each time."""
    assert proxy.add is proxy.add


def test_method_shows_what_is_known_of_it(proxy):
    """Name, docstring and signature as over there."""
    method = proxy.add

    assert ("add", "Add two numbers.") == (method.__name__, method.__doc__)
    assert "(a: int, b: int = 10) -> int" == str(inspect.signature(method))
    assert f"<remote method 'add' of {proxy._pyroUri}>" == repr(method)


def test_docstring(proxy):
    """The proxy's own before it is connected, the object's afterwards; the class keeps its own."""
    assert "used like a local one" in proxy.__doc__

    proxy._pyroBind()

    assert proxy.__doc__.startswith("Something of everything")
    assert "used like a local one" in Proxy.__doc__


def test_dir(proxy):
    """Remote names are listed once they are known."""
    assert "add" not in dir(proxy)

    proxy._pyroBind()

    assert {"add", "value", "fire", "_pyroBind"} <= set(dir(proxy))
    assert {"add", "fire"} <= proxy._pyroMethods
    assert {"value", "fixed", "broken"} == proxy._pyroAttrs
    assert {"fire", "misfire"} == proxy._pyroOneway


def test_names_before_the_first_connection(proxy):
    """Nothing is known."""
    assert (set(), set(), set()) == (proxy._pyroMethods, proxy._pyroAttrs, proxy._pyroOneway)


# Looking is free


def test_looking_costs_nothing(proxy, dials):
    """Making, showing, comparing, copying and pickling a proxy, and what notebooks probe, do no I/O."""
    other = copy.copy(proxy)
    looks = [repr(proxy), str(proxy), dir(proxy), bool(proxy), hash(proxy), proxy == other, proxy._pyroUri]
    looks += [copy.deepcopy(proxy), pickle.loads(pickle.dumps(proxy)), weakref.ref(proxy), proxy.__doc__]
    for name in ("_repr_html_", "_ipython_display_", "_repr_mimebundle_", "_ipython_canary_method_should_not_exist_"):
        looks.append(getattr(proxy, name, None))
    inspect.isclass(proxy)
    callable(proxy)
    del other, looks
    gc.collect()

    assert [] == dials


def test_proxy_for_nobody():
    """A proxy can be made for what is not there (yet)."""
    proxy = Proxy("PYRO:x@192.0.2.1:9")

    assert "<pyronb.Proxy PYRO:x@192.0.2.1:9; not connected>" == repr(proxy)


def test_repr(proxy):
    """Address and state."""
    assert f"<pyronb.Proxy {proxy._pyroUri}; not connected>" == repr(proxy)

    proxy._pyroBind()

    assert "; connected to pyronb" in repr(proxy)


def test_wrong_address():
    """It is refused when the proxy is made."""
    with pytest.raises(PyroError, match="invalid uri"):
        Proxy("nonsense")
    with pytest.raises(TypeError):
        Proxy(5)


def test_equality():
    """Proxies are equal by their address."""
    one, same, other = Proxy("PYRO:a@b:1"), Proxy(URI("PYRO:a@b:1")), Proxy("PYRO:c@b:1")

    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "PYRO:a@b:1"
    assert {one, same, other} == {one, other}


def test_always_true(proxy):
    """Also when the object is empty, and without asking."""
    assert proxy


class Shelf:
    """A container of things by number."""

    def __init__(self):
        self.things = {0: "zero", 1: "one"}

    @expose
    def __len__(self):
        return len(self.things)

    @expose
    def __getitem__(self, key):
        try:
            return self.things[key]
        except KeyError:
            raise IndexError(key) from None

    @expose
    def __setitem__(self, key, value):
        self.things[key] = value

    @expose
    def __delitem__(self, key):
        del self.things[key]


class Range:
    """Something that can be iterated, and knows what is in it."""

    @expose
    def __iter__(self):
        return iter(range(3))

    @expose
    def __contains__(self, value):
        return value == "everything"


def test_container(daemon):
    """Length, items and iteration go to the object, and `in` goes by its items."""
    with connect(daemon.register(Shelf())) as shelf:
        shelf[2] = "two"

        assert (3, "two", ["zero", "one", "two"]) == (len(shelf), shelf[2], list(shelf))
        assert "one" in shelf
        assert "three" not in shelf

        del shelf[2]

        assert 2 == len(shelf)
        with pytest.raises(IndexError):
            shelf[2]


def test_iterable(daemon):
    """Its own iterator and its own opinion on what it contains come first."""
    with connect(daemon.register(Range())) as numbers:
        assert [0, 1, 2] == list(numbers)
        assert "everything" in numbers
        assert 1 not in numbers


def test_not_a_container(proxy, dials):
    """What the object does not expose fails as it does for any object, without asking it."""
    for use in (iter, lambda p: p["key"], lambda p: p(), lambda p: 1 in p, lambda p: p.__setitem__(1, 2)):
        with pytest.raises(TypeError):
            use(proxy)

    assert 1 == len(dials)
    assert bool(proxy)


# Copies


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy])
def test_copies(proxy, dials, again):
    """They have the settings and the knowledge of the original, and a connection of their own."""
    proxy._pyroTimeout, proxy._pyroMaxRetries, proxy._pyroSerializer = 7.0, 2, "json"
    proxy._pyroHandshake = {"user": "me"}
    proxy._pyroBind()
    with again(proxy) as other:
        assert (7.0, 2, "json", {"user": "me"}) == (
            other._pyroTimeout,
            other._pyroMaxRetries,
            other._pyroSerializer,
            other._pyroHandshake,
        )
        assert proxy == other
        assert proxy._pyroMethods == other._pyroMethods
        assert 3 == other.add(1, 2)
    assert 2 == len(dials)
    assert 3 == proxy.add(1, 2)
    assert 2 == len(dials)


def test_pickle(proxy, dials):
    """Address, names, handshake and serializer travel; timeouts and retries are local matters."""
    proxy._pyroTimeout, proxy._pyroSerializer, proxy._pyroHandshake = 7.0, "json", "secret"
    proxy._pyroBind()
    other = pickle.loads(pickle.dumps(proxy))

    assert proxy == other
    assert ("json", "secret", None) == (other._pyroSerializer, other._pyroHandshake, other._pyroTimeout)
    assert proxy._pyroMethods == other._pyroMethods
    with other:
        assert 3 == other.add(1, 2)
    assert 2 == len(dials)


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_proxies_travel(proxy, serializer):
    """As an argument and as a result, in every serializer."""
    proxy._pyroSerializer = serializer
    other = proxy.give(Proxy(proxy._pyroUri))

    assert isinstance(other, Proxy)
    with other:
        assert 3 == other.add(1, 2)


def test_subclasses():
    """A copy is of the same class."""

    class Special(Proxy):
        __slots__ = ()

    assert Special is type(copy.copy(Special("PYRO:a@b:1")))


# Settings


def test_settings_come_from_the_configuration(monkeypatch):
    """Each new proxy starts from it; what is changed on a proxy is its own."""
    monkeypatch.setitem(config._values, "COMMTIMEOUT", 3.5)
    monkeypatch.setitem(config._values, "SERIALIZER", "json")
    monkeypatch.setitem(config._values, "MAX_RETRIES", 4)
    proxy = Proxy("PYRO:a@b:1")

    assert (3.5, "json", 4) == (proxy._pyroTimeout, proxy._pyroSerializer, proxy._pyroMaxRetries)

    proxy._pyroTimeout = None
    proxy._pyroSerializer = "marshal"

    assert (None, "marshal") == (proxy._pyroTimeout, proxy._pyroSerializer)
    assert (3.5, "json") == (Proxy("PYRO:a@b:1")._pyroTimeout, config.SERIALIZER)


def test_timeout_values():
    """Nothing and 0 wait for ever; below is refused."""
    proxy = Proxy("PYRO:a@b:1")
    proxy._pyroTimeout = 0

    assert proxy._pyroTimeout is None
    with pytest.raises(ValueError, match="cannot be negative: -1"):
        proxy._pyroTimeout = -1
    with pytest.raises(ValueError, match="retries cannot be negative: -2"):
        proxy._pyroMaxRetries = -2

    assert (None, 0) == (proxy._pyroTimeout, proxy._pyroMaxRetries)


def test_endless_timeout(proxy):
    """Infinity waits for ever too."""
    proxy._pyroTimeout = float("inf")

    assert 3 == proxy.add(1, 2)


def test_unknown_serializer(proxy):
    """It is refused at once, with the names of those there are; the old one stays."""
    with pytest.raises(SerializeError, match=r"unknown serializer 'bson'; use one of serpent, json, marshal, msgpack"):
        proxy._pyroSerializer = "bson"
    proxy._pyroBind()
    with pytest.raises(SerializeError, match=r"does not accept the serializer 'pickle'.*SERIALIZERS_ACCEPTED"):
        proxy._pyroSerializer = "pickle"

    assert "serpent" == proxy._pyroSerializer
    proxy._pyroSerializer = None
    assert "serpent" == proxy._pyroSerializer


def test_serializer_changes_on_a_connection(proxy, sends):
    """The next call is in the new one, without another connection."""
    proxy.add(1, 2)
    proxy._pyroSerializer = "json"

    assert 3 == proxy.add(1, 2)
    numbers = [data[7] for data in sends]
    assert [1, 1, 3] == numbers


def test_handshake(bench):
    """What the proxy says reaches the daemon, which may refuse."""

    class Guarded(Daemon):
        def validateHandshake(self, conn, data):
            if data != {"password": "sesame"}:
                raise SecurityError("wrong password")
            return ["welcome"]

    with serving(Guarded) as daemon, Proxy(daemon.register(bench), options=client_options()) as proxy:
        with pytest.raises(CommunicationError, match="rejected: wrong password"):
            proxy.add(1, 2)
        proxy._pyroHandshake = {"password": "sesame"}

        assert 3 == proxy.add(1, 2)
        assert ["welcome"] == proxy._pyro.handshake_answer


def test_settings_of_a_given_name_only(proxy):
    """A mistyped setting is an error rather than a remote attribute."""
    with pytest.raises(AttributeError, match="_pyroTimout"):
        proxy._pyroTimout = 5


# Releasing and binding


def test_context_manager(daemon, dials):
    """The connection ends with the block; used again, the proxy connects again."""
    with connect(daemon.uriFor("bench")) as proxy:
        assert 3 == proxy.add(1, 2)
    assert not proxy._pyro.connected
    with proxy:
        assert 3 == proxy.add(1, 2)
    assert 2 == len(dials)


def test_release(proxy, daemon, dials):
    """The daemon sees the client go; releasing again does nothing; the next use connects."""
    proxy.add(1, 2)
    proxy._pyroRelease()
    proxy._pyroRelease()

    assert eventually(lambda: daemon._engine.clients == 0)
    assert 3 == proxy.add(1, 2)
    assert 5 == proxy.value
    assert 2 == len(dials)


@pytest.fixture
def no_gc():
    """Switch the collector of cycles off."""
    gc.disable()
    yield
    gc.enable()


def test_dropping(daemon, no_gc):
    """A proxy that is dropped after it was used gives its connection back at once."""
    proxy = connect(daemon.uriFor("bench"))
    assert (3, 5) == (proxy.add(1, 2), proxy.value)
    del proxy

    assert eventually(lambda: daemon._engine.clients == 0)


def test_method_of_a_dropped_proxy(daemon, no_gc):
    """A method that somebody holds goes on working, and the connection ends with it."""
    add = connect(daemon.uriFor("bench")).add

    assert 3 == add(1, 2)
    del add
    assert eventually(lambda: daemon._engine.clients == 0)


def test_bind(proxy):
    """It connects, once."""
    assert proxy._pyroBind() is True
    assert proxy._pyroBind() is False
    assert 3 == proxy.add(1, 2)


def test_ping(proxy):
    """It connects if need be and gives the time it took; the object is not asked."""
    assert 0 <= proxy._pyroPing() < 5
    assert 0 <= proxy._pyroPing(timeout=5) < 5
    assert 3 == proxy.add(1, 2)


def test_latency(proxy):
    """How long connecting took is kept."""
    assert proxy._pyro.latency is None
    proxy._pyroBind()
    assert 0 <= proxy._pyro.latency < 5


def test_owner(proxy):
    """A proxy has none: the method is there for programs written for Pyro5."""
    proxy._pyroClaimOwnership()
    result = []
    thread = threading.Thread(target=lambda: result.append(proxy.add(1, 2)))
    thread.start()
    thread.join()

    assert [3] == result


def test_another_address(proxy, bench):
    """A proxy can be turned to another object, of which nothing is known yet."""
    proxy.add(1, 2)
    with serving() as other:
        proxy._pyroUri = str(other.register(bench, "other"))

        assert set() == proxy._pyroMethods
        assert 3 == proxy.add(1, 2)
        proxy._pyroRelease()


def test_object_that_was_replaced(proxy, daemon, bench):
    """After connecting again, the names of the new object are those that count."""

    @expose
    class Other:
        def add(self, a, b, c):
            """Add three."""
            return a + b + c

    proxy.add(1, 2)
    daemon.unregister("bench")
    daemon.register(Other(), "bench")
    proxy._pyroReconnect(1)

    assert 6 == proxy.add(1, 2, 3)
    assert "(a, b, c)" == str(inspect.signature(proxy.add))
    with pytest.raises(AttributeError):
        _ = proxy.value


# Given sockets


def given_socket(daemon):
    """Give a socket on which the greeting is over."""
    from tests.support.serving import RawClient

    client = RawClient(daemon.locationStr)
    client.greet("bench")
    return client.socket


def test_given_socket(daemon):
    """There is no greeting, calls go over it, and it stays open when the proxy is released or dropped."""
    with given_socket(daemon) as sock:
        proxy = Proxy("bench", connected_socket=sock)

        assert "PYRO:bench@<<connected-socket>>:0" == str(proxy._pyroUri)
        assert 3 == proxy.add(1, 2)
        assert 5 == proxy.value
        assert [0, 1] == list(proxy.count(2))

        proxy._pyroRelease()
        with pytest.raises(ConnectionClosedError, match=r"the socket that the proxy for PYRO:bench@.* was given"):
            proxy.add(1, 2)
        del proxy
        gc.collect()

        assert sock.fileno() >= 0
        with Proxy("bench", connected_socket=sock) as again:
            assert 3 == again.add(1, 2)


def test_given_socket_is_one_proxys_own(daemon):
    """Neither copies nor travellers: two would share one connection, or have none."""
    with given_socket(daemon) as sock:
        proxy = Proxy("bench", connected_socket=sock)
        for use in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(PyroError, match="given socket"):
                use(proxy)
        with pytest.raises(SerializeError, match="given socket"):
            Catalog(proxy._pyro.dialect, WireOptions(), pyronb_peer=True).by_name("serpent").dumps(proxy)


def test_given_socket_on_which_nobody_answers():
    """Asking for the metadata has a limit, and the socket stays the user's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(CommunicationError, match="no answer in time"):
            Proxy("obj", connected_socket=ours, options=client_options(connect_timeout=0.05))

        assert ours.fileno() >= 0


# Subclasses


class Watchful(Proxy):
    """Has a say in everything that a subclass may."""

    def _pyroValidateHandshake(self, response):
        self._answers = [*getattr(self, "_answers", ()), response]
        if response == "go away":
            raise SecurityError("not that daemon")

    def _pyroAnnotations(self):
        return {"OWNA": b"own", "BOTH": b"own"}

    def _pyroResponseAnnotations(self, annotations, msgtype):
        self._came = (sorted(annotations), msgtype)


@pytest.mark.parametrize("make", [lambda p: p, copy.copy, lambda p: pickle.loads(pickle.dumps(p))])
def test_subclass(daemon, make):
    """What it overrides is asked, also on copies; its own attributes stay here and are copied."""
    first = Watchful(daemon.uriFor("bench"), options=client_options())
    first._pyroSerializer, first._mine = "msgpack", 5
    with make(first) as proxy:
        current_context.annotations = {"BOTH": b"context"}
        there = proxy.context()

        assert {"OWNA": b"own", "BOTH": b"context"} == dict(there["annotations"])
        assert (5, ["hello"], (["RESP"], RESULT)) == (proxy._mine, proxy._answers, proxy._came)


def test_subclass_refuses_a_daemon():
    """What it raises comes out of the call, and the connection is closed."""

    class Rude(Daemon):
        def validateHandshake(self, conn, data):
            return "go away"

    with serving(Rude) as daemon:
        daemon.register(Shelf(), "shelf")
        proxy = Watchful(daemon.uriFor("shelf"), options=client_options())
        for use in (Proxy._pyroBind, len):
            with pytest.raises(SecurityError, match="not that daemon"):
                use(proxy)
            assert proxy._pyroConnection is None


def test_background_calls_of_a_subclass(daemon):
    """Asynchronous calls and batches say the same as plain ones."""
    with Watchful(daemon.uriFor("bench"), options=client_options(serializer="msgpack")) as proxy:
        with proxy._pyroAsync() as background:
            there = background.context().value
        batched = proxy._pyroBatch()
        batched.context()
        batched.context()

        for each in (there, *batched(), *batched(asynchronous=True).value):
            assert {"OWNA": b"own", "BOTH": b"own"} == dict(each["annotations"])


# Without metadata


def test_without_metadata(daemon, sends):
    """Any name is a method, nothing is known beforehand, and attributes are out of reach."""
    with connect(daemon.uriFor("bench"), metadata=False) as proxy:
        assert (set(), set(), set()) == (proxy._pyroMethods, proxy._pyroAttrs, proxy._pyroOneway)
        assert (3, 42) == (proxy.add(1, 2), len(proxy))
        sends.clear()
        with pytest.raises(AttributeError, match="METADATA is off"):
            proxy.value = 5
        assert [] == sends
        with pytest.raises(AttributeError, match="'value'"):
            proxy.value()
        with pytest.raises(AttributeError, match="nope"):
            proxy.nope()
        assert proxy.fire("x") is None
        assert [0, 1] == list(proxy.count(2))
        assert not hasattr(proxy, "_repr_html_")


def test_raw_responses(proxy):
    """A gateway gets the message itself, and passes it on unread."""
    proxy._pyroRawWireResponse = True
    message = copy.copy(proxy).add(1, 2)

    assert RESULT == message.type
    assert b"3" in bytes(message.payload)


def test_sockets(proxy):
    """Where this end is, while there is a connection."""
    assert (None, None) == (proxy._pyroConnection, proxy._pyroLocalSocket)
    proxy.add(1, 2)

    assert proxy._pyroLocalSocket == proxy._pyroConnection.socket.getsockname()
    assert 1 == proxy._pyroSeq


def test_log_of_messages(bench, caplog):
    """With LOGWIRE all that is said between the two is in the log, on either end."""
    wire = WireOptions(log=True)
    with (
        caplog.at_level(logging.DEBUG, "pyronb.wire"),
        serving(wire=wire) as daemon,
        connect(daemon.register(bench, "bench"), wire=wire) as proxy,
    ):
        for _ in range(3):
            proxy.add(1, 2)
        lines = list(caplog.messages)

    assert 3 == sum(line.startswith("sent INVOKE") and "add" in line for line in lines)
    assert 3 == sum(line.startswith("received INVOKE") and "add" in line for line in lines)
    assert 3 == sum(line.startswith("received RESULT") for line in lines)
    assert 1 == sum(line.startswith("received CONNECTOK") for line in lines)


def test_annotations_of_the_handshake():
    """They go both ways beside the greeting, and the proxy's own class hears of the answer's."""

    class Polite(Daemon):
        def validateHandshake(self, conn, data):
            came = current_context.annotations
            current_context.response_annotations = {"BACK": bytes(came["TEST"])[::-1]}
            return super().validateHandshake(conn, data)

        def annotations(self):
            return {"DAEM": b"daemon"}

    with serving(Polite) as daemon:
        proxy = Watchful(daemon.register(Shelf()), options=client_options())
        current_context.annotations = {"TEST": b"abc"}
        with proxy:
            assert proxy._pyroBind()

            assert (["BACK", "DAEM"], CONNECTOK) == proxy._came
            assert b"cba" == bytes(current_context.response_annotations["BACK"])


def test_blob_that_is_not_alone(proxy, dials):
    """It is refused here, by name."""
    blob = SerializedBlob("topic", [1, 2])
    for args in ((blob, 2), (2, blob), ([blob],)):
        with pytest.raises(SerializeError, match=r"'topic' has to be the only argument of its call .*'echo'"):
            proxy.echo(*args)

    assert 3 == proxy.add(1, 2)
    assert 1 == len(dials)
