"""Checks of arguments: what came over the wire may be anything, and the sender should be told what to send instead."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["choice", "number", "whole"]


def number(name: str, value: object, low: float, high: float, unit: str = "") -> float:
    """Give the number back when it is one, within bounds.

    Raises:
        TypeError: it is no number; True and False are none.
        ValueError: it is out of bounds, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} should be a number, not {type(value).__name__}")
    # One comparison refuses NaN too.
    if not low <= value <= high:
        unit = f" {unit}" if unit else ""
        bounds = f"at least {low:g}{unit}" if math.isinf(high) else f"between {low:g} and {high:g}{unit}"
        raise ValueError(f"{name} should be {bounds}, not {value!r}")
    return float(value)


def whole(name: str, value: object, low: int, high: int | None = None) -> int:
    """Give the whole number back when it is one, within bounds.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} should be a whole number, not {type(value).__name__}")
    if value < low or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{name} should be {bounds}, not {value!r}")
    return value


def choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Give the word back when it is one of these.

    Raises:
        ValueError: it is not.
    """
    words = list(choices)
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{name} should be one of {', '.join(map(repr, words))}, not {value!r}")
    return value
