"""Recording: what a record of a call learns from the procedure that makes it. (See `pyronb.calls`.)"""

from __future__ import annotations

from typing import Any

from pyronb.calls import CallRecord, Kind, begin
from pyronb.client.effects import Effect, Procedure, Reply, Send, has_ended
from pyronb.client.link import Link
from pyronb.dialects import Dialect
from pyronb.rpc.call import DAEMON_ID, Call, Outcome, Raised, Returned
from pyronb.serializers.hooks import BatchError
from pyronb.wire.connection import LAYOUTS
from pyronb.wire.events import Replied
from pyronb.wire.message import Message

__all__ = ["begin_record", "note_outcome", "recorded", "size_of"]

_ATTRIBUTES = ("__getattr__", "__setattr__")
_CHUNK = 8
"""Bytes beside each annotation's own."""


def begin_record(link: Link, what: Call) -> CallRecord:
    """Begin the record of a call, and leave it on the call."""
    oneway = what.oneway or (link.metadata is not None and what.method in link.metadata.oneway)
    kind: Kind = "oneway" if oneway else "call"
    if what.batch:
        kind = "batch"
    elif what.method in _ATTRIBUTES:
        kind = "attribute"
    elif what.object_id == DAEMON_ID:
        kind = "stream"
    what.note = begin(str(link.uri), link.object_id, what.method, what.args, what.kwargs, kind)
    return what.note


def recorded(link: Link, what: Call, procedure: Procedure[Outcome]) -> Procedure[Outcome]:
    """Run the procedure of a call, and tell its record what goes out, what comes in, and what becomes of it."""
    note = what.note or begin_record(link, what)
    try:
        outcome = yield from _measured(note, procedure)
    except BaseException as error:
        note.failed(error)
        raise
    note.object_id = link.object_id
    if what.oneway:
        note.was_sent()
    else:
        note_outcome(note, outcome)
    return outcome


def _measured(note: CallRecord, procedure: Procedure[Outcome]) -> Procedure[Outcome]:
    """Pass effects and answers on, and count the bytes in them."""
    failed: BaseException | None = None
    while True:
        try:
            effect: Effect = next(procedure) if failed is None else procedure.throw(failed)
            failed = None
            while True:
                if isinstance(effect, Send):
                    note.sent += sum(map(len, effect.buffers))
                answer: Any = yield effect
                if isinstance(effect, Reply) and isinstance(answer, Replied):
                    note.received += size_of(answer.message, effect.link.dialect)
                effect = procedure.send(answer)
        except BaseException as error:
            # As drivers do: the procedure decides.
            if not has_ended(procedure):
                failed = error
                continue
            failed = None
            if type(error) is not StopIteration:
                raise
            outcome: Outcome = error.value
        return outcome


def note_outcome(note: CallRecord, outcome: Outcome) -> None:
    """Tell a record what became of its call."""
    if isinstance(outcome, Raised):
        if note.kind == "stream" and isinstance(outcome.error, StopIteration):
            note.returned(None)
        else:
            note.raised(outcome.error)
    elif not isinstance(outcome, Returned):
        note.streams()
    else:
        value = outcome.value
        last = value[-1] if note.kind == "batch" and isinstance(value, list | tuple) and value else None
        if isinstance(last, BatchError):
            note.raised(last.exception)
        else:
            note.returned(value.payload if isinstance(value, Message) else value)


def size_of(message: Message, dialect: Dialect) -> int:
    """Give the bytes that a message takes on the wire, as far as its parts tell."""
    chunks = message.annotations
    beside = sum(_CHUNK + len(chunk) for chunk in chunks.values()) if chunks else 0
    return LAYOUTS[dialect].header_size + beside + len(message.payload)
