"""The commands as they are typed: what they print, with which code they end, and that they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from pyronb import __version__
from pyronb.sync.lookup import locateNS
from pyronb.uri import URI
from tests.support.paths import ROOT
from tests.support.programs import free_port, running
from tests.support.serving import LOCAL, client_options, connect, lookup_at, naming, serving
from tests.support.waiting import scaled

A = "PYRO:a@localhost:1"


def pyronb(*words, **environment):
    """Run a command to its end: exit code, stdout, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "pyronb", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=scaled(30),
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def names():
    with naming() as daemon:
        yield daemon


@pytest.fixture
def nsc(names):
    """Run a word of `pyronb nsc` against this name server."""
    return lambda *words, **env: pyronb("nsc", "-n", LOCAL, "-p", str(names.uri.port), *words, **env)


# The command itself


def test_help_lists_the_commands():
    """In a few lines, on stdout."""
    code, out, err = pyronb("--help")

    assert (code, err) == (0, "")
    for word in ("ns", "nsc", "demo", "lab"):
        assert f"    {word} " in out


@pytest.mark.parametrize("word", ["ns", "nsc", "demo", "lab"])
def test_each_command_explains_itself(word):
    """With its options."""
    code, out, err = pyronb(word, "--help")

    assert (code, err) == (0, "")
    assert out.startswith(f"usage: pyronb {word}")


def test_version():
    """The one that the package has."""
    assert pyronb("--version") == (0, f"pyronb {__version__}\n", "")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("nonsense", "ns"),
        ("ns", "--nonsense"),
        ("ns", "-p", "x"),
        ("ns", "-p", "70000"),
        ("ns", "-p", "-1"),
        ("nsc",),
        ("nsc", "nonsense"),
        ("nsc", "lookup"),
        ("nsc", "-p", "65536", "list"),
        ("demo", "-p", "1e3"),
    ],
)
def test_misuse_is_explained_and_ends_with_2(words):
    """Without a traceback."""
    code, out, err = pyronb(*words)

    assert (code, out) == (2, "")
    assert err.startswith("usage: pyronb")
    assert "Traceback" not in err


# nsc


def test_words_of_nsc(names, nsc):
    """Register, lookup, list, remove and ping."""
    assert nsc("register", "a.one", A, "tag2", "tag1") == (0, "registered a.one\n", "")
    assert nsc("register", "a.longer", A) == (0, "registered a.longer\n", "")
    assert nsc("lookup", "a.one") == (0, f"{A}\ntag1, tag2\n", "")
    assert nsc("lookup", "a.longer") == (0, f"{A}\n", "")
    assert nsc("list", "a.") == (
        0,
        f"a.longer  {A}\na.one     {A}  tag1, tag2\n2 names starting with 'a.'\n",
        "",
    )
    code, out, err = nsc("list")
    assert (code, err) == (0, "")
    assert out.startswith(f"Pyro.NameServer  {names.uri}  class:Pyro5.nameserver.NameServer\n")
    assert out.endswith("\n3 names\n")
    assert nsc("remove", "a.one") == (0, "removed a.one\n", "")
    assert nsc("list", "a.") == (0, f"a.longer  {A}\n1 name starting with 'a.'\n", "")
    code, out, err = nsc("ping")
    assert (code, err) == (0, "")
    assert out.startswith(f"name server at {names.locationStr} answers in ")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("lookup", "absent"), "unknown name: absent"),
        (("remove", "absent"), "does not know 'absent'"),
        (("remove", "Pyro.NameServer"), "its own name"),
        (("register", "a", "nonsense"), "invalid uri"),
        (("register", "a", "PYRO:a@b:99999"), "invalid port"),
    ],
)
def test_errors_of_nsc_are_one_line(nsc, words, text):
    """And end with 1."""
    code, out, err = nsc(*words)

    assert (code, out) == (1, "")
    assert text in err
    assert err.startswith("pyronb nsc: ")
    assert err.count("\n") == 1


def test_a_missing_name_server_is_one_line():
    """It says what can be done."""
    code, out, err = pyronb("nsc", "-n", LOCAL, "-p", str(free_port()), "list")

    assert (code, out) == (1, "")
    assert "no name server found" in err
    assert "pyronb ns" in err
    assert err.count("\n") == 1


def test_something_else_than_a_name_server_is_one_line():
    """A daemon without one, for instance."""
    with serving() as daemon:
        code, out, err = pyronb("nsc", "-n", LOCAL, "-p", str(URI(f"PYRO:x@{daemon.locationStr}").port), "list")

    assert (code, out) == (1, "")
    assert "unknown object" in err
    assert err.count("\n") == 1


def test_names_cannot_steer_the_terminal(names, nsc):
    """What other machines registered is shown without its control characters."""
    names.nameserver.register("evil\x1b[2J\nname", A, metadata=["\x1b[31m"])
    code, out, _ = nsc("list", "evil")

    assert code == 0
    assert "\x1b" not in out
    assert out.count("\n") == 2


def test_errors_cannot_steer_the_terminal(nsc):
    """Nor can the answer to a question."""
    code, _, err = nsc("lookup", "evil\x1b[2J\nname")

    assert code == 1
    assert "\x1b" not in err
    assert err.count("\n") == 1


