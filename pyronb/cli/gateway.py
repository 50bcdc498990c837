"""``pyronb gateway``: let programs call objects over HTTP with JSON."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import math
from typing import Any

from pyronb.cli.embedded import split_address
from pyronb.cli.options import add_key, port, secret, shared_key
from pyronb.config import config
from pyronb.errors import PyroError
from pyronb.net.sockets import listen

__all__ = ["EPILOG", "configure", "run"]

EPILOG = r"""examples:
  pyronb gateway                            objects named http.something
  pyronb gateway -e 'http\.|test\.'         those named test.something too
  curl -d '{"message": "hello"}' -H 'Content-Type: application/json' \
       http://localhost:8080/pyro/test.echoserver/echo

  GET  /pyro/                               the index, in a browser
  GET  /pyro/NAME/$meta                     methods and attributes
  GET  /pyro/NAME/METHOD?a=text             a call with texts as keyword arguments
  POST /pyro/NAME/METHOD                    a call with JSON: an object by keyword, an array by position,
                                            {"$args": [1, 2], "c": 3} for both

Headers: X-Pyro-Gateway-Key, X-Pyro-Options: oneway, X-Pyro-Correlation-Id.

The gateway speaks plain HTTP. Beyond this machine, put it behind a server that speaks HTTPS, and give it a key."""

_KEY_VARIABLE = "PYRO_HTTPGATEWAY_KEY"
_TIMEOUT = 30.0
"""Seconds that a call may take, unless COMMTIMEOUT says so."""
_LOCAL = ("localhost", "127.0.0.1", "::1")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options, which have the letters that Pyro's own tool gives them."""
    parser.add_argument("-H", "--host", default="localhost", help="address to bind to (default: %(default)s)")
    parser.add_argument("-p", "--port", type=port, default=8080, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument(
        "-e",
        "--expose",
        default=r"http\.",
        metavar="REGEX",
        help="expose the objects whose names match, from the start; empty for all (default: %(default)s)",
    )
    parser.add_argument(
        "-g",
        "--gatewaykey",
        metavar="KEY",
        help=f"deprecated, for others on this machine can see it: put the key of the gateway into {_KEY_VARIABLE}",
    )
    parser.add_argument(
        "-t",
        "--timeout",
        type=_seconds,
        default=config.COMMTIMEOUT or _TIMEOUT,
        metavar="SECONDS",
        help="for finding an object and calling it; 0 waits for ever (default: %(default)g)",
    )
    parser.add_argument(
        "-c",
        "--cors",
        default="",
        metavar="ORIGINS",
        help="origins whose pages may use the gateway from a browser, with commas between; * for any page that "
        "somebody here looks at (default: none)",
    )
    parser.add_argument(
        "--post-only", action="store_true", help="calls need a POST, so that following a link never makes one"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name under which the gateway may be addressed, may be given several times; "
        "the default is localhost when it is bound to that, and else any",
    )
    parser.add_argument(
        "--max-body",
        type=_count,
        default=1 << 20,
        metavar="BYTES",
        help="most bytes of a request's body (default: %(default)s)",
    )
    parser.add_argument(
        "--concurrency", type=_count, default=32, metavar="N", help="calls at the same time (default: %(default)s)"
    )
    parser.add_argument(
        "--keep",
        type=int,
        choices=range(101),
        default=0,
        metavar="N",
        help="connections to keep for the next request, for each object; then requests share the instances of "
        "objects that have one for each session (default: %(default)s)",
    )
    parser.add_argument("--ns", metavar="HOST:PORT", help="use this name server instead of the configuration's")
    add_key(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    try:
        serve: Any = importlib.import_module("pyronb.gateway.serve")
    except ImportError as error:
        if not (error.name or "").startswith(("starlette", "uvicorn")):
            raise
        raise PyroError(f"the gateway needs {error.name}; pip install 'pyronb[gateway]'") from error
    options: Any = importlib.import_module("pyronb.gateway.options")
    client = config.client_options()
    if args.ns:
        host, ns_port = split_address(args.ns)
        client = dataclasses.replace(client, lookup=dataclasses.replace(client.lookup, host=host, port=ns_port))
    try:
        wanted = options.GatewayOptions(
            expose=args.expose,
            key=secret(args, "gatewaykey", "-g", _KEY_VARIABLE) or "",
            cors=args.cors,
            hosts=tuple(args.allow_host) or (_LOCAL if args.host in _LOCAL else ()),
            post_only=args.post_only,
            timeout=args.timeout or None,
            concurrency=args.concurrency,
            max_body=args.max_body,
            keep=args.keep,
            hmac_key=shared_key(args),
        )
    except ValueError as error:
        args.misuse(str(error))
    with listen(args.host, args.port) as listener:
        lookup = client.lookup
        names = f"named {args.expose}" if args.expose else "of all names"
        print(f"gateway to objects {names} in the name server at {lookup.host}:{lookup.port}", flush=True)
        print(f"{serve.address_of(listener)}; Ctrl-C stops it", flush=True)
        serve.make_server(wanted, client=client).run(sockets=[listener])
    return 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not (0 <= seconds < math.inf):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)
