"""How an error is shown in a live view: in one line, with the whole traceback folded below it."""

from __future__ import annotations

from html import escape

from pyronb.jupyter.ipython.style import shorten
from pyronb.jupyter.ipython.tracebacks import stripped
from pyronb.tracebacks import format_traceback, remote_traceback

__all__ = ["error_line", "failure_html"]

_MOST = 20_000
"""Most characters of a traceback that are shown; its end says what went wrong."""


def error_line(error: BaseException) -> str:
    """Show an error in one line; a broken message must not break the view."""
    try:
        return shorten(f"{type(error).__name__}: {stripped(str(error))}")
    except Exception:
        return type(error).__name__


def failure_html(error: BaseException) -> str:
    """Show an error as its line; the traceback, that of the far side if there is one, is folded below it."""
    remote = remote_traceback(error)
    try:
        text = stripped("".join(remote or format_traceback(error)))
    except Exception:
        text = ""
    if len(text) > _MOST:
        text = "…" + text[-_MOST:]
    line = f'<span class="pyronb-bad">{escape(error_line(error))}</span>'
    if not text:
        return f"<div>{line}</div>"
    title = "Traceback of the far side" if remote else "Traceback"
    return f"<details><summary>{line}</summary><div>{title}</div><pre>{escape(text)}</pre></details>"
