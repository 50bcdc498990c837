"""`pyronb gateway` as it is typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from tests.support.paths import ROOT
from tests.support.programs import free_port, running
from tests.support.serving import LOCAL, naming
from tests.support.waiting import scaled


@pytest.fixture
def names():
    with naming() as daemon:
        yield daemon


def get(url, **headers):
    """Ask a URL; give the status and the text."""
    request = urllib.request.Request(url, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=scaled(20)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def failing(*words):
    """Run it where it cannot run; gives the exit code and what it said on stderr."""
    command = [sys.executable, "-m", "pyronb", "gateway", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=scaled(30), cwd=ROOT, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(names, number):
    """It says what it exposes and where, and ends quietly."""
    place = f"{LOCAL}:{names.uri.port}"
    with running("gateway", "-H", LOCAL, "-p", "0", "-e", "Pyro", "--ns", place) as program:
        url = program.wait_for(r"^(http://127.0.0.1:\d+/pyro/); Ctrl-C stops it$")[1]
        assert get(f"{url}Pyro.NameServer/count") == (200, "1")
        assert get(f"{url}Pyro.NameServer/count", Host="evil.example")[0] == 403
        assert get(f"{url}other/count")[0] == 403
        program.signal(number)

        assert program.wait() == 0
        assert program.lines == [
            f"gateway to objects named Pyro in the name server at {place}",
            f"{url}; Ctrl-C stops it",
        ]


def test_it_takes_its_options(names):
    """A key from the environment, origins, POST alone, and the rest."""
    options = ("-t", "5", "-c", "*", "--post-only", "--max-body", "100", "--concurrency", "3", "--keep", "2")
    env = {"PYRO_HTTPGATEWAY_KEY": "secret", "PYRO_NS_HOST": LOCAL, "PYRO_NS_PORT": str(names.uri.port)}
    with running("gateway", "-H", LOCAL, "-p", "0", "-e", "", *options, env=env) as program:
        url = program.wait_for(r"^(http://\S+); Ctrl-C stops it$")[1]
        assert program.lines[0].startswith("gateway to objects of all names in")
        assert get(f"{url}Pyro.NameServer/$meta")[0] == 403
        status, text = get(f"{url}Pyro.NameServer/$meta", X_Pyro_Gateway_Key="secret", Origin="http://x.example")
        assert status == 200
        assert "lookup" in json.loads(text)["methods"]
        assert get(f"{url}Pyro.NameServer/count", X_Pyro_Gateway_Key="secret")[0] == 405
        assert program.stop() == 0
        assert "secret" not in program.output


def test_a_key_on_the_command_line_is_warned_about(names):
    """It works all the same."""
    words = ("-H", LOCAL, "-p", "0", "-g", "secret", "--ns", f"{LOCAL}:{names.uri.port}", "-e", "Pyro")
    with running("gateway", *words) as program:
        url = program.wait_for(r"^(http://\S+); Ctrl-C stops it$")[1]
        assert "can see the key after -g" in program.output
        assert get(f"{url}Pyro.NameServer/count?$key=secret")[0] == 200
        assert program.stop() == 0


@pytest.mark.parametrize(
    "words",
    [("-e", "("), ("-t", "x"), ("-t", "-1"), ("-t", "nan"), ("--max-body", "0"), ("--keep", "1000"), ("-p", "x")],
)
def test_misuse_ends_with_2(words):
    """And is explained."""
    code, err = failing(*words)

    assert code == 2
    assert err.startswith("usage: pyronb gateway")
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [("--ns", "a b"), ("-H", "no.such.host.invalid")])
def test_trouble_is_one_line(words):
    """And ends with 1."""
    code, err = failing(*words)

    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("pyronb gateway: ")


def test_it_says_what_is_not_installed(tmp_path):
    """And how to install it."""
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError('no uvicorn', name='uvicorn')")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from pyronb.cli import main; sys.exit(main(['gateway']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=scaled(30), cwd=ROOT, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "pyronb gateway: the gateway needs uvicorn; pip install 'pyronb[gateway]'\n"


def test_a_taken_port_is_one_line(names):
    """It says which."""
    port = str(free_port())
    with running("gateway", "-H", LOCAL, "-p", port) as program:
        program.wait_for("Ctrl-C stops it")
        code, err = failing("-H", LOCAL, "-p", port)
        assert (code, err.count("\n")) == (1, 1)
        assert port in err
        assert program.stop() == 0
