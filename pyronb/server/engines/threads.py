"""ThreadEngine: calls run on worker threads; connections that are idle cost none.

The loop watches all idle connections. When bytes arrive on one, a worker takes it over: it reads, runs calls, answers,
and stays for a moment because the next call often follows at once, unless others wait. Then the connection goes back to
the loop. So a thousand idle clients need no thread, the greeting of a new client is read by a worker and never holds up
accepting, and clients that find all workers busy take turns. A client whose call waits for a coroutine needs no thread
either: it is parked, and a worker goes on with it when the coroutine has ended; and so is one that does not read what
it asked for, until there is room for more of that.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from selectors import EVENT_WRITE
from typing import Any, ClassVar

from pyronb.net.deadline import after
from pyronb.net.stream import accepted
from pyronb.options import DaemonOptions
from pyronb.server.conversation import Answer, Conversation
from pyronb.server.coroutines import Pending
from pyronb.server.engines.base import STALL, Client, Engine

__all__ = ["ThreadEngine"]

log = logging.getLogger("pyronb.server")

_STAY = 0.05
"""Seconds that a worker stays with a connection on which nothing arrives."""
_IDLE = 10.0
"""Seconds after which a worker without work ends."""


class ThreadEngine(Engine[Client]):
    """Serves each client that has something to say in a worker thread; its arguments are those of `Engine`."""

    name: ClassVar[str] = "thread"

    def __init__(
        self,
        listener: socket.socket | None,
        converse: Callable[[Any], Conversation],
        gone: Callable[[Conversation], None],
        housekeeping: Callable[[], None],
        options: DaemonOptions,
    ) -> None:
        super().__init__(listener, converse, gone, housekeeping, options)
        # Clients that need a worker; a worker that finds none waits on the condition.
        self._work: deque[Client] = deque()
        self._work_came = threading.Condition(self._lock)
        self._waiting = 0
        self._workers: set[threading.Thread] = set()
        # Clients that wait for a coroutine, and what is to become of its end.
        self._parked: dict[Client, Pending[Any]] = {}
        self._unparked = threading.Condition(self._lock)

    def __str__(self) -> str:
        return f"<{self.name}; {self.workers} workers, {self.clients} clients>"

    @property
    def workers(self) -> int:
        """How many worker threads there are at the moment."""
        return len(self._workers)

    # The loop's side

    def _make_client(self, sock: socket.socket, conversation: Conversation, deadline: float) -> Client:
        stream = accepted(sock, stall=self._options.timeout or STALL, tls=self._options.tls)
        return Client(stream, conversation, deadline)

    def _ready(self, client: Client) -> None:
        self._unwatch_client(client)
        self._put(client)

    def _put(self, client: Client) -> None:
        """Have a worker take a client over; safe from any thread."""
        with self._lock:
            if self._closed:
                return
            self._work.append(client)
            # A worker that was woken and has not moved yet still counts as waiting, and so does its client.
            if self._waiting >= len(self._work):
                self._work_came.notify()
            elif len(self._workers) < self._options.workers:
                self._start(self._be_worker, "pyronb-worker", self._workers)

    def _resting(self, client: Client) -> bool:
        return bool(client.interest) and not (client.conversation.midway or client.stream.unfinished)

    # The workers' side

    def _be_worker(self) -> None:
        while (client := self._next_work()) is not None:
            stays: bool | None = False
            try:
                stays = self._serve(client)
            except BaseException as error:  # noqa: BLE001 - what would end the program ends its client only
                self._tell_why(client, error)
            if stays:
                self._give_back(client)
            elif stays is not None:
                self._end(client)
                if self._drain_until is not None:
                    self._wakeup.wake()

    def _next_work(self) -> Client | None:
        """Wait for a client that needs a worker; None tells the worker to end."""
        with self._lock:
            while not self._work:
                if self.stopping:
                    break
                self._waiting += 1
                came = self._work_came.wait(_IDLE)
                self._waiting -= 1
                # Some workers stay, so that a call after a pause need not wait for a thread.
                if not came and not self._work and len(self._workers) > self._options.workers_kept:
                    break
            else:
                return self._work.popleft()
            self._workers.discard(threading.current_thread())
            return None

    def _serve(self, client: Client) -> bool | None:
        """Serve a client until it is idle for a moment or others wait.

        False when it has to go; None when it is parked, and may be in the hands of another worker already.
        """
        if not self._resume(client):
            return None
        stream, conversation = client.stream, client.conversation
        rest, missing = conversation.rest, conversation.missing
        while not self.stopping:
            if rest is None or not stream.direct:
                data = stream.receive_within(_STAY, missing=missing)
                if data is None:
                    return True
                short = conversation.short
                answer = None if short is None else short.answer(data)
                if answer is not None:
                    if not self._send(client, answer):
                        return None
                    if self._work or self._drain_until is not None:
                        return True
                    continue
                client.tasks = conversation.receive(data)
            else:
                count = stream.receive_into_within(_STAY, rest)
                if count is None:
                    return True
                client.tasks = conversation.filled(count)
            if not self._do_all(client):
                return None
            self._set_deadline(client)
            if client.deadline is not None and client.deadline < time.monotonic():
                return False
            if self._work or self._drain_until is not None:
                return True
            rest, missing = conversation.rest, conversation.missing
        return False

    def _resume(self, client: Client) -> bool:
        """Go on with a client that was parked; False when it is parked again."""
        with self._lock:
            pending = self._parked.pop(client, None)
            if pending is not None:
                self._unparked.notify_all()
        if pending is None and not client.stream.unfinished:
            return True
        if not (self._send(client, pending and pending.then(pending.future)) and self._do_all(client)):
            return False
        self._set_deadline(client)
        return True

    def _do_all(self, client: Client) -> bool:
        """Do what a client asked for; False when it was parked in the middle of that."""
        for task in client.tasks or ():
            if task.detached and self._run_detached(task):
                continue
            if not self._send(client, task.run()):
                return False
        client.tasks = None
        return True

    def _send(self, client: Client, answer: Answer = None) -> bool:
        """Send an answer, or go on with one; False when it is not known, or the client does not read, and is parked."""
        stream = client.stream
        if type(answer) is list or stream.unfinished:
            assert not isinstance(answer, Pending)
            if stream.send_within(_STAY, answer or ()):
                return True
            client.deadline = after(self._options.timeout or STALL)
            # The loop tells when there is room for more of it. From here on the client belongs to whoever is told.
            self.call_soon(partial(self._watch_client, client, EVENT_WRITE))
            return False
        if isinstance(answer, Pending):
            with self._lock:
                self._parked[client] = answer
            # From here on the client belongs to whoever takes it over, perhaps at once.
            answer.future.add_done_callback(lambda _: self._put(client))
            return False
        return True

    def _give_back(self, client: Client) -> None:
        self.call_soon(partial(self._watch_client, client))

    # Stopping

    def finish(self) -> None:
        """Take leave after the loop has ended: calls that run may end, and their answers are sent."""
        self._stop_listening()
        with self._lock:
            self._unparked.wait_for(lambda: not self._parked, self.patience)
        super().finish()

    def _threads(self) -> list[threading.Thread]:
        with self._lock:
            # Those who wait for work are told that none will come.
            self._work.clear()
            self._work_came.notify_all()
            return [*self._workers, *self._oneways]
