"""The HTTP face: parse, ask the manager, answer with the models as JSON.

Whatever became of asking a name server or an object is an answer with status 200 and a `state`; other statuses are
about the request itself. The name server comes from the configuration and never from a request, which could else make
this server open connections anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from typing import Any

import tornado.web
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler

from pyronb.jupyter.runtime import MAX_NAME
from pyronb.jupyter.server.manager import Manager, ManagerClosedError

__all__ = ["NamesHandler", "ObjectHandler", "routes"]

_SWITCH = {"": False, "0": False, "1": True}


class _Handler(APIHandler):
    """What both handlers share."""

    auth_resource = "pyronb"
    # Polling is no sign that a person is at work; servers are shut down when idle.
    _track_activity = False

    def initialize(self, manager: Manager) -> None:
        self.manager = manager

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def parameter(self, name: str) -> str:
        """Give a parameter of the query; "" when it is missing."""
        try:
            values = self.get_query_arguments(name, strip=False)
        except tornado.web.HTTPError:
            raise _BadRequestError(f"The parameter {name!r} is not UTF-8.") from None
        if len(values) > 1:
            raise _BadRequestError(f"The parameter {name!r} was given more than once.")
        return values[0] if values else ""

    async def answer(self, asking: Awaitable[Mapping[str, Any]]) -> None:
        """Wait for a model and send it; nothing internal gets out when that fails."""
        try:
            await self.finish(json.dumps(await asking))
        except _BadRequestError as error:
            await self.fail(400, str(error))
        except ManagerClosedError:
            await self.fail(503, "The Jupyter server is stopping.")
        except Exception:
            self.log.exception("pyronb: %s failed", self.request.path)
            await self.fail(500, "pyronb failed to answer; the log of the Jupyter server says more.")

    async def fail(self, status: int, message: str) -> None:
        self.set_status(status)
        await self.finish(json.dumps({"message": message}))


class _BadRequestError(Exception):
    """A parameter is missing or wrong; the text is for whoever sent it."""


class NamesHandler(_Handler):
    """``GET pyronb/api/names[?fresh=1]``: what the name server knows."""

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the request."""
        await self.answer(self._names())

    async def _names(self) -> Mapping[str, Any]:
        fresh = self.parameter("fresh")
        if fresh not in _SWITCH:
            raise _BadRequestError("The parameter 'fresh' should be 0 or 1.")
        return await self.manager.names(fresh=_SWITCH[fresh])


class ObjectHandler(_Handler):
    """``GET pyronb/api/object?name=…``: what one object exposes."""

    @tornado.web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the request."""
        await self.answer(self._object())

    async def _object(self) -> Mapping[str, Any]:
        name = self.parameter("name")
        if not name:
            raise _BadRequestError("The parameter 'name' is missing.")
        if len(name) > MAX_NAME:
            raise _BadRequestError(f"The parameter 'name' is longer than {MAX_NAME} characters.")
        return await self.manager.object(name)


def routes(manager: Manager) -> list[tuple[str, type[APIHandler], dict[str, Any]]]:
    """List the routes, relative to the base URL."""
    return [
        ("pyronb/api/names", NamesHandler, {"manager": manager}),
        ("pyronb/api/object", ObjectHandler, {"manager": manager}),
    ]
