"""Describing what was asked: the models of `models.py`, made from what came, with their sizes limited.

What came from other machines is untrusted: here it gets its types and sizes checked, and whoever shows it escapes it.
Nothing here does input or output.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping

from pyronb import errors
from pyronb.jupyter.addresses import Address, is_default
from pyronb.jupyter.explain import Explanation, words
from pyronb.jupyter.models import AttributeModel, MethodModel, NameModel, NamesModel, ObjectModel, ValuesModel
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI
from pyronb.version import __version__

__all__ = [
    "MAX_NAME",
    "MAX_TAG",
    "MAX_URI",
    "blank_names",
    "blank_object",
    "clip",
    "explained",
    "failed_object",
    "object_model",
    "registration",
    "registrations",
    "unread",
]

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


def object_model(proxy: Proxy, name: str, tags: Iterable[str] = ()) -> ObjectModel:
    """Describe an object from what its proxy already knows; this does no input or output."""
    link = proxy._pyro
    model = blank_object(name)
    model["uri"] = clip(link.connected_uri or link.uri, MAX_URI)
    model["tags"] = _tags(tags)
    model["server"] = clip(link.peer, MAX_TAG)
    model["serializer"] = link.serializer.name if link.connected and link.serializer is not None else ""
    about = link.metadata
    if about is None:
        which = f"The proxy of {words(name)!r}" if name else "The proxy"
        hint = "Call one of its methods, or its _pyroBind(), to connect it."
        explained(model, Explanation("unreachable", f"{which} is not connected.", hint))
        return model
    model["latency"] = link.latency
    if about.details is not None:
        model["class_name"] = clip(about.details.class_name, MAX_NAME)
        model["doc"] = clip(about.details.doc, MAX_DOC)
    docs = _Docs()
    for method in sorted(about.methods)[:MAX_MEMBERS]:
        detail = about.method(method)
        entry: MethodModel = {
            "name": clip(method, MAX_NAME),
            "signature": clip(detail.signature, MAX_SIGNATURE) or "(...)",
            "doc": docs.clip(detail.doc),
            "oneway": method in about.oneway,
        }
        model["methods"].append(entry)
    for attribute in sorted(about.attributes)[:MAX_MEMBERS]:
        known = about.attribute(attribute)
        row: AttributeModel = {
            "name": clip(attribute, MAX_NAME),
            "type": clip(known.type, MAX_SIGNATURE),
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
        text = clip(text, min(MAX_DOC, self.room))
        self.room -= len(text)
        return text


def failed_object(name: str, told: Explanation) -> ObjectModel:
    """Describe an object that could not be asked."""
    model = blank_object(name)
    explained(model, told)
    return model


def blank_object(name: str) -> ObjectModel:
    """Make the model of an object that was not asked yet."""
    return {
        "name": clip(name, MAX_NAME),
        "uri": "",
        "tags": [],
        "state": "ok",
        "reason": "",
        "hint": "",
        "latency": None,
        "server": "",
        "serializer": "",
        "class_name": "",
        "doc": "",
        "methods": [],
        "attributes": [],
    }


def blank_names(address: str | None, place: Address | Explanation, viewpoint: str = "") -> NamesModel:
    """Make the model of a name server that was not asked yet, or, where there is no place, cannot be asked."""
    where = "" if isinstance(place, Explanation) else str(place)
    known = not isinstance(place, Explanation) and is_default(place)
    model: NamesModel = {
        "version": __version__,
        "viewpoint": viewpoint or f"Python on {platform.node() or 'this machine'}",
        "nameserver": {"address": where or clip(address or "", MAX_NAME), "default": known, "server": ""},
        "state": "ok",
        "reason": "",
        "hint": "",
        "names": [],
        "total": 0,
        "age": 0.0,
    }
    if isinstance(place, Explanation):
        explained(model, place)
    return model


def unread(told: Explanation) -> ValuesModel:
    """Tell why no attribute could be read."""
    return {"state": told.state, "reason": told.reason, "hint": told.hint, "values": {}}


def explained(model: NamesModel | ObjectModel, told: Explanation) -> None:
    """Put into a model what became of the question."""
    model["state"], model["reason"], model["hint"] = told.state, told.reason, told.hint


def registrations(answer: object) -> list[NameModel]:
    """Read the answer of a name server's `list`: sorted, each name once, entries that make no sense left out.

    Raises:
        PyroError: it is no map of names.
    """
    if not isinstance(answer, Mapping):
        raise errors.PyroError(f"it gave a {type(answer).__name__} instead of a map of names")
    rows: dict[str, NameModel] = {}
    for name, entry in answer.items():
        uri, tags = registration(entry)
        if isinstance(name, str) and name and isinstance(uri, str | URI):
            key = clip(name, MAX_NAME)
            rows.setdefault(key, {"name": key, "uri": clip(uri, MAX_URI), "tags": tags})
    return [rows[key] for key in sorted(rows)]


def registration(entry: object) -> tuple[object, list[str]]:
    """Read what is registered for one name: a URI and its tags, as a tuple or a list, or the URI alone."""
    if isinstance(entry, tuple | list) and len(entry) == 2:
        return entry[0], _tags(entry[1])
    return entry, []


def _tags(tags: object) -> list[str]:
    """Read a collection of tags, whatever its kind; what is no text is left out."""
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        return []
    return sorted({clip(tag, MAX_TAG) for tag in tags if isinstance(tag, str) and tag})[:MAX_TAGS]


def clip(text: object, size: int) -> str:
    """Shorten a text that came from elsewhere, and make sure that it can be written as UTF-8."""
    if isinstance(text, str) and text.isascii():
        return text[:size]
    try:
        return str(text)[:size].encode("utf-8", "replace").decode("utf-8")
    except Exception:
        # A URI is made of whatever parts the peer sent.
        return ""
