"""Values that leave the payload: those that a serializer has no form for, and large bytes, which are not copied there.

Between pyronb ends, a dict with the class name ``pyronb.beside`` and a place stands for such a value in the payload.
The value follows the payload, as native writes it, and its memory is not copied. Towards others, and before the
handshake has told who is there, such a value is refused.

Nothing is prepared for that in advance, for few messages have such values: the first one raises `BesideError`, and the
payload is written once more with a writer set. Large bytes are seen without a search: as an argument or a result, and
first or last in a list or tuple that is one. Elsewhere they stay in the payload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol

from pyronb.errors import SerializeError

__all__ = [
    "HOLDERS",
    "PLACEHOLDER",
    "READER",
    "WRITER",
    "Apart",
    "BesideError",
    "Reader",
    "Writer",
    "apart",
    "come_back",
    "holds_large",
    "is_large",
    "leave",
    "watchful",
]

PLACEHOLDER = "pyronb.beside"


class BesideError(SerializeError):
    """A value has no form in the payload that is being written, and would have one beside it."""


_LARGE = 64 * 1024
"""Bytes from which on they are not copied by who writes them."""
_MEMORY = frozenset({bytes, bytearray, memoryview})
_ROWS = frozenset({list, tuple})
HOLDERS = _MEMORY | _ROWS
"""The types of what may be, or begin or end with, large bytes."""


class Apart:
    """Large bytes, the memory of which is not to be copied."""

    __slots__ = ("memory",)

    def __init__(self, memory: memoryview) -> None:
        """Take the memory, as plain bytes."""
        self.memory = memory


def apart(value: Any) -> Any:
    """Give what is written for a value with large bytes: mostly the value itself."""
    kind = type(value)
    if kind in _MEMORY:
        memory = memoryview(value)
        return Apart(memory.cast("B")) if memory.nbytes >= _LARGE and memory.c_contiguous else value
    if kind in _ROWS and value and (type(value[0]) in _MEMORY or type(value[-1]) in _MEMORY):
        # Items that are lists themselves are not looked into.
        return kind([apart(item) if type(item) in _MEMORY else item for item in value])
    return value


def is_large(value: Any) -> bool:
    """Tell whether a value of one of the `HOLDERS` has bytes that go apart."""
    if type(value) in _MEMORY:
        return (len(value) if type(value) is not memoryview else value.nbytes) >= _LARGE
    return bool(value) and (
        (type(value[0]) in _MEMORY and is_large(value[0])) or (type(value[-1]) in _MEMORY and is_large(value[-1]))
    )


def holds_large(values: Iterable[Any]) -> bool:
    """Tell whether one of several values has bytes that go apart."""
    return any(type(value) in HOLDERS and is_large(value) for value in values)


def watchful(dumps_call: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Give a function that writes calls, and refuses those whose arguments have large bytes.

    It raises `BesideError` for them, as for all that goes beside the payload.
    """

    def dumps(parts: Any) -> bytes:
        if holds_large(parts[2]):
            raise BesideError("large bytes go beside the payload")
        return dumps_call(parts)

    return dumps


class Writer(Protocol):
    """Puts values beside one payload."""

    def put(self, value: Any) -> tuple[int, int]:
        """Write a value, and give its place there and its size in bytes.

        Raises:
            SerializeError: native cannot write it either.
        """


class Reader(Protocol):
    """Reads what lies beside one payload."""

    def get(self, where: Any, size: Any) -> Any:
        """Read the value of so many bytes at a place.

        Raises:
            SerializeError: there is none.
        """


WRITER: ContextVar[Writer | None] = ContextVar("pyronb.beside.writer", default=None)
READER: ContextVar[Reader | None] = ContextVar("pyronb.beside.reader", default=None)


def leave(value: Any, name: str, plain: str) -> dict[str, Any]:
    """Put a value beside the payload that is being written, and give what stands for it there.

    Args:
        value: the value.
        name: what it is called.
        plain: how a form of it is made that can be in any payload.

    Raises:
        BesideError: it cannot go there.
    """
    writer = WRITER.get()
    if writer is None:
        raise BesideError(
            f"{name} has no form that can be written for this peer: send {plain}, or have a hook do so "
            f"(SerializerBase.register_class_to_dict); pyronb at both ends carries it as it is"
        )
    return {"__class__": PLACEHOLDER, "at": writer.put(value)}


def come_back(data: Mapping[str, Any]) -> Any:
    """Give the value that a dict stands for.

    Raises:
        SerializeError: nothing lies beside the payload, or not there.
    """
    reader, place = READER.get(), data.get("at")
    if reader is None or not isinstance(place, list | tuple) or len(place) != 2:
        raise SerializeError("received data names a value beside it, and there is none")
    return reader.get(*place)
