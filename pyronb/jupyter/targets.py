"""Targets: what people write to say which object they mean, a name, a pattern of names or a URI."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pyronb import errors
from pyronb.jupyter.addresses import parse_address
from pyronb.rpc.call import NAMESERVER_ID
from pyronb.uri import URI

__all__ = ["Target", "is_pattern", "matching", "pattern_place", "read_target"]

_URI = re.compile(r"pyro[a-z]*:", re.IGNORECASE)
_SIGNS = "*?["


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be connected to: the URI, and for a name that is looked up, the name and where."""

    uri: URI
    name: str = ""
    address: str | None = None
    """Address of the name server; None for that of the configuration."""


def read_target(text: str, nameserver: str | None = None) -> Target:
    """Read a name or a URI; `nameserver` is the address that goes with a bare name.

    Raises:
        ValueError: it is neither, or the name server's address is none.
    """
    address = None
    if nameserver is not None:
        try:
            address = str(parse_address(nameserver))
        except ValueError as error:
            raise ValueError(f"--ns: {error}") from None
    bare = not _URI.match(text)
    if not bare and address is not None:
        raise ValueError(f"--ns goes with a bare name; {text} says by itself where to look (PYRONAME:name@HOST:PORT)")
    if bare and address is not None:
        if "@" in text:
            raise ValueError(f"{text} names a name server after the @; leave that out, or --ns")
        text = f"{text}@{address}"
    try:
        uri = URI(f"PYRONAME:{text}" if bare else text)
    except errors.PyroError as error:
        raise ValueError(str(error)) from None
    if uri.protocol != "PYRONAME":
        return Target(uri)
    location = uri.location
    return Target(uri, str(uri.object), None if location is None else str(parse_address(location)))


def is_pattern(text: str) -> bool:
    """Tell whether a bare name has ``*``, ``?`` or ``[`` in it, and so stands for several."""
    return not _URI.match(text) and any(sign in text.partition("@")[0] for sign in _SIGNS)


def pattern_place(text: str, nameserver: str | None = None) -> tuple[str, str | None]:
    """Split a pattern from the address of its name server, which is None for that of the configuration.

    Raises:
        ValueError: the address is none.
    """
    pattern, _, rest = text.partition("@")
    # Whatever can be said of an address, it is the same as with a name.
    return pattern, read_target("any" + (f"@{rest}" if rest else ""), nameserver).address


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """List the names that fit a pattern; the name server's own only where it is named."""
    own = pattern.startswith(NAMESERVER_ID.partition(".")[0])
    return [name for name in names if fnmatch.fnmatchcase(name, pattern) and (own or name != NAMESERVER_ID)]
