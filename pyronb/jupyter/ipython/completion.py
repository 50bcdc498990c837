"""Completion for proxies and for the magics, from what is known already: pressing Tab never asks anybody.

Left to itself IPython reads every attribute of an object to find its type; for a proxy each would be a remote call.
So this matcher answers wherever an expression leads to a proxy, and says that nobody else shall. IPython only listens
to that when there is at least one completion; where there is none, the text itself is offered: it changes nothing.
It also answers for names that the same cell makes of a proxy (``x = p.value``), for jedi would follow them back.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from IPython import version_info
from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher
from IPython.core.interactiveshell import InteractiveShell

from pyronb.client.face import signature_of
from pyronb.client.speech import CHOICES
from pyronb.config import ITEMS
from pyronb.jupyter.ipython.cursor import (
    Spot,
    bound_by,
    expression,
    positions,
    spot_of,
    statements,
    tokens_of,
    words_of,
)
from pyronb.jupyter.models import NamesModel
from pyronb.sync.proxy import Proxy

__all__ = ["KnownNames", "known_names", "make_matcher"]

IDENTIFIER = "pyronb.proxy"
PRIORITY = 2000

_KEYWORDS = "IPCompleter.python_func_kw_matcher"

MAX_TEXT = 20_000
"""Most characters before the cursor that are looked at."""

_MAGIC = re.compile(r"\s*%{1,2}(pyro_\w+)\s+(.*)$")
_OPTIONS = {
    "pyro_batch": ("--async", "--oneway", "--out", "--output", "--progress-after", "--timeout"),
    "pyro_close": (),
    "pyro_config": (),
    "pyro_doctor": ("--ns",),
    "pyro_connect": ("--ns", "--output", "--serializer", "--timeout"),
    "pyro_expose": ("--ns", "--tag"),
    "pyro_info": ("--refresh",),
    "pyro_ls": ("--ns", "--out", "--tag"),
    "pyro_ns": ("--ns", "--port"),
    "pyro_serve": ("--ns", "--tag"),
    "pyro_status": (),
}
_FREE = ("--ns", "--out", "--port", "--progress-after", "--tag", "--timeout", "-o", "-t")
"""Options whose value nobody can guess."""


class KnownNames:
    """The names that name servers gave when they were last asked; filled by whoever asks."""

    def __init__(self) -> None:
        """Know none yet."""
        self._names: dict[str, tuple[str, ...]] = {}

    def remember(self, model: NamesModel) -> None:
        """Keep the names of an answer, instead of those that this name server gave before."""
        if model["state"] == "ok":
            self._names[model["nameserver"]["address"]] = tuple(entry["name"] for entry in model["names"])

    def __iter__(self) -> Any:
        return iter(sorted({name for names in list(self._names.values()) for name in names}))


known_names = KnownNames()
"""The names that this process has seen."""


Answer = dict[str, Any]
"""What IPython calls SimpleMatcherResult, whose optional keys its types do not know as optional."""


# What is there


def locate(path: Sequence[str | tuple[Any] | None], namespace: Mapping[str, Any]) -> tuple[Proxy, int] | None:
    """Follow an expression to the first proxy in it, running nobody's code on the way.

    Returns:
        The proxy, and how many steps of the path lead to it; None when it leads to none.
    """
    value: Any = namespace
    for i, step in enumerate(path):
        try:
            if isinstance(step, tuple):
                value = value[step[0]] if type(value) in (dict, list, tuple) else None
            elif step is None:
                return None
            elif i == 0:
                value = namespace[step]
            else:
                value = object.__getattribute__(value, "__dict__").get(step)
        except (LookupError, AttributeError, TypeError):
            return None
        if issubclass(type(value), Proxy):
            return value, i + 1
    return None


def made_of_proxies(text: str, namespace: Mapping[str, Any]) -> set[str]:
    """List the variables that lead to a proxy, and those that this text makes of them, as far as one can tell.

    It is better to list too many: for them only jedi's static analysis is missing.
    """
    parts = statements(text)
    hot: set[str] = set()
    for statement in parts:
        for i, token in enumerate(statement):
            if token in namespace and (i == 0 or statement[i - 1] != ".") and _leads_to_proxy(statement[i:], namespace):
                hot.add(token)
    functions = {statement[i + 1] for statement in parts for i in positions(statement[:-1], "def")}
    count = -1
    while hot and count != len(hot):
        count = len(hot)
        for statement in parts:
            if words_of(statement) & hot:
                hot |= functions if {"return", "yield"} & {*statement} else bound_by(statement)
    return hot


def _leads_to_proxy(tokens: Sequence[str], namespace: Mapping[str, Any]) -> bool:
    """Tell whether the expression that begins here has a proxy in it."""
    end = 1
    while end < len(tokens):
        if tokens[end] == "." and end + 1 < len(tokens) and tokens[end + 1].isidentifier():
            end += 2
        elif tokens[end] == "[" and end + 2 < len(tokens) and tokens[end + 2] == "]":
            end += 3
        else:
            break
    return locate(expression(tokens, end)[0], namespace) is not None


Candidates = Iterable[tuple[str, str]]
"""Names with their types, as IPython's icons know them."""


