"""RemoteMethod and RemoteAttribute: what ``proxy.name`` gives, and how a call is made in this room."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Mapping, Sequence
from typing import Any

from pyronb.aio.driver import run_on
from pyronb.aio.shortcut import short_cut
from pyronb.aio.streams import FarStream
from pyronb.client.calling import invoke
from pyronb.client.face import MethodDoc, MethodFace
from pyronb.client.link import Link
from pyronb.client.outcomes import add_context, settle, take_annotations
from pyronb.context import ambient
from pyronb.rpc.call import Call, Outcome, Wishes
from pyronb.wire.message import RESULT

__all__ = ["RemoteAttribute", "RemoteMethod", "WishedMethod", "call_remote", "outcome_of"]


async def outcome_of(link: Link, call: Call) -> Outcome:
    """Say one call over a link."""
    outcome = await run_on(link, invoke(link, call))
    take_annotations(ambient(), outcome)
    if link.owner is not None and outcome.annotations:
        link.owner._pyroResponseAnnotations(outcome.annotations, RESULT)
    return outcome


def call_remote(
    link: Link, method: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None
) -> Coroutine[Any, Any, Any]:
    """Give the coroutine that calls a method of the link's object and gives its result, or raises what it raised."""
    short = link.short
    if short is not None and short.takes(method, args):
        return short.call(link, method, args, kwargs, _value_of)  # type: ignore[no-any-return]  # links know no rooms
    call = Call("", method, args, kwargs)
    add_context(link, call)
    return _value_of(link, call)


def call_wished(
    link: Link, method: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None, wishes: Wishes
) -> Coroutine[Any, Any, Any]:
    """Do as `call_remote`, for a call that is made with some wishes."""
    call = Call("", method, args, kwargs, wishes=wishes)
    add_context(link, call)
    return _value_of(link, call)


async def _value_of(link: Link, call: Call) -> Any:
    value = settle(link, await outcome_of(link, call), FarStream)
    if link.short is None:
        link.short = short_cut(link)
    return value


class _Member:
    """A member of a remote object. It holds the way to the object rather than the proxy, as in the other room."""

    def __init__(self, link: Link, name: str) -> None:
        """Make the member of this name; nothing is sent."""
        self._link = link
        self.__name__ = self.__qualname__ = name

    def __await__(self) -> Generator[Any, None, Any]:
        """Read the attribute of this name."""
        return call_remote(self._link, "__getattr__", (self.__name__,), None).__await__()


_METHOD_DOC = """A method of a remote object: calling it gives what is to be awaited.

Its name, docstring and signature come from what the daemon told when the proxy connected. Before that, the name may
also turn out to be that of an attribute: awaiting it without a call reads the attribute.
"""


class RemoteMethod(_Member, MethodFace):  # noqa: D101 - the docstring is made by MethodDoc
    __doc__ = MethodDoc(_METHOD_DOC)

    def __init__(self, link: Link, name: str) -> None:
        """Make the method of this name; nothing is sent."""
        super().__init__(link, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Give the coroutine that calls it over there."""
        return call_remote(self._link, self.__name__, args, kwargs)

    def __repr__(self) -> str:
        """Show the name and the object."""
        return f"<remote method {self.__name__!r} of {self._link.uri}>"


class WishedMethod(RemoteMethod):
    """A method of a remote object whose calls are made with some wishes; as for others it may turn out an attribute."""

    def __init__(self, link: Link, name: str, wishes: Wishes) -> None:
        """Make the method of this name; nothing is sent."""
        super().__init__(link, name)
        self._wishes = wishes

    def __await__(self) -> Generator[Any, None, Any]:
        """Read the attribute of this name."""
        return call_wished(self._link, "__getattr__", (self.__name__,), None, self._wishes).__await__()

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Give the coroutine that calls it over there."""
        return call_wished(self._link, self.__name__, args, kwargs, self._wishes)


class RemoteAttribute(_Member):
    """An attribute of a remote object: awaiting it reads it. (`Proxy._pyroSet` sets it.)"""

    def __repr__(self) -> str:
        """Show the name and the object."""
        return f"<remote attribute {self.__name__!r} of {self._link.uri}; await it to read it>"
