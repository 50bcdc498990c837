"""What the commands share: how an option is read, and how things are told to people and to scripts."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from pyronb.uri import MAX_PORT

__all__ = [
    "KEY_VARIABLE",
    "add_json",
    "add_key",
    "complain",
    "plain",
    "port",
    "seconds",
    "secret",
    "shared_key",
    "tell_json",
]

KEY_VARIABLE = "PYRO_HMAC_KEY"
"""The environment variable with the shared key, as in Pyro4's tools."""

_LONGEST = 3600.0
"""Most seconds that an option takes."""


def port(text: str) -> int:
    """Read the number of a port.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; ports are numbers from 0 to {MAX_PORT}")
    return int(text)


def seconds(text: str) -> float:
    """Read a number of seconds, up to an hour.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return number


def add_key(parser: argparse.ArgumentParser) -> None:
    """Declare the option for the shared key; `shared_key` reads it."""
    parser.add_argument(
        "-k",
        "--key",
        help=f"deprecated, for others on this machine can see it: put the key into {KEY_VARIABLE}; "
        "with a key, messages are signed, which only the protocol of Pyro4 knows",
    )


def shared_key(args: argparse.Namespace) -> str | None:
    """Give the key with which messages are signed, from the environment or from `add_key`'s option; None for none."""
    return secret(args, "key", "-k", KEY_VARIABLE)


def secret(args: argparse.Namespace, name: str, option: str, variable: str) -> str | None:
    """Give what should stay between us: from the environment, or from an option about which a warning is given.

    Two different answers are misuse, which ends the program.
    """
    given, kept = getattr(args, name), os.environ.get(variable)
    if not given:
        return kept or None
    if kept:
        args.misuse(f"use {option} or the environment variable {variable}, not both")
    complain(
        args.command,
        f"warning: whoever lists the processes of this machine can see the key after {option}; use {variable}",
    )
    return str(given)


def add_json(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """Declare the option for output that scripts read; `again` for a parser below one that has it too."""
    default = argparse.SUPPRESS if again else False
    parser.add_argument("--json", action="store_true", default=default, help="print JSON, for scripts")


def tell_json(value: Any) -> None:
    """Print a value for scripts: one document, in ASCII, so that no terminal or pipe can spoil it."""
    print(json.dumps(value, indent=2))


def complain(command: str, text: str) -> None:
    """Print one line to stderr, where there is one."""
    if sys.stderr is not None:
        print(f"pyronb{command and ' '}{command}: {plain(text)}", file=sys.stderr, flush=True)


def plain(text: str) -> str:
    """Leave out what could steer a terminal: names and errors come from other machines."""
    return "".join(character if character.isprintable() else "�" for character in text)
