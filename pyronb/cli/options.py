"""What the commands share: how an option is read, and how text of other machines is shown."""

from __future__ import annotations

import argparse

__all__ = ["plain", "port"]

_MAX_PORT = 65535


def port(text: str) -> int:
    """Read the number of a port.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdigit()) or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; ports are numbers from 0 to {_MAX_PORT}")
    return int(text)


def plain(text: str) -> str:
    """Leave out what could steer a terminal: names and errors come from other machines."""
    return "".join(character if character.isprintable() else "�" for character in text)
