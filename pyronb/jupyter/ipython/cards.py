"""Cards: what proxies, addresses and futures look like in a cell, from what they know already."""

from __future__ import annotations

from typing import Any

from pyronb.calls import brief
from pyronb.client.face import ProxyFace
from pyronb.futures import FutureResult
from pyronb.jupyter.describing import object_model
from pyronb.jupyter.ipython.reprs import future_html, object_html, uri_html

__all__ = ["html_of"]


def html_of(thing: Any) -> str:
    """Give the card of a proxy, an address or a future."""
    if isinstance(thing, ProxyFace):
        return _proxy_html(thing)
    return _future_html(thing) if isinstance(thing, FutureResult) else uri_html(str(thing))


def _proxy_html(proxy: Any) -> str:
    link = proxy._pyro
    model = object_model(proxy, str(link.uri.object) if link.uri.protocol == "PYRONAME" else "")
    # Not to be connected is no failure: a proxy connects when it is used.
    model["state"] = "ok"
    return object_html(model, note="" if link.connected else "Not connected; it connects when it is used.")


def _future_html(future: FutureResult) -> str:
    """Show a future in its present state, without waiting."""
    if not future.done():
        return future_html("running" if future.running() else "pending", "")
    if future.cancelled():
        return future_html("cancelled", "")
    error = future.exception()
    if error is not None:
        return future_html("failed", f"{type(error).__name__}: {error}")
    return future_html("done", brief(future.result()))
