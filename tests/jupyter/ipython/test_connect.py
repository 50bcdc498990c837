"""`%pyro_connect`: binding, the card, and each mistake with its answer and its time limit."""

from __future__ import annotations

import threading
import time

import pytest
from IPython.core.error import UsageError

from pyronb.config import config
from pyronb.jupyter.ipython.completion import known_names
from pyronb.jupyter.ipython.connect import target_of, variable_for
from pyronb.server.daemon import Daemon
from pyronb.sync.proxy import Proxy
from tests.jupyter.ipython.scene import HOST, HOSTILE, Counter, bad_peer
from tests.support.programs import free_port
from tests.support.waiting import scaled


def test_binds_the_last_part_of_the_name(shell, scene, cell):
    """The proxy is connected and usable in the next cell."""
    done = cell(f"%pyro_connect lab.counter --ns {scene.nameserver}")

    assert done.error is None
    assert done.result is None
    assert cell("counter.add(2)").result == 2
    shell.user_ns["counter"]._pyroRelease()


def test_binds_the_chosen_variable(counter):
    """`as VAR` chooses; --ns may stand anywhere."""
    assert counter.add(3) == 3


@pytest.mark.parametrize("line", ["--ns {} lab.counter as d", "lab.counter --ns {} as d", "lab.counter as d --ns {}"])
def test_options_stand_anywhere(shell, scene, cell, line):
    assert cell("%pyro_connect " + line.format(scene.nameserver)).error is None

    shell.user_ns["d"]._pyroRelease()


def test_a_full_uri_is_taken_as_is(shell, scene, cell):
    uri = scene.daemon.uriFor("counter")

    assert cell(f"%pyro_connect {uri} as direct").error is None
    assert str(uri) == str(shell.user_ns["direct"]._pyroUri)
    shell.user_ns["direct"]._pyroRelease()


def test_tags_find_an_object(shell, scene, cell):
    assert cell(f"%pyro_connect PYROMETA:floor2@{scene.nameserver} as found").error is None
    assert shell.user_ns["found"].add(1) == 1
    shell.user_ns["found"]._pyroRelease()


def test_the_configured_name_server_is_the_default(shell, scene, cell, monkeypatch):
    host, _, port = scene.nameserver.partition(":")
    monkeypatch.setattr(config, "NS_HOST", host)
    monkeypatch.setattr(config, "NS_PORT", int(port))

    assert cell("%pyro_connect lab.counter").error is None
    shell.user_ns["counter"]._pyroRelease()


def test_shows_a_card(scene, counter, cell):
    """Name, address, server, latency, members; as text and as HTML."""
    card = cell(f"%pyro_connect lab.counter as c --ns {scene.nameserver}")

    for part in ("lab.counter", "PYRO:counter@", "pyronb ", " ms", "add(number: int, times: int = 1) -> int", "value:"):
        assert part in card.text
    assert "Counts &lt;b&gt;things&lt;/b&gt;." in card.html
    assert "floor2" in card.html
    assert "oneway" in card.html
    assert "read-only" in card.html


def test_long_lists_are_cut(shell, scene, cell):
    """The first ten methods, and how many more there are."""
    many = type("Many", (), {f"method{i:02}": (lambda self: 1) for i in range(13)})
    for i in range(13):
        getattr(many, f"method{i:02}")._pyroExposed = True
    scene.offer("lab.many", many())
    card = cell(f"%pyro_connect lab.many --ns {scene.nameserver}")

    assert "… 3 more" in card.text
    assert "… 3 more" in card.html
    assert "method09" in card.html
    assert "method10" not in card.html
    shell.user_ns["many"]._pyroRelease()


def test_replaces_and_releases_the_old_proxy(shell, scene, counter, cell):
    """A second connect to the same variable leaves one connection."""
    assert cell(f"%pyro_connect lab.counter as c --ns {scene.nameserver}").error is None

    assert shell.user_ns["c"] is not counter
    assert not counter._pyro.connected
    shell.user_ns["c"]._pyroRelease()


def test_a_failed_connect_keeps_the_old_proxy(shell, scene, counter, cell):
    assert cell(f"%pyro_connect lab.nothing as c --ns {scene.nameserver}").error is not None

    assert shell.user_ns["c"] is counter
    assert counter._pyro.connected


