"""The commands as they are typed: what they print, with which code they end, and that they end."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from pyronb import __version__, expose
from pyronb.sync.lookup import locateNS
from pyronb.uri import URI
from tests.support.paths import ROOT
from tests.support.programs import free_port, running
from tests.support.serving import LOCAL, client_options, connect, lookup_at, naming, serving
from tests.support.waiting import eventually, scaled

A = "PYRO:a@localhost:1"


@expose
class Thing:
    def method(self):
        pass


COMMANDS = ["ns", "nsc", "echoserver", "gateway", "config", "doctor", "stub", "demo", "lab"]


def pyronb(*words, typed="", **environment):
    """Run a command to its end: exit code, stdout, stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "pyronb", *words],
        input=typed,
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
    return lambda *words, **more: pyronb("nsc", "-n", LOCAL, "-p", str(names.uri.port), *words, **more)


# The command itself


def test_help_lists_the_commands():
    """In a few lines, on stdout."""
    code, out, err = pyronb("--help")

    assert (code, err) == (0, "")
    for word in COMMANDS:
        assert f"    {word} " in out


@pytest.mark.parametrize("word", COMMANDS)
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
        ("ns", "--bcport", "x"),
        ("ns", "--natport", "70000"),
        ("echoserver", "-p", "x"),
        ("nsc", "yplookup_all"),
        ("config", "nonsense"),
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
    """Register, lookup, list, remove and ping, in the words of Pyro's tool."""
    assert nsc("register", "a.one", A, "tag2", "tag1") == (0, "Registered a.one\n", "")
    assert nsc("register", "a.longer", A) == (0, "Registered a.longer\n", "")
    assert nsc("lookup", "a.one") == (0, f"{A}\nmetadata: tag1, tag2\n", "")
    assert nsc("lookup", "a.longer") == (0, f"{A}\n", "")
    assert nsc("list", "a.") == (
        0,
        f"a.longer --> {A}\na.one --> {A}\n    metadata: tag1, tag2\n2 names starting with 'a.'\n",
        "",
    )
    code, out, err = nsc("list")
    assert (code, err) == (0, "")
    assert out.startswith(f"Pyro.NameServer --> {names.uri}\n    metadata: class:Pyro5.nameserver.NameServer\n")
    assert out.endswith("\n3 names\n")
    assert nsc("remove", "a.one") == (0, "Removed a.one\n", "")
    assert nsc("list", "a.") == (0, f"a.longer --> {A}\n1 name starting with 'a.'\n", "")
    code, out, err = nsc("ping")
    assert (code, err) == (0, "")
    assert out.startswith(f"Name server ping ok: {names.locationStr} took ")


def test_tags_and_patterns(names, nsc):
    """Either family's words for tags."""
    for name, tags in (("a.one", ["x"]), ("a.two", ["x", "y"]), ("b", ["z"])):
        names.nameserver.register(name, A, metadata=tags)
    two = f"a.two --> {A}\n    metadata: x, y\n"
    one = f"a.one --> {A}\n    metadata: x\n"
    b = f"b --> {A}\n    metadata: z\n"
    for word in ("yplookup", "listmeta"):
        assert nsc(f"{word}_all", "x", "y") == (0, f"{two}1 name tagged 'x' and 'y'\n", "")
        assert nsc(f"{word}_any", "y", "z") == (0, f"{two}{b}2 names tagged 'y' or 'z'\n", "")
    assert nsc("listmatching", "a.[op]") == (0, f"{one}1 name matching 'a.[op]'\n", "")
    assert nsc("setmeta", "b", "n", "m") == (0, "Metadata updated\n", "")
    assert names.nameserver.lookup("b", return_metadata=True)[1] == {"m", "n"}
    assert nsc("setmeta", "b") == (0, "Metadata cleared\n", "")
    assert names.nameserver.lookup("b", return_metadata=True)[1] == set()


