"""How lists are shown in a cell: what is open, what is served, settings. Pure functions, escaped as in `reprs.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from pyronb.jupyter.ipython.style import block, clean, code, muted, shorten, table, text_table

__all__ = ["Cell", "Kind", "Section", "sections_html", "sections_text"]

Kind = Literal["plain", "code", "muted", "good", "bad"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: its text, and what kind of text that is."""

    text: str
    kind: Kind = "plain"

    def html(self) -> str:
        """Give it as HTML."""
        shown = shorten(self.text, 400)
        if self.kind == "code":
            return code(shown)
        if self.kind == "muted":
            return muted(shown)
        if self.kind in ("good", "bad"):
            return f'<span class="pyronb-{self.kind}">● {escape(shown)}</span>'
        return escape(shown)


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a title.

    Attributes:
        title: what it is about.
        heads: the names of the columns.
        rows: the cells.
        note: a sentence that goes with it; it stands for the rows when there are none.
    """

    title: str
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    note: str = ""


def sections_text(sections: Sequence[Section]) -> str:
    """Show tables as plain text."""
    lines: list[str] = []
    for section in sections:
        note = f": {clean(section.note)}" if section.note else ""
        lines.append(f"{clean(section.title)}{note}")
        lines += text_table([[shorten(cell.text) for cell in row] for row in section.rows])
    return "\n".join(lines)


def sections_html(kind: str, sections: Sequence[Section]) -> str:
    """Show tables; `kind` becomes a class to select the view by."""
    parts: list[str] = []
    for section in sections:
        title = f'<span class="pyronb-title">{escape(clean(section.title))}</span>'
        parts.append(f'<div class="pyronb-head">{title}{muted(section.note) if section.note else ""}</div>')
        if section.rows:
            parts.append(table(list(section.heads), [[cell.html() for cell in row] for row in section.rows]))
    return block(kind, *parts)
