"""Names of annotations: exactly four ASCII characters, in both protocols. (Wire specification, section 5.)"""

from __future__ import annotations

from pyronb.errors import ProtocolError

__all__ = ["decode_name", "encode_name"]

_SIZE = 4


def decode_name(name: bytes) -> str:
    """Read a name.

    Raises:
        ProtocolError: it is not ASCII.
    """
    try:
        return name.decode("ascii")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"annotation name is not ASCII: {name!r}") from error


def encode_name(name: str) -> bytes:
    """Write a name.

    Raises:
        ProtocolError: it has not exactly four ASCII characters.
    """
    try:
        encoded = name.encode("ascii")
    except UnicodeEncodeError:
        encoded = b""
    if len(encoded) != _SIZE:
        raise ProtocolError(f"annotation names have exactly {_SIZE} ASCII characters, not {name!r}")
    return encoded
