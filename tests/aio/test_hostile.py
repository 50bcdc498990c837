"""Servers that mean harm (`tests/sync/test_hostile.py`), met by an asynchronous client with several calls at once."""

from __future__ import annotations

import asyncio
import time

import pytest

from pyronb.aio import Proxy
from tests.support.fix_daemons import answering
from tests.support.harm import has_not_grown, return_large_blocks
from tests.support.serving import client_options
from tests.support.waiting import scaled
from tests.sync.test_hostile import FINE, OPTIONS, SERVERS, check, dialects, serve


@pytest.fixture(scope="module", autouse=True)
def _measured():
    return_large_blocks()


@dialects
@pytest.mark.parametrize("name", SERVERS)
async def test_a_server_that_means_harm(name, protocol, uri):
    """It fails its own calls, and those to another server go on meanwhile."""
    with has_not_grown(), answering(serve(name)) as there:
        proxy = Proxy(there, options=client_options(protocol=protocol, **OPTIONS))
        async with Proxy(uri, options=client_options()) as healthy:
            began = time.monotonic()
            calls = [asyncio.create_task(proxy.add(1, 2)) for _ in range(2)]
            assert await healthy.add(1, 2) == 3
            assert time.monotonic() - began < scaled(5)
            results = await asyncio.gather(*calls, return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    check(name, result)
                else:
                    assert name in FINE
            assert time.monotonic() - began < scaled(10)
            await proxy._pyroRelease()
            assert await healthy.add(3, 4) == 7
