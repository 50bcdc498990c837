"""Engine: what all engines share. It accepts, keeps time, says farewell, and ends; how calls run is for others to say.

One selector watches the listening socket and the clients from which something is awaited. Whoever is due is told by a
callback that lies in the selector beside each socket. So the loop can be ours (`loop`), somebody else's (`events`), or
that of another engine which watches our selector as one more thing to watch.
"""

from __future__ import annotations

import abc
import contextlib
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from pyronb.errors import CommunicationError, ConnectionClosedError, DaemonError, PyroError, TimeoutError
from pyronb.net.deadline import after
from pyronb.net.sockets import INHERITED, tune
from pyronb.net.stream import SocketStream, server_session
from pyronb.net.wakeup import Wakeup
from pyronb.options import DaemonOptions
from pyronb.server.conversation import Conversation, Task
from pyronb.server.coroutines import finished
from pyronb.server.side import Way
from pyronb.wire.message import Buffer

__all__ = ["STALL", "Client", "Engine"]

log = logging.getLogger("pyronb.server")

STALL = 60.0
"""Seconds without progress after which a client that does not read its answer is given up."""
_MIDWAY = 60.0
"""Seconds in which more of a message that has begun must arrive, where no time-out is configured."""
_FAREWELL = 0.5
"""Seconds, or a little more, that a refused client has to read why."""
_ONEWAYS = 200
"""Oneway calls that run in threads of their own at the same time; those beyond run where other calls do."""
_PATIENCE = 2.0
"""Seconds that calls which still run are waited for when nobody said how long."""
_ACCEPT_PAUSE = 0.1
"""Seconds without accepting after the system ran out of descriptors."""

Handler = Callable[[], None]


class Client(Way):
    """One connected client: its socket, its conversation, and until when it has to get on with it."""

    __slots__ = ("conversation", "deadline", "interest", "leaving", "stream", "tasks", "together")

    def __init__(self, stream: SocketStream, conversation: Conversation, deadline: float | None) -> None:
        self.stream = stream
        self.conversation = conversation
        self.deadline = deadline
        self.leaving = False
        self.tasks: Iterator[Task] | None = None
        """What is still to be done of what it asked for; None when that is done."""
        self.interest = 0
        """What the selector watches for: 0, or its `EVENT_READ` and `EVENT_WRITE`."""
        self.together: Any = None
        """What an engine keeps for calls of the client that run together."""

    @property
    def address(self) -> Any:
        """Who it is, for the log."""
        return self.conversation.caller.address

    def tell(self, buffers: Sequence[Buffer], later: Callable[[], Any] | None) -> bool | None:
        """Send something that is no answer; see `Way`. Whoever calls sees to it that nobody else sends meanwhile."""
        del later
        stream = self.stream
        if stream.unfinished and not stream.send_within(0):
            return False
        # What does not leave now leaves with the answer.
        stream.send_within(0, buffers)
        return True

    def hear(self, data: bytes) -> None:
        """Take in what came while a call runs."""
        self.conversation.hear(data)
        if self.tasks is None:
            self.tasks = self.conversation.waiting()


C = TypeVar("C", bound=Client)


