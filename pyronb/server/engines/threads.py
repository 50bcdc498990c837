"""ThreadEngine: calls run on worker threads; connections that are idle cost none.

One selector watches the listening socket and all idle connections. When bytes arrive on one, a worker takes it over: it
reads, runs calls, answers, and stays for a moment because the next call often follows at once, unless others wait.
Then the connection goes back to the selector. So a thousand idle clients need no thread, the greeting of a new client
is read by a worker and never holds up accepting, and clients that find all workers busy take turns.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from pyronb.errors import CommunicationError
from pyronb.net.deadline import after
from pyronb.net.stream import SocketStream
from pyronb.options import DaemonOptions
from pyronb.server.conversation import Conversation, Task
from pyronb.server.engines.wakeup import Wakeup

__all__ = ["ThreadEngine"]

log = logging.getLogger("pyronb.server")

_STAY = 0.05
"""Seconds that a worker stays with a connection on which nothing arrives."""
_IDLE = 10.0
"""Seconds after which a worker without work ends."""
_STALL = 60.0
"""Seconds without progress after which a client that does not read its answer is given up."""
_MIDWAY = 60.0
"""Seconds in which more of a message that has begun must arrive, where no time-out is configured."""
_FAREWELL = 0.5
"""Seconds, or a little more, that a refused client has to read why."""
_ONEWAYS = 200
"""Oneway calls that run in threads of their own at the same time; those beyond run in their client's worker."""
_ACCEPT_PAUSE = 0.1
"""Seconds without accepting after the system ran out of descriptors."""


class _Client:
    """One connected client: its socket, its conversation, and until when it has to get on with it."""

    __slots__ = ("conversation", "deadline", "leaving", "stream")

    def __init__(self, stream: SocketStream, conversation: Conversation, deadline: float | None) -> None:
        self.stream = stream
        self.conversation = conversation
        self.deadline = deadline
        self.leaving = False


