"""Arrays and tables in every room, with every engine and serializer: between pyronb ends they arrive as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import pyronb
from pyronb import errors
from pyronb.client import greeting
from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import SerializeError
from pyronb.rpc.blob import SerializedBlob
from pyronb.serializers.hooks import HOOKS
from pyronb.wire.message import BESIDE
from tests.contract.rooms import ROOMS
from tests.support.serving import ENGINES, client_options, serving
from tests.support.waiting import eventually

SERIALIZERS = ("serpent", "json", "marshal", "msgpack", "native")
SMALL, LARGE = np.arange(6.0).reshape(2, 3), np.arange(60_000.0).reshape(200, 300)
FRAME = pd.DataFrame({"n": range(5000), "t": ["x"] * 5000}, index=pd.date_range("2020", periods=5000, freq="h"))
TABLE = pa.table({"n": range(5000)})


@pyronb.expose
class Store:
    """Takes arrays and gives them."""

    def __init__(self):
        self.kept = []
        self.next = None

    def give(self, value):
        return value

    def swap(self, one, *, other):
        return {"other": [other], "one": one}

    def keep(self, value):
        self.kept.append(value)
        return len(self.kept)

    @pyronb.oneway
    def drop(self, value):
        self.kept.append(value)

    def fail(self, value):
        raise ValueError("odd", value)

    def chunks(self, value, count):
        for number in range(count):
            yield [number, value + number]

    def repeated(self, value, count):
        yield from [value] * count

    def passed_on(self, blob):
        """Pass a blob on, unread, to another object."""
        with pyronb.Proxy(self.next) as proxy:
            proxy._pyroSerializer = "msgpack"
            return [blob.info, proxy.unpacked(blob)]

    def unpacked(self, blob):
        (value,) = blob.deserialized()
        return float(value.sum())

    @property
    def last(self):
        return self.kept[-1]

    @last.setter
    def last(self, value):
        self.kept.append(value)


@pytest.fixture(params=[PYRO5, PYRO4], ids=["502", "48"])
def dialect(request):
    return request.param


@pytest.fixture(params=ROOMS, ids=[room.name for room in ROOMS])
def room(request, dialect):
    made = request.param(dialect)
    yield made
    made.close()


@pytest.fixture
def store():
    return Store()


@pytest.fixture(params=ENGINES)
def daemon(request, store):
    with serving(engine=request.param) as running:
        running.register(store, "store")
        yield running


@pytest.fixture
def remote(room, dialect, daemon, monkeypatch):
    uri = daemon.uriFor("store")
    monkeypatch.setattr(greeting, "_dialects", {str(uri.location): dialect})
    return room.remote(room.proxy_class(uri, options=client_options()))


def same(one, other):
    """Tell whether two values with arrays and tables in them are the same."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, pd.DataFrame | pa.Table):
        return type(one) is type(other) and one.equals(other)
    if isinstance(one, list):
        return isinstance(other, list | tuple) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and same(list(one.values()), list(other.values()))
    return one == other


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_arguments_and_results(remote, serializer):
    """Alone, several, and inside of other values; small and large; they can be written to."""
    remote.proxy._pyroSerializer = serializer
    for value in (SMALL, LARGE, FRAME, FRAME["n"], FRAME.index, TABLE, [1, {"a": [LARGE, SMALL, LARGE]}, FRAME]):
        expected = value.equals if isinstance(value, pd.Series | pd.Index) else lambda other: same(value, other)  # noqa: B023

        assert expected(remote.call("give", value))
    swapped = remote.call("swap", LARGE, other=(SMALL, "text", 5))
    assert same({"other": [[SMALL, "text", 5]], "one": LARGE}, swapped)
    swapped["one"][0, 0] = 7
    assert 0 == LARGE[0, 0]
    assert [[1, "x"], 2] == remote.call("give", [[1, "x"], 2])


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_all_other_ways(remote, store, serializer):
    """Attributes, batches, oneway calls, calls on their way together, far streams and exceptions."""
    remote.proxy._pyroSerializer = serializer
    remote.set("last", LARGE)
    assert same(LARGE, remote.get("last"))

    assert same([SMALL, 2, [LARGE]], remote.batch(("give", SMALL), ("keep", FRAME), ("give", [LARGE])))
    with pytest.raises(ValueError, match="odd") as caught:
        remote.batch(("keep", SMALL), ("fail", SMALL))
    assert same(SMALL, caught.value.args[1])

    remote.call("drop", LARGE)
    assert eventually(lambda: len(store.kept) == 4)
    assert 5 == remote.call("keep", 0)
    assert same([LARGE, FRAME, SMALL, LARGE, 0], store.kept)

    started = [remote.start("give", [LARGE, number]) for number in range(5)]
    assert all(same([LARGE, number], each.result(30)) for number, each in enumerate(started))

    stream = remote.call("chunks", LARGE, 4)
    assert same([[number, LARGE + number] for number in range(4)], remote.take(stream, 4))

    for value in (SMALL, LARGE, FRAME):
        with pytest.raises(ValueError, match="odd") as caught:
            remote.call("fail", value)
        assert same(value, caught.value.args[1])


