"""Pool: a few connections with one call each, for daemons that answer the calls of a connection one after the other.

Whoever calls only puts the call into a queue. One thread sends and reads on all the connections: as soon as a reply has
come, the next call goes out over the same one. A few connections are enough to keep a daemon busy with quick calls; a
call that takes its time holds but its own, and there are more of them as long as that helps. Whatever could hold the
thread up is left to others: connecting, what users have to do with results, and calls that are not plain. It ends when
there is nothing to do; the connections stay.
"""

from __future__ import annotations

import math
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from pyronb.calls import recordings
from pyronb.client.bare import BareCalls, Plain
from pyronb.client.calling import calling, check, deliver_notes, explained, give_up, understood
from pyronb.client.connecting import hang_up
from pyronb.client.effects import Abandon
from pyronb.client.link import Link
from pyronb.client.outcomes import settle
from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError, SecurityError, TimeoutError
from pyronb.futures import FutureResult
from pyronb.net.stream import SocketStream
from pyronb.net.wakeup import Wakeup
from pyronb.rpc.call import Call
from pyronb.sync.driver import connected, run
from pyronb.sync.line import Work, publish
from pyronb.sync.shortcut import short_cut
from pyronb.sync.streams import FarStream
from pyronb.wire.connection import CLOSED, ClientConnection
from pyronb.wire.events import Replied
from pyronb.wire.message import Message

__all__ = ["MOST", "Pool", "Stock"]

MOST = 32
"""Most calls of one proxy that are on their way at the same time, to a daemon that needs a connection for each."""
_MOMENT = 0.005
"""Seconds between two looks at whether more of them would help."""
_WINDOW = 0.02
"""Seconds over which is counted how many calls are begun: others may have the processor for a part of that."""
_QUICK = 0.001
"""Seconds that a call takes where calls are quick: then no more connections are needed."""
_PAYS = 1.5
"""How many times as much must be begun with twice as many, for that to pay."""
_FADES = 0.9
"""What is left of the best that was seen, with which that is compared, after each time."""
_TOO_LONG = 0.01
"""Seconds that a look may be late; else it tells nothing."""
_REST = 0.1
"""Seconds without a further try, after one that did not pay."""
_FEW = 4
"""Connections that there may be at once, where many calls wait."""
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


class _Measure:
    """How many connections are used at the same time, those not counted on which a call takes long.

    There are a few. Where calls are not quick all the same, twice as many are tried, and kept if that pays: calls that
    wait for something over there come on better, those that keep a processor busy do not.
    """

    __slots__ = ("_before", "_best", "_first", "_rests", "_since", "begun", "connections", "look_at", "looked")

    def __init__(self, begun: int, now: float) -> None:
        """Begin to count, when so many calls were begun."""
        self.connections = _FEW
        self.looked = False
        self._best = 0.0
        # How many there were before the try that is going on; and until when there is none.
        self._before = 0
        self._rests = 0.0
        self.begin(begun, now)

    def begin(self, begun: int, now: float) -> None:
        """Count from here."""
        self.begun = self._first = begun
        self._since = now
        self.look_at = now + _MOMENT

    def look(self, begun: int, now: float) -> None:
        """See what has been begun, and go on."""
        late = now - self.look_at
        self.looked = True
        self.begun, self.look_at = begun, now + _MOMENT
        if late > _TOO_LONG:
            # The whole program has stood still in between.
            self.begin(begun, now)
        elif now - self._since >= _WINDOW:
            self._judge((begun - self._first) / (now - self._since), now)
            self.begin(begun, now)

    def _judge(self, pace: float, now: float) -> None:
        """Make up its mind, when so many calls are begun in a second."""
        if self._before and pace < self._best * _PAYS:
            self.connections, self._before = self._before, 0
            self._rests = now + _REST
            return
        self._best = max(pace, self._best * _FADES)
        self._before = 0
        if self.connections < MOST and now >= self._rests and pace * _QUICK < self.connections:
            self._before, self.connections = self.connections, min(2 * self.connections, MOST)


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

    __slots__ = ("connection", "future", "link", "midway", "number", "seq", "short", "stream", "what")

    connection: ClientConnection
    stream: SocketStream
    short: BareCalls
    what: Plain
    future: FutureResult

    def __init__(self, link: Link) -> None:
        """Take this connection, on which nothing is on its way."""
        assert link.connection is not None
        self.link = link
        self.connection = link.connection
        self.stream = link.stream
        self.short = link.short
        self.seq = 0
        self.midway = False
        """Whether a part of the reply has arrived."""
        self.number = 0
        """Which one it is of all calls that were begun."""

    @property
    def call(self) -> Call:
        """The call, for the procedures."""
        return Call(self.link.object_id, *self.what)


