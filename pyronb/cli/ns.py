"""``pyronb ns``: run a name server."""

from __future__ import annotations

import argparse

from pyronb.cli.options import port
from pyronb.config import config
from pyronb.nameserver.start import startNS

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options, which have the letters that Pyro's own tool gives them."""
    parser.add_argument("-n", "--host", default=config.NS_HOST, help="address to bind to (default: %(default)s)")
    parser.add_argument(
        "-p", "--port", type=port, default=config.NS_PORT, help="port, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument("-u", "--unixsocket", metavar="PATH", help="listen on a Unix domain socket instead")
    parser.add_argument(
        "-s", "--storage", default="memory", help="memory, or sql:FILENAME to survive a restart (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    started = startNS(args.host, args.port, unixsocket=args.unixsocket, storage=args.storage)
    with started.daemon as daemon:
        print(f"name server at {daemon.locationStr}, storage {args.storage}; Ctrl-C stops it", flush=True)
        print(f"URI = {started.uri}", flush=True)
        daemon.requestLoop()
    return 0
