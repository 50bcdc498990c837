"""``pyronb doctor``: go each step of reaching an object, and say where it breaks."""

from __future__ import annotations

import argparse
import dataclasses
import importlib

from pyronb.cli.options import add_json, seconds, tell_json

__all__ = ["EPILOG", "configure", "run"]

EPILOG = """examples:
  pyronb doctor lab.pump
  pyronb doctor lab.pump --ns lab7:9090
  pyronb doctor PYRO:pump@lab7:4000

It exits with 0 when the object can be reached, and with 1 when not."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("target", metavar="NAME_OR_URI", help="name in the name server, or a URI")
    parser.add_argument("--ns", metavar="HOST:PORT", help="the name server, instead of the configured one")
    parser.add_argument(
        "-t", "--timeout", type=seconds, default=2.0, metavar="SECONDS", help="limit for each step (default: 2)"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Examine, and print what was found."""
    doctor = importlib.import_module("pyronb.jupyter.doctor")
    views = importlib.import_module("pyronb.jupyter.ipython.views")
    try:
        diagnosis = doctor.diagnose(args.target, args.ns, timeout=args.timeout)
    except ValueError as error:
        args.misuse(str(error))
    if args.json:
        steps = [dataclasses.asdict(step) for step in diagnosis.steps]
        tell_json({"target": diagnosis.target, "reached": diagnosis.failure is None, "steps": steps})
    else:
        print(views.sections_text([doctor.section_of(diagnosis)]))
    return 0 if diagnosis.failure is None else 1
