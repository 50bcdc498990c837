"""Asking: what all questions to daemons have in common that are asked in the event loop of the server extension."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from pyronb import errors
from pyronb.aio.proxy import Proxy
from pyronb.jupyter.describing import clip
from pyronb.jupyter.runtime import bounded_options
from pyronb.options import ClientOptions

__all__ = ["clock", "in_time", "options_within", "peer_of"]

T = TypeVar("T")

_PART = 0.9
"""What a proxy may use of the time for a question, so that it tells by itself what has failed."""
_MOST_OF_PEER = 200
"""Most characters of who answered."""


def clock() -> float:
    """Tell the moment on the clock of the loop."""
    return asyncio.get_running_loop().time()


async def in_time(asking: Awaitable[T], seconds: float) -> T:
    """Wait for an answer.

    Raises:
        TimeoutError: none came in so many seconds.
    """
    try:
        return await asyncio.wait_for(asking, seconds)
    except asyncio.TimeoutError as error:
        raise errors.TimeoutError("no answer in time") from error


def options_within(seconds: float) -> ClientOptions:
    """Give the options for a question that may take so many seconds."""
    return bounded_options(seconds * _PART)


def peer_of(proxy: Proxy) -> str:
    """Tell who serves an object, in words that are not too many; empty before it was connected to."""
    return clip(proxy._pyro.peer, _MOST_OF_PEER)
