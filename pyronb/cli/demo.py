"""``pyronb demo``: serve the demo objects."""

from __future__ import annotations

import argparse
import sys
import threading
from contextlib import ExitStack

from pyronb.cli.embedded import demo_objects, name_server
from pyronb.cli.options import port
from pyronb.config import config

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("-H", "--host", default=config.HOST, help="address to bind to (default: %(default)s)")
    parser.add_argument(
        "-n", "--ns-host", default=config.NS_HOST, help="host of the name server (default: %(default)s)"
    )
    parser.add_argument("-p", "--ns-port", type=port, default=config.NS_PORT, help="its port (default: %(default)s)")
    parser.add_argument(
        "--until-eof", action="store_true", help="end when standard input ends, as a child of a program"
    )
    parser.add_argument("-N", "--with-ns", action="store_true", help="run a name server too, at that host and port")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    with ExitStack() as stack:
        ns_host, ns_port = args.ns_host, args.ns_port
        if args.with_ns:
            uri = stack.enter_context(name_server(ns_host, ns_port))
            ns_port = uri.port
        for name, address in stack.enter_context(demo_objects(args.host, ns_host, ns_port)).items():
            print(f"{name}: {address}", flush=True)
        print(f"registered in the name server at {ns_host}:{ns_port}; Ctrl-C stops", flush=True)
        if args.until_eof:
            sys.stdin.read()
        else:
            threading.Event().wait()
    return 0
