"""Acquaintances: what is said and heard when a program connects once more to an object that it has been connected to.

A daemon mostly tells a client what it has told the one before, to the byte. Where that is so, a room may take what was
made of it then, instead of having the procedures write and read it all again.
"""

from __future__ import annotations

from typing import Any

from pyronb.client.link import Link
from pyronb.dialects import PYRO5
from pyronb.options import ClientOptions
from pyronb.rpc.codec import Codec
from pyronb.rpc.handshake import SIDE, Acceptance
from pyronb.serializers.base import Serializer
from pyronb.serializers.recreate import MARK
from pyronb.wire.bare import bare_bytes
from pyronb.wire.message import NO_ANNOTATIONS, Message

__all__ = ["Acquaintance", "acquaintance", "remember"]

_MARK = MARK.encode("ascii")
_MOST = 128
_LARGEST = 16 * 1024
"""Most acquaintances that are kept, and most bytes of what one of them said."""


class Acquaintance:
    """What was said and heard in a handshake.

    Attributes:
        options: how the link talked.
        greeting: what was said first.
        said: the same as bytes.
    """

    __slots__ = ("_acceptance", "_codec", "_heard", "_serializer", "greeting", "options", "said")

    def __init__(self, link: Link, greeting: Message, reply: Message, acceptance: Acceptance) -> None:
        self.options: ClientOptions = link.options
        self.greeting = greeting
        self.said = bare_bytes(greeting)
        self._heard = bare_bytes(reply)
        self._acceptance = acceptance
        self._codec: Codec | None = link.codec
        self._serializer: Serializer | None = link.serializer

    def goes_on(self, link: Link, data: bytes) -> bool:
        """Tell whether these bytes are the answer of then, and have the link know all that came of it."""
        connection = link.connection
        acceptance, metadata = self._acceptance, self._acceptance.metadata
        if data != self._heard or connection is None or metadata is None:
            return False
        connection.open()
        peer = acceptance.peer
        connection.side, connection.abreast = SIDE in peer.abilities, peer.takes_rows(link.wants)
        link.codec, link.serializer = self._codec, self._serializer
        link.handshake_answer, link.handshake_annotations = acceptance.handshake, NO_ANNOTATIONS
        link.remote = acceptance.peer
        link.learn(metadata)
        return True


_known: dict[Any, Acquaintance] = {}


def _key(link: Link) -> Any:
    uri = link.uri
    return uri.host, uri.port, uri.object, link.serializer_name, link.handshake, link.wants


def acquaintance(link: Link) -> Acquaintance | None:
    """Give what is known of the handshake that a link is about to have; None when that has to be made anew."""
    if not _plain(link):
        return None
    known = _known.get(_key(link))
    return known if known is not None and known.options is link.options else None


def remember(link: Link, greeting: Message, reply: Message, acceptance: Acceptance) -> None:
    """Keep what was said and heard, if it may be used again."""
    if (
        not _plain(link)
        or greeting.annotations
        or reply.annotations
        or reply.correlation_id is not None
        or type(acceptance.handshake) is not str
        or acceptance.metadata is None
        or type(reply.payload) is not bytes
        or len(reply.payload) > _LARGEST
        or _MARK in reply.payload  # a hook had a part in it
    ):
        return
    if len(_known) >= _MOST:
        _known.clear()
    _known[_key(link)] = Acquaintance(link, greeting, reply, acceptance)


def _plain(link: Link) -> bool:
    uri, options = link.uri, link.options
    return (
        uri.protocol == "PYRO"
        and uri.sockname is None
        and type(link.handshake) is str
        and link.dialect is PYRO5
        and link.owner is None
        and link.key is None
        and not (link.raw or link.back or link.sequence or link.given_socket)
        and options.metadata
        and options.tls is None
        and not (options.wire.compression or options.wire.log)
    )
