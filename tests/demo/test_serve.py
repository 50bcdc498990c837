"""The demo objects are registered under their names, and what is missing is said without spoiling the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pyronb.demo.host import Host
from pyronb.demo.scope import Scope
from pyronb.demo.serve import DemoIncomplete, register_demo
from pyronb.demo.store import Store
from pyronb.uri import URI
from tests.support.paths import ROOT

pytestmark = pytest.mark.usefixtures("no_leaks")


class Daemon:
    """As much of a daemon as it takes to register."""

    def __init__(self):
        self.objects = {}

    def register(self, obj_or_class, objectId=None, force=False):
        self.objects[objectId] = obj_or_class
        return URI(f"PYRO:{objectId}@localhost:9999")


def test_three_objects_are_registered_with_daemon_and_name_server(tmp_path):
    daemon, names = Daemon(), {}

    def register(name, uri, tags):
        names[name] = (str(uri), tags)

    objects = register_demo(daemon, register, store_path=str(tmp_path / "demo.db"))
    try:
        assert {name: type(thing) for name, thing in daemon.objects.items()} == {
            "demo.host": Host,
            "demo.scope": Scope,
            "demo.store": Store,
        }
        assert names == {
            f"demo.{name}": (f"PYRO:demo.{name}@localhost:9999", {"demo", f"class:pyronb.demo.{name}.{name.title()}"})
            for name in ("host", "scope", "store")
        }
        assert objects.uris["demo.scope"].object == "demo.scope"
        assert objects.store.path == str(tmp_path / "demo.db")
    finally:
        objects.close()


def test_closing_closes_the_objects():
    objects = register_demo(Daemon())
    objects.close()
    objects.close()

    with pytest.raises(RuntimeError, match="closed"):
        objects.store.keys()
    assert list(objects.host.samples()) == []


def test_failed_registration_leaves_nothing_open():
    daemon = Daemon()

    def refuse(name, uri, tags):
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        register_demo(daemon, refuse)
    assert list(daemon.objects) == ["demo.scope"]


def test_missing_psutil_spoils_only_the_host(monkeypatch):
    monkeypatch.setattr("pyronb.demo.host._INSTALLED", False)
    daemon, names = Daemon(), []
    with pytest.raises(DemoIncomplete, match=r"pip install pyronb\[demo\]") as caught:
        register_demo(daemon, lambda name, uri, tags: names.append(name))
    objects = caught.value.objects
    try:
        assert isinstance(caught.value, ImportError)
        assert names == list(daemon.objects) == ["demo.scope", "demo.store"]
        assert objects.host is None
        assert daemon.objects["demo.store"].increment("n") == 1
    finally:
        objects.close()


def test_scope_and_store_do_not_load_psutil():
    code = "import sys; import pyronb.demo.scope, pyronb.demo.store; assert 'psutil' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