def test_timeout_and_serializer_are_the_proxys(shell, scene, cell):
    """The limit is for calls; connecting has its own."""
    cell(f"%pyro_connect lab.counter as c --ns {scene.nameserver} --timeout 7.5 --serializer json")
    proxy = shell.user_ns["c"]

    assert proxy._pyroTimeout == 7.5
    assert proxy._pyroSerializer == "json"
    assert proxy.add(1) == 1
    proxy._pyroRelease()


def test_values_travel_as_they_are(shell, scene, counter, cell):
    """Between pyronb peers the serializer is native, without a word; the card says so."""
    assert "speaks native" in cell(f"%pyro_connect lab.counter as c --ns {scene.nameserver}").text
    done = cell("import numpy as np, datetime\nc.echo((np.arange(6.0).reshape(2, 3), {1}, datetime.date(2024, 2, 29)))")

    assert done.error is None
    array, numbers, day = done.result
    assert type(done.result) is tuple
    assert (array.shape, array.dtype, array.sum()) == ((2, 3), "float64", 15)
    assert (numbers, str(day)) == ({1}, "2024-02-29")
    shell.user_ns["c"]._pyroRelease()


@pytest.fixture
def configured():
    """The configuration, which is as before afterwards."""
    yield config
    config.reset()


def test_a_serializer_that_was_configured_is_used(shell, scene, cell, configured):
    """Also when it is the default."""
    configured.SERIALIZER = "serpent"
    assert "speaks serpent" in cell(f"%pyro_connect lab.counter as c --ns {scene.nameserver}").text

    assert shell.user_ns["c"]._pyroSerializer == "serpent"
    shell.user_ns["c"]._pyroRelease()


def test_without_timeout_calls_have_the_configured_one(shell, scene, cell, monkeypatch):
    monkeypatch.setattr(config, "COMMTIMEOUT", 33.0)
    cell(f"%pyro_connect lab.counter as c --ns {scene.nameserver}")

    assert shell.user_ns["c"]._pyroTimeout == 33.0
    shell.user_ns["c"]._pyroRelease()


def test_timeout_zero_waits_for_ever(shell, scene, cell, monkeypatch):
    monkeypatch.setattr(config, "COMMTIMEOUT", 33.0)
    cell(f"%pyro_connect lab.counter as c --ns {scene.nameserver} --timeout 0")

    assert shell.user_ns["c"]._pyroTimeout is None
    shell.user_ns["c"]._pyroRelease()


def test_the_name_is_looked_up_again(shell, scene, counter):
    """A program that was restarted on another port is found by the same proxy."""
    with Daemon(host=HOST, port=0) as other:
        scene.enter("lab.counter", other.register(Counter(), "other"))
        counter._pyroRelease()
        thread = threading.Thread(target=other.requestLoop, daemon=True)
        thread.start()
        assert counter.add(5) == 5
        counter._pyroRelease()
        other.shutdown()
        thread.join(scaled(10))


def test_names_are_remembered_for_completion(counter):
    assert "lab.counter" in list(known_names)


@pytest.mark.parametrize(
    ("uri", "variable"),
    [
        ("PYRONAME:lab.camera", "camera"),
        ("PYRONAME:lab.my-camera", "my_camera"),
        ("PYRONAME:lab.2nd", "_2nd"),
        ("PYRONAME:lab.class", "class_"),
        ("PYRONAME:lab.list", "list_"),
        ("PYRONAME:…", "proxy"),
        ("PYRO:obj_1@h:1", "obj_1"),
        ("PYRONAME:lab.", "lab"),
        ("PYRONAME:lab.größe", "größe"),
        ("PYROMETA:b,a", "a_b"),
    ],
)
def test_a_variable_is_made_of_the_name(uri, variable):
    assert variable == variable_for(target_of(uri, None))


