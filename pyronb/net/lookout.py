"""Lookout: where many threads wait for answers, one of them looks out for all.

A thread that waits for its answer in the system wakes up as soon as it comes, and then may have to wait for the
interpreter, which another thread is using. Where many threads do, most wake up in vain, and waking each other takes
longer than their calls. So there one thread has the *lookout*: it waits for all connections at once. Whoever has an
answer is woken, has the lookout from then on, and gives it to the next one before it goes on with its own affairs. So
there is never one who has the lookout and does something else, and mostly one thread runs while the others sleep.

Each connection finds out now and then whether its thread has to wait more than once a call. Where they do not, waiting
in the system is quicker.

Nothing depends on it: being woken means that something may have come, who was not woken for long goes and waits in the
system, and so does the main thread from the beginning, which signals may interrupt anywhere. It needs `epoll`, which
only Linux has.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from collections import deque
from typing import Any

__all__ = ["FEW", "LOOKOUT", "STAY", "Lookout", "Seat", "waits"]

FEW = 8 if hasattr(select, "epoll") else sys.maxsize
"""Threads that wait for answers, each by itself; where there are more, a lookout is better."""
STAY = 1.0
"""Most seconds that a thread waits to be woken."""
_TRIAL = 8
"""Calls whose waits are counted, while the thread waits in the system;"""
_OFTEN = 2
"""so many waits a call, or more, are too many, of which one is for the answer;"""
_USE = 400
"""and so many calls are made then before they are counted again."""

if sys.platform == "linux":
    import resource

    def waits() -> int:
        """Tell how often this thread has waited for anything so far."""
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw

else:

    def waits() -> int:
        """Tell that nobody knows."""
        return 0


class Seat:
    """Where the owner of a connection waits; whoever wakes it lets go of its lock.

    Attributes:
        place: the descriptor of the connection.
        ready: whether something may have come since it was last asked for.
        used: whether its owner waits here at present, rather than in the system.
        calls: how many calls are left until that is looked at.
        waits: how often its owner had waited when the calls began that are counted.
    """

    __slots__ = ("calls", "lock", "place", "ready", "used", "waits")

    def __init__(self, place: int, *, used: bool) -> None:
        """Make it, for a connection with this descriptor."""
        self.place = place
        self.ready = False
        self.used = used
        self.calls = _USE if used else _TRIAL
        self.waits = waits()
        self.lock = threading.Lock()
        self.lock.acquire()


class Lookout:
    """Those who wait.

    Attributes:
        callers: has an entry for each thread that waits for an answer, here or in the system.
        helps: whether new connections begin with being waited for here, by what was found out last.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self.callers: deque[None] = deque()
        self.helps = False
        self._lock = threading.Lock()
        # Made for the first ones who need it.
        self._epoll: Any = None
        self._seats: dict[int, Seat] = {}
        # Those who sleep, and those for whom something has come who have not been told.
        self._waiting: dict[Seat, None] = {}
        self._found: deque[Seat] = deque()
        self._taken = False

    def seat(self, old: Seat | None, place: int) -> Seat | None:
        """Give the seat of a connection, before anything is sent; None for the main thread."""
        if threading.get_ident() == threading.main_thread().ident:
            return None
        seat = old if old is not None and self._seats.get(place) is old else self._new_seat(place)
        if not seat.calls:
            self._decide(seat)
        seat.calls -= 1
        seat.ready = False
        return seat

    def _decide(self, seat: Seat) -> None:
        """Decide where a thread waits from now on, after the calls for which that was decided."""
        before, seat.waits = seat.waits, waits()
        if seat.used:
            seat.used = False
        else:
            seat.used = self.helps = seat.waits - before >= _TRIAL * _OFTEN
        seat.calls = _USE if seat.used else _TRIAL

    def _new_seat(self, place: int) -> Seat:
        seat = Seat(place, used=self.helps)
        with self._lock:
            self._epoll = self._epoll or select.epoll()
            self._seats[place] = seat
            # Each thing that comes is told once, so there is nothing to do again for each wait.
            with contextlib.suppress(FileExistsError):
                self._epoll.register(place, select.EPOLLIN | select.EPOLLET)
        return seat

    def leave(self, seat: Seat) -> None:
        """Forget a connection that is about to be closed or given away; takes no lock."""
        if self._seats.get(seat.place) is seat:
            del self._seats[seat.place]
            with contextlib.suppress(OSError, ValueError):
                self._epoll.unregister(seat.place)

    def wait(self, seat: Seat, limit: float | None) -> bool:
        """Wait until something may have come, and tell whether it may; False after `STAY`, or a limit that is less."""
        with self._lock:
            if seat.ready:
                return True
            has, self._taken = not self._taken, True
            if not has:
                self._waiting[seat] = None
        until = time.monotonic() + (STAY if limit is None else min(limit, STAY))
        try:
            while has or seat.lock.acquire(timeout=max(0.0, until - time.monotonic())):
                has = self._tell(seat)
                if seat.ready:
                    return True
                if has:
                    left = until - time.monotonic()
                    if left <= 0:
                        break
                    self._look(left)
        except BaseException:
            self._get_up(seat)
            raise
        self._get_up(seat)
        return False

    def _look(self, seconds: float) -> None:
        """Find out for whom something has come."""
        found = [self._seats.get(place) for place, _ in self._epoll.poll(seconds)]
        self._found.extend(seat for seat in found if seat is not None)

    def _tell(self, seat: Seat) -> bool:
        """Tell those for whom something has come, up to the first that sleeps: that one has the lookout from then on.

        True when this seat still has it, and nobody is left to be told. When it is ready itself it gives it away.
        """
        with self._lock:
            while not seat.ready and self._found:
                other = self._found.popleft()
                other.ready = True
                if other in self._waiting:
                    self._waiting[seat] = None
                    self._wake(other)
                    return False
            if seat.ready:
                self._pass_on()
            return True

    def _get_up(self, seat: Seat) -> None:
        """Let a thread go that was not told of anything, and with it the lookout, if it has that."""
        with self._lock:
            if seat in self._waiting:
                del self._waiting[seat]
            else:
                # It may have been woken at the last moment.
                seat.lock.acquire(blocking=False)
                self._pass_on()

    def _pass_on(self) -> None:
        """Give the lookout to whoever has something to do, or to anybody; called with the lock held."""
        while self._found:
            other = self._found.popleft()
            other.ready = True
            if other in self._waiting:
                self._wake(other)
                return
        if self._waiting:
            self._wake(next(reversed(self._waiting)))
        else:
            self._taken = False

    def _wake(self, seat: Seat) -> None:
        del self._waiting[seat]
        seat.lock.release()

    def start_anew(self) -> None:
        """Forget all in the child of a fork: those who waited are its parent's threads, and a lock may be held."""
        self.__init__()  # type: ignore[misc]


LOOKOUT = Lookout()
"""The lookout of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LOOKOUT.start_anew)
