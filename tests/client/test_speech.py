"""Which serializer a link speaks, and which ones it listens to."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from pyronb.client.link import Link
from pyronb.client.speech import agree, choose, codec_for, for_greeting
from pyronb.dialects import PYRO4, PYRO5, SAFE, UNSAFE, Dialect
from pyronb.errors import SerializeError
from pyronb.options import ClientOptions
from pyronb.rpc.handshake import Peer
from pyronb.uri import URI
from pyronb.wire.message import CONNECTOK, RESULT, Message

OURS = Peer("1.0", frozenset(), frozenset({"serpent", "pickle"}))
REAL = Peer()


def link_to(serializer: str, dialect: Dialect = PYRO5) -> Link:
    """Make a link that wants to talk in this serializer."""
    link = Link.to(URI("PYRO:thing@host:99"), ClientOptions(serializer=serializer))
    link.dialect = dialect
    return link


class Trap:
    """A value that runs code where it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", [CONNECTOK, RESULT])
@pytest.mark.parametrize("dialect", [PYRO4, PYRO5], ids=["48", "502"])
@pytest.mark.parametrize("chosen", SAFE)
@pytest.mark.parametrize("peer", [OURS, REAL], ids=["pyronb", "real"])
def test_a_pickle_that_nobody_asked_for(kind: int, dialect: Dialect, chosen: str, peer: Peer, tmp_path: Path) -> None:
    """It is refused unread, whoever sends it and whatever it answers."""
    codec = codec_for(link_to(chosen, dialect), peer)
    data = pickle.dumps(Trap(tmp_path / "sprung"))
    for number in {**dialect.own_serializers, **dialect.serializers}.values():
        if dialect.serializer_name(number) in UNSAFE:
            with pytest.raises(SerializeError, match=r"was not chosen here|no serializer with number"):
                codec.decode_payload(Message(kind, number, 0, 1, data))

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", UNSAFE[1:])
def test_choosing_one_pickle_is_choosing_one(other: str) -> None:
    """Its kin stay refused."""
    codec = codec_for(link_to("pickle", PYRO4), REAL)

    assert 5 == codec.decode_payload(Message(RESULT, PYRO4.serializers["pickle"], 0, 1, pickle.dumps(5)))
    with pytest.raises(SerializeError, match=f"'{other}' can run code"):
        codec.decode_payload(Message(RESULT, PYRO4.serializers[other], 0, 1, pickle.dumps(5)))


@pytest.mark.parametrize(
    ("chosen", "dialect", "greeting"),
    [("json", PYRO5, "json"), ("pickle", PYRO5, "serpent"), ("pickle", PYRO4, "pickle"), ("dill", PYRO4, "dill")],
)
def test_greetings(chosen: str, dialect: Dialect, greeting: str) -> None:
    """Nobody knows yet that the peer is pyronb, so a greeting uses what the protocol itself has."""
    link = link_to(chosen, dialect)

    assert greeting == for_greeting(link, codec_for(link, REAL)).name


def test_agreeing() -> None:
    """The codec and the serializer are those that both ends know."""
    link = link_to("pickle")
    agree(link, OURS)

    assert link.serializer is not None
    assert (PYRO5.own_serializers["pickle"], "pickle") == (link.serializer.number, link.serializer.name)
    assert link.codec is not None
    assert link.codec.catalog.pyronb_peer


@pytest.mark.parametrize(
    ("chosen", "peer", "text"),
    [
        ("pickle", REAL, "'pickle', only: json, marshal, msgpack, serpent; choose one of these with SERIALIZER"),
        ("dill", OURS, "'dill', only: pickle, serpent; set SERIALIZERS_ACCEPTED over there, or choose one"),
        ("json", OURS, "'json', only: pickle, serpent"),
    ],
)
def test_disagreeing(chosen: str, peer: Peer, text: str) -> None:
    """The error says who it is, and what each side speaks."""
    with pytest.raises(SerializeError, match=f"PYRO:thing@host:99 does not accept the serializer {text}"):
        agree(link_to(chosen), peer)


def test_choosing() -> None:
    """Before connecting every name is taken; later, one that the peer takes; an error changes nothing."""
    link = link_to("serpent")
    choose(link, "dill")
    choose(link, "pickle")
    assert "pickle" == link.serializer_name
    with pytest.raises(SerializeError, match=r"unknown serializer 'bson'; use one of serpent, json, .*, cloudpickle"):
        choose(link, "bson")

    agree(link, OURS)
    link.remote = OURS
    with pytest.raises(SerializeError, match="does not accept the serializer 'json'"):
        choose(link, "json")
    assert link.serializer is not None
    assert ("pickle", "pickle") == (link.serializer_name, link.serializer.name)
    choose(link, "serpent")
    assert "serpent" == link.serializer.name
