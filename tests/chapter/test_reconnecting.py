"""RECO: automatic reconnecting."""

from __future__ import annotations

import threading

import pytest

import pyronb
from tests.chapter.conftest import serving


@pyronb.expose
class Thing:
    """Can be called."""

    def __init__(self, version=1):
        self._version = version

    def version(self):
        return self._version


@pytest.fixture
def uri(free_port):
    """Give an address that stays the same however often its server is started."""
    return f"PYRO:thing@127.0.0.1:{free_port}"


def restarted(uri, version=2):
    """Serve another thing under the same address."""
    return serving(port=pyronb.URI(uri).port, thing=Thing(version))


@pytest.fixture
def orphan(uri):
    """Give a proxy whose server has gone."""
    p = pyronb.Proxy(uri)
    with restarted(uri, version=1):
        p.version()
    yield p
    p._pyroRelease()


def test_s92_lost_connection(orphan):
    """The call fails with the exception that the chapter names, whose text says what comes next."""
    with pytest.raises(pyronb.errors.ConnectionClosedError, match=r"version.*thing"):
        orphan.version()
    with pytest.raises(pyronb.errors.ConnectionClosedError, match="running"):
        orphan.version()


def test_s92_no_silent_second_call(orphan, uri):
    """Though the server is back, a call that may have run is not made again by itself; the next one connects."""
    with restarted(uri):
        with pytest.raises(pyronb.errors.ConnectionClosedError):
            orphan.version()

        assert 2 == orphan.version()


def test_s93_with_automatic_retry(orphan, uri):
    """Retries take care of it."""
    orphan._pyroMaxRetries = 1
    with restarted(uri):
        assert 2 == orphan.version()


def test_s94_reconnect(orphan, uri):
    """It tries so often, and afterwards the proxy works again."""
    with pytest.raises(pyronb.errors.ConnectionClosedError, match="failed to reconnect"):
        orphan._pyroReconnect(1)
    with restarted(uri):
        try:
            orphan.version()
        except pyronb.errors.ConnectionClosedError:
            orphan._pyroReconnect()

        assert 2 == orphan.version()


def test_s94_reconnect_waits_for_the_server(orphan, uri):
    """By default it goes on trying until the server is there."""
    work = threading.Thread(target=orphan._pyroReconnect)
    work.start()
    work.join(0.1)
    assert work.is_alive()
    with restarted(uri):
        work.join(20)

        assert not work.is_alive()
        assert 2 == orphan.version()
        orphan._pyroRelease()


def test_s95_only_with_the_same_address(orphan, uri):
    """Another object id, or another port, is another object."""
    with (
        serving(port=pyronb.URI(uri).port, renamed=Thing()),
        pytest.raises(pyronb.errors.ConnectionClosedError, match="thing"),
    ):
        orphan._pyroReconnect(1)
    with serving(thing=Thing()), pytest.raises(pyronb.errors.ConnectionClosedError):
        orphan._pyroReconnect(1)


def test_s96_reconnect_connects_a_new_proxy(uri):
    """At once, rather than on first use."""
    with restarted(uri):
        p = pyronb.Proxy(uri)
        assert p._pyroConnection is None
        p._pyroReconnect()

        assert p._pyroConnection is not None
        p._pyroRelease()
