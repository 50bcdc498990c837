"""`pyronb lab`: everything comes up with one command, and nothing stays behind."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

pytest.importorskip("jupyterlab")

from jupyter_client import BlockingKernelClient

from tests.support.programs import LOCAL, free_port, jupyter_folders, listens, running
from tests.support.waiting import deadline, eventually, scaled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(scaled(120))]


@pytest.fixture
def env(tmp_path):
    return jupyter_folders(tmp_path / "jupyter")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def lab(root, env, *words):
    """Run it without a browser, on ports of its own choice unless told otherwise."""
    return running("lab", *words, "--no-browser", cwd=root, env=env)


FREE = ("--port", "0", "--ns-port", "0")


def came_up(program):
    """Wait for its words; give the port of the name server, the URL without the token, and the token."""
    ns = program.wait_for(r"^name server +\S+:(\d+)$")
    page = program.wait_for(r"^JupyterLab +(http://\S+)\?token=(\S+)$", 60)
    return int(ns[1]), page[1], page[2]


def get(url, token="", *, method="GET", data=None):
    """Ask a URL; give the status and the text."""
    headers = {"Authorization": f"token {token}"} if token else {}
    request = urllib.request.Request(url, method=method, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=scaled(20)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def host_of(url):
    return re.match(r"http://[^/]+", url)[0]


def port_of(url):
    return int(host_of(url).rpartition(":")[2])


def wait_for_kernel(file):
    """Wait until the kernel of this connection file does its work."""
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    try:
        limit = deadline(30)
        while True:
            try:
                client.wait_for_ready(limit.remaining)
            except RuntimeError:
                # A kernel whose heart does not beat for a second counts as dead: on a busy machine, one that starts.
                if limit.passed:
                    raise
            else:
                return
    finally:
        client.stop_channels()


def gone(processes):
    return not [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_it_says_where_everything_is_and_it_is_there(root, env):
    with lab(root, env, *FREE) as program:
        ns, url, token = came_up(program)
        assert "demo objects  demo.host, demo.scope, demo.store" in program.lines
        assert "Ctrl-C stops it all" in program.output
        assert get(f"{url}?token={token}")[0] == 200
        assert get(f"{host_of(url)}/api/contents")[0] == 403
        assert get(f"{host_of(url)}/api/contents", "wrong")[0] == 403
        status, text = get(f"{host_of(url)}/pyronb/api/names", token)
        assert status == 200
        answer = json.loads(text)
        assert answer["state"] == "ok"
        assert answer["nameserver"]["address"] == f"{LOCAL}:{ns}"
        assert answer["nameserver"]["default"] is True
        assert {"demo.host", "demo.scope", "demo.store"} <= {entry["name"] for entry in answer["names"]}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_its_kernels_and_it_can_start_again(root, env, number):
    with lab(root, env, *FREE) as program:
        ns, url, token = came_up(program)
        status, text = get(f"{host_of(url)}/api/kernels", token, method="POST", data=b"{}")
        assert status == 201, text
        wait_for_kernel(Path(env["JUPYTER_RUNTIME_DIR"]) / f"kernel-{json.loads(text)['id']}.json")
        assert len(program.family()) >= 2
        began = time.monotonic()
        program.signal(number)
        assert program.wait(15) == 0
        assert time.monotonic() - began < scaled(15)
        assert "Traceback" not in program.output
        eventually(lambda: gone(program.family()), 5, what="the end of all that it started")
    assert not listens(ns)
    assert not listens(port_of(url))
    with lab(root, env, "--port", str(port_of(url)), "--ns-port", str(ns)) as program:
        assert came_up(program)[:2] == (ns, url)
        assert program.stop() == 0


def test_ports_that_are_taken_are_stepped_over(root, env):
    with socket.create_server((LOCAL, 0)) as first, socket.create_server((LOCAL, 0)) as second:
        taken, ns_taken = first.getsockname()[1], second.getsockname()[1]
        with lab(root, env, "--port", str(taken), "--ns-port", str(ns_taken)) as program:
            ns, url, token = came_up(program)
            assert ns != ns_taken
            assert f"port {ns_taken} is taken" in program.output
            assert port_of(url) > taken
            assert get(f"{url}?token={token}")[0] == 200


def test_a_name_server_that_is_there_is_used_and_kept(root, env):
    with running("ns", "-n", LOCAL, "-p", "0") as names:
        port = names.wait_for(r"^name server at \S+:(\d+)")[1]
        with lab(root, env, "--port", "0", "--ns", f"{LOCAL}:{port}", ".") as program:
            assert came_up(program)[0] == int(port)
            assert program.stop() == 0
        listing = [sys.executable, "-m", "pyronb", "nsc", "-n", LOCAL, "-p", port, "list"]
        left = subprocess.run(listing, capture_output=True, check=True, text=True, timeout=scaled(20)).stdout
        assert "Pyro.NameServer" in left
        assert "demo." not in left


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.ipynb"], "there is no missing.ipynb"),
        (["--ns", "not an address"], "is no address of a name server"),
        (["--ns", "{free}"], "{free}"),
    ],
)
def test_a_mistake_is_one_line(root, env, words, said):
    free = f"{LOCAL}:{free_port()}"
    words = [word.format(free=free) for word in words]
    with lab(root, env, *FREE, *words) as program:
        assert program.wait(20) == 1
        complaints = [line for line in program.lines if line.startswith("pyronb lab: ")]
        assert len(complaints) == 1
        assert said.format(free=free) in complaints[0]
        assert "Traceback" not in program.output
