"""Together: what the thread engine keeps of a client whose calls may run at the same time.

Such a client sends many calls without waiting for answers. Most calls are short, and the quickest way with those is
that one worker, whose *turn* it is, runs them one after the other and answers together what came together. A call that
takes longer than a moment is left to the worker that runs it: another worker takes the turn, and goes on with the next
call. So short calls cost no handing over, and long ones hold nobody up; nor does an answer wait for many short ones.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from pyronb.wire.message import Buffer

__all__ = ["MOST_TOGETHER", "Together", "Turn"]

MOST_TOGETHER = 64
"""Most calls of one client that run at the same time."""
_ENOUGH = 64 * 1024
"""Bytes of answers that are not held back any longer."""


class Turn:
    """The right of a worker to go on with the calls of a client, until it is lost.

    Attributes:
        owner: the worker.
        done: counts the calls that it has run, and the times that it began with some.
        seen: how many they were when the overseer last looked; None when it has not.
        lost: whether the call that runs was left to the worker, and the turn is another's.
    """

    __slots__ = ("done", "lost", "owner", "seen")

    def __init__(self) -> None:
        """Begin."""
        self.owner = threading.get_ident()
        self.done = 0
        self.seen: int | None = None
        self.lost = False


class Together:
    """What is known of the calls of one client.

    Attributes:
        lock: held for changing anything here; nobody waits while holding it.
        overdue: whether a moment has gone by, and answers are to be sent after the call that runs.
        sending: held for sending to the client.
        turn: the turn of the worker that has the client; None while none does.
        running: how many calls are not answered yet while others go on.
        left: how many of them were left to a worker; the others are coroutines.
        over: whether the client is gone, and ends with the last of them.
    """

    __slots__ = ("_replies", "_size", "left", "lock", "over", "overdue", "running", "sending", "turn")

    def __init__(self) -> None:
        """Start without a call."""
        self.lock = threading.Lock()
        self.sending = threading.Lock()
        self.turn: Turn | None = None
        self.running = 0
        self.left = 0
        self.over = False
        self.overdue = False
        self._replies: list[Buffer] = []
        self._size = 0

    @property
    def kept(self) -> bool:
        """Whether there are answers to send."""
        return bool(self._replies)

    def add(self, reply: Sequence[Buffer]) -> bool:
        """Keep an answer, and tell whether those that are kept should be sent now."""
        with self.lock:
            return self.add_now(reply)

    def add_now(self, reply: Sequence[Buffer]) -> bool:
        """Do as `add`, for whoever holds the lock."""
        if len(reply) == 1:
            self._replies.append(reply[0])
            self._size += len(reply[0])
            return self._size >= _ENOUGH or self.overdue
        self._replies += reply
        self._size += sum(map(len, reply))
        # There is memory of the user's among it, who may change it.
        return bool(reply)

    def take(self) -> list[Buffer]:
        """Give the answers that were kept, in few buffers."""
        with self.lock:
            replies, size = self._replies, self._size
            self._replies, self._size, self.overdue = [], 0, False
        return [b"".join(replies)] if len(replies) > 1 and size < 2 * _ENOUGH else replies
