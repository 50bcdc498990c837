"""Addresses of name servers, as people write them."""

from __future__ import annotations

import pytest

from pyronb.config import config
from pyronb.jupyter.addresses import Address, default_address, is_default, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("lab-pc:9091", Address("lab-pc", 9091)),
        (" lab-pc ", Address("lab-pc", 9090)),
        ("10.0.0.1:1", Address("10.0.0.1", 1)),
        ("[::1]:9091", Address("::1", 9091)),
        ("[::1]", Address("::1", 9090)),
        ("./u:/tmp/a.sock", Address("./u:/tmp/a.sock", None)),
    ],
)
def test_address_is_read(text, address):
    """Every form of an address is understood."""
    assert address == parse_address(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "name of a host"),
        (":9090", "name of a host"),
        ("lab pc:9090", "name of a host"),
        ("http://lab:80", "too many colons"),
        ("user@lab", "name of a host"),
        ("a\x00b", "name of a host"),
        ("lab:", "the port in 'lab:'"),
        ("lab:0", "the port"),
        ("lab:65536", "the port"),
        ("lab:+1", "the port"),
        ("lab:1_0", "the port"),
        ("lab:\u0661", "the port"),
        ("lab:" + "9" * 5000, "the port"),
        ("::1", "brackets"),
        ("[::1", "brackets"),
        ("[lab]:1", "brackets"),
        ("[::1]9090", "brackets"),
        ("./u:", "socket path"),
        ("./u:a:b", "socket path"),
    ],
)
def test_wrong_address_is_told(text, complaint):
    """The message says which part is wrong."""
    with pytest.raises(ValueError, match=complaint):
        parse_address(text)


@pytest.mark.parametrize("text", ["lab-pc:9091", "[::1]:9091", "./u:/tmp/a.sock"])
def test_address_shows_as_it_is_read(text):
    """Text and address are the same thing."""
    assert text == str(parse_address(text))


def test_port_comes_from_the_configuration(monkeypatch):
    """An address without a port means the usual one."""
    monkeypatch.setattr(config, "NS_PORT", 7777)

    assert Address("lab", 7777) == parse_address("lab")


def test_default_is_where_locate_ns_looks(monkeypatch):
    """The names of the loopback are the same place, and other ports are not."""
    monkeypatch.setattr(config, "NS_HOST", "localhost")
    monkeypatch.setattr(config, "NS_PORT", 9123)

    assert default_address() == Address("localhost", 9123)
    assert is_default(Address("127.0.0.1", 9123))
    assert not is_default(Address("127.0.0.1", 9090))
    assert not is_default(Address("lab", 9123))


def test_default_may_be_a_unix_socket(monkeypatch):
    """NS_HOST can name a socket, which has no port."""
    monkeypatch.setattr(config, "NS_HOST", "./u:/tmp/ns.sock")

    assert str(default_address()) == "./u:/tmp/ns.sock"
