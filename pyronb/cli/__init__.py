"""The ``pyronb`` command. Each subcommand is a module of its own, loaded when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from pyronb.cli.options import complain
from pyronb.errors import PyroError
from pyronb.version import __version__

__all__ = ["main"]

COMMANDS = {
    "ns": "run a name server",
    "nsc": "ask a name server: list, lookup, register, remove and more",
    "echoserver": "serve an object to try clients with",
    "gateway": "let programs call objects over HTTP with JSON",
    "config": "show the settings and where they come from",
    "doctor": "go each step of reaching an object, and say where it breaks",
    "stub": "write what objects expose as Python source, for editors and type checkers",
    "demo": "serve the demo objects: this machine, an oscilloscope, a store",
    "lab": "open JupyterLab with a name server and the demo objects",
}
"""The subcommands; the module ``pyronb.cli.NAME`` has `configure` and `run` for each."""


_SERVERS = {"ns", "echoserver", "gateway", "demo", "lab"}
"""Those which run until they are stopped, so that being stopped is success."""

_CODES = """exit codes:
  0  it worked; for a server, also that it was stopped with Ctrl-C or SIGTERM
  1  it failed, and one line on stderr says why
  2  the command line makes no sense
  130  it was interrupted before it was done

Settings come from the environment as well; 'pyronb config' lists them."""

log = logging.getLogger("pyronb.cli")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit code: 0 good, 1 failed, 2 misused, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parser(arguments).parse_args(arguments)
    except ValueError as error:
        # A setting in the environment makes no sense, and the defaults of options are settings.
        complain("", str(error))
        return 2
    if args.verbose:
        logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # A stop that is asked for politely ends like Ctrl-C does, which also holds for a command that a script started in
    # the background, where shells have it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    # What a terminal's encoding does not have is shown by its number rather than as a traceback.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = int(args.run(args))
        print(end="", flush=True)
        return code
    except KeyboardInterrupt:
        return 0 if args.command in _SERVERS else 130
    except BrokenPipeError:
        # Whoever read the output has enough of it; what is left must not fail once more when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (PyroError, OSError) as error:
        log.debug("failed", exc_info=True)
        complain(args.command, str(error))
        return 1
    except Exception as error:
        # A name server may raise anything, and people read one line.
        log.debug("failed", exc_info=True)
        hint = "" if args.verbose else " (-v shows where)"
        complain(args.command, f"{type(error).__name__}: {error}{hint}")
        return 1


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pyronb",
        description="Remote Python objects for notebooks and programs.",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pyronb {__version__}")
    verbose = {"action": "store_true", "help": "log what happens to stderr, tracebacks of errors too"}
    parser.add_argument("-v", "--verbose", **verbose)  # type: ignore[arg-type]
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    # Only the command that was asked for is loaded; `pyronb ns` should not wait for Jupyter's parts.
    asked = next((word for word in arguments if word in COMMANDS), None)
    for name, text in COMMANDS.items():
        if name != asked:
            commands.add_parser(name, help=text)
            continue
        module: Any = importlib.import_module(f"pyronb.cli.{name}")
        sub = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=getattr(module, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        # Absent here, it must not undo the one before the command.
        sub.add_argument("-v", "--verbose", default=argparse.SUPPRESS, **verbose)  # type: ignore[arg-type]
        module.configure(sub)
        sub.set_defaults(run=module.run, misuse=sub.error)
    return parser
