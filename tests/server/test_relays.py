"""Relays: stand for what was passed on, and call on."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest

from pyronb.rpc.call import FUNCTION_PREFIX
from pyronb.server.exposure import expose
from pyronb.server.relays import Relay, relay_for
from pyronb.sync.proxy import Proxy
from tests.support.fix_stations import Reporter, nothing_waits
from tests.support.paths import ROOT
from tests.support.serving import connect, serving

__all__ = ["nothing_waits"]


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


@contextlib.contextmanager
def station_elsewhere():
    """Give the URI of a station in a process of its own."""
    program = (
        "from pyronb import Daemon\n"
        "from tests.support.fix_stations import Station\n"
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
