"""The parts of the commands that can be asked without starting anything."""

from __future__ import annotations

import argparse
import socket

import pytest

from pyronb.cli.embedded import split_address
from pyronb.cli.lab import _free_port, _what_to_open
from pyronb.cli.options import plain, port
from pyronb.config import config
from pyronb.errors import NamingError, PyroError


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("localhost:9090", ("localhost", 9090)),
        ("lab.example.org:1", ("lab.example.org", 1)),
        ("127.0.0.1:65535", ("127.0.0.1", 65535)),
        ("[::1]:9090", ("::1", 9090)),
        ("somewhere", ("somewhere", config.NS_PORT)),
        ("somewhere:", ("somewhere", config.NS_PORT)),
        ("[fe80::1]", ("fe80::1", config.NS_PORT)),
    ],
)
def test_an_address_is_host_and_port(address, expected):
    """The port may be left out."""
    assert split_address(address) == expected


@pytest.mark.parametrize(
    "address", ["", ":", ":9090", "host:x", "host:-1", "host:70000", "host:9090:1", "a b:1", "[x]:1"]
)
def test_what_is_no_address_is_a_naming_error(address):
    """It says how one is written."""
    with pytest.raises(NamingError, match="write HOST:PORT"):
        split_address(address)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("9090", 9090), ("65535", 65535)])
def test_ports_are_numbers(text, number):
    """Those that there are."""
    assert port(text) == number


@pytest.mark.parametrize("text", ["", "x", "-1", "65536", "1.5", "1_0", " 1", "٣"])
def test_other_texts_are_no_ports(text):
    """argparse makes a message of it."""
    with pytest.raises(argparse.ArgumentTypeError, match="ports are numbers"):
        port(text)


def test_text_of_others_is_made_harmless():
    """Only what can be seen is shown."""
    assert plain("größe 漢字 💥") == "größe 漢字 💥"
    assert plain("a\x1b[31m\n\t\x00\u202e") == "a�[31m����"


def test_a_free_port_is_found():
    """The wanted one, or one of the next."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        found = _free_port(wanted)
        assert wanted < found < wanted + 50
    assert _free_port(found) == found


def test_ports_end_somewhere():
    """Beyond the last one there is none."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 65535))
        taken.listen()
        with pytest.raises(PyroError, match="no port"):
            _free_port(65535)


def test_what_to_open(tmp_path, monkeypatch):
    """A notebook in its folder, a folder, or the first tutorial where there are tutorials."""
    monkeypatch.chdir(tmp_path)
    notebook = tmp_path / "work" / "a.ipynb"
    notebook.parent.mkdir()
    notebook.write_text("{}")

    assert _what_to_open("work/a.ipynb") == (notebook.parent.resolve(), "a.ipynb")
    assert _what_to_open("work") == (notebook.parent.resolve(), "")
    with pytest.raises(PyroError, match="there is no nothing"):
        _what_to_open("nothing")

    tutorial = tmp_path / "notebooks" / "01-first-steps.ipynb"
    tutorial.parent.mkdir()
    tutorial.write_text("{}")

    assert _what_to_open(None) == (tmp_path, "notebooks/01-first-steps.ipynb")


def test_without_tutorials_the_folder_is_opened(tmp_path, monkeypatch):
    """Those that came with the package are copied first, and never written over."""
    shipped = tmp_path / "data" / "share" / "pyronb" / "notebooks"
    monkeypatch.setattr("pyronb.cli.lab.sysconfig.get_path", lambda _: str(tmp_path / "data"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert _what_to_open(None) == (here, "")
    assert list(here.iterdir()) == []

    (shipped / "images").mkdir(parents=True)
    (shipped / "01-first-steps.ipynb").write_text("shipped")
    (shipped / "images" / "one.png").write_text("picture")
    assert _what_to_open(None) == (here, "pyronb-notebooks/01-first-steps.ipynb")
    mine = here / "pyronb-notebooks" / "01-first-steps.ipynb"
    mine.write_text("mine")
    _what_to_open(None)

    assert mine.read_text() == "mine"
    assert (mine.parent / "images" / "one.png").read_text() == "picture"
