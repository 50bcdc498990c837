"""``pyronb nsc``: ask a name server."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Mapping

from pyronb.cli.options import plain, port
from pyronb.config import config
from pyronb.errors import PyroError
from pyronb.sync.lookup import locateNS
from pyronb.sync.proxy import Proxy

__all__ = ["configure", "run"]

_PATIENCE = 2.0
"""Seconds within which a name server should answer a person."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options and words, which are those of Pyro's own tool."""
    parser.add_argument("-n", "--host", default=config.NS_HOST, help="host of the name server (default: %(default)s)")
    parser.add_argument("-p", "--port", type=port, default=config.NS_PORT, help="its port (default: %(default)s)")
    parser.add_argument("-u", "--unixsocket", metavar="PATH", help="its Unix domain socket")
    words = parser.add_subparsers(dest="word", metavar="WORD", required=True)
    listing = words.add_parser("list", help="list the names, all or those with a prefix")
    listing.add_argument("prefix", nargs="?", default=None)
    lookup = words.add_parser("lookup", help="show the address and the tags of a name")
    lookup.add_argument("name")
    register = words.add_parser("register", help="have a name lead to an address")
    register.add_argument("name")
    register.add_argument("uri")
    register.add_argument("tag", nargs="*", help="tags")
    remove = words.add_parser("remove", help="forget a name")
    remove.add_argument("name")
    words.add_parser("ping", help="see whether the name server answers")


def run(args: argparse.Namespace) -> int:
    """Do what the word says; 1 when it did not succeed."""
    options = dataclasses.replace(config.client_options(), timeout=_PATIENCE, connect_timeout=_PATIENCE)
    host = f"./u:{args.unixsocket}" if args.unixsocket else args.host
    with locateNS(host, args.port, options=options) as names:
        return _WORDS[args.word](names, args)


def _list(names: Proxy, args: argparse.Namespace) -> int:
    found = names.list(prefix=args.prefix, return_metadata=True)
    width = max((len(name) for name in found), default=0)
    for name, (uri, tags) in sorted(found.items()):
        print(f"{plain(name):<{width}}  {plain(uri)}  {plain(', '.join(sorted(tags)))}".rstrip())
    print(
        f"{len(found)} name{'' if len(found) == 1 else 's'}"
        + (f" starting with {args.prefix!r}" if args.prefix else "")
    )
    return 0


def _lookup(names: Proxy, args: argparse.Namespace) -> int:
    uri, tags = names.lookup(args.name, return_metadata=True)
    print(plain(str(uri)))
    if tags:
        print(plain(", ".join(sorted(tags))))
    return 0


def _register(names: Proxy, args: argparse.Namespace) -> int:
    names.register(args.name, args.uri, metadata=args.tag)
    print(f"registered {args.name}")
    return 0


def _remove(names: Proxy, args: argparse.Namespace) -> int:
    if names.remove(args.name) == 0:
        raise PyroError(f"nothing was removed: the name server does not know {args.name!r}, or it is its own name")
    print(f"removed {args.name}")
    return 0


def _ping(names: Proxy, args: argparse.Namespace) -> int:
    began = time.monotonic()
    names.ping()
    print(f"name server at {plain(str(names._pyroUri.location))} answers in {(time.monotonic() - began) * 1000:.1f} ms")
    del args
    return 0


_WORDS: Mapping[str, Callable[[Proxy, argparse.Namespace], int]] = {
    "list": _list,
    "lookup": _lookup,
    "register": _register,
    "remove": _remove,
    "ping": _ping,
}
