"""Signing of messages with a shared key, which protocol 48 knows. (Wire specification, section 5, HMAC.)

It shows that a message comes from somebody who has the key and was not changed. It hides nothing and does not keep
anybody from sending a recorded message again.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from pyronb.errors import SecurityError
from pyronb.wire.message import Buffer

__all__ = ["NAME", "check", "sign"]

NAME = "HMAC"
"""The annotation that carries the signature."""


def sign(key: bytes, payload: Buffer, annotations: Mapping[str, Buffer]) -> bytes:
    """Sign a payload as sent and the values of all other annotations, in the order of their names."""
    # SHA-1 is what the protocol prescribes.
    signature = _hmac().new(key, payload, "sha1")
    for name in sorted(annotations):
        if name != NAME:
            signature.update(annotations[name])
    digest: bytes = signature.digest()
    return digest


def _hmac() -> Any:
    """Load what signs with the first message that is signed: few are, and it brings OpenSSL with it."""
    return importlib.import_module("hmac")


def check(key: bytes | None, payload: Buffer, annotations: dict[str, Buffer]) -> None:
    """Check the signature of a message, and take it out of the annotations.

    Raises:
        SecurityError: it is wrong, or only one of both ends has a key.
    """
    signature = annotations.get(NAME)
    if key is None and signature is None:
        return
    if key is None:
        raise SecurityError("hmac key config not symmetric: the peer signs its messages; set _pyroHmacKey here too")
    if signature is None:
        raise SecurityError("hmac key config not symmetric: the peer signs nothing; set _pyroHmacKey there too")
    if not _hmac().compare_digest(sign(key, payload, annotations), bytes(signature)):
        raise SecurityError("message hmac mismatch: the peer has another key")
    del annotations[NAME]
