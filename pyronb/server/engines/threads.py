"""ThreadEngine: calls run on worker threads; connections that are idle cost none.

The loop watches all idle connections. When bytes arrive on one, a worker takes it over: it reads, runs calls, answers,
and stays for a moment because the next call often follows at once, unless others wait. Then the connection goes back to
the loop. So a thousand idle clients need no thread, the greeting of a new client is read by a worker and never holds up
accepting, and clients that find all workers busy take turns.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from pyronb.net.stream import SocketStream, accepted
from pyronb.options import DaemonOptions
from pyronb.server.conversation import Answer, Conversation, Task
from pyronb.server.coroutines import finished
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
        with self._lock:
            self._work.append(client)
            # A worker that was woken and has not moved yet still counts as waiting, and so does its client.
            if self._waiting >= len(self._work):
                self._work_came.notify()
            elif len(self._workers) < self._options.workers:
                self._start(self._be_worker, "pyronb-worker", self._workers)

    def _resting(self, client: Client) -> bool:
        return bool(client.interest) and not client.conversation.midway

    # The workers' side

    def _be_worker(self) -> None:
        while (client := self._next_work()) is not None:
            stays = False
            try:
                stays = self._serve(client)
            except BaseException as error:  # noqa: BLE001 - what would end the program ends its client only
                self._tell_why(client, error)
            if stays:
                self._give_back(client)
            else:
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

    def _serve(self, client: Client) -> bool:
        """Serve a client until it is idle for a moment or others wait; False when it has to go."""
        stream, conversation = client.stream, client.conversation
        while not self.stopping:
            rest = conversation.rest
            answer = None
            tasks: Iterable[Task] = ()
            if rest is not None and stream.direct:
                count = stream.receive_into_within(_STAY, rest)
                if count is None:
                    return True
                tasks = conversation.filled(count)
            else:
                data = stream.receive_within(_STAY, missing=conversation.missing)
                if data is None:
                    return True
                short = conversation.short
                answer = None if short is None else short.answer(data)
                if answer is None:
                    tasks = conversation.receive(data)
            if answer is not None:
                self._send(answer, stream)
            else:
                for task in tasks:
                    self._do(task, stream)
                self._set_deadline(client)
                if client.deadline is not None and client.deadline < time.monotonic():
                    return False
            if self._work or self._drain_until is not None:
                return True
        return False

    def _give_back(self, client: Client) -> None:
        self.call_soon(partial(self._watch_client, client))

    def _do(self, task: Task, stream: SocketStream) -> None:
        if task.detached and self._run_detached(task):
            return
        self._send(task.run(), stream)

    def _send(self, answer: Answer, stream: SocketStream) -> None:
        buffers = finished(answer)
        if buffers:
            stream.send(buffers)

    # Stopping

    def _threads(self) -> list[threading.Thread]:
        with self._lock:
            # Those who wait for work are told that none will come.
            self._work.clear()
            self._work_came.notify_all()
            return [*self._workers, *self._oneways]
