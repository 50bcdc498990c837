"""The contract: what a remote call means, in every room, with every engine, in every dialect."""

from __future__ import annotations

import contextlib
import copy
import itertools
import uuid

import numpy as np
import pytest

from pyronb import errors
from pyronb.client import greeting
from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import CommunicationError, ConnectionClosedError, NamingError, ProtocolError, PyroError, RemoteError
from pyronb.options import LookupOptions, WireOptions
from pyronb.rpc.weight import HEAVY
from pyronb.server.daemon import Daemon
from pyronb.server.engines import _ENGINES
from pyronb.server.exposure import callback, expose
from pyronb.tracebacks import getPyroTraceback
from tests.contract.rooms import ROOMS
from tests.support.fix_daemons import Bench
from tests.support.programs import free_port
from tests.support.serving import LOCAL, client_options, lookup_at, naming, serving
from tests.support.waiting import eventually, scaled

SERIALIZERS = ("serpent", "json", "marshal", "msgpack", "native")
ENGINES = tuple(_ENGINES)


@expose
class Thing(Bench):
    """A bench that also knows other objects."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = []
        self.items = []
        self.other = None

    def child(self):
        """Give an object that is registered: it travels as a proxy."""
        return self.other

    def children(self):
        """Give several of them, inside of other things."""
        return {"first": [self.other], "second": self.other}

    def call_back(self, listener, value):
        """Call the caller's own object before answering."""
        return ["called back", listener.hear(value)]

    def gather(self, *lots, most=None):
        """Take what comes from each iterator, in turn, and no more than so much."""
        return [list(itertools.islice(lot, most)) for lot in lots]

    def weigh(self, blocks):
        """Tell the first byte of each block, and the length of all together."""
        firsts, size = [], 0
        for block in blocks:
            firsts.append(block[0])
            size += len(block)
        return [firsts, size]

    def apply(self, function, *values):
        """Call a function of the caller."""
        return [function(value) for value in values]

    def keep(self, proxy):
        """Tell what became of a proxy that was given."""
        return [type(proxy).__name__, proxy.add(20, 3)]

    def quick_and_slow(self, count):
        """Give so many items at once, and one more when the test lets go."""
        yield from range(count)
        self.go.wait(scaled(20))
        yield count

    def odd_items(self, count):
        """Give so many items, one that cannot travel, and one more."""
        yield from range(count)
        yield self.lock()
        yield count

    def listed(self):
        """Give the items that the test has put here."""
        yield from self.items

    def slow_items(self):
        """Give items, the second only when the test lets go."""
        yield 0
        self.entered.release()
        self.go.wait(scaled(20))
        yield 1


@expose
class Listener:
    """An object of the client."""

    def __init__(self) -> None:
        self.heard = []

    @callback
    def hear(self, value):
        self.heard.append(value)
        return len(self.heard)


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(params=[PYRO5, PYRO4], ids=["502", "48"])
def dialect(request):
    return request.param


@pytest.fixture(params=ROOMS, ids=[room.name for room in ROOMS])
def room(request, dialect):
    made = request.param(dialect)
    yield made
    made.close()


@pytest.fixture
def thing():
    made = Thing()
    yield made
    made.go.set()


@pytest.fixture
def daemon(engine, thing):
    with serving(engine=engine) as running:
        running.register(thing, "thing")
        yield running
        thing.go.set()


@pytest.fixture
def reach(room, dialect, monkeypatch):
    """Give a function that makes a remote for an address, which will be spoken to in the dialect."""
    known = {}
    monkeypatch.setattr(greeting, "_dialects", known)

    def reach(uri, **options):
        location = getattr(uri, "location", None)
        if location is not None:
            known[str(location)] = dialect
        return room.remote(room.proxy_class(uri, options=client_options(**options)))

    reach.known = known
    return reach


@pytest.fixture
def remote(reach, daemon):
    return reach(daemon.uriFor("thing"))


