"""Which serializer a link speaks, and which ones it listens to.

Replies are read with the serializer that was chosen for requests, and with the safe ones; a pickle that nobody asked
for is refused unread.
"""

from __future__ import annotations

from pyronb.client.link import Link
from pyronb.dialects import SAFE, UNSAFE, Dialect
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.rpc.codec import Codec
from pyronb.rpc.handshake import ASIDE, ROWS, Peer
from pyronb.serializers.base import Serializer
from pyronb.serializers.catalog import catalog_for

__all__ = ["AUTO", "CHOICES", "agree", "choose", "codec_for", "for_greeting"]

_UNIVERSAL = "serpent"

AUTO = "auto"
"""Chosen in the place of a serializer: native where the peer takes it, which only pyronb does; else serpent."""

CHOICES = (*SAFE, *UNSAFE, AUTO)
"""What can be chosen."""


def codec_for(link: Link, peer: Peer) -> Codec:
    """Give the codec for talking to this peer."""
    wire = link.options.wire
    # By identity: hashing a record of options would take longer than all the rest.
    beside, rows = ASIDE in peer.abilities, ROWS in peer.abilities
    key = (link.dialect, id(wire), link.serializer_name, peer.is_pyronb, beside, rows)
    known = _codecs.get(key)
    if known is not None and known[0] is wire:
        return known[1]
    unsafe = frozenset({link.serializer_name}).intersection(UNSAFE)
    catalog = catalog_for(link.dialect, wire, pyronb_peer=peer.is_pyronb, unsafe=unsafe)
    codec = Codec(link.dialect, catalog, wire, beside=beside, rows=rows)
    if len(_codecs) >= _MOST_CODECS:
        _codecs.clear()
    _codecs[key] = wire, codec
    return codec


_codecs: dict[tuple[Dialect, int, str, bool, bool, bool], tuple[WireOptions, Codec]] = {}
"""What was given for which options, which are kept so that nothing else gets their id."""
_MOST_CODECS = 64


def for_greeting(link: Link, codec: Codec) -> Serializer:
    """Give the serializer for the greeting: the chosen one, unless the protocol gives it no number by itself.

    Raises:
        SerializeError: its package is missing.
    """
    known = link.serializer_name in link.dialect.serializers
    return codec.catalog.by_name(link.serializer_name if known else _UNIVERSAL)


def agree(link: Link, peer: Peer) -> None:
    """Set the codec and the serializer for calls to this peer.

    Raises:
        SerializeError: the peer does not take the chosen serializer, or its package is missing here.
    """
    codec, name = codec_for(link, peer), link.serializer_name
    taken = peer.serializers or set(link.dialect.serializers)
    if name == AUTO:
        name = "native" if "native" in taken else _UNIVERSAL
    if name not in taken:
        accepted = ", ".join(sorted(taken))
        advice = "set SERIALIZERS_ACCEPTED over there, or choose" if peer.is_pyronb else "choose"
        raise SerializeError(
            f"{link.place} does not accept the serializer {name!r}, only: {accepted}; {advice} one of these with "
            f"SERIALIZER or _pyroSerializer"
        )
    link.serializer = codec.catalog.by_name(name)
    link.codec = codec


def choose(link: Link, name: str) -> None:
    """Use another serializer from the next call on.

    Raises:
        SerializeError: there is none of this name, its package is missing, or the peer does not take it; the link
            keeps the one that it had.
    """
    if name not in CHOICES:
        raise SerializeError(f"unknown serializer {name!r}; use one of {', '.join(CHOICES)}")
    before, link.serializer_name = link.serializer_name, name
    if link.codec is None or link.remote is None:
        return
    try:
        agree(link, link.remote)
    except SerializeError:
        link.serializer_name = before
        raise
