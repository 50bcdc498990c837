"""What is typed into the search fields of the views."""

from __future__ import annotations

import fnmatch

__all__ = ["fits"]


def fits(query: str, *texts: str) -> bool:
    """Tell whether one of the texts has what was typed as a part, or is like a pattern with ``*`` and ``?``."""
    wanted = query.strip().casefold()
    if any(sign in wanted for sign in "*?["):
        return any(fnmatch.fnmatchcase(text.casefold(), wanted) for text in texts)
    return any(wanted in text.casefold() for text in texts)
