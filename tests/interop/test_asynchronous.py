"""Calls in the background of real daemons, which answer those of one connection one after the other."""

from __future__ import annotations

import time
from collections import Counter

import pytest

import pyronb
from pyronb.errors import ConnectionClosedError, PyroError
from tests.interop.conftest import peer
from tests.interop.tools import FAMILIES
from tests.support.serving import client_options
from tests.support.waiting import eventually, scaled

SERIALIZERS = ("serpent", "json", "marshal", "msgpack")


def daemon_of(family, **options):
    """Start a real daemon."""
    return peer(f"{family.lower()}_daemon.py", {"accept": list(SERIALIZERS), **options})


@pytest.fixture(scope="module", params=FAMILIES)
def daemon(request):
    """Give the address of an object of a real daemon."""
    with daemon_of(request.param) as uri:
        yield uri


def background_for(uri, **options):
    """Give an async proxy that was never connected."""
    return pyronb.asyncproxy(pyronb.Proxy(uri, options=client_options(**options)))


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_many_calls(daemon, serializer):
    """All come to what they should, quick ones and those that fail, small and large ones."""
    with background_for(daemon, serializer=serializer) as background:
        futures = [background.add(number, 0) for number in range(1000)]
        failing = [background.fail() for _ in range(10)]
        large = [background.echo("x" * 100_000) for _ in range(3)]

        assert list(range(1000)) == [future.value for future in futures]
        assert [ValueError] * 10 == [type(future.exception(scaled(10))) for future in failing]
        assert ["x" * 100_000] * 3 == [future.value for future in large]


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("key", ["secret", "größe"])
@pytest.mark.parametrize("family", FAMILIES[1:])
def test_many_signed_calls(family, key, retries):
    """A key is no reason for another way, nor are retries."""
    with daemon_of(family, key=key) as uri, pyronb.Proxy(uri, options=client_options(max_retries=retries)) as proxy:
        proxy._pyroHmacKey = key
        with pyronb.asyncproxy(proxy) as background:
            futures = [background.add(number, 0) for number in range(300)]
            assert list(range(300)) == [future.value for future in futures]
        proxy._pyroHmacKey = "wrong"
        with pyronb.asyncproxy(proxy) as background, pytest.raises(PyroError):
            _ = background.add(1, 2).value


def test_no_late_acknowledgements(daemon):
    """No reply waits for 40 ms until an acknowledgement is sent."""
    with background_for(daemon) as background:
        assert 3 == background.add(1, 2).value
        fastest = 1.0
        for _ in range(20):
            began = time.monotonic()
            assert [1, 2, 3] == [future.value for future in [background.add(number, 0) for number in (1, 2, 3)]]
            fastest = min(fastest, time.monotonic() - began)

        assert fastest < 0.03


def test_calls_that_take_long_run_together(daemon):
    """And quick ones are answered meanwhile, before all of them have ended."""
    with background_for(daemon) as background:
        began = time.monotonic()
        slow = [background.sleep(3.0) for _ in range(20)]
        assert list(range(100)) == [future.value for future in [background.add(number, 0) for number in range(100)]]
        assert not all(future.ready for future in slow)
        assert [None] * 20 == [future.value for future in slow]

        assert time.monotonic() - began < 20 * 3.0 / 2


def test_oneway_streams_and_batches(daemon):
    """What is not plain goes the long way, towards real daemons too."""
    with background_for(daemon) as background:
        assert background.fire(7).value is None
        streams = [background.count(10).value for _ in range(3)]

        assert [list(range(10))] * 3 == [list(stream) for stream in streams]
        eventually(lambda: 7 in background.fired().value)


def test_streams_that_are_given_up(daemon):
    """The daemon is told at once of one that is closed, and with the next calls of one that is dropped."""
    with background_for(daemon) as background:
        closed, dropped = background.count(101).value, background.count(102).value
        assert [0, 0] == [next(closed), next(dropped)]
        assert not {-101, -102} & set(background.fired().value)
        closed.close()
        eventually(lambda: -101 in background.fired().value)
        del dropped
        eventually(lambda: -102 in background.fired().value)


def all_come(background, slow, seconds):
    """Have some calls of so many seconds made, and many quick ones after them."""
    sleeping = [background.sleep(seconds) for _ in range(slow)]
    futures = [background.add(number, 0) for number in range(300)]

    assert list(range(300)) == [future.value for future in futures]
    assert [None] * slow == [future.value for future in sleeping]


@pytest.mark.parametrize("family", FAMILIES[:1])
def test_a_daemon_with_few_workers(family):
    """It refuses further connections, and those that it took do it all."""
    with daemon_of(family, workers=4) as uri, background_for(uri) as background:
        all_come(background, slow=8, seconds=0.3)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_multiplex_daemon(family):
    """It does one thing at a time, connecting included."""
    with daemon_of(family, servertype="multiplex") as uri, background_for(uri) as background:
        all_come(background, slow=5, seconds=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_daemon_that_is_killed(family):
    """What it had answered stays, all else fails soon."""
    with daemon_of(family) as uri:
        background = background_for(uri)
        futures = [background.sleep(0.02) for _ in range(3000)]
        assert futures[50].wait(scaled(20))
    found = Counter(type(future.exception(scaled(20))) for future in futures)

    assert {type(None), ConnectionClosedError} == set(found)
    assert found[type(None)] > 50 / 2
    background._pyroRelease()