def usage(done):
    """The one line of a user's mistake."""
    assert type(done.error) is UsageError, done.error
    assert done.stdout == ""
    line = str(done.error)
    assert "\n" not in line
    assert f"UsageError: {line}" in done.stderr
    return line


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("", "required: NAME_OR_URI [as VAR]; for example: %pyro_connect lab.camera as cam"),
        ("as", "write %pyro_connect NAME_OR_URI as VAR"),
        ("as b", "write %pyro_connect NAME_OR_URI as VAR"),
        ("a as", "write %pyro_connect NAME_OR_URI as VAR"),
        ("a as b c as b", "as b: that name is given to two objects"),
        ("a as 2b", "as 2b: that cannot be the name of a variable"),
        ("a as a.b", "cannot be the name of a variable"),
        ("a as for", "cannot be the name of a variable"),
        ("a as list", "would hide Python's own list; choose another name, for example list_"),
        ("a --timeout soon", "--timeout takes a number of seconds such as 2.5"),
        ("a --timeout -1", "--timeout takes a number"),
        ("a --timeout nan", "--timeout takes a number"),
        ("a --timeout inf", "--timeout takes a number"),
        ("a --serializer pickel", "there is no serializer 'pickel'; use one of"),
        ("a --ns nowhere:port", "--ns: the port in 'nowhere:port'"),
        ("a --ns :9090", "--ns: "),
        ("a@h:1 --ns h:2", "leave that out"),
        ("PYRO:a@h:1 --ns h:2", "--ns goes with a bare name"),
        ("PYRO:a", "lacks @host:port"),
        ("PYRO:a@h:port", "invalid port"),
        ("PYROBUS:a", "use PYRO, PYRONAME or PYROMETA"),
        ("a --frobnicate", "unrecognized arguments: --frobnicate"),
        ("'a", "No closing quotation"),
    ],
)
def test_mistakes_on_the_line(cell, line, part):
    """They are found before anybody is asked."""
    assert part in usage(cell(f"%pyro_connect {line}"))


def timed(cell, line):
    began = time.monotonic()
    text = usage(cell(line))
    assert time.monotonic() - began < scaled(5)
    return text


def test_an_unknown_name(scene, cell):
    """Names that are near are suggested."""
    scene.offer("lab.camera", Counter())
    text = timed(cell, f"%pyro_connect lab.camra --ns {scene.nameserver}")

    assert "no object is registered as lab.camra" in text
    assert "Did you mean lab.camera" in text


def test_an_unknown_name_like_no_other(scene, cell):
    text = timed(cell, f"%pyro_connect xyzzy --ns {scene.nameserver}")

    assert "Registered are: " in text
    assert "lab.counter" in text


def test_no_name_server(cell):
    address = f"{HOST}:{free_port()}"
    text = timed(cell, f"%pyro_connect lab.counter --ns {address}")

    assert address in text
    assert "pyronb ns" in text


def test_a_silent_name_server(cell):
    with bad_peer() as address:
        assert "did not answer in time" in timed(cell, f"%pyro_connect lab.counter --ns {address}")


