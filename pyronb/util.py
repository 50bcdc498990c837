"""A side door with the module name that Pyro4 gave these."""

from __future__ import annotations

from pyronb.serializers.base import SerializerBase
from pyronb.tracebacks import excepthook, getPyroTraceback

__all__ = ["SerializerBase", "excepthook", "getPyroTraceback"]
