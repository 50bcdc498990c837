"""The thread engine: how calls and workers find each other."""

from __future__ import annotations

import threading
import time

from pyronb.errors import CommunicationError
from tests.support.held import Thing, in_threads, join, started, workers
from tests.support.serving import RawClient, connect, serving
from tests.support.waiting import eventually, scaled


def test_calls_of_different_clients_run_at_the_same_time():
    """Each has a worker while it runs."""
    thing = Thing()
    with serving() as daemon:
        uri = daemon.register(thing)

        def call(_):
            with connect(uri) as proxy:
                assert proxy.wait() == "done"

        threads = in_threads(5, call)
        started(thing, 5)
        thing.go_on.set()
        join(threads)

    assert thing.most == 5


def test_more_clients_than_workers_wait_and_are_all_served():
    """No more calls run at once than there are workers, and nobody is refused."""
    thing = Thing()
    with serving(workers=2) as daemon:
        uri, got = daemon.register(thing), []

        def call(_):
            with connect(uri) as proxy:
                got.append(proxy.wait())

        threads = in_threads(8, call)
        started(thing, 2)
        thing.go_on.set()
        join(threads)

    assert got == ["done"] * 8
    assert thing.most == 2


def test_oneway_calls_run_in_order_where_they_have_no_threads():
    """With `oneway_threaded` off they run in line: the client does not wait, its next call does."""
    thing = Thing()
    with serving(oneway_threaded=False) as daemon, connect(daemon.register(thing)) as proxy:
        for value in range(3):
            proxy.fire(value)
        started(thing)
        thing.go_on.set()
        assert proxy.echo(2) == 2
        assert thing.fired == [0, 1, 2]

    assert set(thing.threads) == {"pyronb-worker"}


def test_a_flood_of_oneway_calls_does_not_become_a_flood_of_threads():
    """Beyond some number of them the client's own worker runs them, so that the client has to slow down."""
    thing = Thing()
    with serving() as daemon, connect(daemon.register(thing)) as proxy:
        for value in range(400):
            proxy.fire(value)
        started(thing, 201)
        assert sum(thread.name == "pyronb-oneway" for thread in threading.enumerate()) == 200
        thing.go_on.set()
        eventually(lambda: len(thing.fired) == 400)
        assert proxy.echo(1) == 1


def test_workers_end_when_there_is_nothing_to_do(monkeypatch):
    """An idle daemon keeps no threads but its loop, and those that it was told to keep."""
    monkeypatch.setattr("pyronb.server.engines.threads._IDLE", 0.05)
    with serving(workers_kept=0) as daemon, connect(daemon.register(Thing())) as proxy:
        assert proxy.echo(1) == 1
        eventually(lambda: not workers())
        assert daemon._engine.workers == 0
        assert proxy.echo(2) == 2


def test_a_system_without_threads_does_not_end_the_daemon(monkeypatch, caplog):
    """The client waits until a thread can be had, or until a worker is free."""
    with serving() as daemon, connect(daemon.register(Thing())) as proxy:
        real, failures = threading.Thread.start, []

        def start(thread):
            if thread.name == "pyronb-worker" and len(failures) < 2:
                failures.append(thread)
                raise RuntimeError("can't start new thread")
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)
        eventually(lambda: daemon._engine.waiting == daemon._engine.workers)
        assert proxy.echo(1) == 1
        with RawClient(daemon.locationStr) as one, RawClient(daemon.locationStr) as other:
            assert one.greet()[0] == 2
            assert other.greet()[0] == 2


def test_closing_waits_for_running_calls_and_no_longer_than_patience():
    """A call that does not end is left to itself; its thread ends with it."""
    thing = Thing()
    with serving() as daemon:
        uri, failed = daemon.register(thing), []

        def call(_):
            try:
                with connect(uri) as proxy:
                    proxy.wait()
            except CommunicationError as error:
                failed.append(error)

        threads = in_threads(1, call)
        started(thing)
        began = time.monotonic()
        daemon.close()
        took = time.monotonic() - began
        daemon.close()
        join(threads)
        thing.go_on.set()

    assert took < scaled(3.5)
    assert len(failed) == 1
    eventually(lambda: not workers())


def test_a_client_that_was_taken_in_the_same_turn_is_not_given_away_again(monkeypatch):
    """Of what the selector has told at one time, some may be over when its turn comes."""
    done = threading.Event()
    with serving(engine="thread") as daemon, connect(daemon.uriFor("Pyro.Daemon")) as proxy:
        engine = daemon._engine
        (client,) = engine._all_clients()
        eventually(lambda: client.interest, what="the worker to give it back")
        given = []
        monkeypatch.setattr(engine, "_put", given.append)

        def turn():
            engine._unwatch_client(client)
            engine._ready(client)
            engine._watch_client(client)
            done.set()

        engine.call_soon(turn)
        assert done.wait(scaled(5))

        assert [] == given
        monkeypatch.undo()
        proxy.ping()
