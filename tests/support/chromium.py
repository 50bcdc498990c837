"""Where the browser is. Only a browser of the system is used: none is ever downloaded."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")

# Quiet (no request to any other host), and able to start as root and in a container's small /dev/shm.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def find_chromium() -> str | None:
    """Path of a chromium, from PYRONB_CHROMIUM or PATH; None when there is none."""
    named = os.environ.get("PYRONB_CHROMIUM")
    if named:
        return named
    return next((path for name in NAMES if (path := shutil.which(name))), None)
