"""RemoteMethod: what ``proxy.method`` gives, and how a call is made in this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyronb.client.bare import NOT_TAKEN
from pyronb.client.calling import forsake, invoke
from pyronb.client.face import MethodDoc, MethodFace
from pyronb.client.link import Link
from pyronb.client.outcomes import add_context, settle, take_annotations
from pyronb.context import ambient
from pyronb.rpc.call import Call, Outcome, Wishes
from pyronb.sync.driver import run
from pyronb.sync.shortcut import short_cut
from pyronb.sync.streams import FarStream
from pyronb.wire.message import RESULT

__all__ = ["RemoteMethod", "WishedMethod", "call_remote", "outcome_of", "value_of"]


def outcome_of(link: Link, call: Call) -> Outcome:
    """Say one call over a link, under its lock, with what the context has to add to it."""
    context = ambient()
    if context.annotations or context.correlation_id is not None or link.owner is not None:
        add_context(link, call)
    with link.lock:
        outcome = run(invoke(link, call))
    take_annotations(context, outcome)
    if link.owner is not None and outcome.annotations:
        link.owner._pyroResponseAnnotations(outcome.annotations, RESULT)
    return outcome


def call_remote(link: Link, method: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> Any:
    """Call a method of the link's object and give its result, or raise what it raised."""
    value = value_of(link, Call("", method, args, kwargs))
    if link.short is None:
        link.short = short_cut(link)
    return value


def value_of(link: Link, call: Call) -> Any:
    """Say one call and give its result, or raise what it raised."""
    try:
        return settle(link, outcome_of(link, call), FarStream)
    except BaseException:
        forsake(link, call)
        raise


_METHOD_DOC = """A method of a remote object, ready to be called.

It holds the way to the object rather than the proxy, so a proxy that is dropped still closes its connection. Its
name, docstring and signature come from what the daemon told when the proxy connected.
"""


class RemoteMethod(MethodFace):  # noqa: D101 - the docstring is made by MethodDoc
    __doc__ = MethodDoc(_METHOD_DOC)

    def __init__(self, link: Link, name: str) -> None:
        """Make the method of this name; nothing is sent."""
        self._link = link
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it over there."""
        # As `call_remote` does, for the way of most calls.
        link = self._link
        short = link.short
        if short is not None:
            value = short.call(link, self.__name__, args, kwargs)
            if value is not NOT_TAKEN:
                return value
        return call_remote(link, self.__name__, args, kwargs)

    def __repr__(self) -> str:
        """Show the name and the object."""
        return f"<remote method {self.__name__!r} of {self._link.uri}>"


class WishedMethod(RemoteMethod):
    """A method of a remote object whose calls are made with some wishes."""

    def __init__(self, link: Link, name: str, wishes: Wishes) -> None:
        """Make the method of this name; nothing is sent."""
        super().__init__(link, name)
        self._wishes = wishes

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it over there."""
        return value_of(self._link, Call("", self.__name__, args, kwargs, wishes=self._wishes))
