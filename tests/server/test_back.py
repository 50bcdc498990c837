"""Callbacks over connections that the caller made: the way back to a program that nobody can dial."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import functools
import gc
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading

import psutil
import pytest

from pyronb import aio
from pyronb.context import current_context
from pyronb.errors import CommunicationError, ConnectionClosedError, DaemonError
from pyronb.net import back
from pyronb.rpc.handshake import KEY
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from pyronb.server.givenout import OWN_CONNECTION
from pyronb.server.references import _offices, by_reference, given_out, withdraw
from pyronb.server.secrets import back_key
from pyronb.sync.asynchronous import AsyncProxy
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI, back_location
from pyronb.wire.message import CONNECTFAIL, CONNECTOK
from tests.support.fix_certs import certificates
from tests.support.fix_engines import engine
from tests.support.paths import ROOT
from tests.support.serving import LOCAL, RawClient, client_options, connect, serving
from tests.support.waiting import deadline, eventually, scaled

__all__ = ["certificates", "engine"]

SECRET = "0123456789abcdef" * 2


@expose
class Station:
    """Calls those who subscribed."""

    def __init__(self):
        self.functions = []

    def subscribe(self, *functions):
        self.functions += functions
        return [str(function._pyroUri.location) for function in functions]

    def tell(self, value):
        results = []
        for function in self.functions:
            with function:
                results.append(function(value))
        return results

    def use(self, function, value):
        with function:
            return function(value)

    def pass_on(self, uri, given, value):
        with Proxy(uri) as other:
            other.subscribe(given)
            return other.tell_last(value)

    def give_back(self, given):
        self.functions.append(given)
        return given

    def with_itself(self, function, value):
        with function:
            return function(function, value)

    def tell_last(self, value):
        with self.functions[-1] as function:
            return function.call(value)

    def tell_last_in_a_batch(self, values):
        with self.functions[-1] as function:
            calls = function._pyroBatch()
            for value in values:
                calls.call(value)
            return list(calls())

    def at_once(self, first, second, value):
        return [first(value), second(value), first(value)]

    def tell_from_threads(self, threads, calls):
        uri = self.functions[-1]._pyroUri

        def work(number):
            with Proxy(uri, options=client_options()) as function:
                for call in range(calls):
                    function.call([number, call])

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        return workers

    def tell_in_threads(self, threads, calls):
        for worker in self.tell_from_threads(threads, calls):
            worker.join(scaled(30))

    async def tell_later(self, value):
        async with aio.Proxy(self.functions[-1]._pyroUri, options=client_options()) as function:
            return await asyncio.gather(*(function.call(value + more) for more in range(3)))

    def double(self, value):
        return 2 * value

    def tell_with_own_function(self, value):
        def ours(number):
            return number + 1000

        with self.functions[-1] as function:
            return function(ours, value)


@pytest.fixture
def station():
    return Station()


@pytest.fixture
def daemon(station, engine):
    with serving() as running:
        running.register(station, "station")
        yield running
        for function in station.functions:
            function._pyroRelease()


@pytest.fixture
def caller(daemon):
    with connect(daemon.uriFor("station")) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_waits():
    """After each test all connections are gone, here as well."""
    yield
    gc.collect()
    eventually(lambda: not back.waiting() and not given_out())


def listening():
    return {each.laddr for each in psutil.Process().net_connections() if each.status == psutil.CONN_LISTEN}


# What works


def test_no_port_is_opened(caller):
    """Whoever gives a function listens nowhere, and what it gave shows no way in."""
    before = listening()
    heard = []
    hear = heard.append
    (location,) = caller.subscribe(hear)

    assert [None] == caller.tell("a")
    assert [None] == caller.tell("b")
    assert ["a", "b"] == heard
    assert before == listening()
    assert location.startswith("./u:pyronb-back-")


def test_two_functions_at_the_same_time(caller):
    """Each has a connection of its own, also while the call runs that they were given to."""
    assert [[1], 1, [1]] == caller.at_once(lambda value: [value], lambda value: value, 1)


def test_from_many_threads(caller, daemon):
    """Eight threads call a hundred times each, in any order between them, and each in its own."""
    heard = []

    def hear(pair):
        heard.append(tuple(pair))

    caller.subscribe(hear)
    for worker in daemon.objectsById["station"].tell_from_threads(8, 100):
        worker.join(scaled(30))

    assert 800 == len(heard)
    assert sorted(heard) == [(number, call) for number in range(8) for call in range(100)]
    for number in range(8):
        assert list(range(100)) == [call for thread, call in heard if thread == number]


def test_from_a_coroutine(caller):
    """An asynchronous method calls with a proxy of its room, several times at once over one connection."""

    def function(value):
        return value * 2

    caller.subscribe(function)

    assert [10, 12, 14] == caller.tell_later(5)


def test_from_other_rooms(daemon):
    """An asynchronous proxy gives functions as well, and so do calls in the background."""

    def function(value):
        return value + 1

    async def subscribe():
        async with aio.Proxy(daemon.uriFor("station"), options=client_options()) as caller:
            (location,) = await caller.subscribe(function)
            return location, await caller.tell(1)

    location, told = asyncio.run(subscribe())

    assert (True, [2]) == (location.startswith("./u:pyronb-back-"), told)
    with connect(daemon.uriFor("station")) as proxy, AsyncProxy(proxy._pyro) as caller:
        assert [location] == caller.subscribe(function).value
        assert {3} == set(caller.tell(2).value)


def test_functions_for_functions(caller):
    """Who is called back can be given functions too: the roles are turned round twice."""

    def apply(function, value):
        with function:
            return function(value)

    caller.subscribe(apply)

    assert 1005 == caller.tell_with_own_function(5)


def test_over_tls(certificates, station, engine):
    """The settings are those of the proxy that the function was given over; no further certificate is needed."""
    tls = certificates.daemon(require_client=True)
    mine = certificates.client(certificate=certificates.file("client"))
    heard = []
    hear = heard.append
    with serving(tls=tls) as daemon, connect(daemon.register(station), tls=mine) as caller:
        caller.subscribe(hear)

        assert [None] == caller.tell("x" * 200_000)
        with station.functions[0] as function:
            function(["again"])
    assert ["x" * 200_000, ["again"]] == heard


def test_over_tls_from_a_coroutine(certificates, station, engine):
    """A proxy of the other room takes the encrypted connection over as well."""
    with (
        serving(tls=certificates.daemon()) as daemon,
        connect(daemon.register(station), tls=certificates.client()) as caller,
    ):

        def function(value):
            return [value]

        caller.subscribe(function)

        assert [[1], [2], [3]] == caller.tell_later(1)


def test_over_a_unix_socket(tmp_path, station, engine):
    """The way back is another connection to that socket."""
    heard = []
    hear = heard.append
    with serving(unixsocket=str(tmp_path / "s")) as daemon, connect(daemon.register(station)) as caller:
        caller.subscribe(hear)
        caller.tell(1)
    assert [1] == heard


@contextlib.contextmanager
def tunnel(location):
    """Give a port of this machine from which a helper carries the bytes to another place, as ``ssh -L`` does."""
    host, port = location.rsplit(":", 1)
    listener = socket.create_server((LOCAL, 0))
    open_sockets = [listener]

    def carry(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection((host, int(port)))
                open_sockets.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        for each in open_sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        thread.join(scaled(5))
        for each in open_sockets:
            each.close()


def test_through_a_tunnel(daemon):
    """The way back leads through what the proxy's own connection goes through."""
    heard = []
    hear = heard.append
    with tunnel(daemon.locationStr) as port, connect(f"PYRO:station@{LOCAL}:{port}") as caller:
        caller.subscribe(hear)
        caller.tell(1)
        assert [(f"{LOCAL}:{port}",)] == [each.to for each in given_out()]
    assert [1] == heard


