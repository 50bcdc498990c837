"""Asking name servers and objects on behalf of people: what is there, and if nothing, why and what to do.

The server extension, the magics and the widgets all ask through here. `read_names` and `read_object` give the models
of `models.py`; they take no longer than they are told and never raise for what a network or a peer does: every
failure becomes a state with one sentence of what is wrong and one of what to do. Answers come from other machines and
are untrusted: here they get their types and sizes checked, and whoever shows them escapes them.

This module knows neither tornado nor IPython.
"""

from __future__ import annotations

import difflib
import heapq
import logging
import platform
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from pyronb import errors
from pyronb.config import config
from pyronb.jupyter.models import AttributeModel, MethodModel, NameModel, NamesModel, ObjectModel, State
from pyronb.options import ClientOptions
from pyronb.rpc.call import NAMESERVER_ID
from pyronb.sync.proxy import Proxy
from pyronb.tracebacks import remote_traceback
from pyronb.uri import URI
from pyronb.version import __version__

__all__ = [
    "MAX_NAME",
    "NAME_ANOTHER",
    "Address",
    "Explanation",
    "default_address",
    "explain",
    "failed_object",
    "is_default",
    "nearest",
    "object_model",
    "parse_address",
    "read_names",
    "read_object",
]

T = TypeVar("T")

NAME_ANOTHER = "name another with --ns HOST:PORT"
"""How a person asks another name server, as part of a hint; callers with another way say so."""

MAX_NAME = 500
"""Most characters of a name that are passed on; likewise below."""
MAX_URI = 1000
MAX_DOC = 4000
MAX_SIGNATURE = 1000
MAX_TAG = 200
MAX_TAGS = 50
MAX_MEMBERS = 1000
MAX_DOCS = 500_000
"""Most characters of the documentation of all members of an object together."""
MAX_WORDS = 200

MAX_ANSWER = 16 << 20
"""Most bytes of one answer that are read; reading takes memory and time that grow with it."""
MAX_QUESTIONS = 32
"""Most questions of this process that may be under way, those included that nobody waits for any longer."""

_PATIENCE = 0.9
"""Part of the time that the conversation may take; the rest is for what does not know of deadlines."""
_MAX_CAUSES = 8
_PROMISING = 100
_REJECTED = " rejected: "
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_UNIX = "./u:"
_MAX_PORT = 65535

_log = logging.getLogger(__name__)
_slots = threading.BoundedSemaphore(MAX_QUESTIONS)


# Addresses


class Address(NamedTuple):
    """Where a name server is, in the form that `locateNS(*address)` takes."""

    host: str
    """A host name or address without brackets, or ``./u:path``."""
    port: int | None
    """None for a Unix domain socket."""

    def __str__(self) -> str:
        """Show the form that `parse_address` reads."""
        if self.port is None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read the address of a name server: ``host``, ``host:port``, ``[::1]:9090`` or ``./u:path``.

    Without a port it is the usual one of the configuration (NS_PORT).

    Raises:
        ValueError: it is no address; the message says which part is wrong.
    """
    text = text.strip()
    if text.startswith(_UNIX):
        if not text[len(_UNIX) :] or ":" in text[len(_UNIX) :]:
            raise ValueError(f"{text!r} needs a socket path without ':' after ./u:")
        return Address(text, None)
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is no IPv6 address in brackets, such as [::1]:9090")
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
        if ":" in port:
            raise ValueError(f"{text!r} has too many colons; an IPv6 address needs brackets, such as [::1]:9090")
    if not host or not host.isprintable() or any(c.isspace() or c in "/@,[]" for c in host):
        raise ValueError(f"{text!r} does not begin with the name of a host; write HOST:PORT")
    if not colon:
        return Address(host, config.NS_PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _MAX_PORT):
        raise ValueError(f"the port in {text!r} should be a number from 1 to {_MAX_PORT}")
    return Address(host, int(port))


def default_address() -> Address:
    """Give the address where `locateNS()` without arguments looks first."""
    return Address(config.NS_HOST, None if config.NS_HOST.startswith(_UNIX) else config.NS_PORT)


def is_default(address: Address) -> bool:
    """Tell whether `locateNS()` without arguments looks there first; all names of the loopback are the same."""
    default = default_address()
    same = address.host == default.host or {address.host, default.host} <= _LOOPBACK
    return same and address.port == default.port


# Explanations


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of a question, in the words of `models.State`, and in two sentences for people."""

    state: State
    reason: str = ""
    hint: str = ""


