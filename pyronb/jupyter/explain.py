"""Explanations: what a failure means, in a state, one sentence of what is wrong and one of what to do."""

from __future__ import annotations

import difflib
import heapq
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from pyronb import errors
from pyronb.jupyter.models import State
from pyronb.tracebacks import remote_traceback

__all__ = ["NAME_ANOTHER", "Explanation", "explain", "first_upper", "nearest", "words"]

NAME_ANOTHER = "name another with --ns HOST:PORT"
"""How a person asks another name server, as part of a hint; callers with another way say so."""

MAX_WORDS = 200
"""Most characters of a text from elsewhere in a sentence."""
_MAX_CAUSES = 8
"""Most errors of a chain of causes that are looked at."""
_PROMISING = 100
"""Most names that are compared letter by letter."""
_REJECTED = " rejected: "


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of a question, in the words of `models.State`, and in two sentences for people."""

    state: State
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Case:
    """A kind of failure and the sentences for it; those for an object where they differ."""

    kinds: tuple[type[BaseException], ...]
    state: State
    reason: str
    hint: str
    object_hint: str = ""


_START = "Start one with `pyronb ns`, or {another}."
_START_OBJECT = "Start the program that serves it, or remove the stale name from the name server."
_RIGHT_PORT = "Check that the address is that of a Pyro4, Pyro5 or pyronb name server, or {another}."
_RIGHT_OBJECT = "Check that a Pyro4, Pyro5 or pyronb daemon serves it."

_CASES = (
    _Case(
        (socket.gaierror,),
        "unreachable",
        "{who} cannot be found: this machine does not know the host.",
        "Check the spelling and the network, or {another}.",
        "Its daemon may have been started with a host name that only its own network knows.",
    ),
    _Case(
        (errors.TimeoutError, TimeoutError),
        "unreachable",
        "{who} did not answer in time.",
        "Check that it is running and not behind a firewall, or {another}.",
        "Check that its program is running, not busy, and not behind a firewall.",
    ),
    _Case(
        (ConnectionRefusedError,), "unreachable", "{who} is not running: nothing listens there.", _START, _START_OBJECT
    ),
    _Case((FileNotFoundError,), "unreachable", "{who} is not running: there is no such socket.", _START, _START_OBJECT),
    _Case(
        (errors.SecurityError, PermissionError),
        "refused",
        "{who} refused: {words}.",
        "Ask whoever runs it for access, or {another}.",
        "Ask whoever runs it for access.",
    ),
    _Case(
        (errors.MessageTooLargeError,),
        "error",
        "The answer of {whom} is too large to be read.",
        "Ask for less, for example by a prefix, in code.",
    ),
    _Case(
        (errors.SerializeError,),
        "error",
        "The answer of {whom} cannot be read: {words}.",
        "Try another serializer, for example `pyronb.config.SERIALIZER = 'json'`.",
    ),
    _Case(
        (errors.ProtocolError,),
        "wrong-version",
        "{who} does not speak a protocol that is known here: {words}.",
        _RIGHT_PORT,
        _RIGHT_OBJECT,
    ),
    _Case(
        (errors.ConnectionClosedError, OSError),
        "unreachable",
        "The connection to {whom} failed: {words}.",
        "Check the address and the network, or {another}.",
        "Check that its program still runs, and the network.",
    ),
    _Case(
        (errors.CommunicationError,),
        "refused",
        "{who} refused: {words}.",
        "Check that a name server is at this address and lets this machine in, or {another}.",
        "Register it again if its program was restarted; else ask whoever runs it for access.",
    ),
    _Case((errors.DaemonError,), "refused", "{who} refused: {words}.", _START, _START_OBJECT),
)

_UNKNOWN = "Check the spelling; names are told apart by upper and lower case, and dots."
_REPORT = "Look at the log of the program at the other end."


def explain(error: BaseException, *, address: str = "", name: str = "", another: str = NAME_ANOTHER) -> Explanation:
    """Say in a state and two sentences what an exception of the runtime means.

    Args:
        error: the exception; its causes count too.
        address: where the peer is; "" when that is not known.
        name: the object that was asked for; "" when it is about a name server.
        another: how a person asks another name server, as part of a hint.
    """
    place = f" at {words(address)}" if address else ""
    who = f"The object {words(name)!r}{place}" if name else f"The name server{place}"
    chain = _causes(error)
    if remote_traceback(error) and not isinstance(error, errors.NamingError | errors.SecurityError):
        kind = error.class_name if isinstance(error, errors.RemoteError) else type(error).__name__
        return Explanation("error", f"{who} raised {words(kind)}: {words(error)}.", _REPORT)
    for case in _CASES:
        found = [cause for cause in chain if isinstance(cause, case.kinds)]
        if found:
            # The innermost of our own says it best: those around it repeat it with circumstances.
            told = next((cause for cause in reversed(found) if isinstance(cause, errors.PyroError)), found[-1])
            said = words(words(told).partition(_REJECTED)[2] or told)
            reason = case.reason.format(who=who, whom=who[0].lower() + who[1:], words=said)
            return Explanation(case.state, reason, ((name and case.object_hint) or case.hint).format(another=another))
    if isinstance(error, errors.NamingError):
        reason = f"No object is registered as {words(name)!r}{place}." if name else f"{first_upper(words(error))}."
        return Explanation("unknown", reason, _UNKNOWN)
    return Explanation("error", f"Asking {who[0].lower() + who[1:]} failed: {words(error)}.", _REPORT)


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = [error]
    while len(chain) < _MAX_CAUSES and (cause := chain[-1].__cause__) is not None:
        # What was raised from an error of TLS says it in words; the error itself looks like one of the network.
        if type(cause).__module__ == "ssl":
            break
        chain.append(cause)
    return chain


def words(thing: object) -> str:
    """Show untrusted text, or what an exception says, as part of a sentence: one line, not long, no odd characters."""
    try:
        text = str(thing) or type(thing).__name__
    except Exception:
        # Exceptions are made of whatever arguments the peer sent.
        text = type(thing).__name__
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MAX_WORDS]).split())
    return (text[: MAX_WORDS - 1] + "…" if len(text) > MAX_WORDS else text).rstrip(". ")


def first_upper(text: str) -> str:
    """Make a sentence of words."""
    return text[:1].upper() + text[1:]


def nearest(name: str, names: Iterable[str], n: int = 3) -> list[str]:
    """List the names that a mistyped one may have meant, the likeliest first.

    Names that contain it, or end with the same part after the last dot, count before those with similar letters.
    """
    wanted = name.casefold()
    tail = wanted.rpartition(".")[2]
    folded = {known: known.casefold() for known in names if known != name}
    alike = [known for known, low in folded.items() if wanted and (wanted in low or low.rpartition(".")[2] == tail)]
    alike.sort(key=lambda known: (len(known), known))
    # Comparing letters in earnest is slow; counting common pairs of letters tells for which names it is worth it.
    pairs = _pairs(wanted)
    promising = heapq.nlargest(_PROMISING, folded, key=lambda known: len(pairs & _pairs(folded[known])))
    lows = {folded[known]: known for known in promising}
    alike += [lows[low] for low in difflib.get_close_matches(wanted, lows, n=n, cutoff=0.6)]
    return list(dict.fromkeys(alike))[:n]


def _pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text))}
