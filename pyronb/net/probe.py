"""Probing: at which of many places does anybody take connections?

One thread tries many places at the same time, and nothing is said to whoever answers: a server of TLS sees a client
that hung up before it greeted.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pyronb.net.sockets import addresses
from pyronb.uri import URI

__all__ = ["answering"]

_AT_ONCE = 50
_LOOK = 0.1
"""Seconds between two looks at whether to stop."""
_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY}

Attempt = tuple[str, socket.AddressFamily, Any]


def answering(places: Iterable[URI], seconds: float, stopped: Callable[[], bool] = lambda: False) -> set[str]:
    """Give the locations, as they stand in these direct URIs, at which somebody takes connections.

    Args:
        places: where to try.
        seconds: how long each connection may take.
        stopped: is asked now and then whether to end early, with what has been found.
    """
    found: set[str] = set()
    attempts = _attempts(places, found)
    with selectors.DefaultSelector() as selector:
        try:
            exhausted = False
            while not stopped():
                while not exhausted and len(selector.get_map()) < _AT_ONCE:
                    attempt = next(attempts, None)
                    if attempt is None:
                        exhausted = True
                    else:
                        _begin(attempt, selector, time.monotonic() + seconds, found)
                if not selector.get_map():
                    break
                _see(selector, found)
        finally:
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]
    return found


def _attempts(places: Iterable[URI], found: set[str]) -> Iterator[Attempt]:
    """Give what to connect to; a name may stand for several addresses, any of which will do."""
    for place in places:
        location = str(place.location)
        if place.sockname is not None:
            yield location, socket.AF_UNIX, place.sockname
            continue
        try:
            candidates = addresses(place.host or "localhost", place.port or 0)
        except (OSError, ValueError):
            continue  # a name that nobody knows
        for family, address in candidates:
            if location not in found:
                yield location, family, address


def _begin(attempt: Attempt, selector: selectors.BaseSelector, deadline: float, found: set[str]) -> None:
    location, family, address = attempt
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return  # no such family here
    sock.setblocking(False)
    try:
        result = sock.connect_ex(address)
    except (OSError, ValueError):
        result = errno.EINVAL  # a path that is too long, for example
    if family == socket.AF_UNIX and result == errno.EAGAIN:
        result = 0  # so many want to connect there that they have to queue
    if result == 0:
        found.add(location)
    if result in _UNDER_WAY:
        selector.register(sock, selectors.EVENT_WRITE, (location, deadline))
    else:
        sock.close()


def _see(selector: selectors.BaseSelector, found: set[str]) -> None:
    """Wait a moment, and take note of what was decided meanwhile."""
    decided = {key.fd for key, _ in selector.select(_LOOK)}
    now = time.monotonic()
    for key in list(selector.get_map().values()):
        sock: Any = key.fileobj
        location, deadline = key.data
        if key.fd in decided and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
            found.add(location)
        if key.fd in decided or location in found or now >= deadline:
            selector.unregister(sock)
            sock.close()