_OK = Explanation("ok")


@dataclass(frozen=True, slots=True)
class _Case:
    """A kind of failure and the sentences for it; those for an object where they differ."""

    kinds: tuple[type[BaseException], ...]
    state: State
    reason: str
    hint: str
    object_hint: str = ""


_NOT_RUNNING = "{who} is not running: "
_START = "Start one with `pyronb ns`, or {another}."
_START_OBJECT = "Start the program that serves it, or remove the stale name from the name server."
_RIGHT_PORT = "Check that the address is that of a Pyro5 or pyronb name server, or {another}."
_RIGHT_OBJECT = "Check that a Pyro5 or pyronb daemon serves it."

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
    place = f" at {_words(address)}" if address else ""
    who = f"The object {_words(name)!r}{place}" if name else f"The name server{place}"
    chain = _causes(error)
    if remote_traceback(error) and not isinstance(error, errors.NamingError | errors.SecurityError):
        kind = error.class_name if isinstance(error, errors.RemoteError) else type(error).__name__
        return Explanation("error", f"{who} raised {_words(kind)}: {_words(error)}.", _REPORT)
    for case in _CASES:
        found = [cause for cause in chain if isinstance(cause, case.kinds)]
        if found:
            # The innermost of our own says it best: those around it repeat it with circumstances.
            told = next((cause for cause in reversed(found) if isinstance(cause, errors.PyroError)), found[-1])
            words = _words(_words(told).partition(_REJECTED)[2] or told)
            reason = case.reason.format(who=who, whom=who[0].lower() + who[1:], words=words)
            return Explanation(case.state, reason, ((name and case.object_hint) or case.hint).format(another=another))
    if isinstance(error, errors.NamingError):
        reason = f"No object is registered as {_words(name)!r}{place}." if name else f"{_first_upper(_words(error))}."
        return Explanation("unknown", reason, _UNKNOWN)
    return Explanation("error", f"Asking {who[0].lower() + who[1:]} failed: {_words(error)}.", _REPORT)


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = [error]
    while len(chain) < _MAX_CAUSES and chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    return chain


def _words(thing: object) -> str:
    """Show untrusted text, or what an exception says, as part of a sentence: one line, not long, no odd characters."""
    try:
        text = str(thing) or type(thing).__name__
    except Exception:
        # Exceptions are made of whatever arguments the peer sent.
        text = type(thing).__name__
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MAX_WORDS]).split())
    return (text[: MAX_WORDS - 1] + "…" if len(text) > MAX_WORDS else text).rstrip(". ")


def _first_upper(text: str) -> str:
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


# Questions


class _Question:
    """One question on its way: until when, and whom it has got to."""

    def __init__(self, seconds: float, address: Address) -> None:
        self._end = time.monotonic() + seconds
        self.where = str(address)
        self.name = ""

    def options(self) -> ClientOptions:
        """Make options that give the next step the time that is left, and no more than a sensible size."""
        seconds = self.left()
        options = config.client_options()
        size = min(options.wire.max_message_size or MAX_ANSWER, MAX_ANSWER)
        return replace(
            options,
            timeout=seconds,
            connect_timeout=seconds,
            max_retries=0,
            wire=replace(options.wire, max_message_size=size),
            lookup=replace(options.lookup, timeout=seconds, delay=0.0),
        )

    def left(self) -> float:
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise errors.TimeoutError("no time is left")
        return seconds