# Calls


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_calls(remote, serializer, dialect):
    """Arguments by position and by name, defaults, nested values."""
    remote.proxy._pyroSerializer = serializer

    assert 3 == remote.call("add", 1, 2)
    assert 15 == remote.call("add", a=5)
    assert [[1, "x", None, True], {"key": {"deep": [1.5, []]}}] == remote.call(
        "echo", 1, "x", None, True, key={"deep": [1.5, []]}
    )
    assert dialect is remote.proxy._pyro.dialect


def test_attributes(remote):
    """They are read and set; errors of theirs come through, and what cannot be set says so."""
    assert 5 == remote.get("value")
    remote.set("value", 8)

    assert 8 == remote.get("value")
    assert "fixed" == remote.get("fixed")
    with pytest.raises(ValueError, match="broken"):
        remote.get("broken")
    with pytest.raises(AttributeError):
        remote.set("fixed", "new")
    with pytest.raises(AttributeError, match="nope"):
        remote.set("nope", 1)


def test_special_methods(remote):
    """A method with a double-underscore name that is exposed can be called."""
    remote.bind()

    assert 42 == remote.special("__len__")


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_errors(remote, serializer):
    """A known class arrives as itself, with its attributes and the remote traceback; the connection survives."""
    remote.proxy._pyroSerializer = serializer
    with pytest.raises(ValueError, match="boom") as caught:
        remote.call("fail", "boom")

    assert ("boom", 7) == caught.value.args
    assert "attr" == caught.value.extra
    assert "in fail" in "".join(getPyroTraceback(caught.value))
    assert 3 == remote.call("add", 1, 2)


def test_errors_of_unknown_classes(remote):
    """They become a RemoteError that tells all there is."""
    with pytest.raises(RemoteError, match="MotorStalled") as caught:
        remote.call("stall")

    assert ("axis", 3) == caught.value.args[1:]
    assert "in stall" in "".join(getPyroTraceback(caught.value))
    assert 3 == remote.call("add", 1, 2)


def test_results_and_arguments_that_cannot_travel(remote):
    """Each is an error of that call alone, and names it."""
    with pytest.raises(PyroError, match="in the result of 'lock' of 'thing'"):
        remote.call("lock")
    with pytest.raises(PyroError, match="give"):
        remote.call("give", object)

    assert 3 == remote.call("add", 1, 2)


def test_unknown_members_and_objects(remote, reach, daemon):
    """The error names what is not there."""
    with pytest.raises(AttributeError, match="nope"):
        remote.call("nope")
    with pytest.raises(CommunicationError, match="unknown object"):
        reach(daemon.uriFor("nobody")).call("add", 1, 2)


def test_members_of_methods(remote):
    """There are none, and nobody is asked: the error names the method and the object. (Inventory B1, dotted names.)"""
    remote.bind()
    sent = remote.proxy._pyroSeq
    for use in (lambda: remote.proxy.add.nope, lambda: remote.proxy.add.nope(1, 2)):
        with pytest.raises(AttributeError, match=r"remote method 'add' of 'thing' at PYRO:.* has no attribute 'nope'"):
            use()
    assert not hasattr(remote.proxy.add, "_ipython_display_")
    assert remote.proxy.add.__name__ == copy.copy(remote.proxy.add).__name__

    assert sent == remote.proxy._pyroSeq


def test_setting_a_method(remote):
    """The error says that it is one."""
    with pytest.raises(AttributeError, match=r"'add' is a method .*; only attributes can be set"):
        remote.set("add", 1)


def test_oneway(remote, thing):
    """Nothing is waited for, and nobody hears an error."""
    assert remote.call("fire", "a") is None
    assert remote.call("misfire") is None
    assert thing.entered.acquire(timeout=scaled(5))
    assert thing.entered.acquire(timeout=scaled(5))
    assert 3 == remote.call("add", 1, 2)
    assert "a" in thing.calls


