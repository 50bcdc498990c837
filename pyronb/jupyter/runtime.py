"""Asking name servers and objects on behalf of people: what is there, and if nothing, why and what to do.

The server extension, the magics and the widgets all ask through here. `read_names` and `read_object` give the models
of `models.py`; they take no longer than they are told and never raise for what a network or a peer does: every
failure becomes a state with one sentence of what is wrong and one of what to do. `describing.py` makes the models.

This module knows neither tornado nor IPython.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import TypeVar

from pyronb import errors
from pyronb.calls import brief
from pyronb.client.speech import AUTO
from pyronb.config import config
from pyronb.jupyter.addresses import LOOPBACK, Address, default_address, parse_address
from pyronb.jupyter.describing import (
    MAX_NAME,
    MAX_TAG,
    MAX_URI,
    blank_names,
    blank_object,
    clip,
    explained,
    failed_object,
    object_model,
    registration,
    registrations,
    unread,
)
from pyronb.jupyter.explain import NAME_ANOTHER, Explanation, explain, first_upper, nearest, words
from pyronb.jupyter.models import NameModel, NamesModel, ObjectModel, ValueModel, ValuesModel
from pyronb.net.probe import answering
from pyronb.options import ClientOptions
from pyronb.rpc.call import NAMESERVER_ID
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI

__all__ = [
    "ONLY_THERE",
    "bounded_options",
    "enter_name",
    "leave_names",
    "only_there",
    "place_of",
    "read_names",
    "read_object",
    "read_values",
    "read_values_at",
    "remove_name",
    "within",
]

T = TypeVar("T")

MAX_ANSWER = 16 << 20
"""Most bytes of one answer that are read; reading takes memory and time that grow with it."""
MAX_VALUE = 1 << 20
"""Most bytes of the value of an attribute."""
MAX_VALUES = 20
"""Most attributes that are read at a time."""
_LARGEST = 1e300
"""What is beyond it is no number to draw."""
MAX_QUESTIONS = 32
"""Most questions of this process that may be under way, those included that nobody waits for any longer."""

_PATIENCE = 0.9
"""Part of the time that the conversation may take; the rest is for what does not know of deadlines."""

_log = logging.getLogger(__name__)
_slots = threading.BoundedSemaphore(MAX_QUESTIONS)


# Questions


class _Question:
    """One question on its way, that may take so many seconds: until when, and whom it has got to."""

    def __init__(self, seconds: float, address: Address) -> None:
        self._end = time.monotonic() + seconds * _PATIENCE
        self.where = str(address)
        self.name = ""

    def options(self, largest: int | None = None) -> ClientOptions:
        """Make options that give the next step the time that is left."""
        return bounded_options(self.left(), largest)

    def left(self) -> float:
        """Give the seconds that are left.

        Raises:
            TimeoutError: there are none.
        """
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise errors.TimeoutError("no time is left")
        return seconds


def bounded_options(seconds: float, largest: int | None = None) -> ClientOptions:
    """Make options of the configuration for talking to anybody, with no more time and size than is sensible.

    Args:
        seconds: what each step may take.
        largest: most bytes of one answer; `MAX_ANSWER` by default.
    """
    options = config.client_options(serializer=AUTO)
    largest = largest or MAX_ANSWER
    size = min(options.wire.max_message_size or largest, largest)
    return replace(
        options,
        timeout=seconds,
        connect_timeout=seconds,
        max_retries=0,
        wire=replace(options.wire, max_message_size=size),
        lookup=replace(options.lookup, delay=0.0),
    )


def within(seconds: float, question: Callable[[], T]) -> T:
    """Run this in a thread of its own and wait no longer than told.

    Deadlines bound what the runtime does; they do not bound the resolver of host names, or reading a huge answer. A
    question that nobody waits for any longer ends by itself, and there is a limit to how many there can be.
    Where the program ends already no thread can be started any more, and the question has to end by itself.
    """
    if not threading.main_thread().is_alive():
        return question()
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
    place = place_of(address, another)
    model = blank_names(address, place, viewpoint)
    if isinstance(place, Explanation):
        return model
    question = _Question(timeout, place)

    def ask() -> tuple[str, list[NameModel]]:
        with _nameserver(place, question) as ns:
            peer = ns._pyro.peer
            answer = ns.list(return_metadata=True)
        return peer, registrations(answer)

    try:
        peer, names = within(timeout, ask)
    except Exception as error:
        _log.debug("asking the name server at %s failed", place, exc_info=True)
        explained(model, explain(error, address=question.where, another=another))
    else:
        model["nameserver"]["server"] = clip(peer, MAX_TAG)
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
    place = place_of(address, another)
    if isinstance(place, Explanation):
        return failed_object(name, place)
    found = blank_object(name)
    question = _Question(timeout, place)

    def ask() -> ObjectModel:
        uri, found["tags"] = _registration(place, name, question)
        found["uri"], question.where, question.name = clip(uri, MAX_URI), str(uri.location), name
        with Proxy(uri, options=question.options()) as proxy:
            proxy._pyroBind()
            return object_model(proxy, name, found["tags"])

    try:
        return within(timeout, ask)
    except Exception as error:
        _log.debug("asking for the object %r failed", name, exc_info=True)
        # Its own copy: the thread may still be at work on the other, if it was only slow.
        model: ObjectModel = {**found}
        about = name if isinstance(error, _Unknown) else question.name
        told = explain(error, address=question.where, name=about, another=another)
        if isinstance(error, _Unknown) and error.alike:
            told = replace(told, hint=f"Did you mean {' or '.join(map(repr, map(words, error.alike)))}?")
        elif told.state == "unreachable" and only_there(model["uri"], place):
            told = replace(told, hint=ONLY_THERE)
        explained(model, told)
        return model


ONLY_THERE = (
    "It was registered with an address that only its own machine can reach; "
    "start its daemon with the name or address of that machine as host."
)
"""What to do where `only_there` holds."""


class _Unknown(errors.NamingError):
    """A name is not registered; `alike` are registered names that may have been meant."""

    def __init__(self, message: str, alike: list[str]) -> None:
        super().__init__(message)
        self.alike = alike


def place_of(address: str | None, another: str = NAME_ANOTHER) -> Address | Explanation:
    """Read the address that a question is for, or say why there is none."""
    if address is None:
        return default_address()
    if not address.strip():
        return Explanation("unconfigured", "No name server is named in the configuration.", f"{first_upper(another)}.")
    try:
        return parse_address(address)
    except ValueError as error:
        reason = f"The address of the name server is wrong: {words(error)}."
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


# Registering


class _Taken(errors.NamingError):
    """A name leads to something else, which is running."""


def enter_name(
    address: str | None, name: str, uri: URI, tags: Iterable[str] = (), *, timeout: float = 2.0
) -> Explanation:
    """Register a name, also in the place of one that leads nowhere any more.

    Args:
        address: of the name server; None for that of the configuration.
        name: the name.
        uri: where it leads.
        tags: its tags.
        timeout: seconds that this takes at most.

    Returns:
        What became of it. This never raises for anything that the network or the peer does.
    """
    place = place_of(address, NAME_ANOTHER)
    if isinstance(place, Explanation):
        return place
    question = _Question(timeout, place)
    metadata = sorted(tags)

    def ask() -> None:
        with _nameserver(place, question) as ns:
            try:
                ns.register(name, str(uri), safe=True, metadata=metadata)
            except errors.NamingError:
                there = URI(ns.lookup(name))
                if there.location != uri.location and answering([there], question.left() / 2):
                    said = f"The name {words(name)} is that of an object at {words(there.location)}, which is running."
                    raise _Taken(said) from None
                ns.register(name, str(uri), safe=False, metadata=metadata)

    try:
        within(timeout, ask)
    except _Taken as error:
        return Explanation("refused", str(error), "Choose another name, or end that program.")
    except Exception as error:
        _log.debug("registering %r at %s failed", name, place, exc_info=True)
        return explain(error, address=str(place))
    return Explanation("ok")


def leave_names(address: str, names: Mapping[str, URI], *, timeout: float = 1.0) -> None:
    """Take names back that lead to these addresses; whatever fails here, a later `enter_name` finds them stale."""
    place = place_of(address, NAME_ANOTHER)
    if isinstance(place, Explanation) or not names:
        return
    question = _Question(timeout, place)

    def ask() -> None:
        with _nameserver(place, question) as ns:
            for name, uri in names.items():
                try:
                    if URI(ns.lookup(name)) == uri:
                        ns.remove(name)
                except errors.NamingError:
                    continue

    try:
        within(timeout, ask)
    except Exception:
        _log.debug("taking back names at %s failed", place, exc_info=True)


class _Anew(errors.NamingError):
    """A name leads elsewhere than it was seen to lead."""


def remove_name(
    address: str | None, name: str, uri: str, *, timeout: float = 2.0, another: str = NAME_ANOTHER
) -> Explanation:
    """Remove a name that leads to this address; one that was registered anew meanwhile stays.

    Args:
        address: of the name server; None for that of the configuration.
        name: the name.
        uri: where it was seen to lead.
        timeout: seconds that this takes at most.
        another: how a person asks another name server, as part of a hint.

    Returns:
        What became of it. This never raises for anything that the network or the peer does.
    """
    place = place_of(address, another)
    if isinstance(place, Explanation):
        return place
    question = _Question(timeout, place)

    def ask() -> None:
        with _nameserver(place, question) as ns:
            if clip(ns.lookup(name), MAX_URI) != uri:
                raise _Anew
            if not ns.remove(name):
                raise errors.PyroError(f"the name server keeps {words(name)}")

    try:
        within(timeout, ask)
    except _Anew:
        reason = f"{words(name)} was registered anew meanwhile, and leads elsewhere now."
        return Explanation("refused", reason, "Look at it again before you remove it.")
    except Exception as error:
        _log.debug("removing %r at %s failed", name, place, exc_info=True)
        return explain(error, address=str(place), another=another)
    return Explanation("ok")


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
    uri, tags = registration(answer)
    if not isinstance(uri, str | URI):
        raise errors.PyroError(f"it gave a {type(uri).__name__} instead of a URI")
    uri = URI(uri)
    # A name that stands for another name could go round in circles, and real name servers don't hold any.
    if uri.protocol != "PYRO":
        raise errors.PyroError(f"what is registered is no address of an object: {uri}")
    return uri, tags


def _alike(name: str, ns: Proxy, question: _Question) -> list[str]:
    """Ask which names are like one that is unknown; that it is unknown matters more than failing here."""
    try:
        ns._pyro.timeout = question.left()
        return nearest(name, [row["name"] for row in registrations(ns.list(return_metadata=True))])
    except Exception:
        _log.debug("asking for names like %r failed", name, exc_info=True)
        return []


def only_there(uri: str, place: Address) -> bool:
    """Tell whether this is a loopback address that came from a name server elsewhere."""
    try:
        host = URI(uri).host
    except errors.PyroError:
        return False
    return host in LOOPBACK and place.port is not None and place.host not in LOOPBACK


# Attributes


def read_values(
    address: str | None, name: str, attributes: Sequence[str], *, timeout: float = 2.0, another: str = NAME_ANOTHER
) -> ValuesModel:
    """Look a name up and read attributes of the object, which runs code over there, where the object is.

    Args:
        address: of the name server; None for that of the configuration, "" for none.
        name: the name to look up.
        attributes: which to read; those beyond `MAX_VALUES` are not.
        timeout: seconds that all of it takes at most.
        another: how a person asks another name server, as part of a hint.

    Returns:
        The answer. This never raises for anything that the network or a peer does.
    """
    place = place_of(address, another)
    if isinstance(place, Explanation):
        return unread(place)
    question = _Question(timeout, place)

    def find() -> URI:
        uri, _ = _registration(place, name, question)
        question.where, question.name = str(uri.location), name
        return uri

    return _read(question, find, attributes, timeout, another)


def read_values_at(uri: URI, attributes: Sequence[str], *, timeout: float = 2.0) -> ValuesModel:
    """Read attributes of the object at an address; as `read_values`."""
    question = _Question(timeout, default_address())
    question.where, question.name = str(uri.location), str(uri.object)
    return _read(question, lambda: uri, attributes, timeout, NAME_ANOTHER)


def _read(
    question: _Question, find: Callable[[], URI], attributes: Sequence[str], timeout: float, another: str
) -> ValuesModel:
    values: dict[str, ValueModel] = {}

    def ask() -> None:
        with Proxy(find(), options=question.options(MAX_VALUE)) as proxy:
            proxy._pyroBind()
            known = proxy._pyroAttrs
            for attribute in attributes[:MAX_VALUES]:
                proxy._pyroTimeout = question.left()
                values[attribute] = _value(proxy, attribute, known)

    try:
        within(timeout, ask)
    except Exception as error:
        _log.debug("reading attributes of %r failed", question.name, exc_info=True)
        return {
            **unread(explain(error, address=question.where, name=question.name, another=another)),
            "values": {**values},
        }
    return {"state": "ok", "reason": "", "hint": "", "values": values}


def _value(proxy: Proxy, attribute: str, known: Iterable[str]) -> ValueModel:
    """Read one attribute; only what the connection itself does not survive is raised."""
    if attribute not in known:
        return {"text": "", "number": None, "error": "The object has no attribute of this name."}
    try:
        value = getattr(proxy, attribute)
    except errors.CommunicationError:
        raise
    except Exception as error:
        return {"text": "", "number": None, "error": clip(f"{type(error).__name__}: {error}", MAX_TAG)}
    number = float(value) if isinstance(value, int | float) and abs(value) < _LARGEST else None
    return {"text": clip(brief(value), MAX_NAME), "number": number, "error": ""}
