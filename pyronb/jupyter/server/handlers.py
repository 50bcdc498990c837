"""The HTTP face: parse, ask the manager, answer with the models as JSON.

Whatever became of asking a name server or an object is an answer with status 200 and a `state`; other statuses are
about the request itself: 400 it makes no sense, 403 it is not allowed, 409 its name server is not known here. Only name
servers that are known to the manager are ever asked, so that a request cannot make this server open connections
anywhere; a user adds one by a request of its own.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from typing import Any

import tornado.web
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler

from pyronb.jupyter.describing import MAX_NAME, MAX_URI
from pyronb.jupyter.runtime import MAX_VALUES
from pyronb.jupyter.server.manager import (
    MAX_WAIT,
    Manager,
    ManagerClosedError,
    NotAllowedError,
    UnknownNameServerError,
)

__all__ = ["MAX_HEALTHS", "routes"]

MAX_HEALTHS = 100
"""Most objects that one question for their health may be about."""
_LONGEST_EVERY = 3600.0
_SWITCH = {"": False, "0": False, "1": True}


class _BadRequestError(Exception):
    """A parameter is missing or wrong; the text is for whoever sent it."""


_STATUSES: dict[type[Exception], int] = {
    _BadRequestError: 400,
    NotAllowedError: 403,
    UnknownNameServerError: 409,
}


class _Handler(APIHandler):
    """What all handlers share."""

    auth_resource = "pyronb"
    # Polling is no sign that a person is at work; servers are shut down when idle.
    _track_activity = False

    def initialize(self, manager: Manager) -> None:
        self.manager = manager

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def parameter(self, name: str, *, most: int = MAX_NAME, needed: bool = False) -> str:
        """Give a parameter of the query; "" when it is missing."""
        values = self.parameters_of(name, most=most)
        if len(values) > 1:
            raise _BadRequestError(f"The parameter {name!r} was given more than once.")
        if needed and not any(values):
            raise _BadRequestError(f"The parameter {name!r} is missing.")
        return values[0] if values else ""

    def parameters_of(self, name: str, *, most: int = MAX_NAME) -> list[str]:
        """Give a parameter of the query that may be there several times."""
        try:
            values = self.get_query_arguments(name, strip=False)
        except tornado.web.HTTPError:
            raise _BadRequestError(f"The parameter {name!r} is not UTF-8.") from None
        if any(len(value) > most for value in values):
            raise _BadRequestError(f"The parameter {name!r} is longer than {most} characters.")
        return values

    def switch(self, name: str) -> bool:
        """Give a parameter of the query that is 0 or 1."""
        text = self.parameter(name)
        if text not in _SWITCH:
            raise _BadRequestError(f"The parameter {name!r} should be 0 or 1.")
        return _SWITCH[text]

    def seconds(self, name: str, most: float) -> float:
        """Give a parameter of the query that is a number of seconds."""
        text = self.parameter(name) or "0"
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            raise _BadRequestError(f"The parameter {name!r} should be a number of seconds from 0 to {most:g}.")
        return value

    async def answer(self, asking: Awaitable[Mapping[str, Any]]) -> None:
        """Wait for a model and send it; nothing internal gets out when that fails."""
        try:
            await self.finish(json.dumps(await asking))
        except tuple(_STATUSES) as error:
            await self.fail(_STATUSES[type(error)], str(error))
        except ManagerClosedError:
            await self.fail(503, "The Jupyter server is stopping.")
        except Exception:
            self.log.exception("pyronb: %s failed", self.request.path)
            await self.fail(500, "pyronb failed to answer; the log of the Jupyter server says more.")

    async def fail(self, status: int, message: str) -> None:
        self.set_status(status)
        await self.finish(json.dumps({"message": message}))


class NameServersHandler(_Handler):
    """``pyronb/api/nameservers``: ``GET`` tells which there are, ``POST ?ns=`` adds, ``DELETE ?ns=`` forgets one."""

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the request."""
        await self.answer(self.manager.nameservers())

    @tornado.web.authenticated
    @authorized
    async def post(self) -> None:
        """Add a name server."""
        await self.answer(self._add())

    @tornado.web.authenticated
    @authorized
    async def delete(self) -> None:
        """Forget a name server."""
        await self.answer(self._forget())

    async def _add(self) -> Mapping[str, Any]:
        try:
            return await self.manager.add(self.parameter("ns", needed=True))
        except ValueError as error:
            raise _BadRequestError(f"That is no address of a name server: {error}.") from None

    async def _forget(self) -> Mapping[str, Any]:
        return await self.manager.forget(self.parameter("ns", needed=True))


