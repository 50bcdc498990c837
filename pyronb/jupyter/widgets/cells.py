"""Which cell made which view: running a cell again closes the views that it made before."""

from __future__ import annotations

import weakref
from typing import Any

from IPython.core.getipython import get_ipython

__all__ = ["replace_in_cell", "variable_of", "where"]

_in_cells: dict[str, tuple[str, list[weakref.ref[Any]]]] = {}
"""The views that each cell made, and in which run of the cell."""


def replace_in_cell(view: Any) -> None:
    """Close the views that an earlier run of this cell made; outside of cells do nothing."""
    cell, run = where()
    if not cell:
        return
    before, views = _in_cells.get(cell, ("", []))
    if before != run:
        for made in views:
            old = made()
            if old is not None:
                old.close()
        views = []
    _in_cells[cell] = (run, [*views, weakref.ref(view)])


def where() -> tuple[str, str]:
    """Tell which cell runs, and in which run of it; a cell without an id is known by its text."""
    shell = get_ipython()
    if shell is None:
        return "", ""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    run = str(parent.get("header", {}).get("msg_id") or shell.execution_count)
    cell = parent.get("metadata", {}).get("cellId")
    texts = shell.user_ns.get("In") or [""]
    return str(cell or f"text {texts[-1]}"), run


def variable_of(value: object, default: str) -> str:
    """Give the name under which the user's cells know this very object, or else the default."""
    shell = get_ipython()
    names = list(shell.user_ns.items()) if shell is not None else []
    return next((name for name, known in names if known is value and not name.startswith("_")), default)
