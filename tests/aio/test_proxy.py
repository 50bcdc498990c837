"""Proxies whose methods are awaited."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import socket
import threading

import pytest

from pyronb.aio import Proxy
from pyronb.aio.methods import RemoteAttribute, RemoteMethod
from pyronb.errors import CommunicationError, ConnectionClosedError, PyroError, SerializeError
from pyronb.sync.proxy import Proxy as SyncProxy
from tests.support.fix_daemons import answering
from tests.support.serving import client_options, serving
from tests.support.waiting import eventually, scaled

SERIALIZERS = ("serpent", "json", "marshal", "msgpack")


# Calls and attributes


@pytest.mark.parametrize("serializer", SERIALIZERS)
async def test_call(make, serializer):
    """The arguments go there, the result comes back."""
    async with make() as proxy:
        proxy._pyroSerializer = serializer

        assert 3 == await proxy.add(1, 2)
        assert [["x"], {"key": 1}] == await proxy.echo("x", key=1)


async def test_attributes(make):
    """Awaiting reads, `_pyroSet` sets; before the first connection, too."""
    async with make() as proxy:
        assert 5 == await proxy.value
        assert isinstance(proxy.value, RemoteAttribute)
        await proxy._pyroSet("value", 6)
        assert 6 == await proxy.value
        assert "fixed" == await proxy.fixed
        with pytest.raises(AttributeError):
            await proxy._pyroSet("fixed", "new")
        with pytest.raises(ValueError, match="broken"):
            await proxy.broken
    async with make() as proxy:
        await proxy._pyroSet("value", 7)
        assert 7 == await proxy.value


async def test_assigning(make, dials):
    """An assignment cannot be awaited; the error says what to write."""
    proxy = make()
    with pytest.raises(AttributeError, match=r"say: await proxy._pyroSet\('value', value\)"):
        proxy.value = 5
    with pytest.raises(AttributeError, match="not a name that a remote object can expose"):
        proxy._private = 5

    assert [] == dials


async def test_setting_what_is_not_there(make):
    """The error names the object, and what may have been meant."""
    async with make() as proxy:
        with pytest.raises(AttributeError, match=r"'value_'; did you mean 'value'\?"):
            await proxy._pyroSet("value_", 1)
        with pytest.raises(AttributeError, match="not a name"):
            await proxy._pyroSet("_private", 1)


async def test_reading_what_is_a_method(make):
    """Once connected, a method that is awaited without being called is an error from over there."""
    async with make() as proxy:
        await proxy._pyroBind()
        with pytest.raises(AttributeError, match="add"):
            await proxy.add


async def test_missing_names(make):
    """Before the first connection any public name may be there; afterwards, the error comes at once."""
    async with make() as proxy:
        with pytest.raises(AttributeError, match="nope"):
            await proxy.nope()
        with pytest.raises(AttributeError, match="no exposed attribute or method 'nope'"):
            _ = proxy.nope


async def test_dunder(make):
    """An exposed method with a double-underscore name can be called by that name, once it is known."""
    async with make() as proxy:
        with pytest.raises(AttributeError):
            _ = proxy.__len__
        await proxy._pyroBind()

        assert 42 == await proxy.__len__()


async def test_remote_error(make):
    """It is raised with its attributes; the connection survives."""
    async with make() as proxy:
        with pytest.raises(ValueError, match="boom") as caught:
            await proxy.fail("boom")

        assert "attr" == caught.value.extra
        assert 3 == await proxy.add(1, 2)


async def test_unserializable_argument(make):
    """The error names the call; nothing was sent."""
    async with make() as proxy:
        with pytest.raises(SerializeError, match="while calling 'give' of 'bench'"):
            await proxy.give(object)

        assert 3 == await proxy.add(1, 2)


async def test_oneway(make, bench, entered):
    """Nothing is waited for; many in a row arrive in order."""
    async with make() as proxy:
        for number in range(20):
            assert await proxy.fire(number) is None
        await entered(20)

    assert sorted(range(20)) == sorted(bench.calls)


async def test_large(make):
    """Messages of many megabytes go both ways, and side by side."""
    async with make() as proxy:
        text = "x" * 5_000_000
        results = await asyncio.gather(*(proxy.give(text) for _ in range(3)), proxy.add(1, 2))

        assert [text, text, text, 3] == results


# Looking at a proxy


async def test_looking(make, uri, dials):
    """Does no I/O, bound or not."""
    proxy = make()
    names = ["add", "value", "_ipython_display_", "_repr_html_", "__len__", "shape"]
    seen = [repr(proxy), dir(proxy), proxy == make(), hash(proxy), bool(proxy), [hasattr(proxy, n) for n in names]]

    assert [] == dials
    assert f"<pyronb.aio.Proxy {uri}; not connected>" == seen[0]
    assert "add" not in seen[1]
    assert [True, True, False, False, False, True] == seen[5]
    assert Proxy.__doc__.startswith("A remote object whose methods are awaited")
    await proxy._pyroBind()
    assert "connected to pyronb" in repr(proxy)
    assert {"add", "value"} <= set(dir(proxy))
    assert "Something of everything" in proxy.__doc__
    assert f"<remote method 'add' of {uri}>" == repr(proxy.add)
    assert f"<remote attribute 'value' of {uri}; await it to read it>" == repr(proxy.value)
    assert "Add two numbers." == proxy.add.__doc__
    assert 1 == len(dials)
    await proxy._pyroRelease()


async def test_methods_are_made_once(make):
    """The same object each time, once the name is known."""
    async with make() as proxy:
        assert isinstance(proxy.add, RemoteMethod)
        assert proxy.add is not proxy.add
        await proxy._pyroBind()
        assert proxy.add is proxy.add


async def test_values_travel_as_they_are(uri):
    """Without options, and where nobody configured a serializer, it is native between pyronb peers."""
    async with Proxy(uri) as proxy:
        assert proxy._pyroSerializer == "auto"
        assert await proxy.give((1, {2})) == (1, {2})


async def test_settings(make):
    """The words of the other room."""
    proxy = make()
    proxy._pyroTimeout, proxy._pyroMaxRetries, proxy._pyroHandshake = 3, 2, {"a": 1}

    assert (3, 2, {"a": 1}) == (proxy._pyroTimeout, proxy._pyroMaxRetries, proxy._pyroHandshake)
    assert set() == proxy._pyroMethods
    with pytest.raises(ValueError, match="negative"):
        proxy._pyroTimeout = -1
    with pytest.raises(SerializeError, match="unknown serializer 'nope'"):
        proxy._pyroSerializer = "nope"
    await proxy._pyroBind()
    assert "add" in proxy._pyroMethods
    assert {"fire", "misfire"} == proxy._pyroOneway
    assert "value" in proxy._pyroAttrs
    proxy._pyroClaimOwnership()
    await proxy._pyroRelease()


async def test_changing_the_address(make, daemon, bench):
    """The proxy lets go of the old object at once."""
    other = daemon.register(type(bench)(), "other")
    proxy = make()
    await proxy._pyroSet("value", 1)
    proxy._pyroUri = other

    assert not proxy._pyro.connected
    assert 5 == await proxy.value
    await proxy._pyroRelease()


# The connection


async def test_bind_and_release(make, dials):
    """Binding connects once; a released proxy connects again when it is used."""
    proxy = make()

    assert await proxy._pyroBind()
    assert not await proxy._pyroBind()
    assert proxy._pyro.latency > 0
    await proxy._pyroRelease()
    await proxy._pyroRelease()
    assert not proxy._pyro.connected
    assert 3 == await proxy.add(1, 2)
    assert 2 == len(dials)
    await proxy._pyroRelease()


async def test_first_calls_share_one_connection(make, dials):
    """However many are made at once."""
    async with make() as proxy:
        assert list(range(1, 101)) == await asyncio.gather(*(proxy.add(number, 1) for number in range(100)))

    assert 1 == len(dials)


async def test_first_calls_share_a_failure(dials):
    """When nobody answers, one attempt was made, and each call is told."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    proxy = Proxy(f"PYRO:x@127.0.0.1:{port}", options=client_options())
    results = await asyncio.gather(*(proxy.add(1, 2) for _ in range(5)), return_exceptions=True)

    assert {ConnectionClosedError} == {type(result) for result in results}
    assert f"PYRO:x@127.0.0.1:{port}" in str(results[0])
    assert 1 == len(dials)


