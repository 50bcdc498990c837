"""``pyronb ns``: run a name server."""

from __future__ import annotations

import argparse

from pyronb.cli.embedded import drained_by_sigterm
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
        "-s",
        "--storage",
        default="memory",
        help="memory, or sql:FILENAME or dbm:FILENAME to survive a restart (default: %(default)s)",
    )
    # What is not given here is for startNS to take from the configuration.
    parser.add_argument("--bchost", metavar="HOST", help="address to listen for broadcasts on (default: any)")
    parser.add_argument(
        "--bcport", type=port, metavar="PORT", help=f"port to listen for broadcasts on (default: {config.NS_BCPORT})"
    )
    parser.add_argument(
        "-x",
        "--nobc",
        action="store_true",
        help="answer no broadcasts; a server that only this machine reaches never does",
    )
    parser.add_argument("--nathost", metavar="HOST", help="host to tell others, behind address translation")
    parser.add_argument(
        "--natport", type=port, metavar="PORT", help="port to tell others, behind address translation; 0 for its own"
    )
    add_key(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    try:
        started = startNS(
            args.host,
            args.port,
            enableBroadcast=not args.nobc,
            bchost=args.bchost,
            bcport=args.bcport,
            unixsocket=args.unixsocket,
            nathost=args.nathost,
            natport=args.natport,
            storage=args.storage,
            hmac=shared_key(args),
        )
    except ValueError as error:
        args.misuse(str(error))
    daemon = started.daemon
    with daemon, drained_by_sigterm(daemon):
        print(f"name server at {daemon.locationStr}, storage {args.storage}; Ctrl-C stops it", flush=True)
        others = daemon.nameserver.count() - 1
        if others:
            print(f"the storage holds {others} name{'' if others == 1 else 's'} from before", flush=True)
        if started.broadcast is not None:
            print(f"answers broadcasts at {started.broadcast.locationStr}", flush=True)
        if daemon.natLocationStr is None:
            print(f"URI = {started.uri}", flush=True)
        else:
            print(f"internal URI = {daemon.uriFor(daemon.nameserver, nat=False)}", flush=True)
            print(f"external URI = {daemon.uriFor(daemon.nameserver)}", flush=True)
        daemon.requestLoop()
    return 0
