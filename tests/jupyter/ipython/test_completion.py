"""Completion: what is offered, and that nobody is ever asked for it."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from IPython.core.completer import provisionalcompleter

from pyronb.jupyter.ipython.completion import KnownNames, known_names
from pyronb.rpc.metadata import AttributeDetails
from pyronb.sync.proxy import Proxy
from tests.support.waiting import scaled


@pytest.fixture
def complete(shell):
    """Give what the text before the cursor becomes, with the types."""

    def completions(text):
        with provisionalcompleter():
            found = list(shell.Completer.completions(text, len(text)))
        return {text[: c.start] + c.text: c.type for c in found}

    return completions


def test_members_come_from_what_is_known(counter, complete):
    assert complete("c.") == {
        "c.add": "function",
        "c.echo": "function",
        "c.fail": "function",
        "c.note": "function",
        "c.syntax": "function",
        "c.speed": "property",
        "c.value": "property",
    }
    assert complete("x = [c.a") == {"x = [c.add": "function"}
    assert complete("for i in range(3):\n    c.ec") == {"for i in range(3):\n    c.echo": "function"}


def test_the_proxys_own_names_are_offered_when_asked_for(counter, complete):
    assert "c._pyroRelease" in complete("c._pyroRel")


def test_parameters_of_a_method(counter, complete):
    assert list(complete("c.add("))[:2] == ["c.add(number=", "c.add(times="]
    assert complete("c.add(1, t")["c.add(1, times="] == "param"
    assert "c.add(number=1, number=" not in complete("c.add(number=1, n")
    assert complete("c.add(\n    1,\n    t")["c.add(\n    1,\n    times="] == "param"


def test_types_over_there(counter, complete, network):
    """What a method gives and an attribute holds is known by its type, where that is one of Python's own."""
    assert complete("c.add(1, times=2).bit_l") == {"c.add(1, times=2).bit_length": "function"}
    assert complete("c.value.rea") == {"c.value.real": "instance"}
    assert complete("c.value.__ab") == {"c.value.__abs__": "function"}
    assert list(complete("c.echo(1).")) == ["c.echo(1)."]
    assert list(complete("c.speed.")) == ["c.speed."]
    assert list(complete("c.add.")) == ["c.add."]
    assert network.calls == []


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("str | None", "upper"),
        ("Optional[str]", "upper"),
        ("None | dict[str, int]", "setdefault"),
        ("list[int]", "append"),
        ("builtins.int", "bit_length"),
        ("int | str", ""),
        ("Store", ""),
        ("__import__('os')", ""),
        ("[", ""),
    ],
)
def test_types_as_they_are_written(counter, complete, text, method):
    """Only those that are understood."""
    details = replace(counter._pyro.metadata.details, attributes={"value": AttributeDetails(text)})
    counter._pyro.metadata = replace(counter._pyro.metadata, details=details)
    found = complete("c.value.")

    assert f"c.value.{method}" in found
    assert bool(method) == (len(found) > 1)


def test_variables_as_arguments(shell, counter, complete):
    """The names that could be an argument are offered there too."""
    shell.user_ns["my_value"] = 3

    assert "c.add(my_value" in complete("c.add(my_")
    assert "c.add(number=my_value" in complete("c.add(number=my_")
    assert "c.value[my_value" in complete("c.value[my_")


def test_proxies_within_other_things(shell, counter, complete):
    shell.user_ns["lab"] = SimpleNamespace(c=counter)
    shell.user_ns["held"] = {"first": counter}

    assert "lab.c.add" in complete("lab.c.a")
    assert "held['first'].add" in complete("held['first'].a")


def test_other_objects_are_left_to_others(shell, counter, complete):
    shell.user_ns["word"] = "text"

    assert "word.upper" in complete("word.up")
    assert "c.add(word.upper" in complete("c.add(word.up")


