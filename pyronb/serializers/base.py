"""What a serializer is, and the door through which programs register their classes.

All serializers have the same four methods. `dumps_call` and `loads_call` exist beside `dumps` and `loads` because a
call has a shape of its own in json (wire specification, section 9.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pyronb.serializers.hooks import HOOKS

__all__ = ["BATCH_METHOD", "Buffer", "CallParts", "Scattered", "Serializer", "SerializerBase", "new_parts"]

Buffer = bytes | bytearray | memoryview

BATCH_METHOD = "<batch>"
"""The method of a call whose arguments are the calls of a batch."""


class CallParts(NamedTuple):
    """A call as it was sent: to which object, which method, with what."""

    object_id: str
    method: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any] | None
    """None in the library's own pseudo-calls (batches and attribute access)."""


new_parts = tuple.__new__
"""Makes `CallParts` of a tuple, for the path of every call: ``new_parts(CallParts, (...))``."""


class Scattered(bytes):
    """What a serializer wrote, where memory of the value itself belongs to it: the first piece, and those after it.

    Attributes:
        beside: the other pieces, in their order; none of them was copied.
    """

    beside: Sequence[Buffer]

    def __new__(cls, first: bytes, beside: Sequence[Buffer]) -> Scattered:
        """Take the pieces."""
        made = super().__new__(cls, first)
        made.beside = beside
        return made

    @property
    def size(self) -> int:
        """Bytes of all pieces together."""
        return len(self) + sum(map(len, self.beside))


class Serializer(Protocol):
    """Turns values into bytes and back, for one dialect.

    The bytes that are read come from a peer and are untrusted: reading never runs code and never makes an instance of
    a class that was not registered for it. Pickle and its kin do both, and are there only where they were chosen by
    name; see `Catalog`.
    """

    name: str
    number: int
    """The serializer's number in the message header, which depends on the dialect."""
    call_is_value: bool
    """Whether a call is written as a value, the sequence of its parts, so that `loads` reads it too."""

    def dumps(self, value: Any) -> bytes:
        """Write a value; only native gives `Scattered` bytes.

        Raises:
            SerializeError: the value cannot be written with this serializer.
        """

    def loads(self, data: Buffer) -> Any:
        """Read a value.

        Raises:
            SerializeError: the bytes cannot be read, or hold an unknown class.
            SecurityError: the bytes hold a class name that is refused.
        """

    def dumps_call(self, parts: CallParts) -> bytes:
        """Write a call; raises as `dumps`."""

    def loads_call(self, data: Buffer, *, blob: bool = False) -> CallParts:
        """Read a call; raises as `loads`, and SerializeError when it has not the shape of a call.

        With `blob` the arguments may be any one value, as they are in a call with a serialized blob (wire
        specification, section 18); they are a list or tuple otherwise.
        """


class SerializerBase:
    """The hooks that change how your classes are written and read. (S33-S39.)

    They apply to all serializers but pickle and its kin. Reading never makes an instance of a class unless its name was
    registered here, which is a decision about security: the arguments of the converter come from other machines.
    """

    @staticmethod
    def register_class_to_dict(
        clazz: type, converter: Callable[[Any], Mapping[str, Any]], serpent_too: bool = True
    ) -> None:
        """Have instances of this class, and of its subclasses, written as what the converter makes of them.

        The converter of the most specific class is used. It should give a dict with the key ``__class__``.
        `serpent_too` is there for programs written for Pyro; there is one registry for all serializers.
        """
        del serpent_too
        HOOKS.register_class_to_dict(clazz, converter)

    @staticmethod
    def unregister_class_to_dict(clazz: type) -> None:
        """Take back `register_class_to_dict`; nothing happens when there was none."""
        HOOKS.unregister_class_to_dict(clazz)

    @staticmethod
    def register_dict_to_class(classname: str, converter: Callable[[str, dict[str, Any]], Any]) -> None:
        """Have dicts whose ``__class__`` is exactly this name read by the converter (class name, dict)."""
        HOOKS.register_dict_to_class(classname, converter)

    @staticmethod
    def unregister_dict_to_class(classname: str) -> None:
        """Take back `register_dict_to_class`; nothing happens when there was none."""
        HOOKS.unregister_dict_to_class(classname)
