"""The doctor: goes each step of reaching an object, with its time, and says where it breaks and what helps.

`%pyro_doctor` and `pyronb doctor` show the same examination. It takes a limited time and never raises for what a
network or a peer does. Nothing is called but the name server's `lookup`, and `list` where a name is unknown.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from pyronb import errors
from pyronb.client.speech import AUTO
from pyronb.config import config
from pyronb.jupyter.addresses import default_address, parse_address
from pyronb.jupyter.explain import NAME_ANOTHER, Explanation, explain, nearest, words
from pyronb.jupyter.ipython.views import Cell, Section
from pyronb.jupyter.runtime import ONLY_THERE, only_there, within
from pyronb.jupyter.targets import Target, read_target
from pyronb.net.sockets import addresses
from pyronb.options import ClientOptions
from pyronb.rpc.call import NAMESERVER_ID
from pyronb.sync.lookup import resolve
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI

__all__ = ["Diagnosis", "Step", "diagnose", "section_of"]

T = TypeVar("T")

_BY_NAME = ("name server", "name")
_BY_ADDRESS = ("host", "port", "greeting", "protocol", "metadata", "ping")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of reaching an object.

    Attributes:
        what: its name.
        state: what became of it.
        detail: what was found, or what is wrong.
        hint: what to do about it; empty when nothing is wrong.
        seconds: how long it took; None when it took no time of its own, or was not gone.
    """

    what: str
    state: Literal["ok", "failed", "not tried"]
    detail: str = ""
    hint: str = ""
    seconds: float | None = None


@dataclass(slots=True)
class Diagnosis:
    """What became of all steps, in their order.

    Attributes:
        target: what was examined, as it was written.
        steps: the steps; the first one that failed is the last one that was tried.
    """

    target: str
    steps: list[Step] = field(default_factory=list)

    @property
    def failure(self) -> Step | None:
        """The step that failed; None when the object can be reached."""
        return next((step for step in self.steps if step.state == "failed"), None)

    @property
    def verdict(self) -> str:
        """What it all means, in a sentence."""
        failed = self.failure
        if failed is not None:
            return f"It breaks at the {failed.what}. {failed.hint}".rstrip()
        total = sum(step.seconds or 0.0 for step in self.steps)
        return f"All is well; reaching it took {total * 1000:.1f} ms."


class _BrokenError(Exception):
    """A step failed, and was noted."""


class _Examination:
    """Goes the steps for one target and notes each."""

    def __init__(self, diagnosis: Diagnosis, timeout: float, another: str) -> None:
        self.diagnosis = diagnosis
        self._timeout = timeout
        self._another = another

    def step(
        self,
        what: str,
        work: Callable[[], T],
        told: Callable[[T], str],
        *,
        where: str = "",
        name: str = "",
        hint: Callable[[BaseException], str] = lambda _: "",
    ) -> T:
        """Go a step within the time that each has.

        Args:
            what: its name.
            work: what is done.
            told: says what was found.
            where: the address that it is about, for explanations.
            name: the object that it is about, for explanations; empty when it is the name server.
            hint: gives what to do about an error, where that is better known than by explanations.

        Raises:
            _BrokenError: it failed.
        """
        began = time.monotonic()
        try:
            result = within(self._timeout, work)
        except Exception as error:
            said = explain(error, address=where, name=name, another=self._another)
            self.fail(what, replace(said, hint=hint(error) or said.hint), time.monotonic() - began)
            raise _BrokenError from error
        self.note(what, told(result), time.monotonic() - began)
        return result

    def note(self, what: str, detail: str, seconds: float | None = None) -> None:
        """Note a step that went well."""
        self.diagnosis.steps.append(Step(what, "ok", detail, "", seconds))

    def fail(self, what: str, said: Explanation, seconds: float | None = None) -> None:
        """Note a step that failed."""
        self.diagnosis.steps.append(Step(what, "failed", said.reason, said.hint, seconds))

    def options(self) -> ClientOptions:
        """Make options for talking within the time of a step."""
        options = config.client_options(serializer=AUTO)
        return replace(
            options,
            timeout=self._timeout,
            connect_timeout=self._timeout,
            max_retries=0,
            lookup=replace(options.lookup, delay=0.0),
        )


def diagnose(
    text: str, nameserver: str | None = None, *, timeout: float = 2.0, another: str = NAME_ANOTHER
) -> Diagnosis:
    """Examine how an object is reached.

    Args:
        text: its name, or a URI.
        nameserver: address of the name server for a name; None for that of the configuration.
        timeout: seconds that each step takes at most.
        another: how a person asks another name server, as part of a hint.

    Raises:
        ValueError: that is neither a name nor a URI.
    """
    target = read_target(text, nameserver)
    diagnosis = Diagnosis(text)
    examination = _Examination(diagnosis, timeout, another)
    direct = target.uri.protocol == "PYRO"
    try:
        _reach(examination, target.uri if direct else _look_up(examination, target), target)
    except _BrokenError:
        # It is the last step that was noted; what comes after it is not tried.
        tried = {step.what for step in diagnosis.steps}
        rest = [what for what in ((() if direct else _BY_NAME) + _BY_ADDRESS) if what not in tried]
        diagnosis.steps += [Step(what, "not tried") for what in rest]
    return diagnosis


