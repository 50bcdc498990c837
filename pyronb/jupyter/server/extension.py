"""The extension as the Jupyter server sees it: its settings, and when it begins and ends.

``jupyter_server_config.py`` may hold, for example::

    c.PyronbServer.name_server = "lab-pc:9090"
"""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import CFloat, TraitError, Unicode, default, validate

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
        help="""Address of the name server that is asked: HOST:PORT, HOST, [IPV6]:PORT or ./u:PATH.

        By default that of the environment (PYRO_NS_HOST, PYRO_NS_PORT), else localhost:9090. Empty: none is asked.
        """
    ).tag(config=True)
    timeout = CFloat(2.0, min=0.1, max=60.0, help="Seconds that one question to a name server or object may take.").tag(
        config=True
    )
    cache_seconds = CFloat(
        1.0, min=0.0, max=3600.0, help="Seconds that an answer of the name server serves further requests."
    ).tag(config=True)

    manager: Manager | None = None

    @default("name_server")
    def _default_name_server(self) -> str:
        return str(default_address())

    @validate("name_server")
    def _valid_name_server(self, proposal: dict[str, Any]) -> str:
        text: str = proposal["value"].strip()
        if text:
            try:
                parse_address(text)
            except ValueError as error:
                raise TraitError(f"PyronbServer.name_server: {error}") from None
        return text

    def initialize_handlers(self) -> None:
        """Make the manager and the routes."""
        self.manager = Manager(self.name_server, timeout=self.timeout, cache_seconds=self.cache_seconds)
        self.handlers.extend(routes(self.manager))

    async def stop_extension(self) -> None:
        """Close the manager; the server calls this when it stops."""
        if self.manager is not None:
            await asyncio.get_running_loop().run_in_executor(None, self.manager.close, self.timeout + 1.0)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell the Jupyter server what to load."""
    return [{"module": "pyronb.jupyter.server.extension", "app": PyronbServer}]
