"""Functions and objects that travel as proxies although nobody registered them."""

from __future__ import annotations

import functools
import gc
import logging
import os
import subprocess
import sys
import threading

import pytest

from pyronb.errors import CommunicationError, ConnectionClosedError, DaemonError, SerializeError
from pyronb.serializers.base import SerializerBase
from pyronb.server.exposure import callback, expose
from pyronb.server.references import by_reference, withdraw
from pyronb.sync.proxy import Proxy, RemoteFunction
from tests.support.fix_daemons import bench, daemon, proxy
from tests.support.paths import ROOT
from tests.support.serving import connect, serving
from tests.support.waiting import eventually

__all__ = ["bench", "daemon", "proxy"]

SERIALIZERS = ("serpent", "json", "marshal", "msgpack")


@expose
class Caller:
    """Calls what it is given."""

    def __init__(self):
        self.kept = None

    def each(self, function, values):
        with function:
            return [function(value) for value in values]

    def keep(self, function):
        self.kept = function

    def use(self, *args):
        with self.kept:
            return self.kept(*args)

    def kind(self, function):
        return [type(function).__name__, callable(function), sorted(function._pyroMethods)]

    def own_method(self):
        return self.use


class Listener:
    """An ordinary object with a method that is called back."""

    def __init__(self):
        self.heard = []

    def hear(self, value):
        self.heard.append(value)
        return len(self.heard)


@pytest.fixture
def caller(daemon):
    """Give a connected proxy for something that calls what it is given."""
    with connect(daemon.register(Caller(), "caller")) as made:
        yield made


@pytest.fixture(autouse=True)
def _leave_nothing():
    """Let go of the functions that never end by themselves."""
    yield
    for function in (abs, max):
        withdraw(function)


def offices():
    return [thread for thread in threading.enumerate() if thread.name == "pyronb-callbacks"]


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_functions(caller, serializer):
    """Functions of all kinds are called over there as they would be here, while the call runs."""
    caller._pyroSerializer = serializer
    heard = []

    assert [2, 4] == caller.each(lambda value: value * 2, [1, 2])
    assert [3, 4] == caller.each(functools.partial(max, 3), [1, 4])
    assert [1, 2] == caller.each(abs, [-1, 2])
    assert [None, None] == caller.each(heard.append, ["a", "b"])
    assert ["a", "b"] == heard
    assert ["RemoteFunction", True, ["call"]] == caller.kind(abs)


def test_inside_of_values(caller):
    """They may be anywhere in the arguments."""
    (given,) = caller.each(lambda value: value, [{"f": [abs]}])
    (function,) = given["f"]
    with function:
        assert (RemoteFunction, 5) == (type(function), function(-5))


def test_method_goes_with_its_object(caller):
    """It can be called for as long as its object lives, and the thread ends with the last of them."""
    listener = Listener()
    caller.keep(listener.hear)

    assert (1, 2) == (caller.use("a"), caller.use("b"))
    caller.keep(listener.hear)
    assert 3 == caller.use("c")
    assert 1 == len(offices())

    del listener
    gc.collect()

    eventually(lambda: not offices())
    with pytest.raises(ConnectionClosedError):
        caller.use("d")


def test_function_that_nobody_keeps(caller):
    """Over there it is gone, and says so; others are as they were."""
    listener = Listener()
    caller.each(listener.hear, ["first"])

    def function(value):
        return value

    caller.keep(function)
    del function
    gc.collect()
    with pytest.raises((DaemonError, CommunicationError), match=r"is gone|has gone|unknown object"):
        caller.use(1)

    assert [2] == caller.each(listener.hear, ["second"])


def test_ids_are_told_to_nobody_else(caller, daemon):
    """Whoever finds the place does not learn what can be called there."""
    listener = Listener()
    caller.keep(listener.hear)
    place = daemon.objectsById["caller"].kept._pyroUri.location
    with connect(f"PYRO:Pyro.Daemon@{place}") as there:
        assert [] == there.registered()


def test_withdrawn(caller):
    """It is out of reach at once, though it lives on; giving it again brings it back."""

    def function(value):
        return value

    caller.keep(function)

    assert 5 == caller.use(5)
    assert withdraw(function)
    assert not withdraw(function)
    with pytest.raises((DaemonError, CommunicationError)):
        caller.use(5)
    assert [7] == caller.each(function, [7])


