"""Dialects: the tables of the wire specification, and the one look at a protocol number."""

from __future__ import annotations

import pytest

from pyronb.dialects import DIALECTS, PYRO4, PYRO5, dialect_for
from pyronb.errors import ProtocolError


def test_flags_of_protocol_502():
    """As in section 4."""
    flags = [PYRO5.exception, PYRO5.compressed, PYRO5.oneway, PYRO5.batch]

    assert [0x01, 0x02, 0x04, 0x08] == flags
    assert (0x10, 0x20, 0x40) == (PYRO5.item_stream, PYRO5.keep_serialized, PYRO5.correlation)


def test_serializers_of_protocol_502():
    """As in section 16."""
    assert {"serpent": 1, "marshal": 2, "json": 3, "msgpack": 4} == PYRO5.serializers
    assert ["serpent", "marshal", "json", "msgpack"] == [PYRO5.serializer_name(number) for number in range(1, 5)]
    assert PYRO5.serializer_name(0) is None
    assert PYRO5.serializer_name(42) is None


def test_dialect_for():
    """The number leads to the dialect, which is one value for all."""
    assert dialect_for(502) is PYRO5
    assert dialect_for(48) is PYRO4
    assert {502: PYRO5, 48: PYRO4} == dict(DIALECTS)
    assert "<Dialect Pyro5 502>" == repr(PYRO5)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (47, r"invalid protocol version: 47; spoken here: 502 \(Pyro5\), 48 \(Pyro4\)"),
        (0, r"invalid protocol version: 0; spoken here: 502 \(Pyro5\), 48 \(Pyro4\)"),
    ],
)
def test_unknown_protocols(number, text):
    """The error begins as that of real daemons, and says what is spoken."""
    with pytest.raises(ProtocolError, match=text):
        dialect_for(number)


def test_tables_cannot_be_changed():
    """A dialect is a value."""
    for change in (lambda: PYRO5.serializers.update(x=1), lambda: setattr(PYRO5, "version", 1)):
        with pytest.raises((AttributeError, TypeError)):
            change()