@pytest.mark.parametrize("serializer", ["json", "marshal", "msgpack", "native"])
def test_large_bytes(remote, store, serializer):
    """They arrive as bytes, whatever they were sent as; in results, arguments, batches and far streams."""
    remote.proxy._pyroSerializer = serializer
    data = bytes(range(256)) * 2000
    for value in (data, bytearray(data), memoryview(data)):
        assert data == remote.call("give", value)
        assert type(remote.call("give", value)) is bytes
        assert [1, data] == list(remote.call("give", [1, value]))
        swapped = remote.call("swap", value, other=[value, 5])
        assert {"other": [[data, 5]], "one": data} == swapped
    store.kept = [data]
    assert data == remote.get("last")
    assert [data, 2] == list(remote.batch(("give", data), ("keep", 5)))
    assert [data] * 3 == remote.take(remote.call("repeated", data, 3), 3)


def test_what_has_no_form_at_all(remote):
    """It is refused before anything was sent, and the column is named; the connection goes on."""
    remote.proxy._pyroSerializer = "json"
    for value, words in ((np.array([object()]), "astype"), (pd.DataFrame({"odd": [object()]}), "'odd'")):
        with pytest.raises(SerializeError, match=words):
            remote.call("give", [LARGE, value])

    assert same(SMALL, remote.call("give", SMALL))


def test_hooks_come_first(remote):
    """Whoever wants the plain form everywhere says so once."""
    HOOKS.register_class_to_dict(np.ndarray, lambda array: array.tolist())
    try:
        for serializer in SERIALIZERS:
            remote.proxy._pyroSerializer = serializer
            assert SMALL.tolist() == remote.call("give", SMALL)
    finally:
        HOOKS.unregister_class_to_dict(np.ndarray)


@pytest.mark.parametrize("serializer", ["serpent", "msgpack"])
def test_blobs(remote, store, serializer):
    """They are passed on unread with what lies beside them."""
    remote.proxy._pyroSerializer = serializer

    with serving() as other:
        store.next = other.register(Store(), "next")
        info, total = remote.call("passed_on", SerializedBlob("info", [LARGE]))

    assert "info" == info
    assert LARGE.sum() == total


@pytest.mark.parametrize("serializer", ["serpent", "json", "marshal", "msgpack"])
def test_asynchronous_calls(serializer, daemon):
    """Futures on one connection."""
    with pyronb.Proxy(daemon.uriFor("store")) as proxy:
        proxy._pyroSerializer = serializer
        with pyronb.asyncproxy(proxy) as background:
            futures = [background.give([LARGE, number]) for number in range(10)]

            assert all(same([LARGE, number], future.value) for number, future in enumerate(futures))


def test_a_placeholder_of_a_stranger(daemon):
    """A dict that names a place where nothing lies is refused, and the daemon serves on."""
    with pyronb.Proxy(daemon.uriFor("store")) as proxy:
        for place in ([0, 5], [], None, ["a", "b"], [-1, 2]):
            with pytest.raises((SerializeError, errors.SecurityError)):
                proxy.give({"__class__": "pyronb.beside", "at": place})
        assert 5 == proxy.give(5)


def test_raw_replies(daemon):
    """Whoever reads payloads by other means gets none with values beside them."""
    with pyronb.Proxy(daemon.uriFor("store")) as proxy:
        proxy._pyroRawWireResponse = True
        message = proxy.give(5)
        assert not message.flags & BESIDE
        assert proxy.keep(SMALL).flags & BESIDE == 0

        message = proxy.give(SMALL)

        assert not message.flags & BESIDE
        assert b"tolist()" in bytes(message.payload)
