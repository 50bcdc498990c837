"""The extension as the Jupyter server sees it: its settings, and when it begins and ends.

``jupyter_server_config.py`` may hold, for example::

    c.PyronbServer.name_server = "lab-pc:9090"
    c.PyronbServer.name_servers = ["test-pc:9090"]
    c.PyronbServer.read_only = True
"""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, CFloat, List, TraitError, Unicode, default, validate

from pyronb.jupyter.addresses import default_address, parse_address
from pyronb.jupyter.server.handlers import routes
from pyronb.jupyter.server.manager import Manager

__all__ = ["PyronbServer"]


class PyronbServer(ExtensionApp):
    """Shows the objects of a Pyro name server in JupyterLab."""

    name = "pyronb"
    description = "Shows the objects of a Pyro name server in JupyterLab."
    load_other_extensions = True

    name_server = Unicode(
        help="""Address of the name server to begin with: HOST:PORT, HOST, [IPV6]:PORT or ./u:PATH.

        By default that of the environment (PYRO_NS_HOST, PYRO_NS_PORT), else localhost:9090. Empty: there is none.
        """
    ).tag(config=True)
    name_servers = List(Unicode(), help="Addresses of further name servers that can be chosen.").tag(config=True)
    may_add = Bool(
        True, help="Whether users may add name servers that are not in the configuration; this server connects to them."
    ).tag(config=True)
    read_only = Bool(
        False, help="Whether users may only look: remove no names, and neither start nor stop a name server."
    ).tag(config=True)
    timeout = CFloat(2.0, min=0.1, max=60.0, help="Seconds that one question to a name server or object may take.").tag(
        config=True
    )
    interval = CFloat(
        2.0,
        min=0.1,
        max=3600.0,
        help="""Least seconds between two looks at a name server that does not tell of changes by itself.

        Those of pyronb do, and are not asked again and again.
        """,
    ).tag(config=True)

    manager: Manager | None = None

    @default("name_server")
    def _default_name_server(self) -> str:
        return str(default_address())

    @validate("name_server")
    def _valid_name_server(self, proposal: dict[str, Any]) -> str:
        return _checked("name_server", proposal["value"])

    @validate("name_servers")
    def _valid_name_servers(self, proposal: dict[str, Any]) -> list[str]:
        return [_checked("name_servers", text) for text in proposal["value"]]

    def initialize_handlers(self) -> None:
        """Make the manager and the routes."""
        self.manager = Manager(
            filter(None, [self.name_server, *self.name_servers]),
            timeout=self.timeout,
            interval=self.interval,
            read_only=self.read_only,
            may_add=self.may_add,
        )
        self.handlers.extend(routes(self.manager))

    async def stop_extension(self) -> None:
        """Close the manager; the server calls this when it stops."""
        if self.manager is not None:
            await asyncio.get_running_loop().run_in_executor(None, self.manager.close, self.timeout + 1.0)


def _checked(trait: str, text: str) -> str:
    """Give the text of an address without the space around it."""
    text = text.strip()
    if text:
        try:
            parse_address(text)
        except ValueError as error:
            raise TraitError(f"PyronbServer.{trait}: {error}") from None
    return text


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell the Jupyter server what to load."""
    return [{"module": "pyronb.jupyter.server.extension", "app": PyronbServer}]
