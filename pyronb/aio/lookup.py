"""Finding objects by name: `locateNS` and `resolve`. (Client chapter, "Object discovery"; S7-S12.)"""

from __future__ import annotations

import asyncio
import dataclasses

from pyronb.aio.driver import run
from pyronb.aio.proxy import Proxy, in_this_room
from pyronb.client.lookup import locate
from pyronb.client.lookup import resolve as resolve_procedure
from pyronb.client.state import key_bytes
from pyronb.config import config
from pyronb.options import ClientOptions
from pyronb.uri import URI

__all__ = ["locateNS", "resolve"]


async def locateNS(
    host: str | None = None,
    port: int | None = None,
    broadcast: bool = True,
    hmac_key: bytes | str | None = None,
    *,
    options: ClientOptions | None = None,
) -> Proxy:
    """Find the name server and give a connected proxy for it.

    Args:
        host: where it runs; ``./u:path`` for a Unix domain socket. Without, it is looked for on this machine (when
            NS_HOST is this machine), then by a broadcast, then at NS_HOST.
        port: its port; NS_PORT of the configuration by default. Without a host it is the port of the broadcast too.
        broadcast: whether to ask the local network (BROADCAST_ADDRS, NS_BCPORT), which takes up to two seconds.
        hmac_key: shared key with which messages are signed, which only protocol 48 (Pyro4) knows.
        options: how to talk, instead of what the configuration says.

    Raises:
        NamingError: there is none; the message says where it was looked for, the cause says why.
    """
    options = in_this_room(options or config.client_options())
    deadline = _deadline(options.connect_timeout)
    host = None if host is None else str(host)  # an address of `ipaddress` will do
    link = await run(locate(options, host, port, deadline, key_bytes(hmac_key), broadcast=broadcast))
    return Proxy._pyro_of(link)


async def resolve(
    uri: str | URI,
    delay_time: float = 0.0,
    hmac_key: bytes | str | None = None,
    *,
    options: ClientOptions | None = None,
) -> URI:
    """Find the direct address that a PYRONAME or PYROMETA address stands for; a direct one is given back.

    Args:
        uri: the address.
        delay_time: seconds to wait for the name to appear.
        hmac_key: as in `locateNS`.
        options: how to talk, instead of what the configuration says.

    Raises:
        NamingError: no name server was found, or it does not know the name or tags.
        PyroError: it is no URI.
    """
    options = options or config.client_options()
    if delay_time:
        options = dataclasses.replace(options, lookup=dataclasses.replace(options.lookup, delay=delay_time))
    limit = options.connect_timeout
    deadline = _deadline(None if limit is None else limit + options.lookup.delay)
    return await run(resolve_procedure(URI(uri), options, deadline, key_bytes(hmac_key)))


def _deadline(seconds: float | None) -> float | None:
    return None if seconds is None else asyncio.get_running_loop().time() + seconds
