"""`proxy.member?` and Shift-Tab show what the handshake told, and touch no network."""

from __future__ import annotations

import pytest

from pyronb.sync.proxy import Proxy


def inspected(shell, name):
    """What a front end shows for Shift-Tab."""
    return shell.object_inspect_mime(name)["text/plain"]


def test_attribute_is_described_and_not_read(shell, scene, counter, network):
    """Inspecting an attribute shows its type and documentation; its code does not run and nothing is sent."""
    text = inspected(shell, "c.value")

    assert "What came together." in text
    assert "remote attribute 'value': int" in text
    assert "read only" in text
    assert not network.calls


def test_writable_attribute(shell, counter):
    """An attribute that can be set says so."""
    assert "read and write" in inspected(shell, "c.speed")


def test_method_shows_signature_and_doc(shell, counter, network):
    """Inspecting a method shows its remote signature and documentation."""
    text = inspected(shell, "c.add")

    assert "number: int" in text
    assert "Add a number, so many times." in text
    assert not network.calls


@pytest.mark.parametrize("name", ["c.nothing", "c.value.deeper", "c.__wrapped__"])
def test_what_is_not_there_is_not_found(shell, counter, network, name):
    """Members that the object does not have are not found, without asking."""
    with pytest.raises(KeyError):
        shell.object_inspect_mime(name)

    assert not network.calls


def test_proxy_that_was_never_connected(shell, network):
    """Inspecting a member of an unconnected proxy does not connect it."""
    shell.user_ns["far"] = Proxy("PYRO:far@127.0.0.1:9")

    assert "Nothing is known of it yet" in inspected(shell, "far.anything")
    assert not network.calls


def test_other_objects_are_found_as_always(shell):
    """Everything else is left to IPython."""
    shell.user_ns["text"] = "abc"

    assert "Return a copy of the string converted to uppercase." in inspected(shell, "text.upper")


def test_question_mark(cell, counter, network, capsys):
    """`c.value?` in a cell works too, also when the pager is the terminal."""
    done = cell("c.value?")

    assert done.error is None
    assert not network.calls
