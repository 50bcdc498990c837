"""The room for asyncio with real Pyro4 and Pyro5 daemons and name servers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import uuid
from importlib.util import find_spec

import pytest

from pyronb import errors
from pyronb.aio import Proxy, batch, locateNS, resolve
from pyronb.context import CallContext, enter, leave
from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import CommunicationError, NamingError, ProtocolError, RemoteError
from pyronb.server.exposure import callback, expose
from pyronb.tracebacks import getPyroTraceback
from pyronb.uri import URI
from tests.interop.conftest import peer
from tests.support.serving import client_options, lookup_at, serving
from tests.support.waiting import scaled

FAMILIES = [
    pytest.param(family, marks=pytest.mark.skipif(find_spec(family) is None, reason=f"{family} is not installed"))
    for family in ("Pyro5", "Pyro4")
]
SERIALIZERS = ("serpent", "json", "marshal", "msgpack")


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def names(family):
    """Give the address of a real name server."""
    with peer(f"{family.lower()}_ns.py") as uri:
        yield URI(uri)


@pytest.fixture(scope="module")
def daemon(family, names):
    """Give the address of an object of a real daemon, which is known as `real.thing`."""
    options = {"ns": [names.host, names.port], "name": "real.thing", "accept": list(SERIALIZERS)}
    with peer(f"{family.lower()}_daemon.py", options) as uri:
        yield URI(uri)


@pytest.fixture
def make(daemon):
    """Give a function that makes a proxy for the object."""

    def make(**options):
        return Proxy(daemon, options=client_options(**options))

    return make


@contextlib.contextmanager
def in_context(**fields):
    """Have these go out beside calls."""
    token = enter(CallContext(**fields))
    try:
        yield
    finally:
        leave(token)


@pytest.mark.parametrize("serializer", SERIALIZERS)
async def test_calls(make, family, serializer):
    """Calls, attributes, errors; in the dialect that the daemon speaks."""
    async with make(serializer=serializer) as proxy:
        assert [3, 11] == [await proxy.add(1, 2), await proxy.add(a=1)]
        assert {"a": [1, "b", None]} == await proxy.echo({"a": [1, "b", None]})
        assert 42 == await proxy.read_only
        await proxy._pyroSet("value", 7)
        assert 7 == await proxy.value
        with pytest.raises(ValueError, match="boom") as caught:
            await proxy.fail()
        assert "in fail" in "".join(getPyroTraceback(caught.value))
        with pytest.raises(RemoteError, match="CustomError"):
            await proxy.fail("custom")
        with pytest.raises(AttributeError, match="nope"):
            _ = proxy.nope
        assert (PYRO5 if family == "Pyro5" else PYRO4) is proxy._pyro.dialect
        assert f"connected to {family}" in repr(proxy)


@pytest.mark.parametrize("serializer", ["serpent", "msgpack"])
async def test_a_thousand_calls(make, serializer):
    """On one connection, all at once."""
    async with make(serializer=serializer) as proxy:
        for _ in range(2):
            assert list(range(1000)) == await asyncio.gather(*(proxy.add(number, 0) for number in range(1000)))


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux can be told to acknowledge at once")
async def test_no_late_acknowledgements(make):
    """Several small replies in a row come without 40 ms for an acknowledgement, which each of the rounds would take."""
    async with make() as proxy:
        await proxy._pyroBind()
        fastest = 1.0
        for _ in range(50):
            began = time.monotonic()
            assert [1, 2, 3] == await asyncio.gather(*(proxy.add(number, 0) for number in (1, 2, 3)))
            fastest = min(fastest, time.monotonic() - began)

        assert fastest < 0.03


async def test_large(make):
    """Five megabytes, twice at once."""
    async with make(serializer="serpent") as proxy:
        text = "0123456789" * 500_000

        assert [text, text, 3] == await asyncio.gather(proxy.echo(text), proxy.echo(text), proxy.add(1, 2))


async def test_compressed(daemon):
    """Payloads that we compress."""
    options = client_options()
    options = client_options(wire=type(options.wire)(compression=True))
    async with Proxy(daemon, options=options) as proxy:
        assert "x" * 10_000 == await proxy.echo("x" * 10_000)


async def test_cancelled_and_late(make):
    """Calls that are cancelled or take too long give up their own replies alone."""
    async with make(serializer="serpent") as proxy:
        await proxy._pyroBind()
        tasks = [asyncio.create_task(proxy.echo("x" * 200_000)) for _ in range(10)]
        others = [asyncio.create_task(proxy.add(number, 0)) for number in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()

        assert list(range(10)) == await asyncio.gather(*others)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 5
        proxy._pyroTimeout = 0.0001
        with pytest.raises(errors.TimeoutError):
            await proxy.echo("x" * 1_000_000)
        proxy._pyroTimeout = None
        assert 3 == await proxy.add(1, 2)


async def test_batch(make):
    """Many calls in one message, an error among them, and oneway."""
    async with make() as proxy:
        calls = batch(proxy)
        calls.add(1, 2)
        calls.fail()
        calls.add(3, 4)
        results = await calls()

        assert 3 == next(results)
        with pytest.raises(ValueError, match="boom"):
            next(results)
        mark = str(uuid.uuid4())
        calls.fire(mark)
        assert await calls(oneway=True) is None
        while mark not in map(str, await proxy.fired()):
            await asyncio.sleep(0.01)


async def test_oneway(make):
    """Nothing is waited for."""
    async with make() as proxy:
        await proxy._pyroBind()
        mark = str(uuid.uuid4())
        assert await proxy.fire(mark) is None
        assert await proxy.fire_and_fail() is None
        while mark not in map(str, await proxy.fired()):
            await asyncio.sleep(0.01)


async def test_streams(make):
    """Several at once, one that fails, one that is given up."""
    async with make() as proxy:

        async def drain():
            return [item async for item in await proxy.count(20)]

        assert [list(range(20))] * 3 == await asyncio.gather(drain(), drain(), drain())
        failing = await proxy.count_and_fail()
        assert 1 == await anext(failing)
        with pytest.raises(ValueError, match="in stream"):
            await anext(failing)
        left = await proxy.count(77)
        assert 0 == await anext(left)
        await left.aclose()
        assert 3 == await proxy.add(1, 2)


async def test_beside_the_call(make):
    """Annotations there and back, and the correlation id."""
    async with make() as proxy:
        await proxy._pyroBind()
        wanted = uuid.uuid4()
        with in_context(annotations={"TEST": b"abc"}, correlation_id=wanted):
            assert "abc" == await proxy.annotations()
            assert str(wanted) == await proxy.correlation()


async def test_proxies(make):
    """Objects that are registered over there arrive as proxies of this room."""
    async with make() as proxy:
        other = await proxy.give_other()
        inside = (await proxy.give_others())["list"][0]

        assert [Proxy, Proxy] == [type(other), type(inside)]
        async with other:
            assert 3 == await other.add(1, 2)


async def test_callback(make):
    """The daemon calls an object of ours while we wait for it."""

    @expose
    class Listener:
        @callback
        def receive(self, value):
            return value + 1

    with serving() as own:
        listener = Listener()
        own.register(listener)
        async with make() as proxy:
            assert ["called back", 6] == await proxy.call_back(Proxy(own.uriFor(listener)), 5)


async def test_handshake(make):
    """What we say is answered, or refused with a reason."""
    async with make() as proxy:
        proxy._pyroHandshake = "it is me"
        await proxy._pyroBind()
        assert {"welcome": "it is me"} == proxy._pyro.handshake_answer
        assert 0 < await proxy._pyroPing(scaled(5)) < scaled(5)
    proxy = make()
    proxy._pyroHandshake = "refuse"
    with pytest.raises(CommunicationError, match="you are not welcome: größe"):
        await proxy._pyroBind()


async def test_names(names, daemon, family):
    """A real name server is asked, by many at once."""
    options = client_options(lookup=lookup_at(names))
    async with await locateNS(names.host, names.port, options=options) as server:
        await asyncio.gather(*(server.register(f"aio.{number}", daemon) for number in range(20)))

        assert {daemon} == set(await asyncio.gather(*(server.lookup(f"aio.{number}") for number in range(20))))
        assert 20 == len(await server.list(prefix="aio."))
        assert 20 == await server.remove(prefix="aio.")
    assert daemon == await resolve("PYRONAME:real.thing", options=options)
    assert daemon == await resolve("PYROMETA:interop,real.thing", options=options)
    async with Proxy("PYRONAME:real.thing", options=options) as proxy:
        assert 3 == await proxy.add(1, 2)
    with pytest.raises(NamingError, match="nope"):
        await resolve("PYRONAME:nope", options=options)


@pytest.mark.skipif(find_spec("Pyro4") is None, reason="Pyro4 is not installed")
@pytest.mark.parametrize("servertype", ["thread", "multiplex"])
async def test_key(servertype):
    """A real Pyro4 daemon with a key."""
    with peer("pyro4_daemon.py", {"key": "secret", "servertype": servertype}) as uri:
        async with Proxy(uri, options=client_options()) as proxy:
            proxy._pyroHmacKey = "secret"

            assert list(range(100)) == await asyncio.gather(*(proxy.add(number, 0) for number in range(100)))


async def test_unix_socket(family, tmp_path):
    """Over a Unix domain socket."""
    with peer(f"{family.lower()}_daemon.py", {"unixsocket": str(tmp_path / "s")}) as uri:
        async with Proxy(uri, options=client_options()) as proxy:
            assert [1, 2] == await asyncio.gather(proxy.add(1, 0), proxy.add(2, 0))


async def test_daemon_that_dies(family):
    """All calls in flight are told, and the next one finds nobody."""
    with contextlib.ExitStack() as stack:
        uri = stack.enter_context(peer(f"{family.lower()}_daemon.py"))
        proxy = Proxy(uri, options=client_options())
        await proxy._pyroBind()
        tasks = [asyncio.create_task(proxy.count(10)) for _ in range(3)]
        streams = await asyncio.gather(*tasks)
        await asyncio.to_thread(stack.close)
        results = await asyncio.gather(*(anext(stream) for stream in streams), return_exceptions=True)

        assert all(isinstance(result, CommunicationError) for result in results)
        with pytest.raises(errors.ConnectionClosedError, match="is the program that serves it running"):
            await proxy.add(1, 2)
        assert not any(isinstance(result, ProtocolError) for result in results)
