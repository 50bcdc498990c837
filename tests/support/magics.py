"""The magics, wherever they are written."""

from __future__ import annotations

import importlib
import pkgutil

from IPython.core.magic import Magics

import pyronb.jupyter.ipython


def magic_classes() -> list[type[Magics]]:
    """Give the classes with magics in them."""
    package = pyronb.jupyter.ipython
    modules = [
        importlib.import_module(each.name) for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    ]
    return sorted(
        {
            each
            for module in modules
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, Magics) and each.__module__ == module.__name__
        },
        key=lambda each: each.__name__,
    )