class ThreadEngine:
    """Serves the clients of one listening socket.

    Args:
        listener: the listening socket, not blocking.
        converse: makes the conversation with a client at this address.
        gone: is told of each conversation that has ended.
        housekeeping: is called every few seconds.
        options: how to serve.
    """

    def __init__(
        self,
        listener: socket.socket,
        converse: Callable[[Any], Conversation],
        gone: Callable[[Conversation], None],
        housekeeping: Callable[[], None],
        options: DaemonOptions,
    ) -> None:
        self._listener = listener
        self._converse = converse
        self._gone = gone
        self._housekeeping = housekeeping
        self._options = options
        self._selector = selectors.DefaultSelector()
        self._wakeup = Wakeup()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._take_back)
        self._returned: deque[_Client] = deque()
        self._clients: set[_Client] = set()
        self._lock = threading.Lock()
        # Clients that need a worker; a worker that finds none waits on the condition.
        self._work: deque[_Client] = deque()
        self._work_came = threading.Condition(self._lock)
        self._waiting = 0
        self._workers: set[threading.Thread] = set()
        self._oneways: set[threading.Thread] = set()
        self._stopping = False
        self._closed = False
        # Reentrant, for `close` may be called by what the loop calls.
        self._looping = threading.RLock()
        self._accept_again = 0.0

    @property
    def workers(self) -> int:
        """How many worker threads there are at the moment."""
        return len(self._workers)

    @property
    def clients(self) -> int:
        """How many clients are connected at the moment."""
        return len(self._clients)

    # The selector's side

    def loop(self, condition: Callable[[], bool]) -> None:
        """Serve until `shutdown`, or until the condition, looked at now and then, is no longer true."""
        with self._looping:
            next_chores = time.monotonic() + self._options.poll_timeout
            # User code that is called from here may close everything.
            while not self._stopping and condition() and not self._closed:
                for key, _ in self._selector.select(self._options.poll_timeout):
                    key.data() if callable(key.data) else self._hand_over(key.data)
                now = time.monotonic()
                if now >= next_chores:
                    next_chores = now + self._options.poll_timeout
                    self._chores(now)

    def _accept(self) -> None:
        if self._accept_again > time.monotonic():
            time.sleep(_ACCEPT_PAUSE / 10)
            return
        while True:
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if not self._stopping:
                    # Out of descriptors, most likely: those who are connected are still served.
                    log.error("cannot accept a client: %s", error)
                    self._accept_again = time.monotonic() + _ACCEPT_PAUSE
                return
            self._welcome(sock, address)

    def _welcome(self, sock: socket.socket, address: Any) -> None:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._options.nodelay and sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            sock.close()  # gone already
            return
        stream = SocketStream(sock, stall=_STALL)
        client = _Client(stream, self._converse(address or "unix socket"), after(self._options.handshake_timeout))
        with self._lock:
            self._clients.add(client)
        self._watch(client)

    def _watch(self, client: _Client) -> None:
        try:
            self._selector.register(client.stream, selectors.EVENT_READ, client)
        except (ValueError, KeyError, OSError):
            self._end(client)

    def _hand_over(self, client: _Client) -> None:
        self._selector.unregister(client.stream)
        self._put(client)

    def _put(self, client: _Client) -> None:
        with self._lock:
            self._work.append(client)
            # A worker that was woken and has not moved yet still counts as waiting, and so does its client.
            if self._waiting >= len(self._work):
                self._work_came.notify()
            elif len(self._workers) < self._options.workers:
                self._start(self._be_worker, "pyronb-worker", self._workers)

    @staticmethod
    def _start(target: Callable[[], None], name: str, among: set[threading.Thread]) -> bool:
        """Start a thread and keep it among others; False when the system has no more threads to give."""
        thread = threading.Thread(target=target, name=name, daemon=True)
        among.add(thread)
        try:
            thread.start()
        except RuntimeError as error:
            among.discard(thread)
            log.error("cannot start a thread: %s", error)
            return False
        return True

    def _take_back(self) -> None:
        self._wakeup.drain()
        while self._returned:
            self._watch(self._returned.popleft())

    def _chores(self, now: float) -> None:
        """Let go of clients that have not got on in time, and do what the daemon wants done now and then."""
        for key in list(self._selector.get_map().values()):
            client = key.data
            if self._closed:
                return
            if isinstance(client, _Client) and client.deadline is not None and client.deadline < now:
                log.info("client %s is let go: nothing came in time", client.conversation.caller.address)
                self._selector.unregister(client.stream)
                self._end(client)
        try:
            self._housekeeping()
        except Exception:
            log.exception("housekeeping failed")

    # The workers' side

    def _be_worker(self) -> None:
        while (client := self._next_work()) is not None:
            stays = False
            try:
                stays = self._serve(client)
            except CommunicationError as error:
                log.debug("client %s is gone: %s", client.conversation.caller.address, error)
            except BaseException:  # what would end the program ends its client only
                log.exception("serving client %s failed", client.conversation.caller.address)
            if stays:
                self._give_back(client)
            else:
                self._end(client)

    def _next_work(self) -> _Client | None:
        """Wait for a client that needs a worker; None tells the worker to end."""
        with self._lock:
            while not self._work:
                if self._stopping:
                    break
                self._waiting += 1
                came = self._work_came.wait(_IDLE)
                self._waiting -= 1
                if not came and not self._work:
                    break
            else:
                return self._work.popleft()
            self._workers.discard(threading.current_thread())
            return None

    def _serve(self, client: _Client) -> bool:
        """Serve a client until it is idle for a moment or others wait; False when it has to go."""
        stream, conversation = client.stream, client.conversation
        while not self._stopping:
            data = stream.receive_within(_STAY, missing=conversation.missing)
            if data is None:
                return True
            for task in conversation.receive(data):
                self._do(task, stream)
            if conversation.closed:
                self._say_farewell(client)
            elif conversation.greeted:
                client.deadline = after(self._options.timeout or _MIDWAY) if conversation.midway else None
            if client.deadline is not None and client.deadline < time.monotonic():
                return False
            if self._work:
                return True
        return False

    def _give_back(self, client: _Client) -> None:
        self._returned.append(client)
        self._wakeup.wake()

    def _do(self, task: Task, stream: SocketStream) -> None:
        if task.detached and self._run_detached(task):
            return
        buffers = task.run()
        if buffers:
            stream.send(buffers, None if self._options.timeout is None else after(self._options.timeout))

    def _run_detached(self, task: Task) -> bool:
        def run() -> None:
            try:
                task.run()
            finally:
                with self._lock:
                    self._oneways.discard(threading.current_thread())

        with self._lock:
            return len(self._oneways) < _ONEWAYS and self._start(run, "pyronb-oneway", self._oneways)

    def _say_farewell(self, client: _Client) -> None:
        """Let a refused client read why: closing at once, with bytes of it unread, would take the reason away."""
        if not client.leaving:
            client.leaving = True
            client.deadline = after(_FAREWELL)
            client.stream.finish_sending()

    def _end(self, client: _Client) -> None:
        client.conversation.close()
        client.stream.close()
        with self._lock:
            known = client in self._clients
            self._clients.discard(client)
        if known:
            self._gone(client.conversation)

    # Stopping

    def shutdown(self) -> None:
        """Have the loop end soon; safe from any thread, from a served call and from a signal handler."""
        self._stopping = True
        self._wakeup.wake()

    def close(self, patience: float = 2.0) -> None:
        """End the loop, all connections and all workers.

        Args:
            patience: seconds to wait for calls that are running; after that their threads are left to themselves.
        """
        if self._closed:
            return
        self._closed = True
        self.shutdown()
        until = time.monotonic() + patience
        # The loop may be running in this very thread, further up.
        alone = self._looping.acquire(timeout=patience)
        self._listener.close()
        with self._lock:
            clients, workers = list(self._clients), [*self._workers, *self._oneways]
            self._work.clear()
            self._work_came.notify_all()
        for client in clients:
            client.stream.shutdown()
        for worker in workers:
            if worker is not threading.current_thread():
                worker.join(max(0.0, until - time.monotonic()))
        for client in clients:
            self._end(client)
        self._selector.close()
        self._wakeup.close()
        if alone:
            self._looping.release()
