"""Remote tracebacks in cells: below the local traceback, and without pyronb's own frames.

IPython lets one see an exception before it is shown in several ways, most of which go by class; but a remote error can
be of any class, also a ValueError. All ways of showing an exception end in `structured_traceback` of one of two
objects, so that is where this is put in. The exception itself and its traceback stay as they are (`%debug`, `%tb`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import CodeType, FrameType, TracebackType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from pyronb.errors import PyroError
from pyronb.jupyter.ipython.interrupts import word_of
from pyronb.jupyter.ipython.style import clean
from pyronb.tracebacks import remote_traceback

__all__ = ["RemoteTracebacks", "remote_lines", "trimmed"]

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)|\x9b[0-?]*[ -/]*[@-~]", re.DOTALL)
_MAX_LINE = 2000
"""Most characters of a line of a remote traceback."""
_MAX_CHAIN = 20
"""Most errors of a chain of causes whose tracebacks are shown."""
_PLUMBING = ("pyronb.", "concurrent.futures.", "asyncio.")
"""Where the frames are that only carry a remote error to whoever asked."""
_SCENES = "pyronb.demo"


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Go from an exception to those that led to it, as a traceback shows them."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen and len(seen) < _MAX_CHAIN:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def remote_lines(error: BaseException) -> list[str]:
    """Give the remote traceback of one exception as clean lines, with a heading; none when there is none."""
    lines = [stripped(line[:_MAX_LINE]).rstrip("\n") for line in remote_traceback(error)]
    if not lines:
        return []
    head = f"The {type(error).__name__} was raised over there; the remote traceback:"
    return ["", head, "", *("    " + part for line in lines for part in line.split("\n"))]


def _remote_lines_of_chain(error: BaseException) -> list[str]:
    """Give the remote tracebacks of an exception and of those that led to it, but each only once.

    The traceback of one that was raised from another over there holds that of the other one.
    """
    lines: list[str] = []
    shown = ""
    for each in chain_of(error):
        text = "".join(remote_traceback(each))
        if text not in shown:
            lines += remote_lines(each)
            shown += text
    return lines


def _without_control(lines: list[str], error: BaseException) -> list[str]:
    """Make the messages of remote errors harmless too; IPython shows them as they are, between its own colours."""
    dirty = {text: stripped(text) for text in (_text_of(e) for e in chain_of(error) if remote_traceback(e))}
    for text, harmless in dirty.items():
        if text != harmless:
            lines = [line.replace(text, harmless) for line in lines]
    return lines


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def stripped(text: str) -> str:
    """Leave out what a terminal would obey: colours and cursor moves vanish, other control characters are shown."""
    return clean(_ANSI.sub("", text))


def trimmed(tb: TracebackType, runner: CodeType, *, plumbing: bool) -> TracebackType:
    """Leave out the frames that say nothing to the user.

    Args:
        tb: the traceback; its first frame is IPython's, which IPython leaves out by itself.
        runner: code that ran the body of a cell magic; all frames up to it are left out.
        plumbing: whether pyronb's own frames are left out, and those of Python's futures.

    Returns:
        A new traceback, or the same when nothing would be left.
    """
    frames = list(_frames(tb))
    kept = frames[1:]
    at = next((i for i, entry in enumerate(kept) if entry.tb_frame.f_code is runner), None)
    if at is not None:
        kept = kept[at + 1 :]
    if plumbing or at is not None:
        kept = [entry for entry in kept if not _is_plumbing(entry.tb_frame)]
    if not kept or len(kept) == len(frames) - 1:
        return tb
    new: TracebackType | None = None
    for entry in reversed([frames[0], *kept]):
        new = TracebackType(new, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return new or tb


def is_ours(error: BaseException, tb: object) -> bool:
    """Tell whether pyronb itself raised this, about a peer or a name: then its message says it all."""
    if not isinstance(tb, TracebackType):
        return False
    *_, last = _frames(tb)
    told = error.__cause__ is None or isinstance(error.__cause__, PyroError | OSError)
    return _is_plumbing(last.tb_frame) and isinstance(error, PyroError | AttributeError) and told


@contextmanager
def _without_causes(handler: Any) -> Iterator[None]:
    """Have a handler show an exception alone: the causes of our own errors are steps on the way to their message."""
    name = "get_parts_of_chained_exception"
    if not hasattr(handler, name):
        yield
        return
    setattr(handler, name, lambda _: None)
    try:
        yield
    finally:
        delattr(handler, name)


def _frames(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _is_plumbing(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__")
    return isinstance(module, str) and module.startswith(_PLUMBING) and not module.startswith(_SCENES)


class RemoteTracebacks:
    """Shows remote tracebacks in one shell, from `install` to `remove`."""

    def __init__(self, shell: InteractiveShell, runner: CodeType) -> None:
        """Prepare for this shell; `runner` as in `trimmed`."""
        self._runner = runner
        self._handlers: list[Any] = [shell.InteractiveTB, shell.SyntaxTB]
        self._installed: list[tuple[Any, Callable[..., list[str]]]] = []
        self._active = False
        self._within = False

    def install(self) -> None:
        """Begin to show remote tracebacks."""
        self._active = True
        for handler in self._handlers:
            extended = self._extend(handler, handler.structured_traceback)
            handler.structured_traceback = extended
            self._installed.append((handler, extended))

    def remove(self) -> None:
        """Stop; where somebody else has wrapped what was installed, it stays but does nothing any more."""
        self._active = False
        for handler, extended in self._installed:
            if vars(handler).get("structured_traceback") is extended:
                del handler.structured_traceback
        self._installed.clear()

    def _extend(self, handler: Any, original: Callable[..., list[str]]) -> Callable[..., list[str]]:
        def structured_traceback(
            etype: Any = None, evalue: Any = None, etb: Any = None, *args: Any, **kwargs: Any
        ) -> list[str]:
            # IPython comes back here for the exceptions of a chain, and the chain is done already.
            if not self._active or self._within or not isinstance(evalue, BaseException):
                return original(etype, evalue, etb, *args, **kwargs)
            word = word_of(evalue)
            if word:
                # Where the plumbing was interrupted says nothing to the user.
                return [f"{type(evalue).__name__}: {stripped(word)}"]
            self._within = True
            try:
                remote = _remote_lines_of_chain(evalue)
                shown = etb
                ours = is_ours(evalue, etb)
                if isinstance(etb, TracebackType):
                    shown = trimmed(etb, self._runner, plumbing=bool(remote_traceback(evalue)) or ours)
                with _without_causes(handler) if ours else nullcontext():
                    lines = original(etype, evalue, shown, *args, **kwargs)
                if remote:
                    lines = _without_control(lines, evalue)
            finally:
                self._within = False
                if hasattr(handler, "tb"):
                    handler.tb = etb
            if getattr(handler, "mode", "") == "Minimal":
                return lines
            return [*lines, *remote]

        return structured_traceback