async def test_cancelling_one_of_the_first_calls(make, dials):
    """Connecting goes on for the others; when all are cancelled, it ends."""
    async with make() as proxy:
        tasks = [asyncio.create_task(proxy.add(number, 1)) for number in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()

        assert [2, 3] == await asyncio.gather(*tasks[1:])
        assert 1 == len(dials)
        assert tasks[0].cancelled()


async def test_cancelling_all_first_calls(entered):
    """Nothing half-made is left, and the next call begins anew."""
    came, silent = threading.Event(), threading.Event()

    def say_nothing(sock):
        sock.recv(1)
        came.set()
        silent.wait(scaled(10))

    with answering(say_nothing) as uri:
        proxy = Proxy(uri, options=client_options())
        tasks = [asyncio.create_task(proxy.add(1, 2)) for _ in range(3)]
        assert await asyncio.to_thread(came.wait, scaled(5))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(0)

        assert (None, None, None) == (proxy._pyro.stream, proxy._pyro.connection, proxy._pyro.attempt)
        silent.set()


async def test_release_while_connecting():
    """Those who wait are told; no connection appears afterwards."""
    came, silent = threading.Event(), threading.Event()

    def say_nothing(sock):
        sock.recv(1)
        came.set()
        silent.wait(scaled(10))

    with answering(say_nothing) as uri:
        proxy = Proxy(uri, options=client_options())
        task = asyncio.create_task(proxy.add(1, 2))
        assert await asyncio.to_thread(came.wait, scaled(5))
        await proxy._pyroRelease()
        with pytest.raises(ConnectionClosedError, match="was released while it connected"):
            await task

        assert not proxy._pyro.connected
        silent.set()


async def test_release_fails_calls_in_flight(make, bench, entered):
    """Each names its call."""
    proxy = make()
    task = asyncio.create_task(proxy.wait())
    await entered()
    await proxy._pyroRelease()
    with pytest.raises(ConnectionClosedError, match=r"the connection was released .*'wait' of 'bench'"):
        await task
    bench.go.set()


async def test_ping(make, bench, entered):
    """Below the level of calls, also while a call is on its way."""
    async with make() as proxy:
        assert 0 < await proxy._pyroPing() < scaled(2)


async def test_reconnect(make, dials):
    """A fresh connection, even though the old one is good."""
    async with make() as proxy:
        await proxy._pyroBind()
        await proxy._pyroReconnect(1)

        assert 3 == await proxy.add(1, 2)
        assert 2 == len(dials)


async def test_dropped_proxy(make, daemon):
    """Its connection is closed, though nobody released it."""
    proxy = make()
    assert 3 == await proxy.add(1, 2)
    assert eventually(lambda: daemon._engine.clients == 1)
    del proxy
    gc.collect()
    await asyncio.sleep(0)
    await asyncio.to_thread(eventually, lambda: daemon._engine.clients == 0)


def test_loop_that_ends(make, daemon):
    """What is still open is closed with its loop; in the next loop the proxy connects anew."""
    proxy = make()
    for expected in (3, 7):

        async def use(expected=expected):
            return await proxy.add(expected - 2, 2)

        assert expected == asyncio.run(use())
        assert eventually(lambda: daemon._engine.clients == 0)


async def test_two_loops(make):
    """A proxy that is connected in one loop refuses to be used in another, and says what to do."""
    async with make() as proxy:
        await proxy._pyroBind()

        def elsewhere(proxy):
            async def use():
                async with proxy:
                    return await proxy.add(1, 2)

            return asyncio.run(use())

        with pytest.raises(PyroError, match=r"connected in another event loop: .*copy\.copy"):
            await asyncio.to_thread(elsewhere, proxy)
        assert 3 == await asyncio.to_thread(elsewhere, copy.copy(proxy))
        assert 3 == await proxy.add(1, 2)


def test_loop_that_stops_before_all_was_sent(make):
    """Calls from another loop of the same thread are not taken for some of that turn."""
    proxy = make()
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()

    async def begin():
        await proxy.add(1, 2)
        return [asyncio.create_task(proxy.add(1, number)) for number in range(3)]

    async def use():
        return await proxy.add(1, 2)

    tasks = first.run_until_complete(begin())
    assert proxy._pyro.stream._mover.held
    with pytest.raises(PyroError, match="connected in another event loop"):
        second.run_until_complete(use())
    assert [1, 2, 3] == first.run_until_complete(asyncio.wait_for(asyncio.gather(*tasks), scaled(5)))
    first.run_until_complete(proxy._pyroRelease())
    for loop in (first, second):
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def test_settings_between_two_loops(make):
    """What lets go of a connection can be set when no loop runs, whatever became of the last one."""
    proxy = make()
    for shut_down in (True, False):
        loop = asyncio.new_event_loop()

        async def use():
            return await proxy.add(1, 2)

        assert 3 == loop.run_until_complete(use())
        if shut_down:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
        proxy._pyroHmacKey = None
        assert not proxy._pyro.connected
        if not shut_down:
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()


async def test_settings_from_another_thread(make):
    """They cannot take away a connection that the loop uses."""
    async with make() as proxy:
        await proxy._pyroBind()

        def change():
            proxy._pyroHmacKey = "x"

        with pytest.raises(PyroError, match="connected in another event loop"):
            await asyncio.to_thread(change)
        assert 3 == await proxy.add(1, 2)


async def test_context_of_a_task(make):
    """What goes out beside a call is what the context held when the call was made, not when it was awaited."""
    from pyronb.context import current_context

    async with make() as proxy:
        await proxy._pyroBind()
        current_context.annotations = {"AAAA": b"a"}
        first = proxy.context()
        current_context.annotations = {"BBBB": b"b"}
        second = proxy.context()
        current_context.annotations = {}
        told = await asyncio.gather(first, second, proxy.context())

        assert [["AAAA"], ["BBBB"], []] == [[name for name, _ in each["annotations"]] for each in told]
        await proxy.context()
        assert b"there" == bytes(current_context.response_annotations["RESP"])
        await proxy.add(1, 2)
        assert {} == current_context.response_annotations


async def test_context_of_each_task(make):
    """A task that wants a context for itself alone enters one."""
    from pyronb.context import CallContext, enter

    async with make() as proxy:

        async def call(name):
            enter(CallContext(annotations={name: b"x"}))
            await asyncio.sleep(0)
            return [name for name, _ in (await proxy.context())["annotations"]]

        names = ["AAAA", "BBBB", "CCCC"]
        assert [[name] for name in names] == await asyncio.gather(*(call(name) for name in names))


async def test_given_socket(daemon):
    """Calls go over the socket that was given; releasing leaves it open, and blocking as it was."""
    sock = socket.create_connection((daemon.uriFor("bench").host, daemon.uriFor("bench").port))
    with sock:
        sock.settimeout(7)
        # The daemon wants a greeting on a connection that it took itself.
        greeter = SyncProxy(daemon.uriFor("bench"), options=client_options())
        greeter._pyroBind()
        given = greeter._pyro.stream.socket.dup()
        greeter._pyro.stream.socket.settimeout(None)
        given.settimeout(7)
        proxy = Proxy("bench", connected_socket=given, options=client_options())

        assert "<<connected-socket>>" in repr(proxy)
        assert [3, 5] == await asyncio.gather(proxy.add(1, 2), proxy.add(2, 3))
        with pytest.raises(PyroError, match="cannot be copied"):
            copy.copy(proxy)
        await proxy._pyroRelease()
        assert 7 == given.gettimeout()
        assert 0 == given.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        with pytest.raises(ConnectionClosedError, match="no longer in use"):
            await proxy.add(1, 2)
        given.close()
        greeter._pyroRelease()


async def test_unix_socket(bench):
    """Over a Unix domain socket too."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder, serving(unixsocket=f"{folder}/s") as daemon:
        async with Proxy(daemon.register(bench), options=client_options()) as proxy:
            assert 3 == await proxy.add(1, 2)


# Copies


async def test_copies(make, uri):
    """A copy has the settings and no connection; pickling too, but for what is local."""
    async with make() as proxy:
        proxy._pyroHandshake = "me"
        await proxy._pyroBind()
        other, pickled = copy.copy(proxy), pickle.loads(pickle.dumps(proxy))

        assert [Proxy, Proxy] == [type(other), type(pickled)]
        assert ["me", "me"] == [other._pyroHandshake, pickled._pyroHandshake]
        assert proxy == other == pickled
        assert not other._pyro.connected
        assert {"add"} <= pickled._pyroMethods
        assert proxy == SyncProxy(uri)


async def test_never_awaited(make):
    """A call that is not awaited is not made, and Python says so."""

    def forget():
        make().add(1, 2)
        gc.collect()

    with pytest.warns(RuntimeWarning, match="never awaited"):
        forget()


async def test_refusal(make, daemon):
    """The daemon's reason is in the error."""
    with pytest.raises(CommunicationError, match="unknown object"):
        await make(daemon.uriFor("nobody")).add(1, 2)