def test_a_taken_name_is_not_replaced_by_chance(names, nsc):
    """As with Pyro's tool; it can be asked for."""
    other = "PYRO:b@localhost:2"
    names.nameserver.register("a", A)
    code, out, err = nsc("register", "a", other)
    assert (code, out) == (1, "")
    assert "name already registered: a" in err
    assert "--replace" in err
    assert names.nameserver.lookup("a") == URI(A)
    assert nsc("register", "--replace", "a", other) == (0, "Registered a\n", "")
    assert names.nameserver.lookup("a") == URI(other)


@pytest.mark.parametrize(
    ("typed", "code", "left"), [("y\n", 0, []), ("n\n", 0, ["a.one", "a.two"]), ("", 1, ["a.one", "a.two"])]
)
def test_removing_by_pattern_is_asked_about(names, nsc, typed, code, left):
    """It shows what would go; silence is no yes."""
    for name in ("a.one", "a.two", "b"):
        names.nameserver.register(name, A)
    ended, out, err = nsc("removematching", "a|Pyro", typed=typed)

    assert ended == code
    assert err.startswith(f"a.one --> {A}\na.two --> {A}\nRemove these 2 names (y/n)? ")
    assert out == {"y\n": "2 items removed.\n", "n\n": "0 items removed.\n", "": ""}[typed]
    assert sorted(names.nameserver.list()) == sorted(["Pyro.NameServer", "b", *left])


def test_removing_by_pattern_without_asking(names, nsc):
    """For scripts; nothing that matches is nothing to ask about."""
    names.nameserver.register("a.one", A)
    assert nsc("removematching", "--yes", "a") == (0, "1 item removed.\n", "")
    assert nsc("removematching", "a") == (0, "0 items removed.\n", "")


def test_nsc_for_scripts(names, nsc):
    """One document of JSON, whichever word."""
    names.nameserver.register("größe", A, metadata=["b", "a"])
    entry = {"uri": A, "metadata": ["a", "b"]}

    def ask(*words):
        code, out, err = nsc(*words)
        assert (code, err) == (0, "")
        assert out.isascii()
        return json.loads(out)

    for words in (
        ("--json", "list", "g"),
        ("list", "--json", "g"),
        ("listmatching", "--json", "gr"),
        ("yplookup_all", "a", "--json"),
    ):
        assert ask(*words) == {"größe": entry}
    assert ask("lookup", "größe", "--json") == {"name": "größe", **entry}
    assert ask("ping", "--json")["location"] == names.locationStr
    assert ask("register", "x", A, "--json") == {"registered": "x"}
    assert ask("setmeta", "x", "t", "--json") == {"name": "x", "metadata": ["t"]}
    assert ask("remove", "x", "--json") == {"removed": ["x"]}
    assert ask("removematching", "--yes", "gr", "--json") == {"removed": ["größe"]}


def test_a_shared_key(tmp_path):
    """From the environment, or from an option with a warning; without it nothing is told."""
    with naming() as daemon:
        daemon._pyroHmacKey = "secret"
        place = ("-n", LOCAL, "-p", str(daemon.uri.port))
        assert pyronb("nsc", *place, "register", "a", A, PYRO_HMAC_KEY="secret") == (0, "Registered a\n", "")
        code, out, err = pyronb("nsc", *place, "-k", "secret", "lookup", "a")
        assert (code, out) == (0, f"{A}\n")
        assert "can see the key" in err
        assert "secret" not in err
        for words, env in (((), {}), ((), {"PYRO_HMAC_KEY": "wrong"})):
            code, out, err = pyronb("nsc", *place, *words, "lookup", "a", **env)
            assert (code, out, err.count("\n")) == (1, "", 1)
        code, out, err = pyronb("nsc", *place, "-k", "secret", "lookup", "a", PYRO_HMAC_KEY="secret")
        assert (code, out) == (2, "")
        assert "not both" in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("lookup", "absent"), "unknown name: absent"),
        (("remove", "absent"), "does not know 'absent'"),
        (("remove", "Pyro.NameServer"), "its own name"),
        (("register", "a", "nonsense"), "invalid uri"),
        (("register", "a", "PYRO:a@b:99999"), "invalid port"),
        (("setmeta", "absent", "x"), "unknown name: absent"),
        (("listmatching", "("), "invalid regex"),
        (("removematching", "("), "invalid regex"),
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
    assert out.count("\n") == 3


