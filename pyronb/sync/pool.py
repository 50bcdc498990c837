"""Pool: a few connections with one call each, for daemons that answer the calls of a connection one after the other.

Whoever calls only puts the call into a queue. One thread sends and reads on all the connections: as soon as a reply has
come, the next call goes out over the same one. A few connections are enough to keep a daemon busy with quick calls; a
call that takes its time holds but its own, and there are more of them as long as that helps. Calls that are not plain
are said by their procedure, which is granted its effects as they come about. Whatever could hold the thread up is left
to others: connecting, and what users do with results. It ends when there is nothing to do; the connections stay.
"""

from __future__ import annotations

import math
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from pyronb.calls import recordings
from pyronb.client.bare import BareCalls, Plain
from pyronb.client.calling import calling, check, deliver_notes, explained, give_up, invoke, understood
from pyronb.client.connecting import hang_up
from pyronb.client.effects import Abandon, Connect, HangUp, Procedure, Reply, Send
from pyronb.client.hearing import Hearing
from pyronb.client.link import Link
from pyronb.client.outcomes import settle
from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError, SecurityError, TimeoutError
from pyronb.futures import FutureResult
from pyronb.net.stream import SocketStream
from pyronb.net.wakeup import Wakeup
from pyronb.news import News
from pyronb.rpc.call import Call, Outcome
from pyronb.sync.driver import connected, grant, run
from pyronb.sync.line import Work, annotations_of, call_of, publish
from pyronb.sync.measure import FEW, MOST, Measure
from pyronb.sync.shortcut import short_cut
from pyronb.sync.streams import FarStream
from pyronb.wire.connection import CLOSED, ClientConnection
from pyronb.wire.events import Event, Replied, Told
from pyronb.wire.message import RESULT, Buffer

__all__ = ["Pool", "Stock"]

_MANY = 8
"""Calls that wait for each connection, where they are many."""
_TELL = 0.002
"""Seconds for which a result may be held back, so that who waits for many quick calls is not woken by each."""
_REFUSED = 1.0
"""Seconds for which a daemon that has taken no further connection is not asked for one."""
_AT_ONCE = 0.0
"""Seconds that receiving may take, for the thread waits for all connections together;"""
_BRIEF = 0.001
"""and that sending may take where the system has room again."""
_IDLE = 0.5
"""Seconds after which the thread ends if there is no work."""

_Selector: Any = getattr(selectors, "PollSelector", selectors.SelectSelector)
"""With so few connections the simplest kind costs least: nothing is told to the system when they come and go."""


class Stock:
    """The connections of one async proxy on which nothing is on its way."""

    def __init__(self, model: Link) -> None:
        """Start without any; those to come have the settings of this link."""
        self._model = model
        self._links: list[Link] = []
        self._lock = threading.Lock()
        self.released = False
        """Whether connections are closed rather than kept; whoever has further work takes that back."""

    def __len__(self) -> int:
        """Tell how many there are."""
        return len(self._links)

    def take(self) -> Link | None:
        """Take the one that was used last."""
        try:
            return self._links.pop()
        except IndexError:
            return None

    def make(self) -> Link:
        """Give a further one, which is not connected yet."""
        link = self._model.sibling()
        link.lock = threading.RLock()
        return link

    def put(self, link: Link) -> None:
        """Keep one for the next call, or close it."""
        with self._lock:
            if not self.released:
                self._links.append(link)
                return
        self._close(link)

    def release(self) -> None:
        """Close them, and those that are put back from now on."""
        with self._lock:
            self.released = True
        while (link := self.take()) is not None:
            self._close(link)

    @staticmethod
    def _close(link: Link) -> None:
        with link.lock:
            run(hang_up(link))


