"""`%pyro_serve`, `%%pyro_expose` and `%pyro_ns`: what the kernel serves, and that it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pyronb.config import config
from pyronb.errors import PyroError
from pyronb.jupyter.ipython.extension import load_ipython_extension, unload_ipython_extension
from pyronb.jupyter.runtime import enter_name, leave_names, read_names
from pyronb.server.daemon import Daemon
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI
from tests.jupyter.ipython.scene import HOST, HOSTILE, Counter, nameserver, serving
from tests.jupyter.ipython.test_connect import usage
from tests.support.programs import free_port
from tests.support.waiting import scaled

CAMERA = '''
class Camera:
    """Takes pictures."""
    taken = 0

    def picture(self, size: int = 1) -> list[int]:
        self.taken += 1
        return [self.taken] * size
'''


@pytest.fixture(autouse=True)
def _here(no_leaks, shell):
    """Serve and ask on the loopback, and nothing that was not started."""
    config.HOST, config.NS_HOST, config.NS_PORT = HOST, HOST, free_port()
    yield
    unload_ipython_extension(shell)
    config.reset()


@pytest.fixture
def ns():
    """A name server where the configuration says that it is."""
    with nameserver() as address:
        config.NS_PORT = int(address.partition(":")[2])
        yield address


def names():
    return {entry["name"]: entry for entry in read_names(None)["names"]}


def called(name, method, *args):
    """Call an object from elsewhere."""
    with Proxy(f"PYRONAME:{name}") as proxy:
        return getattr(proxy, method)(*args)


# Objects


def test_an_object_is_served(shell, ns, cell):
    """Under its name, from a thread of the kernel, with its tags."""
    shell.user_ns["Counter"] = Counter
    cell("mine = Counter()")
    done = cell("%pyro_serve mine as lab.mine --tag floor1 --tag new")

    assert done.error is None
    assert called("lab.mine", "add", 4) == 4
    assert shell.user_ns["mine"].total == 4
    assert names()["lab.mine"]["tags"] == ["floor1", "new"]
    assert f"registered at {ns}" in done.text
    assert "PYRO:lab.mine@127.0.0.1:" in done.html
    assert "lab.mine  registered" in cell("%pyro_status").text


def test_an_expression_is_served(shell, ns, cell):
    """It may hold whatever Python does, also an `as`."""
    shell.user_ns["Counter"] = Counter

    assert cell("%pyro_serve [Counter() for x in ' as {x}'][0] as lab.mine").error is None
    assert called("lab.mine", "add", 1) == 1


def test_serving_again_replaces(shell, ns, cell):
    shell.user_ns.update(one=Counter(), two=Counter())
    cell("%pyro_serve one as lab.mine")
    assert cell("%pyro_serve two as lab.mine").error is None
    assert called("lab.mine", "add", 2) == 2

    assert (shell.user_ns["one"].total, shell.user_ns["two"].total) == (0, 2)
    assert cell("%pyro_serve two as lab.mine").error is None
    assert "served already, as lab.mine; %pyro_close lab.mine ends that" in usage(cell("%pyro_serve two as lab.other"))


def test_closing_takes_the_name_back(shell, ns, cell):
    shell.user_ns["one"] = Counter()
    cell("%pyro_serve one as lab.mine")
    assert cell("%pyro_close lab.mine").stdout == "closed: lab.mine\n"

    assert "lab.mine" not in names()
    assert "Served from here: none" in cell("%pyro_status").text


def test_without_a_name_server_it_is_served_all_the_same(shell, cell):
    """By its address, and it is said why it has no name."""
    shell.user_ns["one"] = Counter()
    done = cell("%pyro_serve one as lab.mine")

    assert done.error is None
    assert "Not registered: The name server at" in done.text
    uri = next(word for word in done.text.split() if word.startswith("PYRO:lab.mine@"))
    with Proxy(uri) as proxy:
        assert proxy.add(1) == 1


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("", "for example: %pyro_serve Camera() as lab.camera"),
        ("one", "write %pyro_serve EXPR as NAME"),
        ("one as", "write %pyro_serve EXPR as NAME"),
        ("one + as a", "one + is no Python expression"),
        ("one as a b", "one name is needed, not: a b"),
        ("one as a@b", "'a@b' cannot be the name of an object"),
        ("5 as five", "int exposes nothing; put @pyronb.expose above"),
        ("one as a --ns :1", "--ns: "),
        ("one as a --frobnicate", "unrecognized arguments: --frobnicate"),
    ],
)
def test_mistakes_when_serving(shell, cell, line, part):
    shell.user_ns["one"] = Counter()

    assert part in usage(cell(f"%pyro_serve {line}"))


def test_an_expression_that_fails_shows_its_error(cell):
    assert isinstance(cell("%pyro_serve 1 / 0 as lab.mine").error, ZeroDivisionError)


# Classes


def test_the_class_of_a_cell_is_served(shell, ns, cell):
    """All that is public, by one instance for all clients; the class is there in the notebook too."""
    done = cell(f"%%pyro_expose lab.camera --tag new{CAMERA}")

    assert done.error is None
    assert called("lab.camera", "picture", 2) == [1, 1]
    assert called("lab.camera", "picture") == [2]
    assert shell.user_ns["Camera"].__doc__ == "Takes pictures."
    assert "lab.camera  Camera" in done.text


def test_running_the_cell_again_replaces_class_and_instance(ns, cell):
    cell(f"%%pyro_expose lab.camera{CAMERA}")
    called("lab.camera", "picture")
    assert cell(f"%%pyro_expose lab.camera{CAMERA.replace('[self.taken] * size', '-self.taken')}").error is None

    assert called("lab.camera", "picture") == -1
    assert len([name for name in names() if name.startswith("lab.")]) == 1


def test_marks_and_behaviour_of_the_class_count(ns, cell):
    cell(
        "%%pyro_expose lab.camera\nimport pyronb\n@pyronb.behavior(instance_mode='percall')\nclass Camera:\n"
        "    n = 0\n    @pyronb.expose\n    def count(self):\n        self.n += 1\n        return self.n\n"
        "    def hidden(self): pass\n"
    )

    assert [called("lab.camera", "count"), called("lab.camera", "count")] == [1, 1]
    with pytest.raises(AttributeError):
        called("lab.camera", "hidden")


def test_a_cell_that_fails_keeps_what_was_served(ns, cell):
    """With the usual traceback, which counts lines as the cell does."""
    cell(f"%%pyro_expose lab.camera{CAMERA}")
    done = cell(f"%%pyro_expose lab.camera{CAMERA}\n1 / 0")

    assert isinstance(done.error, ZeroDivisionError)
    assert "words.py" not in done.stdout
    assert called("lab.camera", "picture") == [1]
    assert isinstance(cell("%%pyro_expose lab.camera\nclass A(:\n").error, SyntaxError)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("%%pyro_expose\nclass A: pass", "required: NAME; for example: %%pyro_expose lab.camera"),
        ("%%pyro_expose a b\nclass A: pass", "one name is needed, not: a b"),
        ("%%pyro_expose a\nx = 1", "the cell defines no class"),
        ("%%pyro_expose a\nclass A: pass", "A exposes nothing"),
        ("%%pyro_expose a\nclass A: pass\nA = 1", "A is no class after the cell ran"),
    ],
)
def test_mistakes_when_exposing(cell, source, part):
    assert part in usage(cell(source))


# Names of others


def test_a_name_of_a_running_object_is_left_alone(shell, ns, cell):
    """The object is served without it."""
    shell.user_ns["one"] = Counter()
    with serving(Daemon(HOST)) as other:
        other.register(Counter(), "theirs")
        assert enter_name(ns, "lab.mine", other.uriFor("theirs")).state == "ok"
        done = cell("%pyro_serve one as lab.mine")

        assert "Not registered: The name lab.mine is that of an object at" in done.text
        assert "Choose another name" in done.text
        assert names()["lab.mine"]["uri"] == str(other.uriFor("theirs"))
    cell("%pyro_close lab.mine")


def test_a_stale_name_is_taken(shell, ns, cell):
    """As after a kernel that was killed."""
    enter_name(ns, "lab.mine", URI(f"PYRO:gone@{HOST}:{free_port()}"))
    shell.user_ns["one"] = Counter()
    cell("%pyro_serve one as lab.mine")

    assert called("lab.mine", "add", 1) == 1


def test_only_ones_own_names_are_taken_back(ns):
    mine, theirs = URI(f"PYRO:a@{HOST}:1"), URI(f"PYRO:b@{HOST}:2")
    enter_name(ns, "x.mine", mine)
    enter_name(ns, "x.theirs", theirs)
    leave_names(ns, {"x.mine": mine, "x.theirs": mine, "x.none": mine})

    assert {"x.theirs"} == {name for name in names() if name.startswith("x.")}


def test_failures_of_registering_are_told():
    assert enter_name(f"{HOST}:{free_port()}", "a", URI(f"PYRO:a@{HOST}:1")).state == "unreachable"
    assert enter_name("", "a", URI(f"PYRO:a@{HOST}:1")).state == "unconfigured"
    leave_names(f"{HOST}:{free_port()}", {"a": URI(f"PYRO:a@{HOST}:1")})


def test_hostile_names_are_escaped(shell, ns, cell):
    name = HOSTILE.replace(" ", "")
    shell.user_ns["one"] = Counter()
    done = cell(f"%pyro_serve one as {name}")

    assert done.error is None
    assert "<script" not in done.html
    assert "&lt;script&gt;" in done.html


# The end


def test_unloading_ends_it_all(shell, ns, cell):
    """Names are taken back, connections closed, threads ended; what is loaded again starts anew."""
    shell.user_ns["one"] = Counter()
    cell("%pyro_serve one as lab.mine")
    with Proxy("PYRONAME:lab.mine") as proxy:
        assert proxy.add(1) == 1
        unload_ipython_extension(shell)
        with pytest.raises(PyroError):
            proxy.add(1)
    assert "lab.mine" not in names()
    assert "pyronb-kernel-daemon" not in {thread.name for thread in threading.enumerate()}
    load_ipython_extension(shell)
    assert cell("%pyro_serve one as lab.mine").error is None
    assert called("lab.mine", "add", 1) == 2


def test_the_end_of_the_program_takes_names_back(ns, tmp_path):
    """Also without unloading."""
    script = tmp_path / "end.py"
    script.write_text(
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_cell('%load_ext pyronb')\n"
        "shell.run_cell('%%pyro_expose lab.camera\\nclass Camera:\\n    def f(self): pass')\n"
        "shell.run_cell('%pyro_ls')\n"
    )
    environment = {
        "PYRONB_NS_HOST": HOST,
        "PYRONB_NS_PORT": ns.partition(":")[2],
        "IPYTHONDIR": str(tmp_path),
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, timeout=scaled(60), check=True
    )

    assert b"  lab.camera       PYRO:lab.camera@" in done.stdout
    assert "lab.camera" not in names()


# The name server


def test_a_name_server_in_the_kernel(shell, cell):
    """What the kernel looks up and registers goes there, until it is stopped."""
    before = config.NS_PORT
    done = cell("%pyro_ns start --port 0")
    assert done.error is None
    assert "1 name, runs in this kernel" in done.text
    assert config.NS_PORT != before
    shell.user_ns["one"] = Counter()
    cell("%pyro_serve one as lab.mine")

    assert cell("%pyro_ls lab.*").result == ["lab.mine"]
    assert "runs in this kernel" in cell("%pyro_ns").html
    assert "one runs in this kernel already" in usage(cell("%pyro_ns start"))
    assert "is stopped" in cell("%pyro_ns stop").stdout
    assert config.NS_PORT == before
    assert "none runs in this kernel" in usage(cell("%pyro_ns stop"))


def test_it_starts_where_the_configuration_looks(cell):
    assert f"{HOST}:{config.NS_PORT}" in cell("%pyro_ns start").text


def test_another_one_is_not_disturbed(ns, cell):
    assert f"a name server answers at {ns} already" in usage(cell("%pyro_ns start"))
    assert f"name server {ns}: pyronb" in cell("%pyro_ns").text
    assert "runs in this kernel" not in cell("%pyro_ns").text


def test_there_is_none(cell):
    """Which is no error when one asks how it is."""
    done = cell("%pyro_ns")

    assert done.error is None
    assert "is not running" in done.text
    assert "unreachable" in done.html


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("begin", "%pyro_ns start and %pyro_ns stop; not: begin"),
        ("start --port many", "--port takes a number from 0 to 65535, not many"),
        ("start --port 65536", "--port takes a number from 0 to 65535"),
        ("stop --port 1", "--port goes with %pyro_ns start"),
        ("start --ns a:1", "--ns is whom to ask"),
    ],
)
def test_mistakes_with_the_name_server(cell, line, part):
    assert part in usage(cell(f"%pyro_ns {line}"))


def test_a_port_that_is_taken(cell):
    with serving(Daemon(HOST)) as daemon:
        port = daemon.locationStr.partition(":")[2]
        assert "%pyro_ns start --port 0 takes a free port" in usage(cell(f"%pyro_ns start --port {port}"))
