"""Reading the text of serpent: one Python literal, and nothing else.

`ast.literal_eval` is the judge of what a text means. It only ever gives values, but it is made of Python's parser, and
long chains of operators can exhaust the C stack of that parser on some versions of Python. So the text is looked
through first: literals, brackets, commas and colons pass; anything else, above all a chain, is refused.
"""

from __future__ import annotations

import ast
import contextlib
import re
from typing import Any

from pyronb.errors import SerializeError

__all__ = ["parse"]

_NUMBER = r"[+-]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?[jJ]?"
# A literal that is followed by a quote could be one of three quotes, whose end is found by other rules.
_STRINGS = r"""[bBuUrR]{0,2}(?:'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*")(?!['"])"""
_TOKEN = "|".join(
    [
        r"[\[\](){},:\s]",
        _STRINGS,
        rf"{_NUMBER}(?:[+-]{_NUMBER})?(?=\s*(?:[,)\]}}:]|$))",
        r"(?:None|True|False)(?![\w])",
        r"#[^\n]*",
    ]
)
# A few at a time, because the engine keeps a note of each repetition until the match is complete.
_tokens = re.compile(f"(?:{_TOKEN}){{1,500}}", re.ASCII).match
# Short texts hold no chain that is long enough to hurt.
_HARMLESS = 1000
_TRIES = 10


def parse(text: str) -> Any:
    """Give the value of a text with one literal; comments and white space may stand around it.

    Raises:
        SerializeError: the text holds more than literals.
        SyntaxError, ValueError, TypeError, MemoryError, RecursionError: it is no literal; the caller translates them.
        SystemError: Python's parser failed each time.
    """
    if "\0" in text:
        raise SerializeError("serpent text has a NUL character in it")
    if len(text) > _HARMLESS:
        end, pos = len(text), 0
        while pos < end:
            match = _tokens(text, pos)
            if match is None:
                raise SerializeError(f"serpent text has something else than a literal at character {pos}")
            pos = match.end()
    # The parser of Python 3.11 counts for all threads together how deep it is. Where another thread parses meanwhile,
    # as the garbage collector may let it, it finds a wrong count at the end and fails, whatever the text was.
    for _ in range(_TRIES - 1):
        with contextlib.suppress(SystemError):
            return ast.literal_eval(text)
    return ast.literal_eval(text)