class _Way:
    """A connection that is in use, and the call that is on its way over it."""

    __slots__ = (
        "connection",
        "future",
        "hearing",
        "link",
        "midway",
        "number",
        "procedure",
        "seq",
        "short",
        "stream",
        "unwanted",
        "watched",
        "what",
    )

    connection: ClientConnection
    stream: SocketStream
    short: BareCalls | None
    what: Call | Plain
    future: FutureResult

    def __init__(self, link: Link) -> None:
        """Take this connection, on which nothing is on its way."""
        self.link = link
        self.number = 0
        """Which one it is of all calls that were begun."""
        self.procedure: Procedure[Outcome] | None = None
        """Says the call; None for one that is plain."""
        self.seq: int | None = None
        """Number of the request that is waiting for its reply; None when there is none."""
        self.hearing: Hearing | None = None
        """Hears what is told of the call."""
        self.unwanted = False
        """Whether the answer is not wanted, and the daemon has not been told yet."""
        self.watched = False
        self.begin()

    def begin(self) -> None:
        """Go on with the link as it is connected now."""
        link = self.link
        assert link.connection is not None
        self.connection = link.connection
        self.stream = link.stream
        if link.short is None:
            link.short = short_cut(link)
        self.short = link.short
        self.midway = False
        """Whether a part of the reply has arrived."""

    @property
    def call(self) -> Call:
        """The call, for the procedures."""
        call = call_of(self.what)
        call.object_id = call.object_id or self.link.object_id
        return call


