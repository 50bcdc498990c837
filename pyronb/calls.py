"""The calls of this program, recorded: what was called where, with what, for how long, and what became of it.

::

    with pyronb.calls.record() as calls:
        camera.snap()
    print(calls)

Recorded is what the calling side sees, in both rooms: calls, oneway calls, batches, attributes, items of far streams,
calls in the background. To connect is part of the call that needs it; by itself, as `_pyroBind` does it, it is none.
As long as nobody records, nothing is done for it, and calls go their short ways; meanwhile they go the long way, which
takes some microseconds more. Values are kept as short texts, never as they are, and what is named like a secret is not
kept at all.
"""

from __future__ import annotations

import json
import re
import reprlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import count, islice
from typing import Any, Literal, overload

from pyronb.tracebacks import format_traceback, remote_traceback

__all__ = ["CallRecord", "Recording", "arguments_text", "begin", "brief", "call_text", "record", "recordings"]

Kind = Literal["call", "oneway", "batch", "attribute", "stream"]
Outcome = Literal["pending", "returned", "raised", "failed", "sent", "streams"]

HIDDEN = "<hidden>"
"""Stands for the value of what is named like a secret."""
_SECRET = re.compile(r"passw|passphrase|secret|token|credential|api_?key|private_?key", re.IGNORECASE)

_LONGEST = 500
"""Most characters of what is kept of the arguments, of the result and of the message of an error."""
_LONGEST_TRACEBACK = 20_000
_SMALL = 20
"""Most items of an array that is shown rather than described."""
_FEW_CALLS = 3
"""Most calls of a batch that are told one by one."""


# Values as short texts


