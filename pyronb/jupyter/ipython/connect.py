"""Connecting for a magic: every mistake is one sentence of what is wrong and one of what to do, within two seconds."""

from __future__ import annotations

import builtins
import keyword
import math
import re
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import Any

from IPython.core.error import UsageError

from pyronb import errors
from pyronb.client.speech import AUTO, CHOICES
from pyronb.config import config
from pyronb.jupyter.addresses import default_address, parse_address
from pyronb.jupyter.explain import explain, nearest
from pyronb.jupyter.ipython.completion import known_names
from pyronb.jupyter.models import ObjectModel
from pyronb.jupyter.runtime import object_model, read_names
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI

__all__ = ["Target", "check_variable", "connect", "is_proxy", "seconds", "serializer", "target_of", "variable_for"]

LIMIT = 1.9
"""Seconds that finding and connecting may take together."""
LEAST = 0.25
"""Seconds that connecting has when finding took nearly all of them."""
MAX_SECONDS = 1e6

_URI = re.compile(r"pyro[a-z]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be connected to: the URI, and for a name that is looked up, the name and where."""

    uri: URI
    name: str = ""
    address: str | None = None
    """Address of the name server; None for that of the configuration."""


def is_proxy(value: object) -> bool:
    """Tell whether this is a proxy, asking only its type: the value itself might ask over the network."""
    return issubclass(type(value), Proxy)


def target_of(text: str, nameserver: str | None) -> Target:
    """Read a name or a URI.

    Raises:
        UsageError: it is neither, or the name server's address is none.
    """
    address = None
    if nameserver is not None:
        try:
            address = str(parse_address(nameserver))
        except ValueError as error:
            raise UsageError(f"--ns: {error}") from None
    bare = not _URI.match(text)
    if not bare and address is not None:
        raise UsageError(f"--ns goes with a bare name; {text} says by itself where to look (PYRONAME:name@HOST:PORT)")
    if bare and address is not None:
        if "@" in text:
            raise UsageError(f"{text} names a name server after the @; leave that out, or --ns")
        text = f"{text}@{address}"
    try:
        uri = URI(f"PYRONAME:{text}" if bare else text)
    except errors.PyroError as error:
        raise UsageError(f"{error}") from None
    if uri.protocol != "PYRONAME":
        return Target(uri)
    location = uri.location
    return Target(uri, str(uri.object), None if location is None else str(parse_address(location)))


def seconds(text: str | None) -> float | None:
    """Read the number of --timeout; 0 means no limit, as in Pyro.

    Raises:
        UsageError: it is no such number.
    """
    if text is None:
        return config.COMMTIMEOUT or None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_SECONDS:
        raise UsageError(f"--timeout takes a number of seconds such as 2.5 (0 waits for ever), not {text!r}")
    return value or None


def serializer(name: str | None) -> str:
    """Check the name of --serializer; without one it is the configured one, or `AUTO` where nobody configured any.

    Raises:
        UsageError: there is none of that name.
    """
    if name is None:
        return config.client_options(serializer=AUTO).serializer
    if name not in CHOICES:
        raise UsageError(f"--serializer: there is no serializer {name!r}; use one of {', '.join(sorted(CHOICES))}")
    return name


def variable_for(target: Target) -> str:
    """Make the name of a variable from the last part of an object's name."""
    name = target.uri.object if isinstance(target.uri.object, str) else "_".join(sorted(target.uri.object))
    word = re.sub(r"\W+", "_", name.rstrip(".").rpartition(".")[2]).strip("_") or "proxy"
    if not word.isidentifier():
        word = f"_{word}"
    return f"{word}_" if keyword.iskeyword(word) or hasattr(builtins, word) else word


def check_variable(name: str, option: str = "") -> str:
    """Check the name of a variable that the user chose.

    Raises:
        UsageError: it is no identifier, or would hide something of Python's.
    """
    said = f"{option} {name}".strip()
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(f"{said}: that cannot be the name of a variable; use letters, digits and _")
    if hasattr(builtins, name):
        raise UsageError(f"{said}: that would hide Python's own {name}; choose another name, for example {name}_")
    return name


def taken(name: str, namespace: Mapping[str, Any]) -> None:
    """Refuse a name that the user did not choose and that holds something of theirs.

    Raises:
        UsageError: the variable is there and holds no proxy.
    """
    if name in namespace and not is_proxy(namespace[name]):
        kind = type(namespace[name]).__name__
        raise UsageError(f"{name} already holds something else ({kind}); add: as VAR, with another name for VAR")


def connect(target: Target, timeout: float | None, serializer_name: str) -> tuple[Proxy, ObjectModel]:
    """Connect to an object and describe it.

    Raises:
        UsageError: it could not be reached; the text says why and what to do.
    """
    start = time.monotonic()
    tags: list[str] = []
    where = str(target.uri.location or default_address())
    if target.name:
        found, tags = _find(target)
        where = str(found.location or where)
    left = max(LEAST, LIMIT - (time.monotonic() - start))
    options = replace(
        config.client_options(),
        timeout=timeout,
        connect_timeout=left,
        serializer=serializer_name,
    )
    options = replace(options, lookup=replace(options.lookup, delay=0.0))
    proxy = Proxy(target.uri, options=options)
    try:
        _bind(proxy, left)
    except Exception as error:
        name = "" if target.uri.protocol == "PYROMETA" else str(target.uri.object)
        told = explain(error, address=where, name=name)
        raise UsageError(f"{told.reason} {told.hint}") from error
    _settle(proxy, target.uri)
    return proxy, object_model(proxy, target.name, tags)


def _find(target: Target) -> tuple[URI, list[str]]:
    """Look a name up in the list of all names, which completion remembers."""
    model = read_names(target.address, timeout=LIMIT)
    if model["state"] != "ok":
        raise UsageError(f"{model['reason']} {model['hint']}")
    known_names.remember(model)
    entry = next((entry for entry in model["names"] if entry["name"] == target.name), None)
    if entry is None:
        names = [entry["name"] for entry in model["names"]]
        near = nearest(target.name, names)
        hint = f"Did you mean {' or '.join(near)}?" if near else _some(names)
        raise UsageError(f"no object is registered as {target.name} at {model['nameserver']['address']}. {hint}")
    try:
        return URI(entry["uri"]), entry["tags"]
    except errors.PyroError as error:
        raise UsageError(f"what is registered as {target.name} is no address of an object: {error}") from None


def _some(names: list[str]) -> str:
    if not names:
        return "No names are registered there; start the program that serves it."
    shown = ", ".join(names[:5])
    return f"Registered are: {shown}" + (f" and {len(names) - 5} more." if len(names) > len(shown.split(", ")) else ".")


def _bind(proxy: Proxy, limit: float) -> None:
    """Connect in a thread of its own: the resolver of host names knows no deadline, and no interrupt.

    Once nobody waits any longer, whatever was opened is closed again.
    """
    answer: Future[None] = Future()

    def run() -> None:
        try:
            proxy._pyroBind()
        except BaseException as error:
            answer.set_exception(error)
        else:
            answer.set_result(None)

    threading.Thread(target=run, name="pyronb-connect", daemon=True).start()
    try:
        in_time = wait([answer], timeout=limit).done
        if not in_time:
            raise errors.TimeoutError("no answer in time")
        answer.result()
    except BaseException:
        answer.add_done_callback(lambda _: proxy._pyroRelease())
        raise


def _settle(proxy: Proxy, uri: URI) -> None:
    """Make the proxy as one that was made by hand.

    Later connections get the configured time, for the short limit is for the first one; and a name is looked up anew
    whenever the proxy connects, so that it finds a restarted program on its new port.
    """
    link, configured = proxy._pyro, config.client_options()
    link.options = replace(link.options, connect_timeout=configured.connect_timeout, lookup=configured.lookup)
    link.uri = uri
