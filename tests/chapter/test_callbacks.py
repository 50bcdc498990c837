"""CB: Pyro callbacks."""

from __future__ import annotations

import logging
import threading

import pytest

import pyronb
from tests.chapter.conftest import running


@pyronb.expose
class Server:
    """Calls back whoever calls."""

    def __init__(self):
        self.caught = []

    def work(self, callback, times=1):
        with callback:
            return [callback.call(number) for number in range(times)]

    def work_and_catch(self, callback):
        with callback:
            try:
                callback.crash()
            except ZeroDivisionError as error:
                self.caught.append(error)
                return "caught"

    @pyronb.oneway
    def later(self, callback):
        with callback:
            callback.call("later")


class Callback:
    """Lives in the client."""

    def __init__(self):
        self.received = []
        self.threads = set()

    @pyronb.expose
    def call(self, value):
        self.received.append(value)
        self.threads.add(threading.get_ident())
        return f"client saw {value}"

    @pyronb.expose
    @pyronb.callback
    def crash(self):
        return 1 // 0

    @pyronb.expose
    def crash_quietly(self):
        return 1 // 0


@pytest.fixture
def server(serve):
    """Give the object itself and a proxy for it."""
    here = Server()
    with pyronb.Proxy(serve(server=here).uriFor("server")) as proxy:
        yield here, proxy


def test_s79_s80_server_calls_the_client(server):
    """The client runs a daemon with the callback object in it, and the server calls that."""
    _, proxy = server
    callback = Callback()
    with running(pyronb.Daemon()) as daemon:
        daemon.register(callback)

        assert ["client saw 0", "client saw 1"] == proxy.work(callback, 2)
    assert [0, 1] == callback.received


def test_s80_without_a_registered_object(server):
    """An object that no daemon knows cannot be called back, and the error says what it is."""
    _, proxy = server
    with pytest.raises(pyronb.errors.SerializeError, match="Callback"):
        proxy.work(Callback())


def test_s81_while_the_client_waits(server):
    """With the loop in a thread of its own, callbacks come while the client is inside its call."""
    _, proxy = server
    callback = Callback()
    with running(pyronb.Daemon()) as daemon:
        daemon.register(callback)
        proxy.work(callback)

        assert callback.threads
        assert threading.get_ident() not in callback.threads


def test_s81_with_oneway_calls(server):
    """Without such a thread a oneway call leaves the client free to run its own loop."""
    _, proxy = server
    callback = Callback()
    with pyronb.Daemon() as daemon:
        daemon.register(callback)
        proxy.later(callback)
        daemon.requestLoop(lambda: not callback.received)

    assert ["later"] == callback.received


def test_s82_exception_goes_to_the_server(server):
    """What a callback raises is raised where the server called it."""
    here, proxy = server
    callback = Callback()
    with running(pyronb.Daemon()) as daemon:
        daemon.register(callback)

        assert "caught" == proxy.work_and_catch(callback)
    assert "integer division or modulo by zero" == str(here.caught[0])


@pytest.mark.parametrize(("method", "logged"), [("crash", True), ("crash_quietly", False)])
def test_s83_logged_where_it_happened(caplog, method, logged):
    """With the decorator the error is logged in the client too, with its stack trace."""
    with (
        running(pyronb.Daemon()) as daemon,
        pyronb.Proxy(daemon.register(Callback())) as proxy,
        caplog.at_level(logging.ERROR, "pyronb"),
        pytest.raises(ZeroDivisionError),
    ):
        getattr(proxy, method)()
    assert logged == ("Traceback" in caplog.text)
    assert logged == ("return 1 // 0" in caplog.text)


def test_s79_plain_functions(server):
    """A function of the client can be given as it is; then there is no daemon to care for."""
    _, proxy = server
    received = []

    assert [None, None] == proxy.work(received.append, 2)
    assert [0, 1] == received