class EmbeddedHandler(_Handler):
    """``pyronb/api/embedded``: ``POST`` starts a name server inside the Jupyter server, ``DELETE`` stops it."""

    @tornado.web.authenticated
    @authorized
    async def post(self) -> None:
        """Start it."""
        await self.answer(self.manager.start_embedded())

    @tornado.web.authenticated
    @authorized
    async def delete(self) -> None:
        """Stop it."""
        await self.answer(self.manager.stop_embedded())


class NamesHandler(_Handler):
    """``pyronb/api/names``: ``GET`` tells what a name server knows, ``DELETE ?name=&uri=`` removes one name there.

    Parameters of ``GET``: ``ns`` the address of the name server; ``mark`` that of an earlier answer, and ``wait`` the
    seconds to wait for a change since; ``fresh=1`` to have the name server asked now; ``every`` the seconds between
    two questions that are enough.
    """

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the request."""
        await self.answer(self._names())

    @tornado.web.authenticated
    @authorized
    async def delete(self) -> None:
        """Remove a name."""
        await self.answer(self._remove())

    async def _names(self) -> Mapping[str, Any]:
        return await self.manager.names(
            self.parameter("ns"),
            self.parameter("mark"),
            self.seconds("wait", MAX_WAIT),
            fresh=self.switch("fresh"),
            every=self.seconds("every", _LONGEST_EVERY),
        )

    async def _remove(self) -> Mapping[str, Any]:
        name = self.parameter("name", needed=True)
        uri = self.parameter("uri", most=MAX_URI, needed=True)
        return await self.manager.unregister(name, uri, self.parameter("ns"))


class ObjectHandler(_Handler):
    """``GET pyronb/api/object?ns=&name=[&fresh=1]``: what one object exposes."""

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the request."""
        await self.answer(self._object())

    async def _object(self) -> Mapping[str, Any]:
        name = self.parameter("name", needed=True)
        return await self.manager.object(name, self.parameter("ns"), fresh=self.switch("fresh"))


class ValuesHandler(_Handler):
    """``POST pyronb/api/values?ns=&name=&attribute=&attribute=…``: the values of attributes of one object.

    It is no ``GET``, for reading an attribute runs code of the object.
    """

    @tornado.web.authenticated
    @authorized
    async def post(self) -> None:
        """Answer the request."""
        await self.answer(self._values())

    async def _values(self) -> Mapping[str, Any]:
        attributes = self.parameters_of("attribute")
        if not 0 < len(attributes) <= MAX_VALUES:
            raise _BadRequestError(f"The parameter 'attribute' should be there 1 to {MAX_VALUES} times.")
        return await self.manager.values(self.parameter("name", needed=True), attributes, self.parameter("ns"))


class HealthHandler(_Handler):
    """``GET pyronb/api/health?ns=&name=&name=…[&fresh=1]``: which objects can be reached."""

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the request."""
        await self.answer(self._health())

    async def _health(self) -> Mapping[str, Any]:
        names = self.parameters_of("name")
        if len(names) > MAX_HEALTHS:
            raise _BadRequestError(f"The parameter 'name' was given more than {MAX_HEALTHS} times.")
        return await self.manager.health(names, self.parameter("ns"), fresh=self.switch("fresh"))


def routes(manager: Manager) -> list[tuple[str, type[APIHandler], dict[str, Any]]]:
    """List the routes, relative to the base URL."""
    handlers: dict[str, type[APIHandler]] = {
        "nameservers": NameServersHandler,
        "embedded": EmbeddedHandler,
        "names": NamesHandler,
        "object": ObjectHandler,
        "health": HealthHandler,
        "values": ValuesHandler,
    }
    return [(f"pyronb/api/{name}", handler, {"manager": manager}) for name, handler in handlers.items()]
