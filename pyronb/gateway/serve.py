"""Serving the gateway by itself, with uvicorn."""

from __future__ import annotations

import socket

import uvicorn

from pyronb.gateway.app import make_app
from pyronb.gateway.options import GatewayOptions
from pyronb.options import ClientOptions

__all__ = ["address_of", "make_server"]

_KEEP_ALIVE = 15
"""Seconds that a client may keep an idle connection."""
_MOST_CLIENTS = 1000
"""Most connections, and requests under way, at the same time."""


def make_server(options: GatewayOptions, *, client: ClientOptions | None = None, grace: int = 5) -> uvicorn.Server:
    """Make a server for a gateway; ``run(sockets=[...])`` serves on listening sockets until a signal stops it.

    Args:
        options: what is let through.
        client: how to talk to objects; what the configuration says by default.
        grace: seconds that requests have to end when it is stopped.
    """
    return uvicorn.Server(
        uvicorn.Config(
            make_app(options, client=client),
            lifespan="on",
            ws="none",
            http="h11",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CLIENTS,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=grace,
        )
    )


def address_of(listener: socket.socket) -> str:
    """Give the URL of a listening TCP socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/pyro/"
