"""Relays: stand for what was passed on, and call on."""

from __future__ import annotations

import pytest

from pyronb.rpc.call import FUNCTION_PREFIX
from pyronb.server.exposure import expose
from pyronb.server.relays import Relay, relay_for
from pyronb.sync.proxy import Proxy
from tests.support.serving import connect, serving


@expose
class Lamp:
    """Can be looked at, set and called."""

    def __init__(self):
        self._level = 0

    @property
    def level(self):
        return self._level

    @level.setter
    def level(self, value):
        self._level = value

    def blink(self, times, pause=0.1):
        return ["blink", times, pause]

    def fail(self):
        raise LookupError("no lamp")


@pytest.fixture
def lamp():
    with serving() as daemon, connect(daemon.register(Lamp(), "lamp")) as proxy:
        yield relay_for(proxy)


def test_it_offers_what_the_proxy_does(lamp):
    """Calls, errors and attributes go on to where it stands for."""
    assert isinstance(lamp, Relay)
    assert ["blink", 2, 0.5] == lamp.blink(2, pause=0.5)
    with pytest.raises(LookupError, match="no lamp"):
        lamp.fail()
    lamp.level = 5
    assert 5 == lamp.level
    assert not hasattr(lamp, "explode")


def test_it_can_be_called_from_elsewhere(lamp):
    """It exposes that, and nothing of its own."""
    with serving() as daemon, connect(daemon.register(lamp, "relay")) as proxy:
        assert ["blink", 1, 0.1] == proxy.blink(1)
        proxy.level = 7
        assert 7 == proxy.level
        assert {"blink", "fail"} == proxy._pyroMethods
        assert {"level"} == proxy._pyroAttrs


def test_each_has_a_class_of_its_own():
    """A function's relay is known by an id of its own, which looks like a function's; other relays get theirs later."""
    one, two = (relay_for(Proxy(f"PYRO:{FUNCTION_PREFIX}x@localhost:9")) for _ in range(2))
    thing = relay_for(Proxy("PYRO:thing@localhost:9"))

    assert type(one) is not type(two)
    assert one._pyro_lent_as != two._pyro_lent_as
    assert one._pyro_lent_as.startswith(FUNCTION_PREFIX)
    assert thing._pyro_lent_as is None
