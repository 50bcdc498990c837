"""The interpreter's own reader of marshal data, for data that cannot hurt it.

The standard reader is ten times as fast as `unmarshal`, and trusts its input. So the data is looked through first, with
a regular expression: marshal data is a row of tokens, one after the other whatever contains what, so that a pattern can
tell all of them. What could hurt is kept from the reader:

- code objects, and everything else that is no value: no token of ours;
- lengths that are not believed: of strings and ints they must fit into the data; a container may announce 255 items,
  which is no harm, or more when all of these together could be in the data;
- tuples that are referred to before they are complete, whose hash crashes the interpreter, or that grow by references
  to themselves, whose hash takes longer than anyone waits: no reference may lead to a tuple or frozenset;
- frozensets in frozensets, each level of which doubles the time that Python takes to write them: so many as no more
  than `unmarshal` accepts can be in each other;
- interned strings, which some versions of Python keep for ever: they are read as others.

How deep values may be nested is left to the reader, which counts: 2,000 levels mostly, where `unmarshal` reads 200.
Whatever is not known to be harmless is left to `unmarshal`, and so is all that is wrong, for it knows what to say.
What is met again, byte for byte, is not looked through any more: clients that ask the same, and get the same answer,
send the same bytes.
"""

from __future__ import annotations

import itertools
import marshal
import operator
import re
import struct
import sys
from collections.abc import Iterator
from typing import Any

from pyronb.serializers.base import Buffer
from pyronb.serializers.recreate import MARK
from pyronb.serializers.unmarshal import MOST_FROZEN

__all__ = ["KNOWN", "LARGE", "OFTEN", "UNKNOWN", "holds_large_bytes", "may_hold_bytes", "read"]

UNKNOWN = object()
"""What is given when the general way must be taken."""

LARGE = 1 << 20
"""Strings of more bytes are read as fast in the general way, and copied and searched less often."""

OFTEN = 4096
"""Data of so many bytes at most may be known."""
KNOWN: dict[bytes, bytes] = {}
"""Data that was met twice, found harmless and has no class in it, and what the standard reader is to read for it."""
_MOST_KNOWN = 64
_MOST_MET = 1024
# Hashes of data that was met, each in a place of its own, so that what comes but once is not kept.
_met = [0] * _MOST_MET
_MARK = MARK.encode()

# Since Python 3.12 strings that marshal interns live as long as the program.
_INTERNED_FOR_EVER = sys.version_info >= (3, 12)
# Nothing is kept to go back to, where the version of Python knows how.
_ONCE = b"+" if sys.version_info >= (3, 11) else b""
# Longer strings, and whatever else stops the patterns, are looked at one by one.
_SHORT = b"|".join(re.escape(bytes([size])) + rb"[\0-\x7f]{%d}%b" % (size, _ONCE) for size in range(41))
# A type byte with the highest bit set numbers its value, so that references can lead to it.
_TEXTS = rb"z\xfaZ\xda"
_KEPT_TEXTS = rb"z\xfa" if _INTERNED_FOR_EVER else _TEXTS
_NUMBERED_TUPLES = rb"|\xa9.|[\xa8\xbe].\0\0\0"


def _others(texts: bytes, frozenset_: bytes) -> bytes:
    """Give the alternatives that all patterns have, with texts of these types.

    Each takes time that is not taken: what is frequent comes first, and sets after single bytes.
    """
    singles = rb"[NTF0{\xfb]"
    return rb"[%b](?:%b)|g........|%b+%b|\[.\0\0\0%b*%b|\xe7........|[\xdb(<\xbc%b].\0\0\0|[y\xf9].{16}" % (
        texts,
        _SHORT,
        singles,
        _ONCE,
        singles,
        _ONCE,
        frozenset_,
    )


