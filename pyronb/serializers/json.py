"""The json serializer: text that every language reads, with the fewest types."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pyronb.dialects import Dialect
from pyronb.errors import SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import Buffer, CallParts
from pyronb.serializers.beside import leave
from pyronb.serializers.hooks import HOOKS, class_name
from pyronb.serializers.plain import Plainer
from pyronb.serializers.recreate import MARK, recreate
from pyronb.serializers.trouble import OWN, call_parts, read_error, write_error

__all__ = ["JsonSerializer"]


class JsonSerializer:
    """Writes and reads json for one dialect."""

    name = "json"
    call_is_value = False

    def __init__(
        self, dialect: Dialect, options: WireOptions, *, foreign_exceptions: bool, module: ModuleType = json
    ) -> None:
        """Make one for a dialect; see `Catalog` for the arguments.

        Args:
            dialect: the protocol above the header.
            options: the room that proxies are for; the catalog has read from it which module does the work.
            foreign_exceptions: the peer takes exceptions of any class.
            module: has the functions `dumps` and `loads` of the standard library's json.
        """
        self._room = options.room
        self.number = dialect.serializers[self.name]
        self._dialect = dialect
        self._plainer = Plainer(dialect, foreign_exceptions=foreign_exceptions)
        self._encode = _encoder(module, self._other)
        self._decode: Callable[[str], Any] = _kept_decoder() if module is json else module.loads

    def dumps(self, value: Any) -> bytes:
        """Write a value."""
        try:
            if HOOKS.touches_builtins:
                value = self._plainer.without_hooked(value)
            return self._encode(value)
        except OWN:
            raise
        except Exception as cause:
            raise write_error(self.name, value, cause) from cause

    def loads(self, data: Buffer) -> Any:
        """Read a value."""
        try:
            text = str(data, "utf-8")
            value = self._decode(text)
            return recreate(value, self._dialect, self._room) if MARK in text else value
        except OWN:
            raise
        except Exception as cause:
            raise read_error(self.name, cause) from cause

    def _other(self, obj: Any) -> Any:
        """Give what is written for an object that json does not know."""
        if isinstance(obj, bytes | bytearray | memoryview):
            other = self._plainer.hooked(obj)
            return (
                leave(obj, f"{class_name(obj)} in json", "text; serpent and msgpack write more types")
                if other is obj
                else other
            )
        return self._plainer(obj)

    def dumps_call(self, parts: CallParts) -> bytes:
        """Write a call, which is a map in json."""
        object_id, method, args, kwargs = parts
        return self.dumps({"object": object_id, "method": method, "params": args, "kwargs": kwargs})

    def loads_call(self, data: Buffer, *, blob: bool = False) -> CallParts:
        """Read a call."""
        call = self.loads(data)
        try:
            parts = (call["object"], call["method"], call["params"], call["kwargs"])
        except (IndexError, KeyError, TypeError):
            raise SerializeError(
                "received data is not a call (json): it is no map with object, method, params, kwargs"
            ) from None
        return call_parts(self.name, parts, blob=blob)


_SETTINGS: tuple[dict[str, Any], ...] = (
    # simplejson would write some types otherwise than the standard library.
    {"ensure_ascii": False, "allow_nan": True, "use_decimal": False, "namedtuple_as_object": False},
    {"ensure_ascii": False},
    # orjson always writes UTF-8.
    {},
)
"""How a module is told to write as the standard library does; the first that it takes."""


def _encoder(module: ModuleType, default: Callable[[Any], Any]) -> Callable[[Any], bytes]:
    """Give the function that writes a value with this module, as fast as the module can.

    Raises:
        SerializeError: it is no module for json, or one that cannot be told what to do with other types. (S22.)
    """
    if module is json:
        return _kept_encoder(default)
    for more in _SETTINGS:
        settings = {**more, "default": default}
        try:
            module.loads(module.dumps("", **settings))
        except (AttributeError, TypeError):
            continue
        break
    else:
        raise SerializeError(
            f"JSON_MODULE {module.__name__!r} cannot do json's work: it needs loads, and dumps with the argument "
            f"`default`"
        )

    def encode(value: Any) -> bytes:
        written = module.dumps(value, **settings)
        return written if isinstance(written, bytes) else written.encode("utf-8")

    return encode


def _kept_encoder(default: Callable[[Any], Any]) -> Callable[[Any], bytes]:
    """Give a function that keeps the encoder of the standard library, which makes a new one for every value."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        slow = json.JSONEncoder(ensure_ascii=False, default=default).encode
        return lambda value: slow(value).encode("utf-8")
    # No table of markers for values that contain themselves: it would be shared between threads, and keep its entries
    # after an error. The recursion limit catches such values.
    write = make(None, default, json.encoder.encode_basestring, None, ": ", ", ", False, False, True)
    return lambda value: "".join(write(value, 0)).encode("utf-8")


def _kept_decoder() -> Callable[[str], Any]:
    """Give a function that keeps the decoder of the standard library, and calls what is in C of it first."""
    decoder: Any = json.JSONDecoder()
    scan, decode = decoder.scan_once, decoder.decode

    def read(text: str) -> Any:
        try:
            value, end = scan(text, 0)
        except StopIteration:
            return decode(text)
        # White space may stand around a value, anything else is an error; the decoder knows which.
        return value if end == len(text) else decode(text)

    return read
