"""What is before the cursor: program text that is not finished, read just far enough to know what it is about.

Text in, values out; no proxy and no namespace is known here.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Path", "Spot", "bound_by", "expression", "positions", "spot_of", "statements", "tokens_of", "words_of"]

_TOKEN = re.compile(
    r"(?P<space>\s+|\\\n|\#[^\n]*)"
    r"|(?P<string>(?P<prefix>[rRbBuUfFtT]{0,2})(?P<quote>'''|\"\"\"|'|\"))"
    r"|(?P<number>\d[\w.]*)|(?P<name>[^\W\d]\w*)|(?P<op>.)"
)
_END = {
    "'''": re.compile(r"(?:[^\\]|\\.)*?'''", re.DOTALL),
    '"""': re.compile(r'(?:[^\\]|\\.)*?"""', re.DOTALL),
    "'": re.compile(r"(?:[^\\'\n]|\\.)*(?:'|\n)", re.DOTALL),
    '"': re.compile(r'(?:[^\\"\n]|\\.)*(?:"|\n)', re.DOTALL),
}
_CLOSES = {")": "(", "]": "[", "}": "{"}
Path = tuple["str | tuple[Any] | None", ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the cursor is, as far as it concerns proxies.

    Attributes:
        kind: ``member`` behind a dot, ``argument`` in the brackets of a call or ``item`` in those of a subscript.
        path: the expression before the dot or the bracket: names as text, constant subscripts as a tuple of one; None
            stands for a call, or a subscript that is computed.
        fragment: the part of a name that was typed already.
        starts: whether an argument could begin here.
        given: named arguments that are there already.
        words: the variables in that expression, those in its brackets included.
    """

    kind: str
    path: Path
    fragment: str
    starts: bool = False
    given: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


def tokens_of(text: str) -> tuple[list[str], str | None]:
    """Split program text, with a line break as a token; also give a string that has not ended, from its prefix on."""
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            break
        at = match.end()
        if match["string"]:
            end = _END[match["quote"]].match(text, at)
            if end is None:
                return tokens, text[match.start() :]
            at = end.end()
            tokens.append(text[match.start() : at])
        elif not match["space"]:
            tokens.append(match.group())
        elif "\n" in match["space"] and not match["space"].startswith("\\"):
            tokens.append("\n")
    return tokens, None


def words_of(tokens: Sequence[str]) -> set[str]:
    """List the variables in an expression or statement."""
    return {
        token
        for ahead, token in zip(["", *tokens], tokens, strict=False)
        if ahead != "." and token.isidentifier() and not keyword.iskeyword(token)
    }


def _open_bracket(tokens: Sequence[str], end: int) -> int | None:
    """Find the bracket in which the tokens before `end` are."""
    depth = 0
    for i in range(end - 1, -1, -1):
        if tokens[i] in _CLOSES:
            depth += 1
        elif tokens[i] in "([{" and len(tokens[i]) == 1:
            if depth == 0:
                return i
            depth -= 1
    return None


def expression(tokens: Sequence[str], end: int) -> tuple[Path, frozenset[str]]:
    """Read the expression that ends before `end` backwards: ``a.b["k"].c``.

    Returns:
        Its path, which is empty when it has no variable at its root, and the variables in it.
    """
    path: list[str | tuple[Any] | None] = []
    i = end - 1
    while i >= 0:
        token = tokens[i]
        if token in _CLOSES:
            start = _open_bracket(tokens, i)
            if start is None:
                return (), frozenset()
            path.insert(0, _subscript(tokens[start : i + 1]))
            i = start - 1
        elif token.isidentifier() and not keyword.iskeyword(token):
            path.insert(0, token)
            if i == 0 or tokens[i - 1] != ".":
                return tuple(path), frozenset(words_of(tokens[i:end]))
            i -= 2
        else:
            break
    # What is in brackets is the root: ``(a or b).c``.
    return (), frozenset(words_of(tokens[i + 1 : end]))


def _subscript(tokens: Sequence[str]) -> tuple[Any] | None:
    if tokens[0] != "[" or len(tokens) != 3:
        return None
    try:
        return (ast.literal_eval(tokens[1]),)
    except (ValueError, SyntaxError):
        return None


def spot_of(text: str) -> Spot | None:
    """Tell where the end of this text is; None when it is behind no dot and in no bracket of an expression."""
    tokens, unfinished = tokens_of(text)
    tokens = [part for part in tokens if part != "\n"]
    if unfinished is not None:
        prefix, _, inside = unfinished.partition(unfinished.lstrip("rRbBuUfFtT")[0])
        if "f" in prefix.lower() and "{" in inside:
            return spot_of(inside.rpartition("{")[2])
    fragment = ""
    if tokens and unfinished is None and text.endswith(tokens[-1]) and tokens[-1].isidentifier():
        fragment = tokens.pop()
    if tokens and tokens[-1] == "." and unfinished is None:
        path, words = expression(tokens, len(tokens) - 1)
        return Spot("member", path, fragment, words=words) if words else None
    at = _open_bracket(tokens, len(tokens))
    path, words = ((), frozenset()) if at is None else expression(tokens, at)
    if at is None or not words or tokens[at] == "{":
        return None
    if tokens[at] == "[":
        return Spot("item", path, fragment, words=words)
    if unfinished is not None:
        return None
    pairs = zip(tokens[at + 1 :], tokens[at + 2 :], strict=False)
    given = frozenset(name for name, sign in pairs if sign == "=" and name.isidentifier())
    return Spot("argument", path, fragment, starts=tokens[-1] in ("(", ","), given=given, words=words)


def statements(text: str) -> list[list[str]]:
    """Split program text into its statements, and those into tokens."""
    found: list[list[str]] = [[]]
    depth = 0
    for part in tokens_of(text)[0]:
        depth = max(0, depth + (part in ("(", "[", "{")) - (part in _CLOSES))
        if part in ("\n", ";") and depth == 0:
            found.append([])
        elif part != "\n":
            found[-1].append(part)
    return found


def positions(tokens: Sequence[str], wanted: str) -> list[int]:
    """Tell where a token is."""
    return [i for i, token in enumerate(tokens) if token == wanted]


def bound_by(statement: Sequence[str]) -> set[str]:
    """List the variables that a statement may bind: before its last ``=``, after ``for`` and ``as``."""
    signs = positions(statement, "=")
    bound = words_of(statement[: signs[-1]]) if signs else set()
    for i in positions(statement, "for"):
        ends = [at for at in positions(statement, "in") if at > i]
        bound |= words_of(statement[i : ends[0]]) if ends else set()
    for i in positions(statement, "as"):
        bound |= words_of(statement[i : i + 2])
    return bound