def _within(seconds: float, question: Callable[[], T]) -> T:
    """Run this in a thread of its own and wait no longer than told.

    Deadlines bound what the runtime does; they do not bound the resolver of host names, or reading a huge answer. A
    question that nobody waits for any longer ends by itself, and there is a limit to how many there can be.
    """
    if not _slots.acquire(blocking=False):
        raise errors.TimeoutError("too many earlier questions still wait for an answer")
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(question())
        except BaseException as error:
            answer.set_exception(error)
        finally:
            _slots.release()

    try:
        threading.Thread(target=run, name="pyronb-question", daemon=True).start()
    except RuntimeError:
        _slots.release()
        raise
    if not wait([answer], timeout=seconds).done:
        raise errors.TimeoutError("no answer in time")
    return answer.result()


def read_names(
    address: str | None,
    *,
    timeout: float = 2.0,
    limit: int = 20000,
    viewpoint: str = "",
    another: str = NAME_ANOTHER,
) -> NamesModel:
    """Ask a name server for all its names.

    Args:
        address: of the name server; None for that of the configuration, "" for none.
        timeout: seconds that this takes at most.
        limit: most names in the answer.
        viewpoint: from where it is asked, for people.
        another: how a person asks another name server, as part of a hint.

    Returns:
        The answer. This never raises for anything that the network or the peer does.
    """
    model: NamesModel = {
        "version": __version__,
        "viewpoint": viewpoint or f"Python on {platform.node() or 'this machine'}",
        "nameserver": {"address": _clip(address or "", MAX_NAME), "default": False, "server": ""},
        "state": "ok",
        "reason": "",
        "hint": "",
        "names": [],
        "total": 0,
        "age": 0.0,
    }
    place = _place(address, another)
    if isinstance(place, Explanation):
        _explained(model, place)
        return model
    model["nameserver"] = {"address": str(place), "default": is_default(place), "server": ""}
    question = _Question(timeout * _PATIENCE, place)

    def ask() -> tuple[str, list[NameModel]]:
        with _nameserver(place, question) as ns:
            peer = ns._pyro.peer
            answer = ns.list(return_metadata=True)
        return peer, _registrations(answer)

    try:
        peer, names = _within(timeout, ask)
    except Exception as error:
        _log.debug("asking the name server at %s failed", place, exc_info=True)
        _explained(model, explain(error, address=question.where, another=another))
    else:
        model["nameserver"]["server"] = _clip(peer, MAX_TAG)
        model["names"], model["total"] = names[:limit], len(names)
    return model


def read_object(address: str | None, name: str, *, timeout: float = 2.0, another: str = NAME_ANOTHER) -> ObjectModel:
    """Look a name up and ask the object's daemon what the object exposes.

    Args:
        address: of the name server; None for that of the configuration, "" for none.
        name: the name to look up.
        timeout: seconds that this takes at most.
        another: how a person asks another name server, as part of a hint.

    Returns:
        The answer. This never raises for anything that the network or a peer does.
    """
    place = _place(address, another)
    if isinstance(place, Explanation):
        return failed_object(name, place)
    found = _blank(name)
    question = _Question(timeout * _PATIENCE, place)

    def ask() -> ObjectModel:
        uri, found["tags"] = _registration(place, name, question)
        found["uri"], question.where, question.name = _clip(uri, MAX_URI), str(uri.location), name
        with Proxy(uri, options=question.options()) as proxy:
            proxy._pyroBind()
            return object_model(proxy, name, found["tags"])

    try:
        return _within(timeout, ask)
    except Exception as error:
        _log.debug("asking for the object %r failed", name, exc_info=True)
        # Its own copy: the thread may still be at work on the other, if it was only slow.
        model: ObjectModel = {**found}
        about = name if isinstance(error, _Unknown) else question.name
        told = explain(error, address=question.where, name=about, another=another)
        if isinstance(error, _Unknown) and error.alike:
            told = replace(told, hint=f"Did you mean {' or '.join(map(repr, map(_words, error.alike)))}?")
        elif told.state == "unreachable" and _only_there(model["uri"], place):
            told = replace(told, hint=_ONLY_THERE)
        _explained(model, told)
        return model


