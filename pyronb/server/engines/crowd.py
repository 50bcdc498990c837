"""Crowd: clients that call all the time, served by one worker, which goes from one that is ready to the next.

A worker that stays with its client is the quickest way to serve that client, while few of them do so. Many hand the
interpreter over for each message, and who is last waits long. So beyond a few the clients gather here, and one worker
leads: it answers plain calls, and has other workers take over what is anything else.

A call that takes longer than a moment is left to the worker that runs it, and another one leads from then on: blocking
methods hold nobody up. Where calls mostly wait for something, which they had better do at the same time, the crowd goes
apart for a while; and so it does when few clients are left that call.

This needs what only Linux has: `epoll`, and counting how often one thread has waited. Elsewhere there are no crowds.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pyronb.server.conversation import Answer
from pyronb.server.engines.base import Client

__all__ = ["FEW", "Crowd"]

FEW = 3
"""Workers that each stay with a client; where there are more, a crowd is better, and with fewer clients it is not."""
_WINDOW = 0.05
"""Seconds after which a client that has not called leaves, and after which the crowd is looked at."""
_PAUSE = 1.0
_LONGEST_PAUSE = 32.0
"""Seconds that a crowd stays apart whose calls wait; each time twice as many."""
_MANY = 4
"""A crowd goes apart when one in so many of its calls waits,"""
_SOME = 10
"""which shows when there were at least so many."""

C = TypeVar("C", bound=Client)

if sys.platform == "linux":
    import resource

    def _waits() -> int:
        """Tell how often this thread has waited for anything so far."""
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw

else:

    def _waits() -> int:
        """Tell that nobody knows."""
        return 0


class Crowd(Generic[C]):
    """The clients that have gathered.

    Args:
        go_on: has another worker go on with a client, after an answer or, without one, with what it has asked for.
        give_back: has the loop wait for what a quiet client says.
        end: ends a client, for this reason.

    Attributes:
        wanted: whether clients should gather.
        led: whether a worker leads, or is about to.
        calls: how many calls were begun.
    """

    def __init__(
        self,
        go_on: Callable[[C, Answer], None],
        give_back: Callable[[C], None],
        end: Callable[[C, BaseException], None],
    ) -> None:
        self._go_on = go_on
        self._give_back = give_back
        self._end = end
        self._lock = threading.Lock()
        # Made with the first crowd.
        self._epoll: Any = None
        self._members: dict[int, C] = {}
        # Those who have called, and those who have come, since the crowd was looked at.
        self._active: set[C] = set()
        self._new: set[C] = set()
        # The client whose call runs. Taking it out is the right to go on with the others; each leader has a new list.
        self._running: list[C] = []
        self.wanted = False
        self.led = False
        self.calls = 0
        self._pause = _PAUSE
        self._apart_until = 0.0
        # When the crowd is looked at next, and what was counted when it was looked at last.
        self._until = 0.0
        self._polls = self._calls = self._waits = 0

    def invite(self) -> None:
        """Want clients to gather, unless they have just gone apart, or cannot be served that way on this system."""
        if sys.platform == "linux" and not self.wanted and time.monotonic() >= self._apart_until:
            self._epoll = self._epoll or select.epoll()
            self.wanted = True

    def join(self, client: C) -> bool:
        """Take a client in, and tell whether somebody has to lead now."""
        with self._lock:
            place = client.stream.fileno()
            self._new.add(client)
            self._members[place] = client
            self._epoll.register(place, select.EPOLLIN)
            first, self.led = not self.led, True
        return first

    def leave(self, client: C) -> None:
        """Let a client go, for whoever goes on with it."""
        with self._lock:
            self._remove(client)

    def _remove(self, client: C) -> None:
        place = client.stream.fileno()
        self._active.discard(client)
        self._new.discard(client)
        if self._members.get(place) is client:
            del self._members[place]
            self._epoll.unregister(place)

    def lead(self, over: Callable[[], bool]) -> tuple[C, Answer] | bool:
        """Serve whoever is ready, until it is over or the crowd goes apart.

        True when somebody has to go on with leading. Where a call took so long that somebody else does by now, this
        gives its client, and the answer to it.
        """
        self._look_anew(_waits())
        running = self._running = []
        while not over():
            self._polls += 1
            for place, _ in self._epoll.poll(_WINDOW):
                client = self._members.get(place)
                if client is None:
                    continue
                conversation, answer, leads = client.conversation, None, True
                try:
                    data = client.stream.receive_within(_WINDOW)
                    if data is None:
                        continue
                    short = conversation.short or conversation.first_short(data)
                    if short is not None:
                        self.calls += 1
                        running.append(client)
                        try:
                            answer = short.answer(data)
                        finally:
                            leads = self._still_leads(running)
                        if not leads:
                            if answer is None:
                                client.tasks = conversation.receive(data)
                            return client, answer
                    if answer is None:
                        client.tasks = conversation.receive(data)
                    elif type(answer) is list and len(answer) == 1 and client.tasks is None:
                        if client.stream.send_small(answer[0]):
                            self._active.add(client)
                            continue
                        answer = []
                except BaseException as error:  # noqa: BLE001 - what would end the program ends its client only
                    self.leave(client)
                    self._end(client, error)
                    if not leads:
                        return False
                    continue
                self.leave(client)
                self._go_on(client, answer)
            if time.monotonic() >= self._until and not self._holds():
                return False
        return True

    def _look_anew(self, waits: int) -> None:
        self._until = time.monotonic() + _WINDOW
        self._polls, self._calls, self._waits = 0, self.calls, waits

    def _holds(self) -> bool:
        """Look at the crowd, and tell whether it stays together; the quiet ones leave in any case."""
        waits = _waits()
        # Each look at who is ready may have been a wait too.
        waited = waits - self._waits - self._polls
        waiting = waited * _MANY > self.calls - self._calls >= _SOME
        if waiting or len(self._active) + len(self._new) < FEW:
            self.part(pause=waiting)
            return False
        self._pause = _PAUSE
        self._look_anew(waits)
        self._let_quiet_go()
        return True

    def _still_leads(self, running: list[C]) -> bool:
        try:
            running.pop()
        except IndexError:
            # Whoever took it is through with that when it lets go of this.
            with self._lock:
                return False
        return True

    def take_lead(self, calls: int) -> C | None:
        """Take the lead from the worker whose call is still the one of this number; gives the client of that call."""
        if calls != self.calls or not self._running:
            return None
        with self._lock:
            try:
                client = self._running.pop()
            except IndexError:
                return None
            self._remove(client)
        return client

    def part(self, *, pause: bool = False) -> None:
        """Go apart, for a while or until it is wanted again: who has called gets a worker, the others wait."""
        with self._lock:
            self.wanted = self.led = False
            members, active = list(self._members.values()), self._active.copy()
            for client in members:
                self._remove(client)
        if pause:
            self._apart_until = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        for client in members:
            if client in active:
                self._go_on(client, None)
            else:
                self._give_back(client)

    def _let_quiet_go(self) -> None:
        with self._lock:
            here = self._active | self._new
            quiet = [client for client in self._members.values() if client not in here]
            for client in quiet:
                self._remove(client)
            self._active.clear()
            self._new.clear()
        for client in quiet:
            self._give_back(client)

    def close(self) -> None:
        """Be of no more use."""
        if self._epoll is not None:
            self._epoll.close()
