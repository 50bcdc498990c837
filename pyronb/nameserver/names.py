"""NameServer: the phone book as an object that can be called. (Wire specification, section 21.)"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pyronb.context import current_context
from pyronb.errors import NamingError
from pyronb.nameserver.storage import Entry, Storage
from pyronb.rpc.call import NAMESERVER_ID
from pyronb.server.exposure import expose
from pyronb.uri import URI

__all__ = ["NameServer"]


@expose
class NameServer:
    """A phone book for remote objects: names lead to addresses, tags help to find names."""

    def __init__(self, storage: Storage) -> None:
        """Keep the registrations in this storage."""
        self._storage = storage

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
        _check_name(name)
        entry = self._storage.get(name)
        if entry is None:
            raise NamingError(f"unknown name: {name}")
        uri = URI(entry[0])
        return (uri, _shown(entry[1])) if return_metadata else uri

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
        """
        _check_name(name)
        if not isinstance(uri, str | URI):
            raise TypeError("only URIs or strings can be registered")
        address = _tellable(str(URI(uri)), "uri")
        if not self._storage.put(name, address, _tags(metadata), replace=not safe):
            raise NamingError(f"name already registered: {name}")

    def set_metadata(self, name: str, metadata: Iterable[str] | None) -> None:
        """Replace the tags of a name.

        Raises:
            NamingError: the name is not known.
        """
        tags = _tags(metadata)
        _check_name(name)
        if not self._storage.set_tags(name, tags):
            raise NamingError(f"unknown name: {name}")

    def remove(self, name: str | None = None, prefix: str | None = None, regex: str | None = None) -> int:
        """Forget the one with this name, or all that match; never the name server itself.

        Returns:
            How many were forgotten.
        """
        if name is not None:
            _check_name(name)
            names = [name]
        elif prefix is not None or regex is not None:
            names = list(self._matching(prefix, regex))
        else:
            names = []
        return self._storage.remove(each for each in names if each != NAMESERVER_ID)

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
            NamingError: the regular expression is not valid.
            ValueError: more than one filter was given.
        """
        if isinstance(metadata_all, bool):
            return_metadata, metadata_all = metadata_all, None
        if sum(each is not None for each in (prefix, regex, metadata_all, metadata_any)) > 1:
            raise ValueError("you can only filter on one thing at a time")
        if metadata_all is not None or metadata_any is not None:
            return self.yplookup(metadata_all, metadata_any, return_metadata)
        return _told(self._matching(prefix, regex), return_metadata)

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
        return _told(self._storage.with_tags(every or some, every=bool(every)), return_metadata)

    def _matching(self, prefix: str | None, regex: str | None) -> dict[str, Entry]:
        if prefix is not None and regex is not None:
            raise ValueError("you can only filter on one thing at a time")
        if prefix is not None:
            if not isinstance(prefix, str):
                raise TypeError("prefix must be a str")
            return self._storage.with_prefix(_tellable(prefix, "prefix"))
        if regex is None:
            return self._storage.all()
        try:
            matches = re.compile(regex).match
        except (re.error, TypeError, OverflowError, RecursionError) as error:
            raise NamingError(f"invalid regex: {error}") from error
        return {name: entry for name, entry in self._storage.all().items() if matches(name)}


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError("name must be a str")
    _tellable(name, "name")


def _tags(metadata: Iterable[str] | None) -> frozenset[str]:
    if metadata is None:
        return frozenset()
    if isinstance(metadata, str):
        raise TypeError("metadata should not be a str, but another iterable (set, list, etc)")
    tags = frozenset(metadata)
    if not all(isinstance(tag, str) for tag in tags):
        raise TypeError("each item of metadata should be a str")
    for tag in tags:
        _tellable(tag, "metadata")
    return tags


def _tellable(text: str, what: str) -> str:
    """Give a text back that every serializer can write: one that could not be told would spoil the list for all."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{what} {text!r} holds characters that cannot be told to every client")
    return text


def _shown(tags: frozenset[str]) -> set[str] | list[str]:
    """Give tags in the form that the caller's own name servers give them."""
    caller = current_context.client
    return sorted(tags) if caller is not None and caller.dialect.metadata_as_lists else set(tags)


def _told(entries: dict[str, Entry], return_metadata: bool) -> dict[str, Any]:
    if return_metadata:
        return {name: (uri, _shown(tags)) for name, (uri, tags) in entries.items()}
    return {name: uri for name, (uri, _) in entries.items()}
