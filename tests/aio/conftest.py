"""What the tests of this room share: a daemon with a bench on it, and ways to wait that do not stop the loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pyronb.aio import Proxy
from pyronb.context import CallContext, current_context
from tests.support.fix_daemons import bench, daemon
from tests.support.serving import client_options
from tests.support.waiting import scaled

__all__ = ["bench", "daemon"]


@pytest.fixture
def uri(daemon):
    """Give the address of the bench."""
    return daemon.uriFor("bench")


@pytest.fixture
def make(uri):
    """Give a function that makes a proxy for the bench, or for another address, with no test waiting for ever."""

    def make(where=uri, **options):
        return Proxy(where, options=client_options(**options))

    return make


@pytest.fixture
def entered(bench):
    """Give a coroutine function that waits until somebody is in `bench.wait`, or several are."""

    async def entered(count=1):
        for _ in range(count):
            assert await asyncio.to_thread(bench.entered.acquire, timeout=scaled(5))

    return entered


@pytest.fixture
def dials(monkeypatch):
    """Count the connections that are made: a list of the addresses."""
    from pyronb.net import aiostream

    made, real = [], aiostream.dial

    async def dial(place, *args, **kwargs):
        made.append(str(place))
        return await real(place, *args, **kwargs)

    monkeypatch.setattr(aiostream, "dial", dial)
    return made


@pytest.fixture(autouse=True)
def _clean_context():
    """Leave nothing in the context of the test's thread."""
    yield
    fresh = CallContext()
    for name in CallContext.__slots__:
        setattr(current_context, name, getattr(fresh, name))


@pytest.fixture(autouse=True)
def _no_executor_threads():
    """Let asyncio's own helper threads end before leaks are looked for."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("asyncio_"):
            thread.join(scaled(5))
