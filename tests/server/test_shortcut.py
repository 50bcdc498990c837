"""The server's short-cut for plain calls: it does the same as the long way, and leaves it what is not plain."""

from __future__ import annotations

import re

import pytest

from pyronb.client import greeting
from pyronb.context import current_context
from pyronb.dialects import PYRO4
from pyronb.options import WireOptions
from pyronb.rpc.call import Call
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import behavior, callback, expose
from pyronb.server.shortcut import ShortCut
from pyronb.sync.methods import value_of
from tests.support.fix_daemons import Bench
from tests.support.serving import connect, serving


class Told(Daemon):
    """A daemon that notes the errors of the methods of its objects."""

    def __init__(self, *args, **kwargs):
        self.errors = []
        super().__init__(*args, **kwargs)

    def methodcall_error_handler(self, client_sock_addr, method, vargs, kwargs, exception):
        if not method.startswith("get_next_stream_item"):
            self.errors.append((method, list(vargs), dict(kwargs or {}), type(exception).__name__, str(exception)))


class Annotating(Told):
    """A daemon that goes the long way, for it may add something to each reply."""

    def annotations(self):
        return {}


class Thing(Bench):
    """What is special about calls."""

    @expose
    def look(self):
        """Tell the circumstances of the call, but for what differs between two connections."""
        context = current_context
        return [context.msg_flags, context.serializer_id, context.seq, str(context.correlation_id)]

    @expose
    def annotate(self):
        """Answer beside the reply."""
        current_context.response_annotations["ABCD"] = b"x"
        return 1

    @expose
    @callback
    def call_back(self):
        """Fail, and be logged."""
        raise ValueError("in a callback")

    @expose
    async def later(self):
        """Not a plain function."""
        return 1

    def hidden(self):
        """Not exposed."""

    def _private(self):
        """Private."""


@expose
class Counter:
    """Counts its own calls."""

    def __init__(self):
        self.count = 0

    def next(self):
        """Count."""
        self.count += 1
        return self.count


@pytest.fixture
def answers(monkeypatch):
    """Count what the short-cut took and what it left: a list of True and False."""
    took = []
    real = ShortCut.answer

    def answer(self, data):
        reply = real(self, data)
        took.append(reply is not None)
        return reply

    monkeypatch.setattr(ShortCut, "answer", answer)
    return took


@pytest.fixture
def two():
    """The same object on a daemon that goes the short way, and on one that goes the long way."""
    with serving(Told) as short, serving(Annotating) as long:
        for daemon in (short, long):
            daemon.register(Thing(), "thing")
        yield short, long


def outcome(proxy, method, args, kwargs):
    """What becomes of a call: its value, or all that is told of its error."""
    try:
        value = proxy._pyro.methods[method](*args, **kwargs) if method in proxy._pyro.methods else None
        return [*value] if hasattr(value, "__next__") else value
    except Exception as error:
        # Where the call itself failed, the one frame there is is the caller's.
        trace = "".join(getattr(error, "_pyroTraceback", ()))
        frames = [frame for frame in re.split(r"(?m)^(?=  File)", trace) if "pyronb/server/" not in frame]
        return type(error), str(error).replace(str(proxy._pyroUri.port), "PORT"), frames


CALLS = [
    ("add", (1,), {}),
    ("add", (1,), {"b": 5}),
    ("add", (), {}),
    ("add", (1, 2, 3), {}),
    ("add", (1,), {"c": 5}),
    ("echo", ((1, "ü"), [None, 2.5]), {"k": {"a": b""}}),
    ("zeros", (100_000,), {}),
    ("fail", ("no",), {}),
    ("stall", (), {}),
    ("lock", (), {}),
    ("count", (3,), {}),
    ("count", (2, True), {}),
    ("look", (), {}),
    ("annotate", (), {}),
    ("call_back", (), {}),
]


