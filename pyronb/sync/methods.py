"""RemoteMethod: what ``proxy.method`` gives, and how a call is made in this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyronb.client.face import doc_of, signature_of
from pyronb.client.link import Link
from pyronb.client.procedures import invoke
from pyronb.context import ambient
from pyronb.rpc.call import Call, Outcome, Raised, Returned
from pyronb.sync.driver import run
from pyronb.sync.streams import FarStream

__all__ = ["RemoteMethod", "add_context", "call_remote", "outcome_of", "value_of"]


def outcome_of(link: Link, call: Call) -> Outcome:
    """Say one call over a link, under its lock, with what the context has to add to it."""
    context = ambient()
    if context.annotations or context.correlation_id is not None:
        add_context(call)
    with link.lock:
        outcome = run(invoke(link, call))
    if context.client is None:
        # While a call is served, these are for its own reply.
        context.response_annotations = dict(outcome.annotations)
    return outcome


def add_context(call: Call) -> None:
    """Have the annotations and the correlation id of the context go out with a call."""
    context = ambient()
    if context.annotations:
        call.annotations = {**context.annotations, **call.annotations}
    if context.correlation_id is not None:
        call.correlation_id = context.correlation_id.bytes


def call_remote(link: Link, method: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> Any:
    """Call a method of the link's object and give its result, or raise what it raised."""
    return value_of(link, Call("", method, args, kwargs))


def value_of(link: Link, call: Call) -> Any:
    """Say one call and give its result, or raise what it raised."""
    outcome = outcome_of(link, call)
    if isinstance(outcome, Returned):
        return outcome.value
    if isinstance(outcome, Raised):
        raise outcome.error
    return FarStream(link, outcome.stream_id)


class RemoteMethod:
    """A method of a remote object, ready to be called.

    It holds the way to the object rather than the proxy, so a proxy that is dropped still closes its connection. Its
    name, docstring and signature come from what the daemon told when the proxy connected.
    """

    def __init__(self, link: Link, name: str) -> None:
        """Make the method of this name; nothing is sent."""
        self._link = link
        self.__name__ = self.__qualname__ = name
        self.__doc__ = doc_of(link, name) or f"Remote method {name!r} of {link.uri}."
        signature = signature_of(link, name)
        if signature is not None:
            self.__signature__ = signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it over there."""
        return call_remote(self._link, self.__name__, args, kwargs)

    def __repr__(self) -> str:
        """Show the name and the object."""
        return f"<remote method {self.__name__!r} of {self._link.uri}>"
