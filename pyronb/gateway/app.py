"""The gateway as an ASGI application, which can be mounted into others: `make_app`.

=======================================  ==============================================================
``GET /``                                to the index
``GET /pyro/``                           the index: exposed objects, for people
``GET /pyro/NAME/$meta``                 ``{"methods": [...], "attributes": [...]}``
``GET /pyro/NAME/METHOD?a=1&b=2``        calls a method with texts as keyword arguments
``POST /pyro/NAME/METHOD``               calls a method with what the body holds, see `arguments`
``GET`` or ``POST /pyro/NAME/ATTRIBUTE`` reads an attribute
=======================================  ==============================================================

An answer is the result in JSON, with null for the numbers that JSON does not have. A remote iterator is answered with
one line of JSON for each item (``application/x-ndjson``); an exception in the midst of it is the last line.

==== =======================================================================================================
200  it worked
400  the request makes no sense: arguments that cannot be read, an id that is none
403  the object is not exposed, the key is wrong, or a page of another origin asked
404  there is no such place
405  the method is not for this
413  the body is too large; 415: of no known type; 408: it did not come in time
500  the object raised: the body is the exception in JSON, as Pyro's gateways give it; also for unknown names
502  the name server or the object cannot be reached; 504: not in time
503  too many calls are under way
==== =======================================================================================================

Headers of requests: ``X-Pyro-Gateway-Key``, ``X-Pyro-Options: oneway``, ``X-Pyro-Correlation-Id``; the last one is in
answers too.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import SplitResult, urlsplit
from uuid import UUID, uuid4

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pyronb.config import config
from pyronb.errors import CommunicationError, TimeoutError
from pyronb.gateway.arguments import Arguments, BadRequestError, read_arguments
from pyronb.gateway.objects import Answer, Deadline, Listed, NoNameServerError, Objects, Stream, written
from pyronb.gateway.options import GatewayOptions
from pyronb.gateway.pages import POLICY, index_page, key_page, object_page, trouble_page
from pyronb.gateway.slots import BusyError, Slots, beside
from pyronb.options import ClientOptions
from pyronb.rpc.metadata import Metadata

__all__ = ["Gateway", "make_app"]

log = logging.getLogger("pyronb.gateway")

_JSON = "application/json; charset=utf-8"
_LINES = "application/x-ndjson; charset=utf-8"
_SHOWN_LINES = "text/plain; charset=utf-8"
_CORRELATION = "X-Pyro-Correlation-Id"
_BODY_TIMEOUT = 30.0
"""Seconds within which a body has to be there."""
_GRACE = 1.0
"""Seconds beyond the time-out that are given to what does not know of deadlines, like the resolver of host names."""
_PAGE_TIMEOUT = 3.0
"""Seconds for what the index shows of each object."""
_SUMMARISED = 10
"""How many objects the index asks for their members."""
_START_NS = "Start one with <code>pyronb ns</code>, or name one with <code>pyronb gateway --ns</code>; then reload."


def make_app(options: GatewayOptions | None = None, *, client: ClientOptions | None = None) -> Starlette:
    """Make the gateway as an ASGI application, to be served by itself or mounted into another one.

    Its state has the `Gateway` as ``gateway``. Where it is mounted, call ``gateway.close()`` when the program ends: an
    inner application is not told.

    Args:
        options: what is let through.
        client: how to talk to objects, and where their name server is; what the configuration says by default.
    """
    gateway = Gateway(options or GatewayOptions(), client or config.client_options())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        gateway.close()

    async def to_index(request: Request) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/pyro/", 302)

    app = Starlette(
        routes=[
            Route("/", to_index),
            Route("/pyro", to_index),
            Route("/pyro/{path:path}", gateway),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.gateway = gateway
    return app


class Gateway:
    """Answers the requests below ``/pyro/``; an ASGI application.

    Args:
        options: what is let through.
        client: how to talk to objects, and where their name server is.
    """

    def __init__(self, options: GatewayOptions, client: ClientOptions) -> None:
        self.options = options
        self._client = client
        self._objects = Objects(options, client)
        self._slots = Slots(options.concurrency, options.patience)
        self._origins = {origin.strip() for origin in options.cors.split(",") if origin.strip()}
        self._sweeping: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except BadRequestError as error:
            response = _json_error(error.status, ValueError(str(error)))
        except ClientDisconnect:
            return
        except BusyError as error:
            response = _plain(503, f"{error}; try again in a moment")
            response.headers["Retry-After"] = "1"
        self._finish(request, response)
        await response(scope, receive, send)

    def close(self) -> None:
        """Close all connections to objects, also those on which somebody waits for an answer."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._objects.close()

    # A request

    async def _respond(self, request: Request) -> Response:
        path: str = request.path_params["path"]
        if not self._right_host(request):
            return _plain(403, "the gateway is not known by this name; see --allow-host")
        if request.method == "OPTIONS":
            return PlainTextResponse("200 OK")
        if request.method not in {"GET", "POST"}:
            return _not_allowed("GET, POST, OPTIONS")
        name, _, member = path.rpartition("/")
        page = not path
        if not page and not (name and member):
            return _plain(404, "Not Found; an address is /pyro/NAME/METHOD")
        navigates = page and request.method == "GET"
        if not navigates and not self._same_origin(request):
            return _plain(403, "pages of other origins may not use this gateway; --cors says which may")
        query = request.scope["query_string"].decode("latin-1")
        given = read_arguments(query, request.headers.get("content-type", ""), await self._body(request))
        key = request.headers.get("x-pyro-gateway-key") or given.key
        if not self._right_key(key):
            return HTMLResponse(key_page(wrong=bool(key)), 403) if page else _plain(403, "the gateway's key is wrong")
        if page:
            return await self._page(given.kwargs.get("name"))
        if not self.options.exposes(name):
            return _plain(403, "access to this object is not allowed")
        if self.options.post_only and request.method != "POST" and member != "$meta":
            return _not_allowed("POST, OPTIONS")
        correlation_id = _correlation_id(request)
        response = await self._object(request, name, member, given, correlation_id)
        response.headers[_CORRELATION] = str(correlation_id)
        return response

    async def _object(
        self, request: Request, name: str, member: str, given: Arguments, correlation_id: UUID
    ) -> Response:
        oneway = "oneway" in {word.strip() for word in request.headers.get("x-pyro-options", "").split(",")}
        try:
            if member == "$meta":
                about = await self._in_time(self._objects.metadata, name)
                meta = {"methods": sorted(about.methods), "attributes": sorted(about.attributes)}
                return Response(json.dumps(meta), 200, media_type=_JSON)
            answer = await self._in_time(self._call, name, member, given, oneway, correlation_id)
        except BusyError:
            raise
        except Exception as error:  # noqa: BLE001 - a remote object may raise anything, and it goes to whoever asked
            log.info("%s %s of %r failed: %r", request.method, member, name, error)
            return _json_error(_status(error), error)
        if isinstance(answer, Stream):
            # A browser would save what it has no way to show.
            looks = "text/html" in request.headers.get("accept", "")
            return StreamingResponse(self._lines(answer), media_type=_SHOWN_LINES if looks else _LINES)
        return Response(answer.payload, 500 if answer.failed else 200, media_type=_JSON)

    def _call(
        self, name: str, member: str, given: Arguments, oneway: bool, correlation_id: UUID, deadline: Deadline
    ) -> Answer | Stream:
        return self._objects.call(name, member, given, oneway=oneway, correlation_id=correlation_id, deadline=deadline)

    async def _in_time(self, work: Any, *args: Any, seconds: float | None = None) -> Any:
        """Do blocking work within the time-out."""
        seconds = self.options.timeout if seconds is None else seconds
        deadline = Deadline(seconds)
        try:
            return await asyncio.wait_for(
                self._slots.run(work, *args, deadline), None if seconds is None else seconds + _GRACE
            )
        except asyncio.TimeoutError as error:
            raise TimeoutError("no answer in time") from error

    async def _lines(self, stream: Stream) -> AsyncIterator[bytes]:
        """Pass a far stream on, one line of JSON for each item."""
        left, deadline = self.options.stream_items, Deadline(self.options.stream_timeout)
        try:
            more = True
            while more:
                if left <= 0:
                    raise TimeoutError(f"a stream may have {self.options.stream_items} items here")
                items, more = await self._slots.run(stream.some, left, deadline)
                left -= len(items)
                yield b"".join(item.replace(b"\n", b" ") + b"\n" for item in items)
        except (CommunicationError, BusyError, ValueError) as error:
            yield written(error if isinstance(error, CommunicationError) else RuntimeError(str(error))) + b"\n"
        finally:
            # Whoever reads may be gone, and then nothing can be awaited here.
            beside(stream.close)

    async def _body(self, request: Request) -> bytes:
        """Read the body, no more than is allowed and no longer than it may take."""
        too_large = BadRequestError(413, f"a body may have {self.options.max_body} bytes here")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.options.max_body:
            raise too_large

        async def read() -> bytes:
            body = bytearray()
            async for piece in request.stream():
                body += piece
                if len(body) > self.options.max_body:
                    raise too_large
            return bytes(body)

        try:
            return await asyncio.wait_for(read(), _BODY_TIMEOUT)
        except asyncio.TimeoutError as error:
            raise BadRequestError(408, "the body did not come in time") from error

    # Who may ask

    def _right_host(self, request: Request) -> bool:
        """Tell whether the request was meant for this gateway: a page can point a host name of its own at it."""
        if not self.options.hosts:
            return True
        return _split(f"//{request.headers.get('host', '')}").hostname in self.options.hosts

    def _same_origin(self, request: Request) -> bool:
        """Tell whether this comes from no page at all, from one of the gateway, or from one of an allowed origin."""
        origin = request.headers.get("origin")
        if "*" in self._origins or (origin is not None and origin in self._origins):
            return True
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        return origin is None or _split(origin).netloc == request.headers.get("host")

    def _right_key(self, given: str) -> bool:
        wanted = self.options.key.encode("utf-8", "surrogatepass")
        return not wanted or hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted)

    # Pages

    async def _page(self, name: Any) -> Response:
        try:
            if isinstance(name, str) and name:
                if not self.options.exposes(name):
                    return _plain(403, "access to this object is not allowed")
                about = await self._in_time(self._objects.metadata, name, seconds=_PAGE_TIMEOUT)
                return HTMLResponse(object_page(name, about, self.options.key, post_only=self.options.post_only))
            listed: list[Listed] = await self._in_time(self._objects.exposed, seconds=_PAGE_TIMEOUT)
        except NoNameServerError as error:
            return HTMLResponse(trouble_page(str(error), _START_NS), _status(error))
        except BusyError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a name server or an object does, a person reads it
            log.info("making a page failed: %r", error)
            return HTMLResponse(
                trouble_page(f"{type(error).__name__}: {error}", "Reload to try again."), _status(error)
            )
        asked = [entry.name for entry in listed[:_SUMMARISED]]
        known = dict(zip(asked, await asyncio.gather(*map(self._summary, asked)), strict=True))
        where = self._client.lookup
        place = where.host if where.host.startswith("./u:") else f"{where.host}:{where.port}"
        return HTMLResponse(index_page(listed, known, self.options.expose, place, self.options.key))

    async def _summary(self, name: str) -> Metadata | str:
        try:
            about: Metadata = await self._in_time(self._objects.metadata, name, seconds=_PAGE_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - one object that cannot be asked does not spoil the page
            return f"{type(error).__name__}: {error}"
        return about

    # An answer

    def _finish(self, request: Request, response: Response) -> None:
        """Add what every answer has, and see to it that kept connections are closed some time."""
        headers = response.headers
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Cache-Control"] = "no-store"
        headers["Referrer-Policy"] = "same-origin"
        if isinstance(response, HTMLResponse):
            headers["Content-Security-Policy"] = POLICY
        else:
            self._allow_origin(request, headers)
        if self._sweeping is None:
            self._sweep_later()

    def _allow_origin(self, request: Request, headers: Any) -> None:
        origin = request.headers.get("origin")
        allowed = "*" if "*" in self._origins else origin if origin in self._origins else None
        if self._origins and allowed != "*":
            headers["Vary"] = "Origin"
        if allowed is not None:
            headers["Access-Control-Allow-Origin"] = allowed
            headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            headers["Access-Control-Allow-Headers"] = (
                f"Content-Type, X-Pyro-Gateway-Key, X-Pyro-Options, {_CORRELATION}"
            )
            headers["Access-Control-Expose-Headers"] = _CORRELATION

    def _sweep_later(self) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(self.options.idle / 2, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        if self._objects.sweep():
            self._sweep_later()


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise BadRequestError(400, f"{url!r} is no address") from error


def _correlation_id(request: Request) -> UUID:
    given = request.headers.get("x-pyro-correlation-id")
    try:
        return UUID(given) if given else uuid4()
    except ValueError as error:
        raise BadRequestError(400, f"{_CORRELATION} has to be a UUID") from error


_STATUS: Mapping[type[Exception], int] = {TimeoutError: 504, CommunicationError: 502, NoNameServerError: 502}


def _status(error: Exception) -> int:
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def _json_error(status: int, error: Exception) -> Response:
    return Response(written(error), status, media_type=_JSON)


def _plain(status: int, text: str) -> Response:
    return PlainTextResponse(f"{status} {text}\n", status)


def _not_allowed(allowed: str) -> Response:
    response = _plain(405, "Method Not Allowed")
    response.headers["Allow"] = allowed
    return response
