"""ThreadEngine: calls run on worker threads; connections that are idle cost none.

The loop watches all idle connections. When bytes arrive on one, a worker takes it over: it reads, runs calls, answers,
and stays for a moment because the next call often follows at once, unless others wait. Then the connection goes back to
the loop. So a thousand idle clients need no thread, the greeting of a new client is read by a worker and never holds up
accepting, and clients that find all workers busy take turns. Where many clients are busy they are served as a crowd
(`crowd.py`). A client whose call waits for a coroutine needs no thread either: it is parked, and a worker goes on with
it when the coroutine has ended; and so is one that does not read what it asked for, until there is room for more of
that.

Calls of one client run one after the other, unless it wants them together (`together.py`).
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, ClassVar

from pyronb.errors import CommunicationError
from pyronb.net.deadline import after
from pyronb.net.stream import SocketStream, stream_over
from pyronb.options import DaemonOptions
from pyronb.server.conversation import Answer, Conversation
from pyronb.server.coroutines import Pending
from pyronb.server.engines.base import STALL, Client, Engine
from pyronb.server.engines.crowd import FEW, Crowd
from pyronb.server.engines.together import MOST_TOGETHER, Together, Turn
from pyronb.server.shortcut import ShortCut
from pyronb.wire.message import Buffer

__all__ = ["ThreadEngine", "WorkerClient"]

log = logging.getLogger("pyronb.server")

_STAY = 0.05
"""Seconds that a worker stays with a connection on which nothing arrives."""
_SOON = 0.004
"""Seconds that a worker stays with a client that has not called yet; many connect and are silent."""
_IDLE = 1.0
"""Seconds after which a worker without work ends."""
_ALONE = 1.0
"""Seconds that a client with a call that took long has a worker of its own."""
_MOMENT = 0.002
"""Seconds after which a call is left to itself, where the client's next one may begin."""
_LINGER = 20
"""How many moments without any such call the overseer stays awake."""
_MOST_PENDING = 1000
"""Most coroutines that run for one client at the same time."""


class WorkerClient(Client):
    """A client of workers.

    Attributes:
        engine: the engine.
        alone_until: moment until which it stays out of a crowd.
    """

    __slots__ = ("alone_until", "engine")

    def __init__(
        self, stream: SocketStream, conversation: Conversation, deadline: float | None, engine: ThreadEngine
    ) -> None:
        super().__init__(stream, conversation, deadline)
        self.engine = engine
        self.alone_until = 0.0

    def tell(self, buffers: Sequence[Buffer], later: Callable[[], Any] | None) -> bool | None:
        """Send something that is no answer; see `Way`."""
        together: Together | None = self.together
        if together is None:
            # Its only call is the one that tells something.
            return super().tell(buffers, later)
        with together.sending:
            return super().tell(buffers, later)

    def look(self) -> None:
        """Hear what the client has sent; see `Way`.

        While a worker runs its only call, or has the turn, nobody else reads from it. For a call that was left to
        itself another worker does, and for a coroutine the loop.
        """
        if self.engine.is_parked(self):
            return
        together: Together | None = self.together
        if together is None:
            self.look_now()
            return
        with together.lock:
            # As long as this is held, the turn is not lost.
            turn = together.turn
            if turn is not None and not turn.lost and turn.owner == threading.get_ident():
                self.look_now()

    def look_now(self) -> None:
        """Hear what the client has sent while its call runs, where nobody else reads.

        Raises:
            ConnectionClosedError: it has hung up.
        """
        stream, conversation = self.stream, self.conversation
        while stream.readable and not conversation.full:
            data = stream.receive_within(0, missing=conversation.missing)
            if data is None:
                return
            self.hear(data)

    def listen(self) -> None:
        """From now on hear what the client sends while it waits for a coroutine; see `Way`."""
        self.engine.listen(self)


class _Seat:
    """Where a worker waits for work; whoever brings some lets go of its lock."""

    __slots__ = ("lock", "work")

    def __init__(self) -> None:
        self.work: Callable[[], None] | None = None
        self.lock = threading.Lock()
        self.lock.acquire()