def test_a_name_server_that_is_none(cell):
    with bad_peer(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" + b" " * 100) as address:
        text = timed(cell, f"%pyro_connect lab.counter --ns {address}")

    assert address in text
    assert "Pyro" in text


def test_a_host_that_nobody_knows(cell):
    text = timed(cell, "%pyro_connect lab.counter --ns no-such-host.invalid:9090")

    assert "no-such-host.invalid" in text


def test_a_dead_object_server(scene, cell):
    scene.enter("lab.dead", f"PYRO:dead@{HOST}:{free_port()}")
    text = timed(cell, f"%pyro_connect lab.dead --ns {scene.nameserver}")

    assert "lab.dead" in text
    assert "Start the program that serves it" in text


def test_a_silent_object_server(scene, cell):
    with bad_peer() as address:
        scene.enter("lab.silent", f"PYRO:silent@{address}")
        text = timed(cell, f"%pyro_connect lab.silent --ns {scene.nameserver}")

    assert "did not answer in time" in text


def test_a_port_where_something_else_listens(cell):
    with bad_peer(b"SSH-2.0-OpenSSH_9.6\r\n" + b" " * 100) as address:
        text = timed(cell, f"%pyro_connect PYRO:a@{address} as a")

    assert "Pyro" in text


def test_an_object_that_the_daemon_does_not_have(scene, cell):
    text = timed(cell, f"%pyro_connect PYRO:gone@{scene.daemon.locationStr} as a")

    assert "gone" in text


def test_tags_that_nobody_has(scene, cell):
    text = timed(cell, f"%pyro_connect PYROMETA:floor99@{scene.nameserver} as a")

    assert "floor99" in text


def test_a_derived_name_never_hides_the_users_data(shell, scene, cell):
    """The user's own variable survives, unless the user names it."""
    shell.user_ns["counter"] = [1, 2]

    assert "counter already holds something else (list)" in usage(
        cell(f"%pyro_connect lab.counter --ns {scene.nameserver}")
    )
    assert shell.user_ns["counter"] == [1, 2]
    assert cell(f"%pyro_connect lab.counter as counter --ns {scene.nameserver}").error is None
    assert isinstance(shell.user_ns["counter"], Proxy)
    shell.user_ns["counter"]._pyroRelease()


def test_hostile_names_are_escaped(shell, scene, cell):
    name = HOSTILE.replace(" ", "")
    scene.offer(f"lab.{name}", Counter(), {name})
    card = cell(f"%pyro_connect lab.{name} as c --ns {scene.nameserver}")

    assert card.error is None
    assert "<script" not in card.html
    assert "&lt;script&gt;" in card.html
    shell.user_ns["c"]._pyroRelease()


def test_an_interrupt_leaves_the_namespace(shell, counter, cell, monkeypatch):
    """Whoever waits too long can stop waiting."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with bad_peer() as address:
        monkeypatch.setattr("pyronb.jupyter.ipython.connect.wait", interrupted)
        done = cell(f"%pyro_connect PYRO:a@{address} as c")
        assert isinstance(done.error, KeyboardInterrupt)
    assert shell.user_ns["c"] is counter


# Several at once


@pytest.fixture
def release(shell):
    """Release what the test connected."""
    yield
    for value in [*shell.user_ns.values()]:
        if isinstance(value, Proxy):
            value._pyroRelease()


def test_several_names_at_once(shell, scene, cell, release):
    """Each gets its variable; one table shows them all."""
    scene.offer("lab.stage", Counter(), {"motors"})
    done = cell(f"%pyro_connect lab.counter as c lab.stage --ns {scene.nameserver}")

    assert done.error is None
    assert shell.user_ns["c"].add(1) == shell.user_ns["stage"].add(1) == 1
    assert done.text.startswith("2 objects connected\n  c      lab.counter")
    assert "speaks native" in done.text
    assert "motors" in done.html
    assert "Counts &lt;b&gt;things&lt;/b&gt;." in done.html


def test_a_pattern_connects_all_that_fit(shell, scene, cell, release):
    """But not the name server itself."""
    scene.offer("lab.stage", Counter())
    scene.offer("hall.door", Counter())

    assert cell(f"%pyro_connect lab.* --ns {scene.nameserver}").error is None
    assert {"counter", "stage"} <= set(shell.user_ns)
    assert "door" not in shell.user_ns
    assert cell(f"%pyro_connect *@{scene.nameserver}").error is None
    assert "door" in shell.user_ns
    assert "NameServer" not in shell.user_ns


def test_variables_tell_objects_apart(shell, scene, cell, release):
    """By as many parts of the names as it takes."""
    scene.offer("hall.counter", Counter())
    scene.offer("hall-counter", Counter())

    assert cell(f"%pyro_connect *counter --ns {scene.nameserver}").error is None
    assert {"hall_counter", "counter_2", "lab_counter"} == {
        name for name, value in shell.user_ns.items() if isinstance(value, Proxy)
    }


def test_a_pattern_that_fits_one_takes_a_variable(shell, scene, cell, release):
    assert cell(f"%pyro_connect lab.c* as c --ns {scene.nameserver}").error is None
    assert shell.user_ns["c"].add(1) == 1


def test_patterns_that_make_no_sense(scene, cell):
    scene.offer("lab.stage", Counter())

    assert "lab.* fits 2 names, and c can hold only one" in usage(
        cell(f"%pyro_connect lab.* as c --ns {scene.nameserver}")
    )
    none = usage(cell(f"%pyro_connect hall.* --ns {scene.nameserver}"))
    assert f"no name at {scene.nameserver} fits hall.*" in none
    assert "lab.stage" in none


def test_too_many_are_not_connected(scene, cell):
    for i in range(51):
        scene.enter(f"many.x{i}", f"PYRO:x@{HOST}:1")

    assert "many.* fits 51 names; connect to at most 50" in usage(cell(f"%pyro_connect many.* --ns {scene.nameserver}"))


def test_those_that_can_be_reached_are_bound(shell, scene, cell, release):
    """The others are named, each with its reason, and the cell fails."""
    scene.enter("lab.dead", f"PYRO:dead@{HOST}:{free_port()}")
    done = cell(f"%pyro_connect lab.* --ns {scene.nameserver}")

    assert type(done.error) is UsageError
    assert str(done.error).startswith("not connected: lab.dead: ")
    assert "Start the program that serves it" in str(done.error)
    assert shell.user_ns["counter"].add(1) == 1
    assert "dead" not in shell.user_ns
    assert "1 object connected" in done.text


def test_several_take_no_longer_than_one(scene, cell):
    with bad_peer() as address:
        for i in range(4):
            scene.enter(f"silent.x{i}", f"PYRO:x@{address}")
        assert "did not answer in time" in timed(cell, f"%pyro_connect silent.* --ns {scene.nameserver}")
