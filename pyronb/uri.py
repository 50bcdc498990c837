"""URI: where a remote object is, or under which name to look it up. (Wire specification, section 19.)"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from pyronb.cards import Card
from pyronb.errors import PyroError

__all__ = ["MAX_PORT", "URI", "back_location"]

_GRAMMAR = re.compile(r"(?P<protocol>[Pp][Yy][Rr][Oo][a-zA-Z]*):(?P<object>\S+?)(@(?P<location>.+))?$")
_IPV6 = re.compile(r"\[(?P<host>[0-9a-fA-F:%]+)\](:(?P<port>.*))?$")
_UNIX = "./u:"
_BACK = "pyronb-back-"
MAX_PORT = 65535
"""Ports are numbers up to this one."""

State = tuple[str, "str | set[str]", "str | None", "str | None", "int | None"]


class URI(Card):
    """The address of a remote object; a value that is compared by its parts.

    ===================================  ============================================================
    ``PYRO:object@host:port``            direct; an IPv6 host is written in brackets
    ``PYRO:object@./u:path``             direct, over a Unix domain socket
    ``PYRO:object@./u:pyronb-back-key``  over a connection that the other program made; only pyronb has these
    ``PYRONAME:name[@host[:port]]``      looked up in the name server by name
    ``PYROMETA:tag,tag[@host[:port]]``   looked up by tags: any object that has them all
    ===================================  ============================================================

    Args:
        uri: the text form, or another URI.

    Raises:
        PyroError: the text is no URI; the message says which part is wrong.
        TypeError: neither text nor URI was given.
    """

    __slots__ = ("host", "object", "port", "protocol", "sockname")

    protocol: str
    """``PYRO``, ``PYRONAME`` or ``PYROMETA``."""
    object: str | set[str]
    """The object id or name; the set of tags for PYROMETA."""
    sockname: str | None
    """Path of the Unix domain socket, if it is one."""
    host: str | None
    port: int | None

    def __init__(self, uri: str | URI) -> None:
        if isinstance(uri, URI):
            self.__setstate__(uri.__getstate__())
            return
        if not isinstance(uri, str):
            raise TypeError(f"uri should be a str or a URI, not {type(uri).__name__}")
        self.__setstate__(_parsed(uri))

    @property
    def location(self) -> str | None:
        """``host:port`` or ``./u:path``; None when the URI names no place."""
        if self.sockname:
            return _UNIX + self.sockname
        if not self.host:
            return None
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def back(self) -> str | None:
        """Key of the connection over which the object is reached back; None for places that are dialled."""
        return self.sockname[len(_BACK) :] if self.sockname is not None and self.sockname.startswith(_BACK) else None

    def asString(self) -> str:
        """Give the text form, as `str` does."""
        return str(self)

    def __str__(self) -> str:
        name = self.object if isinstance(self.object, str) else ",".join(sorted(self.object))
        location = self.location
        return f"{self.protocol}:{name}@{location}" if location else f"{self.protocol}:{name}"

    def __repr__(self) -> str:
        return f"<pyronb.URI {self}>"

    def __eq__(self, other: Any) -> bool:  # noqa: PYI032 - the attribute `object` hides the builtin here
        if not isinstance(other, URI):
            return NotImplemented
        return self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash(str(self))

    def __getstate__(self) -> State:
        return self.protocol, self.object, self.sockname, self.host, self.port

    def __setstate__(self, state: State) -> None:
        """Take the parts in, as they travel on the wire (section 17); a list of tags becomes a set again."""
        protocol, name, sockname, host, port = state
        if not isinstance(protocol, str):
            raise PyroError("invalid uri state (protocol)")
        self.protocol = protocol
        self.object = name if isinstance(name, str) else set(name)
        self.sockname, self.host, self.port = sockname, host, port


@lru_cache(maxsize=256)
def _parsed(uri: str) -> State:
    """Give the parts of a text form; programs make URIs of the same texts again and again.

    Raises:
        PyroError: the text is no URI.
    """
    match = _GRAMMAR.match(uri)
    if not match:
        raise PyroError(f"invalid uri: {uri!r} (a URI looks like PYRO:object@host:port or PYRONAME:name)")
    protocol, name, location = match["protocol"].upper(), match["object"], match["location"]
    if protocol == "PYRO":
        if not location:
            raise PyroError(f"invalid uri (location): {uri!r} lacks @host:port")
        return protocol, name, *_parsed_location(location, None, uri)
    if protocol not in ("PYRONAME", "PYROMETA"):
        raise PyroError(f"invalid uri (protocol): {uri!r} (use PYRO, PYRONAME or PYROMETA)")
    tags = {tag for tag in name.split(",") if tag}
    if protocol == "PYROMETA" and not tags:
        raise PyroError(f"invalid uri: {uri!r} names no tags")
    place = _parsed_location(location, 0, uri) if location else _NOWHERE
    return protocol, tags if protocol == "PYROMETA" else name, *place


_NOWHERE = None, None, None


def _parsed_location(location: str, default_port: int | None, uri: str) -> tuple[str | None, str | None, int | None]:
    """Give socket path, host and port."""
    if location.startswith(_UNIX):
        sockname = location[len(_UNIX) :]
        if not sockname or ":" in sockname:
            raise PyroError(f"invalid uri (location): {uri!r} needs a socket path without ':' after ./u:")
        return sockname, None, None
    host: str
    if location.startswith("["):
        match = _IPV6.match(location)
        if not match:
            raise PyroError(f"invalid ipv6 address: {location!r} in {uri!r}")
        host, port = match["host"], match["port"]
    else:
        host, _, port = location.partition(":")
    if not port:
        if default_port is None:
            raise PyroError(f"invalid uri (location): {uri!r} lacks a port")
        # None means "the usual port of a name server"; it is filled in where the lookup is made.
        return None, host, None
    # int() would take signs, underscores and other scripts' digits too.
    if not (port.isascii() and port.isdigit()) or int(port) > MAX_PORT:
        raise PyroError(f"invalid port in uri, port={port!r}: {uri!r}")
    return None, host, int(port)


def back_location(key: str) -> str:
    """Give the location that stands for connections with this key; real peers that get to see it find no such file."""
    return f"{_UNIX}{_BACK}{key}"
