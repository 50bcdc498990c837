"""Ways back: connections that clients made and daemons keep, so that this program can call those clients.

A program that nobody can dial connects once more to where it calls, and says a secret in its greeting, of which comes
the *key* under which the connection is to wait. From then on it serves there, and whoever in this program wants to dial
the place that the key stands for takes a connection that waits. The key is part of addresses, which may be shown; who
knows it and not its secret cannot put a connection in the place of the right one.

Connections that wait cost no thread. They are looked at when they are taken and now and then besides, and there is a
limit to how many of one key, one host and in all.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import socket
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from pyronb.errors import CommunicationError, ConnectionClosedError
from pyronb.net.deadline import after, remaining
from pyronb.net.sockets import keep_alive

__all__ = [
    "HELP",
    "PATIENCE",
    "ask",
    "be_own",
    "begin",
    "end",
    "expect",
    "give_up",
    "is_kept",
    "is_own",
    "park",
    "room_for",
    "sweep",
    "take",
    "wait_for",
    "waiting",
]

_MOST_OF_KEY = 8
_MOST_OF_HOST = 256
_MOST = 1024
"""Most connections that wait: under one key, from one host, in all."""
_MOST_KNOWN = 4096
"""Most keys of which it is remembered that there was one."""
PATIENCE = 10.0
"""Seconds that somebody waits for a connection, where nothing else limits it."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A connection that waits."""

    stream: Any
    host: str
    keeper: object

    def alive(self) -> bool:
        """Tell whether it is there, and as silent as it should be."""
        try:
            self.stream.socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return False


class _Lot:
    """The connections of this program that wait, and those who wait for one. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keepers: set[object] = set()
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._hosts: Counter[str] = Counter()
        self._asking: dict[str, deque[Future[Any]]] = {}
        # Keys of which there was a connection, with where it was made to, or _EXPECTED. None: nobody is there any more.
        self._known: OrderedDict[str, object] = OrderedDict()
        # Keys of this program itself, whose functions may come back to it.
        self._own: dict[str, Callable[[], Any]] = {}

    def begin(self, keeper: object) -> None:
        with self._lock:
            self._keepers.add(keeper)

    def end(self, keeper: object) -> None:
        with self._lock:
            self._keepers.discard(keeper)
            ended = self._take_out(lambda waiting: waiting.keeper is keeper)
            hopeless: list[Future[Any]] = []
            for key, known in self._known.items():
                if known is keeper:
                    self._known[key] = None
                    hopeless += self._asking.pop(key, ())
        _close(ended)
        for future in hopeless:
            if future.set_running_or_notify_cancel():
                future.set_exception(ConnectionClosedError(_GONE))

    def room_for(self, key: str, host: str, keeper: object) -> None:
        with self._lock:
            self._check_room(key, host)
            # It is about to come.
            self._remember(key, keeper)

    def _check_room(self, key: str, host: str) -> None:
        if len(self._waiting.get(key, ())) >= _MOST_OF_KEY:
            raise CommunicationError(f"{_MOST_OF_KEY} connections of this program wait already")
        if self._hosts[host] >= _MOST_OF_HOST or self._hosts.total() >= _MOST:
            raise CommunicationError("too many connections wait already for calls the other way")

    def park(self, key: str, stream: Any, host: str, keeper: object) -> bool:
        waiting = _Waiting(stream, host, keeper)
        stream.socket.setblocking(False)
        with self._lock:
            if keeper not in self._keepers:
                return False
            self._remember(key, keeper)
            asking = self._asking.get(key)
            while asking:
                future = asking.popleft()
                if future.set_running_or_notify_cancel():
                    break
            else:
                try:
                    self._check_room(key, host)
                except CommunicationError:
                    return False
                self._waiting.setdefault(key, deque()).append(waiting)
                self._hosts[host] += 1
                return True
        future.set_result(stream)
        return True

    def be_own(self, key: str, make: Callable[[], Any] | None) -> None:
        with self._lock:
            if make is None:
                self._own.pop(key, None)
                self._remember(key, None)
            else:
                self._own[key] = make

    def expect(self, key: str) -> None:
        if self._known.get(key, _EXPECTED) is not None:
            return
        with self._lock:
            if key in self._known:
                self._remember(key, _EXPECTED)

    def is_own(self, key: str) -> bool:
        return key in self._own

    def is_kept(self, key: str) -> bool:
        return key in self._known

    def ask(self, key: str) -> Future[Any]:
        future: Future[Any] = Future()
        make = self._own.get(key)
        if make is not None and key not in self._known:
            future.set_result(make())
            return future
        dead: list[_Waiting] = []
        found: _Waiting | None = None
        with self._lock:
            there = self._waiting.get(key)
            while there and found is None:
                first = there.popleft()
                self._leave(first)
                if first.alive():
                    found = first
                else:
                    dead.append(first)
            if not there:
                self._waiting.pop(key, None)
            if found is None:
                if dead:
                    self._remember(key, None)
                error = self._hopeless(key)
                if error is None:
                    self._asking[key] = asking = deque(
                        other for other in self._asking.get(key, ()) if not other.cancelled()
                    )
                    asking.append(future)
        _close(dead)
        if found is not None:
            future.set_running_or_notify_cancel()
            future.set_result(found.stream)
        elif error is not None:
            future.set_exception(error)
        return future

    def give_up(self, key: str) -> ConnectionClosedError:
        with self._lock:
            asking = self._asking.get(key)
            if asking is not None and all(future.cancelled() for future in asking):
                del self._asking[key]
            if key not in self._known:
                # Others are not to wait as long for it.
                self._remember(key, None)
                return ConnectionClosedError(
                    "cannot be reached back: the program that passed it made no connection for that in time, "
                    f"or it was passed on: {_ONLY_THERE}"
                )
            self._remember(key, None)
        return ConnectionClosedError(_GONE)

    def _hopeless(self, key: str) -> ConnectionClosedError | None:
        if self._known.get(key, self) is None:
            return ConnectionClosedError(_GONE)
        if not self._keepers:
            return ConnectionClosedError(f"cannot be reached back from here: {_ONLY_THERE}")
        return None

    def _remember(self, key: str, keeper: object) -> None:
        self._known[key] = keeper
        self._known.move_to_end(key)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def _leave(self, waiting: _Waiting) -> None:
        self._hosts[waiting.host] -= 1
        if not self._hosts[waiting.host]:
            del self._hosts[waiting.host]

    def _take_out(self, unwanted: Callable[[_Waiting], bool]) -> list[_Waiting]:
        """Take connections out, and remember the keys of which none is left; the lock is held."""
        found: list[_Waiting] = []
        for key, there in list(self._waiting.items()):
            leaving = [waiting for waiting in there if unwanted(waiting)]
            if not leaving:
                continue
            found += leaving
            for waiting in leaving:
                there.remove(waiting)
                self._leave(waiting)
            if not there:
                del self._waiting[key]
                self._remember(key, None)
        return found

    def sweep(self, keeper: object) -> None:
        if not self._waiting:
            return
        with self._lock:
            dead = self._take_out(lambda waiting: waiting.keeper is keeper and not waiting.alive())
        _close(dead)

    def count(self) -> int:
        with self._lock:
            return self._hosts.total()


_EXPECTED = object()
_GONE = "the program that passed it has gone, or does not offer it any more"
_ONLY_THERE = "only the program that it was passed to can call it, in the process whose daemon was called"

_lot = _Lot()


def _close(dead: list[_Waiting]) -> None:
    for waiting in dead:
        waiting.stream.close()


def _start_anew() -> None:
    """Forget all in the child of a fork: what waits belongs to its parent's daemons, and a lock may be held."""
    _lot.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


