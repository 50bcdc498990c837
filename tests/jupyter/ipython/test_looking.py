"""`%pyro_ls`, `%pyro_info`, `%pyro_status`, `%pyro_config`, `%pyro_close`."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter

from pyronb.config import config
from pyronb.futures import FutureResult
from pyronb.jupyter.ipython.completion import known_names
from pyronb.jupyter.ipython.looking import futures_in
from pyronb.sync.proxy import Proxy
from tests.jupyter.ipython.scene import HOST, HOSTILE, Counter
from tests.jupyter.ipython.test_connect import usage
from tests.support.programs import free_port


@pytest.fixture
def configured():
    """The configuration, which is as before afterwards."""
    yield config
    config.reset()


# The names


def test_names_are_listed(scene, cell):
    """With addresses and tags; used like a list of names."""
    listing = cell(f"%pyro_ls --ns {scene.nameserver}").result

    assert listing == ["Pyro.NameServer", "lab.counter"]
    assert (len(listing), listing[1], listing[:1]) == (2, "lab.counter", ["Pyro.NameServer"])
    assert f"name server {scene.nameserver}: 2 names" in repr(listing)
    assert "PYRO:counter@" in repr(listing)
    assert "floor2" in listing._repr_html_()
    assert "lab.counter" in list(known_names)


def test_patterns_words_and_tags_narrow_it(scene, cell):
    scene.enter("lab.stage", f"PYRO:a@{HOST}:1", {"motors", "floor2"})

    assert cell(f"%pyro_ls lab.* --ns {scene.nameserver}").result == ["lab.counter", "lab.stage"]
    assert cell(f"%pyro_ls stage --ns {scene.nameserver}").result == ["lab.stage"]
    assert cell(f"%pyro_ls --tag floor2 --tag motors --ns {scene.nameserver}").result == ["lab.stage"]
    assert cell(f"%pyro_ls nothing --ns {scene.nameserver}").result == []


def test_a_variable_takes_the_names(shell, scene, cell):
    done = cell(f"%pyro_ls lab.* -o found --ns {scene.nameserver}")

    assert done.result is None
    assert shell.user_ns["found"] == ["lab.counter"]


def test_mistakes_with_names(cell):
    assert "is not running" in usage(cell(f"%pyro_ls --ns {HOST}:{free_port()}"))
    assert "unrecognized arguments: b; for example: %pyro_ls lab.*" in usage(cell("%pyro_ls a b"))
    assert "-o 2: that cannot be the name" in usage(cell("%pyro_ls -o 2"))


def test_hostile_names_and_tags(scene, cell):
    name = HOSTILE.replace(" ", "")
    scene.enter(name, f"PYRO:a@{HOST}:1", {name})
    html = cell(f"%pyro_ls --ns {scene.nameserver}").result._repr_html_()

    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 2


# One object


def test_all_that_an_object_offers(scene, counter, cell, network):
    """Without asking anybody."""
    done = cell("%pyro_info c")

    for part in ("add(number: int, times: int = 1) -> int", "value: int", "Protocol 502 of Pyro5", "speaks native"):
        assert part in done.text
        assert part.partition(" ->")[0] in done.html
    assert "Told 0 s ago; %pyro_info c --refresh asks again." in done.text
    assert network.calls == []


def test_asking_again(shell, scene, counter, cell):
    """A class that was changed shows what it offers now, and the proxy keeps its name."""
    Counter.later = lambda self: 1
    Counter.later._pyroExposed = True
    try:
        scene.daemon.resetMetadataCache("counter")
        assert "later" not in cell("%pyro_info c").text
        assert "later" in cell("%pyro_info c --refresh").text
    finally:
        del Counter.later
        scene.daemon.resetMetadataCache("counter")
    assert str(counter._pyroUri).startswith("PYRONAME:lab.counter")


def test_a_proxy_that_is_not_connected(shell, cell, network):
    shell.user_ns["p"] = Proxy("PYRO:a@127.0.0.1:1")

    assert "Not connected; it connects when it is used." in cell("%pyro_info p").text
    assert network.calls == []


def test_mistakes_with_an_object(shell, scene, cell):
    assert "there is no variable x; get one with: %pyro_connect NAME as VAR" in usage(cell("%pyro_info x"))
    shell.user_ns["x"] = 1
    assert "x is no proxy but holds something else (int)" in usage(cell("%pyro_info x"))
    shell.user_ns["p"] = Proxy(f"PYRO:a@{HOST}:{free_port()}")
    assert "nothing listens there" in usage(cell("%pyro_info p --refresh"))


# What is open


def test_status(shell, counter, cell, network):
    """Proxies, what is served, and futures that are not done; nobody is asked."""
    shell.user_ns["p"] = Proxy(f"PYRO:{HOSTILE.replace(' ', '')}@127.0.0.1:1")
    shell.user_ns["jobs"] = [FutureResult(), FutureResult()]
    shell.user_ns["jobs"][1].set_result(1)
    done = cell("%pyro_status")

    assert "Proxies: 1 of 2 connected" in done.text
    assert "Served from here: none" in done.text
    assert "Futures: 1 of 2 outstanding\n  jobs[0]  pending" in done.text
    assert "<script" not in done.html
    assert network.calls == []
    assert "takes no words" in usage(cell("%pyro_status all"))


def test_futures_are_found_where_they_are_kept():
    """In variables, and one step further; not in the shell's own."""
    future = FutureResult()
    found = futures_in({"a": future, "b": (1, future), "c": {"k": future, 2.5: future}, "_": future, "d": 3})

    assert ["a", "b[1]", "c['k']"] == list(found)