@pytest.mark.parametrize("serializer", ["serpent", "json", "marshal", "msgpack"])
def test_both_ways_lead_to_the_same(two, answers, serializer):
    """Values, errors with their tracebacks, streams, the context, and what the daemon is told."""
    came = []
    for daemon in two:
        with connect(daemon.uriFor("thing"), serializer=serializer, max_retries=1) as proxy:
            for method, *_ in CALLS:
                getattr(proxy, method)
            came.append([outcome(proxy, *call) for call in CALLS])
            assert proxy.value == 5
    short, long = two

    assert came[0] == came[1]
    assert short.errors == long.errors != []
    assert True in answers


def test_what_is_not_plain_goes_the_long_way(two, answers):
    """Names that are no exposed function, and functions that are more than that."""
    with connect(two[0].uriFor("thing")) as proxy:
        proxy.add(1)
        proxy.add(1)
        assert [True, True] == answers, "the first call opens the short-cut"
        for method in ("hidden", "_private", "__init__", "value", "call_back", "nothing"):
            del answers[:]
            with pytest.raises((AttributeError, ValueError)):
                value_of(proxy._pyro, Call("", method, (), {}))
            assert [False] == answers, method


@pytest.mark.parametrize("wire", [WireOptions(compression=True), WireOptions(log=True)])
def test_settings_that_go_the_long_way(answers, wire):
    """What the short-cut does not know."""
    with serving(wire=wire) as daemon, connect(daemon.register(Bench())) as proxy:
        assert 11 == proxy.add(1)
    assert [] == answers


def test_the_other_protocol_goes_the_long_way(answers):
    """Its header is another."""
    with serving() as daemon:
        proxy = connect(daemon.register(Bench(), "bench"))
        proxy._pyroRelease()
        greeting._dialects.clear()
        proxy._pyro.dialect = PYRO4
        with proxy:
            assert 11 == proxy.add(1)
        greeting._dialects.clear()
    assert [] == answers


@pytest.mark.parametrize(
    ("mode", "counts"), [("session", [1, 2, 3, 1, 2]), ("single", [1, 2, 3, 4, 5]), ("percall", [1, 1, 1, 1, 1])]
)
def test_instance_modes(answers, mode, counts):
    """A class is served by the instances that its mode asks for; none is made on the short way."""
    with serving() as daemon:
        uri = daemon.register(behavior(instance_mode=mode)(type("Mine", (Counter,), {})))
        with connect(uri) as first:
            came = [first.next() for _ in range(3)]
        with connect(uri) as second:
            came += [second.next() for _ in range(2)]

    assert counts == came
    assert {"session": 3, "single": 4, "percall": 0}[mode] == sum(answers)


def test_the_mark_is_looked_at_each_time(two):
    """What was exposed once need not be so for ever."""

    @expose
    class Changing:
        def read(self):
            """Give a number."""
            return 1

        def other(self):
            """Give a number."""
            return 2

    def read(self):
        return 3

    daemon = two[0]
    thing = Changing()
    with connect(daemon.register(thing, "changing")) as proxy:
        assert [1, 1] == [proxy.read(), proxy.read()]

        Changing.read = read
        with pytest.raises(AttributeError, match="unexposed"):
            proxy.read()

        Changing.read = expose(read)
        assert 3 == proxy.read()

        thing.read = lambda: 4
        assert 4 == proxy.read()

        daemon.unregister(thing)
        with pytest.raises(Exception, match="unknown object"):
            proxy.other()


def test_a_creator_that_fails_is_asked_once():
    """The short way makes no instances, so there is no second attempt."""
    asked = []

    def create(cls):
        asked.append(cls)
        raise ValueError("no instance")

    with serving() as daemon:
        uri = daemon.register(behavior(instance_creator=create)(type("Mine", (Counter,), {})))
        with connect(uri) as proxy:
            for _ in range(2):
                with pytest.raises(ValueError, match="no instance"):
                    proxy.next()
    assert 2 == len(asked)