TABS = [
    "c.", "c.v", "c.zzz", "c.value.", "c.value.r", "c.value[0].r", "c.value(", "c.value[", "c.value['", "c['", "c[0].",
    "c.add.", "c.add.x", "c.add(", "c.add(1, ", "c.add(1).", "c.add('te", "c.add(number=", "c.add(lab.", "lab.c.value.",
    "held['first'].value.", "held['first'].", "f'{c.val", "f'{c.value.", "x = c.value\nx.", "c._", "print(c.value.r",
    "reading = c.value\nrea", "reading = c.value\nreading.", "def f():\n    return c.value\nf().", "(c.value).",
    "for r in c.value:\n    r.", "with c as d:\n    d.value.", "[c.value][0].", "list(c.value)[0].", "max(c.value, 1).",
    "x = y = lab.c.value\ny.real.", "x = held['first'].value; x.", "x = [\n c.value\n]\nx[0].", "x = c.value\nx.m(",
    "print(c.value, s", "pri", "c", "{'a': c.value}['a'].", "a = c.value\nb = a\nb.", "k = lambda: c.value\nk().",
    "c.value if c.value.", "del c.value.", "c.value . ",
    "%%pyro_batch c\nc.value.", "%pyro_connect ", "%%pyro_batch ",
]  # fmt: skip


OURS_ALONE = TABS[: TABS.index("c.add(lab.")]


@pytest.mark.parametrize("text", TABS)
@pytest.mark.parametrize("alive", [True, False])
def test_tab_asks_nobody(shell, scene, counter, complete, network, text, alive):
    """No socket is touched, whether the server lives or not, and the answer is there at once."""
    shell.user_ns.update(lab=SimpleNamespace(c=counter), held={"first": counter}, fresh=Proxy("PYRO:x@127.0.0.1:1"))
    if not alive:
        scene.daemon.shutdown()
        scene.daemon.close()
    for jedi in (True, False):
        shell.Completer.use_jedi = jedi
        complete("c.")  # what is loaded by the first completion is not counted
        del network.calls[:]
        began = time.thread_time()
        complete(text)
        complete(text.replace("c.", "fresh."))
        elapsed = time.thread_time() - began
        assert network.calls == []
        if text in OURS_ALONE:
            assert elapsed < scaled(0.5)  # two completions; of this thread alone, on a machine that is busy with others
    assert scene.counter.reads == 0


def test_the_probe_sees_calls(counter, network):
    """The test above could fail."""
    counter.add(1)

    assert network.calls


def test_a_proxy_that_was_never_connected_offers_nothing(shell, complete):
    shell.user_ns["p"] = Proxy("PYRO:x@127.0.0.1:1")

    assert list(complete("p.")) == ["p."]


def test_names_for_connect(shell, counter, complete, scene):
    scene_names = complete("%pyro_connect lab.")

    assert "%pyro_connect lab.counter" in scene_names
    assert "%pyro_connect --serializer json" in complete("%pyro_connect --serializer j")
    assert {"%pyro_connect --serializer auto", "%pyro_connect --serializer native"} <= {
        *complete("%pyro_connect --serializer a"),
        *complete("%pyro_connect --serializer n"),
    }
    assert "%pyro_connect --timeout" in complete("%pyro_connect --t")
    assert "%pyro_connect lab.counter as" in complete("%pyro_connect lab.counter ")
    assert known_names


def test_proxies_for_batch(shell, counter, complete):
    shell.user_ns["other"] = 3

    assert list(complete("%%pyro_batch ")) == ["%%pyro_batch c"]
    assert "%%pyro_batch c --oneway" in complete("%%pyro_batch c --o")


def test_names_are_those_of_the_last_look():
    def model(*names):
        return {
            "state": "ok",
            "nameserver": {"address": "a:1"},
            "names": [{"name": n, "uri": "", "tags": []} for n in names],
        }

    known = KnownNames()
    known.remember(model("x", "y"))
    known.remember(model("y", "z"))
    known.remember({**model("w"), "state": "unreachable"})

    assert list(known) == ["y", "z"]


def test_a_value_made_of_a_proxy_has_the_members_it_has_now(shell, counter, complete):
    """Jedi would read the attribute over the network in order to know them."""
    shell.user_ns["reading"] = 3

    assert "reading = c.value\nreading.real" in complete("reading = c.value\nreading.re")
