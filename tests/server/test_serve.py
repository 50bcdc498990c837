"""serveSimple: a server in one line."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from pyronb.config import config
from pyronb.errors import NamingError
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from pyronb.server.serve import serveSimple
from pyronb.uri import URI
from tests.support.serving import LOCAL, connect, naming
from tests.support.waiting import eventually, scaled


@expose
class Thing:
    def echo(self, value):
        return value


@contextmanager
def running(*args, daemon, **kwargs):
    thread = threading.Thread(target=serveSimple, args=args, kwargs={"daemon": daemon, **kwargs})
    thread.start()
    try:
        yield
    finally:
        daemon.shutdown()
        thread.join(scaled(5))
    assert not thread.is_alive()


def test_objects_and_classes_are_served_under_their_names(capsys):
    """In a name server; it is said where they are."""
    with naming() as names, Daemon(LOCAL) as daemon, pytest.MonkeyPatch.context() as patch:
        patch.setitem(config._values, "NS_HOST", LOCAL)
        patch.setitem(config._values, "NS_PORT", names.uri.port)
        with running({Thing(): "the.object", Thing: "the.class"}, daemon=daemon):
            found = eventually(lambda: len(names.nameserver.list("the.")) == 2 and names.nameserver.list("the."))
            for uri in found.values():
                with connect(uri) as proxy:
                    assert proxy.echo(1) == 1

    out = capsys.readouterr().out
    assert f"the.object: {found['the.object']}\n" in out
    assert out.endswith("ready\n")


def test_without_a_name_server_names_are_object_ids(capsys):
    """And nothing is printed when nothing should be."""
    with Daemon(LOCAL) as daemon, running({Thing(): "thing", Thing: None}, daemon=daemon, ns=False, verbose=False):
        with connect(eventually(lambda: daemon.objectsById.get("thing") and daemon.uriFor("thing"))) as proxy:
            assert proxy.echo(1) == 1
        assert len(daemon.objectsById) == 3

    assert capsys.readouterr().out == ""


def test_pyro4_programs_find_it_at_the_daemon():
    """`Daemon.serveSimple` is the same."""
    with Daemon(LOCAL) as daemon:
        thread = threading.Thread(
            target=Daemon.serveSimple, args=({Thing(): "thing"},), kwargs={"daemon": daemon, "ns": False}
        )
        thread.start()
        with connect(eventually(lambda: daemon.objectsById.get("thing") and daemon.uriFor("thing"))) as proxy:
            assert proxy.echo(1) == 1
        daemon.shutdown()
        thread.join(scaled(5))
        assert not thread.is_alive()


def test_a_missing_name_server_is_an_error(monkeypatch):
    """Its own daemon is closed then; a given one stays open."""
    with Daemon(LOCAL) as taken, Daemon(LOCAL) as daemon:
        port = URI(f"PYRO:x@{taken.locationStr}").port
        taken.close()
        monkeypatch.setitem(config._values, "NS_HOST", LOCAL)
        monkeypatch.setitem(config._values, "NS_PORT", port)
        with pytest.raises(NamingError):
            serveSimple({Thing(): "thing"}, host=LOCAL, verbose=False)
        with pytest.raises(NamingError):
            serveSimple({Thing(): "thing"}, daemon=daemon, verbose=False)
        assert "closed" not in repr(daemon)