class _Brief(reprlib.Repr):
    """Writes values in short, at a cost that does not grow with them."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 100
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = self.maxdeque = 8

    def repr1(self, x: Any, level: int) -> str:
        kind = type(x)
        if kind in (bytes, bytearray, memoryview):
            return self._bytes(x)
        # The type alone is asked: looking at a value must not do anything.
        if hasattr(kind, "shape") and hasattr(kind, "__len__"):
            return self._array(x, level)
        return super().repr1(x, level)

    def _bytes(self, x: bytes | bytearray | memoryview) -> str:
        size = x.nbytes if isinstance(x, memoryview) else len(x)
        if size <= self.maxstring // 4:
            return repr(bytes(x))
        start = bytes(x[:8]) if not isinstance(x, memoryview) or x.contiguous else b""
        return f"<{type(x).__name__}, {size} bytes: {start!r}...>"

    def _array(self, x: Any, level: int) -> str:
        shape = tuple(x.shape)
        size = 1
        for length in shape:
            size *= length
        if size <= _SMALL:
            return super().repr1(x, level)
        kind = getattr(x, "dtype", None)
        return f"<{type(x).__name__} {'x'.join(map(str, shape))}{'' if kind is None else f' {kind}'}>"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if not x:
            return "{}"
        if level <= 0:
            return "{...}"
        shown = []
        # The base class sorts all keys first, however many there are.
        for key, value in islice(list(x.items()) if len(x) <= self.maxdict else x.items(), self.maxdict):
            hidden = isinstance(key, str) and _SECRET.search(key)
            shown.append(f"{self.repr1(key, level - 1)}: {HIDDEN if hidden else self.repr1(value, level - 1)}")
        if len(x) > self.maxdict:
            shown.append("...")
        return f"{{{', '.join(shown)}}}"


_brief = _Brief()


def brief(value: object) -> str:
    """Show a value as short text; a broken `repr` breaks nothing."""
    try:
        return _brief.repr(value)
    except Exception as error:  # noqa: BLE001 - any object may be met here
        return f"<{type(value).__name__}; its repr raised {type(error).__name__}>"


def arguments_text(args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> str:
    """Write arguments as program text, long ones shortened, and none that is named like a secret."""
    named = (kwargs or {}).items()
    return ", ".join([*map(brief, args), *(f"{n}={HIDDEN if _SECRET.search(n) else brief(v)}" for n, v in named)])


def call_text(variable: str, method: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> str:
    """Write a call as program text, as `arguments_text` does."""
    return f"{variable}.{method}({arguments_text(args, kwargs)})"


def _clip(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


# Records


@dataclass(slots=True, eq=False)
class CallRecord:
    """One call.

    Attributes:
        number: its number, in the order in which calls began; no two of this program have the same.
        began: when it began, in seconds since the epoch.
        uri: address of the object, as the proxy has it.
        object_id: id of the object at its daemon; empty as long as it is not known.
        method: name of the method or attribute.
        kind: ``call``, ``oneway``, ``batch``, ``attribute``, or ``stream`` for the next items of a far stream.
        code: the call as program text, after the proxy: ``.move(3, speed=2)``; a batch has a line for each call.
        outcome: ``pending`` until it is over; then ``returned``, ``raised`` (over there), ``failed`` (it did not come
            through), ``sent`` (oneway), or ``streams`` (it gave a far stream).
        duration: seconds that it took, with connecting and waiting in line; None while it is pending.
        sent: bytes of messages that went out for it.
        received: bytes of messages that came back.
        result: the result as a short text.
        error: class and message of the error.
        traceback: the remote traceback where there is one, else the local one.
    """

    number: int
    began: float
    uri: str
    object_id: str
    method: str
    kind: Kind
    code: str
    outcome: Outcome = "pending"
    duration: float | None = None
    sent: int = 0
    received: int = 0
    result: str = ""
    error: str = ""
    traceback: str = ""
    _start: float = field(default_factory=time.perf_counter, repr=False)
    _told: Sequence[Recording] = field(default=(), repr=False)

    def returned(self, value: object) -> None:
        """Take note that it gave this."""
        self._end("returned", result=_clip(brief(value)))

    def streams(self) -> None:
        """Take note that it gave a far stream."""
        self._end("streams", result="<far stream>")

    def was_sent(self) -> None:
        """Take note that it is on its way, and that no answer comes."""
        self._end("sent")

    def raised(self, error: BaseException) -> None:
        """Take note that it raised this over there."""
        self._end("raised", error)

    def failed(self, error: BaseException) -> None:
        """Take note that it did not come through."""
        self._end("failed", error)

    def _end(self, outcome: Outcome, error: BaseException | None = None, result: str = "") -> None:
        if self.outcome != "pending":
            return
        self.duration = time.perf_counter() - self._start
        self.result = result
        if error is not None:
            message = _message(error)
            self.error = _clip(f"{type(error).__name__}: {message}" if message else type(error).__name__)
            lines = remote_traceback(error) or format_traceback(error)
            self.traceback = "".join(lines)[-_LONGEST_TRACEBACK:]
        self.outcome = outcome
        told, self._told = self._told, ()
        for recording in told:
            recording.tell(self)

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as a dict that JSON can write."""
        return {item.name: getattr(self, item.name) for item in fields(self) if not item.name.startswith("_")}


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - a class from elsewhere may have a broken one
        return f"<its text raised {type(broken).__name__}>"


