"""Ways back: the connections that this program makes so that others can call what it gave them. (`pyronb.net.back`.)"""

from __future__ import annotations

import dataclasses
import logging
import secrets
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Protocol

from pyronb.client.connecting import connect
from pyronb.client.link import Link
from pyronb.errors import CommunicationError
from pyronb.net.back import be_own
from pyronb.net.sockets import keep_alive
from pyronb.net.stream import SocketStream
from pyronb.rpc.call import DAEMON_ID
from pyronb.rpc.handshake import BACK
from pyronb.server.secrets import back_key
from pyronb.sync.driver import run
from pyronb.uri import URI, back_location

__all__ = ["WayBack", "place_of"]

log = logging.getLogger("pyronb.server")

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 60.0
"""Seconds before a connection is made again, after one was lost or could not be made."""
_GIVEN_UP = 5
"""Connections that cannot be made, one after the other, after which it is taken that nobody is there any more."""


class Server(Protocol):
    """What serves over the connections that are made."""

    def adopt(self, stream: SocketStream, data: bytes, way: WayBack, *, waits: bool = True) -> None:
        """Serve over a connection that was made for calls this way, after these bytes have come."""

    def dismiss(self, way: WayBack) -> None:
        """Close the connections that were made for calls from over there and that nobody calls over."""

    def held(self, way: WayBack) -> Mapping[str, int]:
        """Tell what is held at the other side of a way, by id, and how often it was given."""

    def lose(self, way: WayBack, held: Mapping[str, int]) -> None:
        """Take note that there was nobody any more at the other side of a way, when this was held there."""


class WayBack:
    """The way back from one place: connections to it that wait until somebody over there calls.

    There is always one that waits. Who makes them is a thread that ends as soon as it is there.

    Args:
        daemon: what serves over them.
        link: how to talk to that place.
    """

    def __init__(self, daemon: Server, link: Link) -> None:
        self.place = place_of(link)
        self._secret = secrets.token_hex(16)
        self.key = back_key(self._secret)
        self.location = back_location(self.key)
        be_own(self.key, self.own_stream)
        self._daemon = daemon
        self._model = link.twin()
        self._model.uri = URI(f"PYRO:{DAEMON_ID}@{self.place}")
        self._model.connected_uri = self._model.metadata = self._model.remote = None
        self._model.raw = False
        self._model.options = dataclasses.replace(link.options, metadata=True)
        self._lock = threading.Lock()
        self._waiting = 0
        self._working = False
        self._pause = 0.0
        self._failures = 0
        self._over = False
        self._hurry = threading.Event()
        # For those who have asked since the last attempt began.
        self._known: Future[str] = Future()
        self._link: Link | None = None

    def begin(self) -> Future[str]:
        """Have a connection made if there is none; the future tells why it could not be made, or nothing."""
        with self._lock:
            known = self._known
            if self._waiting:
                known = Future()
                known.set_result("")
                return known
            self._hurry.set()
        self._work_on()
        return known

    def _work_on(self) -> None:
        with self._lock:
            if self._working or self._waiting or self._over:
                return
            self._working = True
        threading.Thread(target=self._work, name="pyronb-back", daemon=True).start()

    def _work(self) -> None:
        trouble = "-"
        while trouble and not self._over:
            self._hurry.wait(self._pause)
            self._hurry.clear()
            # Who asks from now on may know that somebody is there again: if this attempt fails they wait for the next.
            asking = self._renew()
            trouble = "" if self._over else self._try()
            asking.set_result(trouble)
        self._renew().set_result(trouble)
        with self._lock:
            self._working = False
        # It may have been taken, or lost, while nobody else was to make one.
        self._work_on()

    def _renew(self) -> Future[str]:
        with self._lock:
            known, self._known = self._known, Future()
            return known

    def _try(self) -> str:
        held = self._daemon.held(self)
        try:
            self._connect()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may do better
            log.info("no connection for callbacks from %s: %s", self.place, error)
            with self._lock:
                self._be_patient()
            self._failures += 1
            if self._failures >= _GIVEN_UP or _is_refusal(error):
                self._daemon.lose(self, held)
            return str(error)
        self._failures = 0
        return ""

    def _connect(self) -> None:
        link = self._link = self._model.twin()
        link.back = self._secret
        run(connect(link))
        stream, connection = link.stream, link.connection
        link.stream = link.connection = self._link = None
        assert connection is not None
        if link.remote is None or BACK not in link.remote.abilities:
            stream.close()
            raise CommunicationError(f"{self.place} keeps no connections for calls the other way")
        with self._lock:
            self._waiting += 1
        keep_alive(stream.socket)
        self._daemon.adopt(stream, connection.leave(), self)
        if self._over:
            # `end` may have come before there was anything to dismiss.
            self._daemon.dismiss(self)

    def _be_patient(self) -> None:
        self._pause = min(max(_FIRST_PAUSE, 2 * self._pause), _LONGEST_PAUSE)

    def taken(self) -> None:
        """Take note that somebody calls over a connection that has waited."""
        with self._lock:
            self._waiting -= 1
            self._pause = 0.0
        self._work_on()

    def lost(self) -> None:
        """Take note that a connection was closed over there while it waited."""
        with self._lock:
            self._waiting -= 1
            self._be_patient()
        self._work_on()

    def own_stream(self) -> SocketStream:
        """Give a connection from this program to itself: what it gave out has come back to it."""
        ours, theirs = socket.socketpair()
        self._daemon.adopt(SocketStream(theirs), b"", self, waits=False)
        return SocketStream(ours)

    def end(self) -> None:
        """Make no more of them, and close the one that waits."""
        be_own(self.key, None)
        self._over = True
        self._hurry.set()
        # Whoever waits for an answer to the greeting wakes up.
        link = self._link
        if link is not None and link.stream is not None:
            link.stream.shutdown()
        self._daemon.dismiss(self)


def _is_refusal(error: BaseException) -> bool:
    """Tell whether an error means that nobody listens there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError | FileNotFoundError):
            return True
        cause = cause.__cause__
    return False


def place_of(link: Link) -> str:
    """Give the place that a link leads to, as it stands in URIs."""
    return str((link.connected_uri or link.uri).location)
