"""The cloudpickle serializer: pickle, and the functions and classes of a notebook by their code."""

from __future__ import annotations

from typing import Any, ClassVar

import cloudpickle

from pyronb.serializers.pickle import PickleSerializer, PickleWriter

__all__ = ["CloudpickleSerializer"]


class _Writer(PickleWriter, cloudpickle.Pickler):  # type: ignore[misc]  # the package has no types
    pass


class CloudpickleSerializer(PickleSerializer):
    """Writes cloudpickle's pickles for one dialect; they are read as any other."""

    name = "cloudpickle"
    writer: ClassVar[Any] = _Writer