class Recording(Sequence[CallRecord]):
    """The calls that were made while it was on, the oldest first. It is used like a list, also while it grows.

    Args:
        limit: most calls that are kept; the oldest go first, and are counted.
        changed: called with each record when its call begins and when it is over, in the thread where that happens;
            it has to be quick.

    Raises:
        ValueError: `limit` is below 1.
    """

    def __init__(self, limit: int = 1000, changed: Callable[[CallRecord], None] | None = None) -> None:
        if limit < 1:
            raise ValueError(f"a recording needs room for one call at least, not {limit}")
        self._ring: deque[CallRecord] = deque(maxlen=limit)
        self._changed = changed
        self._lock = threading.Lock()
        self._total = 0

    @property
    def on(self) -> bool:
        """Whether calls are recorded."""
        return self in recordings

    @property
    def limit(self) -> int:
        """Most calls that are kept."""
        return self._ring.maxlen or 0

    @property
    def total(self) -> int:
        """How many calls began since it was made or cleared."""
        return self._total

    @property
    def dropped(self) -> int:
        """How many of them are not kept any more."""
        return self._total - len(self._ring)

    def start(self) -> None:
        """Begin to record, or go on."""
        with _switching:
            if self not in recordings:
                recordings.append(self)

    def stop(self) -> None:
        """Stop recording; what was recorded stays, and calls that are on their way are still followed."""
        with _switching:
            if self in recordings:
                recordings.remove(self)

    def clear(self) -> None:
        """Forget all calls and counts."""
        with self._lock:
            self._ring.clear()
            self._total = 0

    def add(self, made: CallRecord) -> None:
        """Take a call that begins."""
        with self._lock:
            self._ring.append(made)
            self._total += 1
        self.tell(made)

    def tell(self, made: CallRecord) -> None:
        """Tell whoever listens that a call began or is over."""
        if self._changed is not None:
            self._changed(made)

    def numbered(self, number: int) -> CallRecord | None:
        """Give the call with this number; None when it is not kept."""
        return next((made for made in self if made.number == number), None)

    def to_json(self, indent: int | None = 2) -> str:
        """Write all calls as JSON."""
        return json.dumps([made.as_dict() for made in self], indent=indent, ensure_ascii=False)

    def __enter__(self) -> Recording:
        """Begin to record."""
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop recording."""
        self.stop()

    def __len__(self) -> int:
        """Count the calls that are kept."""
        return len(self._ring)

    def __iter__(self) -> Iterator[CallRecord]:
        """Give those that are kept at this moment."""
        with self._lock:
            return iter(list(self._ring))

    @overload
    def __getitem__(self, index: int) -> CallRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[CallRecord]: ...
    def __getitem__(self, index: int | slice) -> CallRecord | list[CallRecord]:
        """Give one of them, or some."""
        return list(self)[index]

    def __repr__(self) -> str:
        """Show a line for each call."""
        head = f"{self._total} call{'' if self._total == 1 else 's'}" + (", recording" if self.on else "")
        if self.dropped:
            head += f"; the last {len(self)} are kept"
        return "\n".join([head, *map(_line, self)])


def _line(made: CallRecord) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(made.began)) + f".{int(made.began * 1000) % 1000:03}"
    took = "" if made.duration is None else f"{made.duration * 1000:.1f} ms"
    what = made.code.splitlines()[0] if made.code else made.method
    told = made.error or made.result
    object_name = made.object_id or made.uri
    return f"{clock} {took:>10} {made.sent:>8} B out {made.received:>8} B in  {made.outcome:<8} {object_name}{what}" + (
        f" -> {told}" if told else ""
    )


def record(limit: int = 1000, changed: Callable[[CallRecord], None] | None = None) -> Recording:
    """Give a recording to be switched on by ``with``, or by its `start` and `stop`. The arguments are its own.

    Raises:
        ValueError: `limit` is below 1.
    """
    return Recording(limit, changed)


# What the rooms ask


recordings: list[Recording] = []
"""Those that are on; always this same list, which is empty as long as nobody records."""
_switching = threading.Lock()
_numbers = count(1)


def begin(
    uri: str, object_id: str, method: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None, kind: Kind
) -> CallRecord:
    """Tell all recordings that a call begins, and give its record, for what becomes of it."""
    if kind == "attribute":
        setting = method == "__setattr__"
        method = str(args[0])
        code = f".{method} = {HIDDEN if _SECRET.search(method) else brief(args[1])}" if setting else f".{method}"
    elif kind == "batch":
        calls = [call_text("", name, given, named) for name, given, named in islice(args, _FEW_CALLS)]
        more = len(args) - len(calls)
        code = "\n".join([*calls, f"# and {more} more"] if more else calls)
        method = f"batch of {len(args)}"
    else:
        code = call_text("", method, args, kwargs)
    told = tuple(recordings)
    made = CallRecord(next(_numbers), time.time(), uri, object_id, method, kind, _clip(code), _told=told)
    for recording in told:
        recording.add(made)
    return made
