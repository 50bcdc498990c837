"""Run the tutorials anew and keep what comes out: `python -m tests.tutorials [FILE...]`. `make notebooks` compares it.

What says the same as before, but for addresses and times, stays as it was, so that a run changes only what changed; and
so does what is not compared, unless asked for with `--fresh`.
"""

from __future__ import annotations

import configparser
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.support.paths import ROOT

NOTEBOOKS = ROOT / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    # Without versions; the lexer is what knows magics.
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


def sanitizer(path: Path) -> Callable[[str], str]:
    """Read what differs from run to run, as nbval does."""
    parser = configparser.RawConfigParser()
    parser.read(path)
    rules = [(re.compile(parser[name]["regex"]), parser[name]["replace"]) for name in parser.sections()]

    def sanitize(text: str) -> str:
        for pattern, replacement in rules:
            text = pattern.sub(replacement, text)
        return text

    return sanitize


def run(path: Path, sanitize: Callable[[str], str], *, fresh: bool) -> bool:
    """Run one notebook in its place, and tell whether anything changed."""
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    old = {cell.id: list(cell.get("outputs", ())) for cell in notebook.cells}
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}
    ).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key != "execution"}
        if cell.cell_type == "code":
            ignored = "nbval-ignore-output" in cell.metadata.get("tags", ()) and old[cell.id] and not fresh
            cell.outputs = _joined(cell.outputs)
            for output in cell.outputs:
                if output.output_type == "error":
                    output.traceback = [_anywhere(line) for line in output.traceback]
            same = _compared(old[cell.id], sanitize) == _compared(cell.outputs, sanitize)
            if ignored or same:
                cell.outputs = [_counted(output, cell.execution_count) for output in old[cell.id]]
    nbformat.validate(notebook)
    after = nbformat.writes(notebook) + "\n"
    path.write_text(after, encoding="utf-8")
    return before != after


def _joined(outputs: Sequence[Any]) -> list[Any]:
    """Put together what was printed one after the other; in how many pieces it comes is chance."""
    joined: list[Any] = []
    for output in outputs:
        if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _compared(outputs: Sequence[Any], sanitize: Callable[[str], str]) -> str:
    """Give what is kept: what nbval looks at, and tracebacks."""
    shown = []
    for output in outputs:
        data = {kind: text for kind, text in output.get("data", {}).items() if not kind.endswith("widget-view+json")}
        rest = {key: output.get(key) for key in ("output_type", "name", "text", "ename", "evalue", "traceback")}
        shown.append([rest, data])
    return sanitize(json.dumps(shown, sort_keys=True))


def _anywhere(traceback: str) -> str:
    """Leave out where on this machine a file is."""
    return re.sub(r"/tmp/ipykernel_\d+/\d+\.py", "cell.py", traceback.replace(f"{ROOT}/", ""))


def _counted(output: Any, count: int) -> Any:
    if output.output_type == "execute_result":
        output.execution_count = count
    return output


def main(words: Sequence[str]) -> None:
    """Run these notebooks, or all."""
    sanitize = sanitizer(NOTEBOOKS / "sanitize.cfg")
    fresh, files = "--fresh" in words, [Path(word) for word in words if word != "--fresh"]
    for path in files or sorted(NOTEBOOKS.glob("*.ipynb")):
        began = time.monotonic()
        changed = run(path, sanitize, fresh=fresh)
        print(f"{path.name:<32} {time.monotonic() - began:5.1f} s  {'changed' if changed else 'as it was'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
