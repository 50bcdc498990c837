"""numpy's arrays as a description and their memory, and back. Loaded when the first array travels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib import format as npy

from pyronb.errors import SerializeError
from pyronb.serializers.base import Buffer

__all__ = ["from_parts", "to_parts"]


def to_parts(array: np.ndarray[Any, Any]) -> tuple[Any, tuple[int, ...], str, Buffer]:
    """Give the type, shape, order (C or F) and memory of an array; the memory is the array's own where it is whole.

    Raises:
        SerializeError: there are Python objects in it, or it has parts that are no memory.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise SerializeError("a masked array has no form here: send its data and its mask, or array.filled()")
    if array.dtype.hasobject:
        raise SerializeError(
            f"an array of type {array.dtype} holds Python objects; convert it with astype, or send array.tolist()"
        )
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    whole = np.ascontiguousarray(array.T if order == "F" else array)
    memory = whole.reshape(-1).view(np.uint8).data if whole.nbytes else b""
    return npy.dtype_to_descr(array.dtype), array.shape, order, memory


def from_parts(description: Any, shape: Any, order: Any, memory: Callable[[int], memoryview]) -> np.ndarray[Any, Any]:
    """Make an array of its parts. It lies in the memory that is given, if that can be written to; else in a copy.

    Args:
        description: the type, as files of numpy have it.
        shape: the shape.
        order: C or F.
        memory: gives the memory, of so many bytes.

    Raises:
        SerializeError: the parts do not fit together.
    """
    try:
        dtype = npy.descr_to_dtype(description)
    except (TypeError, ValueError) as error:
        raise SerializeError(f"an array has a type that numpy does not know: {error}") from error
    if dtype.hasobject:
        raise SerializeError("an array of Python objects is not read")
    if not dtype.itemsize and dtype.kind in "SU":
        # Numpy would take it for a size that it may choose.
        raise SerializeError("an array of texts has no size of a text")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or order not in ("C", "F"):
        raise SerializeError("an array has no proper shape")
    size = math.prod(shape) * dtype.itemsize
    if not size:
        return np.empty(shape, dtype, order=order)
    flat = np.frombuffer(memory(size), np.uint8)
    if not flat.flags.writeable or flat.ctypes.data % dtype.alignment:
        flat = flat.copy()
    return flat.view(dtype).reshape(shape, order=order)