def begin(keeper: object) -> None:
    """Take note of a daemon to which clients can make connections that wait."""
    _lot.begin(keeper)


def end(keeper: object) -> None:
    """Close the connections that wait at a daemon, which takes no further ones."""
    _lot.end(keeper)


def room_for(key: str, host: str, keeper: object) -> None:
    """Check that one more connection may wait, with the arguments of `park`; it is expected from then on.

    Raises:
        CommunicationError: there are too many.
    """
    _lot.room_for(key, host, keeper)


def park(key: str, stream: Any, host: str, keeper: object) -> None:
    """Have a connection wait until somebody takes it; or close it, when it may not wait any more.

    Args:
        key: what it is found by.
        stream: the connection, which the lot takes over.
        host: who made it.
        keeper: the daemon that it was made to.
    """
    keep_alive(stream.socket)
    if not _lot.park(key, stream, host, keeper):
        stream.close()


def sweep(keeper: object) -> None:
    """Close the connections at a daemon whose other end is gone, or speaks though it was not asked."""
    _lot.sweep(keeper)


def waiting() -> int:
    """Count the connections that wait."""
    return _lot.count()


def ask(key: str) -> Future[Any]:
    """Ask for a connection: give the future of its stream, for whose socket and session another kind of stream is made.

    Whoever does not wait any more cancels it. Its exception is a `ConnectionClosedError` that says why there is none.
    """
    return _lot.ask(key)


def give_up(key: str) -> ConnectionClosedError:
    """Say why there is no connection, after one was awaited in vain."""
    return _lot.give_up(key)


class _Help(threading.local):
    """Who helps while the thread waits: a loop that takes connections in, and would not while it waits in a call."""

    loop: Callable[[Callable[[], bool], float], None] | None = None


HELP = _Help()


def be_own(key: str, make: Callable[[], Any] | None) -> None:
    """Have connections with a key of this program itself made by a function, which gives a stream; None for no more."""
    _lot.be_own(key, make)


def expect(key: str) -> None:
    """Take note that whoever has this key has just passed something: if it was gone, it is about to come again."""
    _lot.expect(key)


def is_own(key: str) -> bool:
    """Tell whether a key is one of this program itself."""
    return _lot.is_own(key)


def is_kept(key: str) -> bool:
    """Tell whether connections with a key were made to a daemon in this program."""
    return _lot.is_kept(key)


def wait_for(future: Future[Any], until: float) -> Any:
    """Give the result of a future that a connection to a daemon of this program may bring.

    Raises:
        concurrent.futures.TimeoutError: there is none at this moment on the monotonic clock.
        Exception: the future's own.
    """
    if HELP.loop is not None and not future.done():
        HELP.loop(future.done, until)
    return future.result(remaining(until))


def take(key: str, deadline: float | None) -> Any:
    """Wait for a connection and give its stream.

    Raises:
        ConnectionClosedError: there is none; the text says why.
    """
    future = ask(key)
    until = after(PATIENCE) if deadline is None else min(deadline, after(PATIENCE))
    try:
        return wait_for(future, until)
    except concurrent.futures.TimeoutError:
        if future.cancel():
            raise give_up(key) from None
        return future.result()
    except BaseException:
        if not future.cancel():
            # It came at the very moment when nobody wanted it any more.
            with contextlib.suppress(ConnectionClosedError):
                future.result().close()
        raise
