"""``pyronb lab``: JupyterLab with a name server and the demo objects, in one command.

JupyterLab runs as a process of its own. The name server and the demo objects run in this one, which waits for
JupyterLab to end, or for Ctrl-C, and then stops what it started.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from pyronb.cli.embedded import demo_objects, name_server, split_address
from pyronb.cli.options import port
from pyronb.config import config
from pyronb.errors import PyroError

__all__ = ["configure", "run"]

_FIRST = "01-first-steps.ipynb"
_START = 60.0
"""Seconds that JupyterLab may take to come up."""
_STOP = 10.0
"""Seconds that it may take to end when asked politely."""
_PORTS = 50
"""How many ports above the wanted one are tried."""
_LOCAL = "127.0.0.1"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "path", nargs="?", help="notebook or folder to open (default: the first tutorial)", metavar="NOTEBOOK"
    )
    parser.add_argument(
        "--port", type=port, default=8888, help="port of JupyterLab, or the next free one (default: %(default)s)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    parser.add_argument("--ns", metavar="HOST:PORT", help="use this name server instead of an embedded one")
    parser.add_argument(
        "--ns-port", type=port, default=config.NS_PORT, help="port of the embedded name server (default: %(default)s)"
    )
    parser.add_argument("--no-demo", action="store_true", help="without the demo objects")


def run(args: argparse.Namespace) -> int:
    """Run JupyterLab until it ends or is interrupted."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise PyroError("JupyterLab is not installed; pip install 'pyronb[lab]'")
    root, notebook = _what_to_open(args.path)
    with ExitStack() as stack:
        if args.ns:
            ns_host, ns_port = split_address(args.ns)
        else:
            uri = stack.enter_context(name_server(_LOCAL, args.ns_port))
            ns_host, ns_port = _LOCAL, uri.port or args.ns_port
            if args.ns_port and ns_port != args.ns_port:
                print(f"port {args.ns_port} is taken; the embedded name server uses {ns_port}", flush=True)
        print(f"name server   {ns_host}:{ns_port}", flush=True)
        if not args.no_demo:
            names = stack.enter_context(demo_objects(_LOCAL, ns_host, ns_port))
            print(f"demo objects  {', '.join(sorted(names))}", flush=True)
        port, token = _free_port(args.port), secrets.token_urlsafe(24)
        lab = stack.enter_context(_jupyterlab(root, port, token, ns_host, ns_port))
        _wait_until_up(lab, port, token)
        tree = f"/tree/{quote(notebook)}" if notebook else ""
        address = f"http://{_LOCAL}:{port}/lab{tree}?token={token}"
        print(f"JupyterLab    {address}\nCtrl-C stops it all", flush=True)
        if not args.no_browser:
            webbrowser.open(address)
        return lab.wait()


def _what_to_open(path: str | None) -> tuple[Path, str]:
    """Give the folder that JupyterLab serves, and what to open in it."""
    if path is not None:
        target = Path(path).resolve()
        if not target.exists():
            raise PyroError(f"there is no {path}")
        return (target, "") if target.is_dir() else (target.parent, target.name)
    here = Path.cwd()
    tutorials = here / "notebooks"
    if not (tutorials / _FIRST).exists():
        tutorials = here / "pyronb-notebooks"
        _copy_tutorials(tutorials)
    if (tutorials / _FIRST).exists():
        return here, f"{tutorials.name}/{_FIRST}"
    return here, ""


def _copy_tutorials(folder: Path) -> None:
    """Put the tutorials that came with the package where they can be worked on; what is there stays as it is."""
    shipped = Path(sysconfig.get_path("data")) / "share" / "pyronb" / "notebooks"
    if not shipped.is_dir():
        return
    for file in sorted(path for path in shipped.rglob("*") if path.is_file()):
        copy = folder / file.relative_to(shipped)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def _free_port(wanted: int) -> int:
    """Give this port, or the next one that is free."""
    for number in range(wanted, min(wanted + _PORTS, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((_LOCAL, number))
                return int(probe.getsockname()[1])
    raise PyroError(f"no port from {wanted} to {wanted + _PORTS - 1} is free; choose one with --port")


@contextlib.contextmanager
def _jupyterlab(root: Path, port: int, token: str, ns_host: str, ns_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run JupyterLab until the block ends, kernels and all."""
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", f"--ip={_LOCAL}", f"--port={port}"),
        *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}", "--Application.log_level=30"),
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    # Kernels inherit the environment, so the magics and the panel ask the same name server. The token is not put on the
    # command line, where every user of the machine could read it.
    environment = {
        **os.environ,
        "JUPYTER_TOKEN": token,
        "PYRONB_NS_HOST": ns_host,
        "PYRONB_NS_PORT": str(ns_port),
    }
    # In a session of its own, Ctrl-C reaches only us: JupyterLab would ask a question that nobody is there to answer.
    lab = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        yield lab
    finally:
        _stop(lab, port, token)


def _stop(lab: subprocess.Popen[bytes], port: int, token: str) -> None:
    """End JupyterLab with its kernels: as its own menu would, else by a signal, else by force."""
    if lab.poll() is not None:
        return
    with contextlib.suppress(OSError):
        _ask(port, token, "shutdown", "POST")
    try:
        lab.wait(_STOP)
        return
    except subprocess.TimeoutExpired:
        lab.terminate()
    try:
        lab.wait(_STOP)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(lab.pid, signal.SIGKILL)
        lab.wait()


def _ask(port: int, token: str, what: str, method: str = "GET") -> None:
    """Send a request to JupyterLab's server; an `OSError` when it does not answer well."""
    request = urllib.request.Request(
        f"http://{_LOCAL}:{port}/api/{what}", method=method, headers={"Authorization": f"token {token}"}
    )
    urllib.request.urlopen(request, timeout=2).close()  # noqa: S310 - our own server, over http


def _wait_until_up(lab: subprocess.Popen[bytes], port: int, token: str) -> None:
    until = time.monotonic() + _START
    while time.monotonic() < until:
        if lab.poll() is not None:
            raise PyroError(f"JupyterLab ended with code {lab.returncode}; its messages are above")
        try:
            _ask(port, token, "status")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise PyroError(f"JupyterLab did not come up within {_START:.0f} seconds")
