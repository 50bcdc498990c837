"""The commands of pyronb next to those of the real Pyro5 and Pyro4: each side's tools with the other's servers."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from pyronb.sync.lookup import locateNS
from tests.interop.conftest import peer
from tests.interop.tools import ECHO, FAMILIES, NS, clean_environment, real
from tests.support.paths import ROOT
from tests.support.programs import free_port, running
from tests.support.serving import LOCAL, client_options
from tests.support.waiting import scaled

NSC = {"Pyro5": "Pyro5.nsc", "Pyro4": "Pyro4.nsc"}
A = "PYRO:a@localhost:1"

# What a script may look for in the output.
LISTED = r"^tool.* --> .*$|^    metadata$"
SAID = {
    "register": r"^Registered .*$",
    "setmeta": r"^Metadata .*$",
    "lookup": r"^PYRO:.*$|^metadata$",
    "remove": r"^Removed .*$",
    "removematching": r"\d+ item",
    "ping": r"^Name server ping ok",
}


def ask(*words, typed=""):
    """Run a command to its end; gives all that it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *words],
        input=typed,
        capture_output=True,
        text=True,
        timeout=scaled(30),
        cwd=ROOT,
        env=clean_environment(),
        check=False,
    )
    return done.stdout + done.stderr


def what_a_client_finds(family, uri):
    with peer("echo_client.py", {"uri": uri, "family": family}) as found:
        return json.loads(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_real_client_cannot_tell_our_echo_server_from_a_real_one(family):
    """All its members, and what it does not show."""
    with real(ECHO[family], "-H", LOCAL, until=r"^echo uri: (\S+)") as uri:
        expected = what_a_client_finds(family, uri)
    with running("echoserver", "-H", LOCAL) as program:
        found = what_a_client_finds(family, program.wait_for(r"^echo uri: (\S+)")[1])
        assert program.wait() == 0

    assert found == expected


@pytest.mark.timeout(240)  # Dozens of programs are started, one after the other.
@pytest.mark.parametrize("family", FAMILIES)
def test_our_nsc_says_what_a_real_one_says(family):
    """To a real name server; the lines that both print are the same."""
    port = str(free_port())
    with (
        real(NS[family], "-n", LOCAL, "-p", port, until=r"^(?:internal )?URI = (\S+)"),
        locateNS(LOCAL, int(port), options=client_options()) as names,
    ):
        place = ("-n", LOCAL, "-p", port)
        all_, any_ = ("yplookup_all", "yplookup_any") if family == "Pyro5" else ("listmeta_all", "listmeta_any")
        for words, typed in (
            (("register", "tool.a", A), ""),
            (("setmeta", "tool.a", "x"), ""),
            (("list", "tool."), ""),
            (("listmatching", "tool"), ""),
            (("lookup", "tool.a"), ""),
            ((all_, "x"), ""),
            ((any_, "x", "y"), ""),
            (("setmeta", "tool.a"), ""),
            (("remove", "tool.a"), ""),
            (("removematching", "tool.*"), "y\n"),
            (("ping",), ""),
        ):
            results = []
            for tool in (("pyronb", "nsc"), (NSC[family],)):
                # Each from the same state.
                if words[0] == "register":
                    names.remove("tool.a")
                else:
                    names.register("tool.a", A, metadata={"x"})
                text = ask(*tool, *place, *words, typed=typed)
                # How a set is shown is a matter of taste, and so are the lines around a list.
                text = re.sub(r"metadata: .*", "metadata", text)
                results.append(re.findall(SAID.get(words[0], LISTED), text, re.MULTILINE))
            ours, theirs = results

            assert ours, words
            assert ours == theirs, words
