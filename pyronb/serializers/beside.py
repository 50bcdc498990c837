"""Values that leave the payload, for serializers that have no form for them: arrays and tables.

Between pyronb ends, a dict with the class name ``pyronb.beside`` and a place stands for such a value in the payload.
The value follows the payload, as native writes it, and its memory is not copied. Towards others, and before the
handshake has told who is there, such a value is refused.

Nothing is prepared for that in advance, for few messages have such values: the first one raises `BesideError`, and the
payload is written once more with a writer set.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Protocol

from pyronb.errors import SerializeError

__all__ = ["PLACEHOLDER", "READER", "WRITER", "BesideError", "Reader", "Writer", "come_back", "leave"]

PLACEHOLDER = "pyronb.beside"


class BesideError(SerializeError):
    """A value has no form in the payload that is being written, and would have one beside it."""


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
