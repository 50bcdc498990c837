"""The magic `%pyro_calls`: the remote calls of this notebook, recorded while it is on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class

from pyronb.calls import CallRecord, Recording
from pyronb.jupyter.ipython.connect import check_variable
from pyronb.jupyter.ipython.views import Cell, Kind, Section, sections_html, sections_text
from pyronb.jupyter.ipython.words import arguments, parse, show

__all__ = ["CallMagics"]

_WORDS = ("on", "off", "show", "clear", "save")
_SHOWN = 50
_HEADS = ["Time", "Object", "Call", "Outcome", "Took", "Sent", "Received", "Result"]
_TONES: dict[str, Kind] = {"returned": "good", "streams": "good", "raised": "bad", "failed": "bad"}


@magics_class
class CallMagics(Magics):
    """The magic for recorded calls."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, recording: Recording, changed: Callable[[], None]) -> None:
        """Switch and show this recording; `changed` is told when it was switched or cleared."""
        super().__init__(shell)
        self._recording = recording
        self._changed = changed

    @arguments.magic_arguments()
    @arguments.argument("words", nargs="*", metavar="on|off|show|clear|save FILE", help="what to do; show without it")
    @arguments.argument("--last", metavar="N", type=int, default=_SHOWN, help=f"most calls to show (default: {_SHOWN})")
    @arguments.argument("--out", "-o", metavar="NAME", help="variable for the recording, which is used like a list")
    @line_magic
    def pyro_calls(self, line: str) -> None:
        """Record the remote calls of this notebook, and show them: when, what, how long, how large, what came of it.

        It is off until it is switched on, and then costs nothing. The panel of JupyterLab shows the same calls::

            %pyro_calls on
            %pyro_calls
            %pyro_calls --last 10 -o calls
            %pyro_calls save calls.json
            %pyro_calls off
        """
        __tracebackhide__ = True
        args = parse(self.pyro_calls, line, "%pyro_calls on")
        word, *more = args.words or ["show"]
        if word not in _WORDS or len(more) != (word == "save"):
            raise UsageError(f"%pyro_calls takes one of {', '.join(_WORDS)} FILE, not: {' '.join(args.words)}")
        out = "" if args.out is None else check_variable(args.out, "-o")
        if word == "on":
            self._recording.start()
        elif word == "off":
            self._recording.stop()
        elif word == "clear":
            self._recording.clear()
        elif word == "save":
            self._save(more[0])
        if out:
            self.shell.user_ns[out] = self._recording
        if word == "show" and not out:
            section = self._section(args.last)
            show(sections_text([section]), sections_html("calls", [section]))
        self._changed()

    def _save(self, file: str) -> None:
        try:
            Path(file).write_text(self._recording.to_json(), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror or error}") from None
        count = len(self._recording)
        print(f"{count} call{'' if count == 1 else 's'} written to {file}.")  # noqa: T201 - a magic prints

    def _section(self, last: int) -> Section:
        recording = self._recording
        made = recording[-last:] if last > 0 else []
        note = f"{recording.total} recorded, {'on' if recording.on else 'off'}"
        if len(made) < recording.total:
            note += f"; the last {len(made)} are shown"
        if not recording.on and not recording.total:
            note = "off; switch it on with %pyro_calls on"
        return Section("Calls", _HEADS, [_row(each) for each in made], note)


def _row(made: CallRecord) -> list[Cell]:
    clock = time.strftime("%H:%M:%S", time.localtime(made.began)) + f".{int(made.began * 1000) % 1000:03}"
    took = "" if made.duration is None else f"{made.duration * 1000:.1f} ms"
    return [
        Cell(clock, "muted"),
        Cell(made.object_id or made.uri),
        Cell(made.code.removeprefix("."), "code"),
        Cell(made.outcome, _TONES.get(made.outcome, "muted")),
        Cell(took),
        Cell(str(made.sent), "muted"),
        Cell(str(made.received), "muted"),
        Cell(made.error or made.result, "plain" if made.error else "code"),
    ]
