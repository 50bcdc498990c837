"""What a client checks, whichever package it is made of. Each check gets a `World`; it fails by raising."""

import datetime as dt
import decimal
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

try:
    import thing
except ImportError:
    from tests.interop.peers import thing

ALL = ("serpent", "json", "marshal", "msgpack")
PICKLES = ("pickle", "dill", "cloudpickle")


@dataclass
class World:
    """One client and its peer.

    Attributes:
        api: the names of the client's package.
        uri: the address of the object.
        serializer: what the client talks in.
        real: the client is made of the real Pyro5 or Pyro4.
        ping: sends a PING over a connected proxy.
        real_peer: the daemon is made of the real Pyro5 or Pyro4.
        pyro4: the real end is made of Pyro4.
        key: the HMAC key, which only protocol 48 has.
    """

    api: Any
    uri: str
    serializer: str
    real: bool
    ping: Any
    real_peer: bool = False
    pyro4: bool = False
    key: Any = None

    def proxy(self, uri=None):
        proxy = self.api.Proxy(uri or self.uri)
        proxy._pyroSerializer = self.serializer
        proxy._pyroTimeout = 20
        if self.key is not None:
            proxy._pyroHmacKey = self.key
        return proxy


CHECKS = {}


def check(function=None, *, serializers=ALL, real_marshal=True):
    """Note a check; `real_marshal=False` for what real clients cannot do in marshal."""
    if function is None:
        return lambda function: check(function, serializers=serializers, real_marshal=real_marshal)
    CHECKS[function.__name__] = (function, serializers, real_marshal)
    return function


def applies(name, serializer, *, real):
    _, serializers, real_marshal = CHECKS[name]
    # Pickle and its kin do all that serpent does.
    known = serializer in serializers or (serializer in PICKLES and "serpent" in serializers)
    return known and (real_marshal or not real or serializer != "marshal")


def raised(kind, call, *args):
    """Give the exception of this kind that the call raises."""
    try:
        result = call(*args)
    except kind as error:
        return error
    raise AssertionError(f"no {kind} but {result!r}")


def eventually(condition):
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.005)


@check
def calls(world):
    with world.proxy() as p:
        assert p.add(1, 2) == 3
        assert p.add(1) == 11
        assert p.add(a=1, b=4) == 5
        assert p.add(1, b=4) == 5
        for number in range(100):
            assert p.echo(number) == number
        raised(TypeError, p.add)
        raised(AttributeError, lambda: p.absent)
        raised(AttributeError, lambda: p._private)
        assert p.add(1, 2) == 3


@check
def unicode(world):
    with world.proxy() as p:
        for text in ("", "größe €", "漢字", "💥🧪", "line\nline\ttab\r'\"\\", "\x7f\x85\u2028\ufeff", "ä" * 10_000):
            assert p.echo(text) == text
            assert p.size(text) == len(text)


@check
def metadata(world):
    with world.proxy() as p:
        p._pyroBind()
        assert set(p._pyroMethods) == thing.METHODS, p._pyroMethods
        assert set(p._pyroOneway) == thing.ONEWAY
        assert set(p._pyroAttrs) == thing.ATTRIBUTES


@check(real_marshal=False)
def attributes(world):
    with world.proxy() as p:
        p.value = [1, "x"]
        assert p.value == [1, "x"]
        p.value = 5
        assert p.value == 5
        assert p.read_only == 42
        raised(AttributeError, setattr, p, "read_only", 3)
        raised(AttributeError, setattr, p, "absent", 3)
        assert p.read_only == 42


