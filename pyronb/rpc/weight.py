"""About how much memory items of a stream take, as far as that is quickly told.

Both ends ask: who gives items stops where they are heavy, and who gets few of them learns that this was why.
"""

from __future__ import annotations

import math
from typing import Any

from pyronb.options import WireOptions

__all__ = ["HEAVY", "heavy_for", "weight"]

HEAVY = 4 << 20
"""Bytes of the items of one answer at most, but for the last of them."""
_PARTS = 4
"""Part of the largest message that items may fill before the last one, whose form on the wire may be larger."""


def heavy_for(options: WireOptions) -> int:
    """Give the bytes from which on items are given without waiting for more."""
    limit = options.max_message_size
    return min(HEAVY, limit // _PARTS) if limit else HEAVY


_SMALL = 8
_FEW = 16
_TABLES = ("pandas", "polars")
"""Packages whose tables tell their shape, and their size only after a search."""


def weight(item: Any) -> int:
    """Tell about how many bytes an item holds."""
    kind = type(item)
    if kind is str or kind is bytes or kind is bytearray:
        return len(item)
    if kind is list or kind is tuple or kind is dict:
        values = item.values() if kind is dict else item
        if len(item) <= _FEW:
            return sum(map(weight, values))
        return len(item) * (_SMALL + weight(next(iter(values))))
    size = getattr(item, "nbytes", None)
    if size is None and type(item).__module__.partition(".")[0] in _TABLES:
        size = _SMALL * math.prod(item.shape)
    return size if type(size) is int else _SMALL
