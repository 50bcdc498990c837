"""``pyronb stub``: write what remote objects expose as Python source, for editors and type checkers."""

from __future__ import annotations

import argparse
import dataclasses
import importlib

from pyronb.cli.options import seconds
from pyronb.client.speech import AUTO
from pyronb.client.stubs import Subject, stub_of, writable
from pyronb.config import config
from pyronb.sync.proxy import Proxy

__all__ = ["EPILOG", "configure", "run"]

EPILOG = """examples:
  pyronb stub lab.pump > pump.pyi
  pyronb stub lab.pump lab.valve --ns lab7:9090 > lab.py
  pyronb stub PYRO:pump@lab7:4000 --class-name Pump --aio

Each object becomes a class of proxies, to be used like this:

  from pump import Pump

  pump = Pump("PYRONAME:lab.pump")

Only what pyronb daemons tell is known: those of real Pyro tell names, but no signatures and no types."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("targets", nargs="+", metavar="NAME_OR_URI", help="name in the name server, or a URI")
    parser.add_argument("--ns", metavar="HOST:PORT", help="the name server, instead of the configured one")
    parser.add_argument("--class-name", type=_class_name, metavar="NAME", help="what to call the class (of one object)")
    parser.add_argument("--aio", action="store_true", help="write proxies of pyronb.aio, whose methods are awaited")
    parser.add_argument(
        "-t", "--timeout", type=seconds, default=5.0, metavar="SECONDS", help="limit for each step (default: 5)"
    )


def _class_name(text: str) -> str:
    if not writable(text) or text.startswith("_"):
        raise argparse.ArgumentTypeError(f"{text!r} is no name for a class")
    return text


def run(args: argparse.Namespace) -> int:
    """Ask the daemons and print the module; nothing is printed when one of them does not answer."""
    if args.class_name and len(args.targets) > 1:
        args.misuse("--class-name goes with one object")
    read_target = importlib.import_module("pyronb.jupyter.targets").read_target
    options = dataclasses.replace(
        config.client_options(serializer=AUTO if args.aio else ""),
        timeout=args.timeout,
        connect_timeout=args.timeout,
    )
    subjects, kept = [], True
    for text in args.targets:
        try:
            target = read_target(text, args.ns)
        except ValueError as error:
            args.misuse(str(error))
        with Proxy(target.uri, options=options) as proxy:
            proxy._pyroBind()
            link = proxy._pyro
            assert link.metadata is not None
            kept = kept and link.serializer is not None and link.serializer.name == "native"
            name = target.name or str(link.uri.object)
            subjects.append(Subject(name, link.metadata, args.class_name or ""))
    print(stub_of(subjects, aio=args.aio, kept=kept), end="")
    return 0