@check
def errors(world):
    errors = world.api.errors
    with world.proxy() as p:
        for kind, cls, args in (
            ("value", ValueError, ("boom", 7)),
            ("key", KeyError, ("missing",)),
            ("zero", ZeroDivisionError, ("division by zero",)),
            ("os", FileNotFoundError, (2, "No such file or directory")),
            ("naming", errors.NamingError, ("no such name",)),
            ("daemon", errors.DaemonError, ("no such object",)),
        ):
            error = raised(cls, p.fail, kind)
            assert type(error) is cls, type(error)
            assert tuple(error.args) == args, error.args
            assert error.extra == "attribute"
            text = "".join(error._pyroTraceback)
            assert "in fail" in text
            assert "thing.py" in text
            assert "in fail" in "".join(world.api.get_pyro_traceback(type(error), error, error.__traceback__))
        assert p.add(1, 2) == 3


@check
def custom_errors(world):
    with world.proxy() as p:
        error = raised(world.api.errors.PyroError, p.fail, "custom")
        assert "CustomError" in str(error), str(error)
        if not world.real or not isinstance(error, world.api.errors.SerializeError):
            assert "custom boom" in str(error), str(error)
            assert "in fail" in "".join(error._pyroTraceback)
        assert p.add(1, 2) == 3


@check
def linked_errors(world):
    with world.proxy() as p:
        error = raised(ValueError, p.fail, "linked")
        assert "CustomError: the cause" in "".join(error._pyroTraceback)
        if not world.real and not world.real_peer:
            assert "the cause" in str(error.__cause__)
            assert "CustomError" in error.__cause__.class_name
        assert p.add(1, 2) == 3


@check
def groups_of_errors(world):
    with world.proxy() as p:
        error = raised(Exception, p.fail, "group")
        assert "several" in str(error), error
        text = "".join(error._pyroTraceback)
        assert "KeyError: 'one of them'" in text or "one of them" in str(error)
        if not world.real:
            assert p.add(1, 2) == 3


@check
def class_hooks(world):
    thing.register_hooks(world.api)
    with world.proxy() as p:
        assert p.kind(thing.Animal("rex")) == "Animal"
        animal = p.echo(thing.Animal("rex"))
        assert (type(animal), animal.name) == (thing.Animal, "rex")
        raised(world.api.errors.SerializeError, p.kind, {"__class__": "zoo.Stranger"})
    with world.proxy() as p:
        if world.serializer != "marshal":
            assert p.echo([{"a": thing.Animal("fido")}])[0]["a"].name == "fido"


@check
def oneway(world):
    with world.proxy() as p:
        token = int(time.monotonic() * 1000)
        assert p.fire(token) is None
        assert p.fire_and_fail() is None
        eventually(lambda: token in p.fired())
        assert p.add(1, 2) == 3


@check(real_marshal=False)
def batches(world):
    with world.proxy() as p:
        batch = world.api.BatchProxy(p)
        assert list(batch()) == []
        batch.add(1, 2)
        batch.echo("x")
        batch.add(1, b=5)
        assert list(batch()) == [3, "x", 6]
        if world.serializer == "marshal" and world.real_peer:
            return  # a real daemon cannot write an error inside of a list
        batch.add(1, 2)
        batch.fail()
        batch.fire(123456)
        results = batch()
        assert next(results) == 3
        error = raised(ValueError, next, results)
        assert error.args == ("boom", 7)
        assert "in fail" in "".join(error._pyroTraceback)
        assert 123456 not in p.fired()
        batch.fail("custom")
        # A pickle brings the class itself.
        error = raised(Exception if world.serializer in PICKLES else world.api.errors.PyroError, lambda: list(batch()))
        assert "CustomError" in f"{type(error).__name__}: {error}"
        batch = world.api.BatchProxy(p)
        batch.add(1, 2)
        batch.count(3)
        raised(Exception, lambda: list(batch()))
    # A real daemon hangs up over some of these.
    with world.proxy() as p:
        assert p.add(1, 2) == 3


@check(real_marshal=False)
def oneway_batches(world):
    with world.proxy() as p:
        token = int(time.monotonic() * 1000)
        batch = world.api.BatchProxy(p)
        for number in range(3):
            batch.fire(-token - number)
        batch.add(1, 2)
        assert batch(oneway=True) is None
        eventually(lambda: {-token, -token - 1, -token - 2} <= set(p.fired()))
        assert p.add(1, 2) == 3


