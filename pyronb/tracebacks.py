"""Remote tracebacks: how one is written where an exception is raised, and read where it arrives.

A remote traceback travels as a list of lines in the attribute ``_pyroTraceback`` of the exception
(wire specification, section 14). Each line ends in a newline.
"""

from __future__ import annotations

import linecache
import sys
import traceback
from types import TracebackType

__all__ = ["excepthook", "format_traceback", "getPyroTraceback", "remote_traceback"]

_MAX_LINES = 2000
"""Most lines of a remote traceback."""
_MAX_VALUE = 120
"""Most characters of the value of a variable."""


def remote_traceback(error: BaseException) -> list[str]:
    """Give the remote traceback that came with an exception; an empty list when there is none.

    The text comes from the peer: whatever is not a list of lines is left out rather than trusted.
    """
    lines = getattr(error, "_pyroTraceback", None)
    if not isinstance(lines, list | tuple):
        return []
    return [line for line in lines[:_MAX_LINES] if isinstance(line, str)]


def format_traceback(error: BaseException, *, detailed: bool = False, chain: bool = True) -> list[str]:
    """Write the traceback of an exception as lines, each ending in a newline.

    Args:
        error: the exception, with its traceback on it.
        detailed: show the local variables of each frame as well.
        chain: show also what it was raised from, or during.

    Returns:
        The lines; the remote traceback of an exception that itself came from another peer is kept at the end.
    """
    if detailed:
        lines = _detailed(error)
    else:
        lines = traceback.format_exception(type(error), error, error.__traceback__, chain=chain)
    lines = [part + "\n" for line in lines for part in line.splitlines()]
    remote = remote_traceback(error)
    if remote:
        lines += [" +--- This exception occurred remotely; the remote traceback is:\n"]
        lines += [" | " + line for line in remote]
        lines += [" +--- End of the remote traceback\n"]
    return lines


def getPyroTraceback(
    ex_type: type[BaseException] | BaseException | None = None,
    ex_value: BaseException | None = None,
    ex_tb: TracebackType | None = None,
) -> list[str]:
    """Give the traceback of an exception with its remote part, as lines. (S84.)

    Without arguments the exception that is being handled is taken. One exception alone, or the three values of
    ``sys.exc_info()``, may be given.

    Args:
        ex_type: the class of the exception, or the exception.
        ex_value: the exception, after its class.
        ex_tb: its traceback; the exception's own by default.

    Returns:
        The lines, each ending in a newline.

    Raises:
        ValueError: no exception was given and none is being handled.
    """
    error = ex_type if isinstance(ex_type, BaseException) else ex_value
    if error is None:
        error = sys.exc_info()[1]
    if error is None:
        raise ValueError("no exception was given and none is being handled")
    return format_traceback(error.with_traceback(ex_tb) if ex_tb is not None else error)


def excepthook(ex_type: type[BaseException], ex_value: BaseException, ex_tb: TracebackType | None) -> None:
    """Print an exception with its remote traceback; made to be assigned to ``sys.excepthook``. (S84.)"""
    sys.stderr.write("".join(getPyroTraceback(ex_type, ex_value, ex_tb)))


def _detailed(error: BaseException) -> list[str]:
    """Write the traceback with the local variables of each frame."""
    lines = [f"{type(error).__name__}: the variables of each frame, outermost first\n"]
    walk = error.__traceback__
    while walk is not None:
        frame, number = walk.tb_frame, walk.tb_lineno
        code = frame.f_code
        lines.append(f'  File "{code.co_filename}", line {number}, in {code.co_name}\n')
        source = linecache.getline(code.co_filename, number, frame.f_globals).strip()
        if source:
            lines.append(f"    {source}\n")
        lines += [f"      {name} = {_short(value)}\n" for name, value in frame.f_locals.items()]
        walk = walk.tb_next
    return lines + traceback.format_exception_only(type(error), error)


def _short(value: object) -> str:
    """Show a value in one line; a broken `repr` must not hide the exception that is being shown."""
    try:
        text = repr(value)
    except Exception as broken:  # noqa: BLE001 - any object may be met here
        text = f"<{type(value).__name__}; its repr raised {type(broken).__name__}>"
    return text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…"