def _runs(run: bytes, tuples: bytes = b"", texts: bytes = _KEPT_TEXTS, frozenset_: bytes = b">") -> bytes:
    """Give the pattern of many tokens; those of five bytes, in `run`, take half the time apart from the others."""
    run = rb"(?:%b....)*%b" % (run, _ONCE)
    return rb"%b(?:(?:\).%b|%b)%b)*%b" % (run, tuples, _others(texts, frozenset_), run, _ONCE)


def _plain_data() -> bytes:
    """Give the pattern of most data, without frozensets.

    Where a tuple is numbered, which the group tells, there may be no reference.
    """
    texts = rb"z\xfa\xda" if _INTERNED_FOR_EVER else _TEXTS
    pattern = rb"(?:\).|\xa9().|i....|\xe9....|%b)*%b(?(1)|%b)" % (
        _others(texts, b""),
        _ONCE,
        _runs(_WITH_REFERENCES, texts=texts, frozenset_=b""),
    )
    # Interned texts can be made others by changing that byte, where it is nothing else.
    return pattern.replace(b".", rb"[^\xda]") if _INTERNED_FOR_EVER else pattern


def _match(pattern: bytes) -> Any:
    """Give what matches a pattern that matches at least nothing, so that there always is a match."""
    return re.compile(pattern, re.DOTALL).match


_WITH_REFERENCES = rb"[i\xe9r]"
_plain = _match(_plain_data())
_referred = _match(_runs(_WITH_REFERENCES))
# No reference may lead to the outermost tuple, which has number 0.
_inside = _match(_runs(rb"(?:[i\xe9]|r(?!\0\0\0\0))"))
_all = _match(_runs(_WITH_REFERENCES, _NUMBERED_TUPLES))
_written = _match(_runs(_WITH_REFERENCES, _NUMBERED_TUPLES, _TEXTS))
# The type bytes of the numbered values, of what that pattern has matched.
_numbered = re.compile(
    rb"(?:[ri]....|[%b](?:%b)|[NTF0{]|g........|\).|[\[(<].\0\0\0|y.{16})*%b"
    rb"(?:\Z|(?=([\x80-\xff]))(?:\xe9....|[%b](?:%b)|\xfb|\xe7........|\xa9.|[\xdb\xa8\xbc\xbe].\0\0\0|\xf9.{16}))"
    % (
        b"z" if _INTERNED_FOR_EVER else b"zZ",
        _SHORT,
        _ONCE,
        b"\xfa" if _INTERNED_FOR_EVER else b"\xfa\xda",
        _SHORT,
    ),
    re.DOTALL,
)
# Nothing is skipped, for a text may end with what looks like the beginning of the reference that follows it; but where
# the next one is the same again, as in many rows with one text, it is found with the one before it.
_find_references: Any = re.compile(
    rb"r(?=(....))(?:[^r]{4}(?:[^r]*%br\1)+%b)?%b" % (_ONCE, _ONCE, _ONCE), re.DOTALL
).findall
_FROZEN, _NUMBERED_FROZEN = b">\xbe"
_frozensets = [re.compile(kind + rb"...\0", re.DOTALL).findall for kind in (b">", rb"\xbe")]
_TYPE_BYTE: Any = operator.itemgetter(1)
_EARLY = 100
"""Up to so many numbered values are found one by one sooner than all at once."""
_NUMBERED = 0x80
_SHORT_TEXTS = b"zZ\xfa\xda"
# What marshal begins a value with, or ends a dict.
_WRITTEN = frozenset(byte | flag for byte in b"0NTFS.ilfgxyszZaAut()[{<>cr" for flag in (0, _NUMBERED))
_INT = struct.Struct("<i").unpack_from
# An int is hashed anew each time; no reference may lead to one that is longer.
_LONG_DIGITS = 64


