"""Addresses of name servers, as people write them."""

from __future__ import annotations

from typing import NamedTuple

from pyronb.config import config
from pyronb.uri import MAX_PORT

__all__ = ["LOOPBACK", "Address", "default_address", "is_default", "parse_address"]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_UNIX = "./u:"


class Address(NamedTuple):
    """Where a name server is, in the form that `locateNS(*address)` takes."""

    host: str
    """A host name or address without brackets, or ``./u:path``."""
    port: int | None
    """None for a Unix domain socket."""

    def __str__(self) -> str:
        """Show the form that `parse_address` reads."""
        if self.port is None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read the address of a name server: ``host``, ``host:port``, ``[::1]:9090`` or ``./u:path``.

    Without a port it is the usual one of the configuration (NS_PORT).

    Raises:
        ValueError: it is no address; the message says which part is wrong.
    """
    text = text.strip()
    if text.startswith(_UNIX):
        if not text[len(_UNIX) :] or ":" in text[len(_UNIX) :]:
            raise ValueError(f"{text!r} needs a socket path without ':' after ./u:")
        return Address(text, None)
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is no IPv6 address in brackets, such as [::1]:9090")
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
        if ":" in port:
            raise ValueError(f"{text!r} has too many colons; an IPv6 address needs brackets, such as [::1]:9090")
    if not host or not host.isprintable() or any(c.isspace() or c in "/@,[]" for c in host):
        raise ValueError(f"{text!r} does not begin with the name of a host; write HOST:PORT")
    if not colon:
        return Address(host, config.NS_PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= MAX_PORT):
        raise ValueError(f"the port in {text!r} should be a number from 1 to {MAX_PORT}")
    return Address(host, int(port))


def default_address() -> Address:
    """Give the address where `locateNS()` without arguments looks first."""
    return Address(config.NS_HOST, None if config.NS_HOST.startswith(_UNIX) else config.NS_PORT)


def is_default(address: Address) -> bool:
    """Tell whether `locateNS()` without arguments looks there first; all names of the loopback are the same."""
    default = default_address()
    same = address.host == default.host or {address.host, default.host} <= LOOPBACK
    return same and address.port == default.port
