"""``pyronb nsc``: ask a name server."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyronb.cli.options import add_json, add_key, plain, port, shared_key, tell_json
from pyronb.config import config
from pyronb.errors import NamingError, PyroError
from pyronb.rpc.call import NAMESERVER_ID
from pyronb.sync.batch import batch
from pyronb.sync.lookup import locateNS
from pyronb.sync.proxy import Proxy

__all__ = ["EPILOG", "configure", "run"]

EPILOG = """examples:
  pyronb nsc list
  pyronb nsc -n lab.example.org list lab.
  pyronb nsc register lab.pump PYRO:pump@lab7:4000 pump second-floor
  pyronb nsc yplookup_all pump second-floor
  pyronb nsc removematching 'lab\\..*' --yes
  pyronb nsc lookup lab.pump --json"""

_PATIENCE = 2.0
"""Seconds within which a name server should answer a person."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options and words, which are those of Pyro's own tool."""
    parser.add_argument(
        "-n", "--host", help=f"host of the name server; without, it is looked for: {config.NS_HOST}, the local network"
    )
    parser.add_argument("-p", "--port", type=port, help=f"its port (default: {config.NS_PORT})")
    parser.add_argument("-u", "--unixsocket", metavar="PATH", help="its Unix domain socket")
    add_key(parser)
    add_json(parser)
    words = parser.add_subparsers(dest="word", metavar="WORD", required=True)

    def word(name: str, text: str) -> argparse.ArgumentParser:
        sub = words.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        add_json(sub, again=True)
        return sub

    word("list", "list the names, all or those with a prefix").add_argument("prefix", nargs="?", default=None)
    matching = word("listmatching", "list the names that match a regular expression")
    matching.add_argument("pattern", help="it has to match from the start of the name")
    word("lookup", "show the address and the tags of a name").add_argument("name")
    register = word("register", "have a name lead to an address")
    register.add_argument("--replace", action="store_true", help="also when the name is taken")
    register.add_argument("name")
    register.add_argument("uri")
    register.add_argument("tag", nargs="*", help="tags")
    word("remove", "forget a name").add_argument("name")
    removing = word("removematching", "forget the names that match a regular expression, after asking")
    removing.add_argument("--yes", action="store_true", help="do not ask")
    removing.add_argument("pattern", help="it has to match from the start of the name")
    setmeta = word("setmeta", "replace the tags of a name; without tags it has none afterwards")
    setmeta.add_argument("name")
    setmeta.add_argument("tag", nargs="*")
    # Pyro5's tool has one pair of these words, Pyro4's the other; any name server understands both here.
    for name in ("yplookup_all", "listmeta_all"):
        word(name, "list the names that have all of these tags").add_argument("tag", nargs="+")
    for name in ("yplookup_any", "listmeta_any"):
        word(name, "list the names that have any of these tags").add_argument("tag", nargs="+")
    word("ping", "see whether the name server answers")


def run(args: argparse.Namespace) -> int:
    """Do what the word says; 1 when it did not succeed."""
    options = dataclasses.replace(config.client_options(), timeout=_PATIENCE, connect_timeout=_PATIENCE)
    host = f"./u:{args.unixsocket}" if args.unixsocket else args.host
    with locateNS(host, args.port, hmac_key=shared_key(args), options=options) as names:
        return _WORDS[args.word](names, args)


# Looking


def _list(names: Proxy, args: argparse.Namespace) -> int:
    found = names.list(prefix=args.prefix, return_metadata=True)
    return _show(args, found, f" starting with {args.prefix!r}" if args.prefix else "")


def _listmatching(names: Proxy, args: argparse.Namespace) -> int:
    return _show(args, names.list(regex=args.pattern, return_metadata=True), f" matching {args.pattern!r}")


def _with_all(names: Proxy, args: argparse.Namespace) -> int:
    return _show(args, _tagged(names, "all", args.tag), f" tagged {' and '.join(map(repr, args.tag))}")


def _with_any(names: Proxy, args: argparse.Namespace) -> int:
    return _show(args, _tagged(names, "any", args.tag), f" tagged {' or '.join(map(repr, args.tag))}")


def _tagged(names: Proxy, how: str, tags: list[str]) -> Any:
    """Ask by tags, which Pyro4's name servers do in `list` and Pyro5's in a method of its own."""
    if "yplookup" in names._pyroMethods:
        return names.yplookup(**{f"meta_{how}": tags}, return_metadata=True)
    return names.list(**{f"metadata_{how}": tags}, return_metadata=True)


