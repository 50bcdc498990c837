"""NameServer: the phone book as an object that can be called. (Wire specification, section 21.)"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

from pyronb.context import current_context
from pyronb.errors import NamingError
from pyronb.nameserver.changes import Changes
from pyronb.nameserver.patterns import Patterns, literal_prefix
from pyronb.nameserver.storage import Entry, Storage
from pyronb.rpc.call import NAMESERVER_ID
from pyronb.rpc.notice import NOTICE, pack_notice
from pyronb.server.exposure import expose
from pyronb.uri import URI

__all__ = ["NameServer", "is_local", "type_meta"]

log = logging.getLogger("pyronb.nameserver")

_LONGEST = 10_000
"""Most characters of a name, an address, a tag or a prefix."""
_MOST_TAGS = 500
"""Most tags of one name, or of one question."""
_UNTELLABLE = re.compile("[\0\ud800-\udfff]")
_LONGEST_WAIT = 30.0
"""Most seconds that a client is waited with."""


@expose
class NameServer:
    """A phone book for remote objects: names lead to addresses, tags help to find names."""

    def __init__(self, storage: Storage, place: URI | None = None, changes: Changes | None = None) -> None:
        """Keep the registrations in a storage.

        Args:
            storage: where to.
            place: the address at which the network is served; None when only this machine is.
            changes: takes note of what is changed.
        """
        self._storage = storage
        self._place = place
        self._changes = Changes() if changes is None else changes
        self._patterns = Patterns()

    def count(self) -> int:
        """Count the registrations."""
        return self._storage.count()

    def ping(self) -> None:
        """Do nothing; that an answer comes is the answer."""

    def lookup(self, name: str, return_metadata: bool = False) -> URI | tuple[URI, set[str] | list[str]]:
        """Give the address that a name leads to, with its tags if they are asked for.

        Raises:
            NamingError: the name is not known.
        """
        _text(name, "name")
        entry = self._storage.get(name)
        if entry is None:
            raise NamingError(f"unknown name: {name}")
        uri = URI(entry[0])
        return (uri, _forms_tags()(entry[1])) if return_metadata else uri

    def register(self, name: str, uri: str | URI, safe: bool = False, metadata: Iterable[str] | None = None) -> None:
        """Have a name lead to an address.

        Args:
            name: the name; dots make a tree of it.
            uri: the address.
            safe: refuse to replace a registration, instead of replacing it together with its tags.
            metadata: tags.

        Raises:
            NamingError: the name is taken, and `safe` was asked for.
            PyroError: the text is no URI.
            TypeError: a name, address or tag is no text.
            ValueError: one of them is too long, or holds characters that cannot be told to every client.
        """
        _text(name, "name")
        if not isinstance(uri, str | URI):
            raise TypeError("only URIs or strings can be registered")
        address = _text(str(URI(uri)), "uri")
        if not self._storage.put(name, address, _tags(metadata), replace=not safe):
            raise NamingError(f"name already registered: {name}")
        self._changes.note(name)
        if self._place is not None and name != NAMESERVER_ID and is_local(URI(address)):
            self._warn(name, address, self._place)

    def set_metadata(self, name: str, metadata: Iterable[str] | None) -> None:
        """Replace the tags of a name.

        Raises:
            NamingError: the name is not known.
        """
        tags = _tags(metadata)
        _text(name, "name")
        if not self._storage.set_tags(name, tags):
            raise NamingError(f"unknown name: {name}")
        self._changes.note(name)

    def remove(self, name: str | None = None, prefix: str | None = None, regex: str | None = None) -> int:
        """Forget the one with this name, or all that match; never the name server itself.

        An empty prefix or pattern, which would match everything, forgets nothing.

        Returns:
            How many were forgotten.

        Raises:
            NamingError: the regular expression is not valid, or takes too long.
        """
        if name is not None:
            _text(name, "name")
            names = [name]
        elif prefix or regex:
            names = list(self._found(prefix, regex))
        else:
            names = []
        names = [each for each in names if each != NAMESERVER_ID]
        removed = self._storage.remove(names)
        if removed:
            self._changes.note(*names)
        return removed

    def list(
        self,
        prefix: str | None = None,
        regex: str | None = None,
        metadata_all: Iterable[str] | bool | None = None,
        metadata_any: Iterable[str] | None = None,
        return_metadata: bool = False,
    ) -> dict[str, Any]:
        """Give the registrations, all or those that match.

        Args:
            prefix: what their names start with.
            regex: what their names match, from the start.
            metadata_all: tags of which they have every one. In Pyro5, `return_metadata` is the third argument; True or
                False at this place is taken for it.
            metadata_any: tags of which they have any.
            return_metadata: give (address, tags) for each instead of the address.

        Raises:
            NamingError: the regular expression is not valid, or takes too long.
            ValueError: more than one filter was given.
        """
        if isinstance(metadata_all, bool):
            return_metadata, metadata_all = metadata_all, None
        if sum(each is not None for each in (prefix, regex, metadata_all, metadata_any)) > 1:
            raise ValueError("you can only filter on one thing at a time")
        if metadata_all is not None or metadata_any is not None:
            return self.yplookup(metadata_all, metadata_any, return_metadata)
        if return_metadata and regex is None:
            return _told(self._storage.entries(_text(prefix or "", "prefix")))
        found = self._found(prefix, regex)
        if not return_metadata:
            return found
        entries = ((name, self._storage.get(name)) for name in found)
        return _told({name: entry for name, entry in entries if entry is not None})

    def yplookup(
        self,
        meta_all: Iterable[str] | None = None,
        meta_any: Iterable[str] | None = None,
        return_metadata: bool = True,
    ) -> dict[str, Any]:
        """Give the registrations that have all, or any, of these tags.

        Without tags there are none.

        Raises:
            ValueError: both filters were given.
        """
        every, some = _tags(meta_all), _tags(meta_any)
        if every and some:
            raise ValueError("you can only filter on one thing at a time")
        if not every and not some:
            return {}
        found = self._storage.with_tags(every or some, every=bool(every))
        return _told(found) if return_metadata else {name: uri for name, (uri, _) in found.items()}

    def changes(self, mark: str = "", wait: float = 0.0) -> dict[str, Any]:
        """Tell what has changed since a client last asked. Clients of pyronb use this; Pyro has nothing like it.

        Args:
            mark: what the last answer had under this name; without it, everything is told.
            wait: seconds, at most 30, to wait for a change while there is none. Only so many clients can be waited
                with; the others are answered at once.

        Returns:
            A map of `mark`, for the next time; `names`, the changed registrations as (address, tags) by name;
            `removed`, names that are not registered any more; and `complete`, true when `names` holds all there are,
            because it is not known what has changed.
        """
        if not isinstance(mark, str) or not isinstance(wait, int | float):
            raise TypeError("changes takes a text and a number of seconds")
        now, changed = self._changes.since(mark, min(wait, _LONGEST_WAIT))
        if changed is None:
            return {"mark": now, "names": _told(self._storage.entries()), "removed": [], "complete": True}
        entries = {name: self._storage.get(name) for name in changed}
        there = {name: entry for name, entry in entries.items() if entry is not None}
        removed = [name for name, entry in entries.items() if entry is None]
        return {"mark": now, "names": _told(there), "removed": removed, "complete": False}

    @staticmethod
    def _warn(name: str, address: str, place: URI) -> None:
        """Say, here and to whoever registered it, that an address is of no use to others."""
        text = (
            f"{name!r} was registered as {address!r}, which can only be reached on that machine itself, in a name "
            f"server that serves the network at {place.location}; give its daemon a host that others can reach, "
            "or NATHOST"
        )
        log.warning("client %s: %s", current_context.client_sock_addr, text)
        caller = current_context.client
        if caller is not None and caller.peer.is_pyronb:
            current_context.response_annotations = {NOTICE: pack_notice(text)}

    def _found(self, prefix: str | None, regex: str | None) -> dict[str, str]:
        """Give the addresses, by name, of the registrations that match."""
        if prefix is not None and regex is not None:
            raise ValueError("you can only filter on one thing at a time")
        if regex is None:
            return self._storage.uris(_text(prefix or "", "prefix"))
        if not isinstance(regex, str):
            raise TypeError("regex must be a str")
        uris = self._storage.uris(_text(literal_prefix(regex), "regex"))
        return {name: uris[name] for name in self._patterns.matching(regex, uris)}


def is_local(uri: URI) -> bool:
    """Tell whether a direct address can only be reached on the machine that it is on; no name is looked up for it."""
    if uri.protocol != "PYRO":
        return False
    if uri.host is None or uri.host == "localhost" or uri.host.endswith(".localhost"):
        return True
    try:
        address = ip_address(uri.host.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def type_meta(class_or_object: Any, prefix: str = "class:") -> set[str]:
    """Give tags that tell the type of an object: its class and all bases of it but the builtin ones.

    Args:
        class_or_object: a class, or an object, whose class is meant then.
        prefix: what each tag starts with.
    """
    cls = class_or_object if inspect.isclass(class_or_object) else type(class_or_object)
    return {f"{prefix}{base.__module__}.{base.__name__}" for base in cls.__mro__ if base.__module__ != "builtins"}


def _tags(metadata: Iterable[str] | None) -> frozenset[str]:
    if metadata is None:
        return frozenset()
    if isinstance(metadata, str):
        raise TypeError("metadata should not be a str, but another iterable (set, list, etc)")
    tags = frozenset(metadata)
    if not all(isinstance(tag, str) for tag in tags):
        raise TypeError("each item of metadata should be a str")
    if len(tags) > _MOST_TAGS:
        raise ValueError(f"{len(tags)} tags are more than the {_MOST_TAGS} that one name, or one question, can have")
    for tag in tags:
        _text(tag, "metadata")
    return tags


def _text(text: object, what: str) -> str:
    """Give a text back that every serializer can write: one that could not be told would spoil the list for all."""
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str")
    if len(text) > _LONGEST:
        raise ValueError(f"{what} has {len(text)} characters, and may have {_LONGEST}")
    if _UNTELLABLE.search(text):
        raise ValueError(f"{what} {text!r} holds characters that cannot be told to every client")
    return text


def _forms_tags() -> Callable[[frozenset[str]], set[str] | list[str]]:
    """Give what brings tags into the form that the caller's own name servers give them."""
    caller = current_context.client
    return sorted if caller is not None and caller.dialect.metadata_as_lists else set


def _told(entries: dict[str, Entry]) -> dict[str, Any]:
    shown = _forms_tags()
    return {name: (uri, shown(tags)) for name, (uri, tags) in entries.items()}
