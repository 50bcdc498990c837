"""What differs between the protocols of Pyro5 (502) and Pyro4 (48) above the header.

A dialect is a value that is handed around with a connection: flag bits, serializer numbers and class tags mean
different things in the two protocols, so none of them is ever process-wide. `dialect_for` is the only place of the
project that looks at a protocol number. (Wire specification, sections 4, 14, 16 and 17.)

"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from pyronb.errors import ProtocolError

__all__ = ["DIALECTS", "PYRO4", "PYRO5", "SAFE", "UNSAFE", "Dialect", "dialect_for"]

SAFE = ("serpent", "json", "marshal", "msgpack", "native")
"""Names of the serializers with which reading gives values and nothing else."""

UNSAFE = ("pickle", "dill", "cloudpickle")
"""Names of the serializers with which reading can run code; each is used only where it was chosen by name."""


@dataclass(frozen=True, eq=False, slots=True)
class Dialect:
    """One protocol above its header; compared by identity.

    Attributes:
        version: the protocol number in every header.
        family: the name of the product that this protocol belongs to.
        exception: flag of a RESULT whose payload is an exception.
        compressed: flag of a payload that is one zlib stream.
        oneway: flag of a request that gets no reply.
        batch: flag of a request that holds many calls, and of the reply with their results.
        item_stream: flag of a RESULT that announces a far stream.
        keep_serialized: flag of a request whose argument stays serialized.
        correlation: flag that the header's correlation id counts; 0 where the header has none.
        serializers: serializer numbers by name.
        own_serializers: numbers, by name, of serializers that the protocol lacks; only pyronb gives them a meaning.
        tags: full class names on the wire, for each of the library's own classes.
        errors: name of the module before the name of each of the library's exceptions on the wire.
        more_errors: full names of exceptions, beside those of Python and the library, that real peers take.
        compress_above: payloads of more bytes than this are compressed, when compression is on.
        compress_level: zlib level; -1 is zlib's default.
        metadata_as_lists: member names travel as lists rather than sets, tags of names too.
        metadata_flag: flag of a CONNECT that asks for metadata, and of the CONNECTOK that has it; 0 where all have it.
        signed: messages can be signed with a shared key.
        only_smaller: a payload that compression does not make smaller stays as it is.
        proxy_settings: the state of a proxy also holds its timeout, key and retries.
        tag_lookup: name servers find names by tags with a method of its own, `yplookup`, rather than with `list`.
    """

    version: int
    family: str
    exception: int
    compressed: int
    oneway: int
    batch: int
    item_stream: int
    keep_serialized: int
    correlation: int
    serializers: Mapping[str, int]
    own_serializers: Mapping[str, int]
    tags: Mapping[str, str]
    errors: str
    more_errors: frozenset[str]
    compress_above: int
    compress_level: int
    metadata_as_lists: bool
    metadata_flag: int
    signed: bool
    only_smaller: bool
    proxy_settings: bool
    tag_lookup: bool

    @lru_cache(maxsize=64)  # noqa: B019 - there are but two of them
    def serializer_name(self, number: int) -> str | None:
        """Tell the name of the serializer with this number; None when the dialect has no such number."""
        for name, known in (*self.serializers.items(), *self.own_serializers.items()):
            if known == number:
                return name
        return None

    def __repr__(self) -> str:
        """Show the family and the protocol number."""
        return f"<Dialect {self.family} {self.version}>"


PYRO5 = Dialect(
    version=502,
    family="Pyro5",
    exception=0x01,
    compressed=0x02,
    oneway=0x04,
    batch=0x08,
    item_stream=0x10,
    keep_serialized=0x20,
    correlation=0x40,
    serializers=MappingProxyType({"serpent": 1, "marshal": 2, "json": 3, "msgpack": 4}),
    own_serializers=MappingProxyType({"native": 100, "pickle": 104, "dill": 105, "cloudpickle": 107}),
    tags=MappingProxyType(
        {
            "uri": "Pyro5.core.URI",
            "proxy": "Pyro5.client.Proxy",
            "daemon": "Pyro5.server.Daemon",
            "batch-error": "Pyro5.core._ExceptionWrapper",
        }
    ),
    errors="Pyro5.errors",
    more_errors=frozenset({"struct.error"}),
    compress_above=100,
    compress_level=4,
    metadata_as_lists=False,
    metadata_flag=0,
    signed=False,
    only_smaller=False,
    proxy_settings=False,
    tag_lookup=True,
)

PYRO4 = Dialect(
    version=48,
    family="Pyro4",
    exception=0x01,
    compressed=0x02,
    oneway=0x04,
    batch=0x08,
    item_stream=0x20,
    keep_serialized=0x40,
    correlation=0,
    serializers=MappingProxyType(
        {"serpent": 1, "json": 2, "marshal": 3, "pickle": 4, "dill": 5, "msgpack": 6, "cloudpickle": 7}
    ),
    own_serializers=MappingProxyType({"native": 100}),
    tags=MappingProxyType(
        {
            "uri": "Pyro4.core.URI",
            "proxy": "Pyro4.core.Proxy",
            "daemon": "Pyro4.core.Daemon",
            "batch-error": "Pyro4.futures._ExceptionWrapper",
        }
    ),
    errors="Pyro4.errors",
    more_errors=frozenset(),
    compress_above=199,
    compress_level=-1,
    metadata_as_lists=True,
    metadata_flag=0x10,
    signed=True,
    only_smaller=True,
    proxy_settings=True,
    tag_lookup=False,
)

DIALECTS: Mapping[int, Dialect] = MappingProxyType({d.version: d for d in (PYRO5, PYRO4)})
"""The dialects that are spoken, by protocol number."""


def dialect_for(version: int) -> Dialect:
    """Give the dialect with this protocol number.

    Raises:
        ProtocolError: no such protocol is spoken here.
    """
    try:
        return DIALECTS[version]
    except KeyError:
        spoken = ", ".join(f"{d.version} ({d.family})" for d in DIALECTS.values())
        raise ProtocolError(f"invalid protocol version: {version}; spoken here: {spoken}") from None
