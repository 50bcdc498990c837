"""The face of a proxy: what its names mean, in whichever room it lives.

Names that begin with ``_pyro`` belong to the proxy. Other names with a leading underscore are never remote. All the
rest is remote, and what the daemon told in the handshake decides what each one is. Nothing here does I/O.
"""

from __future__ import annotations

import difflib
import inspect
from typing import Any

from pyronb.client.link import Link
from pyronb.rpc.metadata import parse_signature

__all__ = ["check_method", "describe", "local_names", "missing", "never_remote", "signature_of"]

_PROBED = frozenset({"getdoc"})
"""Public names that tools look for on every object that they show."""


def never_remote(link: Link, name: str) -> bool:
    """Tell whether this name fails at once, without asking anybody."""
    if name.startswith("_"):
        return not (name.startswith("__") and link.metadata is not None and name in link.metadata.methods)
    return name in _PROBED and (link.metadata is None or name not in link.metadata.methods)


def missing(link: Link, name: str) -> AttributeError:
    """Make the error for a name that the object does not expose; it names what may have been meant."""
    alike = difflib.get_close_matches(name, local_names(link), n=3)
    hint = f"; did you mean {' or '.join(map(repr, alike))}?" if alike else ""
    return AttributeError(
        f"remote object {link.uri.object!r} at {link.place} has no exposed attribute or method {name!r}{hint}"
    )


def check_method(link: Link, name: str, only: str) -> None:
    """Refuse a name that is known to be no remote method; `only` ends the sentence "only methods ...".

    Raises:
        AttributeError: it can never be remote, is an attribute, or is not exposed.
    """
    if never_remote(link, name):
        raise AttributeError(f"{name!r} is not a name that a remote object can expose")
    metadata = link.metadata
    if metadata is not None and name not in metadata.methods:
        if name in metadata.attributes:
            raise AttributeError(f"{name!r} is an attribute; only methods {only}")
        raise missing(link, name)


def local_names(link: Link) -> list[str]:
    """List the remote names that are known without asking anybody."""
    if link.metadata is None:
        return []
    return sorted(link.metadata.methods | link.metadata.attributes)


def describe(link: Link) -> str:
    """Show the address and the state of the connection."""
    state = f"connected to {link.peer}" if link.connected else "not connected"
    return f"{link.uri}; {state}"


def signature_of(link: Link, method: str) -> inspect.Signature | None:
    """Give the signature of a remote method, from what the handshake told; None when it did not."""
    if link.metadata is None:
        return None
    text = link.metadata.method(method).signature
    return parse_signature(text) if text else None


def doc_of(link: Link, method: str | None = None) -> str:
    """Give the remote docstring of a method, or of the object; empty when none was told."""
    metadata: Any = link.metadata
    if metadata is None or metadata.details is None:
        return ""
    return str(metadata.details.doc if method is None else metadata.method(method).doc)
