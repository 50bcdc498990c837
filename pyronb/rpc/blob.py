"""SerializedBlob: an argument that is passed through without being decoded on the way. (Wire spec, section 18.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyronb.dialects import Dialect
from pyronb.errors import ProtocolError, SerializeError
from pyronb.serializers.base import Serializer
from pyronb.serializers.hooks import HOOKS
from pyronb.wire.message import Buffer, Message

__all__ = ["SerializedBlob", "pack_info", "unpack_info"]


class SerializedBlob:
    """Wraps the only argument of a call, so that whoever passes it on need not decode it.

    Args:
        info: what the one in the middle may look at; any plain value that marshal can write.
        data: the value, on the side that makes the blob.
        message: the request that brought it, on the side that got it.
        read: decodes the value from that request.
        dialect: what that request was written in; its bytes mean something else in another one.
    """

    __slots__ = ("_read", "data", "dialect", "info", "message")

    def __init__(
        self,
        info: Any,
        data: Any = None,
        message: Message | None = None,
        read: Callable[[], Any] | None = None,
        dialect: Dialect | None = None,
    ) -> None:
        self.info = info
        self.data = data
        self.message = message
        self.dialect = dialect
        self._read = read

    def deserialized(self) -> Any:
        """Decode the value.

        Raises:
            SerializeError: it cannot be read.
        """
        return self.data if self._read is None else self._read()


def pack_info(marshal: Serializer, info: Any, object_id: str, method: str) -> bytes:
    """Make the annotation that says where a blob goes, since its payload is not looked at."""
    return marshal.dumps((info, object_id, method))


def unpack_info(marshal: Serializer, chunk: Buffer) -> tuple[Any, str, str]:
    """Read the annotation of a blob: its info, the object id and the method.

    Raises:
        ProtocolError: it is not shaped so.
    """
    value = marshal.loads(chunk)
    match value:
        case (info, str(object_id), str(method)):
            return info, object_id, method
    raise ProtocolError("the annotation of a serialized blob should be (info, object, method)")


def _refuse(blob: SerializedBlob) -> None:
    """Refuse to write a blob as a value: it only stays what it is as the one argument of a call."""
    raise SerializeError(f"the serialized blob {blob.info!r} has to be the only argument of its call")


HOOKS.register_substitute(SerializedBlob, _refuse)
