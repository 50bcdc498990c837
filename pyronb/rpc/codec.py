"""Codec: calls to messages and back, for one conversation. (Wire specification, sections 9 to 14 and 18.)"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyronb.dialects import UNSAFE, Dialect
from pyronb.errors import ProtocolError, PyroError, SecurityError, SerializeError
from pyronb.options import WireOptions
from pyronb.rpc.blob import SerializedBlob, pack_info, unpack_info
from pyronb.rpc.call import Call, Outcome, Raised, Returned, StreamOpened
from pyronb.rpc.rows import WITH_ROWS, in_rows
from pyronb.serializers.base import BATCH_METHOD, CallParts, Scattered, Serializer
from pyronb.serializers.beside import HOLDERS, READER, WRITER, BesideError, apart
from pyronb.serializers.catalog import Catalog
from pyronb.serializers.exceptions import stand_in, writable
from pyronb.tracebacks import remote_traceback
from pyronb.wire.compression import deflate, inflate
from pyronb.wire.message import BESIDE, INVOKE, RESULT, Buffer, Message

__all__ = ["Codec", "in_result", "stream_of"]

STREAM = "STRM"
BLOB = "BLBI"

_WITH_BYTES = ("marshal", "msgpack")
_NOT_STREAMED = "result of call is an iterator"


def in_result(error: Exception, call: Call | None) -> Exception:
    """Give an error of ours that kept a result from being sent with the call in its text."""
    if call is None or not isinstance(error, ProtocolError | SecurityError):
        return error
    named = type(error)(f"{error} (in the result of {call.method!r} of {call.object_id!r})")
    return named.with_traceback(error.__traceback__)


def stream_of(reply: Message) -> str | None:
    """Give the id of the far stream that a reply opened; None where the daemon does not stream.

    Raises:
        ProtocolError: it is no such id.
    """
    chunk = reply.annotations.get(STREAM)
    if chunk is None:
        return None
    try:
        return bytes(chunk).decode("ascii")
    except UnicodeDecodeError as error:
        raise ProtocolError("the id of a stream should be ASCII") from error


class Codec:
    """Turns calls into messages and back, in one dialect.

    Args:
        dialect: the dialect of the conversation.
        catalog: the serializers of that dialect.
        options: limits and compression.
        beside: the peer reads values beside the payload, which all of pyronb can; see `pyronb.serializers.beside`.
        rows: the peer reads rows of calls in a batch; see `pyronb.rpc.rows`.
    """

    def __init__(
        self, dialect: Dialect, catalog: Catalog, options: WireOptions, *, beside: bool = False, rows: bool = False
    ) -> None:
        self.dialect = dialect
        self.catalog = catalog
        self._options = options
        self._beside = beside
        self._rows = rows

    # The asking side

    def encode_call(self, call: Call, serializer: Serializer, seq: int) -> Message:
        """Make the request for a call.

        Raises:
            SerializeError: an argument cannot be written; nothing was sent.
        """
        dialect = self.dialect
        flags = (dialect.oneway if call.oneway else 0) | (dialect.batch if call.batch else 0)
        blob = call.args[0] if len(call.args) == 1 and not call.kwargs else None
        if isinstance(blob, SerializedBlob):
            return self._encode_blob(call, blob, serializer, flags, seq)
        parts = CallParts(call.object_id, call.method, call.args, call.kwargs)
        if call.batch and self._rows:
            rows = in_rows(call.args)
            if len(rows) < len(call.args):
                parts = parts._replace(args=rows, kwargs=WITH_ROWS)
        payload = self._written_call(serializer, parts)
        return self._message(INVOKE, serializer.number, flags, seq, payload, call.annotations, call.correlation_id)

    def decode_reply(self, reply: Message) -> Outcome:
        """Read what became of a call.

        Raises:
            SerializeError: the result cannot be read; the conversation can go on.
        """
        flags, dialect = reply.flags, self.dialect
        if flags & dialect.item_stream:
            return StreamOpened(stream_of(reply), reply.annotations)
        value = self.decode_payload(reply)
        if flags & dialect.exception:
            if not isinstance(value, BaseException):
                raise ProtocolError(f"the peer reported an exception and sent a {type(value).__name__}")
            if not isinstance(value, Exception):
                # Only pickle can bring one. What ends a program over there must not end this one.
                value = stand_in(value, dialect, "it would have ended this program")
            return Raised(value, reply.annotations)
        return Returned(value, reply.annotations)

    # The asked side

    def decode_call(self, request: Message) -> Call:
        """Read a request.

        Raises:
            SerializeError: it cannot be read, or its serializer is not there.
            ProtocolError: it is not shaped as a call.
        """
        flags, dialect = request.flags, self.dialect
        if flags & dialect.keep_serialized:
            return self._decode_blob(request)
        parts = self._read(self.catalog.by_number(request.serializer_id).loads_call, request)
        return Call(
            parts.object_id,
            parts.method,
            parts.args,
            parts.kwargs,
            oneway=bool(flags & dialect.oneway),
            batch=bool(flags & dialect.batch),
            annotations=request.annotations,
            correlation_id=request.correlation_id,
        )

    def encode_outcome(
        self,
        outcome: Outcome,
        request: Message,
        serializer: Serializer | None = None,
        *,
        call: Call | None = None,
    ) -> Message:
        """Make the reply to a request, in the request's own serializer unless another one is given. (S31.)

        What cannot be written is replaced by an error that says so, and names the call, so a reply always comes out.
        """
        dialect = self.dialect
        if serializer is None:
            serializer = self.catalog.by_number(request.serializer_id)
        annotations: Mapping[str, Buffer] = outcome.annotations
        if isinstance(outcome, Returned):
            try:
                payload = self._written(serializer, serializer.dumps, outcome.value)
            except (SerializeError, SecurityError) as error:
                return self.encode_outcome(Raised(in_result(error, call), annotations), request, serializer)
            flags = request.flags & dialect.batch
        elif isinstance(outcome, StreamOpened):
            # The payload is an error for peers that do not know of streams. It came from nowhere, and they are told so.
            unknown = ProtocolError(_NOT_STREAMED)
            vars(unknown)["_pyroTraceback"] = None
            payload = serializer.dumps(unknown)
            flags = dialect.exception | dialect.item_stream
            if outcome.stream_id is not None:
                annotations = {**annotations, STREAM: outcome.stream_id.encode("ascii")}
        else:
            payload = self._dumps_error(serializer, outcome.error)
            flags = dialect.exception
        return self._message(
            RESULT, serializer.number, flags, request.seq, payload, annotations, request.correlation_id
        )

    # Both

    def _message(
        self,
        kind: int,
        serializer_id: int,
        flags: int,
        seq: int,
        payload: Buffer,
        annotations: Mapping[str, Buffer],
        correlation_id: bytes | None,
    ) -> Message:
        beside: Sequence[Buffer] = ()
        if type(payload) is Scattered:
            beside = payload.beside
            if serializer_id != self.dialect.own_serializers["native"]:
                flags |= BESIDE
            # Memory of the caller's is neither copied nor compressed.
        elif self._options.compression and len(payload) > self.dialect.compress_above:
            compressed = deflate(payload, self.dialect.compress_level)
            if not self.dialect.only_smaller or len(compressed) < len(payload):
                payload = compressed
                flags |= self.dialect.compressed
        return Message(kind, serializer_id, flags, seq, payload, annotations, correlation_id, beside)

    def _payload(self, message: Message) -> Buffer:
        if message.flags & self.dialect.compressed:
            return inflate(message.payload, self._options.max_message_size)
        return message.payload

    def decode_payload(self, message: Message) -> Any:
        """Read the value in a message, whatever kind of message it is.

        Raises:
            SerializeError: it cannot be read.
        """
        return self._read(self.catalog.by_number(message.serializer_id).loads, message)

    def sets_apart(self, serializer: Serializer) -> bool:
        """Tell whether large bytes go beside the payloads of a serializer, in which they would arrive the same.

        What lies there is not compressed.
        """
        name, options = serializer.name, self._options
        known = name in _WITH_BYTES or (name == "serpent" and options.bytes_repr)
        return known and self._beside and not options.compression

    def _written_call(self, serializer: Serializer, parts: CallParts) -> bytes:
        # The entries of a batch begin with a name and end with a dict.
        if parts.method != BATCH_METHOD and self.sets_apart(serializer) and type(parts.args) in HOLDERS:
            args = [apart(arg) for arg in parts.args]
            parts = parts._replace(args=args if type(parts.args) is list else tuple(args))
        return self._written(serializer, serializer.dumps_call, parts)

    def _written(self, serializer: Serializer, write: Callable[[Any], bytes], value: Any) -> bytes:
        """Write a value, and beside it what has no form in it."""
        if type(value) in HOLDERS and self.sets_apart(serializer):
            value = apart(value)
        try:
            return write(value)
        except BesideError:
            if not self._beside or serializer.name in UNSAFE:
                raise
        writer = self._native.beside()
        token = WRITER.set(writer)
        try:
            payload = write(value)
        finally:
            WRITER.reset(token)
        joined: bytes = writer.with_memory(payload)
        return joined

    def _read(self, read: Callable[[Buffer], Any], message: Message) -> Any:
        """Read the payload of a message, and what lies beside it."""
        payload = self._payload(message)
        if not message.flags & BESIDE or not self.catalog.pyronb_peer:
            return read(payload)
        payload, reader = self._native.split(payload)
        token = READER.set(reader)
        try:
            return read(payload)
        finally:
            READER.reset(token)

    @property
    def _native(self) -> Any:
        """The serializer that writes what lies beside payloads."""
        return self.catalog.by_name("native")

    def _encode_blob(self, call: Call, blob: SerializedBlob, serializer: Serializer, flags: int, seq: int) -> Message:
        flags |= self.dialect.keep_serialized
        marshal = self.catalog.by_name("marshal")
        annotations = {**call.annotations, BLOB: pack_info(marshal, blob.info, call.object_id, call.method)}
        known = blob.message is not None and self.catalog.knows(blob.message.serializer_id)
        alone = blob.message is None or not blob.message.flags & BESIDE
        if blob.message is not None and known and blob.dialect is self.dialect and (alone or self._beside):
            # Passed on as it came: its bytes are not touched.
            flags |= blob.message.flags & (self.dialect.compressed | BESIDE)
            number, payload = blob.message.serializer_id, blob.message.payload
            return Message(INVOKE, number, flags, seq, payload, annotations, call.correlation_id)
        parts = CallParts(call.object_id, call.method, blob.deserialized(), {})
        payload = self._written_call(serializer, parts)
        return self._message(INVOKE, serializer.number, flags, seq, payload, annotations, call.correlation_id)

    def _decode_blob(self, request: Message) -> Call:
        chunk = request.annotations.get(BLOB)
        if chunk is None:
            raise ProtocolError("a serialized blob came without its annotation")
        info, object_id, method = unpack_info(self.catalog.by_name("marshal"), chunk)

        def read() -> Any:
            load = self.catalog.by_number(request.serializer_id).loads_call
            return self._read(functools.partial(load, blob=True), request).args

        return Call(
            object_id,
            method,
            (SerializedBlob(info, message=request, read=read, dialect=self.dialect),),
            {},
            oneway=bool(request.flags & self.dialect.oneway),
            annotations=request.annotations,
            correlation_id=request.correlation_id,
        )

    def _dumps_error(self, serializer: Serializer, error: BaseException) -> bytes:
        """Write an exception; if it cannot be written, what can be told of it."""
        try:
            return self._written(serializer, serializer.dumps, error)
        except (SerializeError, SecurityError) as failed:
            told = stand_in(error, self.dialect, str(failed))
        try:
            return serializer.dumps(told)
        except (SerializeError, SecurityError) as failed:
            plain = PyroError(writable(f"Error serializing exception: {failed}. Original exception: {told}"))
            plain._pyroTraceback = [writable(line) for line in remote_traceback(error)]  # type: ignore[attr-defined]
            return serializer.dumps(plain)