def test_handshake(room, engine, reach, thing):
    """The daemon hears what the client says when it connects, and may refuse."""

    class Strict(Daemon):
        def validateHandshake(self, conn, data):
            if data != "secret":
                raise ValueError("wrong word")
            return "welcome"

    with serving(Strict, engine=engine) as daemon:
        daemon.register(thing, "thing")
        stranger, friend = reach(daemon.uriFor("thing")), reach(daemon.uriFor("thing"))
        friend.proxy._pyroHandshake = "secret"
        with pytest.raises(CommunicationError, match="wrong word"):
            stranger.bind()

        assert 3 == friend.call("add", 1, 2)
        assert "welcome" == friend.proxy._pyro.handshake_answer
        room.close_remotes()


# Sizes


@pytest.mark.parametrize("compression", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("serializer", ["serpent", "msgpack"])
def test_large(reach, engine, thing, serializer, compression, room):
    """Five megabytes there and back."""
    wire = WireOptions(compression=compression)
    with serving(engine=engine, wire=wire) as daemon:
        remote = reach(daemon.register(thing, "thing"), wire=wire)
        remote.proxy._pyroSerializer = serializer
        text = "0123456789" * 500_000

        assert text == remote.call("give", text)
        room.close_remotes()


def test_too_large(reach, engine, thing, room):
    """What is larger than the limit is refused before it is sent; the connection survives."""
    with serving(engine=engine) as daemon:
        remote = reach(daemon.register(thing, "thing"), wire=WireOptions(max_message_size=100_000))
        with pytest.raises(errors.MessageTooLargeError, match="give"):
            remote.call("give", "x" * 200_000)

        assert 3 == remote.call("add", 1, 2)
        room.close_remotes()


@pytest.mark.parametrize("size", [3, 2_000, 200_000], ids=["inside", "beside", "large"])
def test_arrays(remote, thing, size):
    """They travel as they are with native: alone, inside of other things, in batches and in streams."""
    remote.proxy._pyroSerializer = "native"
    array = np.arange(size) * 1.5
    thing.items = [array, (array[:5], size)]

    for _ in range(2):
        alone = remote.call("give", array)
        assert alone.flags.writeable
        assert np.array_equal(array, alone)
        (inside,), named = remote.call("echo", array, among={"a": (array, {1})})
        assert np.array_equal(array, inside)
        assert np.array_equal(array, named["among"]["a"][0])
        assert {1} == named["among"]["a"][1]
    first, second = remote.batch(("give", array), ("give", [array]))
    assert np.array_equal(array, first)
    assert np.array_equal(array, second[0])
    one, (two, told) = remote.take(remote.call("listed"), 9)
    assert np.array_equal(array, one)
    assert np.array_equal(array[:5], two)
    assert size == told


# Batches


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_batch(remote, serializer):
    """The results come in the order of the calls."""
    remote.proxy._pyroSerializer = serializer

    assert [3, [["x"], {}], "y"] == remote.batch(("add", 1, 2), ("echo", "x"), ("give", "y"))
    assert [] == remote.batch()
    alike = [("add", first, first + 1) for first in range(20)]
    assert [sum(args) for _, *args in alike] + ["y"] == remote.batch(*alike, ("give", "y"))
    pairs = [(1, 2), (3, 4), (5, 6)]
    assert remote.batch(*[("give", pair) for pair in pairs]) == [remote.call("give", pair) for pair in pairs]


def test_batch_with_an_error(remote, thing):
    """It is raised where it happened, and ends the batch."""
    with pytest.raises(ValueError, match="boom"):
        remote.batch(("fail", "boom"), ("fail", "never"), ("add", 3, 4))
    assert [] == thing.calls
    with pytest.raises(ValueError, match="boom"):
        remote.batch(("add", 1, 2), ("fail", "boom"), ("add", 3, 4))

    assert [(1, 2)] == thing.calls
    assert 3 == remote.call("add", 1, 2)


def test_oneway_batch(remote, thing):
    """Nothing is waited for; all are made, in order."""
    assert remote.batch(("fire", 1), ("fire", 2), ("fire", 3), oneway=True) is None
    for _ in range(3):
        assert thing.entered.acquire(timeout=scaled(5))
    assert [1, 2, 3] == thing.calls


# Streams


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_stream(remote, thing, serializer):
    """Items come in their order; other calls go on in between, and then each item is made when it is asked for."""
    remote.proxy._pyroSerializer = serializer
    stream = remote.call("count", 5)

    assert [0] == remote.take(stream, 1)
    assert ["item 0"] == thing.streams
    assert 3 == remote.call("add", 1, 2)
    assert [1] == remote.take(stream, 1)
    assert ["item 0", "item 1"] == thing.streams
    assert [2, 3, 4] == remote.take(stream, 9)
    assert [] == remote.take(stream, 1)
    assert "closed" == thing.streams[-1]


@pytest.mark.parametrize("ahead", [1, 7, 256])
def test_long_stream(reach, daemon, thing, ahead):
    """All items come, in their order, however many are asked for at once; none is made too far ahead."""
    remote = reach(daemon.uriFor("thing"), stream_ahead=ahead)
    stream = remote.call("count", 400)

    for number in range(300):
        assert [number] == remote.take(stream, 1)
        assert len(thing.streams) <= number + 2 * ahead
    assert list(range(300, 400)) == remote.take(stream, 500)


@pytest.mark.parametrize("serializer", ["msgpack", "marshal"])
def test_stream_of_blocks(remote, thing, serializer):
    """Large items come as they are; whoever takes his time holds back those that are further ahead than two answers."""
    remote.proxy._pyroSerializer = serializer
    stream, size = remote.call("blocks", 40, HEAVY // 8), HEAVY // 8

    for number in range(40):
        assert [bytes([number]) * size] == remote.take(stream, 1)
        # In an answer that is being taken from, and in the one that comes next.
        assert len(thing.streams) <= number + 2 * 8 + 1
    assert [] == remote.take(stream, 1)
    assert "closed" == thing.streams[-1]


def test_stream_of_blocks_with_an_error(remote):
    """It comes after the blocks before it, and the connection goes on."""
    remote.proxy._pyroSerializer = "msgpack"
    stream = remote.call("blocks", 20, HEAVY // 8, fail=True)

    assert 20 == len(remote.take(stream, 20))
    with pytest.raises(RemoteError, match="in mid-stream"):
        remote.take(stream, 1)
    assert 3 == remote.call("add", 1, 2)


def test_stream_of_blocks_that_is_given_up(remote, thing, daemon):
    """What was made ahead is dropped, and the generator ends."""
    remote.proxy._pyroSerializer = "msgpack"
    stream = remote.call("blocks", 250, HEAVY // 4)
    assert 10 == len(remote.take(stream, 10))
    remote.close_stream(stream)

    assert eventually(lambda: "closed" in thing.streams)
    assert 0 == len(daemon._streams)
    assert len(thing.streams) <= 10 + 2 * 4 + 2


def test_stream_that_dawdles(remote, thing, engine):
    """What is there is given at once; nobody waits for the item after it."""
    stream = remote.call("quick_and_slow", 5)

    # The loop of that engine runs one thing after the other.
    if engine == "multiplex":
        thing.go.set()
    assert [0, 1, 2, 3, 4] == remote.take(stream, 5)
    thing.go.set()
    assert [5] == remote.take(stream, 9)


def test_stream_with_an_item_that_cannot_travel(remote):
    """It is an error after the items before it."""
    stream = remote.call("odd_items", 5)

    assert [0, 1, 2, 3, 4] == remote.take(stream, 5)
    with pytest.raises((errors.SerializeError, RemoteError)):
        remote.take(stream, 1)
    assert [] == remote.take(stream, 1)
    assert 3 == remote.call("add", 1, 2)


def test_stream_with_an_error(remote):
    """It comes after the items before it, and ends the stream."""
    stream = remote.call("count", 2, fail=True)

    assert [0, 1] == remote.take(stream, 2)
    with pytest.raises(RemoteError, match="in mid-stream"):
        remote.take(stream, 1)
    assert [] == remote.take(stream, 1)
    assert 3 == remote.call("add", 1, 2)


def test_stream_that_is_given_up(remote, thing, daemon):
    """The generator ends over there."""
    stream = remote.call("count", 100)
    remote.take(stream, 1)
    remote.close_stream(stream)
    remote.close_stream(stream)

    assert eventually(lambda: "closed" in thing.streams)
    assert [] == remote.take(stream, 1)


def test_stream_over_a_reconnect(remote):
    """A stream says when its connection is gone, and goes on over the next one."""
    stream = remote.call("count", 3)
    remote.take(stream, 1)
    remote.release()
    with pytest.raises(ConnectionClosedError, match="was released; reconnect"):
        remote.take(stream, 1)
    remote.reconnect(1)

    assert [1, 2] == remote.take(stream, 9)


def test_stream_of_a_daemon_that_does_not_stream(reach, engine, thing, room):
    """The error names the daemon."""
    with serving(engine=engine, streaming=False) as daemon:
        remote = reach(daemon.register(thing, "thing"))
        with pytest.raises(ProtocolError, match="does not stream"):
            remote.call("count", 3)

        assert 3 == remote.call("add", 1, 2)
        room.close_remotes()


# Streams the other way


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_iterators_as_arguments(remote, serializer):
    """The method gets their items, few or many, while it runs; the connection goes on."""
    remote.proxy._pyroSerializer = serializer
    lots = (iter([1, 2]), (number for number in range(700)), map(str, range(2)), iter([]))

    assert [[1, 2], [*range(700)], ["0", "1"], []] == remote.call("gather", *lots)
    assert [[5, 6]] == remote.call("gather", itertools.count(5), most=2)
    assert 3 == remote.call("add", 1, 2)


def test_blocks_as_argument(remote):
    """Large items are made while those before them are on their way, and never many of them."""
    size, made = HEAVY // 8, []

    def blocks():
        for number in range(40):
            made.append(number)
            yield bytes([number]) * size

    assert [[*range(40)], 40 * size] == remote.call("weigh", blocks())
    assert [*range(40)] == made


def test_iterator_that_fails(remote):
    """The method gets the error, after the items before it, and so does the caller if the method lets it through."""

    def items():
        yield 1
        raise LookupError("nothing more")

    with pytest.raises(LookupError, match="nothing more"):
        remote.call("gather", items())
    assert [[1]] == remote.call("gather", items(), most=1)


# Beside the call


def test_annotations(remote):
    """They go there beside the call and come back beside the reply, and belong to that call alone."""
    told, back = remote.call_in_context("context", annotations={"ABCD": b"x"})

    assert "ABCD" in [name for name, _ in told["annotations"]]
    assert b"there" == back["RESP"]
    told, _ = remote.call_in_context("context")
    assert "ABCD" not in [name for name, _ in told["annotations"]]


def test_correlation_id(remote):
    """The call over there has the id of the caller's context, and one of its own without."""
    wanted = uuid.uuid4()
    told, _ = remote.call_in_context("context", correlation_id=wanted)

    assert str(wanted) == told["id"]
    told, _ = remote.call_in_context("context")
    assert str(wanted) != told["id"]


# Proxies and callbacks


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_registered_objects_travel_as_proxies(remote, room, daemon, thing, serializer):
    """They arrive as proxies of the room that made the call, wherever they are inside the result."""
    thing.other = Thing()
    daemon.register(thing.other, "other")
    remote.proxy._pyroSerializer = serializer
    arrived, inside = remote.call("child"), remote.call("children")

    for proxy in (arrived, inside["first"][0], inside["second"]):
        assert room.proxy_class is type(proxy)
        assert "other" == proxy._pyroUri.object
    assert 3 == room.remote(arrived).call("add", 1, 2)


def test_proxies_as_arguments(remote, reach, thing):
    """Whichever room they come from, a daemon gets a synchronous one."""
    with serving() as elsewhere:
        other = reach(elsewhere.register(Thing(), "other"))

        assert ["Proxy", 23] == remote.call("keep", other.proxy)


def test_functions(room, reach, thing):
    """They travel as arguments and are called where they are, also from where they went and came back."""

    def more(value):
        return value + 1

    with serving(engine="thread") as daemon:
        remote = reach(daemon.register(thing, "thing"))

        assert [2, 3] == remote.call("apply", more, 1, 2)
        back = remote.call("give", more)
        assert 8 == room.now(lambda: back(7))
        room.remote(back)
        room.close_remotes()


def test_callback_during_a_call(remote):
    """The daemon calls an object of the client before it answers."""
    listener = Listener()
    with serving() as own:
        own.register(listener, "listener")

        assert ["called back", 1] == remote.call("call_back", listener, "news")
    assert ["news"] == listener.heard


# Time and trouble


def test_timeout(remote, thing):
    """A call that takes too long is a TimeoutError that names it; afterwards the proxy works, and gets its own."""
    remote.bind()
    remote.proxy._pyroTimeout = 0.1
    with pytest.raises(
        errors.TimeoutError, match=r"no answer .*calling 'wait' of 'thing' .*_pyroTimeout allows 0\.1 s"
    ):
        remote.call("wait", "late")
    remote.proxy._pyroTimeout = scaled(10)
    thing.go.set()

    assert ["mine", 3] == [remote.call("give", "mine"), remote.call("add", 1, 2)]


def test_retries(reach, thing, room):
    """After a timeout the call is made again, as often as was allowed. (A single thread could not even hear of it.)"""
    with serving(engine="thread") as daemon:
        remote = reach(daemon.register(thing, "thing"))
        remote.bind()
        remote.proxy._pyroTimeout, remote.proxy._pyroMaxRetries = 0.1, 2
        with pytest.raises(errors.TimeoutError):
            remote.call("wait")
        thing.go.set()

        assert all(thing.entered.acquire(timeout=scaled(5)) for _ in range(3))
        remote.proxy._pyroTimeout, remote.proxy._pyroMaxRetries = scaled(10), 0
        remote.call("add", 1, 2)
        assert not thing.entered.acquire(timeout=0.01)
        room.close_remotes()


def test_nobody_there(reach):
    """The error names the address and what to look at."""
    with serving() as daemon:
        uri = daemon.uriFor("thing")
    with pytest.raises(ConnectionClosedError, match="is the program that serves it running"):
        reach(uri).call("add", 1, 2)


@pytest.mark.parametrize("retries", [0, 1])
def test_restarted_daemon(reach, engine, thing, retries, room):
    """At most the call that finds the connection gone fails, and none where it may be made again.

    In the room for asyncio the loop may have found out before.
    """
    port = free_port()
    with serving(port=port, engine=engine) as first:
        uri = first.register(thing, "thing")
        remote = reach(uri)
        remote.proxy._pyroMaxRetries = retries
        assert 3 == remote.call("add", 1, 2)
    with serving(port=port, engine=engine) as second:
        second.register(thing, "thing")
        if not retries:
            with contextlib.suppress(ConnectionClosedError):
                remote.call("add", 1, 2)

        assert 7 == remote.call("add", 3, 4)
        room.close_remotes()


def test_release_and_use_again(remote):
    """A released proxy connects again when it is used."""
    assert remote.bind()
    assert not remote.bind()
    remote.release()

    assert not remote.proxy._pyro.connected
    assert 3 == remote.call("add", 1, 2)


def test_ping(remote):
    """A daemon that lives answers."""
    assert 0 < remote.ping() < scaled(5)


def test_used_from_many_sides(remote):
    """Calls that are made at the same time over one proxy each get their own result."""
    started = [remote.start("add", number, 1) for number in range(50)]

    assert list(range(1, 51)) == [each.result(scaled(30)) for each in started]


def test_looking_does_no_io(remote, daemon):
    """Before the first call the daemon has not heard of the proxy; afterwards its members are listed."""
    seen = repr(remote.proxy), dir(remote.proxy), hash(remote.proxy), bool(remote.proxy)

    assert "not connected" in seen[0]
    assert not remote.proxy._pyro.connected
    remote.bind()
    assert {"add", "value"} <= set(dir(remote.proxy))
    assert "not connected" not in repr(remote.proxy)


# Names


@pytest.fixture
def names(engine, reach, dialect):
    with naming(engine=engine) as running:
        reach.known[str(running.uriFor("Pyro.NameServer").location)] = dialect
        yield running.uriFor("Pyro.NameServer")


def test_name_server(room, names, daemon, reach, dialect):
    """A name is registered, found, called by, and forgotten."""
    options = client_options(lookup=lookup_at(names))
    server = room.remote(room.now(lambda: room.locate(options=options)))
    uri = daemon.uriFor("thing")
    server.call("register", "test.thing", uri, metadata={"one", "two"})

    assert dialect is server.proxy._pyro.dialect
    assert uri == server.call("lookup", "test.thing")
    assert uri == room.now(lambda: room.resolve("PYRONAME:test.thing", options=options))
    assert uri == room.now(lambda: room.resolve("PYROMETA:one,two", options=options))
    assert {"test.thing": str(uri)} == server.call("list", prefix="test.")
    named = room.remote(room.proxy_class("PYRONAME:test.thing", options=options))
    assert 3 == named.call("add", 1, 2)
    assert 1 == server.call("remove", "test.thing")
    with pytest.raises(NamingError, match=r"test\.thing"):
        server.call("lookup", "test.thing")
    with pytest.raises(NamingError, match=r"test\.thing"):
        room.now(lambda: room.resolve("PYRONAME:test.thing", options=options))
    room.close_remotes()


def test_name_that_comes_later(room, names, daemon):
    """With a delay, a name that is not there yet is waited for."""
    options = client_options(lookup=lookup_at(names))
    server = room.remote(room.now(lambda: room.locate(options=options)))
    found = room.start(lambda: room.resolve("PYRONAME:late", scaled(10), options=options))
    server.call("register", "late", daemon.uriFor("thing"))

    assert daemon.uriFor("thing") == found.result(scaled(15))
    room.close_remotes()


def test_no_name_server(room):
    """The error says where it was looked for, and what to do."""
    with serving() as daemon:
        port = daemon.uriFor("x").port
    options = client_options(lookup=LookupOptions(host=LOCAL, port=port))
    with pytest.raises(NamingError, match=f"{port}"):
        room.now(lambda: room.locate(LOCAL, port, options=options))


# Side by side: what only an engine with threads can do


def test_calls_side_by_side(room, reach, thing):
    """Two calls of one client run at the same time over there, where each has a connection of its own."""
    with serving(engine="thread") as daemon:
        uri = daemon.register(thing, "thing")
        first, second = reach(uri), reach(uri)
        one, two = first.start("meet", 1), second.start("meet", 2)
        assert thing.entered.acquire(timeout=scaled(5))
        assert thing.entered.acquire(timeout=scaled(5))
        thing.go.set()

        assert [1, 2] == [one.result(scaled(10)), two.result(scaled(10))]
        room.close_remotes()
