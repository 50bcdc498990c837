"""MultiplexEngine: one loop does everything, and calls run in its thread, one after the other.

Nothing here waits for a client: what a client does not read yet is kept, and until it has read that, nothing more is
read from it. A client that asked for many things at once gets a turn at a time.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Any, ClassVar

from pyronb.errors import CommunicationError, ConnectionClosedError
from pyronb.net.back import HELP
from pyronb.net.deadline import after
from pyronb.net.ready import ReadyStream
from pyronb.server.conversation import Answer, Conversation, Task
from pyronb.server.coroutines import Pending
from pyronb.server.engines.base import STALL, Client, Engine
from pyronb.wire.message import Buffer

__all__ = ["MultiplexEngine"]

log = logging.getLogger("pyronb.server")

_TURN = 0.02
"""Seconds after which a client that asked for many things at once lets the others have their turn."""
_MOST_PENDING = 1000
"""Most coroutines that run for one client at the same time."""
_MUCH = 64 * 1024
"""Bytes of answers that a client has not read, from which on it is not told anything more meanwhile."""
_LOOK = 0.02
"""Seconds between two looks at whether a call that waits for a new client has got it."""
_FULL = 1 << 20
"""Bytes of answers that a client has not read, from which on nothing more is done for it."""


class _Client(Client):
    """A client of the loop.

    Attributes:
        engine: the engine.
        busy: whether one of its tasks is being done.
        ended: whether nothing more comes from it.
        listening: whether what comes is heard although one of its tasks is being done.
        pending: how many of its calls wait for coroutines while others go on.
    """

    __slots__ = ("busy", "ended", "engine", "listening", "pending")

    stream: ReadyStream

    def __init__(
        self, stream: ReadyStream, conversation: Conversation, deadline: float | None, engine: MultiplexEngine
    ) -> None:
        super().__init__(stream, conversation, deadline)
        self.engine = engine
        self.busy = False
        self.ended = False
        self.listening = False
        self.pending = 0

    def tell(self, buffers: Sequence[Buffer], later: Callable[[], Any] | None) -> bool | None:
        """Send something that is no answer; see `Way`. From other threads it is left to the loop."""
        if self.stream.closed:
            raise ConnectionClosedError("sending: the client is gone")
        return self.engine.tell(self, buffers, later)

    def look(self) -> None:
        """Hear what the client has sent; see `Way`. Other threads leave that to the loop."""
        self.engine.look(self)

    def listen(self) -> None:
        """From now on hear what the client sends while it waits for a coroutine; see `Way`."""
        self.engine.call_soon(partial(self.engine.listen, self))

    def hear_now(self) -> None:
        """Hear what the client has sent while its call runs.

        Raises:
            ConnectionClosedError: it has hung up.
        """
        stream, conversation = self.stream, self.conversation
        while not conversation.full and (data := stream.receive_now(missing=conversation.missing)) is not None:
            self.hear(data)

    @property
    def wants(self) -> int:
        """What it can be watched for."""
        full = self.stream.unsent >= _FULL
        if self.busy:
            read = EVENT_READ if self.listening and not self.conversation.full else 0
        else:
            read = 0 if self.ended or full or self.tasks is not None else EVENT_READ
        return read | (EVENT_WRITE if self.stream.unsent else 0)


class MultiplexEngine(Engine[_Client]):
    """Serves all clients in the thread of its loop; its arguments are those of `Engine`."""

    name: ClassVar[str] = "multiplex"

    def __str__(self) -> str:
        return f"<{self.name}; {self.clients} clients>"

    def _make_client(
        self, sock: socket.socket, session: Any, conversation: Conversation, deadline: float | None
    ) -> _Client:
        return _Client(ReadyStream(sock, session), conversation, deadline, self)

    def tell(self, client: _Client, buffers: Sequence[Buffer], later: Callable[[], Any] | None) -> bool | None:
        """Send a client something that is no answer, unless it has much to read already."""
        if client.stream.unsent >= _MUCH:
            return False
        # The loop's own thread has it already, and where no loop runs, this one may as well.
        if not self._looping.acquire(blocking=False):
            if later is not None:
                self.call_soon(partial(self._attend, client, partial(self._tell_later, later)))
            return None
        try:
            client.stream.say(buffers)
        finally:
            self._looping.release()
        return True

    def look(self, client: _Client) -> None:
        """Hear what a client has sent whose call runs in the loop's own thread."""
        if client.listening or not client.busy or not self._looping.acquire(blocking=False):
            return
        try:
            client.hear_now()
        finally:
            self._looping.release()

    def listen(self, client: _Client) -> None:
        """Hear what a client sends from now on until its coroutine has ended; called by the loop."""
        if client.busy and not client.stream.closed:
            client.listening = True
            self._settle(client)

    def _hear(self, client: _Client) -> None:
        try:
            client.hear_now()
        except CommunicationError as error:
            self._tell_why(client, error)
            client.listening = False
            client.conversation.hung_up()

    def _tell_later(self, later: Callable[[], Any], client: _Client) -> None:
        later()
        self._settle(client)

    def _resting(self, client: _Client) -> bool:
        return not (client.busy or client.pending or client.tasks or client.stream.unsent or client.conversation.midway)

    def _turn(self, patience: float) -> None:
        before, HELP.loop = HELP.loop, self._take_in_meanwhile
        try:
            super()._turn(patience)
        finally:
            HELP.loop = before

    def _take_in_meanwhile(self, done: Callable[[], bool], until: float) -> None:
        """Take new clients in while a call that runs in this loop waits for one of them, and do nothing else."""
        while not (done() or self._closed) and (left := until - time.monotonic()) > 0:
            if self.listener is not None and self._accepting:
                self._accept()
            new = [client for client in self._all_clients() if client.interest and client.conversation.new]
            with DefaultSelector() as selector:
                for client in new:
                    selector.register(client.stream, client.interest, client)
                if self.listener is not None and self._accepting:
                    selector.register(self.listener, EVENT_READ)
                ready = [key.data for key, _ in selector.select(min(left, _LOOK))]
            for client in filter(None, ready):
                self._attend(client, self._greet)

    def _greet(self, client: _Client) -> None:
        """Do for a new client what it needs to be taken in, and nothing of what it may ask for."""
        stream, conversation = client.stream, client.conversation
        if stream.unsent:
            stream.flush()
        data = None if conversation.greeted else stream.receive_now(missing=conversation.missing)
        if data is not None:
            tasks = conversation.receive(data)
            task = next(tasks, None)
            if task is not None:
                # Before all else comes the greeting.
                self._do(client, task)
                if not conversation.turned:
                    client.tasks = tasks
                    self.call_soon(partial(self._attend, client, self._go_on))
        self._settle(client)

    def _ready(self, client: _Client) -> None:
        self._attend(client, self._move)

    def _attend(self, client: _Client, do: Callable[[_Client], None]) -> None:
        """Do something for a client; what goes wrong ends no other's conversation."""
        try:
            do(client)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this client only
            self._tell_why(client, error)
            self._end(client)

    def _move(self, client: _Client) -> None:
        """Send and receive what can be sent and received."""
        stream = client.stream
        if stream.unsent and stream.flush() and client.conversation.greeted:
            client.deadline = None
        if client.busy:
            if client.listening:
                self._hear(client)
        elif client.wants & EVENT_READ:
            try:
                data = stream.receive_now(missing=client.conversation.missing)
            except CommunicationError:
                if not stream.unsent:
                    raise
                # It may have finished sending and still read what it asked for.
                client.ended = True
            else:
                if data is not None:
                    self._take_in(client, data)
        self._go_on(client)

    def _take_in(self, client: _Client, data: bytes) -> None:
        short = client.conversation.short or client.conversation.first_short(data)
        if short is not None and not client.conversation.together:
            client.busy = True
            answer = short.answer(data)
            if answer is not None:
                self._send(client, answer)
                return
            client.busy = False
        client.tasks = client.conversation.receive(data)

    def _go_on(self, client: _Client) -> None:
        """Do what a client asked for, as long as it is its turn."""
        until = time.monotonic() + _TURN
        while client.tasks is not None and not client.busy and client.stream.unsent < _FULL:
            # A call of another client may wait for just this one to be taken in.
            if time.monotonic() >= until and not client.conversation.new:
                self.call_soon(partial(self._attend, client, self._go_on))
                break
            task = next(client.tasks, None)
            if task is None:
                client.tasks = None
            else:
                self._do(client, task)
        self._settle(client)

    def _do(self, client: _Client, task: Task) -> None:
        if task.detached and self._run_detached(task):
            return
        # What is called here may itself let the loop turn once.
        client.busy = True
        client.conversation.caller.loose = False
        self._send(client, task.run())

    def _send(self, client: _Client, answer: Answer) -> None:
        """Send an answer, at once or when it is known; until then the client's next call waits, and others do not."""
        if isinstance(answer, Pending):
            together = client.conversation.together and client.conversation.caller.loose
            if together and client.pending < _MOST_PENDING:
                client.pending += 1
                client.busy = False
            else:
                together = False
            step = partial(self._attend, client, partial(self._send_what_came, pending=answer, together=together))
            answer.future.add_done_callback(lambda _: self.call_soon(step))
            return
        client.busy = client.listening = False
        if answer:
            client.stream.say(answer)

    def _send_what_came(self, client: _Client, pending: Pending[Any], *, together: bool) -> None:
        if together:
            client.pending -= 1
        if not client.stream.closed:
            client.conversation.caller.loose = together
            self._send(client, pending.then(pending.future))
            self._go_on(client)

    def _settle(self, client: _Client) -> None:
        """Decide what to wait for, and how long."""
        if client.stream.closed:
            return  # what was called has closed it
        if client.stream.unsent:
            if client.deadline is None:
                client.deadline = after(self._options.timeout or STALL)
        elif client.tasks is None and not client.busy:
            if client.ended and not client.pending:
                self._end(client)
                return
            self._set_deadline(client)
            if client.conversation.turned:
                return
        self._watch_client(client, client.wants)

    # Stopping

    def finish(self) -> None:
        """Take leave after the loop has ended: what is being done is finished, and its answers are sent."""
        until = after(self.patience)
        self._stop_listening()
        with self._looping:
            for client in self._all_clients():
                client.ended = True
                self._attend(client, self._settle)
            while self._clients and not self._closed and time.monotonic() < until:
                self._turn(until - time.monotonic())
        self._join(until)
