"""Where pyronb's log goes. (Feature inventory B6: LOGLEVEL, LOGFILE.)

Without these settings it is left to the program, as with any library: nothing is printed unless the program asks for
it. With a level set, pyronb writes a log of its own, for programs that nobody wants to change.
"""

from __future__ import annotations

import logging

__all__ = ["log_to"]

STDERR = "{stderr}"
"""Stands for the terminal."""

_FORMAT = "[%(asctime)s,%(name)s,%(levelname)s] %(message)s"


def log_to(level: str, file: str) -> logging.Handler:
    """Have pyronb's log written from now on, and give the handler that writes it.

    Args:
        level: name of the lowest level that is written; empty writes nothing.
        file: path of the file, to the end of which it is written; ``{stderr}`` for the terminal. A file that cannot be
            written is complained of in the terminal, where the log then goes.
    """
    log = logging.getLogger("pyronb")
    if not level:
        handler: logging.Handler = logging.NullHandler()
        log.addHandler(handler)
        return handler
    trouble: OSError | None = None
    try:
        handler = (
            logging.StreamHandler() if file == STDERR else logging.FileHandler(file, encoding="utf-8", delay=False)
        )
    except OSError as error:
        handler, trouble = logging.StreamHandler(), error
    handler.setFormatter(logging.Formatter(_FORMAT))
    log.addHandler(handler)
    log.setLevel(level.upper())
    if trouble is not None:
        log.warning("the log goes to the terminal: LOGFILE=%s cannot be written: %s", file, trouble)
    return handler
