"""Line: one connection on which many calls are on their way, for daemons of pyronb that answer in any order.

Whoever calls only puts the call into a queue. One thread writes what is in the queue, as much as there is at a time:
so calls that are made without waiting go out together, and the first wait lets the thread run. Another thread reads the
replies and completes the futures. Both end when there is nothing to do; the connection stays.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pyronb.calls import recordings
from pyronb.client.bare import BareCalls, Plain, allows_bare_calls
from pyronb.client.calling import calling, closing_of, explained, lend, take_back, understood
from pyronb.client.connecting import connect
from pyronb.client.hearing import Hearing, wants_output
from pyronb.client.link import Link
from pyronb.client.recording import begin_record, note_outcome, size_of
from pyronb.errors import (
    CommunicationError,
    ConnectionClosedError,
    ProtocolError,
    PyroError,
    SecurityError,
    TimeoutError,
)
from pyronb.futures import FutureResult
from pyronb.net.stream import SocketStream
from pyronb.net.ticker import TICKER
from pyronb.news import News
from pyronb.rpc.call import Call, Outcome, Raised, Returned, StreamOpened
from pyronb.rpc.codec import Codec
from pyronb.rpc.handshake import TOGETHER
from pyronb.serializers.hooks import SPEAKER
from pyronb.sync.driver import run
from pyronb.sync.streams import FarStream
from pyronb.wire.bare import BARE_SIZE
from pyronb.wire.connection import CLOSED, ClientConnection
from pyronb.wire.events import Broken, Replied, Told
from pyronb.wire.message import NO_ANNOTATIONS, WANTS_OUTPUT, Buffer

__all__ = ["Line", "Work", "annotations_of", "call_of", "may_share", "publish"]

Work = tuple[Call | Plain, FutureResult]

_MOST = 1000
"""Most calls that are sent and not answered yet; those beyond wait their turn, and can be cancelled."""
_ENOUGH = 64 * 1024
"""Bytes that are sent without waiting for more."""
_IDLE = 0.5
"""Seconds after which a thread without work ends."""


def may_share(link: Link) -> bool:
    """Tell whether calls of a link can share a connection, by what it is set to.

    A class of proxies that has its say in each call, and calls that are said again, need the longer way.
    """
    return link.owner is None and not (link.raw or link.key or link.max_retries or link.given_socket)


def call_of(what: Call | Plain) -> Call:
    """Give a call with all that belongs to one."""
    return what if isinstance(what, Call) else Call("", *what)


def annotations_of(queue: Sequence[Work]) -> Mapping[str, Buffer]:
    """Give what goes beside the greeting of a connection that is made for these calls: as in the foreground, it is what
    goes beside the first of them.
    """
    what = queue[0][0] if queue else None
    return what.annotations if isinstance(what, Call) else NO_ANNOTATIONS


def publish(
    future: FutureResult, value: Any, error: BaseException | None, elsewhere: Callable[[Callable[[], None]], None]
) -> None:
    """Publish what a call has come to. What the user does with it must not keep the other ones waiting."""
    if not future.publish(value, error):
        elsewhere(partial(future.set_result, value) if error is None else partial(future.set_exception, error))


@dataclass(slots=True, eq=False)
class _Way:
    """A connection, and the calls that are on their way over it.

    Attributes:
        limits: when each of them has to be answered, in the order in which they were sent; only with a time-out, and
            while that is the same for all.
        hearings: who hears of each of them, of those of which something was told.
        sending: held for sending, which is done by one thread mostly.
        reading: whether there is a thread that reads.
        writing: whether there is something to be sent.
        leaving: whether it is to be closed once nothing is on its way.
        mixed: whether calls have time-outs of their own.
        owing: whether an answer may be due that nobody waits for.
        rest: the beginning of a reply.
    """

    link: Link
    stream: SocketStream
    connection: ClientConnection
    codec: Codec
    short: BareCalls | None
    waiting: dict[int, Work] = field(default_factory=dict)
    limits: dict[int, float] = field(default_factory=dict)
    hearings: dict[int, Hearing] = field(default_factory=dict)
    sending: threading.Lock = field(default_factory=threading.Lock)
    reading: bool = False
    writing: bool = False
    leaving: bool = False
    owing: bool = False
    mixed: bool = False
    rest: bytes = b""


@dataclass(slots=True)
class _Expiry:
    """The end of the time of one call that has a time of its own."""

    line: Line
    way: _Way
    seq: int
    work: Work

    def tick(self) -> None:
        """Give the call up."""
        self.line.expire(self.way, self.seq, self.work)


class Line:
    """The line of one async proxy.

    Args:
        link: whom to call; each connection is made with its settings.
        unable: takes calls over that cannot go this way, because the daemon does not answer in any order.
        elsewhere: runs something that may take its time in another thread.
    """

    def __init__(
        self, link: Link, unable: Callable[[Iterable[Work]], None], elsewhere: Callable[[Callable[[], None]], None]
    ) -> None:
        self._model = link
        self._notes = link.notes
        self._unable = unable
        self._elsewhere = elsewhere
        self._lock = threading.Lock()
        # One condition each, so that nobody is woken in vain.
        self._queue_came = threading.Condition(self._lock)
        self._reply_due = threading.Condition(self._lock)
        self._queue: deque[Work] = deque()
        self._writing = False
        self._waits = False
        self._dismissed = False
        self._way: _Way | None = None
        # All that are not closed; and the futures of calls that were cancelled while they were sent.
        self._ways: list[_Way] = []
        self._unwanted: deque[FutureResult] = deque()
        self.able = link.remote is None or TOGETHER in link.remote.abilities
        """Whether calls can go this way, as far as that is known."""

    def submit(self, what: Call | Plain, future: FutureResult) -> None:
        """Have a call made."""
        if recordings:
            what = call_of(what)
            begin_record(self._model, what)
        self._queue.append((what, future))
        # Looking costs less than the lock; whoever writes looks at the queue once more before it waits.
        if self._writing and not self._waits:
            return
        with self._lock:
            self._dismissed = False
            self._have_written_on()

    def _have_written_on(self) -> None:
        """See to it that the queue is looked at; the lock is held."""
        if self._waits:
            self._queue_came.notify()
        elif not self._writing:
            self._writing = True
            self._start(self._write)

    @staticmethod
    def _start(target: Callable[[], None]) -> None:
        threading.Thread(target=target, name="pyronb-async", daemon=True).start()

    # Writing

    def _write(self) -> None:
        while self._has_work():
            way = None
            try:
                way = self._connected()
                if way is None:
                    continue
                self._write_some(way)
                self._have_written(way)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the futures
                if way is None:
                    self._fail(self._queued(), error)
                else:
                    self._lose(way, error)
            del way

    def _has_work(self) -> bool:
        """Wait until there is something to write, and room for it; False when there was nothing for a while."""
        with self._lock:
            self._waits = came = True
            while not self._queue or self._full():
                if not self._queue and (self._dismissed or not came):
                    # In this order: whoever calls meanwhile asks for the lock.
                    self._writing = self._waits = False
                    # What was queued before a release may have been written after it, over a connection of its own.
                    idle = self._leave() if self._dismissed else None
                    break
                came = self._queue_came.wait(_IDLE)
            else:
                self._waits = False
                return True
        if idle is not None:
            self._close(idle)
        return False

    def _full(self) -> bool:
        return self._way is not None and len(self._way.waiting) >= _MOST

    def _queued(self) -> list[Work]:
        with self._lock:
            works = list(self._queue)
            self._queue.clear()
        return [work for work in works if work[1].set_running_or_notify_cancel()]

    def _connected(self) -> _Way | None:
        """Give the connection, and make one if need be; None when the calls have to go another way."""
        with self._lock:
            way = self._way
            if way is not None:
                way.writing = True
                return way
        link = self._model.sibling()
        link.wants = (TOGETHER,)
        link.lock = threading.RLock()
        run(connect(link, annotations=annotations_of(self._queue)))
        assert link.remote is not None
        assert link.connection is not None
        assert link.codec is not None
        self.able = TOGETHER in link.remote.abilities
        if not self.able:
            link.stream.close()
            with self._lock:
                works = list(self._queue)
                self._queue.clear()
            self._unable(works)
            return None
        short = BareCalls(link) if allows_bare_calls(link) else None
        way = _Way(link, link.stream, link.connection, link.codec, short, writing=True)
        with self._lock:
            self._way = way
            self._ways.append(way)
        return way

    def _write_some(self, way: _Way) -> None:
        """Send what is in the queue, or the first part of it."""
        buffers: list[Buffer] = []
        size = 0
        timeout = way.link.timeout
        deadline = None if timeout is None else time.monotonic() + timeout
        done: list[FutureResult] = []
        short, connection = way.short, way.connection
        take, waiting, put = self._queue.popleft, way.waiting, buffers.append
        # Those that follow a call and are like it, if they cannot go as a row.
        alike: deque[Work] = deque()
        while alike or (size < _ENOUGH and len(waiting) < _MOST):
            if alike:
                what, future = work = alike.popleft()
            else:
                try:
                    what, future = work = take()
                except IndexError:
                    break
                if not future.set_running_or_notify_cancel():
                    self._note_failure(what, CancelledError("it was cancelled before it was sent"))
                    continue
            try:
                packed = None if short is None else short.pack(connection, what)
                if packed is not None:
                    data, seq = packed
                    put(data)
                    size += len(data)
                    if deadline is None and type(what) is tuple:
                        waiting[seq] = work
                    else:
                        self._expect(way, seq, work, deadline)
                    if short is not None and not alike and self._queue and type(what) is tuple:
                        row = self._row(way, short.room_in_row(data), what, deadline, alike)
                        put(row)
                        size += len(row)
                    continue
                said = self._long_way(way, work, deadline, done)
            except BaseException as error:  # noqa: BLE001 - nothing was sent, and the connection stays as it is
                self._fail([work], error)
                continue
            buffers += said
            size += sum(map(len, said))
        if buffers:
            if size < 2 * _ENOUGH:
                buffers = [b"".join(buffers)]
            self._have_read(way)
            try:
                with way.sending:
                    way.stream.send(buffers, deadline)
            except BaseException as error:
                self._fail(((Call("", ""), future) for future in done), error)
                raise
        self._have_sent(done)

    def _long_way(self, way: _Way, work: Work, deadline: float | None, done: list[FutureResult]) -> list[Buffer]:
        """Lay a call out that is not bare; one that is oneway is done when it is sent."""
        call, future = call_of(work[0]), work[1]
        call.object_id = call.object_id or way.link.object_id
        said, seq = self._said(way, call)
        if call.note is not None:
            call.note.sent = sum(map(len, said))
            if call.oneway:
                call.note.was_sent()
        if call.oneway:
            done.append(future)
        else:
            self._expect(way, seq, (call, future), deadline)
        return said

    def _row(self, way: _Way, room: int, like: Plain, deadline: float | None, alike: deque[Work]) -> bytes:
        """Lay out as a row what follows a call in the queue and is like it; what cannot go so is left `alike`."""
        (method, args, named), queue = like, self._queue
        size, room = len(args), 0 if named else min(room, _MOST - len(way.waiting))
        while queue and len(alike) < room:
            what = queue[0][0]
            if type(what) is not tuple or what[0] != method or len(what[1]) != size or what[2]:
                break
            alike.append(queue.popleft())
        if not FutureResult.begin_all([future for _, future in alike]):
            begun = [work for work in alike if work[1].set_running_or_notify_cancel()]
            alike.clear()
            alike.extend(begun)
        packed = None
        if len(alike) > 1 and way.short is not None:
            calls = [what[1] for what, _ in alike if isinstance(what, tuple)]
            packed = way.short.pack_row(way.connection, method, calls)
        if packed is None:
            return b""
        row, numbers = packed
        if deadline is None:
            way.waiting.update(zip(numbers, alike, strict=True))
        else:
            for seq, work in zip(numbers, alike, strict=True):
                self._expect(way, seq, work, deadline)
        alike.clear()
        return row

    def _have_sent(self, done: Iterable[FutureResult]) -> None:
        for future in done:
            publish(future, None, None, self._elsewhere)
        while self._unwanted:
            self.withdraw(self._unwanted.popleft())

    def _expect(self, way: _Way, seq: int, work: Work, deadline: float | None) -> None:
        way.waiting[seq] = work
        call, future = work
        wished = None
        if not isinstance(call, tuple):
            wished = call.wishes.timeout
            if call.lent:
                future.add_done_callback(lambda _: take_back(call))
        if wished is not None:
            # Whoever reads may be waiting for ever, or for another call.
            way.mixed = True
            deadline = time.monotonic() + wished if wished else None
        if deadline is None:
            return
        if way.mixed:
            TICKER.remind(_Expiry(self, way, seq, work), deadline)
        else:
            way.limits[seq] = deadline

    # Withdrawing

    def withdraw(self, future: FutureResult) -> None:
        """Tell the daemon that the answer to a call is not wanted; whatever it is, it is still waited for."""
        if not (self._withdraw(future) or future.done()) and self._writing and self.able:
            # It is just being sent.
            self._unwanted.append(future)

    def _withdraw(self, future: FutureResult) -> bool:
        for way in list(self._ways):
            for seq, work in list(way.waiting.items()):
                if work[1] is future:
                    self._say_withdrawn(way, seq)
                    return True
        return False

    def _say_withdrawn(self, way: _Way, seq: int) -> None:
        connection = way.connection
        if connection.side:
            # Sending may take its time.
            self._elsewhere(partial(self._send_withdrawn, way, connection.withdraw(seq)))

    @staticmethod
    def _send_withdrawn(way: _Way, buffers: list[Buffer]) -> None:
        with way.sending, suppress(CommunicationError):
            way.stream.send(buffers)

    def expire(self, way: _Way, seq: int, work: Work) -> None:
        """Give up a call whose own time is over, if it was not answered; its reply is dropped when it comes."""
        if way.waiting.get(seq) is not work or way.waiting.pop(seq, None) is not work:
            return
        way.hearings.pop(seq, None)
        way.connection.abandon(seq)
        way.owing = True
        self._say_withdrawn(way, seq)
        call = call_of(work[0])
        circumstances = self._circumstances(way, call)
        if call.wishes.timeout:
            circumstances += f"; its timeout allows {call.wishes.timeout:g} s"
        self._fail([work], explained(TimeoutError("receiving: no answer in time"), circumstances))
        self._progress()
        with self._lock:
            idle = way.leaving and not (way.waiting or way.writing)
        if idle:
            self._close(way)

    def _have_written(self, way: _Way) -> None:
        with self._lock:
            way.writing = False
            done = way.leaving and not way.waiting and not way.reading
            if way.leaving:
                self._reply_due.notify_all()
        if done:
            self._close(way)

    def _said(self, way: _Way, call: Call) -> tuple[list[Buffer], int]:
        """Lay a call out that is not bare, and give its number."""
        link, connection = way.link, way.connection
        metadata = link.metadata
        if metadata is not None and call.method in metadata.oneway:
            call.oneway = True
        assert link.serializer is not None
        seq = connection.next_sequence()
        token = SPEAKER.set(link)
        try:
            message = way.codec.encode_call(call, link.serializer, seq)
            if connection.side and wants_output(link, call):
                message.flags |= WANTS_OUTPUT
            buffers = connection.call(message, oneway=call.oneway)
            if link.lent:
                lend(link, call)
            return buffers, seq
        except (ProtocolError, SecurityError) as error:
            take_back(call, link)
            raise explained(error, calling(link, call)) from error
        finally:
            SPEAKER.reset(token)

    # Reading

    def _have_read(self, way: _Way) -> None:
        with self._lock:
            if way.reading:
                self._reply_due.notify()
                return
            way.reading = True
        self._start(partial(self._read, way))

    def _read(self, way: _Way) -> None:
        try:
            while self._reply_is_due(way):
                self._read_some(way)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the futures
            self._lose(way, error)

    def _reply_is_due(self, way: _Way) -> bool:
        """Wait until a reply is due; False when none was for a while, or the connection is not needed any more."""
        with self._lock:
            while not way.waiting and (way.writing or not way.leaving):
                if not self._reply_due.wait(_IDLE) and not way.waiting:
                    break
            if way.waiting:
                return True
            way.reading = False
            leaving = way.leaving and not way.writing
        if leaving:
            self._close(way)
        return False

    def _read_some(self, way: _Way) -> None:
        # A list, for another thread may be adding to them.
        limits = list(way.limits.values())
        deadline = limits[0] if limits else None
        connection, rest = way.connection, way.connection.rest
        try:
            if rest is not None and way.stream.direct:
                connection.filled(way.stream.receive_into(rest, deadline))
            else:
                data = way.stream.receive(deadline, missing=connection.missing)
                if way.short is not None and connection.idle:
                    data = self._take_bare(way, way.short, data)
                if data:
                    connection.receive(data)
        except TimeoutError as error:
            self._time_out(way, error)
            return
        while (event := connection.next_event()) is not None:
            if isinstance(event, Broken):
                raise event.error
            if isinstance(event, Told):
                self._hear(way, event)
            elif isinstance(event, Replied):
                seq = event.message.seq
                work = way.waiting.pop(seq, None)
                way.limits.pop(seq, None)
                if way.hearings:
                    self._hear_last(way, seq)
                if work is not None:
                    self._settle(way, work, event)
        if connection.state is CLOSED:
            raise ConnectionClosedError("receiving: the connection was released")
        self._progress()
        if self._notes:
            self._deliver_notes()

    def _deliver_notes(self) -> None:
        """Have the daemon told which far streams nobody iterates any more, after the calls in the queue."""
        with self._lock:
            if self._dismissed:
                # No connection is made for that; the next calls find the notes.
                return
            # Whoever iterates or closes another one of them delivers notes too.
            with suppress(IndexError):
                while True:
                    self._queue.append((closing_of(self._notes.pop()), FutureResult()))
            self._have_written_on()

    def _take_bare(self, way: _Way, short: BareCalls, data: bytes) -> bytes:
        """Complete the futures of the bare replies that bytes begin with, and give what is for the machine."""
        data, way.rest = way.rest + data, b""
        found, at, goes_on = short.find(data)
        waiting, limits, hearings = way.waiting, way.limits, way.hearings
        made, read = way.connection.calls_made, short.read
        results: list[tuple[FutureResult, Any]] = []
        try:
            for seq, begin, end in found:
                work = waiting.pop(seq, None)
                if work is None:
                    at, goes_on = begin, False
                    break
                made.discard(seq)
                if limits:
                    limits.pop(seq, None)
                if hearings:
                    self._hear_last(way, seq)
                try:
                    value = read(data[begin + BARE_SIZE : end])
                except (ProtocolError, SecurityError) as error:
                    self._fail([work], explained(error, self._circumstances(way, work[0])))
                    continue
                what, future = work
                if type(what) is not tuple:
                    self._note_value(what, end - begin, value)
                results.append((future, value))
        finally:
            # One after the other would take longer than reading them.
            for future, value in FutureResult.publish_all(results):
                self._elsewhere(partial(future.set_result, value))
        if goes_on:
            way.rest = data[at:]
            return b""
        return data[at:]

    def _hear(self, way: _Way, event: Told) -> None:
        """Hear what is told of a call; what the user does about it must not keep the other ones waiting."""
        seq = event.message.seq
        hearing, work = way.hearings.get(seq), way.waiting.get(seq)
        if hearing is None and work is not None:
            hearing = way.hearings[seq] = Hearing(partial(self._pass_on, work[1]), None)
        if hearing is not None:
            hearing.hear(event.message, time.monotonic())

    def _pass_on(self, future: FutureResult, news: News) -> None:
        if future.hear(news):
            self._elsewhere(future.tell_news)

    @staticmethod
    def _hear_last(way: _Way, seq: int) -> None:
        hearing = way.hearings.pop(seq, None)
        if hearing is not None:
            hearing.finish()

    def _progress(self) -> None:
        """Have the queue written on, now that there may be room."""
        if self._waits and self._queue:
            with self._lock:
                self._queue_came.notify()

    def _time_out(self, way: _Way, error: TimeoutError) -> None:
        """Give up the calls whose time is over; their replies are dropped when they come."""
        now = time.monotonic()
        for seq, limit in list(way.limits.items()):
            if limit > now:
                break
            del way.limits[seq]
            way.hearings.pop(seq, None)
            work = way.waiting.pop(seq, None)
            if work is not None:
                way.connection.abandon(seq)
                self._say_withdrawn(way, seq)
                self._fail([work], explained(error, self._circumstances(way, work[0])))
        self._progress()

    # What becomes of calls

    def _settle(self, way: _Way, work: Work, event: Replied) -> None:
        call, future = call_of(work[0]), work[1]
        call.object_id = way.link.object_id
        note = call.note
        if note is not None:
            note.received = size_of(event.message, way.link.dialect)
        try:
            outcome: Outcome = understood(way.link, way.codec, call, event.message)
        except PyroError as error:
            self._fail([work], error)
            return
        if note is not None:
            note_outcome(note, outcome)
        if isinstance(outcome, Returned):
            publish(future, outcome.value, None, self._elsewhere)
        elif isinstance(outcome, Raised):
            self._fail([work], outcome.error)
        else:
            self._elsewhere(partial(self._take_stream, outcome, future))

    def _take_stream(self, outcome: StreamOpened, future: FutureResult) -> None:
        """Give a far stream a connection of its own, on which it can be iterated."""
        link = self._model.sibling()
        link.lock = threading.RLock()
        try:
            run(connect(link))
            stream = FarStream(link, outcome.stream_id, alone=True)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the future
            if outcome.stream_id is not None:
                link.notes.append(outcome.stream_id)
            future.set_exception(error)
        else:
            future.set_result(stream)

    @staticmethod
    def _note_failure(what: Call | Plain, error: BaseException) -> None:
        if isinstance(what, Call) and what.note is not None:
            what.note.failed(error)

    @staticmethod
    def _note_value(what: Call | Plain, size: int, value: Any) -> None:
        if isinstance(what, Call) and what.note is not None:
            what.note.received = size
            what.note.returned(value)

    @staticmethod
    def _circumstances(way: _Way, what: Call | Plain) -> str:
        call = call_of(what)
        call.object_id = way.link.object_id
        return calling(way.link, call)

    def _fail(self, works: Iterable[Work], error: BaseException) -> None:
        for what, future in works:
            self._note_failure(what, error)
            publish(future, None, error, self._elsewhere)

    def _lose(self, way: _Way, error: BaseException) -> None:
        """Fail the calls that were on their way over a connection that is lost; those in the queue go over the next."""
        with self._lock:
            if self._way is way:
                self._way = None
            works = list(way.waiting.values())
            way.waiting.clear()
            way.limits.clear()
            way.hearings.clear()
            way.leaving = True
            self._reply_due.notify_all()
            self._queue_came.notify_all()
        self._close(way)
        for work in works:
            told = error
            if isinstance(error, CommunicationError):
                told = explained(error, self._circumstances(way, work[0]))
            self._fail([work], told)

    def _close(self, way: _Way) -> None:
        with suppress(ValueError):
            self._ways.remove(way)
        way.connection.close()
        # Whoever reads from it wakes up first.
        way.stream.shutdown()
        way.stream.close()

    def release(self) -> None:
        """Close the connection once nothing is on its way over it."""
        with self._lock:
            self._dismissed = True
            self._queue_came.notify_all()
            idle = self._leave()
        if idle is not None:
            self._close(idle)

    def _leave(self) -> _Way | None:
        """Use the connection for no further calls, and give it if it can be closed at once; the lock is held."""
        way, self._way = self._way, None
        if way is None:
            return None
        way.leaving = True
        self._reply_due.notify_all()
        return None if way.waiting or way.writing or (way.reading and not way.owing) else way
