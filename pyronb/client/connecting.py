"""Connecting: how a link comes to its connection, loses it, and comes to it again."""

from __future__ import annotations

from collections.abc import Mapping

from pyronb.client.effects import Connect, HangUp, Pause, Procedure
from pyronb.client.greeting import ask_metadata, limited, machine, reach
from pyronb.client.link import Link
from pyronb.client.lookup import resolve
from pyronb.client.speech import agree
from pyronb.errors import CommunicationError, ConnectionClosedError, NamingError
from pyronb.rpc.handshake import Peer
from pyronb.wire.message import NO_ANNOTATIONS, Buffer

__all__ = ["ENDLESS", "GIVEN_SOCKET", "adopt", "connect", "hang_up", "reconnect"]

ENDLESS = 100_000_000
"""As many attempts to reconnect as nobody lives to see."""
GIVEN_SOCKET = "<<connected-socket>>"
"""Stands in the place of the host in the address of an object behind a socket that was given."""
_PAUSE = 2.0
"""Seconds between two attempts to reconnect."""


def connect(
    link: Link, deadline: float | None = None, annotations: Mapping[str, Buffer] = NO_ANNOTATIONS
) -> Procedure[None]:
    """Connect and greet, unless the link is connected.

    All of it together, looking names up too, may take as long as the link's `connect_timeout`, and until the deadline.
    The annotations go beside the greeting.

    Raises:
        NamingError: the name is not known, or no name server was found.
        ConnectionClosedError: nobody answers there.
        TimeoutError: no answer in time.
        ProtocolError: what answers is no Pyro peer, or speaks another protocol.
        CommunicationError: the daemon refused; the message holds its reason.
        PyroError: the object exposes nothing, or the daemon does not tell what it exposes.
        Exception: whatever the link's owner refuses the daemon's answer with.
    """
    if link.connected:
        return
    if link.given_socket:
        raise ConnectionClosedError(f"the socket that the proxy for {link.uri} was given is no longer in use")
    yield HangUp(link)
    deadline = yield from limited(link.options, deadline)
    place = yield from resolve(link.uri, link.options, deadline, link.key)
    yield from reach(link, place, deadline, annotations)


def adopt(link: Link, deadline: float | None) -> Procedure[None]:
    """Take up a socket that is connected already: there is no handshake, and metadata is asked for. (Section 28.)"""
    link.remote = Peer()
    agree(link, link.remote)
    link.connection = machine(link)
    link.connection.open()
    assert isinstance(link.uri.object, str)
    if link.options.metadata:
        link.metadata = yield from ask_metadata(link, link.uri.object, deadline)


def hang_up(link: Link) -> Procedure[None]:
    """Close the connection, if there is one; the link can connect again."""
    yield HangUp(link)


def reconnect(link: Link, tries: int) -> Procedure[None]:
    """Close the connection and connect again, trying so often with pauses in between.

    Raises:
        ConnectionClosedError: no attempt succeeded; the last one's error is its cause.
    """
    yield HangUp(link)
    if link.given_socket:
        yield Connect(link)  # says that it cannot
    failed: Exception | None = None
    for attempt in range(tries):
        if attempt:
            yield Pause(_PAUSE)
        try:
            yield Connect(link)
        except (CommunicationError, NamingError) as error:
            failed = error
        else:
            return
    raise ConnectionClosedError(f"failed to reconnect to {link.place}: {failed}") from failed