def read(data: bytes) -> Any:
    """Give the value that the data describes; UNKNOWN when reading it might hurt, or goes wrong."""
    found = _plain(data)
    harmless = data
    if found.end() != len(data):
        harmless = _scanned(data, found)
        if not harmless:
            return UNKNOWN
    elif _INTERNED_FOR_EVER:
        harmless = data.replace(b"\xda", b"\xfa")
    try:
        # StopIteration is a value to marshal but not to us: it comes out behind exactly one whole value.
        value, end = marshal.loads(b")\x02" + harmless + b"S")
    except (EOFError, MemoryError, TypeError, ValueError, RecursionError):
        return UNKNOWN
    if end is not StopIteration:
        return UNKNOWN
    if len(data) <= OFTEN:
        met = hash(data)
        if _met[met % _MOST_MET] != met:
            _met[met % _MOST_MET] = met
        elif data.find(_MARK) < 0:
            if len(KNOWN) >= _MOST_KNOWN:
                KNOWN.clear()
            KNOWN[data] = harmless
    return value


def _scanned(data: bytes, found: re.Match[bytes]) -> bytes:
    """Give what the standard reader is to read for data that `_plain` has matched in part; nothing if it must not."""
    if _INTERNED_FOR_EVER:
        known = found.end()
        data = data[:known].replace(b"\xda", b"\xfa") + data[known:]
    scan = _Scan(data)
    if not scan.harmless(found) or scan.holds_large_bytes or scan.tuple_may_be_referred_to():
        return b""
    if (_FROZEN in data or _NUMBERED_FROZEN in data) and sum(len(find(data)) for find in _frozensets) > MOST_FROZEN:
        return b""
    return bytes(scan.data)


def holds_large_bytes(data: Buffer) -> bool:
    """Whether the data, which can be read, has a large string of bytes in it; all of the data is never searched."""
    scan = _Scan(data)
    return scan.harmless() and scan.holds_large_bytes


def may_hold_bytes(data: bytes) -> bool:
    """Whether there may be a string of bytes in the data, which marshal has written and which is not LARGE."""
    # What looks like one, with a length that is less than 2**24 and ends where the data does or something may begin,
    # may be a part of a text. For the last that does, and for all before it, the tokens tell.
    last, size = -1, len(data)
    for kind in b"s\xf3":
        at = data.rfind(kind, 0, size - 4)
        while at > last:
            if not data[at + 4]:
                after = at + 5 + _INT(data, at + 1)[0]
                if after == size or (after < size and data[after] in _WRITTEN):
                    last = at
                    break
            # The highest byte of its length is zero, so that long texts are skipped.
            at = data.rfind(kind, 0, max(data.rfind(0, 0, at + 4) - 3, 0))
    if last < 0:
        return False
    token = _written(data, 0, last).end()
    return data[token] not in _SHORT_TEXTS or token + 2 + data[token + 1] <= last