def test_errors_come_back(caller, caplog):
    """What a function raises goes to whoever called it, and on; one marked as callback is logged here as well."""

    def fail(value):
        raise ZeroDivisionError(f"no {value}")

    with caplog.at_level(logging.ERROR, "pyronb.server"):
        with pytest.raises(ZeroDivisionError, match="no 1"):
            caller.each(fail, [1])
        assert "error in callback" not in caplog.text
        with pytest.raises(ZeroDivisionError):
            caller.each(callback(fail), [1])
    withdraw(fail)  # what was logged keeps it alive

    assert "error in callback function" in caplog.text
    assert "Traceback" in caplog.text


def test_calls_both_ways(caller):
    """A function may call the object that calls it, over another proxy."""

    def function(value):
        with connect(caller._pyroUri) as other:
            return other.each(abs, [value])

    assert [[1]] == caller.each(function, [-1])


def test_same_function_twice(caller):
    """It is the same over there."""
    kept = Listener()

    def same(one, other):
        return one == other

    class Comparing:
        @expose
        def compare(self, one, other):
            return one == other

    with serving() as daemon, connect(daemon.register(Comparing())) as comparing:
        assert comparing.compare(kept.hear, kept.hear)
        assert comparing.compare(same, same)
        assert not comparing.compare(same, kept.hear)


def test_results_are_no_functions(caller):
    """A server does not give its own methods away."""
    with pytest.raises(SerializeError, match=r"builtins\.method"):
        caller.own_method()


def test_switched_off(daemon):
    """Without AUTOPROXY neither functions nor registered objects travel."""
    daemon.register(Caller(), "caller")
    with (
        connect(daemon.uriFor("caller"), autoproxy=False) as caller,
        pytest.raises(SerializeError, match=r"builtins\.function"),
    ):
        caller.each(lambda value: value, [1])
    assert [] == offices()


def test_over_a_unix_socket(tmp_path):
    """A program on this machine calls back over TCP."""
    with (
        serving(unixsocket=str(tmp_path / "s")) as daemon,
        connect(daemon.register(Caller())) as caller,
    ):
        assert [2] == caller.each(lambda value: value + 1, [1])


# Classes whose instances travel by reference


@by_reference
@expose
class Cursor:
    """Something that a method makes."""

    def __init__(self, number):
        self._number = number

    def next(self):
        self._number += 1
        return self._number

    def maker(self):
        return SpecialCursor(100)


class SpecialCursor(Cursor):
    """A class that inherits how it travels."""


class Maker:
    """Makes cursors."""

    def __init__(self):
        self.last = None

    @expose
    def make(self, number):
        self.last = Cursor(number)
        return {"cursors": [self.last]}

    @expose
    def again(self):
        return self.last


@pytest.fixture
def maker_daemon():
    with serving() as daemon:
        daemon.register(Maker(), "maker")
        yield daemon


def test_result_by_reference(maker_daemon):
    """An unregistered instance arrives as a proxy, and lives as long as the connection that got it."""
    with connect(maker_daemon.uriFor("maker")) as maker:
        (cursor,) = maker.make(5)["cursors"]
        with cursor:
            assert isinstance(cursor, Proxy)
            assert [6, 7] == [cursor.next(), cursor.next()]
            assert cursor == maker.again()
            with cursor.maker() as special:
                assert 101 == special.next()
        assert str(cursor._pyroUri.object) in maker_daemon.objectsById

    eventually(lambda: {"Pyro.Daemon", "maker"} == set(maker_daemon.objectsById))
    with connect(maker_daemon.uriFor("maker")) as maker, maker.again() as cursor:
        assert 8 == cursor.next()


def test_result_of_two_clients(maker_daemon):
    """It stays until the last of them goes."""
    with connect(maker_daemon.uriFor("maker")) as other:
        with connect(maker_daemon.uriFor("maker")) as maker:
            maker.make(5)
            theirs = other.again()
            with maker.again() as cursor:
                assert 6 == cursor.next()
        with theirs:
            assert 7 == theirs.next()
    eventually(lambda: {"Pyro.Daemon", "maker"} == set(maker_daemon.objectsById))


@by_reference
class Watcher(Listener):
    """An object that is given to calls, and can be called back."""

    @expose
    def hear(self, value):
        return super().hear(value)

    def __eq__(self, other):
        raise AssertionError("nobody compares watchers")

    __hash__ = None