class Engine(abc.ABC, Generic[C]):
    """Serves the clients of one listening socket.

    Args:
        listener: the listening socket, not blocking; None to take nobody in.
        converse: makes the conversation with a client at this address.
        gone: is told of each conversation that has ended.
        housekeeping: is called every few seconds.
        options: how to serve.
    """

    name: ClassVar[str]

    def __init__(
        self,
        listener: socket.socket | None,
        converse: Callable[[Any], Conversation],
        gone: Callable[[Conversation], None],
        housekeeping: Callable[[], None],
        options: DaemonOptions,
    ) -> None:
        self.listener = listener
        self.selector = selectors.DefaultSelector()
        self._converse = converse
        self._gone = gone
        self._housekeeping = housekeeping
        self._options = options
        self._wakeup = Wakeup()
        if listener is not None:
            if INHERITED:
                tune(listener, options.nodelay)
            self.watch(listener, self._accept)
        self.watch(self._wakeup, self._catch_up)
        self._soon: deque[Handler] = deque()
        # Connections that the loop is still to take up, which nobody else would close.
        self._adopted: set[SocketStream] = set()
        self._clients: set[C] = set()
        self._lock = threading.Lock()
        self._oneways: set[threading.Thread] = set()
        self._guests: dict[Any, Handler] = {}
        self._interrupted = False
        self.stopping = False
        self._drain_until: float | None = None
        self._accepting = True
        self._closed = False
        # Reentrant, for `close` may be called by what the loop calls.
        self._looping = threading.RLock()
        self._accept_again = 0.0
        self._next_chores = after(options.poll_timeout)

    @property
    def clients(self) -> int:
        """How many clients are connected at the moment."""
        return len(self._clients)

    @property
    def conversations(self) -> list[Conversation]:
        """The conversations with the clients that are connected at the moment."""
        return [client.conversation for client in self._all_clients()]

    @property
    def sockets(self) -> list[Any]:
        """All that has to be watched for something to read, by whoever runs a loop of his own and calls `events`.

        The last one is the selector, where the system can watch it (Linux, macOS, BSD): it alone would do.
        """
        if self._closed:
            return []
        watched: list[Any] = [key.fileobj for key in list(self.selector.get_map().values())]
        return [*watched, self.selector] if hasattr(self.selector, "fileno") else watched

    # How engines differ

    @abc.abstractmethod
    def _make_client(self, sock: socket.socket, session: Any, conversation: Conversation, deadline: float | None) -> C:
        """Make what is known of a new client, with the stream that carries its bytes, maybe over a TLS session."""

    @abc.abstractmethod
    def _ready(self, client: C) -> None:
        """Take note that a watched client has sent something, or can be sent something; called by the loop."""

    @abc.abstractmethod
    def _resting(self, client: C) -> bool:
        """Tell whether nothing is being done for a client, and nothing of an answer is on its way to it."""

    # The loop

    def loop(self, condition: Callable[[], bool]) -> None:
        """Serve until `shutdown` or the end of `drain`, or until the condition, looked at now and then, is false."""
        with self._looping:
            # User code that is called from here may close everything.
            while not self.stopping and condition() and not self._closed:
                self._turn(self._options.poll_timeout)

    def events(self) -> None:
        """Serve what is due at the moment, without waiting.

        Raises:
            DaemonError: the loop runs in another thread.
        """
        if not self._looping.acquire(blocking=False):
            raise DaemonError("the request loop of this daemon runs in another thread and serves these sockets already")
        try:
            if not self.stopping and not self._closed:
                self._turn(0)
        finally:
            self._looping.release()

    def _turn(self, patience: float) -> None:
        if self._drain_until is not None:
            patience = min(patience, max(0.0, self._drain_until - time.monotonic()))
        for key, _ in self.selector.select(patience):
            if self._closed:
                return
            key.data()
            if self._interrupted:
                self._interrupted = False
                raise KeyboardInterrupt
        if self._drain_until is not None:
            self._go_on_draining(self._drain_until)
        now = time.monotonic()
        if now >= self._next_chores and not self._closed:
            self._next_chores = now + self._options.poll_timeout
            self._chores(now)

    def watch(self, thing: Any, handler: Handler, interest: int = selectors.EVENT_READ) -> None:
        """Have the loop call a handler whenever there is something to read, or whatever the interest is."""
        try:
            self.selector.register(thing, interest, handler)
        except KeyError:
            # Somebody closed a thing that was watched without a word, and its number has been given out anew.
            self.selector.unregister(thing.fileno())
            self.selector.register(thing, interest, handler)

    def unwatch(self, thing: Any) -> None:
        """Undo `watch` and `take_in`; nothing happens when there is nothing to undo."""
        self._guests.pop(thing, None)
        with contextlib.suppress(KeyError, ValueError, RuntimeError):
            self.selector.unregister(thing)

    def take_in(self, thing: Any, handler: Handler, *, regularly: bool = False) -> None:
        """Serve something of somebody else's in this loop too, until `unwatch`.

        Args:
            thing: what has to be watched.
            handler: is called whenever there is something to read from it; its errors are logged.
            regularly: call it with the chores too.
        """

        def guarded() -> None:
            try:
                handler()
            except Exception:
                log.exception("a guest of the loop of %s failed", self)

        self.watch(thing, guarded)
        if regularly:
            self._guests[thing] = guarded
        self._wakeup.wake()

    def interrupt(self) -> None:
        """Have the loop end with `KeyboardInterrupt`, after one hit a call that runs in its thread."""
        self._interrupted = True

    def call_soon(self, handler: Handler) -> None:
        """Have something done by the loop; safe from any thread."""
        self._soon.append(handler)
        self._wakeup.wake()

    def _catch_up(self) -> None:
        self._wakeup.drain()
        # What comes meanwhile has woken the loop again.
        for _ in range(len(self._soon)):
            if self._closed:
                return
            self._soon.popleft()()

    def _chores(self, now: float) -> None:
        """Let go of clients that have not got on in time, and do what the daemon wants done now and then."""
        for client in self._all_clients():
            if self._closed:
                return
            if client.interest and client.deadline is not None and client.deadline < now:
                log.info("client %s is let go: nothing came in time", client.address)
                self._end(client)
        for handler in list(self._guests.values()):
            handler()
        try:
            self._housekeeping()
        except Exception:
            log.exception("housekeeping failed")

    def _all_clients(self) -> list[C]:
        with self._lock:
            return list(self._clients)

    # Clients

    def _accept(self) -> None:
        if self._accept_again > time.monotonic():
            time.sleep(_ACCEPT_PAUSE / 10)
            return
        # One at a time: asking whether there are more takes longer than being told.
        assert self.listener is not None
        try:
            sock, address = self.listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            if not self.stopping:
                # Out of descriptors, most likely: those who are connected are still served.
                log.error("cannot accept a client: %s", error)
                self._accept_again = time.monotonic() + _ACCEPT_PAUSE
            return
        self._welcome(sock, address)

    def _welcome(self, sock: socket.socket, address: Any) -> None:
        try:
            if not INHERITED:
                tune(sock, self._options.nodelay)
            session = server_session(self._options.tls)
        except (OSError, PyroError) as error:
            # It is gone already, or the files of our certificate are.
            log.warning("client %s was not taken in: %s", address, error)
            sock.close()
            return
        conversation = self._converse(address or "unix socket")
        client = self._make_client(sock, session, conversation, after(self._options.handshake_timeout))
        self._admit(client)
        self._begin(client)

    def _admit(self, client: C) -> None:
        client.conversation.caller.getpeercert = client.stream.getpeercert
        client.conversation.caller.client = client
        with self._lock:
            self._clients.add(client)

    def _begin(self, client: C) -> None:
        """Wait for what a new client says."""
        self._watch_client(client)

    def adopt(self, stream: SocketStream, conversation: Conversation, data: bytes) -> None:
        """Serve over a connection that this program made, after these bytes have come; safe from any thread."""
        with self._lock:
            late = self._closed
            if not late:
                self._adopted.add(stream)
        if late:
            stream.close()
        else:
            self.call_soon(partial(self._adopt, stream, conversation, data))

    def _adopt(self, stream: SocketStream, conversation: Conversation, data: bytes) -> None:
        with self._lock:
            if stream not in self._adopted:
                return
            self._adopted.discard(stream)
        client = self._make_client(*stream.release(), conversation, None)
        self._admit(client)
        self._watch_client(client)
        if data:
            client.tasks = conversation.receive(data)
            self._ready(client)

    def dismiss(self, unwanted: Callable[[Conversation], bool]) -> None:
        """End the clients that are not wanted and do nothing at the moment; safe from any thread."""

        def end() -> None:
            for client in self._all_clients():
                if client.interest and unwanted(client.conversation):
                    self._end(client)

        self.call_soon(end)

    def _hand_over(self, client: C) -> None:
        """Let go of a client whose connection is from now on one of ours to it."""
        self._unwatch_client(client)
        with self._lock:
            known = client in self._clients
            self._clients.discard(client)
        if known:
            client.conversation.caller.client = None
            client.conversation.turn(client.stream)

    def _watch_client(self, client: C, interest: int = selectors.EVENT_READ) -> None:
        """Have `_ready` called when a client can do one of these; 0 for none."""
        if interest == client.interest:
            return
        try:
            if not interest:
                self._unwatch_client(client)
            elif client.interest:
                self.selector.modify(client.stream, interest, self.selector.get_key(client.stream).data)
            else:
                self.watch(client.stream, partial(self._ready, client), interest)
            client.interest = interest
        except (ValueError, KeyError, OSError):
            self._end(client)

    def _unwatch_client(self, client: C) -> None:
        if client.interest:
            client.interest = 0
            self.unwatch(client.stream)

    def _set_deadline(self, client: C) -> None:
        """Decide how long a client may be silent, after something came and was dealt with.

        One that is to be called from now on is no client any more.
        """
        conversation = client.conversation
        if conversation.turned:
            self._hand_over(client)
        elif conversation.closed:
            self._say_farewell(client)
        elif conversation.greeted:
            client.deadline = after(self._options.timeout or _MIDWAY) if conversation.midway else None

    def _say_farewell(self, client: C) -> None:
        """Let a refused client read why: closing at once, with bytes of it unread, would take the reason away."""
        if not client.leaving:
            client.leaving = True
            client.deadline = after(_FAREWELL)
            client.stream.finish_sending()

    @staticmethod
    def _tell_why(client: C, error: BaseException) -> None:
        """Log why a client is going to be ended."""
        if isinstance(error, ConnectionClosedError | TimeoutError):
            log.debug("client %s is gone: %s", client.address, error)
        elif isinstance(error, CommunicationError):
            log.warning("client %s is let go: %s", client.address, error)
        else:
            log.error("serving client %s failed", client.address, exc_info=error)

    def _end(self, client: C) -> None:
        self._unwatch_client(client)
        client.conversation.close()
        client.conversation.caller.client = None
        client.stream.close()
        with self._lock:
            known = client in self._clients
            self._clients.discard(client)
        if known:
            self._gone(client.conversation)

    # Threads

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

    def _run_detached(self, task: Task) -> bool:
        """Run a oneway call in a thread of its own; False when there are too many already."""

        def run() -> None:
            try:
                finished(task.run())
            finally:
                with self._lock:
                    self._oneways.discard(threading.current_thread())
                if self._drain_until is not None:
                    self._wakeup.wake()

        with self._lock:
            return len(self._oneways) < _ONEWAYS and self._start(run, "pyronb-oneway", self._oneways)

    def _threads(self) -> list[threading.Thread]:
        """List the threads in which calls run."""
        with self._lock:
            return list(self._oneways)

    # Stopping

    def shutdown(self) -> None:
        """Have the loop end soon; safe from any thread, from a served call and from a signal handler."""
        self.stopping = True
        self._wakeup.wake()

    def drain(self, patience: float) -> None:
        """Have the loop end once the calls that run have been answered; safe from wherever `shutdown` is.

        Args:
            patience: seconds after which it ends in any case.
        """
        self._drain_until = after(patience)
        self._wakeup.wake()

    @property
    def patience(self) -> float:
        """Seconds that calls which still run may be waited for when it ends: what is left of those given to `drain`."""
        return _PATIENCE if self._drain_until is None else max(0.0, self._drain_until - time.monotonic())

    def _go_on_draining(self, until: float) -> None:
        if self._accepting:
            # Who comes from now on is turned away by the system at once, instead of waiting in its queue.
            self._accepting = False
            self._stop_listening()
        for client in self._all_clients():
            if self._resting(client):
                self._end(client)
        if time.monotonic() >= until or not (self._clients or self._oneways):
            self.stopping = True

    def finish(self) -> None:
        """Take leave after the loop has ended: calls that run may end, and their answers are sent."""
        self._stop_listening()
        self._join(after(self.patience))

    def _stop_listening(self) -> None:
        if self.listener is not None:
            self.unwatch(self.listener)
            self.listener.close()

    def _join(self, until: float) -> None:
        for thread in self._threads():
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """End the loop, all connections and all threads; threads of calls that do not end are left to themselves."""
        if self._closed:
            return
        self._closed = True
        self.shutdown()
        until = after(self.patience)
        # The loop may be running in this very thread, further up.
        alone = self._looping.acquire(timeout=self.patience)
        self._stop_listening()
        clients = self._all_clients()
        for client in clients:
            client.stream.shutdown()
        self._join(until)
        for client in clients:
            self._end(client)
        with self._lock:
            adopted, self._adopted = self._adopted, set()
        for stream in adopted:
            stream.close()
        self.selector.close()
        self._wakeup.close()
        if alone:
            self._looping.release()
