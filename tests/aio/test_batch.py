"""Batches in an event loop: many calls, one message."""

from __future__ import annotations

import asyncio
import copy

import pytest

from pyronb.aio import batch
from pyronb.errors import PyroError, SerializeError
from pyronb.futures import FutureResult
from tests.support.waiting import scaled


async def test_results_in_order(make):
    """Nothing is sent before the batch is called and that is awaited; then it is empty again."""
    async with make() as proxy:
        calls = batch(proxy)
        assert calls.add(1, 2) is None
        calls.echo("x", key=1)

        assert (2, True) == (len(calls), bool(calls))
        assert [3, [["x"], {"key": 1}]] == list(await calls())
        assert 0 == len(calls)
        assert [] == list(await calls())


async def test_stops_at_the_first_error(make, bench):
    """The generator gives what came before, then raises."""
    async with make() as proxy:
        calls = proxy._pyroBatch()
        calls.add(1, 2)
        calls.fail("boom")
        calls.add(3, 4)
        results = await calls()

        assert 3 == next(results)
        with pytest.raises(ValueError, match="boom"):
            next(results)
        assert [(1, 2)] == bench.calls


async def test_oneway(make, bench, entered):
    """Nothing is waited for."""
    async with make() as proxy:
        calls = batch(proxy)
        calls.fire("a")
        calls.fire("b")

        assert await calls(oneway=True) is None
        await entered(2)
        assert ["a", "b"] == bench.calls


@pytest.mark.parametrize("option", [{"asynchronous": True}, {"async": True}])
async def test_asynchronous(make, bench, entered, option):
    """It is sent at once, whether or not anybody awaits it yet; the proxy can be used in the meantime."""
    async with make() as proxy:
        calls = batch(proxy)
        calls.add(1, 2)
        calls.wait("waited")
        sending = calls(**option)
        await entered()

        assert not sending.done()
        bench.go.set()
        assert 7 == await proxy.add(3, 4)
        assert [3, "waited"] == list(await sending)


async def test_exclusive_options(make):
    """Oneway and asynchronous together make no sense; other options do not exist. The calls are kept."""
    async with make() as proxy:
        calls = batch(proxy)
        calls.add(1, 2)
        with pytest.raises(PyroError, match="async oneway calls make no sense"):
            calls(oneway=True, asynchronous=True)
        with pytest.raises(TypeError, match="no option fast"):
            calls(fast=True)

        assert [3] == list(await calls())


async def test_names(make):
    """Once they are known, only those of methods are taken."""
    async with make() as proxy:
        calls = batch(proxy)
        calls.nope()
        with pytest.raises(AttributeError, match="nope"):
            await calls()
        with pytest.raises(AttributeError, match="'nope'"):
            calls.nope()
        with pytest.raises(AttributeError, match="is an attribute; only methods"):
            _ = calls.value
        assert "add" in dir(calls)


async def test_unserializable_argument(make):
    """Nothing was sent, and the connection survives."""
    async with make() as proxy:
        calls = batch(proxy)
        calls.give(object)
        with pytest.raises(SerializeError, match="<batch>"):
            await calls()

        assert 3 == await proxy.add(1, 2)


async def test_looking(make, uri, dials):
    """A batch shows itself and can be copied, without I/O."""
    calls = batch(make())
    calls.add(1, 2)

    assert f"<pyronb.aio.BatchProxy of {uri}; 1 calls>" == repr(calls) == repr(copy.copy(calls))
    assert [] == dials


# Futures of the other room


async def test_futures_can_be_awaited():
    """A `FutureResult` of a background call fits into a loop, with its chain, its errors and its cancelling."""
    loop = asyncio.get_running_loop()
    good, bad = FutureResult(), FutureResult()
    good.then(lambda value: value + 1)
    loop.run_in_executor(None, good.set_result, 1)
    loop.run_in_executor(None, bad.set_exception, ValueError("boom"))

    assert 2 == await asyncio.wait_for(asyncio.wrap_future(good), scaled(5))
    assert 2 == await good
    with pytest.raises(ValueError, match="boom"):
        await bad
