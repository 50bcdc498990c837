"""Functions as arguments, and proxies for functions of others: what makes them callable is loaded with the first.

It is part of the server's floor, which a program that only calls has no other need of.
"""

from __future__ import annotations

import functools
import importlib
import types
from typing import Any

from pyronb.serializers.hooks import SPEAKER, Hooks

__all__ = ["FUNCTIONS", "register_functions", "relayed"]

FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)
"""The classes of what can be called, and says nothing by its attributes."""


def _instead(function: Any) -> Any:
    """Give what travels in the place of a function."""
    return importlib.import_module("pyronb.server.references").function_instead(function, SPEAKER.get())


def relayed(proxy: Any) -> Any:
    """Give what travels in the place of a proxy; None for itself, as of all that can be reached from elsewhere too."""
    link = proxy._pyro
    if link.hold is None:
        return None
    return importlib.import_module("pyronb.server.references").relay_instead(link, SPEAKER.get())


def register_functions(hooks: Hooks) -> None:
    """Have functions travel as proxies where they are arguments of a call."""
    for kind in FUNCTIONS:
        hooks.register_substitute(kind, _instead)
