"""``pyronb ns``: run a name server."""

from __future__ import annotations

import argparse

from pyronb.cli.options import add_key, port, shared_key
from pyronb.config import config
from pyronb.nameserver.start import startNS

__all__ = ["EPILOG", "configure", "run"]

EPILOG = """examples:
  pyronb ns                                 for programs on this machine
  pyronb ns -n 0.0.0.0                      for the whole network
  pyronb ns -n 0.0.0.0 -s sql:names.db      and remember the names over a restart
  pyronb ns -u /run/names.sock              on a Unix domain socket

Whoever can reach a name server can change what is in it: listen where only friends are."""


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
    parser.add_argument(
        "--bchost", default=config.NS_BCHOST, metavar="HOST", help="address to listen for broadcasts on"
    )
    parser.add_argument(
        "--bcport",
        type=port,
        default=config.NS_BCPORT,
        metavar="PORT",
        help="port to listen for broadcasts on (default: %(default)s)",
    )
    parser.add_argument(
        "-x",
        "--nobc",
        action="store_true",
        help="answer no broadcasts; nor does a server that only this machine reaches",
    )
    parser.add_argument(
        "--nathost", default=config.NATHOST, metavar="HOST", help="host to tell others, behind address translation"
    )
    parser.add_argument(
        "--natport",
        type=port,
        default=config.NATPORT,
        metavar="PORT",
        help="port to tell others, behind address translation; 0 for its own (default: %(default)s)",
    )
    add_key(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    key = shared_key(args)
    started = startNS(
        args.host,
        args.port,
        enableBroadcast=not args.nobc,
        bchost=args.bchost,
        bcport=args.bcport,
        unixsocket=args.unixsocket,
        nathost=args.nathost,
        natport=args.natport or None,
        storage=args.storage,
    )
    daemon = started.daemon
    with daemon:
        daemon._pyroHmacKey = key
        print(f"name server at {daemon.locationStr}, storage {args.storage}; Ctrl-C stops it", flush=True)
        others = daemon.nameserver.count() - 1
        if others:
            print(f"the storage holds {others} name{'' if others == 1 else 's'} from before", flush=True)
        print(f"URI = {started.uri}", flush=True)
        daemon.requestLoop()
    return 0
