"""The extension as the Jupyter server sees it: found, configured, safe, and stopped again."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
import threading
import warnings

import pytest
from jupyter_server.extension.utils import validate_extension
from jupyter_server.serverapp import JupyterServerAuthWarning
from traitlets import TraitError
from traitlets.config import Config

import pyronb
from pyronb.config import config
from pyronb.jupyter.server.extension import PyronbServer, _jupyter_server_extension_points
from pyronb.jupyter.server.manager import ManagerClosedError
from tests.jupyter.server.peers import listening, silent
from tests.support.paths import ROOT
from tests.support.waiting import eventually


@pytest.fixture
def jp_server_config():
    return {"ServerApp": {"jpserver_extensions": {"pyronb": True}, "allow_unauthenticated_access": False}}


def configured(**settings):
    return PyronbServer(config=Config({"PyronbServer": settings}))


def test_package_names_the_extension():
    """`pyronb` is what people enable; it hands on to here."""
    assert pyronb._jupyter_server_extension_points() == _jupyter_server_extension_points()
    assert validate_extension("pyronb")


def test_extension_is_enabled_by_its_file():
    """Installing is enabling."""
    text = (ROOT / "jupyter-config" / "server-config" / "pyronb.json").read_text()

    assert json.loads(text) == {"ServerApp": {"jpserver_extensions": {"pyronb": True}}}


def test_point_can_be_loaded():
    """The module that the point names is there."""
    (point,) = _jupyter_server_extension_points()

    assert importlib.import_module(point["module"]).PyronbServer is point["app"]


def test_import_brings_nothing_of_the_kernel():
    """A Jupyter server has no use for IPython and widgets."""
    names = ("IPython", "ipywidgets", "ipykernel")
    program = f"import sys, pyronb.jupyter.server.extension; print([m for m in {names} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True)

    assert ran.stdout == "[]\n"


def test_defaults():
    """Without any configuration it is the name server that locateNS finds."""
    app = configured()

    assert app.name_server == f"{config.NS_HOST}:{config.NS_PORT}"
    assert (app.timeout, app.interval) == (2.0, 2.0)
    assert (app.name_servers, app.may_add, app.read_only) == ([], True, False)


def test_default_name_server_is_that_of_pyronb(monkeypatch):
    """PYRO_NS_HOST and PYRO_NS_PORT count here as in a kernel."""
    monkeypatch.setitem(config._values, "NS_HOST", "::1")
    monkeypatch.setitem(config._values, "NS_PORT", 9999)

    assert configured().name_server == "[::1]:9999"


@pytest.mark.parametrize("text", ["lab:9090", "lab", "[::1]:9090", "./u:/tmp/ns.sock", "", " lab:1 "])
def test_name_servers_that_can_be_configured(text):
    """Every form of an address, and none at all."""
    assert configured(name_server=text).name_server == text.strip()


@pytest.mark.parametrize(
    "settings", [{"name_server": "lab:port"}, {"name_servers": ["lab:port"]}, {"timeout": 0}, {"interval": 0}]
)
def test_wrong_settings_are_told(settings):
    """A mistake in the configuration is told when the server starts."""
    app = PyronbServer()

    (name,) = settings
    with pytest.raises(TraitError, match=name):
        setattr(app, name, settings[name])


def test_settings_of_the_command_line(jp_configurable_serverapp):
    """They can be given as --PyronbServer.name=value."""
    argv = ["--PyronbServer.name_server=lab:9999", "--PyronbServer.timeout=3", "--PyronbServer.read_only=True"]
    server = jp_configurable_serverapp(argv=argv)
    manager = server.extension_manager.extension_points["pyronb"].app.manager

    assert (list(manager._known), manager.timeout, manager.read_only) == (["lab:9999"], 3.0, True)


def test_other_pages_stay_what_they_are(jp_serverapp):
    """Loading the extension changes neither the start page nor anything else of the server."""
    assert jp_serverapp.default_url != "/pyronb"
    assert "pyronb" not in jp_serverapp.default_url


def test_no_endpoint_is_open(jp_configurable_serverapp):
    """No endpoint can be used without logging in; Jupyter itself checks that when told to."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", JupyterServerAuthWarning)
        jp_configurable_serverapp(reraise_server_extension_failures=True)

    told = [str(w.message) for w in caught if issubclass(w.category, JupyterServerAuthWarning)]
    assert not [text for text in told if "pyronb" in text.lower()]


def test_stopping_ends_the_threads(jp_serverapp, jp_asyncio_loop):
    """When the server stops, the manager is closed, also in the middle of a question."""
    app = jp_serverapp.extension_manager.extension_points["pyronb"].app

    async def ask_and_stop():
        with listening(silent) as address:
            await app.manager.add(address)
            asking = asyncio.ensure_future(app.manager.names(address))
            await asyncio.sleep(0.1)
            await jp_serverapp.cleanup_extensions()
            with pytest.raises(ManagerClosedError):
                await asking

    jp_asyncio_loop.run_until_complete(ask_and_stop())

    eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("pyronb-server")])


def test_stopping_before_starting():
    """An extension that was never loaded can be stopped."""
    asyncio.run(PyronbServer().stop_extension())
