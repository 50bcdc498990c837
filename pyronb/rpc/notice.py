"""Notices: what a daemon has to say beside a result, and a client shows its user as a warning.

Only pyronb peers say and show them. A notice is an annotation of a reply, which real peers would ignore. (Wire
specification, section 32.)
"""

from __future__ import annotations

from collections.abc import Mapping

from pyronb.wire.message import Buffer

__all__ = ["NOTICE", "pack_notice", "unpack_notice"]

NOTICE = "PNBN"

_LONGEST = 1000
"""Most characters of a notice."""


def pack_notice(text: str) -> bytes:
    """Write a notice."""
    return text.encode()


def unpack_notice(annotations: Mapping[str, Buffer]) -> str:
    """Read the notice among these annotations; it is cut where it is too long, and what cannot be shown is replaced."""
    text = bytes(memoryview(annotations[NOTICE])[: _LONGEST * 4]).decode("utf-8", "replace")[:_LONGEST]
    return "".join(character if character.isprintable() else " " for character in text)
