"""Whether a daemon came to harm: it serves a healthy client soon, holds no dead client, and has not grown."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyronb.server.daemon import Daemon
from tests.support.serving import connect
from tests.support.waiting import eventually, scaled

MEGABYTE = 1 << 20

_LIBC = ctypes.CDLL(None)
_STATM = Path("/proc/self/statm")
_M_MMAP_THRESHOLD = -3


def resident() -> int:
    """Bytes of memory that this process uses; always 0 where the system does not tell."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if _STATM.exists() else 0


def return_large_blocks() -> None:
    """Have the allocator give large blocks back to the system, so that what it keeps does not count as growth."""
    if hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_M_MMAP_THRESHOLD, MEGABYTE)


def tidy_up() -> None:
    """Give back what waits for the collector, and what the allocator only keeps for later."""
    gc.collect()
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)


def is_well(daemon: Daemon, **options: Any) -> None:
    """A healthy client is served soon; options are those of the client.

    Soon is within three seconds: writing a few large answers takes a busy machine a while, but whom somebody else holds
    up waits for the limits of the daemon, which are longer.
    """
    began = time.monotonic()
    limits = {"timeout": scaled(5), "connect_timeout": scaled(5)}
    with connect(daemon.uriFor("Pyro.Daemon"), **limits, **options) as proxy:
        assert proxy.ping() is None
    assert time.monotonic() - began < scaled(3)


@contextlib.contextmanager
def has_not_grown(most: int = 24 * MEGABYTE) -> Iterator[None]:
    """The block does not leave this process with so much more memory."""
    before = resident()
    yield
    if resident() - before > most // 6:
        tidy_up()
    grown = resident() - before
    assert grown < most, f"memory grew by {grown / MEGABYTE:.0f} MB"


@contextlib.contextmanager
def unharmed(daemon: Daemon, well: Callable[[Daemon], None] = is_well) -> Iterator[None]:
    """After the block a healthy client is served soon, all clients are gone, and memory has not grown."""
    with has_not_grown():
        yield
        well(daemon)
        eventually(lambda: daemon._engine.clients == 0, what="the last client to be gone")