def _members(proxy: Proxy, fragment: str) -> Candidates:
    if fragment.startswith("_"):
        return [(name, "instance") for name in object.__dir__(proxy) if name.startswith(fragment)]
    known = proxy._pyro.metadata
    if known is None:
        return []
    both = [(name, "function") for name in known.methods] + [(name, "property") for name in known.attributes]
    return sorted((name, kind) for name, kind in both if name.startswith(fragment) and name.isidentifier())


def _parameters(proxy: Proxy, method: str, spot: Spot) -> Candidates:
    signature = signature_of(proxy._pyro, method)
    if signature is None or not spot.starts:
        return []
    usable = (p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return [(f"{p.name}=", "param") for p in usable if p.name.startswith(spot.fragment) and p.name not in spot.given]


_TYPES = {kind.__name__: kind for kind in (bool, complex, dict, float, int, list, set, str, tuple)}
"""Types that arrive as what they were, in every serializer or nearly so."""
_OR_NONE = re.compile(r"(?:typing\.)?Optional\[(.+)\]|(.+?) *\| *None|None *\| *(.+)")


def _of_type(proxy: Proxy, beyond: Sequence[str | tuple[Any] | None], fragment: str) -> Candidates:
    """List the members of what a method gives or an attribute holds, from its type over there."""
    name, called = beyond[0], list(beyond[1:]) == [None]
    known = proxy._pyro.metadata
    if known is None or not isinstance(name, str):
        return []
    text = ""
    if called and name in known.methods:
        signature = signature_of(proxy._pyro, name)
        text = "" if signature is None else str(signature.return_annotation)
    elif len(beyond) == 1 and name in known.attributes:
        text = known.attribute(name).type
    or_none = _OR_NONE.fullmatch(text)
    if or_none is not None:
        text = next(filter(None, or_none.groups()))
    kind = _TYPES.get(text.partition("[")[0].removeprefix("builtins."))
    if kind is None:
        return []
    names = (each for each in dir(kind) if each.startswith(fragment) and (fragment or not each.startswith("_")))
    return [(each, "function" if callable(getattr(kind, each)) else "instance") for each in names]


def _plain_names(namespace: Mapping[str, Any], fragment: str) -> Candidates:
    if not fragment:
        return []
    names = {*namespace, *dir(builtins), *keyword.kwlist}
    return [(name, "instance") for name in sorted(names) if name.startswith(fragment)]


def _candidates(spot: Spot, text: str, namespace: Mapping[str, Any]) -> Candidates | None:
    """List what can stand here; None when this is about no proxy."""
    found = locate(spot.path, namespace)
    if found is None:
        if not spot.words & made_of_proxies(text, namespace):
            return None
        return _of_value(spot, namespace) if spot.kind == "member" else _plain_names(namespace, spot.fragment)
    proxy, steps = found
    beyond = spot.path[steps:]
    if spot.kind == "member":
        return _members(proxy, spot.fragment) if not beyond else _of_type(proxy, beyond, spot.fragment)
    names = [*_plain_names(namespace, spot.fragment)]
    if spot.kind == "argument" and len(beyond) == 1 and isinstance(beyond[0], str):
        names = [*_parameters(proxy, beyond[0], spot), *names]
    return names


def _of_value(spot: Spot, namespace: Mapping[str, Any]) -> Candidates:
    """List the members of a variable's present value, where the cell is about to make a new one of a proxy."""
    if len(spot.path) != 1 or spot.path[0] not in namespace:
        return []
    names = (name for name in dir(namespace[str(spot.path[0])]) if name.startswith(spot.fragment))
    return [(name, "instance") for name in names if spot.fragment or not name.startswith("_")]


def _magic_words(magic: str, rest: str, namespace: Mapping[str, Any]) -> Candidates:
    """List what can stand as the next word of a magic."""
    before, _, word = rest.rpartition(" ")
    words = before.split()
    last = words[-1] if words else ""
    positional = [word for ahead, word in zip(["", *words], words, strict=False) if not {ahead[:1], word[:1]} & {"-"}]
    found: Iterable[tuple[str, str]]
    if word.startswith("-"):
        found = [(option, "magic") for option in _OPTIONS[magic] if option not in words]
    elif last == "--serializer":
        found = [(name, "magic") for name in sorted(CHOICES)]
    elif last in _FREE or last == "as":
        found = []
    else:
        found = _positional(magic, positional, namespace)
    return [(name, kind) for name, kind in found if name.startswith(word)]


def _is_python(magic: str, rest: str) -> bool:
    """Tell whether the cursor is where a magic takes an expression, which others complete."""
    return magic == "pyro_serve" and not re.search(r"\sas\s", rest)


_SWITCHES = frozenset(name for name, item in ITEMS.items() if isinstance(item.default, bool))


def _positional(magic: str, before: Sequence[str], namespace: Mapping[str, Any]) -> Candidates:
    """List what can stand for the next word that is no option, after these."""
    proxies = [(name, "instance") for name in sorted(namespace) if issubclass(type(namespace[name]), Proxy)]
    proxies = [entry for entry in proxies if not entry[0].startswith("_")]
    names = [(name, "path") for name in known_names]
    if magic == "pyro_connect":
        return [("as", "keyword"), *names] if before and (len(before) == 1 or before[-2] != "as") else names
    if magic in ("pyro_batch", "pyro_close"):
        return [entry for entry in proxies if entry[0] not in before]
    if magic == "pyro_config" and len(before) == 1:
        return [(str(value), "keyword") for value in (False, True)] if before[0] in _SWITCHES else []
    first: dict[str, Candidates] = {
        "pyro_config": [(name, "property") for name in ITEMS],
        "pyro_doctor": [*proxies, *names],
        "pyro_info": proxies,
        "pyro_ls": names,
        "pyro_ns": [("start", "keyword"), ("stop", "keyword")],
    }
    return first.get(magic, []) if not before else []


def make_matcher(shell: InteractiveShell) -> Callable[[CompletionContext], Answer]:
    """Make the matcher for a shell's completer."""

    @context_matcher(identifier=IDENTIFIER, priority=PRIORITY)
    def pyronb_matcher(context: CompletionContext) -> Answer:
        namespace: Mapping[str, Any] = shell.user_ns
        magic = _MAGIC.match(context.text_until_cursor)
        if magic is not None and magic[1] in _OPTIONS and not _is_python(magic[1], magic[2]):
            word = magic[2].rpartition(" ")[2]
            return _answer(context.token, word, _magic_words(magic[1], magic[2], namespace))
        lines = context.full_text.split("\n")[: context.cursor_line]
        text = "\n".join([*lines, context.text_until_cursor])
        if len(text) > MAX_TEXT:
            text = text[-MAX_TEXT:].partition("\n")[2]
        spot = spot_of(text)
        candidates = None if spot is None else _candidates(spot, text, namespace)
        if spot is None or candidates is None:
            return _in_string(context.token, text, namespace)
        return _answer(context.token, spot.fragment, candidates)

    return pyronb_matcher  # type: ignore[no-any-return]


def _in_string(token: str, text: str, namespace: Mapping[str, Any]) -> Answer:
    """Leave a string to others; but keep IPython 8 from evaluating what is called with it where that is a proxy's."""
    string = tokens_of(text)[1]
    spot = spot_of(text[: -len(string)]) if string and version_info < (9,) else None
    if spot is None or _candidates(spot, text, namespace) is None:
        return {"completions": []}
    return {"completions": [SimpleCompletion(token, type="")], "suppress": {_KEYWORDS}}


def _answer(token: str, typed: str, candidates: Candidates) -> Answer:
    """Say what completes the token, of which `typed` is the end (or the reverse, where a delimiter is in a name)."""
    if typed.endswith(token):
        ahead, skipped = "", len(typed) - len(token)
    else:
        ahead, skipped = token[: len(token) - len(typed)], 0
    completions = [SimpleCompletion(ahead + name[skipped:], type=kind) for name, kind in candidates]
    return {
        "completions": completions or [SimpleCompletion(token, type="")],
        "matched_fragment": token,
        "suppress": True,
    }