def test_from_a_place_without_a_network(tmp_path):
    """A server that can dial nobody at all calls back: it is in a network namespace with nothing in it."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("this system gives no network namespaces (Linux, with the command unshare, has them)")
    path = tmp_path / "s"
    program = (
        "import socket, sys\n"
        "from pyronb import Daemon\n"
        "from tests.server.test_back import Station\n"
        "try:\n"
        "    socket.create_connection(('127.0.0.1', 9), 1)\n"
        "except OSError as error:\n"
        "    print(type(error).__name__, error.errno, flush=True)\n"
        "daemon = Daemon(unixsocket=sys.argv[1])\n"
        "daemon.register(Station(), 'station')\n"
        "print('ready', flush=True)\n"
        "daemon.requestLoop()\n"
    )
    heard = []
    hear = heard.append
    server = subprocess.Popen(
        ["unshare", "-rn", sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        assert "OSError 101" == server.stdout.readline().strip()  # the network is unreachable
        assert "ready" == server.stdout.readline().strip()
        with connect(f"PYRO:station@./u:{path}") as caller:
            caller.subscribe(hear)
            assert [None] == caller.tell("during a call")
            caller.tell_in_threads(2, 3)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    assert 7 == len(heard)


def test_what_was_given_out(caller):
    """The traffic of each function can be looked at."""

    def fine(value):
        return value

    def wrong(value):
        raise ValueError(value)

    caller.subscribe(fine)
    caller.tell(1)
    caller.tell(2)
    caller.subscribe(wrong)
    with pytest.raises(ValueError, match="3"):
        caller.tell(3)
    by_name = {each.name.rpartition(".")[2]: each for each in given_out()}

    assert {"fine": (3, 0), "wrong": (1, 1)} == {name: (each.calls, each.errors) for name, each in by_name.items()}
    assert {OWN_CONNECTION} == {each.way for each in given_out()}
    assert {(str(caller._pyroUri.location),)} == {each.to for each in given_out()}
    assert by_name["fine"].last <= by_name["wrong"].last


# What is passed on


@contextlib.contextmanager
def station_elsewhere():
    """Give the URI of a station in a process of its own."""
    program = (
        "from pyronb import Daemon\n"
        "from tests.server.test_back import Station\n"
        "daemon = Daemon('127.0.0.1')\n"
        "print(daemon.register(Station(), 'station'), flush=True)\n"
        "daemon.requestLoop()\n"
    )
    server = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_passed_on():
    """What was given on by its receiver is called through that one, and so is what comes back as a result."""
    heard = []
    reporter = Reporter()
    with station_elsewhere() as far, station_elsewhere() as near, connect(near) as caller:
        assert [1, 1] == caller.pass_on(far, lambda value: [value, value], 1)
        assert ["nowhere", 5, True] == caller.pass_on(far, reporter, 5)
        with caller.give_back(heard.append) as function:
            function("round")
        with caller.give_back(reporter) as back_again:
            assert 6 == back_again.where(6)[1]
        assert caller.with_itself(lambda function, value: function(function, value - 1) if value else "end", 3) == "end"
    assert ["round"] == heard


# What is held


def test_written_into_the_call(caller, station):
    """It lives as long as the other side has a proxy for it, or a copy of one, and goes with the last."""
    heard = []
    caller.subscribe(heard.append, functools.partial(heard.append), lambda value: heard.append(value + 0))
    gc.collect()
    caller.tell(1)
    assert [1, 1, 1] == heard
    kept = copy.copy(station.functions[2])
    station.functions.clear()
    gc.collect()
    (left,) = eventually(lambda: len(given_out()) == 1 and given_out())
    assert left.name.endswith("<lambda>")
    with kept:
        kept(2)
    assert [1, 1, 1, 2] == heard
    del kept
    gc.collect()
    eventually(lambda: not given_out())


def test_unsubscribed(caller, station):
    """A function that nobody over there holds any more is not given out any more; it can be given again."""

    def function(value):
        return value + 1

    for times in (1, 2):
        caller.subscribe(*[function] * times)
        assert [2] * times == caller.tell(1)
        assert 1 == len(given_out())
        station.functions.clear()
        gc.collect()
        eventually(lambda: not given_out() and not back.waiting())


def test_given_again_and_again(caller, daemon):
    """However the news that it is not held any more crosses with calls that give it, it can be called in each."""
    seen = []

    def function(value):
        seen.append(value)
        return value

    def work():
        with connect(daemon.uriFor("station")) as mine:
            results.extend(mine.use(function, number) for number in range(25))

    results = []
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(scaled(60))

    assert sorted([*range(25)] * 4) == sorted(results) == sorted(seen)
    eventually(lambda: not given_out())


# When an end goes


def test_withdrawn(caller, station):
    """Nothing waits any more, and who calls is told what happened."""

    def function(value):
        return value

    caller.subscribe(function)
    caller.tell(1)
    eventually(lambda: back.waiting() == 1)
    station.functions[0]._pyroRelease()
    assert withdraw(function)
    eventually(lambda: not back.waiting())
    with pytest.raises((CommunicationError, DaemonError), match=r"has gone|unknown object"):
        caller.tell(2)


def test_program_that_was_killed(daemon, station):
    """Who calls it is told that it has gone, at once; another one is not disturbed."""
    program = (
        "import sys, time\n"
        "from pyronb import Proxy\n"
        "with Proxy(sys.argv[1]) as station:\n"
        "    station.subscribe(function := lambda value: value)\n"
        "    print(station.tell(1), flush=True)\n"
        "    time.sleep(60)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(daemon.uriFor("station"))], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert "[1]" == other.stdout.readline().strip()
    eventually(lambda: back.waiting() == 1)
    other.kill()
    other.wait()
    other.stdout.close()
    with station.functions[0] as function, pytest.raises(ConnectionClosedError, match="has gone"):
        function(2)
    with connect(daemon.uriFor("station")) as caller:
        station.functions.clear()
        heard = []
        hear = heard.append
        caller.subscribe(hear)
        caller.tell(3)
        assert [3] == heard


def test_daemon_that_comes_again(station, engine):
    """A daemon that was started anew, at the same place, is called and calls as before."""
    heard = []
    hear = heard.append
    with serving() as daemon, connect(daemon.register(station, "station")) as caller:
        caller.subscribe(hear)
        caller.tell(1)
        port = URI(f"PYRO:station@{daemon.locationStr}").port
    station.functions.clear()
    # The new daemon shares its program with the old one, which knows that connection to be lost.
    eventually(lambda: not any(way._waiting for office in _offices.all() for way in office._ways.values()))
    again = functools.partial(Daemon, port=port)
    with serving(again) as daemon, connect(daemon.register(station, "station")) as caller:
        caller.subscribe(hear)
        caller.tell(2)
    assert [1, 2] == heard


def test_connection_that_is_lost_while_it_waits(caller, daemon):
    """It is made again, and calls come through."""
    heard = []
    hear = heard.append
    caller.subscribe(hear)
    eventually(lambda: back.waiting() == 1)
    back.end(daemon)
    back.begin(daemon)
    assert not back.waiting()
    eventually(lambda: back.waiting() == 1)
    caller.tell(1)
    assert [1] == heard


# Those who mean no good


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


# What cannot be reached


def test_nobody_made_a_connection(daemon, monkeypatch):
    """It is said what that means, after a while; the second time at once."""
    monkeypatch.setattr(back, "PATIENCE", 0.05)
    uri = f"PYRO:function_x@{back_location(secrets.token_hex(16))}"
    with pytest.raises(ConnectionClosedError, match="cannot be reached back: the program that passed it made no conn"):
        connect(uri)
    monkeypatch.setattr(back, "PATIENCE", 60)
    limit = deadline(20)
    with pytest.raises(ConnectionClosedError, match="has gone"):
        connect(uri)
    assert not limit.passed

    async def from_the_other_room():
        monkeypatch.setattr("pyronb.net.aiostream.PATIENCE", 0.05)
        async with aio.Proxy(f"PYRO:function_x@{back_location(secrets.token_hex(16))}") as proxy:
            await proxy._pyroBind()

    with pytest.raises(ConnectionClosedError, match="cannot be reached back"):
        asyncio.run(from_the_other_room())


def test_in_a_program_without_a_daemon():
    """A reference that was passed on leads nowhere, and says so at once."""
    with pytest.raises(ConnectionClosedError, match="only the program that it was passed to can call it"):
        connect(f"PYRO:function_x@{back_location(secrets.token_hex(16))}")


def test_interrupted_while_waiting(daemon):
    """Waiting for a connection can be interrupted."""
    if not hasattr(signal, "pthread_kill") or os.name != "posix":
        pytest.skip("this system sends no signals to threads")
    before = signal.signal(signal.SIGUSR1, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    timer = threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            connect(f"PYRO:function_x@{back_location(secrets.token_hex(16))}")
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


# Where functions run


PLACE: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


@by_reference
@expose
class Reporter:
    """An object that is called back."""

    def where(self, value):
        return [PLACE.get(), value, current_context.client is not None]

    def call(self, value):
        return self.where(value)


def test_in_the_context_that_gave_it(caller):
    """A function, a coroutine and an object see the variables of the context in which they were given last."""

    def function(value):
        return Reporter().where(value)

    async def coroutine(value):
        await asyncio.sleep(0)
        return Reporter().where(value)

    reporter = Reporter()
    results = {}
    for given in (function, coroutine, reporter):
        for place in ("cell 1", "cell 2"):
            token = PLACE.set(place)
            caller.subscribe(given)
            PLACE.reset(token)
            results[given.__class__.__name__, place] = caller.tell_last(5)

    assert {True} == {served for _, _, served in results.values()}
    assert all(place == seen for (_, place), (seen, _, _) in results.items())
    assert {5} == {value for _, value, _ in results.values()}


def test_each_call_of_a_batch_is_in_that_context(caller):
    """As single calls are, of a function and of an object."""
    for given in (lambda value: Reporter().where(value), Reporter()):
        token = PLACE.set("cell 3")
        caller.subscribe(given)
        PLACE.reset(token)
        assert [["cell 3", value, True] for value in range(3)] == caller.tell_last_in_a_batch([0, 1, 2])


def test_results_by_reference(caller, station):
    """What a function gives by reference is reached in the way that the function was, while that connection stands."""

    def make(_):
        return Reporter()

    caller.subscribe(make)
    with station.functions[0] as function, function(0) as reporter:
        assert back_location(reporter._pyroUri.back) == reporter._pyroUri.location
        assert 7 == reporter.where(7)[1]