# Settings


def test_settings_are_shown(cell, configured):
    configured.MAX_RETRIES = 3
    done = cell("%pyro_config")

    assert "MAX_RETRIES  3" in done.text
    assert "COMPRESSION" not in done.text
    assert "seconds that a call may take" in cell("%pyro_config commtimeout").text
    assert "notebooks speak auto" in cell("%pyro_config SERIALIZER").text


def test_settings_are_changed(cell, configured):
    assert "COMMTIMEOUT  2.5" in cell("%pyro_config COMMTIMEOUT 2.5").text
    assert config.COMMTIMEOUT == 2.5
    cell("%pyro_config COMPRESSION on")
    assert config.COMPRESSION is True
    cell("%pyro_config SERIALIZERS_ACCEPTED json,serpent")
    assert {"json", "serpent"} == config.SERIALIZERS_ACCEPTED
    assert "notebooks" not in cell("%pyro_config SERIALIZER serpent").text


def test_passwords_are_not_shown(cell, configured):
    assert "hush" not in cell("%pyro_config SSL_SERVERKEYPASSWD hush").html
    assert "(hidden)" in cell("%pyro_config").text


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("COMM", "there is no setting COMM; there is COMMTIMEOUT"),
        ("COMMTIMEOUT soon", "a number is needed; seconds that a call may take"),
        ("COMMTIMEOUT -1", "COMMTIMEOUT=-1.0 is out of range"),
        ("COMPRESSION perhaps", "use 1, on, yes, true or 0, off, no, false"),
        ("COMPRESSION on off", "unrecognized arguments: off"),
    ],
)
def test_mistakes_with_settings(cell, configured, line, part):
    assert part in usage(cell(f"%pyro_config {line}"))


# Closing


def test_closing_proxies(shell, scene, counter, cell):
    cell(f"%pyro_connect lab.counter as d --ns {scene.nameserver}")

    assert cell("%pyro_close c").stdout == "closed: c\n"
    assert not counter._pyro.connected
    assert shell.user_ns["d"]._pyro.connected
    assert cell("%pyro_close").stdout == "closed: d\n"
    assert cell("%pyro_close").stdout == "Nothing was open.\n"
    assert counter.add(1) == 1
    assert "there is no variable x" in usage(cell("%pyro_close c x"))
    assert counter._pyro.connected


# Completion


def words(shell, text):
    with provisionalcompleter():
        return {completion.text.split()[-1] for completion in shell.Completer.completions(text, len(text))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%pyro_ls lab.c", {"lab.counter"}),
        ("%pyro_ls --", {"--ns", "--out", "--tag"}),
        ("%pyro_info c", {"c"}),
        ("%pyro_close c", {"c"}),
        ("%pyro_config COMMT", {"COMMTIMEOUT"}),
        ("%pyro_config COMPRESSION T", {"True"}),
        ("%pyro_ns st", {"start", "stop"}),
        ("%pyro_connect lab.counter as c lab.c", {"lab.counter"}),
    ],
)
def test_completion(shell, counter, network, text, expected):
    """From what is known; nobody is asked."""
    assert expected <= words(shell, text)
    assert network.calls == []


# The doctor


def test_the_doctor_examines_names_and_variables(counter, scene, cell):
    for target in (f"lab.counter --ns {scene.nameserver}", "c", str(scene.daemon.uriFor("counter"))):
        done = cell(f"%pyro_doctor {target}")

        assert done.error is None
        assert "All is well" in done.text
        assert "ping" in done.html


def test_the_doctor_tells_where_it_breaks(scene, cell):
    """Which is no error of the cell."""
    done = cell(f"%pyro_doctor lab.counters --ns {scene.nameserver}")

    assert done.error is None
    assert "It breaks at the name. Did you mean lab.counter?" in done.text
    assert "not tried" in done.html


def test_mistakes_with_the_doctor(cell):
    assert "lacks @host:port" in usage(cell("%pyro_doctor PYRO:a"))
    assert "required: NAME_OR_URI; for example: %pyro_doctor lab.camera" in usage(cell("%pyro_doctor"))
