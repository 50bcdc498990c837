"""A faster way to read those literals that are nearly json, and to write those values whose repr is a literal.

Python's parser takes a hundred times as long for a literal as json's scanner, which is written in C. Most of what
serpent writes differs from json in four things only: quotes, the names of the three constants, tuples, and escapes in
texts. These are rewritten here, with nothing but searching and replacing, and json's scanner does the reading. It is
strict, so it refuses all that it and Python might understand differently: keys that are no text, sets, bytes, complex
numbers, comments, implied concatenation. For all of this `read` says that it cannot tell, and `literals.parse`
decides.

The rewriting relies on this: outside of strings a literal of Python has no quotes, and inside of a string that has no
backslash all characters stand for themselves.
"""

from __future__ import annotations

import re
import sys
from itertools import accumulate
from json import JSONDecoder
from typing import Any

__all__ = ["UNKNOWN", "read", "write"]

UNKNOWN = object()
"""What is given when the general way must be taken."""

# A tuple becomes {"\1": [items], "\2": how it ends}. No other dict has these keys, because json takes a control
# character only as an escape, and those of these keys are not let through. One key comes from each bracket, so that a
# dict has both and nothing else only where two brackets belong together.
_OPENING, _CLOSING = "\x01", "\x02"
_OPEN = '{"\\u0001":['
_CLOSE = '],"\\u0002":0}'
_CLOSE_AFTER_COMMA = '],"\\u0002":1}'
_TUPLE_KEYS = 2
_KEY_CODES = frozenset({ord(_OPENING), ord(_CLOSING)})

# Python's own limit is 200 brackets; beyond half of it Python itself decides.
_DEEPEST = 100
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[](){}")))
_STEPS = [1 if byte in b"[({" else -1 if byte in b"])}" else 0 for byte in range(256)]

_split_strings = re.compile(r"""('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")""").split
_escapes = re.compile(r'"|\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\s\S])')


class _NotSure(Exception):  # noqa: N818 - a step aside, not an error
    """The general way must be taken."""


def _no_constant(_name: str) -> Any:
    """Refuse NaN and Infinity, which are names to Python."""
    raise _NotSure


def _tuple_or_dict(made: dict[str, Any]) -> Any:
    items = made.get(_OPENING)
    if items is None:
        if _CLOSING in made:
            raise _NotSure
        return made
    if len(made) != _TUPLE_KEYS or _CLOSING not in made:
        raise _NotSure
    after_comma = made[_CLOSING]
    if len(items) == 1 and not after_comma:
        # Brackets around a value make no tuple.
        return items[0]
    if not items and after_comma:
        raise _NotSure
    return tuple(items)


def _scanner(**hooks: Any) -> Any:
    """Give the function that reads the value at a place of a text; the types of the library do not know of it."""
    decoder: Any = JSONDecoder(parse_constant=_no_constant, **hooks)
    return decoder.scan_once


_scan = _scanner()
_scan_with_tuples = _scanner(object_hook=_tuple_or_dict)


def read(text: str, start: int = 0) -> Any:
    """Give the value of the literal that begins at `start` and ends with the text; UNKNOWN when unsure of it.

    Before `start` there are no quotes. This never raises, and a text that is no literal is never taken for one.
    """
    try:
        if "\\" in text or '"' in text:
            parts = _split_strings(text)
            parts[1::2] = map(_as_json, parts[1::2])
            between = ""
        else:
            parts = text.split("'")
            between = '"'
        parts[0] = parts[0][start:]
        # What is outside of strings, in one piece to be rewritten at once.
        outside = "'".join(parts[::2])
        if '"' in outside or "\\" in outside:
            return UNKNOWN  # a string without an end, to which json might see one
        if "t" in outside or "f" in outside or "ll" in outside or _depth(outside) > _DEEPEST:
            return UNKNOWN  # perhaps json's own true, false or null
        outside = outside.replace("True", "true").replace("False", "false").replace("None", "null")
        if "(" in outside or ")" in outside:
            outside = outside.replace("(", _OPEN).replace(",)", _CLOSE_AFTER_COMMA).replace(")", _CLOSE)
            scan = _scan_with_tuples
        else:
            scan = _scan
        parts[::2] = outside.split("'")
        text = between.join(parts)
        value, end = scan(text, 0)
    except (StopIteration, ValueError, RecursionError, _NotSure):
        return UNKNOWN
    return value if end == len(text) else UNKNOWN


def _depth(outside: str) -> int:
    """Tell how deep brackets nest, or a number that it is at most."""
    most = outside.count("[") + outside.count("(") + outside.count("{")
    if most <= _DEEPEST:
        return most
    brackets = outside.encode("utf-8", "surrogatepass").translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _as_json(string: str) -> str:
    """Give a string of Python as one of json."""
    inside = string[1:-1]
    if "\\" in inside or '"' in inside:
        inside = _escapes.sub(_escape_as_json, inside)
    return f'"{inside}"'


def _escape_as_json(match: re.Match[str]) -> str:
    escape = match[0]
    known = _ESCAPES.get(escape)
    if known is not None:
        return known
    kind, digits = escape[1:2], escape[2:]
    if kind in "xuU" and digits:
        code = int(digits, 16)
        if code in _KEY_CODES or 0xD800 <= code < 0xE000 or code > sys.maxunicode:
            raise _NotSure  # two halves of a surrogate pair are two characters to Python, and one to json
        return f"\\u{code:04x}" if code <= 0xFFFF else chr(code)
    raise _NotSure


_ESCAPES = {'"': '\\"', '\\"': '\\"', "\\'": "'", **{same: same for same in (r"\\", r"\n", r"\r", r"\t")}}


_ATOMS = frozenset({type(None), bool, int, float, str})
_CONTAINERS = frozenset({list, tuple, dict})
_KEYS = frozenset({str, int})


def write(value: Any) -> Any:
    """Give the text of a value whose repr is a literal for it, as serpent would write it; UNKNOWN for any other."""
    kind = type(value)
    if kind in _CONTAINERS:
        if not _is_literal(value, kind, _DEEPEST):
            return UNKNOWN
    elif kind not in _ATOMS:
        return UNKNOWN
    text = repr(value)
    # Serpent has other forms for these numbers, and a text that holds such a word may as well go the general way.
    return UNKNOWN if "inf" in text or "nan" in text else text


def _is_literal(container: Any, kind: type, deeper: int) -> bool:
    """Whether there are only exact builtin types in a container, and no more levels than that."""
    if kind is dict:
        if not _KEYS.issuperset(map(type, container)):
            return False
        container = container.values()
    if _ATOMS.issuperset(map(type, container)):
        return True
    for each in container:
        kind = type(each)
        if kind in _ATOMS:
            continue
        if kind not in _CONTAINERS or not deeper or not _is_literal(each, kind, deeper - 1):
            return False
    return True