@check
def streams(world):
    with world.proxy() as p:
        assert list(p.count(5)) == [0, 1, 2, 3, 4]
        assert list(p.count(0)) == []
        stream = p.count(1001)
        assert [next(stream), next(stream)] == [0, 1]
        assert p.add(1, 2) == 3
        assert next(stream) == 2
        stream.close()
        eventually(lambda: -1001 in p.fired())
        failing = p.count_and_fail()
        assert next(failing) == 1
        error = raised(ValueError, next, failing)
        assert error.args == ("in stream",)
        one, other = p.count(3), p.count(3)
        assert [next(one), next(other), next(one), next(other)] == [0, 0, 1, 1]
        one.close()
        other.close()
        assert p.add(1, 2) == 3


@check
def streams_over_a_reconnect(world):
    with world.proxy() as p:
        stream = p.count(4)
        assert next(stream) == 0
        p._pyroReconnect(tries=2)
        assert list(stream) == [1, 2, 3]


@check
def pings(world):
    with world.proxy() as p:
        p._pyroBind()
        for _ in range(3):
            world.ping(p)
            assert p.add(1, 2) == 3


MOMENT = dt.datetime(2020, 1, 2, 3, 4, 5)
DAY = dt.date(2020, 1, 2)
ID = uuid.UUID(int=5)
# What arrives at the method, and comes back from it, by serializer; what is missing arrives as it is.
TYPES = [
    (None, {}),
    (True, {}),
    (0, {}),
    (-(2**40), {}),
    (2**100, {}),
    (-(2**64), {}),
    (1.5, {}),
    (1e300, {}),
    (float("inf"), {}),
    ("x", {}),
    ([1, [2, []]], {}),
    ({"a": {"b": [1]}}, {}),
    ((1, (2, 3)), {"json": [1, [2, 3]], "msgpack": [1, [2, 3]]}),
    ({1, 2}, {"json": [1, 2], "msgpack": [1, 2]}),
    (3 - 4j, {"json": None}),
    (b"bytes\0\xff", {"json": None, "serpent": {"data": "Ynl0ZXMA/w==", "encoding": "base64"}}),
    ({1: "one"}, {"json": {"1": "one"}, "msgpack": None}),
    (MOMENT, {"serpent": MOMENT.isoformat(), "json": MOMENT.isoformat(), "marshal": None}),
    (DAY, {"serpent": DAY.isoformat(), "json": DAY.isoformat(), "marshal": None}),
    (decimal.Decimal("1.50"), {"serpent": "1.50", "json": "1.50", "msgpack": "1.50", "marshal": None}),
    (ID, {"serpent": str(ID), "json": str(ID), "msgpack": str(ID), "marshal": str(ID)}),
]
# What msgpack has no form of its own for.
EXTENSIONS = (int, complex, dt.datetime, dt.date)


@check
def types(world):
    with world.proxy() as p:
        for value, forms in TYPES:
            expected = forms.get(world.serializer, value)
            if expected is None and value is not None:
                continue
            got = p.echo(value)
            assert type(got) is type(expected), (value, got)
            assert (sorted(got) if isinstance(value, set) else got) == (
                sorted(expected) if isinstance(value, set) else expected
            ), (value, got)
            if world.pyro4 and world.real_peer and world.serializer == "msgpack" and type(value) in EXTENSIONS:
                continue  # a real Pyro4 daemon does not decode them in arguments
            assert p.kind(value) == type(expected).__name__, (value, p.kind(value))
        assert str(p.echo(float("nan"))) == "nan"