def test_a_traceback_for_those_who_ask(nsc):
    """Before the command, or after it."""
    assert "Traceback" not in nsc("lookup", "absent")[2]
    code, out, err = nsc("-v", "lookup", "absent")
    assert (code, out) == (1, "")
    assert "Traceback" in err
    assert err.endswith("unknown name: absent\n")
    assert "Traceback" in pyronb("-v", "nsc", "-n", LOCAL, "-p", str(free_port()), "list")[2]


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


def test_ns_takes_the_options_of_pyros_tool():
    """All of them; with a key it answers only those who have it."""
    options = ("-x", "--bchost", LOCAL, "--bcport", "0", "-s", "memory")
    with running("ns", "-n", LOCAL, "-p", "0", *options, env={"PYRO_HMAC_KEY": "secret"}) as program:
        port = str(URI(program.wait_for(r"^URI = (.*)$")[1]).port)
        assert pyronb("nsc", "-n", LOCAL, "-p", port, "ping", PYRO_HMAC_KEY="secret")[0] == 0
        assert pyronb("nsc", "-n", LOCAL, "-p", port, "ping")[0] == 1
        assert program.stop() == 0


def test_ns_behind_address_translation():
    """It tells others the address from outside, and who starts it both."""
    with running("ns", "-n", LOCAL, "-p", "0", "--nathost", "lab.example.org", "--natport", "4000") as program:
        inside = URI(program.wait_for(r"^internal URI = (.*)$")[1])
        program.wait_for(r"^external URI = PYRO:Pyro\.NameServer@lab\.example\.org:4000$")
        with connect(inside) as names:
            assert str(names.lookup("Pyro.NameServer")) == "PYRO:Pyro.NameServer@lab.example.org:4000"
        assert program.stop() == 0


def test_ns_answers_broadcasts():
    """Where others can reach it; not with -x."""
    words = ("ns", "-n", "0.0.0.0", "-p", "0", "--bcport", "0")
    with running(*words) as program:
        program.wait_for(r"^answers broadcasts at .*:\d+$")
        assert program.stop() == 0
    with running(*words, "-x") as program:
        program.wait_for(r"^URI = ")
        assert "broadcast" not in program.output
        assert program.stop() == 0


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


# echoserver


def test_echoserver_has_the_members_of_pyros():
    """Each does what its name says."""
    with running("echoserver", "-H", LOCAL) as program:
        uri = program.wait_for(r"^echo uri: (PYRO:test\.echoserver@.*)$")[1]
        program.wait_for("Ctrl-C stops")
        with connect(uri) as echo:
            assert echo.echo([1, "two"]) == [1, "two"]
            assert echo.oneway_echo("x") is None
            assert list(echo.generator()) == ["one", "two", "three"]
            assert math.isnan(echo.nan())
            assert echo.inf() == math.inf
            assert echo.__dunder__() == "should be allowed (dunder)"
            for method in (echo.error, echo.error_with_text):
                with pytest.raises(ValueError, match="error"):
                    method()
            assert echo.verbose is False
            assert "_slowly" not in echo._pyroMethods
            echo.verbose = True
            echo.echo("\x1b[2Jloud")
            program.wait_for("echo: '.*loud'$")
            assert "\x1b" not in program.output
            echo.oneway_slow()
            echo.shutdown()
        assert program.wait(4) == 0
        assert "Traceback" not in program.output