class ThreadEngine(Engine[WorkerClient]):
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
        # What needs a worker, and the workers that wait for such a thing. There is never both for long. Whoever came
        # last is asked first: so those that are not needed have nothing to do for long, and end.
        self._work: deque[Callable[[], None]] = deque()
        self._seats: list[_Seat] = []
        self._taken = 0
        self._workers: set[threading.Thread] = set()
        self._crowd: Crowd[WorkerClient] = Crowd(self._go_on, self._give_back, self._end_for)
        # Clients that wait for a coroutine, and what is to become of its end.
        self._parked: dict[WorkerClient, Pending[Any]] = {}
        self._unparked = threading.Condition(self._lock)
        # Those of them that may withdraw their call, which the loop hears.
        self._listening: set[WorkerClient] = set()
        self._heard_out: deque[WorkerClient] = deque()
        self._deaf = False
        # How many coroutines run whose clients go on meanwhile; and the clients that have a turn, for the overseer.
        self._pending = 0
        self._turns: set[WorkerClient] = set()
        self._turn_came = threading.Condition(self._lock)
        self._overseer: threading.Thread | None = None
        self._overseer_waits = False

    def __str__(self) -> str:
        return f"<{self.name}; {self.workers} workers, {self.clients} clients>"

    @property
    def workers(self) -> int:
        """How many worker threads there are at the moment."""
        return len(self._workers)

    @property
    def waiting(self) -> int:
        """How many of them have nothing to do."""
        return len(self._seats)

    # The loop's side

    def _make_client(
        self, sock: socket.socket, session: Any, conversation: Conversation, deadline: float | None
    ) -> WorkerClient:
        stream = stream_over(sock, session, stall=self._options.timeout or STALL)
        return WorkerClient(stream, conversation, deadline, self)

    def _begin(self, client: WorkerClient) -> None:
        # Most clients say something at once. Where a worker waits already, it may as well wait for that.
        with self._lock:
            taken = not self._closed and self._seat(partial(self._attend, client))
        if taken:
            self._look_around()
        else:
            super()._begin(client)

    def _ready(self, client: WorkerClient) -> None:
        if not client.interest:
            return  # Something else of the same turn has given it to a worker, or has ended it.
        self._unwatch_client(client)
        with self._lock:
            listens = client in self._listening
        if listens:
            self._hear(client)
        else:
            self._put(partial(self._attend, client))
            self._look_around()

    def _look_around(self) -> None:
        """Have clients gather where many workers stay with theirs."""
        if len(self._workers) - len(self._seats) > FEW:
            self._crowd.invite()

    # Clients that wait for a coroutine

    def is_parked(self, client: WorkerClient) -> bool:
        """Whether a client waits for a coroutine, and no worker has it."""
        with self._lock:
            return client in self._parked

    def listen(self, client: WorkerClient) -> None:
        """Hear what a client sends while it waits for a coroutine; safe from any thread."""
        self.call_soon(partial(self._listen, client))

    def _listen(self, client: WorkerClient) -> None:
        with self._lock:
            pending = self._parked.get(client)
            # Whoever is told of its end looks whether somebody listens, after it has ended.
            if pending is None or pending.future.done():
                return
            self._listening.add(client)
        self._watch_client(client)

    def _hear(self, client: WorkerClient) -> None:
        try:
            client.look_now()
        except CommunicationError as error:
            self._tell_why(client, error)
            client.conversation.hung_up()
            return
        if not client.conversation.full:
            self._watch_client(client)

    def _unpark(self, client: WorkerClient) -> None:
        """Go on with a client whose coroutine has ended."""
        with self._lock:
            listens = client in self._listening and not self._deaf
            if listens:
                self._heard_out.append(client)
        if listens:
            self.call_soon(self._listen_no_more)
        else:
            self._put(partial(self._attend, client))

    def _listen_no_more(self) -> None:
        """Go on with the clients that were listened to, and whose coroutines have ended; called by the loop."""
        while self._heard_out:
            client = self._heard_out.popleft()
            self._unwatch_client(client)
            with self._lock:
                self._listening.discard(client)
            self._put(partial(self._attend, client))

    def _put(self, work: Callable[[], None]) -> None:
        """Have a worker do something; safe from any thread."""
        with self._lock:
            if self._closed or self._seat(work):
                return
            self._work.append(work)
            # Much that comes at once is mostly done soon. The overseer sees when it is not.
            if len(self._work) == 1 or not self._workers:
                self._hire(1)
            else:
                self._call_overseer()

    def _hire(self, most: int) -> None:
        """Start so many workers, or as many as there may be; called with the lock held."""
        for _ in range(min(most, self._options.workers - len(self._workers))):
            if not self._start(self._be_worker, "pyronb-worker", self._workers):
                return

    @property
    def _may_hire(self) -> bool:
        return bool(self._work) and len(self._workers) < self._options.workers

    def _seat(self, work: Callable[[], None]) -> bool:
        """Give work to a worker that waits for some, if there is one; called with the lock held."""
        if not self._seats:
            return False
        seat = self._seats.pop()
        seat.work = work
        seat.lock.release()
        return True

    def _resting(self, client: WorkerClient) -> bool:
        together: Together | None = client.together
        if together is not None and (together.running or together.kept):
            return False
        if client in self._listening:
            return False
        return bool(client.interest) and not (client.conversation.midway or client.stream.unfinished)

    # The workers' side

    def _be_worker(self) -> None:
        seat = _Seat()
        while (work := self._next_work(seat)) is not None:
            work()

    def _next_work(self, seat: _Seat) -> Callable[[], None] | None:
        """Wait for something to do; None tells the worker to end."""
        while True:
            with self._lock:
                if self._work:
                    self._taken += 1
                    return self._work.popleft()
                if self.stopping:
                    self._workers.discard(threading.current_thread())
                    return None
                self._seats.append(seat)
            while not seat.lock.acquire(timeout=_IDLE):
                with self._lock:
                    # Some workers stay, so that a call after a pause need not wait for a thread.
                    if seat in self._seats and len(self._workers) > self._options.workers_kept:
                        self._seats.remove(seat)
                        self._workers.discard(threading.current_thread())
                        return None
            work, seat.work = seat.work, None
            if work is not None:
                return work

    def _attend(self, client: WorkerClient, answer: Answer = None) -> None:
        """Serve a client as long as it is busy, sending it this answer first."""
        stays: bool | None = False
        try:
            stays = self._serve(client, answer)
        except BaseException as error:  # noqa: BLE001 - what would end the program ends its client only
            self._tell_why(client, error)
        if stays is not None and client.together is not None:
            self._end_turn(client, client.together)
        if stays:
            self._give_back(client)
        elif stays is not None:
            self._end(client)
            if self._drain_until is not None:
                self._wakeup.wake()

    def _send_what_came(self, client: WorkerClient, pending: Pending[Any]) -> None:
        """Send an answer that was pending while its client went on."""
        try:
            self._finish_call(client, pending)
        except BaseException as error:  # noqa: BLE001 - it ends its client only, which whoever reads from it sees to
            self._tell_why(client, error)
        with self._lock:
            self._pending -= 1
            self._unparked.notify_all()

    def _serve(self, client: WorkerClient, answer: Answer = None) -> bool | None:
        """Serve a client until it is idle for a moment or others wait.

        False when it has to go; None when it is parked or in the crowd, and may be in the hands of another worker
        already, or when it is no client any more.
        """
        if not self._resume(client, answer):
            return None
        stream, conversation = client.stream, client.conversation
        rest, missing = conversation.rest, conversation.missing
        stay = _STAY if conversation.called else _SOON
        while not self.stopping:
            if rest is None or not stream.direct:
                data = stream.receive_within(stay, missing=missing)
                if data is None:
                    return True
                short = None if conversation.together else conversation.short or conversation.first_short(data)
                if short is not None or conversation.together:
                    other = self._serve_alone(client, data) if short is None else self._serve_short(client, short, data)
                    if not isinstance(other, bytes):
                        return other
                    data = other
                client.tasks = conversation.receive(data)
            else:
                count = stream.receive_into_within(stay, rest)
                if count is None:
                    return True
                client.tasks = conversation.filled(count)
            goes_on = self._serve_long(client)
            if not goes_on:
                return goes_on
            if self._work or self._drain_until is not None:
                return True
            if self._crowd.wanted and self._gather(client):
                return None
            rest, missing = conversation.rest, conversation.missing
            stay = _STAY if conversation.called else _SOON
        return False

    def _serve_long(self, client: WorkerClient) -> bool | None:
        """Do all that a client asked for; None and False as `_serve` gives them."""
        if not self._do_all(client):
            return None
        self._set_deadline(client)
        if client.conversation.turned:
            return None
        return client.deadline is None or client.deadline >= time.monotonic()

    def _serve_short(self, client: WorkerClient, short: ShortCut, data: bytes) -> bytes | bool | None:
        """Answer calls as long as they are plain, and give what came that is none; or what `_serve` is to give."""
        stream, crowd = client.stream, self._crowd
        while not self.stopping:
            answer = short.answer(data)
            if answer is None:
                return data
            alone = client.tasks is None and not (self._work or crowd.wanted) and self._drain_until is None
            if alone and type(answer) is list and len(answer) == 1 and stream.direct:
                # The usual case: a small answer to a client that waits for it, and whose next call follows.
                came = stream.exchange_within(answer[0], _STAY)
                if came is not None:
                    data = came
                    continue
                if not stream.unfinished:
                    return True
                answer = []
            # There are tasks when something was sent ahead, and heard while the call ran.
            if not (self._send(client, answer) and (client.tasks is None or self._do_all(client))):
                return None
            if self._work or self._drain_until is not None:
                return True
            if crowd.wanted and self._gather(client):
                return None
            came = stream.receive_within(_STAY)
            if came is None:
                return True
            data = came
        return False

    def _serve_alone(self, client: WorkerClient, data: bytes) -> bytes | bool | None:
        """Do as `_serve_short` for a client that may send calls together, as long as each comes alone."""
        while not self.stopping:
            done = self._do_alone(client, data)
            if done is None:
                return data
            if not (done and (client.tasks is None or self._do_all(client))):
                return None
            if self._work or self._drain_until is not None:
                return True
            came = client.stream.receive_within(_STAY)
            if came is None:
                return True
            data = came
        return False

    def _resume(self, client: WorkerClient, answer: Answer) -> bool:
        """Go on with a client that was parked, or after an answer; False when it is parked again."""
        with self._lock:
            pending = self._parked.pop(client, None)
            if pending is not None:
                self._unparked.notify_all()
        if pending is not None:
            answer = pending.then(pending.future)
        elif answer is None and client.tasks is None and not client.stream.unfinished:
            return True
        if not (self._send(client, answer) and self._do_all(client)):
            return False
        self._set_deadline(client)
        return not client.conversation.turned

    def _do_all(self, client: WorkerClient) -> bool:
        """Do what a client asked for; False when it was parked in the middle of that, or others go on with it."""
        if client.conversation.together:
            return self._do_together(client)
        for task in client.tasks or ():
            if task.detached and self._run_detached(task):
                continue
            if not self._send(client, task.run()):
                return False
        client.tasks = None
        return True

    def _send(self, client: WorkerClient, answer: Answer = None) -> bool:
        """Send an answer, or go on with one; False when it is not known, or the client does not read, and is parked."""
        if isinstance(answer, Pending):
            return self._park(client, answer)
        together, stream = client.together, client.stream
        if together is None:
            if answer and len(answer) == 1 and stream.direct:
                # The usual case: a small answer to a client that waits for it.
                if stream.send_small(answer[0]):
                    return True
                answer = None
            if not (answer or stream.unfinished) or stream.send_within(_STAY, answer or ()):
                return True
        else:
            together.add(answer or ())
            if self._flush(client, together):
                return True
        client.deadline = after(self._options.timeout or STALL)
        # The loop tells when there is room for more of it. From here on the client belongs to whoever is told.
        self.call_soon(partial(self._watch_client, client, EVENT_WRITE))
        return False

    def _park(self, client: WorkerClient, pending: Pending[Any]) -> bool:
        """Have a client go on when its answer is known."""
        with self._lock:
            self._parked[client] = pending
        if client.conversation.stoppable:
            # It may have asked to be listened for before it was parked.
            self.listen(client)
        # From here on the client belongs to whoever takes it over, perhaps at once.
        pending.future.add_done_callback(lambda _: self._unpark(client))
        return False

    # Clients that gather

    def _gather(self, client: WorkerClient) -> bool:
        """Have a client served in the crowd, if that is possible, and tell whether it is."""
        conversation, stream = client.conversation, client.stream
        if (
            conversation.together
            or conversation.midway
            or not conversation.greeted
            or (conversation.called and conversation.short is None)
            or client.tasks is not None
            or not stream.direct
            or stream.unfinished
            or client.alone_until > time.monotonic()
        ):
            return False
        if self._crowd.join(client):
            with self._lock:
                # The very worker that asks for this takes it up next: handing over may mean waiting.
                self._work.appendleft(self._lead)
                self._call_overseer()
        return True

    def _lead(self) -> None:
        left = self._crowd.lead(self._leads_no_more)
        if isinstance(left, tuple):
            self._attend(*left)
        elif left and self._drain_until is not None:
            self._crowd.part()
        elif left:
            self._put(self._lead)

    def _leads_no_more(self) -> bool:
        # While others wait for a worker, the crowd is one of those who take turns.
        return self.stopping or bool(self._work) or self._drain_until is not None

    def _go_on(self, client: WorkerClient, answer: Answer) -> None:
        self._put(partial(self._attend, client, answer))

    def _end_for(self, client: WorkerClient, error: BaseException) -> None:
        self._tell_why(client, error)
        self._end(client)

    # Calls that run together

    def _do_together(self, client: WorkerClient) -> bool:
        """Do what a client asked for while it is this worker's turn; False when another one goes on with it.

        The turn lasts for as long as the worker stays with the client.
        """
        if client.together is None:
            client.together = Together()
        together: Together = client.together
        caller = client.conversation.caller
        turn = together.turn or self._begin_turn(client, together)
        turn.done += 1
        lock, add = together.lock, together.add_now
        for task in client.tasks or ():
            if task.detached and self._run_detached(task):
                continue
            failed: BaseException | None = None
            answer: Answer = None
            full = False
            try:
                answer = task.run()
            except BaseException as error:  # noqa: BLE001 - it ends the client, after the books were kept
                failed = error
            with lock:
                lost, loose = turn.lost, caller.loose
                if lost:
                    together.left -= 1
                else:
                    caller.loose = False
                    turn.done += 1
                    full = type(answer) is list and add(answer)
            if lost:
                self._finish_call(client, answer, failed)
                return False
            if failed is not None:
                raise failed
            if isinstance(answer, Pending):
                if not self._let_run(client, together, answer, loose=loose):
                    return False
            elif full and not self._flush(client, together):
                self._end_turn(client, together)
                if not self._send(client):
                    return False
                # There was room after all.
                turn = self._begin_turn(client, together)
        client.tasks = None
        if self._flush(client, together):
            return True
        self._end_turn(client, together)
        return self._send(client)

    def _do_alone(self, client: WorkerClient, data: bytes) -> bool | None:
        """Do as `_do_together`, if nothing has come but one call that takes the short-cut; None when it is not so."""
        together: Together | None = client.together
        if together is None or together.turn is None:
            return None
        conversation, turn = client.conversation, together.turn
        turn.done += 1
        answer: Answer = None
        failed: BaseException | None = None
        try:
            answer = conversation.answer_alone(data)
        except BaseException as error:  # noqa: BLE001 - as above
            failed = error
        if answer is None and failed is None:
            return None
        with together.lock:
            lost, loose = turn.lost, conversation.caller.loose
            if lost:
                together.left -= 1
            else:
                conversation.caller.loose = False
                turn.done += 1
        if lost:
            self._finish_call(client, answer, failed)
            return False
        if failed is not None:
            raise failed
        if isinstance(answer, Pending):
            return self._let_run(client, together, answer, loose=loose)
        assert answer is not None
        if not together.running and len(answer) == 1 and client.stream.direct:
            # There is nobody else who might be sending.
            if client.stream.send_small(answer[0]):
                return True
        else:
            together.add(answer)
            if self._flush(client, together):
                return True
        self._end_turn(client, together)
        return self._send(client)

    def _let_run(self, client: WorkerClient, together: Together, answer: Pending[Any], *, loose: bool) -> bool:
        """Go on while a coroutine runs; False when that may not be, and the client is parked."""
        if not loose or together.running >= _MOST_PENDING:
            self._end_turn(client, together)
            self._flush(client, together)
            return self._park(client, answer)
        with together.lock:
            together.running += 1
        self._await(client, answer)
        return True

    def _begin_turn(self, client: WorkerClient, together: Together) -> Turn:
        client.conversation.caller.loose = False
        turn = together.turn = Turn()
        with self._lock:
            self._turns.add(client)
            self._call_overseer()
        return turn

    def _call_overseer(self) -> None:
        """Have somebody see to it that calls which take long hold nobody up; called with the lock held."""
        if self._overseer_waits:
            self._turn_came.notify()
        elif self._overseer is None and not self._closed:
            self._overseer = threading.Thread(target=self._oversee, name="pyronb-overseer", daemon=True)
            try:
                self._overseer.start()
            except RuntimeError as error:  # calls then run one after the other
                self._overseer = None
                log.error("cannot start a thread: %s", error)

    def _end_turn(self, client: WorkerClient, together: Together) -> None:
        # A turn is only lost while a call runs that is loose.
        together.turn = None
        with self._lock:
            self._turns.discard(client)

    @staticmethod
    def _flush(client: WorkerClient, together: Together) -> bool:
        """Send the answers that are there; False when the client does not read them."""
        stream = client.stream
        with together.sending:
            if stream.unfinished and not stream.send_within(_STAY):
                return False
            replies = together.take()
            return not replies or stream.send_within(_STAY, replies)

    def _wait_for_room(self, client: WorkerClient) -> None:
        """Have the rest of an answer sent when the client reads, if nobody else is there to do so; for the loop."""
        if client.interest == EVENT_READ and client.stream.unfinished:
            client.deadline = after(self._options.timeout or STALL)
            self._watch_client(client, EVENT_WRITE)

    def _await(self, client: WorkerClient, answer: Pending[Any]) -> None:
        """Have an answer sent when it is known, while the client goes on."""
        with self._lock:
            self._pending += 1
        answer.future.add_done_callback(lambda _: self._put(partial(self._send_what_came, client, answer)))

    def _finish_call(self, client: WorkerClient, answer: Answer, failed: BaseException | None = None) -> None:
        """Send the answer to a call that was left to itself."""
        together: Together = client.together
        try:
            if failed is not None:
                raise failed
            if isinstance(answer, Pending) and answer.future.done():
                answer = answer.then(answer.future)
            if isinstance(answer, Pending):
                self._await(client, answer)
                return
            if answer:
                together.add(answer)
                if not self._flush(client, together):
                    self.call_soon(partial(self._wait_for_room, client))
        except BaseException as error:  # noqa: BLE001 - whoever reads from the client finds out as well
            self._tell_why(client, error)
            client.stream.shutdown()
        with together.lock:
            together.running -= 1
            ends = together.over and not together.running
        if ends:
            self._end(client)
        if self._drain_until is not None:
            self._wakeup.wake()

    def _end(self, client: WorkerClient) -> None:
        self._listening.discard(client)
        together: Together | None = client.together
        if together is not None and not self._closed:
            with together.lock:
                together.over = bool(together.running)
            if together.over:
                # Its calls go on, and what they use stays open until they are through.
                self._unwatch_client(client)
                if not self.stopping:
                    client.stream.shutdown()
                return
        super()._end(client)

    def _oversee(self) -> None:
        """See to it that calls which take long hold nobody up.

        The turn, and the lead of the crowd, go from the workers that run them to others; and where nothing was taken
        up of what waits, there are more workers: with each moment twice as many.
        """
        quiet, more, crowd = 0, 1, self._crowd
        while True:
            with self._lock:
                quiet = 0 if self._turns or crowd.led or self._may_hire else quiet + 1
                if quiet >= _LINGER and not self.stopping:
                    self._overseer_waits = True
                    self._turn_came.wait(_IDLE)
                    self._overseer_waits = False
                    quiet = 0 if self._turns or crowd.led or self._may_hire else quiet
                if quiet >= _LINGER or self.stopping:
                    self._overseer = None
                    return
                clients = list(self._turns)
            calls, taken = crowd.calls, self._taken
            time.sleep(_MOMENT)
            for client in clients:
                if self._take_turn(client):
                    self._put(partial(self._attend, client))
            left = crowd.take_lead(calls) if crowd.led else None
            if left is not None:
                left.alone_until = time.monotonic() + _ALONE
                self._put(self._lead)
            with self._lock:
                if self._work and self._taken == taken and not self._closed:
                    self._hire(more)
                    more *= 2
                else:
                    more = 1

    def _take_turn(self, client: WorkerClient) -> bool:
        """Leave the call that runs for a client to itself, if it ran at the last look already, and may be left."""
        together: Together = client.together
        caller = client.conversation.caller
        with together.lock:
            turn = together.turn
            if turn is None:
                return False
            together.overdue = True
            if turn.seen != turn.done:
                turn.seen = turn.done
                return False
            if not caller.loose or together.left >= MOST_TOGETHER:
                return False
            turn.lost = True
            together.turn = None
            caller.loose = False
            together.running += 1
            together.left += 1
        with self._lock:
            self._turns.discard(client)
        return True

    def _give_back(self, client: WorkerClient) -> None:
        self.call_soon(partial(self._watch_again, client))

    def _watch_again(self, client: WorkerClient) -> None:
        # A call that runs on may have left something unsent.
        self._watch_client(client, EVENT_WRITE if client.stream.unfinished else EVENT_READ)

    # Stopping

    def finish(self) -> None:
        """Take leave after the loop has ended: calls that run may end, and their answers are sent."""
        self._stop_listening()
        with self._lock:
            # There is no loop any more that could.
            self._deaf = True
        self._listen_no_more()
        until = after(self.patience)
        self._wait_for_coroutines(until)
        super().finish()
        # A call that was about to start one had not been seen to wait for it.
        self._wait_for_coroutines(until)
        self._join(until)

    def _wait_for_coroutines(self, until: float) -> None:
        with self._lock:
            self._unparked.wait_for(lambda: not (self._parked or self._pending), max(0.0, until - time.monotonic()))

    def _threads(self) -> list[threading.Thread]:
        with self._lock:
            # Those who wait for work are told that none will come.
            if self._closed or not (self._parked or self._pending):
                self._work.clear()
            while self._seats:
                self._seats.pop().lock.release()
            self._turn_came.notify_all()
            overseer = () if self._overseer is None else (self._overseer,)
            return [*self._workers, *self._oneways, *overseer]

    def close(self) -> None:
        """End the loop, all connections and all threads; threads of calls that do not end are left to themselves."""
        super().close()
        self._crowd.close()
