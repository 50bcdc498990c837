"""The marshal serializer: the format of Python's own compiled files, restricted to values.

It is written by the standard library, and read by it where the data cannot hurt it, by our own reader otherwise.
Marshal itself knows the exact builtin types only; what it refuses is converted in a copy and written again, at any
depth, where Pyro converts the outermost value only.
"""

from __future__ import annotations

import gc
import marshal
import sys
from typing import Any

from pyronb.dialects import Dialect
from pyronb.options import WireOptions
from pyronb.serializers import safemarshal
from pyronb.serializers.base import Buffer, CallParts
from pyronb.serializers.plain import Plainer
from pyronb.serializers.recreate import MARK, recreate
from pyronb.serializers.trouble import OWN, call_parts, read_error, write_error
from pyronb.serializers.unmarshal import unmarshal, unmarshal_marked

__all__ = ["MarshalSerializer", "marshal_text"]

# The newest version that every Python reads which can run a peer. Python 3.14 writes a later one by default.
_VERSION = 4
_MARK = MARK.encode()
# The type bytes of strings of bytes. Looking for an int takes a tenth of the time that looking for bytes does.
_BYTES, _NUMBERED_BYTES = ord("s"), ord("s") | 0x80
_known = safemarshal.KNOWN.get
_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})


class MarshalSerializer:
    """Writes and reads marshal data for one dialect."""

    name = "marshal"
    call_is_value = True

    def __init__(self, dialect: Dialect, options: WireOptions, *, foreign_exceptions: bool) -> None:
        """Make one for a dialect; see `Catalog` for the arguments."""
        self._room = options.room
        self.number = dialect.serializers[self.name]
        self._dialect = dialect
        self._plainer = Plainer(dialect, foreign_exceptions=foreign_exceptions)

    def dumps(self, value: Any) -> bytes:
        """Write a value."""
        try:
            try:
                data = marshal.dumps(value, _VERSION)
            except ValueError:
                return marshal.dumps(self._simplified(value), _VERSION)
            if _shows_memory(value, data):
                return marshal.dumps(self._simplified(value), _VERSION)
        except OWN:
            raise
        except Exception as cause:
            raise write_error(self.name, value, cause) from cause
        return data

    def loads(self, data: Buffer) -> Any:
        """Read a value."""
        try:
            if len(data) <= safemarshal.OFTEN and type(data) is bytes:
                known = _known(data)
                if known is not None:
                    return marshal.loads(known)
            elif len(data) > safemarshal.LARGE and safemarshal.holds_large_bytes(data):
                value, marked = unmarshal_marked(data)
                return recreate(value, self._dialect, self._room, shared=True) if marked else value
            raw = data if type(data) is bytes else bytes(data)
            value = safemarshal.read(raw)
            if value is safemarshal.UNKNOWN:
                value = unmarshal(raw)
            return recreate(value, self._dialect, self._room, shared=True) if raw.find(_MARK) >= 0 else value
        except OWN:
            raise
        except Exception as cause:
            raise read_error(self.name, cause) from cause

    def dumps_call(self, parts: CallParts) -> bytes:
        """Write a call."""
        args: Any
        kwargs: Any
        object_id, method, args, kwargs = parts
        if type(args) is tuple:
            try:
                # As tuples that nobody else refers to: others are numbered, and take longer to read.
                data = marshal.dumps((object_id, method, (*args,), kwargs), _VERSION)
            except ValueError:
                pass
            else:
                if not _shows_memory((args, kwargs), data):
                    return data
        return self.dumps(tuple(parts))

    def loads_call(self, data: Buffer, *, blob: bool = False) -> CallParts:
        """Read a call."""
        return call_parts(self.name, self.loads(data), blob=blob)

    def _simplified(self, value: Any) -> Any:
        """Give a copy of a value that has exact builtin types only."""
        kind = type(value)
        if kind in _ATOMS:
            return value
        container = _CONTAINERS.get(kind)
        if container is dict:
            return {self._simplified(key): self._simplified(item) for key, item in value.items()}
        if container is not None:
            return container([self._simplified(item) for item in value])
        other = self._plainer.hooked(value)
        if other is value:
            other = self._plainer.plain(value)
        if other is value:
            other = _exact(value)
        return self._simplified(self._plainer(value) if other is value else other)


def marshal_text(data: Buffer) -> str:
    """Read the text with which a daemon refuses a connection (wire specification, section 8.3).

    A daemon that gives up early writes it with marshal, whichever serializer the client speaks; so clients that never
    use marshal need this. What is not text is shown as text, for a real daemon may send any value.

    Raises:
        SerializeError: the bytes are no marshal data.
    """
    try:
        return str(unmarshal(bytes(data)))
    except OWN:
        raise
    except Exception as cause:
        raise read_error(MarshalSerializer.name, cause) from cause


def _shows_memory(value: Any, data: bytes) -> bool:
    """Whether there is in a value, which marshal has written, what it writes as bytes without asking.

    It does that with whatever shows its memory, such as arrays; these modules have such types.
    """
    return (
        (_BYTES in data or _NUMBERED_BYTES in data)
        and ("array" in sys.modules or "numpy" in sys.modules)
        and (len(data) > safemarshal.LARGE or safemarshal.may_hold_bytes(data))
        and not _is_exact(value, len(data))
    )


def _is_exact(value: Any, size: int) -> bool:
    """Whether a value is made of nothing but exact builtin types; marshal has written it, in so many bytes."""
    if size > _FEW_BYTES:
        return _is_exact_throughout(value)
    # All of one level after the other, in C. Each item has a byte of its own, unless it occurs more than once.
    level = [value]
    while size >= len(level):
        if not _EXACT.issuperset(map(type, level)):
            return False
        size -= len(level)
        level = gc.get_referents(*level)
        if not level:
            return True
    return _is_exact_throughout(value)


def _is_exact_throughout(value: Any) -> bool:
    """As `_is_exact`; what occurs in many places, or in itself, is looked at once."""
    pending, seen = [value], set()
    while pending:
        each = pending.pop()
        kind = type(each)
        if kind not in _CONTAINERS:
            if kind not in _ATOMS:
                return False
        elif id(each) not in seen:
            seen.add(id(each))
            if kind is dict:
                pending += [key for key in each if type(key) not in _ATOMS]
                each = each.values()
            if not _ATOMS.issuperset(map(type, each)):
                pending += [inner for inner in each if type(inner) not in _ATOMS]
    return True


def _exact(value: Any) -> Any:
    """Give an instance of a subclass of a builtin type as one of that type; anything else as it is."""
    for kind, convert in _BASES:
        if isinstance(value, kind):
            return convert(value)
    return value


_CONTAINERS: dict[type, Any] = {list: list, tuple: tuple, set: set, frozenset: frozenset, dict: dict}
_EXACT = _ATOMS.union(_CONTAINERS)
_FEW_BYTES = 4096
"""So much data is looked at level by level; one part that occurs very often in more of it would take much memory."""
# The methods of the builtin types, because those of the subclass may do anything.
_BASES: tuple[tuple[type, Any], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (complex, lambda value: complex(value.real, value.imag)),
    (str, lambda value: str.__getitem__(value, slice(None))),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (bytearray, bytes),
    (memoryview, lambda value: value.tobytes()),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (list, lambda value: list(list.__iter__(value))),
    (dict, dict),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
)