@expose
class Teller:
    """Tells what happens to those who watch."""

    def __init__(self):
        self.watchers = []

    def watch(self, *watchers):
        self.watchers = list(watchers)
        return [type(watcher).__name__ for watcher in watchers]

    def tell(self, value):
        counts = []
        for watcher in self.watchers:
            with watcher:
                counts.append(watcher.hear(value))
        return counts


def test_argument_by_reference():
    """An unregistered instance can be called back as long as its own program keeps it, and is freed with it."""
    with serving() as daemon, connect(daemon.register(Teller())) as teller:
        one, other = Watcher(), Watcher()

        assert ["Proxy", "Proxy"] == teller.watch(one, other)
        assert [1, 1] == teller.tell("a")
        assert (["a"], ["a"]) == (one.heard, other.heard)
        del other
        gc.collect()
        with pytest.raises((DaemonError, CommunicationError)):
            teller.tell("b")
        assert ["Proxy"] == teller.watch(one)
        assert [3] == teller.tell("c")
        assert withdraw(one)
        eventually(lambda: not offices())
        assert not hasattr(one, "_pyroDaemon")


def test_argument_that_is_registered_elsewhere(maker_daemon):
    """It goes as the proxy that it has already."""
    mine = Watcher()
    uri = maker_daemon.register(mine, "mine")
    with serving() as daemon, connect(daemon.register(Caller())) as caller:
        caller.keep(mine)

        assert uri == daemon.objectsById[str(caller._pyroUri.object)].kept._pyroUri
    assert [] == offices()


def test_registered_by_hand(maker_daemon):
    """An instance that was registered before stays registered when the client goes."""
    mine = Cursor(0)
    uri = maker_daemon.register(mine, "mine")
    maker_daemon.objectsById["maker"].last = mine
    with connect(maker_daemon.uriFor("maker")) as maker:
        assert uri == maker.again()._pyroUri
    with connect(maker_daemon.uriFor("maker")) as maker:
        assert "mine" in maker_daemon.objectsById
        assert uri == maker.again()._pyroUri


def test_by_reference_switched_off():
    """Without AUTOPROXY it goes by value, which the other side does not know."""
    with (
        serving(autoproxy=False) as daemon,
        connect(daemon.register(Maker())) as maker,
        pytest.raises(SerializeError, match="Cursor"),
    ):
        maker.make(5)


@expose
class Plain:
    """Travels as a proxy while it is registered."""

    def __init__(self):
        self.number = 5

    def itself(self):
        return self


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_registered_object_by_value(serializer):
    """Without AUTOPROXY it is what its attributes are, and nothing of its daemon is among them."""
    name = f"{Plain.__module__}.{Plain.__name__}"
    SerializerBase.register_dict_to_class(name, lambda _, data: data)
    try:
        with serving(autoproxy=False) as daemon, connect(daemon.register(Plain()), serializer=serializer) as plain:
            assert {"__class__": name, "number": 5} == plain.itself()
    finally:
        SerializerBase.unregister_dict_to_class(name)


def test_daemons_stay_where_they_are(caller, daemon):
    """They hold keys and sockets, and are refused by name."""
    with pytest.raises(SerializeError, match=r"Daemon at .* cannot travel"):
        caller.keep(daemon)


def test_only_classes():
    """Anything else is refused."""
    with pytest.raises(TypeError, match="only be used on a class"):
        by_reference(len)


FORKED = """
import os, sys, warnings
import pyronb
warnings.simplefilter("ignore")
caller = pyronb.Proxy(sys.argv[1])
kept = lambda value: (os.getpid(), value)
ours, = caller.each(kept, [1])
if os.fork() == 0:
    with pyronb.Proxy(sys.argv[1]) as own:
        theirs, = own.each(kept, [2])
    os._exit(0 if tuple(theirs) == (os.getpid(), 2) else 1)
_, status = os.wait()
sys.exit(0 if tuple(ours) == (os.getpid(), 1) and status == 0 else 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_forked_process(daemon):
    """A child calls its own functions, not those of its parent."""
    uri = daemon.register(Caller(), "caller")
    ran = subprocess.run([sys.executable, "-c", FORKED, str(uri)], cwd=ROOT, timeout=50, check=False)

    assert ran.returncode == 0
