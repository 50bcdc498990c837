"""Holds: arrivals of proxies that lead back to the program that passed them."""

from __future__ import annotations

import copy
import gc

import pytest

from pyronb.client.holds import CHANGES
from pyronb.dialects import PYRO5
from pyronb.sync.proxy import Proxy, _proxy_or_stream
from pyronb.uri import back_location

KEY = "e" * 32


@pytest.fixture(autouse=True)
def _nothing_to_tell():
    """Leave nothing that a daemon of another test would tell to nobody."""
    yield
    gc.collect()
    others = [change for change in CHANGES if change[0] != KEY]
    CHANGES.clear()
    CHANGES.extend(others)


def arrived(location):
    return _proxy_or_stream((f"PYRO:thing@{location}", (), ("call",), (), "hello", None), PYRO5)


def changes():
    return [change for key, _, change in CHANGES if key == KEY]


def test_arrival_and_end():
    """One hold comes with a proxy, is shared by its copies, and goes with the last of them."""
    proxy = arrived(back_location(KEY))
    other = copy.copy(proxy)

    assert [1] == changes()
    method = other.call
    del proxy, other
    gc.collect()
    assert [1] == changes()
    del method
    gc.collect()
    assert [1, -1] == changes()


def test_other_proxies():
    """Nobody counts those that can be reached from everywhere, or that were made here."""
    assert arrived("localhost:4444")._pyro.hold is None
    assert Proxy(f"PYRO:thing@{back_location(KEY)}")._pyro.hold is None