@check
def arrays(world):
    """Only we can send them, and only to one another; whoever gets none is told what to do."""
    import numpy as np

    with world.proxy() as p:
        if not world.real and not world.real_peer:
            assert p.array(5).tolist() == [0, 1, 2, 3, 4]
            assert p.echo([np.arange(3)])[0].tolist() == [0, 1, 2]
        elif not world.real:
            assert "tolist()" in str(raised(world.api.errors.SerializeError, p.echo, np.arange(3)))
        else:
            assert "tolist()" in str(raised(Exception, p.array, 5))
        assert p.echo(5) == 5


@check
def large_messages(world):
    with world.proxy() as p:
        text = "0123456789" * 100_000
        assert p.echo(text) == text


@check(serializers=("msgpack",))
def twenty_megabytes(world):
    with world.proxy() as p:
        data = bytes(range(256)) * (20 * 4096)
        assert len(data) == 20 * 2**20
        assert p.echo(data) == data


@check
def correlation(world):
    context = world.api.current_context
    with world.proxy() as p:
        context.correlation_id = wanted = uuid.uuid4()
        try:
            assert p.correlation() == str(wanted)
            assert p.correlation() == str(wanted)
        finally:
            context.correlation_id = None


@check
def annotations(world):
    context = world.api.current_context
    with world.proxy() as p:
        p._pyroBind()  # looking up the name makes another proxy, at which Pyro4 forgets them
        context.annotations = {"TEST": b"abc"}
        try:
            assert p.annotations() == "abc"
            assert bytes(context.response_annotations["BACK"]) == b"cba"
        finally:
            context.annotations = {}


@check(serializers=("serpent", "json", "msgpack"))
def autoproxies(world):
    with world.proxy() as p:
        for other in (p.give_other(), p.give_others()["list"][0]):
            assert isinstance(other, world.api.Proxy), other
            if world.key is not None:
                other._pyroHmacKey = world.key  # the key does not travel with a daemon's own proxies
            with other:
                assert other.add(2, 3) == 5


@check(serializers=("serpent", "json", "msgpack"))
def callbacks(world):
    api = world.api

    @api.expose
    class Receiver:
        def receive(self, value):
            return [value, "received"]

        @api.callback
        def receive_badly(self):
            return 1 // 0

    with api.Daemon("127.0.0.1") as daemon:
        receiver = Receiver()
        daemon.register(receiver)
        thread = threading.Thread(target=daemon.requestLoop, daemon=True)
        thread.start()
        try:
            with world.proxy() as p:
                # By itself, for it is registered, and as a proxy.
                assert p.call_back(receiver, 5) == ["called back", [5, "received"]]
                assert p.call_back(daemon.proxyFor(receiver), 6) == ["called back", [6, "received"]]
                assert "by zero" in p.call_back_fails(receiver)
        finally:
            daemon.shutdown()
            thread.join(10)