def _look_up(examination: _Examination, target: Target) -> URI:
    """Find the name server, and the address that is registered there."""
    location = target.uri.location
    place = default_address() if location is None else parse_address(location)
    options = replace(examination.options(), serializer="serpent")  # every name server takes it

    with ExitStack() as stack:

        def connect() -> Proxy:
            ns = Proxy(f"PYRO:{NAMESERVER_ID}@{place}", options=options)
            stack.callback(ns._pyroRelease)
            ns._pyroBind()
            return ns

        ns = examination.step("name server", connect, lambda ns: f"{words(ns._pyro.peer)} at {place}", where=str(place))

        def look_up() -> tuple[URI, str]:
            if not target.name:
                found = resolve(target.uri, options=options)
                return found, f"an object with the tags {', '.join(sorted(target.uri.object))} is {words(found)}"
            uri = URI(str(ns.lookup(target.name)))
            if uri.protocol != "PYRO":
                raise errors.PyroError(f"what is registered is no address of an object: {uri}")
            return uri, f"{words(target.name)} is {words(uri)}"

        def alike(error: BaseException) -> str:
            if not target.name or not isinstance(error, errors.NamingError):
                return ""
            try:
                near = nearest(target.name, within(1.0, lambda: list(ns.list())))
            except Exception:
                # That the name is unknown matters more.
                return ""
            return f"Did you mean {' or '.join(map(words, near))}?" if near else ""

        name = target.name or " and ".join(sorted(target.uri.object))
        uri, _ = examination.step("name", look_up, lambda pair: pair[1], where=str(place), name=name, hint=alike)
    return uri


def _reach(examination: _Examination, uri: URI, target: Target) -> None:
    """Go to the object at this address."""
    where, name = str(uri.location), target.name or str(uri.object)
    far = target.uri.location
    place = None
    if target.uri.protocol != "PYRO":
        place = default_address() if far is None else parse_address(far)

    def there(_: BaseException) -> str:
        return ONLY_THERE if place is not None and only_there(str(uri), place) else ""

    found = examination.step("host", lambda: _addresses(uri), _told_addresses, where=where, name=name)
    examination.step(
        "port", lambda: _connect(found, examination.options()), lambda _: f"{words(where)} takes connections",
        where=where, name=name, hint=there,
    )  # fmt: skip
    with Proxy(uri, options=examination.options()) as proxy:
        link = proxy._pyro
        began = time.monotonic()
        failed: Exception | None = None
        try:
            within(examination.options().timeout or 0.0, proxy._pyroBind)
        except Exception as error:
            failed = error
        seconds = time.monotonic() - began
        said = explain(failed, address=where, name=name) if failed is not None else Explanation("ok")
        # Greeting, protocol and metadata are one message each way; how far it got shows in what the link knows.
        if link.remote is None:
            wrong = isinstance(failed, errors.ProtocolError)
            if wrong:
                examination.note("greeting", "it was answered")
            examination.fail("protocol" if wrong else "greeting", said, seconds)
            raise _BrokenError from failed
        examination.note("greeting", f"{words(link.peer)} accepts", seconds)
        spoken = "" if link.serializer is None else f", values as {link.serializer.name}"
        examination.note("protocol", f"{link.dialect.version} of {link.dialect.family}{spoken}")
        if failed is not None:
            examination.fail("metadata", said)
            raise _BrokenError from failed
        examination.note("metadata", _told_metadata(proxy))
        examination.step(
            "ping", proxy._pyroPing, lambda took: f"answered in {took * 1000:.1f} ms", where=where, name=name
        )


def _addresses(uri: URI) -> list[tuple[int, Any]]:
    if uri.sockname is not None:
        return [(socket.AF_UNIX, uri.sockname)]
    return [(family, address) for family, address in addresses(uri.host or "", uri.port or 0, config.PREFER_IP_VERSION)]


def _told_addresses(found: list[tuple[int, Any]]) -> str:
    texts = [str(address) if family == socket.AF_UNIX else str(address[0]) for family, address in found]
    return ", ".join(dict.fromkeys(texts))


def _connect(found: list[tuple[int, Any]], options: ClientOptions) -> None:
    """Connect to the first address that takes connections, and say nothing.

    Raises:
        OSError: none does; it is the error of the last one.
    """
    last: OSError = ConnectionRefusedError("there is no address")
    for family, address in found:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(options.connect_timeout)
            try:
                sock.connect(address)
            except OSError as error:
                last = error
            else:
                return
    raise last


def _told_metadata(proxy: Proxy) -> str:
    known = proxy._pyro.metadata
    if known is None:
        return "not asked for (METADATA is off)"
    documented = " with documentation" if known.details is not None else ""
    return f"{_count(known.methods, 'method')}, {_count(known.attributes, 'attribute')}{documented}"


def _count(names: Collection[str], what: str) -> str:
    return f"{len(names)} {what}{'s' * (len(names) != 1)}"


def section_of(diagnosis: Diagnosis) -> Section:
    """Give the steps as a table."""
    rows = []
    for step in diagnosis.steps:
        took = "" if step.seconds is None else f"{step.seconds * 1000:.1f} ms"
        kind: Literal["good", "bad", "muted"] = {"ok": "good", "failed": "bad"}.get(step.state, "muted")  # type: ignore[assignment]
        rows.append([Cell(step.what), Cell(step.state, kind), Cell(took, "muted"), Cell(step.detail)])
    return Section(f"Reaching {diagnosis.target}", ["Step", "State", "Time", "What was found"], rows, diagnosis.verdict)
