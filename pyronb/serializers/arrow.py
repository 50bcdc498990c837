"""Tables of Apache Arrow as IPC streams, and back. Loaded when the first one travels.

What a stranger sends is validated whole before anybody sees it. Streams that are compressed are not read: a few bytes
could become more than there is memory. Nothing in a schema is looked at but by Arrow itself; the schema of a table that
pandas has written, say, keeps what pandas put there, and does nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pyronb.errors import SerializeError
from pyronb.serializers.base import Buffer

__all__ = ["from_parts", "to_parts"]

_OLDEST = 15
"""Before version 14.0.1, a schema could name a pickle that was read."""
if int(pa.__version__.partition(".")[0]) < _OLDEST:
    raise ImportError(f"pyarrow {pa.__version__} is too old, {_OLDEST} is needed")

_TABLE, _BATCH, _COLUMN, _ARRAY = "table", "batch", "column", "array"
_JOIN_BELOW = 4 * 1024
_ALIGNMENT = 8
_MOST_ROWS = 8
"""Rows for each byte: a bit is the least that a row takes, unless a type takes no memory at all."""


class _Pieces:
    """A file that keeps what is written to it, the memory of columns without a copy."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[Buffer] = []
        self._small: list[Any] = []
        self._at = 0

    def write(self, data: Any) -> int:
        size = len(data)
        self._at += size
        if size < _JOIN_BELOW:
            self._small.append(data)
        else:
            self.flush()
            self.pieces.append(memoryview(data))
        return size

    def flush(self) -> None:
        if self._small:
            self.pieces.append(b"".join(self._small))
            self._small = []

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """Be a file."""


def to_parts(value: Any) -> tuple[str, Sequence[Buffer]]:
    """Give the kind of a table, batch of records, chunked array or array, and the pieces of its stream."""
    if isinstance(value, pa.RecordBatch):
        kind, schema = _BATCH, value.schema
    elif isinstance(value, pa.Table):
        kind, schema = _TABLE, value.schema
    else:
        kind = _ARRAY if isinstance(value, pa.Array) else _COLUMN
        value = pa.table([value], names=[""])
        schema = value.schema
    out = _Pieces()
    with pa.PythonFile(out, mode="w") as file, pa.ipc.new_stream(file, schema) as stream:
        stream.write(value)
    out.flush()
    return kind, out.pieces


def from_parts(kind: Any, memory: memoryview) -> Any:
    """Make a table, batch, chunked array or array of its stream, in whose memory it lies.

    Raises:
        SerializeError: the stream is none, is compressed, or says something that cannot be.
    """
    stream = pa.py_buffer(memory)
    if stream.address % _ALIGNMENT:
        stream = pa.py_buffer(bytes(memory))
    try:
        for message in pa.ipc.MessageReader.open_stream(stream):
            if _is_compressed(message.metadata):
                raise SerializeError("a table of Arrow is compressed, and compressed ones are not read")
        table = pa.ipc.open_stream(stream).read_all()
        if table.num_rows > _MOST_ROWS * len(memory):
            raise SerializeError(f"a table of Arrow has {table.num_rows} rows in {len(memory)} bytes")
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SerializeError(f"a table of Arrow cannot be read: {error}") from error
    if kind == _TABLE:
        return table
    if kind == _BATCH:
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else _no_rows(table.schema)
    if kind not in (_COLUMN, _ARRAY) or table.num_columns != 1:
        raise SerializeError(f"Arrow data has no proper kind: {kind!r}")
    (column,) = table.columns
    if kind == _COLUMN:
        return column
    chunks = column.chunks or _no_rows(table.schema).columns
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)


def _no_rows(schema: Any) -> Any:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_HEADER_TYPE, _HEADER = 1, 2
_DATA = 1
_COMPRESSION = 3
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_U16 = struct.Struct("<H")


def _is_compressed(metadata: Any) -> bool:
    """Tell whether a message has compressed buffers, which pyarrow does not say, and does inflate.

    The metadata is a flatbuffer, and pyarrow has checked that what is in it lies in it: a table begins with the way
    back to where the places of its fields stand, counted in the order of Arrow's `Message.fbs`.
    """
    data = memoryview(metadata)

    def field(table: int, number: int) -> int:
        places = table - _I32.unpack_from(data, table)[0]
        at = 4 + 2 * number
        place: int = _U16.unpack_from(data, places + at)[0] if at < _U16.unpack_from(data, places)[0] else 0
        return table + place if place else 0

    def follow(at: int) -> int:
        there: int = at + _U32.unpack_from(data, at)[0]
        return there

    message = follow(0)
    kind, header = field(message, _HEADER_TYPE), field(message, _HEADER)
    if not kind or not header or data[kind] not in (_DICTIONARY_BATCH, _RECORD_BATCH):
        return False
    batch = follow(header)
    if data[kind] == _DICTIONARY_BATCH:
        batch = field(batch, _DATA)
        if not batch:
            return False
        batch = follow(batch)
    return bool(field(batch, _COMPRESSION))
