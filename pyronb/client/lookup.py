"""Finding by name: how a name server is found, and what it is asked."""

from __future__ import annotations

from typing import Any

from pyronb.client.calling import call, explained
from pyronb.client.effects import After, Broadcast, Choose, HangUp, Pause, Procedure
from pyronb.client.greeting import limited, reach
from pyronb.client.link import Link
from pyronb.errors import ConnectionClosedError, NamingError, ProtocolError, PyroError, TimeoutError
from pyronb.options import ClientOptions
from pyronb.rpc.call import NAMESERVER_ID, Call, Raised, Returned
from pyronb.uri import URI
from pyronb.wire.message import NO_ANNOTATIONS

__all__ = ["locate", "lookup", "lookup_by_tags", "resolve"]

_LOOK_AGAIN = 0.2
"""Seconds between two looks for a name."""


def locate(
    options: ClientOptions,
    host: str | None,
    port: int | None,
    deadline: float | None,
    key: bytes | None = None,
    *,
    broadcast: bool = True,
) -> Procedure[Link]:
    """Find a name server and connect to it; with a key, messages to it are signed.

    Where a host is given, the name server is there. Without, it is looked for on this machine, if that is where the
    options expect it, then by a broadcast, then where the options say. (Wire specification, sections 21 and 22.)

    Raises:
        NamingError: there is none; the cause says why.
    """
    wanted = options.lookup
    if host:
        return (yield from _locate_at(options, host, port or wanted.port, deadline, key))
    for place in _nearby(wanted.host):
        # The second place is a guess that must not cost much.
        limit = deadline if place == wanted.host else (yield After(_GUESS))
        try:
            return (yield from _locate_at(options, place, port or wanted.port, limit, key))
        except NamingError:
            continue
    # There are no broadcasts in IPv6.
    broadcast = broadcast and options.ip_version != _IPV6
    if broadcast:
        addresses, bcport = wanted.broadcast_addresses, port or wanted.broadcast_port
        found = yield Broadcast(_QUESTION, addresses, bcport, _announced, _ROUNDS, _ROUND, deadline)
        if found is not None:
            return (yield from _locate_at(options, str(found.host), found.port or wanted.port, deadline, key))
    return (yield from _locate_at(options, wanted.host, wanted.port, deadline, key, last=broadcast))


_IPV6 = 6
_QUESTION = b"GET_NSURI"
_ROUNDS = 3
_ROUND = 0.7
"""Seconds to wait for answers each time that the question is broadcast."""
_GUESS = 0.5
"""Seconds for connecting where a name server may be but nobody said so."""
_LONGEST_ANNOUNCEMENT = 100


def _nearby(host: str) -> tuple[str, ...]:
    """List where a name server on this machine may be, when that is where it is expected."""
    if host == "::1" or host.startswith("./u:"):
        return (host,)
    if host == "localhost" or host.startswith("127."):
        # To which some systems resolve their own name.
        return (host,) if host == "127.0.1.1" else (host, "127.0.1.1")
    return ()


def _announced(answer: bytes) -> URI | None:
    """Give the address that a name server announced; None when that is no such thing, for anybody can send anything."""
    if len(answer) > _LONGEST_ANNOUNCEMENT:
        return None
    try:
        uri = URI(answer.decode("iso-8859-1"))
    except PyroError:
        return None
    return uri if uri.object == NAMESERVER_ID and uri.protocol == "PYRO" and uri.host else None


def _locate_at(
    options: ClientOptions, host: str, port: int, deadline: float | None, key: bytes | None, *, last: bool = False
) -> Procedure[Link]:
    """Connect to the name server at this place; `last` when a broadcast was tried before.

    Raises:
        NamingError: there is none; the cause says why.
    """
    where = f"[{host}]" if ":" in host and not host.startswith("./u:") else host
    place = where if where.startswith("./u:") else f"{where}:{port}"
    link = Link.to(URI(f"PYRO:{NAMESERVER_ID}@{place}"), options)
    link.key = key
    link.serializer_name = "serpent"  # every name server takes it
    try:
        deadline = yield from limited(options, deadline)
        yield from reach(link, link.uri, deadline, NO_ANNOTATIONS)
    except PyroError as error:
        also = ", nor by a broadcast" if last else ""
        # What was there and cannot be talked to has said what to do.
        absent = isinstance(error, ConnectionClosedError | TimeoutError)
        hint = ". Start one with 'pyronb ns', or set NS_HOST and NS_PORT" if absent else ""
        raise NamingError(f"no name server found at {place}{also}: {error}{hint}") from error
    return link


def lookup(server: Link, name: str, deadline: float | None) -> Procedure[URI]:
    """Ask a connected name server for the address of a name.

    Raises:
        NamingError: the name is not known there.
    """
    found = yield from _ask(server, Call(NAMESERVER_ID, "lookup", (name,), {}), deadline)
    if not isinstance(found, URI):
        raise ProtocolError(f"the name server at {server.place} answered a lookup with {type(found).__name__}")
    return found


def lookup_by_tags(server: Link, tags: list[str], deadline: float | None) -> Procedure[list[URI]]:
    """Ask a connected name server for the addresses of all objects that have all these tags.

    Raises:
        NamingError: there is none.
    """
    if server.dialect.tag_lookup:
        question = Call(NAMESERVER_ID, "yplookup", (tags, None, False), {})
    else:
        question = Call(NAMESERVER_ID, "list", (), {"metadata_all": tags})
    found = yield from _ask(server, question, deadline)
    if not isinstance(found, dict):
        raise ProtocolError(f"the name server at {server.place} answered a lookup by tags with {type(found).__name__}")
    if not found:
        raise NamingError(f"no object with the tags {', '.join(tags)} is registered")
    return [URI(uri) for _, uri in sorted(found.items())]


def _ask(server: Link, question: Call, deadline: float | None) -> Procedure[Any]:
    asked = yield from call(server, question, deadline)
    if isinstance(asked, Returned):
        return asked.value
    if isinstance(asked, Raised):
        raise asked.error
    raise ProtocolError(f"the name server at {server.place} answered a lookup with a stream")


def _find(server: Link, uri: URI, delay: float, deadline: float | None) -> Procedure[list[URI]]:
    """Ask for what an address names, again and again for so many seconds while it is not registered."""
    waited = 0.0
    while True:
        try:
            if isinstance(uri.object, str):
                return [(yield from lookup(server, uri.object, deadline))]
            return (yield from lookup_by_tags(server, sorted(uri.object), deadline))
        except NamingError as error:
            if waited >= delay:
                raise explained(error, f"while looking up {uri} at {server.place}") from error
        step = min(_LOOK_AGAIN, delay - waited)
        yield Pause(step)
        waited += step


def resolve(uri: URI, options: ClientOptions, deadline: float | None, key: bytes | None = None) -> Procedure[URI]:
    """Find the direct address that a PYRONAME or PYROMETA address stands for.

    Raises:
        NamingError: no name server was found, or it does not know the name or tags.
    """
    if uri.protocol == "PYRO":
        return uri
    host = f"./u:{uri.sockname}" if uri.sockname else uri.host
    server = yield from locate(options, host, uri.port, deadline, key)
    try:
        found = yield from _find(server, uri, options.lookup.delay, deadline)
    except GeneratorExit:
        raise
    except BaseException:
        yield HangUp(server)
        raise
    yield HangUp(server)
    if len(found) == 1:
        return found[0]
    choice = yield Choose(len(found))
    return found[choice]
