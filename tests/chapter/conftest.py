"""What the chapter's programs take for granted: somewhere a server runs, and perhaps a name server."""

from __future__ import annotations

import contextlib
import threading

import pytest

import pyronb
from tests.support.programs import free_port
from tests.support.waiting import scaled


@pytest.fixture(autouse=True)
def _settings():
    """Start each test with the settings that a program finds, and never let one wait for ever."""
    pyronb.config.reset(use_environment=False)
    pyronb.config.HOST = pyronb.config.NS_HOST = "127.0.0.1"
    pyronb.config.POLLTIMEOUT = 0.05
    yield
    pyronb.config.reset()


@contextlib.contextmanager
def running(daemon):
    """Run a daemon's loop in a thread until the block ends."""
    thread = threading.Thread(target=daemon.requestLoop)
    with daemon:
        thread.start()
        yield daemon
    thread.join(scaled(10))
    assert not thread.is_alive()


@contextlib.contextmanager
def serving(daemon_class=pyronb.Daemon, *, port=0, **objects):
    """Serve objects under the names of the arguments, and give their daemon."""
    with running(daemon_class(port=port)) as daemon:
        for name, served in objects.items():
            daemon.register(served, name)
        yield daemon


@pytest.fixture
def serve():
    """Give a function that serves objects until the test ends, and gives their daemon."""
    with contextlib.ExitStack() as stack:

        def serve(daemon_class=pyronb.Daemon, *, port=0, **objects):
            return stack.enter_context(serving(daemon_class, port=port, **objects))

        yield serve


@pytest.fixture
def name_server():
    """Run a name server where `locateNS` looks for one, and give its address."""
    uri, daemon, _ = pyronb.startNS(port=0, enableBroadcast=False)
    with running(daemon):
        pyronb.config.NS_PORT = uri.port
        yield uri


@pytest.fixture(name="free_port")
def _free_port():
    """Give a port that a server can take, and take again."""
    return free_port()