_ONLY_THERE = (
    "It was registered with an address that only its own machine can reach; "
    "start its daemon with the name or address of that machine as host."
)


class _Unknown(errors.NamingError):
    """A name is not registered; `alike` are registered names that may have been meant."""

    def __init__(self, message: str, alike: list[str]) -> None:
        super().__init__(message)
        self.alike = alike


def _place(address: str | None, another: str) -> Address | Explanation:
    """Read the address that a question is for, or say why there is none."""
    if address is None:
        return default_address()
    if not address.strip():
        return Explanation("unconfigured", "No name server is named in the configuration.", f"{_first_upper(another)}.")
    try:
        return parse_address(address)
    except ValueError as error:
        reason = f"The address of the name server is wrong: {_words(error)}."
        return Explanation("error", reason, f"Correct it, or {another}.")


def _nameserver(place: Address, question: _Question) -> Proxy:
    """Connect to a name server, with a serializer that reads thousands of names without holding up other threads.

    Every name server takes serpent, but reading it means to compile a Python literal: at 20,000 names half a second,
    most of it in one call that lets no other thread run. JSON takes a twentieth.
    """
    uri = URI(f"PYRO:{NAMESERVER_ID}@{place}")
    try:
        return _connected(uri, question, "json")
    except (errors.ConnectionClosedError, errors.TimeoutError):
        raise
    except errors.CommunicationError:
        return _connected(uri, question, "serpent")


def _connected(uri: URI, question: _Question, serializer: str) -> Proxy:
    ns = Proxy(uri, options=replace(question.options(), serializer=serializer))
    ns._pyroBind()
    try:
        ns._pyro.timeout = question.left()
    except errors.TimeoutError:
        ns._pyroRelease()
        raise
    return ns


def _registration(place: Address, name: str, question: _Question) -> tuple[URI, list[str]]:
    """Look a name up; if there is none, say which names are like it.

    Raises:
        PyroError: also when what is registered is no address of an object.
    """
    with _nameserver(place, question) as ns:
        try:
            answer = ns.lookup(name, return_metadata=True)
        except errors.NamingError as error:
            raise _Unknown(str(error), _alike(name, ns, question)) from None
    uri, tags = _pair(answer)
    if not isinstance(uri, str | URI):
        raise errors.PyroError(f"it gave a {type(uri).__name__} instead of a URI")
    uri = URI(uri)
    # A name that stands for another name could go round in circles, and real name servers don't hold any.
    if uri.protocol != "PYRO":
        raise errors.PyroError(f"what is registered is no address of an object: {uri}")
    return uri, _tags(tags)


def _alike(name: str, ns: Proxy, question: _Question) -> list[str]:
    """Ask which names are like one that is unknown; that it is unknown matters more than failing here."""
    try:
        ns._pyro.timeout = question.left()
        return nearest(name, [row["name"] for row in _registrations(ns.list(return_metadata=True))])
    except Exception:
        _log.debug("asking for names like %r failed", name, exc_info=True)
        return []


def _only_there(uri: str, place: Address) -> bool:
    """Tell whether this is a loopback address that came from a name server elsewhere."""
    try:
        host = URI(uri).host
    except errors.PyroError:
        return False
    return host in _LOOPBACK and place.port is not None and place.host not in _LOOPBACK


# Models


