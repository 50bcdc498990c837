"""Connecting for a magic: every mistake is one sentence of what is wrong and one of what to do, within two seconds."""

from __future__ import annotations

import builtins
import keyword
import math
import re
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import Any

from IPython.core.error import UsageError

from pyronb import errors
from pyronb.client.speech import AUTO, CHOICES
from pyronb.config import config
from pyronb.jupyter.addresses import default_address
from pyronb.jupyter.describing import object_model
from pyronb.jupyter.explain import explain, nearest
from pyronb.jupyter.ipython.completion import known_names
from pyronb.jupyter.models import NamesModel, ObjectModel
from pyronb.jupyter.runtime import read_names
from pyronb.jupyter.targets import Target, is_pattern, matching, pattern_place, read_target
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI

__all__ = [
    "Found",
    "Names",
    "Wanted",
    "check_variable",
    "connect",
    "connect_all",
    "is_proxy",
    "number",
    "reach",
    "seconds",
    "serializer",
    "taken",
    "target_of",
    "variable_for",
    "variables_for",
    "wanted",
]

LIMIT = 1.9
"""Seconds that finding and connecting may take together."""
LEAST = 0.25
"""Seconds that connecting has when finding took nearly all of them."""
MAX_SECONDS = 1e6

MOST = 50
"""Most objects that a pattern may stand for."""


def is_proxy(value: object) -> bool:
    """Tell whether this is a proxy, asking only its type: the value itself might ask over the network."""
    return issubclass(type(value), Proxy)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object that is to be connected to, and the variable for it; empty where the user chose none."""

    target: Target
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One object that was connected to."""

    variable: str
    proxy: Proxy
    model: ObjectModel


class Names:
    """What name servers say, each asked once while a magic runs; completion remembers it.

    Attributes:
        began: when the magic began, for the time that all of it may take.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self.began = time.monotonic()
        self._models: dict[str | None, NamesModel] = {}

    def at(self, address: str | None) -> NamesModel:
        """Give all names of a name server; None stands for that of the configuration.

        Raises:
            UsageError: it does not answer.
        """
        model = self._models.get(address)
        if model is None:
            model = read_names(address, timeout=LIMIT)
            if model["state"] != "ok":
                raise UsageError(f"{model['reason']} {model['hint']}")
            known_names.remember(model)
            self._models[address] = model
        return model


def target_of(text: str, nameserver: str | None) -> Target:
    """Read a name or a URI.

    Raises:
        UsageError: it is neither, or the name server's address is none.
    """
    try:
        return read_target(text, nameserver)
    except ValueError as error:
        raise UsageError(str(error)) from None


def wanted(words: Sequence[str], nameserver: str | None, names: Names) -> list[Wanted]:
    """Read names, patterns and URIs, each perhaps followed by ``as VAR``; patterns are looked up.

    Raises:
        UsageError: they make no sense, or a pattern fits nothing.
    """
    pairs: list[tuple[str, str]] = []
    rest = list(words)
    while rest:
        text, variable = rest.pop(0), ""
        if text == "as" or rest[:1] == ["as"]:
            if text == "as" or len(rest) == 1:
                raise UsageError(f"write %pyro_connect NAME_OR_URI as VAR, not: %pyro_connect {' '.join(words)}")
            variable = check_variable(rest[1], "as")
            del rest[:2]
        pairs.append((text, variable))
    # All of it is checked before anybody is asked.
    plain = {text: target_of(text, nameserver) for text, _ in pairs if not is_pattern(text)}
    patterns = {text: _pattern(text, nameserver) for text, _ in pairs if text not in plain}
    found: list[Wanted] = []
    for text, variable in pairs:
        if text in plain:
            found.append(Wanted(plain[text], variable))
            continue
        targets = _expanded(*patterns[text], names)
        if variable and len(targets) > 1:
            raise UsageError(f"{text} fits {len(targets)} names, and {variable} can hold only one; leave out: as VAR")
        found += [Wanted(target, variable) for target in targets]
    return found


def _pattern(text: str, nameserver: str | None) -> tuple[str, str | None]:
    try:
        return pattern_place(text, nameserver)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _expanded(pattern: str, address: str | None, names: Names) -> list[Target]:
    model = names.at(address)
    there = [entry["name"] for entry in model["names"]]
    found = matching(pattern, there)
    if not found:
        raise UsageError(f"no name at {model['nameserver']['address']} fits {pattern}. {_some(there)}")
    if len(found) > MOST:
        raise UsageError(f"{pattern} fits {len(found)} names; connect to at most {MOST} at once")
    return [target_of(name, address) for name in found]


def number(text: str, option: str, zero: str) -> float:
    """Read the number of seconds of an option; `zero` is what 0 means there.

    Raises:
        UsageError: it is no such number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_SECONDS:
        raise UsageError(f"{option} takes a number of seconds such as 2.5 (0 {zero}), not {text!r}")
    return value


