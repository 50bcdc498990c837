"""Broadcasts from an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from pyronb.net.broadcast import MOST, broadcaster, send

__all__ = ["ask"]

T = TypeVar("T")


async def ask(
    question: bytes,
    addresses: Sequence[str],
    port: int,
    accept: Callable[[bytes], T | None],
    *,
    rounds: int,
    patience: float,
    deadline: float | None = None,
) -> T | None:
    """Send a datagram to all these addresses and give the first answer that is of use; None when none came.

    The arguments are those of `pyronb.net.broadcast.ask`; the deadline is a moment on the loop's clock.
    """
    loop = asyncio.get_running_loop()
    with broadcaster() as sock:
        sock.setblocking(False)
        for _ in range(rounds):
            until = loop.time() + patience if deadline is None else min(loop.time() + patience, deadline)
            # When nobody can be asked at all, nobody will answer.
            if not send(sock, question, addresses, port):
                return None
            while (left := until - loop.time()) > 0:
                try:
                    answer = await asyncio.wait_for(loop.sock_recv(sock, MOST), left)
                except asyncio.TimeoutError:
                    break
                except OSError:
                    continue  # the system tells that somebody was not there
                accepted = accept(answer)
                if accepted is not None:
                    return accepted
    return None
