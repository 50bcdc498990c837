"""Errors of the libraries below become ours here, once for all serializers."""

from __future__ import annotations

from typing import Any

from pyronb.dialects import SAFE, UNSAFE
from pyronb.errors import SecurityError, SerializeError
from pyronb.serializers.base import CallParts, new_parts
from pyronb.serializers.hooks import class_name

__all__ = ["OWN", "call_parts", "read_error", "write_error"]

_ADVICE = {
    "cloudpickle": "send what it is made of instead",
    "dill": "send what it is made of instead",
    "pickle": "dill and cloudpickle write more types",
    "json": "json writes text, numbers, lists and dicts with text keys; serpent and msgpack write more",
    "marshal": "serpent writes more types",
    "native": "send what it is made of",
    "msgpack": "serpent writes more types",
    "serpent": "keys and set items must be text, numbers or tuples of them",
}
# What the packages say of values that contain themselves.
_TOO_DEEP = ("nesting too deep", "Circular reference", "recursion limit exceeded")
_CALL_LENGTH = 4
_SEQUENCES = frozenset({list, tuple})
_TEXT = frozenset({str})

OWN = (SerializeError, SecurityError)
"""What passes through the serializers as it is."""


def write_error(serializer: str, value: Any, cause: BaseException) -> SerializeError:
    """Give the error that says why a value could not be written, and what can be done."""
    reason = str(cause)
    if isinstance(cause, RecursionError) or any(words in reason for words in _TOO_DEEP):
        reason = "it is nested too deeply, or contains itself"
    advice = _ADVICE[serializer]
    if serializer in SAFE:
        advice += "; or register a hook with SerializerBase.register_class_to_dict"
    return SerializeError(
        f"{serializer} cannot write this {class_name(value)}: {reason.rstrip('.') or type(cause).__name__} ({advice})"
    )


def read_error(serializer: str, cause: BaseException) -> SerializeError:
    """Give the error that says why bytes could not be read."""
    reason = "nested too deeply" if isinstance(cause, RecursionError) else str(cause)
    if serializer in UNSAFE and isinstance(cause, ImportError | AttributeError):
        return SerializeError(f"received {serializer} data needs a class that is not here: {reason}")
    return SerializeError(f"received data is not valid {serializer}: {reason or type(cause).__name__}")


def call_parts(serializer: str, parts: Any, *, blob: bool) -> CallParts:
    """Check that decoded data has the shape of a call.

    Raises:
        SerializeError: it has not.
    """
    if type(parts) not in _SEQUENCES or len(parts) != _CALL_LENGTH:
        raise SerializeError(f"received data is not a call ({serializer}): it has not the four parts of one")
    object_id, method, args, kwargs = parts
    if type(object_id) is not str or type(method) is not str:
        raise SerializeError(f"received data is not a call ({serializer}): object and method are not text")
    if type(args) not in _SEQUENCES and not blob:
        raise SerializeError(f"received data is not a call ({serializer}): the arguments are not a sequence")
    if kwargs is not None and (type(kwargs) is not dict or (kwargs and not _TEXT.issuperset(map(type, kwargs)))):
        raise SerializeError(f"received data is not a call ({serializer}): the keyword arguments have no text keys")
    return new_parts(CallParts, parts)
