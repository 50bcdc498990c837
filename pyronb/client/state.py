"""What a proxy is on the wire, in whichever room it lives. (Wire specification, section 17.)"""

from __future__ import annotations

import base64
from typing import Any

from pyronb.client.holds import Hold
from pyronb.client.link import Link
from pyronb.dialects import SAFE, Dialect
from pyronb.errors import PyroError
from pyronb.options import ClientOptions
from pyronb.rpc.call import ITERATOR_PREFIX
from pyronb.rpc.metadata import Metadata
from pyronb.uri import URI

__all__ = ["key_bytes", "link_from_state", "state_of"]

_ENCODED = "b64:"
"""Before the key in the state of a proxy."""


def state_of(link: Link, dialect: Dialect) -> tuple[Any, ...]:
    """Give what the proxy with this link is on the wire.

    A key stays here: on the wire it would be readable by everybody.

    Raises:
        PyroError: the proxy is on a given socket.
    """
    if link.given_socket:
        raise PyroError("a proxy on a given socket cannot travel: nobody else could use its address")
    known = link.metadata or Metadata()
    own = link.serializer_name if link.serializer_name != link.options.serializer else None
    if own not in dialect.serializers:
        own = None  # real peers would refuse the proxy for a name that they do not know
    members = str(link.uri), tuple(known.oneway), tuple(known.methods), tuple(known.attributes)
    if dialect.proxy_settings:
        return (*members, link.timeout or 0.0, None, link.handshake, link.max_retries, own)
    return (*members, link.handshake, own)


def link_from_state(state: Any, dialect: Dialect, options: ClientOptions) -> Link:
    """Make the link of a proxy that arrived; timeouts and retries are local matters and start anew."""
    uri, oneway, methods, attributes, *more = state
    key = None
    if dialect.proxy_settings:
        _, key, handshake, _, serializer = (*more, None)[:5]
    else:
        handshake, serializer = more
    link = Link.to(URI(str(uri)), options)
    if link.uri.back is not None and not str(link.uri.object).startswith(ITERATOR_PREFIX):
        link.hold = Hold(link.uri)
    if (methods or attributes) and options.metadata:
        link.metadata = Metadata.from_wire({"methods": methods, "oneway": oneway, "attrs": attributes})
    link.handshake = handshake
    if isinstance(key, bytes):
        link.key = key_bytes(key)  # pickles have it as it is
    elif isinstance(key, str) and key.startswith(_ENCODED):
        link.key = key_bytes(base64.b64decode(key[len(_ENCODED) :], validate=True))
    # Whoever sent the proxy is not to decide that this end reads pickles.
    if serializer in SAFE:
        link.serializer_name = serializer
    return link


def key_bytes(key: bytes | str | None) -> bytes | None:
    """Give a shared key as bytes; an empty one is none.

    Raises:
        TypeError: it is neither bytes nor text.
    """
    if isinstance(key, str):
        key = key.encode("utf-8")
    if key is not None and not isinstance(key, bytes):
        raise TypeError(f"a message key should be bytes or a str, not {type(key).__name__}")
    return key or None