def test_sigterm_lets_a_call_end():
    """Which Ctrl-C does not."""
    with running("echoserver", "-H", LOCAL, "-v") as program:
        uri = program.wait_for(r"^echo uri: (\S+)$")[1]
        answers = []
        with connect(uri) as echo:
            caller = threading.Thread(target=lambda: answers.append(echo.slow()))
            caller.start()
            program.wait_for(r" slow$")
            program.signal(signal.SIGTERM)
            caller.join(scaled(20))
        assert answers == ["at last, an answer"]
        assert program.wait() == 0
        assert "Traceback" not in program.output


def test_echoserver_brings_a_name_server_along():
    """With -N, at the place that the configuration names; another port where that is taken."""
    port = free_port()
    with running("echoserver", "-N", "-H", LOCAL, env={"PYRO_NS_PORT": str(port)}) as program:
        program.wait_for(f"^registered in the name server at {LOCAL}:{port}$")
        program.wait_for("Ctrl-C stops")
        with connect(f"PYRONAME:test.echoserver@{LOCAL}:{port}") as echo:
            assert echo.echo(1) == 1
            program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert "Traceback" not in program.output


def test_echoserver_in_a_name_server_that_runs(names, tmp_path):
    """With -n; its name is gone when it has ended. -q says nothing."""
    path = str(tmp_path / "echo.sock")
    env = {"PYRO_NS_HOST": LOCAL, "PYRO_NS_PORT": str(names.uri.port)}
    with running("echoserver", "-n", "-q", "-u", path, env=env) as program:
        eventually(lambda: "test.echoserver" in names.nameserver.list(), 20)
        with connect(f"PYRO:test.echoserver@./u:{path}") as echo:
            assert echo.echo(1) == 1
        assert program.stop() == 0
        assert program.output == ""
    assert "test.echoserver" not in names.nameserver.list()


def test_echoserver_without_a_name_server_is_one_line():
    """It says what can be done."""
    code, out, err = pyronb("echoserver", "-n", "-H", LOCAL, PYRO_NS_HOST=LOCAL, PYRO_NS_PORT=str(free_port()))

    assert (code, out) == (1, "")
    assert "no name server found" in err
    assert err.count("\n") == 1


# config


def test_config_tells_what_differs_and_from_where():
    """For people, and for scripts; passwords are nobody's business."""
    env = {"PYRO_NS_PORT": "9191", "PYRONB_NS_HOST": "lab", "PYRO_NS_HOST": "x", "PYRO_SSL_SERVERKEYPASSWD": "secret"}
    code, out, err = pyronb("config", **env)
    assert (code, err) == (0, "")
    assert out.startswith(f"pyronb {__version__} in ")
    assert "protocol 502 (Pyro5) with serpent" in out
    assert "protocol 48 (Pyro4) with serpent" in out
    assert re.search(r"^\* NS_PORT +=\ 9191  \(from PYRO_NS_PORT; default 9090\)$", out, re.MULTILINE)
    assert re.search(r"^\* NS_HOST +=\ 'lab'  \(from PYRONB_NS_HOST; default 'localhost'\)$", out, re.MULTILINE)
    assert re.search(r"^  COMPRESSION +=\ False$", out, re.MULTILINE)
    assert "secret" not in out

    code, out, err = pyronb("config", "--json", "--changed", **env)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["version"] == __version__
    assert told["protocols"]["502"]["family"] == "Pyro5"
    assert {"json", "marshal", "serpent"} <= set(told["protocols"]["48"]["serializers"])
    assert told["settings"].keys() == {"NS_HOST", "NS_PORT", "SSL_SERVERKEYPASSWD"}
    assert told["settings"]["NS_PORT"] == {
        "value": 9191,
        "default": 9090,
        "changed": True,
        "source": "PYRO_NS_PORT",
        "meaning": "port of the name server",
    }
    assert "secret" not in out