def object_model(proxy: Proxy, name: str, tags: Iterable[str] = ()) -> ObjectModel:
    """Describe an object from what its proxy already knows; this does no input or output."""
    link = proxy._pyro
    model = _blank(name)
    model["uri"] = _clip(link.connected_uri or link.uri, MAX_URI)
    model["tags"] = _tags(tags)
    model["server"] = _clip(link.peer, MAX_TAG)
    about = link.metadata
    if about is None:
        which = f"The proxy of {_words(name)!r}" if name else "The proxy"
        hint = "Call one of its methods, or its _pyroBind(), to connect it."
        _explained(model, Explanation("unreachable", f"{which} is not connected.", hint))
        return model
    model["latency"] = link.latency
    if about.details is not None:
        model["class_name"] = _clip(about.details.class_name, MAX_NAME)
        model["doc"] = _clip(about.details.doc, MAX_DOC)
    docs = _Docs()
    for method in sorted(about.methods)[:MAX_MEMBERS]:
        detail = about.method(method)
        entry: MethodModel = {
            "name": _clip(method, MAX_NAME),
            "signature": _clip(detail.signature, MAX_SIGNATURE) or "(...)",
            "doc": docs.clip(detail.doc),
            "oneway": method in about.oneway,
        }
        model["methods"].append(entry)
    for attribute in sorted(about.attributes)[:MAX_MEMBERS]:
        known = about.attribute(attribute)
        row: AttributeModel = {
            "name": _clip(attribute, MAX_NAME),
            "type": _clip(known.type, MAX_SIGNATURE),
            "doc": docs.clip(known.doc),
            "writable": known.writable,
        }
        model["attributes"].append(row)
    return model


class _Docs:
    """Shortens docstrings, each and all together."""

    def __init__(self) -> None:
        self.room = MAX_DOCS

    def clip(self, text: str) -> str:
        text = _clip(text, min(MAX_DOC, self.room))
        self.room -= len(text)
        return text


def failed_object(name: str, told: Explanation) -> ObjectModel:
    """Describe an object that could not be asked."""
    model = _blank(name)
    _explained(model, told)
    return model


def _blank(name: str) -> ObjectModel:
    return {
        "name": _clip(name, MAX_NAME),
        "uri": "",
        "tags": [],
        "state": "ok",
        "reason": "",
        "hint": "",
        "latency": None,
        "server": "",
        "class_name": "",
        "doc": "",
        "methods": [],
        "attributes": [],
    }


def _explained(model: NamesModel | ObjectModel, told: Explanation) -> None:
    model["state"], model["reason"], model["hint"] = told.state, told.reason, told.hint


def _registrations(answer: object) -> list[NameModel]:
    """Read the answer of a name server's `list`: sorted, each name once, entries that make no sense left out.

    Raises:
        PyroError: it is no map of names.
    """
    if not isinstance(answer, Mapping):
        raise errors.PyroError(f"it gave a {type(answer).__name__} instead of a map of names")
    rows: dict[str, NameModel] = {}
    for name, entry in answer.items():
        uri, tags = _pair(entry)
        if isinstance(name, str) and name and isinstance(uri, str | URI):
            key = _clip(name, MAX_NAME)
            rows.setdefault(key, {"name": key, "uri": _clip(uri, MAX_URI), "tags": _tags(tags)})
    return [rows[key] for key in sorted(rows)]


def _pair(entry: object) -> tuple[object, object]:
    """Read a registration: a URI and its tags, as a tuple or a list, or the URI alone."""
    if isinstance(entry, tuple | list) and len(entry) == 2:
        return entry[0], entry[1]
    return entry, ()


def _tags(tags: object) -> list[str]:
    """Read a collection of tags, whatever its kind; what is no text is left out."""
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        return []
    return sorted({_clip(tag, MAX_TAG) for tag in tags if isinstance(tag, str) and tag})[:MAX_TAGS]


def _clip(text: object, size: int) -> str:
    """Shorten a text that came from elsewhere, and make sure that it can be written as UTF-8."""
    if isinstance(text, str) and text.isascii():
        return text[:size]
    try:
        return str(text)[:size].encode("utf-8", "replace").decode("utf-8")
    except Exception:
        # A URI is made of whatever parts the peer sent.
        return ""