class Pool:
    """The connections of one async proxy that are in use, and the calls that wait for one.

    Args:
        model: whom to call, and how.
        stock: where connections come from, and where they stay meanwhile.
        elsewhere: has another thread do something that may take its time.
    """

    def __init__(self, model: Link, stock: Stock, elsewhere: Callable[[Callable[[], Any]], None]) -> None:
        self._timeout = model.timeout
        self._notes = model.notes
        self._owner = model.owner
        # Whether calls of methods and arguments alone are plain, also where there is no short-cut for them.
        self._plain = model.owner is None and not (
            model.raw or model.max_retries or model.options.remote_output or model.options.wire.log
        )
        self._stock = stock
        self._elsewhere = elsewhere
        self._queue: deque[Work] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        # The process that the thread runs in, for a fork leaves it behind in the parent; 0 while there is none.
        self._runs_in = 0
        self._wakeup: Wakeup | None = None
        # Whether the thread has to be woken when there is work.
        self._sleeps = True
        # What other threads have for this one to do, and how many connections they are making.
        self._errands: deque[Callable[[], None]] = deque()
        self._connecting = 0
        # Those in use, with the moments at which the replies must be there, none of which lies before this one.
        self._busy: dict[_Way, float] = {}
        self._expires = math.inf
        # Those of them over which the next call can go out.
        self._free: list[_Way] = []
        self._selector: Any = None
        # What calls have come to that is not published yet, and when that was done last.
        self._settled: deque[tuple[FutureResult, Any, BaseException | None]] = deque()
        self._told = 0.0
        # The moment that it is, or was a moment ago, and when there is more to be done than hearing replies.
        self._now = 0.0
        self._due = 0.0
        # How many calls were begun, how quickly, as long as others wait, and how many may be on their way therefore.
        self._begun = 0
        self._measure: Measure | None = None
        self._limit = FEW
        self._not_before = 0.0

    def submit(self, what: Call | Plain, future: FutureResult) -> None:
        """Have a call made."""
        self._queue.append((what, future))
        # Looking costs less than the lock; the thread looks at the queue once more before it sleeps.
        if self._sleeps:
            self._wake()

    def _wake(self) -> None:
        with self._lock:
            # To ask the thread whether it is alive would not do: where that is interrupted, it is taken for dead.
            if self._runs_in != os.getpid():
                if self._wakeup is not None:
                    self._wakeup.close()
                self._wakeup = wakeup = Wakeup()
                self._thread = threading.Thread(target=self._run, args=(wakeup,), name="pyronb-async", daemon=True)
                self._thread.start()
                self._runs_in = os.getpid()
            elif self._wakeup is not None:
                self._wakeup.wake()
                self._sleeps = False

    def _send_for(self, errand: Callable[[], None]) -> None:
        """Have the thread do something."""
        self._errands.append(errand)
        self._wake()

    def withdraw(self, future: FutureResult) -> None:
        """Tell the daemon that the answer to a call that is on its way is not wanted."""
        if self._busy:
            self._send_for(partial(self._withdraw, future))

    def release(self) -> None:
        """Have the thread end as soon as there is no work."""
        with self._lock:
            if self._wakeup is not None:
                self._wakeup.wake()

    # The thread

    def _run(self, wakeup: Wakeup) -> None:
        with self._lock:
            if self._thread is not threading.current_thread():
                return  # Starting it was interrupted, and another one has taken its place meanwhile.
            self._runs_in = os.getpid()
        self._told, self._due = time.monotonic(), 0.0
        with closing(wakeup), closing(_Selector()) as self._selector:
            self._selector.register(wakeup, EVENT_READ)
            try:
                while self._goes_on():
                    self._turn(wakeup)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the futures
                self._break(error)

    def _turn(self, wakeup: Wakeup) -> None:
        """Wait until something happens, and go on with it."""
        if self._settled:
            patience: float | None = _TELL
        else:
            patience = None if self._due == math.inf else max(0.0, self._due - self._now)
        for key, events in self._selector.select(patience):
            way = key.data
            if way is None:
                wakeup.drain()
                self._due = 0.0
            elif events & EVENT_WRITE:
                self._send_rest(way)
            else:
                self._hear(way)
        self._send_next()
        if self._measure is not None:
            self._measure.turns += 1

    def _goes_on(self) -> bool:
        """See to what is due; False when there was nothing to do for a while."""
        self._now = now = time.monotonic()
        if self._queue and now < self._due and not (self._settled and now - self._told > _TELL):
            # The usual case: calls wait, and go out where replies have come.
            return True
        while self._errands:
            self._errands.popleft()()
        if now >= self._expires:
            self._expire(now)
        self._send_next()
        goes_on = self._see_to_queue()
        self._due = self._next_due()
        return goes_on

    def _see_to_queue(self) -> bool:
        """Begin what can be begun; False when there was nothing to do for a while."""
        queue = self._queue
        while True:
            if queue:
                self._look(time.monotonic())
            if not queue:
                self._measure, self._limit = None, FEW
            if self._settled and (not queue or time.monotonic() - self._told > _TELL):
                self._tell()
            if queue:
                if self._measure is not None:
                    return True
                continue  # They came after the look.
            with self._lock:
                # In this order: whoever adds to the queue after this look at it sees that the thread has to be woken.
                self._sleeps = True
                if not queue:
                    return self._stays()
                self._sleeps = False

    def _stays(self) -> bool:
        """Whether there is something to wait for, with an empty queue; the lock is held."""
        if self._busy or self._connecting or not (self._stock.released or time.monotonic() - self._told >= _IDLE):
            return True
        self._have_ended()
        return False

    def _have_ended(self) -> None:
        """Have the next call start another thread; the lock is held."""
        self._thread = self._wakeup = None
        self._runs_in = 0

    def _next_due(self) -> float:
        """Give the moment at which there is something to do though nothing happens."""
        if not (self._busy or self._connecting):
            return self._told + _IDLE
        if self._measure is not None and not self._connecting and len(self._busy) < MOST:
            return min(self._expires, max(self._measure.look_at, self._not_before))
        return self._expires

    # Connections

    def _look(self, now: float) -> None:
        """Have calls that wait go out over further connections, if that helps."""
        busy, measure = self._busy, self._measure
        if measure is None:
            measure = self._measure = Measure(self._begun, now)
        elif now >= measure.look_at and not self._connecting:
            # Those that were on their way at the last look hold their connections.
            held = sum(way.number <= measure.begun for way in busy)
            measure.look(self._begun, now)
            self._limit = min(measure.connections + held, MOST)
        while self._queue and len(busy) < self._limit and (link := self._stock.take()) is not None:
            if link.connected:
                self._use(link)
        waiting, there = len(self._queue), len(busy)
        if not waiting or self._connecting or there >= self._limit or (there and now < self._not_before):
            return
        wanted = waiting if measure.looked else max(waiting // _MANY, not there)
        for _ in range(min(wanted, self._limit - there)):
            self._connecting += 1
            self._elsewhere(partial(self._connect, annotations_of(self._queue)))

    def _connect(self, annotations: Mapping[str, Buffer]) -> None:
        """Make a connection; this runs in another thread."""
        link = self._stock.make()
        failed: BaseException | None = None
        for _ in range(1 + link.max_retries):
            failed = self._connected(link, None, annotations)
            if not isinstance(failed, ConnectionClosedError | TimeoutError):
                break
        self._send_for(partial(self._take_in, link, failed))

    @staticmethod
    def _connected(link: Link, *with_what: Any) -> BaseException | None:
        """Connect a link, and give what is raised meanwhile."""
        try:
            connected(link, *with_what)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the futures
            return error
        return None

    def _take_in(self, link: Link, failed: BaseException | None) -> None:
        self._connecting -= 1
        if self._measure is not None and not self._connecting:
            self._measure.begin(self._begun, time.monotonic())
        if failed is None:
            self._use(link)
        elif self._busy or self._connecting or len(self._stock):
            # There may be no more of them: real daemons have a worker for each, and but so many.
            self._not_before = time.monotonic() + _REFUSED
        else:
            self._fail_queue(failed)

    def _use(self, link: Link) -> None:
        """Have calls go out over a connection."""
        way = _Way(link)
        self._busy[way] = math.inf
        self._watch(way)
        self._free.append(way)
        self._send_next()

    def _watch(self, way: _Way) -> None:
        self._selector.register(way.stream, EVENT_READ, way)
        way.watched = True

    def _unwatch(self, way: _Way) -> None:
        if way.watched:
            self._selector.unregister(way.stream)
            way.watched = False

    def _leave(self, way: _Way) -> None:
        del self._busy[way]
        self._unwatch(way)

    # Calls

    def _send_next(self) -> None:
        """Send the next calls of the queue over the connections that are free; those that are not needed go back.

        They are all laid out before the first one is sent: on one processor that is when the daemon gets its turn.
        """
        while self._free:
            free, self._free = self._free, []
            for way, data in [(way, data) for way in free if (data := self._next(way)) is not None]:
                if not data:
                    self._go_on(way)
                    continue
                try:
                    if not way.stream.send_small(data):
                        self._selector.modify(way.stream, EVENT_READ | EVENT_WRITE, way)
                except CommunicationError as error:
                    self._lose(way, error)

    def _next(self, way: _Way) -> bytes | None:
        """Begin the next call of the queue on a connection; None when it has gone back, for there is none.

        Gives:
            The call, laid out, if it is plain; no bytes when it has a procedure.
        """
        connection, queue, short = way.connection, self._queue, way.short
        while queue and len(self._busy) <= self._limit:
            what, future = queue.popleft()
            packed = None
            if type(what) is tuple and not recordings:
                try:
                    packed = self._laid_out(way, what) if short is None else short.pack(connection, what)
                except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the future
                    self._fail(future, error)
                    continue
            if not future.set_running_or_notify_cancel():
                if packed is not None:
                    connection.take_back(packed[1])
                continue
            way.what, way.future = what, future
            self._begun = way.number = self._begun + 1
            if packed is None:
                way.procedure = self._procedure(way)
                return b""
            data, way.seq = packed
            if self._timeout is not None:
                self._allow(way, time.monotonic() + self._timeout)
            return data
        self._leave(way)
        way.link.sequence = connection.sequence
        self._stock.put(way.link)
        return None

    def _laid_out(self, way: _Way, what: Plain) -> tuple[bytes, int] | None:
        """Lay a plain call out where there is no short-cut, and give its number; None when it needs its procedure."""
        link, method = way.link, what[0]
        if not self._plain or link.metadata is None or method in link.metadata.oneway:
            return None
        assert link.codec is not None
        assert link.serializer is not None
        seq = way.connection.next_sequence()
        try:
            message = link.codec.encode_call(Call(link.object_id, *what), link.serializer, seq)
            buffers = way.connection.call(message)
        except (ProtocolError, SecurityError):
            # The procedure tells what it is, or has a way to write it.
            return None
        if len(buffers) > 1:
            way.connection.take_back(seq)
            return None
        return bytes(buffers[0]), seq

    def _procedure(self, way: _Way) -> Procedure[Outcome]:
        """Give what says a call that is not plain; what is told of it, its future hears."""
        call = way.what = call_of(way.what)
        if way.connection.side:
            call.wishes = replace(call.wishes, listener=partial(self._pass_on, way.future), on_progress=None)
        return invoke(way.link, call)

    def _allow(self, way: _Way, until: float | None) -> None:
        """Have what happens on a connection be done by this moment."""
        self._busy[way] = moment = math.inf if until is None else until
        self._expires = min(self._expires, moment)
        self._due = min(self._due, moment)

    def _send_rest(self, way: _Way) -> None:
        """Go on with a call that could not be sent in one piece."""
        try:
            if not way.stream.send_within(_BRIEF):
                return
            self._selector.modify(way.stream, EVENT_READ, way)
        except CommunicationError as error:
            self._lose(way, error)
            return
        if way.seq is None:
            # It was the request of a procedure.
            self._go_on(way)

    def _hear(self, way: _Way) -> None:
        """Take what has arrived on a connection, and go on with the call when it is the whole reply."""
        connection, short, seq = way.connection, way.short, way.seq
        try:
            data = way.stream.receive_within(_AT_ONCE, missing=connection.missing if way.midway else 0)
            if data is None:
                return
            payload = None
            if short is not None and seq is not None and way.procedure is None:
                payload = short.take(connection, data, seq)
            if payload is None:
                connection.receive(data)
                way.midway = True
                if seq is not None:
                    self._look_for_reply(way)
                return
        except (CommunicationError, SecurityError) as error:
            self._lose(way, error)
            return
        value: Any = None
        failed: BaseException | None = None
        assert short is not None
        try:
            value = short.read(payload)
        except (ProtocolError, SecurityError) as error:
            failed = explained(error, calling(way.link, way.call))
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the future
            failed = error
        self._settled.append((way.future, value, failed))
        way.seq = None
        self._free.append(way)

    def _look_for_reply(self, way: _Way) -> None:
        """Go on with a call if all of its reply has arrived.

        Raises:
            CommunicationError: it is not going to come.
            SecurityError: it is not to be trusted.
        """
        connection = way.connection
        while (event := connection.next_event()) is not None:
            if type(event) is Told:
                if way.hearing is None:
                    way.hearing = Hearing(partial(self._pass_on, way.future), None)
                way.hearing.hear(event.message, time.monotonic())
            elif check(event, way.seq):
                way.midway = False
                self._answer(way, event)
                return
        if connection.state is CLOSED:
            raise ConnectionClosedError("receiving: the connection was released")

    def _answer(self, way: _Way, event: Event) -> None:
        """Have a call end with its reply, or its procedure go on with that."""
        way.seq = None
        if way.procedure is not None:
            self._go_on(way, event)
            return
        link = way.link
        assert isinstance(event, Replied)
        assert link.codec is not None
        try:
            outcome = understood(link, link.codec, way.call, event.message)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the future
            self._end(way, None, error)
        else:
            self._end(way, outcome, None)

    def _pass_on(self, future: FutureResult, news: News) -> None:
        """Have a future hear what is told of its call; what the user does about it runs in another thread."""
        if future.hear(news):
            self._elsewhere(future.tell_news)

    # Procedures

    def _go_on(self, way: _Way, answer: Any = None, error: BaseException | None = None) -> None:
        """Have the procedure of a call go on until it has to wait, or ends."""
        procedure = way.procedure
        assert procedure is not None
        while True:
            try:
                effect = procedure.send(answer) if error is None else procedure.throw(error)
            except StopIteration as ended:
                self._end(way, ended.value, None)
                return
            except BaseException as failed:  # noqa: BLE001 - it belongs to whoever reads the future
                error = None  # It is not to be kept alive by this frame, which it holds.
                self._end(way, None, failed)
                return
            answer = error = None
            try:
                if type(effect) is Connect:
                    self._busy[way] = math.inf
                    self._elsewhere(partial(self._connect_again, way, effect))
                    return
                if type(effect) is Send:
                    if not self._send(way, effect):
                        return
                elif type(effect) is Reply:
                    self._await(way, effect)
                    return
                else:
                    if isinstance(effect, Abandon | HangUp):
                        self._unwatch(way)
                    answer = grant(effect)
            except BaseException as failed:  # noqa: BLE001 - the procedure decides about it
                error = failed

    def _connect_again(self, way: _Way, effect: Connect) -> None:
        """Connect for a call that is said once more; this runs in another thread."""
        failed = self._connected(effect.link, effect.deadline, effect.annotations)
        self._send_for(partial(self._go_on_connected, way, failed))

    def _go_on_connected(self, way: _Way, failed: BaseException | None) -> None:
        if way not in self._busy:
            run(hang_up(way.link))  # All was given up meanwhile.
            return
        if failed is None:
            way.begin()
            self._watch(way)
        self._go_on(way, error=failed)

    def _send(self, way: _Way, effect: Send) -> bool:
        """Send what a procedure says; False when `_send_rest` has to go on."""
        if way.stream.send_within(_BRIEF, effect.buffers):
            return True
        self._allow(way, effect.deadline)
        self._selector.modify(way.stream, EVENT_READ | EVENT_WRITE, way)
        return False

    def _await(self, way: _Way, effect: Reply) -> None:
        way.seq, way.hearing = effect.seq, effect.hearing
        self._allow(way, effect.deadline)
        if way.unwanted:
            self._say_withdrawn(way)
        if way.midway:
            # It has begun to come before all of the request had gone.
            self._look_for_reply(way)

    # What becomes of calls

    def _withdraw(self, future: FutureResult) -> None:
        for way in self._busy:
            if getattr(way, "future", None) is future and not future.done():
                way.unwanted = True
                if way.seq is not None:
                    self._say_withdrawn(way)

    def _say_withdrawn(self, way: _Way) -> None:
        way.unwanted = False
        assert way.seq is not None
        if way.connection.side:
            buffers = way.connection.withdraw(way.seq)
            try:
                if not way.stream.send_within(_BRIEF, buffers):
                    self._selector.modify(way.stream, EVENT_READ | EVENT_WRITE, way)
            except CommunicationError:
                pass  # Whoever waits for the answer hears of it.

    def _end(self, way: _Way, outcome: Outcome | None, failed: BaseException | None) -> None:
        """Settle a call, and have the next one go out if the connection is there still."""
        value: Any = None
        if outcome is not None:
            try:
                value = settle(way.link, outcome, partial(FarStream, alone=True))
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the future
                failed = error
        if way.hearing is not None:
            way.hearing.finish()
        future = way.future
        if self._owner is not None and outcome is not None and outcome.annotations:
            # What its class does about them may take its time.
            self._elsewhere(partial(_publish_for, self._owner, outcome.annotations, future, value, failed))
        else:
            self._settled.append((future, value, failed))
        way.procedure = way.hearing = None
        way.unwanted = False
        if type(value) is FarStream or not way.link.connected:
            # The connection is its own from now on, or is lost.
            self._leave(way)
        else:
            self._busy[way] = math.inf
            self._free.append(way)

    def _lose(self, way: _Way, error: CommunicationError | SecurityError) -> None:
        """Give up the call that is on its way over a connection, and the connection with it."""
        self._unwatch(way)
        seq, way.seq = way.seq, None
        if way.procedure is not None:
            self._go_on(way, error=error)
            return
        told = run(give_up(Abandon(way.link, way.connection, seq, sent=True), way.call, error))
        if told is not error:
            told.__cause__ = error
        self._end(way, None, told)

    def _expire(self, now: float) -> None:
        """Give up the calls whose time is over."""
        for way in [way for way, moment in self._busy.items() if moment <= now]:
            self._lose(way, TimeoutError("receiving: no answer in time"))
        self._expires = min(self._busy.values(), default=math.inf)

    def _fail(self, future: FutureResult, error: BaseException) -> None:
        """Fail a call that was not sent."""
        if future.set_running_or_notify_cancel():
            self._settled.append((future, None, error))

    def _fail_queue(self, error: BaseException) -> None:
        while self._queue:
            self._fail(self._queue.popleft()[1], error)

    def _tell(self) -> None:
        """Publish what calls have come to."""
        while self._settled:
            publish(*self._settled.popleft(), self._elsewhere)
        self._told = time.monotonic()
        if self._notes and len(self._stock):
            self._elsewhere(self._deliver_notes)

    def _deliver_notes(self) -> None:
        """Tell the daemon which far streams nobody iterates any more; this runs in another thread."""
        link = self._stock.take()
        if link is None:
            return
        # As far as it does not come through, it is told with a later call.
        with suppress(CommunicationError), link.lock:
            if link.connected:
                run(deliver_notes(link))
        self._stock.put(link)

    def _break(self, error: BaseException) -> None:
        """Fail all there is, after something that should not have happened."""
        with self._lock:
            self._have_ended()
            self._sleeps = True
        for way in self._busy:
            if way.seq is not None or way.procedure is not None:
                self._settled.append((way.future, None, error))
            run(hang_up(way.link))
        self._busy.clear()
        self._free.clear()
        self._measure, self._limit = None, FEW
        self._fail_queue(error)
        self._tell()


def _publish_for(
    owner: Any, annotations: Mapping[str, Buffer], future: FutureResult, value: Any, error: BaseException | None
) -> None:
    """Publish what a call has come to, after the class of the proxy has had its say about the annotations."""
    try:
        owner._pyroResponseAnnotations(annotations, RESULT)
    except BaseException as failed:  # noqa: BLE001 - it belongs to whoever reads the future
        value, error = None, failed
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
