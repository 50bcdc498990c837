"""Secrets, with which a program makes connections over which it is reached back, and their keys, which it may tell."""

from __future__ import annotations

import hashlib
import re

__all__ = ["back_key", "is_back_secret"]

_SECRET = re.compile(r"[0-9a-f]{32}")


def is_back_secret(text: str) -> bool:
    """Tell whether a text is shaped as the secret that allows to make connections over which one is reached back."""
    return _SECRET.fullmatch(text) is not None


def back_key(secret: str) -> str:
    """Give the key that belongs to a secret: whoever is told the key can call over such connections, not make any."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()[: len(secret)]