class Pool:
    """The connections of one async proxy that are in use, and the calls that wait for one.

    Args:
        model: whom to call, and how.
        stock: where connections come from, and where they stay meanwhile.
        elsewhere: has another thread make a call, or do something that may take its time.
    """

    def __init__(self, model: Link, stock: Stock, elsewhere: Callable[[Work | Callable[[], Any]], None]) -> None:
        self._timeout = model.timeout
        self._notes = model.notes
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
        # Connections that were made, or why one was not; and how many are being made.
        self._arrived: deque[Link | BaseException] = deque()
        self._connecting = 0
        # Those in use, in the order of the moments at which the replies must be there.
        self._busy: dict[_Way, float] = {}
        # Those of them over which the next call can go out.
        self._free: list[_Way] = []
        self._selector: Any = None
        # What calls have come to that is not published yet, and when that was done last.
        self._settled: deque[tuple[FutureResult, Any, BaseException | None]] = deque()
        self._told = 0.0
        # How many calls were begun, how quickly, as long as others wait, and how many may be on their way therefore.
        self._begun = 0
        self._measure: _Measure | None = None
        self._limit = _FEW
        self._not_before = 0.0
        self.able = True
        """Whether calls can go this way, as far as that is known."""

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
        self._told = time.monotonic()
        with closing(wakeup), closing(_Selector()) as self._selector:
            self._selector.register(wakeup, EVENT_READ)
            try:
                while self._goes_on():
                    self._turn(wakeup)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the futures
                self._break(error)

    def _goes_on(self) -> bool:
        """Begin what can be begun; False when there was nothing to do for a while."""
        queue = self._queue
        while True:
            while self._arrived:
                self._take_in(self._arrived.popleft())
            if queue:
                self._look(time.monotonic())
            if not queue:
                self._measure, self._limit = None, _FEW
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

    def _turn(self, wakeup: Wakeup) -> None:
        """Wait until something happens, and go on with it."""
        for key, events in self._selector.select(self._patience()):
            way = key.data
            if way is None:
                wakeup.drain()
            elif events & EVENT_WRITE:
                self._send_rest(way)
            else:
                self._hear(way)
        if self._free:
            self._send_next()
        if self._timeout is not None:
            self._expire()

    def _patience(self) -> float | None:
        """Give the seconds until there is something to do though nothing happens; None for ever."""
        if self._settled:
            return _TELL
        busy = self._busy
        moment = next(iter(busy.values()), math.inf)
        if not (busy or self._connecting):
            moment = self._told + _IDLE
        elif self._measure is not None and not self._connecting and len(busy) < MOST:
            moment = min(moment, max(self._measure.look_at, self._not_before))
        return None if moment == math.inf else max(0.0, moment - time.monotonic())

    # Connections

    def _look(self, now: float) -> None:
        """Have calls that wait go out over further connections, if that helps."""
        busy, measure = self._busy, self._measure
        if measure is None:
            measure = self._measure = _Measure(self._begun, now)
        elif now >= measure.look_at and not self._connecting:
            # Those that were on their way at the last look hold their connections.
            held = sum(way.number <= measure.begun for way in busy)
            measure.look(self._begun, now)
            self._limit = min(measure.connections + held, MOST)
        while self._queue and len(busy) < self._limit and (link := self._stock.take()) is not None:
            if link.connected:
                self._use(link)
        waiting, there = len(self._queue), len(busy)
        if self._connecting or there >= self._limit or (there and now < self._not_before):
            return
        wanted = waiting if measure.looked else max(waiting // _MANY, not there)
        for _ in range(min(wanted, self._limit - there)):
            self._connecting += 1
            self._elsewhere(self._connect)

    def _connect(self) -> None:
        """Make a connection; this runs in another thread."""
        link = self._stock.make()
        arrived: Link | BaseException = link
        try:
            connected(link)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the futures
            arrived = error
        self._arrived.append(arrived)
        self._wake()

    def _take_in(self, arrived: Link | BaseException) -> None:
        self._connecting -= 1
        if self._measure is not None and not self._connecting:
            self._measure.begin(self._begun, time.monotonic())
        if isinstance(arrived, Link):
            self._use(arrived)
        elif self._busy or self._connecting or len(self._stock):
            # There may be no more of them: real daemons have a worker for each, and but so many.
            self._not_before = time.monotonic() + _REFUSED
        else:
            self._fail_queue(arrived)

    def _use(self, link: Link) -> None:
        """Have calls go out over a connection."""
        if link.short is None:
            link.short = short_cut(link)
        if link.short is None:
            self.able = False
            self._stock.put(link)
            while self._queue:
                self._elsewhere(self._queue.popleft())
            return
        way = _Way(link)
        self._busy[way] = math.inf
        self._selector.register(way.stream, EVENT_READ, way)
        self._free.append(way)
        self._send_next()

    def _leave(self, way: _Way) -> None:
        del self._busy[way]
        self._selector.unregister(way.stream)

    # Calls

    def _send_next(self) -> None:
        """Send the next calls of the queue over the connections that are free; those that are not needed go back.

        They are all laid out before the first one is sent: on one processor that is when the daemon gets its turn.
        """
        ready = [(way, data) for way in self._free if (data := self._next(way)) is not None]
        self._free.clear()
        for way, data in ready:
            try:
                if not way.stream.send_small(data):
                    self._selector.modify(way.stream, EVENT_READ | EVENT_WRITE, way)
            except CommunicationError as error:
                self._lose(way, error)

    def _next(self, way: _Way) -> bytes | None:
        """Lay the next call of the queue out for a connection; None when it has gone back, for there is none."""
        connection, queue, busy = way.connection, self._queue, self._busy
        while queue and len(busy) <= self._limit:
            what, future = work = queue.popleft()
            if type(what) is not tuple or recordings:
                self._elsewhere(work)
                continue
            try:
                packed = way.short.pack(connection, what)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the future
                self._fail(future, error)
                continue
            if packed is None:
                self._elsewhere(work)
                continue
            data, way.seq = packed
            if not future.set_running_or_notify_cancel():
                connection.take_back(way.seq)
                continue
            way.what, way.future = what, future
            self._begun = way.number = self._begun + 1
            if self._timeout is not None:
                # In this order: the first one is the first whose time is over.
                del busy[way]
                busy[way] = time.monotonic() + self._timeout
            return data
        self._leave(way)
        way.link.sequence = way.seq
        self._stock.put(way.link)
        return None

    def _send_rest(self, way: _Way) -> None:
        """Go on with a call that could not be sent in one piece."""
        try:
            if way.stream.send_within(_BRIEF):
                self._selector.modify(way.stream, EVENT_READ, way)
        except CommunicationError as error:
            self._lose(way, error)

    def _hear(self, way: _Way) -> None:
        """Take what has arrived on a connection, and go on with the next call when it is the whole reply."""
        connection = way.connection
        reply: Message | None = None
        try:
            data = way.stream.receive_within(_AT_ONCE, missing=connection.missing if way.midway else 0)
            if data is None:
                return
            payload = way.short.take(connection, data, way.seq)
            if payload is None:
                connection.receive(data)
                reply = self._reply(way)
                way.midway = reply is None
                if way.midway:
                    return
        except (CommunicationError, SecurityError) as error:
            self._lose(way, error)
            return
        value: Any = None
        failed: BaseException | None = None
        try:
            value = self._outcome(way, reply) if payload is None else way.short.read(payload)
        except (ProtocolError, SecurityError) as error:
            failed = explained(error, calling(way.link, way.call)) if reply is None else error
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the future
            failed = error
        self._settled.append((way.future, value, failed))
        if type(value) is FarStream:
            # The connection is its own from now on.
            self._leave(way)
        else:
            self._free.append(way)

    @staticmethod
    def _reply(way: _Way) -> Message | None:
        """Give the reply, if all of it has arrived.

        Raises:
            CommunicationError: it is not going to come.
            SecurityError: it is not to be trusted.
        """
        while (event := way.connection.next_event()) is not None:
            if check(event, way.seq):
                assert isinstance(event, Replied)
                return event.message
        if way.connection.state is CLOSED:
            raise ConnectionClosedError("receiving: the connection was released")
        return None

    @staticmethod
    def _outcome(way: _Way, reply: Message | None) -> Any:
        """Give the result that a reply holds, or raise what it tells."""
        assert reply is not None
        assert way.link.codec is not None
        outcome = understood(way.link, way.link.codec, way.call, reply)
        return settle(way.link, outcome, partial(FarStream, alone=True))

    def _lose(self, way: _Way, error: CommunicationError | SecurityError) -> None:
        """Give up the call that is on its way over a connection, and the connection with it."""
        self._leave(way)
        told = run(give_up(Abandon(way.link, way.connection, way.seq, sent=True), way.call, error))
        if told is not error:
            told.__cause__ = error
        self._settled.append((way.future, None, told))

    def _expire(self) -> None:
        """Give up the calls whose time is over."""
        now = time.monotonic()
        while self._busy:
            way, moment = next(iter(self._busy.items()))
            if moment > now:
                return
            self._lose(way, TimeoutError("receiving: no answer in time"))

    # What becomes of calls

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
        for way in list(self._busy):
            self._settled.append((way.future, None, error))
            run(hang_up(way.link))
        self._busy.clear()
        self._free.clear()
        self._measure, self._limit = None, _FEW
        self._fail_queue(error)
        self._tell()
