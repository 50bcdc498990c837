"""The doctor: each step of reaching an object, and where it breaks."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("IPython")

from pyronb.config import config
from pyronb.jupyter.doctor import diagnose, section_of
from pyronb.jupyter.ipython.views import sections_html, sections_text
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from tests.jupyter.ipython.scene import HOST, HOSTILE, Counter, bad_peer, playing, serving
from tests.support.programs import free_port
from tests.support.waiting import scaled

NAME_STEPS = ["name server", "name", "host", "port", "greeting", "protocol", "metadata", "ping"]


@pytest.fixture
def scene():
    with playing() as scene:
        yield scene


def broken(diagnosis):
    """The step that failed; those before it went well, those after it were not tried."""
    states = [step.state for step in diagnosis.steps]
    at = states.index("failed")
    assert states[:at] == ["ok"] * at
    assert states[at + 1 :] == ["not tried"] * (len(states) - at - 1)
    return diagnosis.steps[at]


def test_all_steps_of_a_name(scene):
    """In their order, with what was found and how long it took."""
    diagnosis = diagnose("lab.counter", scene.nameserver)

    assert [step.what for step in diagnosis.steps] == NAME_STEPS
    assert {step.state for step in diagnosis.steps} == {"ok"}
    assert diagnosis.failure is None
    assert diagnosis.verdict.startswith("All is well; reaching it took ")
    found = {step.what: step.detail for step in diagnosis.steps}
    assert found["name server"].endswith(scene.nameserver)
    assert "lab.counter is PYRO:counter@" in found["name"]
    assert found["host"] == HOST
    assert "502 of Pyro5, values as native" in found["protocol"]
    assert "5 methods, 2 attributes with documentation" in found["metadata"]
    assert all(step.seconds is not None for step in diagnosis.steps if step.what not in {"protocol", "metadata"})


def test_an_address_needs_no_name_server(scene):
    diagnosis = diagnose(str(scene.daemon.uriFor("counter")))

    assert [step.what for step in diagnosis.steps] == NAME_STEPS[2:]
    assert diagnosis.failure is None


def test_a_unix_socket(tmp_path):
    with serving(Daemon(unixsocket=str(tmp_path / "s"))) as daemon:
        diagnosis = diagnose(str(daemon.register(Counter(), "counter")))

    assert diagnosis.failure is None
    assert diagnosis.steps[0].detail == str(tmp_path / "s")


def test_tags(scene):
    diagnosis = diagnose(f"PYROMETA:floor2,class:counter@{scene.nameserver}")

    assert diagnosis.failure is None
    assert "an object with the tags class:counter, floor2 is PYRO:counter@" in diagnosis.steps[1].detail
    assert broken(diagnose(f"PYROMETA:floor99@{scene.nameserver}")).what == "name"


def test_no_name_server():
    step = broken(diagnose("lab.counter", f"{HOST}:{free_port()}"))

    assert step.what == "name server"
    assert "nothing listens there" in step.detail
    assert "Start one with `pyronb ns`" in step.hint


def test_an_unknown_name(scene):
    step = broken(diagnose("lab.counters", scene.nameserver))

    assert step.what == "name"
    assert step.hint == "Did you mean lab.counter?"


def test_an_unknown_host(scene):
    scene.enter("lab.far", "PYRO:far@no-such-host.invalid:1")
    step = broken(diagnose("lab.far", scene.nameserver))

    assert step.what == "host"
    assert "does not know the host" in step.detail


def test_nobody_listens(scene):
    scene.enter("lab.dead", f"PYRO:dead@{HOST}:{free_port()}")
    step = broken(diagnose("lab.dead", scene.nameserver))

    assert step.what == "port"
    assert "Start the program that serves it" in step.hint


def test_an_address_that_only_its_own_machine_can_reach(scene, monkeypatch):
    """It came from a name server elsewhere."""
    monkeypatch.setattr("pyronb.jupyter.runtime.LOOPBACK", frozenset({"localhost"}))
    scene.enter("lab.dead", f"PYRO:dead@localhost:{free_port()}")

    assert "only its own machine can reach" in broken(diagnose("lab.dead", scene.nameserver)).hint


def test_somebody_else_listens():
    with bad_peer(b"SSH-2.0-OpenSSH_9.6\r\n" + b" " * 100) as address:
        step = broken(diagnose(f"PYRO:a@{address}"))

    assert step.what == "protocol"
    assert "does not speak a protocol that is known here" in step.detail


def test_nobody_answers():
    """Each step has its limit."""
    began = time.monotonic()
    with bad_peer() as address:
        step = broken(diagnose(f"PYRO:a@{address}", timeout=0.3))

    assert step.what == "greeting"
    assert "did not answer in time" in step.detail
    assert time.monotonic() - began < scaled(3)


def test_an_object_that_is_not_there(scene):
    step = broken(diagnose(f"PYRO:gone@{scene.daemon.locationStr}"))

    assert step.what == "greeting"
    assert "gone" in step.detail


def test_an_object_that_exposes_nothing(scene):
    class Nothing:
        pass

    step = broken(diagnose(str(scene.daemon.register(Nothing(), "nothing"))))

    assert step.what == "metadata"
    assert "expose" in step.detail


def test_metadata_that_is_not_asked_for(scene, monkeypatch):
    monkeypatch.setitem(config._values, "METADATA", False)
    diagnosis = diagnose("lab.counter", scene.nameserver)

    assert diagnosis.failure is None
    assert "METADATA is off" in {step.what: step.detail for step in diagnosis.steps}["metadata"]


def test_what_is_no_name():
    with pytest.raises(ValueError, match="lacks @host:port"):
        diagnose("PYRO:a")


def test_it_is_shown(scene):
    """As text and as a table; what comes from elsewhere is escaped."""
    name = HOSTILE.replace(" ", "")
    scene.offer(name, expose(type(HOSTILE, (), {"f": lambda self: 1}))())
    section = section_of(diagnose(name, scene.nameserver))
    text, html = sections_text([section]), sections_html("doctor", [section])

    assert text.startswith(f"Reaching {name}: All is well")
    assert "port         ok" in text
    assert "● ok" in html
    assert "<script" not in html
    failed = section_of(diagnose("x", f"{HOST}:{free_port()}"))
    assert "It breaks at the name server. Start one with" in sections_text([failed])
    assert "pyronb-bad" in sections_html("doctor", [failed])
