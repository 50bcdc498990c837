"""Link: plain data about the way to an object."""

from __future__ import annotations

from pyronb.client.link import Link
from pyronb.options import ClientOptions
from pyronb.rpc.metadata import Metadata
from pyronb.uri import URI
from pyronb.wire.connection import ClientConnection
from tests.support.byhand import link_to


def test_twin_knows_the_same_and_is_not_connected():
    """Settings and knowledge are taken over; connection, notes, lock and address object are not shared."""
    link = Link.to(URI("PYRONAME:thing"), ClientOptions())
    link.timeout, link.max_retries, link.serializer_name, link.handshake = 3.0, 2, "json", {"a": 1}
    link.connected_uri, link.metadata = URI("PYRO:obj@here:1"), Metadata(frozenset({"add"}))
    link.connection, link.stream, link.lock = ClientConnection(link.dialect), "stream", "lock"
    link.connection.open()
    link.notes.append("note")
    link.methods["add"] = "method"
    twin = link.twin()

    assert (3.0, 2, "json", {"a": 1}) == (twin.timeout, twin.max_retries, twin.serializer_name, twin.handshake)
    assert (link.uri, link.connected_uri, link.metadata) == (twin.uri, twin.connected_uri, twin.metadata)
    assert (None, None, None, [], {}) == (twin.connection, twin.stream, twin.lock, twin.notes, twin.methods)
    assert twin.uri is not link.uri
    assert (True, False) == (link.connected, twin.connected)


def test_options_are_where_a_link_starts_from():
    """Timeout, retries and serializer of the options are the link's own to change."""
    link = link_to(timeout=1.0, max_retries=2, serializer="json")
    link.timeout, link.max_retries, link.serializer_name = 5.0, 0, "marshal"
    twin = link.twin()

    assert (5.0, 0, "marshal") == (twin.timeout, twin.max_retries, twin.serializer_name)
    assert (1.0, 2, "json") == (link.options.timeout, link.options.max_retries, link.options.serializer)


def test_object_id():
    """It is known once a name was looked up; a set of tags is none."""
    link = Link.to(URI("PYROMETA:a,b"), ClientOptions())

    assert "" == link.object_id

    link.connected_uri = URI("PYRO:obj@here:1")

    assert "obj" == link.object_id


def test_peer_before_the_first_connection():
    """Nobody is known."""
    assert "" == Link.to(URI("PYRO:obj@here:1"), ClientOptions()).peer


def test_methods_are_made_anew():
    """What a proxy has of its own stays, for it keeps that in the same place."""
    link = Link.to(URI("PYRO:obj@host:1"), ClientOptions())
    link.methods.update(add=1, echo=2, _own=3)

    link.forget_methods()

    assert {"_own": 3} == link.methods
