"""Tables of Arrow and polars: their memory is not copied, and what a stranger sends is checked whole."""

from __future__ import annotations

import contextlib
import io
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyronb.dialects import PYRO5
from pyronb.errors import SecurityError, SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import Scattered
from pyronb.serializers.catalog import Catalog

relaxed = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

NATIVE = Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name("native")
MANY = 20_000


def whole(data):
    """Give what goes over the network, in one piece of memory that can be written to, as it arrives."""
    return memoryview(bytearray(b"".join((data, *data.beside)) if isinstance(data, Scattered) else data))


def carried(value):
    """Give what becomes of a value at the other end."""
    return NATIVE.loads(whole(NATIVE.dumps(value)))


def table(rows):
    """Give a table with columns of many types."""
    texts = [f"x{n}" if n % 3 else None for n in range(rows)]
    return pa.table(
        {
            "f": pa.array(np.arange(rows) + 0.5),
            "t": pa.array(texts, pa.string()),
            "d": pa.array(texts, pa.string()).dictionary_encode(),
            "l": pa.array([[n, None] for n in range(rows)], pa.list_(pa.int32())),
            "s": pa.array([{"a": n, "b": "x"} for n in range(rows)], pa.struct({"a": pa.int64(), "b": pa.string()})),
            "z": pa.array([None] * rows, pa.timestamp("ns", "Europe/Berlin")),
        }
    ).replace_schema_metadata({"made": "by a test"})


@pytest.mark.parametrize("rows", [0, 1, 5, MANY])
def test_tables_and_their_parts(rows):
    """Of each kind the same arrives, with the metadata of its schema."""
    sent = table(rows)
    batch = sent.combine_chunks().to_batches()[0] if rows else pa.RecordBatch.from_pylist([], sent.schema)
    for value in (sent, batch, sent["t"], sent["d"], batch["l"], batch["s"]):
        arrived = carried(value)

        assert type(value) is type(arrived)
        assert value.equals(arrived)
    assert carried(sent).schema.equals(sent.schema, check_metadata=True)
    assert carried(batch).schema.equals(sent.schema, check_metadata=True)
    assert carried([{"in": sent.slice(0, rows // 2)}])[0]["in"].equals(sent.slice(0, rows // 2))


def test_memory_is_not_copied():
    """It goes out from where it lies, and stays where it was received."""
    sent = pa.table({"a": np.arange(100_000.0)})
    data = NATIVE.dumps(sent)
    address = sent["a"].chunk(0).buffers()[1].address
    assert address in {np.frombuffer(piece, np.uint8).ctypes.data for piece in data.beside if len(piece)}

    received = whole(data)
    arrived = NATIVE.loads(received)
    start = np.frombuffer(received, np.uint8).ctypes.data
    assert start <= arrived["a"].chunk(0).buffers()[1].address < start + len(received)


def extension(kind, stream, size=None):
    """Give an extension as a stranger may write it."""
    data = NATIVE.dumps([kind, len(stream) if size is None else size, stream])
    return b"\xc9" + len(data).to_bytes(4, "big") + b"\x43" + data


def stream_of(value, **options):
    """Give the stream of a table."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, value.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(value)
    return out.getvalue()


def test_streams_of_others():
    """What Arrow writes is read."""
    assert NATIVE.loads(extension("table", stream_of(table(5)))).equals(table(5))


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("column", ["f", "d"])
def test_compressed_streams(compression, column):
    """They could become anything."""
    zeros = pa.table({"f": np.zeros(1 << 16)})
    value = zeros if column == "f" else pa.table({"d": zeros["f"].dictionary_encode().combine_chunks()})

    with pytest.raises(SerializeError, match="compressed"):
        NATIVE.loads(extension("table", stream_of(value, compression=compression)))


def test_rows_without_memory():
    """A few bytes do not become a table that fills all memory."""
    with pytest.raises(SerializeError, match="rows"):
        NATIVE.loads(extension("table", stream_of(pa.table({"n": pa.nulls(1 << 28)}))))
    assert 10 == NATIVE.loads(extension("table", stream_of(pa.table({"n": pa.nulls(10)})))).num_rows


def broken_texts():
    """Give a stream whose texts lie beyond their memory."""
    offsets = pa.py_buffer(np.array([0, 1 << 30, 5], np.int32))
    texts = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"hello")])
    return stream_of(pa.table({"t": texts}))


@pytest.mark.parametrize(
    ("kind", "stream", "size"),
    [
        ("table", b"", None),
        ("table", b"\xff" * 40, None),
        ("table", stream_of(table(5))[:-200], None),
        ("table", stream_of(table(5)), 7),
        ("table", stream_of(table(5)), -1),
        ("table", 0, 100),
        ("table", None, 0),
        ("column", stream_of(table(5)), None),
        ("file", stream_of(table(5)), None),
        (5, stream_of(table(5)), None),
    ],
)
def test_streams_that_are_none(kind, stream, size):
    """A complaint, and no more."""
    with pytest.raises(SerializeError):
        NATIVE.loads(extension(kind, stream, size if size is not None else len(stream)))


def test_texts_beyond_their_memory():
    """Whoever looked at them would read other memory of the program, so nobody gets them."""
    with pytest.raises(SerializeError, match="cannot be read"):
        NATIVE.loads(extension("table", broken_texts()))


SEED = stream_of(table(5))


@given(st.lists(st.tuples(st.integers(0, len(SEED) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@relaxed
def test_no_stream_raises_anything_else(changes):
    """Whatever bytes of a stream are changed, a valid table arrives, or a complaint of ours."""
    stream = bytearray(SEED)
    for place, byte in changes:
        stream[place] = byte
    with contextlib.suppress(SerializeError, SecurityError):
        NATIVE.loads(extension("table", bytes(stream))).validate(full=True)


# polars


@pytest.mark.parametrize("rows", [0, 6, MANY])
def test_polars(rows):
    """Frames and series, through Arrow."""
    texts = [("a", "b", None)[n % 3] for n in range(rows)]
    frame = pl.DataFrame(
        {
            "n": pl.Series(range(rows), dtype=pl.Int64),
            "t": pl.Series(texts, dtype=pl.String),
            "c": pl.Series(texts, dtype=pl.Categorical),
            "e": pl.Series(texts, dtype=pl.Enum(["b", "a"])),
            "l": pl.Series([[n % 100] for n in range(rows)], dtype=pl.List(pl.Int8)),
        }
    )
    arrived = carried(frame)

    assert frame.schema == arrived.schema
    assert frame.equals(arrived)
    assert frame["e"].equals(carried(frame["e"]))
    assert "e" == carried(frame["e"]).name


def test_polars_with_objects():
    """They have no form, and the column is named."""
    with pytest.raises(SerializeError, match="column 'o'"):
        NATIVE.dumps(pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)}))


@pytest.mark.parametrize("parts", [[], ["frame"], ["frame", 5], ["lazy", table(2)], ["series", table(2)]])
def test_what_polars_is_not(parts):
    """A complaint, and no more."""
    data = NATIVE.dumps(parts)
    with pytest.raises(SerializeError):
        NATIVE.loads(b"\xc9" + len(data).to_bytes(4, "big") + b"\x45" + data)


def test_pyarrow_is_missing(monkeypatch):
    """The receiver is told what to install."""
    data = whole(NATIVE.dumps(table(2)))
    monkeypatch.delitem(sys.modules, "pyronb.serializers.arrow", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(SerializeError, match="pip install pyarrow"):
        NATIVE.loads(data)
