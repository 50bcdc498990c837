"""``pyronb echoserver``: an object to try clients with, under the id and with the members that Pyro's own has."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from pyronb.cli.embedded import drained_by_sigterm, name_server, withdraw
from pyronb.cli.options import add_key, plain, port, shared_key
from pyronb.config import config
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose, oneway
from pyronb.sync.lookup import locateNS

__all__ = ["EPILOG", "EchoServer", "configure", "run"]

NAME = "test.echoserver"

EPILOG = f"""examples:
  pyronb echoserver                  print the address; Proxy(address).echo("hello") calls it
  pyronb echoserver -N -v            with a name server of its own, and show each call
  pyronb echoserver -n               in the name server that runs already, as {NAME}"""


@expose
class EchoServer:
    """Answers in all the ways in which an object can answer.

    Args:
        stop: ends the server, after this call was answered.
        verbose: whether each call is printed.
    """

    def __init__(self, stop: Callable[[], None], *, verbose: bool = False) -> None:
        self._stop = stop
        self._verbose = verbose
        self._stopped = threading.Event()

    def echo(self, message: Any) -> Any:
        """Give the message back."""
        self._tell("echo", message)
        return message

    def error(self) -> None:
        """Raise a ValueError."""
        self._tell("error")
        raise ValueError("this error was asked for")

    def error_with_text(self) -> None:
        """Raise a ValueError with another text."""
        self._tell("error_with_text")
        raise ValueError("the message of the error")

    @oneway
    def oneway_echo(self, message: Any) -> str:
        """Take a message; the caller does not wait, and what this returns is lost."""
        self._tell("oneway_echo", message)
        return "nobody sees this"

    def slow(self) -> str:
        """Answer after five seconds."""
        return self._slowly("slow")

    @oneway
    def oneway_slow(self) -> str:
        """Take five seconds; the caller does not wait."""
        return self._slowly("oneway_slow")

    def generator(self) -> Iterator[str]:
        """Give three items, each when it is asked for."""
        self._tell("generator")
        yield from ("one", "two", "three")

    def nan(self) -> float:
        """Give the float that is no number."""
        return float("nan")

    def inf(self) -> float:
        """Give the float that is larger than all others."""
        return float("inf")

    def __dunder__(self) -> str:
        """Show that such a name can be called."""
        return "should be allowed (dunder)"

    def shutdown(self) -> None:
        """End the server."""
        self._tell("shutdown")
        self._stopped.set()
        self._stop()

    @property
    def verbose(self) -> bool:
        """Whether each call is printed."""
        return self._verbose

    @verbose.setter
    def verbose(self, on: bool) -> None:
        self._verbose = bool(on)

    def _slowly(self, method: str) -> str:
        self._tell(method)
        # Not even this keeps a server from ending.
        self._stopped.wait(5)
        return "at last, an answer"

    def _tell(self, method: str, *message: Any) -> None:
        if self._verbose:
            print(f"{time.strftime('%H:%M:%S')} {method}{plain(''.join(f': {m!r}' for m in message))}", flush=True)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options, which have the letters that Pyro's own tool gives them."""
    parser.add_argument("-H", "--host", default=config.HOST, help="address to bind to (default: %(default)s)")
    parser.add_argument("-p", "--port", type=port, default=0, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument("-u", "--unixsocket", metavar="PATH", help="listen on a Unix domain socket instead")
    parser.add_argument("-n", "--naming", action="store_true", help=f"register it in the name server as {NAME}")
    parser.add_argument("-N", "--nameserver", action="store_true", help="run a name server too, and register it there")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    add_key(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted, or until a client calls `shutdown`."""
    key = shared_key(args)

    def say(text: str) -> None:
        if not args.quiet or args.verbose:
            print(text, flush=True)

    with ExitStack() as stack:
        ns_host = ns_port = None
        if args.nameserver:
            uri = stack.enter_context(name_server(args.host, config.NS_PORT, key=key))
            ns_host, ns_port = uri.host, uri.port
            say(f"name server at {uri.location}")
        daemon = stack.enter_context(Daemon(args.host, args.port, args.unixsocket))
        daemon._pyroHmacKey = key
        echo = EchoServer(daemon.drain, verbose=args.verbose)
        stack.callback(echo._stopped.set)
        address = daemon.register(echo, NAME)
        if args.naming or args.nameserver:
            names = stack.enter_context(locateNS(ns_host, ns_port, hmac_key=key))
            names.register(NAME, address)
            stack.callback(withdraw, names, {NAME: address})
            say(f"registered in the name server at {names._pyroUri.location}")
        say(f"object name: {NAME}")
        say(f"echo uri: {address}")
        say("echoserver running; Ctrl-C stops it")
        stack.enter_context(drained_by_sigterm(daemon))
        daemon.requestLoop()
    return 0
