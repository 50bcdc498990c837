"""Byte for byte with the real Pyro5: what it writes is read here, and the reverse.

It runs in one process of its own, which speaks lines: a command, the name of a serializer and hexadecimal bytes in, the
`repr` of a value or hexadecimal bytes out.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pyronb.errors import NamingError, RemoteError
from pyronb.serializers.base import CallParts, Serializer
from pyronb.serializers.hooks import BatchError
from pyronb.uri import URI

pytest.importorskip("Pyro5", reason="the real Pyro5 is not installed")

PEER = """
import sys, uuid, datetime, decimal
from Pyro5 import core, errors, serializers
from Pyro5.core import URI, _ExceptionWrapper
def show(value):
    if isinstance(value, BaseException):
        return f"{type(value).__module__}.{type(value).__name__}{value.args!r}{sorted(vars(value).items())!r}"
    if isinstance(value, _ExceptionWrapper):
        return "batch " + show(value.exception)
    return repr(value)
for line in sys.stdin:
    command, name, rest = line.rstrip("\\n").split(" ", 2)
    serializer = serializers.serializers[name]
    try:
        if command == "dumps":
            print(serializer.dumps(eval(rest)).hex(), flush=True)
        elif command == "call":
            print(serializer.dumpsCall(*eval(rest)).hex(), flush=True)
        elif command == "loads":
            print(ascii(show(serializer.loads(bytes.fromhex(rest)))), flush=True)
        else:
            print(ascii(repr(tuple(serializer.loadsCall(bytes.fromhex(rest))))), flush=True)
    except Exception as error:
        print(ascii(f"failed: {error!r}"), flush=True)
"""
Ask = Callable[[str, str, str], str]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Start a process with the real Pyro5; give what asks it."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as peer:
        assert peer.stdin
        assert peer.stdout

        def answer(command: str, name: str, rest: str) -> str:
            assert peer.stdin
            assert peer.stdout
            peer.stdin.write(f"{command} {name} {rest}\n")
            peer.stdin.flush()
            return peer.stdout.readline().rstrip("\n")

        yield answer
        peer.stdin.close()


VALUES = [
    "None",
    "[True, -7, 2**100, 1.5, 'n\\xe9', {'a': [1, {}]}]",
    "float('inf')",
    "{'__class__': 'builtins.ValueError', '__exception__': True, 'args': [1], 'attributes': {}}",
]


def text(answer: str) -> str:
    """Undo the peer's way of writing a text in one line."""
    return str(eval(answer))


@pytest.mark.parametrize("value", VALUES[:3])
def test_plain_values(serializer: Serializer, ask: Ask, value: str) -> None:
    """Plain values arrive equal in both directions."""
    expected = eval(value)

    assert expected == serializer.loads(bytes.fromhex(ask("dumps", serializer.name, value)))
    assert repr(expected) == text(ask("loads", serializer.name, serializer.dumps(expected).hex()))


@pytest.mark.parametrize(
    "value", ["(1, {2}, frozenset({3}))", "1+2j", "b'x'", "bytearray(b'y')", "uuid.UUID(int=5)", "{'k': (1,)}"]
)
@pytest.mark.parametrize("name", ["serpent", "marshal", "msgpack"])
def test_richer_values(catalog: Any, ask: Ask, name: str, value: str) -> None:
    """What the real Pyro5 makes of its own bytes is made of them here too, and the reverse."""
    if name == "msgpack" and "frozenset" in value:
        pytest.skip("real Pyro5 writes no frozenset in msgpack")
    serializer = catalog.by_name(name)
    theirs = ask("dumps", name, value)

    assert text(ask("loads", name, theirs)) == repr(serializer.loads(bytes.fromhex(theirs)))