@pytest.mark.parametrize("words", [("config",), ("config", "--json"), ("nsc", "list"), ("ns",)])
def test_a_setting_that_makes_no_sense_is_named(words):
    """Without a traceback."""
    code, out, err = pyronb(*words, PYRO_NS_PORT="x")

    assert (code, out) == (2, "")
    assert err.endswith("environment variable PYRO_NS_PORT='x': a whole number is needed\n")
    assert "Traceback" not in err


def test_output_that_is_closed_is_no_trouble(names):
    """Neither the one nor the other."""
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        command = f"{sys.executable} -m pyronb nsc -n {LOCAL} -p {names.uri.port} ping {closed}"
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=scaled(30), check=False)

        assert done.returncode == 0
        assert "Error" not in done.stdout + done.stderr


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


# doctor


def test_doctor(names):
    """Each step on a line, and 0 when the object can be reached."""
    place = f"{LOCAL}:{names.uri.port}"
    code, out, err = pyronb("doctor", "Pyro.NameServer", "--ns", place)

    assert (code, err) == (0, "")
    assert out.startswith("Reaching Pyro.NameServer: All is well")
    for step in ("name server", "name", "host", "port", "greeting", "protocol", "metadata", "ping"):
        assert f"  {step} " in out


def test_doctor_tells_where_it_breaks(names):
    """In words, in JSON, and with 1."""
    place = f"{LOCAL}:{names.uri.port}"
    code, out, _ = pyronb("doctor", "Pyro.NameServe", "--ns", place)
    assert code == 1
    assert "It breaks at the name. Did you mean Pyro.NameServer?" in out
    code, out, _ = pyronb("doctor", "Pyro.NameServe", "--ns", place, "--json")

    told = json.loads(out)
    assert (code, told["reached"]) == (1, False)
    assert [step["state"] for step in told["steps"]][:3] == ["ok", "failed", "not tried"]


@pytest.mark.parametrize("words", [("PYRO:a",), ("a", "--ns", ":1"), ("a", "-t", "soon"), ("a", "-t", "0"), ()])
def test_doctor_misused(words):
    code, out, err = pyronb("doctor", *words)

    assert (code, out) == (2, "")
    assert err.startswith("usage: pyronb doctor")


# stub


def test_stub(names):
    """It goes to stdout and is Python; another name for the class, and the other room, are options."""
    place = f"{LOCAL}:{names.uri.port}"
    code, out, err = pyronb("stub", "Pyro.NameServer", "--ns", place)

    assert (code, err) == (0, "")
    compile(out, "names.pyi", "exec")
    assert "class NameServer(Proxy):" in out
    assert "        def ping(self) -> None:" in out

    code, out, err = pyronb("stub", str(names.uri), "--aio", "--class-name", "Names")
    assert (code, err) == (0, "")
    assert "from pyronb.aio import Proxy\n\n\nclass Names(Proxy):" in out
    assert "        async def ping(self) -> None:" in out


def test_stub_of_several_objects(names):
    """All of them or none: half a module would hide that something failed."""
    place = f"{LOCAL}:{names.uri.port}"
    with serving() as daemon:
        names.nameserver.register("thing", daemon.register(Thing))
        code, out, err = pyronb("stub", "Pyro.NameServer", "thing", "--ns", place)
    assert (code, err) == (0, "")
    assert out.index("class NameServer(Proxy):") < out.index("class Thing(Proxy):")

    code, out, err = pyronb("stub", "Pyro.NameServer", "nothing", "--ns", place)
    assert (code, out) == (1, "")
    assert err.startswith("pyronb stub: ")
    assert "nothing" in err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("PYRO:a",),
        ("a", "--ns", ":1"),
        ("a", "-t", "0"),
        ("a", "--class-name", "a b"),
        ("a", "--class-name", "_A"),
        ("a", "--class-name", "class"),
        ("a", "b", "--class-name", "A"),
    ],
)
def test_stub_misused(words):
    code, out, err = pyronb("stub", *words)

    assert (code, out) == (2, "")
    assert err.startswith("usage: pyronb stub")