class _Scan:
    """One look through the data, token by token."""

    __slots__ = ("announced", "data", "holds_large_bytes", "match", "stretches")

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.match = _referred
        self.announced = 0
        self.holds_large_bytes = False
        self.stretches: list[tuple[int, int]] = []
        """Where what the patterns have matched begins and ends; between these are single tokens."""

    def harmless(self, found: re.Match[bytes] | None = None) -> bool:
        """Go through all tokens, but for those that `_plain` has found, and tell whether they can be read."""
        size = len(self.data)
        begin, known = 0, found.end() if found is not None else 0
        if self.data[:1] == b"\xa9":
            begin, known, self.match = 2, 2, _inside
        elif found is not None and found.lastindex:
            self.match = _all
        pos: int = self.match(self.data, known).end()
        self.stretches = [(begin, pos)]
        try:
            while pos < size:
                after = self.token(pos)
                if not pos < after <= size:
                    return False
                pos = self.match(self.data, after).end()
                self.stretches.append((after, pos))
        except (IndexError, struct.error):
            return False
        return True

    def token(self, pos: int) -> int:
        """Look at a token that the patterns leave out; give where the next one begins, 0 if it must not be read."""
        data = self.data
        kind = data[pos] & ~_NUMBERED
        if kind in _NOT_INTERNED and _INTERNED_FOR_EVER:
            if not isinstance(data, bytearray):
                self.data = data = bytearray(data)
            data[pos] = _NOT_INTERNED[kind] | data[pos] & _NUMBERED
        return _TOKENS.get(kind, _unknown_token)(self, pos)

    def short_text(self, pos: int) -> int:
        start = pos + 2
        after = start + self.data[pos + 1]
        return after if bytes(self.data[start:after]).isascii() else 0

    def ascii_text(self, pos: int) -> int:
        start, after = self.stretch(pos, 1)
        return after if bytes(self.data[start:after]).isascii() else 0

    def text(self, pos: int) -> int:
        return self.stretch(pos, 1)[1]

    def bytes(self, pos: int) -> int:
        start, after = self.stretch(pos, 1)
        self.holds_large_bytes |= after - start > LARGE
        return after

    def long(self, pos: int) -> int:
        start, after = self.stretch(pos, 2)
        return 0 if self.data[pos] & _NUMBERED and after - start > 2 * _LONG_DIGITS else after

    def container(self, pos: int) -> int:
        count: int = _INT(self.data, pos + 1)[0]
        # Not to be believed more than once: the space for all items is taken before they are read.
        self.announced += max(count, 0)
        if count < 0 or self.announced > len(self.data):
            return 0
        if self.data[pos] in _TUPLE_KINDS:
            self.match = _all
        return pos + 5

    def small_tuple(self, pos: int) -> int:
        self.match = _all
        return pos + 2

    def reference(self, pos: int) -> int:
        self.match = _all
        return 0 if self.data[pos] & _NUMBERED else pos + 5

    def stretch(self, pos: int, width: int) -> tuple[int, int]:
        """Give where a string with a long length starts and ends; a negative number of digits is a sign."""
        count: int = _INT(self.data, pos + 1)[0]
        return pos + 5, pos + 5 + width * (abs(count) if width > 1 else count)

    def tuple_may_be_referred_to(self) -> bool:
        """Whether a reference may lead to a tuple or frozenset; unsure is true."""
        if self.match is not _all:
            return False
        data = bytes(self.data)
        numbers = {int.from_bytes(number, "little") for number in set(_find_references(data))}
        # There are fewer values than bytes. What looks like a reference may be text, which is a larger number.
        numbers = {number for number in numbers if number < len(data)}
        # Mostly few values are referred to, and early ones.
        last = max(numbers, default=-1)
        kinds = b"".join(itertools.islice(self.numbered_kinds(data, one_by_one=last < _EARLY), last + 1))
        # More than there are lead nowhere, which the interpreter's reader finds out.
        return any(kinds[number] in _TUPLE_KINDS for number in numbers if number < len(kinds))

    def numbered_kinds(self, data: Buffer, *, one_by_one: bool) -> Iterator[Buffer]:
        """Give the type bytes of the numbered values, in their order; quickly all, or one by one quickly the first."""
        at = 0
        for begin, end in self.stretches:
            if begin > at and data[at] & _NUMBERED:
                yield data[at : at + 1]
            if one_by_one:
                # Where there is none any more, the pattern gives nothing.
                yield from filter(None, map(_TYPE_BYTE, _numbered.finditer(data, begin, end)))
            else:
                yield from filter(None, _numbered.findall(data, begin, end))
            at = end


def _unknown_token(_scan: _Scan, _pos: int) -> int:
    return 0


_NOT_INTERNED = {ord("Z"): ord("z"), ord("A"): ord("a"), ord("t"): ord("u")}
_TUPLE_KINDS = bytes(byte | _NUMBERED for byte in b"()>")
_TOKENS = {
    **dict.fromkeys(b"zZ", _Scan.short_text),
    **dict.fromkeys(b"aA", _Scan.ascii_text),
    **dict.fromkeys(b"ut", _Scan.text),
    **dict.fromkeys(b"[(<>", _Scan.container),
    ord("s"): _Scan.bytes,
    ord("l"): _Scan.long,
    ord(")"): _Scan.small_tuple,
    ord("r"): _Scan.reference,
}