@check
def functions(world):
    if world.real or world.serializer in PICKLES:
        return  # real clients cannot give functions to a call, and pickles hold their code instead
    with world.proxy() as p:
        assert p.call_function(lambda value: value * 2, 21, 4) == [42, 8]
        heard = []
        assert p.call_function(heard.append, "größe") == [None]
        assert heard == ["größe"]
        assert "by zero" in str(raised(ZeroDivisionError, p.call_function, lambda value: 1 // value, 0))
        assert p.add(1, 2) == 3


@check
def blobs(world):
    if world.serializer == "json" and world.real_peer:
        return  # real ones cannot open those in json
    data = [1, "größe", {"a": [2]}]
    with world.proxy() as p:
        p._pyroBind()
        direct = str(p._pyroUri)
        assert p.open_blob(world.api.SerializedBlob("outside", data)) == ["outside", data]
        if world.serializer == "serpent" or not (world.real_peer or world.serializer in PICKLES):
            # Real ones say that what they pass on is in their own serializer. The one in the middle did not choose
            # pickle for its own calls, and so takes no answer in it.
            assert p.pass_blob_on(world.api.SerializedBlob(direct, data)) == [direct, data]
        assert p.add(1, 2) == 3


@check
def uris(world):
    with world.proxy() as p:
        if world.serializer != "marshal":
            uri = world.api.URI("PYRONAME:some.name@host:123")
            assert p.where(uri) == str(uri)
            assert p.echo(uri) == uri
        assert p.where(str(world.uri)) == str(world.uri)


@check
def unknown_objects(world):
    uri = world.api.URI(world.uri)
    location = uri.location if world.api.URI(world.uri).protocol == "PYRO" else None
    with world.proxy() as p:
        p._pyroBind()
        location = p._pyroUri.location
    with world.proxy(f"PYRO:nobody@{location}") as p:
        error = raised(world.api.errors.CommunicationError, p._pyroBind)
        assert "unknown object" in str(error), error


@check
def refused_handshakes(world):
    with world.proxy() as p:
        p._pyroHandshake = "refuse"
        error = raised(world.api.errors.CommunicationError, p._pyroBind)
        assert "you are not welcome: größe" in str(error), error
        p._pyroHandshake = {"some": ["thing", 3]}
        assert p.add(1, 2) == 3


@check
def reconnecting(world):
    with world.proxy() as p:
        assert p.add(1, 2) == 3
        p._pyroRelease()
        assert p.add(1, 2) == 3
        p._pyroReconnect(tries=2)
        assert p.add(1, 2) == 3


@check
def system_exit(world):
    with world.proxy() as p:
        raised(world.api.errors.PyroError, p.fail, "exit")
    with world.proxy() as p:
        assert p.add(1, 2) == 3


@check
def dunder_methods(world):
    if not world.real or world.pyro4:
        return  # neither Pyro4's proxies nor, yet, pyronb's forward them
    with world.proxy() as p:
        assert len(p) == 5
        assert p[3] == 9
        assert list(p) == [0, 1, 4, 9, 16]


def nameserver(world, names):
    """What `nsc` asks a name server, and more."""
    errors = world.api.errors
    assert names.ping() is None
    names.remove(prefix="interop.")
    before = names.count()
    assert before == len(names.list())
    assert "Pyro.NameServer" in names.list(prefix="Pyro.")
    names.register("interop.a", "PYRO:a@localhost:1", metadata={"tag1", "tag2"})
    names.register("interop.b", world.api.URI("PYRO:b@localhost:2"), safe=True)
    assert str(names.lookup("interop.a")) == "PYRO:a@localhost:1"
    assert isinstance(names.lookup("interop.a"), world.api.URI)
    uri, tags = names.lookup("interop.a", return_metadata=True)
    assert (str(uri), set(tags)) == ("PYRO:a@localhost:1", {"tag1", "tag2"})
    assert names.list(prefix="interop.") == {"interop.a": "PYRO:a@localhost:1", "interop.b": "PYRO:b@localhost:2"}
    assert set(names.list(regex=r"inter.*\.b")) == {"interop.b"}
    (uri, tags) = names.list(prefix="interop.b", return_metadata=True)["interop.b"]
    assert (uri, set(tags)) == ("PYRO:b@localhost:2", set())
    names.set_metadata("interop.b", {"tag2"})
    assert set(names.yplookup(meta_any={"tag1", "tag2"})) == {"interop.a", "interop.b"}
    assert names.yplookup(meta_all={"tag1", "tag2"}, return_metadata=False) == {"interop.a": "PYRO:a@localhost:1"}
    raised(errors.NamingError, lambda: names.lookup("interop.absent"))
    raised(errors.NamingError, lambda: names.register("interop.a", "PYRO:c@localhost:3", safe=True))
    raised(TypeError, lambda: names.register(3, "PYRO:c@localhost:3"))
    raised(errors.PyroError, lambda: names.register("interop.c", "nonsense"))
    raised(errors.NamingError, lambda: names.list(regex="("))
    assert names.remove("Pyro.NameServer") == 0
    assert names.remove("interop.a") == 1
    assert names.remove(prefix="interop.") == 1
    assert names.count() == before