def seconds(text: str | None) -> float | None:
    """Read the number of --timeout, or take the configured one; 0 means no limit, as in Pyro.

    Raises:
        UsageError: it is no such number.
    """
    return (config.COMMTIMEOUT if text is None else number(text, "--timeout", "waits for ever")) or None


def serializer(name: str | None) -> str:
    """Check the name of --serializer; without one it is the configured one, or `AUTO` where nobody configured any.

    Raises:
        UsageError: there is none of that name.
    """
    if name is None:
        return config.client_options(serializer=AUTO).serializer
    if name not in CHOICES:
        raise UsageError(f"--serializer: there is no serializer {name!r}; use one of {', '.join(sorted(CHOICES))}")
    return name


def variable_for(target: Target, parts: int = 1) -> str:
    """Make the name of a variable from the last parts of an object's name."""
    name = target.uri.object if isinstance(target.uri.object, str) else "_".join(sorted(target.uri.object))
    last = ".".join(name.rstrip(".").split(".")[-parts:])
    word = re.sub(r"\W+", "_", last).strip("_") or "proxy"
    if not word.isidentifier():
        word = f"_{word}"
    return f"{word}_" if keyword.iskeyword(word) or hasattr(builtins, word) else word


def variables_for(several: Sequence[Wanted], namespace: Mapping[str, Any]) -> list[str]:
    """Make the names of the variables: those that were chosen, and for the others the shortest that tell them apart.

    Where there are several, they do not hide what the user has.

    Raises:
        UsageError: a name was chosen twice.
    """
    chosen = [want.variable for want in several if want.variable]
    twice = next((name for name in chosen if chosen.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"as {twice}: that name is given to two objects; choose another one for one of them")
    used, made = set(chosen), []
    if len(several) > 1:
        used |= {name for name, held in namespace.items() if not is_proxy(held)}
    short = [want.variable or variable_for(want.target) for want in several]
    for want, name in zip(several, short, strict=True):
        best, parts = name, 1
        most = str(want.target.uri.object).count(".") + 1
        while not want.variable and (best in used or short.count(best) > 1) and parts < most:
            parts += 1
            best = variable_for(want.target, parts)
        number = 2
        while not want.variable and best in used:
            best, number = f"{name}_{number}", number + 1
        used.add(best)
        made.append(best)
    return made


def check_variable(name: str, option: str = "") -> str:
    """Check the name of a variable that the user chose.

    Raises:
        UsageError: it is no identifier, or would hide something of Python's.
    """
    said = f"{option} {name}".strip()
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(f"{said}: that cannot be the name of a variable; use letters, digits and _")
    if hasattr(builtins, name):
        raise UsageError(f"{said}: that would hide Python's own {name}; choose another name, for example {name}_")
    return name


def taken(name: str, namespace: Mapping[str, Any]) -> None:
    """Refuse a name that the user did not choose and that holds something of theirs.

    Raises:
        UsageError: the variable is there and holds no proxy.
    """
    if name in namespace and not is_proxy(namespace[name]):
        kind = type(namespace[name]).__name__
        raise UsageError(f"{name} already holds something else ({kind}); add: as VAR, with another name for VAR")


def connect_all(
    several: Sequence[Wanted],
    variables: Sequence[str],
    timeout: float | None,
    serializer_name: str,
    names: Names,
    *,
    output: bool = False,
) -> tuple[list[Found], list[str]]:
    """Connect to several objects at the same time.

    Returns:
        Those that were reached, and a sentence for each that was not.

    Raises:
        UsageError: a name server does not answer.
    """
    for address in {want.target.address for want in several if want.target.name}:
        names.at(address)
    answers: list[Future[Found]] = []
    for want, variable in zip(several, variables, strict=True):
        answer: Future[Found] = Future()

        def run(answer: Future[Found] = answer, want: Wanted = want, variable: str = variable) -> None:
            try:
                answer.set_result(
                    Found(variable, *connect(want.target, timeout, serializer_name, names, output=output))
                )
            except BaseException as error:
                answer.set_exception(error)

        answers.append(answer)
        threading.Thread(target=run, name="pyronb-connect", daemon=True).start()
    try:
        wait(answers)
    except BaseException:
        for answer in answers:
            answer.add_done_callback(lambda done: None if done.exception() else done.result().proxy._pyroRelease())
        raise
    found, failed = [], []
    for answer, want in zip(answers, several, strict=True):
        error = answer.exception()
        if error is None:
            found.append(answer.result())
        else:
            failed.append(f"{want.target.name or want.target.uri}: {error}")
    return found, failed


def connect(
    target: Target, timeout: float | None, serializer_name: str, names: Names, *, output: bool = False
) -> tuple[Proxy, ObjectModel]:
    """Connect to an object and describe it; with `output`, what its calls print over there is shown here.

    Raises:
        UsageError: it could not be reached; the text says why and what to do.
    """
    tags: list[str] = []
    where = str(target.uri.location or default_address())
    if target.name:
        found, tags = _find(target, names)
        where = str(found.location or where)
    left = max(LEAST, LIMIT - (time.monotonic() - names.began))
    options = replace(
        config.client_options(),
        timeout=timeout,
        connect_timeout=left,
        serializer=serializer_name,
    )
    if output:
        options = replace(options, remote_output=True)
    options = replace(options, lookup=replace(options.lookup, delay=0.0))
    proxy = Proxy(target.uri, options=options)
    reach(proxy, left, where, "" if target.uri.protocol == "PYROMETA" else str(target.uri.object))
    _settle(proxy, target.uri)
    return proxy, object_model(proxy, target.name, tags)


def reach(proxy: Proxy, limit: float, where: str, name: str) -> None:
    """Connect a proxy within so many seconds.

    Raises:
        UsageError: it could not be connected; the text says why, and what to do about the object of this name there.
    """
    try:
        _bind(proxy, limit)
    except Exception as error:
        told = explain(error, address=where, name=name)
        raise UsageError(f"{told.reason} {told.hint}") from error


def _find(target: Target, asked: Names) -> tuple[URI, list[str]]:
    """Look a name up in the list of all names."""
    model = asked.at(target.address)
    entry = next((entry for entry in model["names"] if entry["name"] == target.name), None)
    if entry is None:
        names = [entry["name"] for entry in model["names"]]
        near = nearest(target.name, names)
        hint = f"Did you mean {' or '.join(near)}?" if near else _some(names)
        raise UsageError(f"no object is registered as {target.name} at {model['nameserver']['address']}. {hint}")
    try:
        return URI(entry["uri"]), entry["tags"]
    except errors.PyroError as error:
        raise UsageError(f"what is registered as {target.name} is no address of an object: {error}") from None


def _some(names: list[str]) -> str:
    if not names:
        return "No names are registered there; start the program that serves it."
    shown = ", ".join(names[:5])
    return f"Registered are: {shown}" + (f" and {len(names) - 5} more." if len(names) > len(shown.split(", ")) else ".")


def _bind(proxy: Proxy, limit: float) -> None:
    """Connect in a thread of its own: the resolver of host names knows no deadline, and no interrupt.

    Once nobody waits any longer, whatever was opened is closed again.
    """
    answer: Future[None] = Future()

    def run() -> None:
        try:
            proxy._pyroBind()
        except BaseException as error:
            answer.set_exception(error)
        else:
            answer.set_result(None)

    threading.Thread(target=run, name="pyronb-connect", daemon=True).start()
    try:
        in_time = wait([answer], timeout=limit).done
        if not in_time:
            raise errors.TimeoutError("no answer in time")
        answer.result()
    except BaseException:
        answer.add_done_callback(lambda _: proxy._pyroRelease())
        raise


def _settle(proxy: Proxy, uri: URI) -> None:
    """Make the proxy as one that was made by hand.

    Later connections get the configured time, for the short limit is for the first one; and a name is looked up anew
    whenever the proxy connects, so that it finds a restarted program on its new port.
    """
    link, configured = proxy._pyro, config.client_options()
    link.options = replace(link.options, connect_timeout=configured.connect_timeout, lookup=configured.lookup)
    link.uri = uri
