"""Background: run something in a thread of its own and give its future."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pyronb.futures import FutureResult

__all__ = ["in_background"]


def in_background(work: Callable[[], Any], name: str, future: FutureResult | None = None) -> FutureResult:
    """Run this in a thread of its own, and give its future; the thread does not keep the program alive."""
    future = future or FutureResult()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the future
            future.set_exception(error)

    threading.Thread(target=run, name=f"pyronb-{name}", daemon=True).start()
    return future