@pytest.mark.parametrize("value", ["datetime.datetime(2020, 1, 2, 3, 4, 5, 250000)", "datetime.date(2020, 1, 2)"])
@pytest.mark.parametrize("name", ["serpent", "json", "msgpack"])
def test_dates(catalog: Any, ask: Ask, name: str, value: str) -> None:
    """Dates are written byte for byte as there."""
    ours = catalog.by_name(name).dumps(eval(value, {"datetime": dt}))

    assert ask("dumps", name, value) == ours.hex()


CALLS: list[tuple[Any, ...]] = [
    ("obj", "add", (3,), {"b": 4}),
    ("obj", "<batch>", [("add", (1, 2), {}), ("err", (), {})], None),
    ("obj", "__getattr__", ("val",), None),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[1])
def test_calls(serializer: Serializer, ask: Ask, call: tuple[Any, ...]) -> None:
    """Calls, batches and attribute access are understood in both directions."""
    listed = serializer.name in ("json", "msgpack")
    answer = text(ask("loadcall", serializer.name, serializer.dumps_call(CallParts(*call)).hex()))

    assert plain(call) == (plain(eval(answer)) if listed else eval(answer))
    if serializer.name == "marshal" and call[3] is None:
        return  # the real client cannot write this
    actual = serializer.loads_call(bytes.fromhex(ask("call", serializer.name, repr(call))))
    assert plain(call) == plain(actual)


def plain(value: Any) -> Any:
    """Give a value with lists in the place of tuples, and equal to one that had them before."""
    if isinstance(value, list | tuple):
        return Lists(plain(item) for item in value)
    return value


class Lists(tuple[Any, ...]):
    """A tuple that is equal to any sequence with the same items."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list | tuple) and list(self) == [*other]


def test_uri(serializer: Serializer, ask: Ask) -> None:
    """URIs travel in both directions."""
    assert URI("PYRO:x@h:1") == serializer.loads(bytes.fromhex(ask("dumps", serializer.name, "URI('PYRO:x@h:1')")))
    assert "PYRO:x@h:1" in text(ask("loads", serializer.name, serializer.dumps(URI("PYRO:x@h:1")).hex()))


def test_exceptions_from_there(serializer: Serializer, ask: Ask) -> None:
    """Exceptions and batch wrappers of the real Pyro5 come alive here."""
    error = serializer.loads(bytes.fromhex(ask("dumps", serializer.name, "errors.NamingError('gone', 1)")))
    wrapped = serializer.loads(bytes.fromhex(ask("dumps", serializer.name, "_ExceptionWrapper(KeyError('k'))")))

    assert NamingError is type(error)
    assert ("gone", 1) == error.args
    assert isinstance(wrapped, BatchError)
    assert KeyError is type(wrapped.exception)


class Own(Exception):
    """A class that the real Pyro5 does not know."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("a"), "builtins.ValueError('a',)[]"),
        (NamingError("n"), "Pyro5.errors.NamingError('n',)[]"),
        (Own("o"), f"Pyro5.errors.PyroError('{__name__}.Own: o',)"),
        (RemoteError("x.Y", "z"), "Pyro5.errors.PyroError('x.Y: z',)"),
        (KeyboardInterrupt(), "Pyro5.errors.PyroError('builtins.KeyboardInterrupt',)"),
        (BatchError(Own("o")), f"batch Pyro5.errors.PyroError('{__name__}.Own: o',)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exceptions_to_there(for_real_pyro: Serializer, ask: Ask, error: Any, expected: str) -> None:
    """Every exception that is written for the real Pyro5 is accepted there."""
    assert text(ask("loads", for_real_pyro.name, for_real_pyro.dumps(error).hex())).startswith(expected)


def test_bytes_in_an_exception(for_real_pyro: Serializer, ask: Ask) -> None:
    """An exception with bytes is rebuilt there, also with serpent."""
    if for_real_pyro.name == "json":
        pytest.skip("json writes no bytes")
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")

    answer = text(ask("loads", for_real_pyro.name, for_real_pyro.dumps(error).hex()))

    assert answer.startswith("builtins.UnicodeDecodeError('utf-8', b'\\xff', 0, 1, 'bad')")