def test_a_poor_terminal_shows_what_it_can(names, nsc):
    """A name that its encoding does not have is no reason for a traceback."""
    names.nameserver.register("größe.€", A)
    code, out, err = nsc("list", "g", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert (code, err) == (0, "")
    assert "gr\\xf6\\xdfe.\\u20ac" in out


def test_whoever_has_read_enough_may_go(names):
    """As `head` does; there is nothing to complain about."""
    for number in range(3000):
        names.nameserver.register(f"n{number}", A)
    for enough in ("head -1", "true"):
        command = f"{sys.executable} -m pyronb nsc -n {LOCAL} -p {names.uri.port} list | {enough}"
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=scaled(30), check=False)

        assert done.stderr == ""
        assert done.stdout.count("\n") <= 1


# ns


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ns_serves_until_it_is_stopped(number):
    """It prints where it is, and ends quietly."""
    with running("ns", "-n", LOCAL, "-p", "0") as program:
        uri = URI(program.wait_for(r"^URI = (PYRO:Pyro\.NameServer@.*)$")[1])
        with connect(uri) as names:
            names.register("a", A)
            assert names.lookup("a") == URI(A)
        assert pyronb("nsc", "-n", LOCAL, "-p", str(uri.port), "lookup", "a") == (0, f"{A}\n", "")
        program.signal(number)

        assert program.wait() == 0
        assert program.lines == [
            f"name server at {uri.location}, storage memory; Ctrl-C stops it",
            f"URI = {uri}",
        ]


def test_ns_keeps_names_in_a_file(tmp_path):
    """Over a restart, and over a kill."""
    storage = f"sql:{tmp_path / 'names.db'}"
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGTERM):
        with running("ns", "-n", LOCAL, "-p", "0", "-s", storage) as program:
            uri = URI(program.wait_for(r"^URI = (.*)$")[1])
            with connect(uri) as names:
                assert names.lookup("Pyro.NameServer") == uri
                if number == signal.SIGKILL:
                    names.register("a", A, metadata=["tag"])
                assert names.lookup("a", return_metadata=True) == (URI(A), {"tag"})
            program.signal(number)
            program.wait()


def test_ns_on_a_unix_socket(tmp_path):
    """The same for `nsc`."""
    path = str(tmp_path / "ns.sock")
    with running("ns", "-u", path) as program:
        program.wait_for(rf"^URI = PYRO:Pyro\.NameServer@\./u:{path}$")
        code, out, _ = pyronb("nsc", "-u", path, "list")
        assert (code, out.splitlines()[-1]) == (0, "1 name")
        assert program.stop() == 0


@pytest.mark.parametrize("wrong", ["port", "host", "storage", "file"])
def test_errors_of_ns_are_one_line(tmp_path, names, wrong):
    """And end with 1."""
    words = {
        "port": ("-n", LOCAL, "-p", str(names.uri.port)),
        "host": ("-n", "no.such.host.invalid", "-p", "0"),
        "storage": ("-n", LOCAL, "-p", "0", "-s", "nonsense"),
        "file": ("-n", LOCAL, "-p", "0", "-s", f"sql:{tmp_path}"),
    }[wrong]
    code, out, err = pyronb("ns", *words)

    assert (code, out) == (1, "")
    assert err.startswith("pyronb ns: ")
    assert err.count("\n") == 1


# demo


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_serves_its_objects_and_withdraws_them(names, number):
    """They can be called by name while it runs; their names are gone when it has ended."""
    names.nameserver.register("other", A)
    with running("demo", "-H", LOCAL, "-n", LOCAL, "-p", str(names.uri.port)) as program:
        program.wait_for(f"registered in the name server at {LOCAL}:{names.uri.port}; Ctrl-C stops")
        found = names.nameserver.list("demo.")
        assert found.keys() >= {"demo.scope", "demo.store"}
        for name in found:
            assert f"{name}: {found[name]}" in program.output
        with connect("PYRONAME:demo.store", lookup=lookup_at(names.uri)) as store:
            assert isinstance(store.keys(), (list, tuple, set))
        # Somebody else's by now: it is left alone.
        names.nameserver.register("demo.scope", A)
        names.nameserver.remove("demo.host")
        program.signal(number)

        assert program.wait() == 0
        assert "Traceback" not in program.output
    assert names.nameserver.list("demo.") == {"demo.scope": A}
    assert names.nameserver.lookup("other") == URI(A)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_brings_a_name_server_along(number):
    """With -N; it ends quietly with everything."""
    port = free_port()
    with running("demo", "-N", "-H", LOCAL, "-n", LOCAL, "-p", str(port)) as program:
        program.wait_for(f"registered in the name server at {LOCAL}:{port}")
        with locateNS(LOCAL, port, options=client_options()) as names:
            assert "demo.store" in names.list(prefix="demo.")
        program.signal(number)

        assert program.wait() == 0
        assert "Traceback" not in program.output


def test_demo_takes_another_port_where_its_own_is_taken(names):
    """And says which one."""
    with running("demo", "-N", "-H", LOCAL, "-n", LOCAL, "-p", str(names.uri.port)) as program:
        port = int(program.wait_for(r"registered in the name server at .*:(\d+); Ctrl-C stops")[1])
        assert port != names.uri.port
        assert program.stop() == 0
    assert names.nameserver.list("demo.") == {}


def test_demo_ends_quietly_when_its_name_server_is_gone():
    """There is nobody left to withdraw the names from."""
    with naming() as names, running("demo", "-H", LOCAL, "-n", LOCAL, "-p", str(names.uri.port)) as program:
        program.wait_for("Ctrl-C stops")
        names.close()
        assert program.stop() == 0
        assert "Traceback" not in program.output


def test_demo_without_a_name_server_is_one_line():
    """It says what can be done."""
    code, out, err = pyronb("demo", "-H", LOCAL, "-n", LOCAL, "-p", str(free_port()))

    assert (code, out) == (1, "")
    assert "no name server found" in err
    assert err.count("\n") == 1
