"""What the tests of this room share: a daemon with a bench on it."""

from __future__ import annotations

import pytest

from pyronb.context import CallContext, current_context
from tests.support.fix_daemons import bench, daemon, proxy

__all__ = ["bench", "daemon", "proxy"]


@pytest.fixture(autouse=True)
def _clean_context():
    """Leave nothing in the context of the test's thread."""
    yield
    fresh = CallContext()
    for name in CallContext.__slots__:
        setattr(current_context, name, getattr(fresh, name))


@pytest.fixture
def dials(monkeypatch):
    """Count the connections that are made: a list of the addresses."""
    from pyronb.sync import driver

    made, real = [], driver.dial

    def dial(place, *args, **kwargs):
        made.append(str(place))
        return real(place, *args, **kwargs)

    monkeypatch.setattr(driver, "dial", dial)
    return made


@pytest.fixture
def sends(monkeypatch):
    """Count the messages that are sent by clients: a list of their bytes."""
    from pyronb.net.stream import SocketStream
    from pyronb.sync import driver

    said, real, real_exchange = [], driver._send, SocketStream.exchange

    def send(effect):
        said.append(b"".join(bytes(buffer) for buffer in effect.buffers))
        real(effect)

    def exchange(stream, message, limit):
        said.append(message)
        return real_exchange(stream, message, limit)

    monkeypatch.setitem(driver._GRANTS, driver.Send, send)
    monkeypatch.setattr(SocketStream, "exchange", exchange)
    return said
