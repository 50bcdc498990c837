"""The serializers auto and native, through proxies and daemons of both engines."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pytest

from pyronb.client import greeting
from pyronb.config import Configuration
from pyronb.dialects import PYRO4
from pyronb.errors import MessageTooLargeError, RemoteError, SerializeError
from pyronb.options import WireOptions
from tests.support.fix_daemons import Bench
from tests.support.serving import connect, serving

VALUE = {("a", 1): {1, 2}, "when": dt.datetime(2026, 1, 2, 3, 4), "n": (Decimal("1.5"), 1 << 80, b"\x00", 3 - 2j)}


@pytest.fixture(params=["thread", "multiplex"])
def uri(request):
    """The address of a bench, on a daemon of each engine."""
    with serving(engine=request.param) as daemon:
        yield daemon.register(Bench(), "bench")


@pytest.mark.parametrize("name", ["auto", "native"])
def test_values_arrive_as_they_were(uri, name):
    """On the long way and on the short one; errors, streams, batches and blobs too."""
    with connect(uri, serializer=name) as proxy:
        for _ in range(3):
            assert VALUE == proxy.give(VALUE)
            assert (1, 2) == proxy.give((1, 2))
        assert "native" == proxy._pyro.serializer.name
        assert name == proxy._pyroSerializer
        with pytest.raises(ValueError, match="no"):
            proxy.fail("no")
        with pytest.raises(RemoteError, match="MotorStalled"):
            proxy.stall()
        assert [0, 1, 2] == list(proxy.count(3))
        batch = proxy._pyroBatch()
        batch.give((1,))
        batch.give({2})
        assert [(1,), {2}] == list(batch())
        assert 5 == proxy.value


@pytest.mark.parametrize("size", [10, 5_000, 1_000_000])
@pytest.mark.parametrize("compression", [False, True])
def test_arrays(uri, size, compression):
    """They arrive writable, whatever their size, alone and among other values."""
    array = np.arange(size, dtype=">f4")
    with connect(uri, serializer="auto", wire=WireOptions(compression=compression)) as proxy:
        for _ in range(2):
            one = proxy.give(array)
            ((two, text),) = proxy.give([(array[::-1], "x")])
            one[0] = 7

            assert one.dtype == two.dtype == array.dtype
            assert np.array_equal(array[1:], one[1:])
            assert np.array_equal(array[::-1], two)
            assert "x" == text
        assert 0 == array[0]


def test_an_array_too_large(uri):
    """It is refused before anything is sent, and the connection stays."""
    with connect(uri, serializer="auto", wire=WireOptions(max_message_size=100_000)) as proxy:
        for _ in range(2):
            with pytest.raises(MessageTooLargeError, match="MAX_MESSAGE_SIZE"):
                proxy.give(np.zeros(20_000))
            assert np.array_equal(np.zeros(5_000), proxy.give(np.zeros(5_000)))


def test_auto_is_serpent_where_native_is_not_taken():
    """The daemon says which serializers it takes."""
    with serving(serializers=frozenset({"serpent"})) as daemon:
        uri = daemon.register(Bench())
        with connect(uri, serializer="auto") as proxy:
            assert 11 == proxy.add(1)
            assert "serpent" == proxy._pyro.serializer.name
            assert np.array_equal(np.zeros(3), proxy.give(np.zeros(3)))  # beside the payload
        with connect(uri) as proxy:
            with pytest.raises(SerializeError, match="does not accept the serializer 'native'"):
                proxy._pyroSerializer = "native"
            assert 11 == proxy.add(1)


def test_changing_while_connected(uri):
    """It holds from the next call on."""
    with connect(uri) as proxy:
        assert [1, 2] == list(proxy.give([1, 2]))
        assert proxy.give(Decimal("1.5")) == "1.5"
        proxy._pyroSerializer = "auto"
        assert proxy.give(Decimal("1.5")) == Decimal("1.5")
        proxy._pyroSerializer = "json"
        assert [1] == proxy.give((1,))


def test_the_other_protocol(uri):
    """It has a number there too, between two pyronb ends."""
    proxy = connect(uri, serializer="auto")
    proxy._pyroRelease()
    greeting._dialects.clear()
    proxy._pyro.dialect = PYRO4
    try:
        with proxy:
            assert VALUE == proxy.give(VALUE)
            assert np.array_equal(np.ones(90_000), proxy.give(np.ones(90_000)))
            assert PYRO4 is proxy._pyro.dialect
    finally:
        greeting._dialects.clear()


def test_proxies_travel(uri):
    """With a serializer that only pyronb knows set on them."""
    with connect(uri, serializer="auto") as proxy:
        arrived = proxy.give(proxy)
        assert proxy == arrived
        assert "serpent" == arrived._pyroSerializer


def test_the_configuration():
    """SERIALIZER takes it, and daemons accept native unless told otherwise."""
    config = Configuration({"PYRONB_SERIALIZER": "auto"})
    assert "auto" == config.client_options().serializer
    assert "native" in config.daemon_options().serializers