def _show(args: argparse.Namespace, found: Mapping[str, Any], which: str) -> int:
    if args.json:
        tell_json({name: {"uri": str(uri), "metadata": sorted(tags)} for name, (uri, tags) in sorted(found.items())})
        return 0
    _print(found)
    print(f"{_many(len(found))}{plain(which)}")
    return 0


def _print(found: Mapping[str, Any], file: Any = None) -> None:
    for name, (uri, tags) in sorted(found.items()):
        print(f"{plain(name)} --> {plain(str(uri))}", file=file)
        if tags:
            print(f"    metadata: {_joined(tags)}", file=file)


def _many(count: int) -> str:
    return f"{count} name{'' if count == 1 else 's'}"


def _joined(tags: Iterable[str]) -> str:
    return plain(", ".join(sorted(tags)))


def _lookup(names: Proxy, args: argparse.Namespace) -> int:
    uri, tags = names.lookup(args.name, return_metadata=True)
    if args.json:
        tell_json({"name": args.name, "uri": str(uri), "metadata": sorted(tags)})
        return 0
    print(plain(str(uri)))
    if tags:
        print(f"metadata: {_joined(tags)}")
    return 0


def _ping(names: Proxy, args: argparse.Namespace) -> int:
    began = time.monotonic()
    names.ping()
    seconds = time.monotonic() - began
    place = str(names._pyroUri.location)
    _say(args, {"location": place, "seconds": seconds}, f"Name server ping ok: {place} took {seconds * 1000:.1f} ms.")
    return 0


# Changing


def _register(names: Proxy, args: argparse.Namespace) -> int:
    try:
        names.register(args.name, args.uri, safe=not args.replace, metadata=args.tag)
    except NamingError as error:
        hint = "" if args.replace else "; --replace takes the name all the same"
        raise NamingError(f"{error}{hint}") from error
    _say(args, {"registered": args.name}, f"Registered {args.name}")
    return 0


def _remove(names: Proxy, args: argparse.Namespace) -> int:
    if names.remove(args.name) == 0:
        raise PyroError(f"Nothing removed: the name server does not know {args.name!r}, or it is its own name")
    _say(args, {"removed": [args.name]}, f"Removed {args.name}")
    return 0


def _removematching(names: Proxy, args: argparse.Namespace) -> int:
    found = names.list(regex=args.pattern, return_metadata=True)
    found.pop(NAMESERVER_ID, None)
    if found and not args.yes:
        # To stderr: what goes to stdout is the result.
        _print(found, sys.stderr)
        print(
            f"Remove {'this name' if len(found) == 1 else f'these {len(found)} names'} (y/n)? ", end="", file=sys.stderr
        )
        sys.stderr.flush()
        answer = sys.stdin.readline()
        if not answer:
            raise PyroError("nobody answered, and nothing was removed; --yes does not ask")
        if answer.strip().lower() not in {"y", "yes"}:
            found = {}
    # One by one, so that nothing goes that was not shown: names may have come since then.
    removing = batch(names)
    for name in found:
        removing.remove(name)
    count = sum(removing()) if found else 0
    _say(args, {"removed": sorted(found)}, f"{count} item{'' if count == 1 else 's'} removed.")
    return 0


def _setmeta(names: Proxy, args: argparse.Namespace) -> int:
    names.set_metadata(args.name, args.tag)
    done = {"name": args.name, "metadata": sorted(set(args.tag))}
    _say(args, done, "Metadata updated" if args.tag else "Metadata cleared")
    return 0


def _say(args: argparse.Namespace, value: Any, text: str) -> None:
    """Tell scripts the value and people the text."""
    if args.json:
        tell_json(value)
    else:
        print(plain(text))


_WORDS: Mapping[str, Callable[[Proxy, argparse.Namespace], int]] = {
    "list": _list,
    "listmatching": _listmatching,
    "listmeta_all": _with_all,
    "listmeta_any": _with_any,
    "lookup": _lookup,
    "ping": _ping,
    "register": _register,
    "remove": _remove,
    "removematching": _removematching,
    "setmeta": _setmeta,
    "yplookup_all": _with_all,
    "yplookup_any": _with_any,
}
