"""The dill serializer: pickle, and functions, classes and modules besides. (S25.)"""

from __future__ import annotations

from typing import Any, ClassVar

import dill

from pyronb.options import WireOptions
from pyronb.serializers.pickle import PickleReader, PickleSerializer, PickleWriter

__all__ = ["DillSerializer"]


class _Writer(PickleWriter, dill.Pickler):  # type: ignore[misc]  # the package has no types
    pass


class _Reader(PickleReader, dill.Unpickler):  # type: ignore[misc]  # the package has no types
    pass


class DillSerializer(PickleSerializer):
    """Writes and reads dill's pickles for one dialect."""

    name = "dill"
    writer: ClassVar[Any] = _Writer
    reader: ClassVar[Any] = _Reader

    @staticmethod
    def protocol_of(options: WireOptions) -> int:
        """Tell which version of the format is written. (S27.)"""
        return options.dill_protocol
