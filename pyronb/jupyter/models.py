"""The JSON that the Jupyter server extension, the widgets and the lab extension exchange.

This module is the wire between Python and the browser: nothing here computes. `labextension/src/models.ts`
holds the same shapes; `tests/contract/models.json` is one fixture that both sides are tested against.

All strings come from other machines and are untrusted: whoever shows them escapes them.
"""

from __future__ import annotations

from typing import Literal, TypedDict

State = Literal["ok", "unconfigured", "unreachable", "refused", "wrong-version", "unknown", "error"]
"""What became of asking a name server or an object.

`ok` it answered; `unconfigured` no name server is named in the configuration; `unreachable` nothing listens there or
no answer came in time; `refused` it answered and said no; `wrong-version` it is a peer of a protocol that cannot be
spoken, or no Pyro peer at all; `unknown` no such name is registered; `error` anything else.
"""


class NameModel(TypedDict):
    """One registration of a name server."""

    name: str
    uri: str
    tags: list[str]


class NameServerModel(TypedDict):
    """The name server that was asked, as seen from the process that asked it."""

    address: str
    """`host:port`, or `./u:path`."""
    default: bool
    """True when `locateNS()` without arguments finds this one, so that inserted code need not name it."""
    server: str
    """Who answered, for example `pyronb 0.1.0` or `Pyro 502`; empty when unknown."""


class NamesModel(TypedDict):
    """What a name server knows."""

    version: str
    """Version of the pyronb package that answers."""
    viewpoint: str
    """From where the name server was asked, for example `Jupyter server on lab-pc`."""
    nameserver: NameServerModel
    state: State
    reason: str
    """One sentence that says what is wrong; empty when the state is `ok`."""
    hint: str
    """One sentence that says what to do about it; empty when the state is `ok`."""
    names: list[NameModel]
    """Sorted by name; at most `limit` of them."""
    total: int
    """How many there are, which may be more than were sent."""
    age: float
    """Seconds since the name server was really asked (answers are kept for a short while)."""


class ListingModel(NamesModel):
    """What a name server knows, for one who asks again and again: the answer of `GET pyronb/api/names`.

    Who sends the `mark` of an answer is told what has changed since; then `names` and `removed` are the changes.
    """

    mark: str
    """Stands for this moment; to be sent with the next question."""
    complete: bool
    """True when `names` holds all there are, false when it holds those that changed since the mark of the question."""
    removed: list[str]
    """Names that are not registered any more; empty when the answer is complete."""
    live: bool
    """True while the name server tells of changes by itself, false while it has to be asked again and again."""
    retry: float | None
    """Seconds until the name server is asked again, while it does not answer; None while it does."""


class KnownModel(TypedDict):
    """One name server that can be asked about."""

    address: str
    origin: Literal["configured", "added", "embedded"]
    """`configured` by whoever runs the Jupyter server, `added` by a user, `embedded` in the Jupyter server."""
    default: bool
    """True when `locateNS()` without arguments finds this one."""


class NameServersModel(TypedDict):
    """Which name servers there are to ask: the answer of `GET pyronb/api/nameservers`."""

    version: str
    """Version of the pyronb package that answers."""
    viewpoint: str
    """From where they are asked."""
    read_only: bool
    """Whether names cannot be removed, nor name servers started, from here."""
    may_add: bool
    """Whether users may add name servers that are not in the configuration."""
    nameservers: list[KnownModel]
    """The first is the one to begin with."""


class HealthModel(TypedDict):
    """Whether one object can be reached: an item of the answer of `GET pyronb/api/health`."""

    name: str
    uri: str
    """Where the name led when the object was asked."""
    state: State | Literal["checking"]
    """`checking` while nobody knows yet."""
    reason: str
    hint: str
    latency: float | None
    """Seconds that a ping took; None when it was not reached."""
    server: str
    """Who serves it, for example `pyronb 0.1.0` or `Pyro5`; empty when unknown."""
    age: float
    """Seconds since it was found out."""


class HealthsModel(TypedDict):
    """The answer of `GET pyronb/api/health`."""

    objects: list[HealthModel]


class OutcomeModel(TypedDict):
    """What became of something that a user wanted done."""

    state: State
    reason: str
    hint: str


class MethodModel(TypedDict):
    """One exposed method."""

    name: str
    signature: str
    """Such as `(x: int, y: int = 2) -> int`; `(...)` when the peer does not tell."""
    doc: str
    oneway: bool


class AttributeModel(TypedDict):
    """One exposed attribute (property)."""

    name: str
    type: str
    """Its annotation as text; empty when unknown."""
    doc: str
    writable: bool | None
    """None when the peer does not tell."""


class ObjectModel(TypedDict):
    """One remote object: the answer of `GET pyronb/api/object?name=...`."""

    name: str
    uri: str
    tags: list[str]
    state: State
    reason: str
    hint: str
    latency: float | None
    """Seconds that connecting to the object took; None when it was not reached."""
    server: str
    """Who serves it, for example `pyronb 0.1.0` or `Pyro 502`; empty when unknown."""
    serializer: str
    """In which calls are written; empty when there is no connection."""
    class_name: str
    doc: str
    methods: list[MethodModel]
    attributes: list[AttributeModel]


class ValueModel(TypedDict):
    """What reading one attribute gave."""

    text: str
    """The value in short; empty when reading failed."""
    number: float | None
    """The value, if it is a number."""
    error: str
    """Why it could not be read; empty when it was."""


class ValuesModel(TypedDict):
    """What reading attributes of an object gave: the answer of `POST pyronb/api/values`."""

    state: State
    reason: str
    hint: str
    values: dict[str, ValueModel]
    """By the names of the attributes; those that were not got to are missing."""
