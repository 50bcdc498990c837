"""Explanations: what people are told of failures, and names that they may have meant."""

from __future__ import annotations

import socket
import ssl

import pytest

from pyronb import errors
from pyronb.jupyter.explain import Explanation, explain, nearest
from tests.jupyter.server.peers import (
    at_most,
)


def because(error, cause):
    """Give the error as if it had been raised from its cause."""
    error.__cause__ = cause
    return error


def from_there(error):
    """Give the error as if it had come over the wire."""
    error._pyroTraceback = ["Traceback\n"]
    return error


CLOSED = errors.ConnectionClosedError("cannot connect to PYRO:x@lab:1: Connection refused")
EXPLAINED = [
    (because(CLOSED, ConnectionRefusedError(111, "refused")), "unreachable", "nothing listens there", "`pyronb ns`"),
    (ConnectionRefusedError(111, "refused"), "unreachable", "nothing listens there", "--ns HOST:PORT"),
    (FileNotFoundError(2, "no such file"), "unreachable", "no such socket", "`pyronb ns`"),
    (because(errors.ConnectionClosedError(""), socket.gaierror(-2, "x")), "unreachable", "does not know", "spelling"),
    (errors.ConnectionClosedError("the peer closed"), "unreachable", "failed: the peer closed.", "network"),
    (OSError(113, "No route to host"), "unreachable", "No route to host", "network"),
    (errors.TimeoutError("receiving"), "unreachable", "did not answer in time", "firewall"),
    (TimeoutError(), "unreachable", "did not answer in time", "firewall"),
    (errors.SecurityError("no key"), "refused", "refused: no key.", "access"),
    (PermissionError(13, "Permission denied"), "refused", "Permission denied", "access"),
    (
        errors.CommunicationError("connection to PYRO:a@b:1 rejected: unknown object"),
        "refused",
        "refused: unknown object.",
        "lets this machine in",
    ),
    (errors.DaemonError("unknown object"), "refused", "unknown object", "`pyronb ns`"),
    (errors.ProtocolError("bad magic"), "wrong-version", "bad magic", "Pyro5 or pyronb"),
    (errors.MessageTooLargeError("huge"), "error", "too large", "prefix"),
    (errors.SerializeError("no"), "error", "cannot be read: no.", "serializer"),
    (errors.NamingError("unknown name: x"), "unknown", "Unknown name: x.", "spelling"),
    (because(errors.NamingError("none"), errors.ProtocolError("bad magic")), "wrong-version", "bad magic", "Pyro5"),
    (because(errors.NamingError("none"), errors.TimeoutError("")), "unreachable", "in time", "firewall"),
    (errors.PyroError("odd"), "error", "failed: odd.", "log"),
    (errors.RemoteError("lab.Jammed", "stuck"), "error", "lab.Jammed: stuck", "log"),
    (from_there(errors.RemoteError("lab.Jammed", "stuck")), "error", "raised lab.Jammed", "log"),
    (from_there(ConnectionRefusedError("over there")), "error", "raised ConnectionRefusedError", "log"),
    (from_there(errors.NamingError("unknown name: x")), "unknown", "Unknown name", "spelling"),
    (KeyError("x"), "error", "failed", "log"),
]


@pytest.mark.parametrize(("error", "state", "reason", "hint"), EXPLAINED, ids=[repr(row[0]) for row in EXPLAINED])
def test_each_failure_is_explained(error, state, reason, hint):
    """Every exception becomes a state, what is wrong, and what to do."""
    told = explain(error, address="lab:9090")

    assert state == told.state
    assert reason in told.reason
    assert hint in told.hint


@pytest.mark.parametrize("error", [row[0] for row in EXPLAINED], ids=repr)
@pytest.mark.parametrize("name", ["", "lab.motor"])
def test_explanations_are_sentences(error, name):
    """One sentence each, about the thing that was asked, with nothing left to fill in."""
    told = explain(error, address="lab:9090", name=name)

    for sentence in (told.reason, told.hint):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert not {"{", "}", "\n"} & set(sentence)
    assert ("lab.motor" in told.reason) == bool(name)
    assert told.state in ("unknown", "error") or "lab:9090" in told.reason


def test_explanation_names_the_object_and_its_place():
    """A failed object is told from a failed name server."""
    told = explain(because(CLOSED, ConnectionRefusedError()), address="lab:4000", name="lab.motor")

    assert told == Explanation(
        "unreachable",
        "The object 'lab.motor' at lab:4000 is not running: nothing listens there.",
        "Start the program that serves it, or remove the stale name from the name server.",
    )


def test_explanation_says_how_to_name_another():
    """Where people choose a name server depends on where they are."""
    told = explain(ConnectionRefusedError(), another="choose another in the settings")

    assert told.hint == "Start one with `pyronb ns`, or choose another in the settings."


def test_explanation_of_trouble_with_tls():
    """What was raised from an error of TLS says it, not that error, which looks like one of the network."""
    said = errors.CommunicationError("the daemon's certificate has expired")
    told = explain(because(said, ssl.SSLCertVerificationError(1, "bad")), address="lab:9090")

    assert told.state == "refused"
    assert told.reason == "The name server at lab:9090 refused: the daemon's certificate has expired."


def test_explanation_of_a_hostile_text_is_short():
    """What a peer says is shortened and has no line breaks."""

    class Odd(Exception):
        def __str__(self):
            raise ValueError("no text")

    assert explain(Odd()).reason.endswith("failed: Odd.")
    told = explain(errors.PyroError("a\nb\x1b[2J" + "x" * 10**6))

    assert len(told.reason) < 300
    assert told.reason.isprintable()


def test_explanation_ends_with_endless_causes():
    """A loop of causes is no trap."""
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first

    assert explain(first).state == "error"


# Names that were meant


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lab.motr", ["lab.motor"]),
        ("LAB.MOTOR", ["lab.motor"]),
        ("motor", ["lab.motor"]),
        ("other.scope", ["demo.scope"]),
        ("zzz", []),
        ("", []),
    ],
)
def test_nearest(name, expected):
    """Slips of the finger, the wrong case, a part of the name, the wrong folder."""
    assert expected == nearest(name, ["lab.motor", "demo.scope", "Pyro.NameServer"], n=1)


def test_nearest_is_quick():
    """Twenty thousand names take no time worth a mention."""
    names = [f"lab{n % 7}.rack{n % 100}.device{n}" for n in range(20000)]

    with at_most(3.0):
        found = nearest("lab1.rack1.devise1", names)
    assert len(found) == 3
