"""Finding objects by name from an event loop."""

from __future__ import annotations

import asyncio

import pytest

from pyronb.aio import Proxy, locateNS, resolve
from pyronb.errors import NamingError, PyroError
from tests.support.serving import client_options, lookup_at, naming
from tests.support.waiting import scaled


@pytest.fixture
def options():
    """Give the options of a client that finds a name server, which runs."""
    with naming() as daemon:
        yield client_options(lookup=lookup_at(daemon.uriFor("Pyro.NameServer")))


async def test_names(options, uri):
    """Registered, looked up, called by."""
    async with await locateNS(options=options) as names:
        assert isinstance(names, Proxy)
        await names.register("bench", uri, metadata={"a"})

        assert uri == await names.lookup("bench")
        assert uri == await resolve("PYRONAME:bench", options=options)
        assert uri == await resolve("PYROMETA:a", options=options)
        assert uri == await resolve(uri)
        async with Proxy("PYRONAME:bench", options=options) as proxy:
            assert 3 == await proxy.add(1, 2)
            await proxy._pyroBind()
            assert uri == proxy._pyroUri


async def test_many_lookups_at_once(options, uri):
    """Over the one connection of the name server's proxy, and over those of resolving."""
    async with await locateNS(options=options) as names:
        await asyncio.gather(*(names.register(f"n{number}", uri) for number in range(50)))

        assert {uri} == set(await asyncio.gather(*(names.lookup(f"n{number}") for number in range(50))))
        assert {uri} == set(await asyncio.gather(*(resolve(f"PYRONAME:n{n}", options=options) for n in range(10))))


async def test_name_that_comes_later(options, uri):
    """With a delay it is waited for, and the loop goes on meanwhile."""
    waiting = asyncio.create_task(resolve("PYRONAME:late", scaled(10), options=options))
    async with await locateNS(options=options) as names:
        await names.register("late", uri)

        assert uri == await waiting


async def test_unknown_name(options):
    """The error names it."""
    with pytest.raises(NamingError, match="nope"):
        await resolve("PYRONAME:nope", options=options)
    with pytest.raises(PyroError, match="invalid uri"):
        await resolve("nonsense")
