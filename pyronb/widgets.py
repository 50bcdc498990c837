"""The widgets, under a short name: ``from pyronb.widgets import NameServerBrowser``."""

from __future__ import annotations

try:
    import ipywidgets as _ipywidgets
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise ImportError("pyronb.widgets needs ipywidgets; install it with: pip install ipywidgets") from error

from pyronb.jupyter.widgets.callbacks import CallbackFeed
from pyronb.jupyter.widgets.futures import FutureBoard, FutureView
from pyronb.jupyter.widgets.names import NameServerBrowser
from pyronb.jupyter.widgets.objects import ObjectView
from pyronb.jupyter.widgets.plots import AttributePlot

del _ipywidgets

__all__ = ["AttributePlot", "CallbackFeed", "FutureBoard", "FutureView", "NameServerBrowser", "ObjectView"]
