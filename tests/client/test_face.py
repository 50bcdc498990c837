"""The face of a proxy: what its names mean. Nothing here does I/O."""

from __future__ import annotations

import pytest

from pyronb.client.face import ProxyFace, describe, doc_of, local_names, missing, never_remote, signature_of
from pyronb.client.link import Link
from pyronb.options import ClientOptions
from pyronb.rpc.handshake import Peer
from pyronb.rpc.metadata import Details, Metadata, MethodDetails
from pyronb.uri import URI
from pyronb.wire.connection import ClientConnection


@pytest.fixture
def link():
    return Link.to(URI("PYRO:obj@here:4711"), ClientOptions())


@pytest.fixture
def known(link):
    link.metadata = Metadata(
        frozenset({"add", "getdoc", "__len__"}),
        frozenset(),
        frozenset({"val"}),
        Details("m.C", "The object.", {"add": MethodDetails("(a, b=1)", "Add.")}),
    )
    return link


@pytest.mark.parametrize(
    "name", ["_x", "__x", "__x__", "_ipython_display_", "_repr_html_", "__len__", "_pyroNope", "getdoc"]
)
def test_names_that_are_never_remote(link, name):
    """They fail without anybody being asked."""
    assert never_remote(link, name)


@pytest.mark.parametrize("name", ["add", "x", "pyro", "shape"])
def test_names_that_may_be_remote(link, name):
    """Anything else is for the daemon to say."""
    assert not never_remote(link, name)


def test_exposed_names_go_first(known):
    """A double-underscore name, or one that tools look for, is remote when the object exposes it."""
    assert not never_remote(known, "__len__")
    assert not never_remote(known, "getdoc")
    assert never_remote(known, "__getitem__")


def test_known_names(link, known):
    """What was told is listed; before, nothing is."""
    assert ["__len__", "add", "getdoc", "val"] == local_names(known)
    assert [] == local_names(Link.to(link.uri, link.options))


def test_missing(link):
    """The error names object, place and member; for a looked-up object, the direct address too."""
    assert "remote object 'obj' at PYRO:obj@here:4711 has no exposed attribute or method 'x'" == str(missing(link, "x"))

    link.uri, link.connected_uri = URI("PYRONAME:thing"), link.uri

    assert "'thing' at PYRONAME:thing (here:4711) has" in str(missing(link, "x"))


def test_describe(link):
    """Address and state of the connection, with who is at the other end."""
    assert "PYRO:obj@here:4711; not connected" == describe(link)

    link.connection, link.remote = ClientConnection(link.dialect), Peer("1.2")
    link.connection.open()

    assert "PYRO:obj@here:4711; connected to pyronb 1.2" == describe(link)

    link.remote = Peer()

    assert "PYRO:obj@here:4711; connected to Pyro5" == describe(link)


def test_signature_and_docs(link, known):
    """They come from what was told."""
    assert "(a, b=1)" == str(signature_of(known, "add"))
    assert signature_of(known, "getdoc") is None
    assert ("The object.", "Add.", "") == (doc_of(known), doc_of(known, "add"), doc_of(known, "getdoc"))

    fresh = Link.to(link.uri, link.options)

    assert (None, "", "") == (signature_of(fresh, "add"), doc_of(fresh), doc_of(fresh, "add"))


def test_proxies_of_an_interface():
    """They are plain proxies, but where the interface is a class of proxies itself."""

    class Own(ProxyFace):
        pass

    assert ProxyFace[int] is ProxyFace
    assert ProxyFace["anything"] is ProxyFace
    assert ProxyFace[Own] is Own
    assert Own[ProxyFace] is Own
