"""What a contender can do."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import Any

LOCAL = "127.0.0.1"


class Connection:
    """One client's connection; what a contender cannot do it leaves out, and no workload asks it for that."""

    def echo(self, value: Any) -> Any:
        """Send a value there and back."""
        raise NotImplementedError

    def put(self, data: bytes) -> int:
        """Send bytes, and give the length that arrived."""
        raise NotImplementedError

    def get(self, size: int) -> Any:
        """Fetch that many bytes."""
        raise NotImplementedError

    def floats(self, count: int) -> Any:
        """Fetch an array of that many floats, for those who carry arrays."""
        raise NotImplementedError

    def put_frame(self, frame: Any) -> int:
        """Send a table, and give the number of its rows that arrived, for those who carry tables."""
        raise NotImplementedError

    def frame(self, rows: int) -> Any:
        """Fetch a table of that many rows."""
        raise NotImplementedError

    def items(self, count: int) -> Iterable[int]:
        """Iterate over that many numbers which the server makes."""
        raise NotImplementedError

    def batch(self, values: Sequence[Any]) -> list[Any]:
        """Echo all values in one message, if there is such a thing."""
        raise NotImplementedError

    def outstanding(self, values: Sequence[Any]) -> list[Any]:
        """Echo all values without waiting for one before the next is sent."""
        raise NotImplementedError

    def close(self) -> None:
        """Hang up."""


class Peer:
    """A library that takes part."""

    name: str
    needs: str
    """The module without which it cannot."""

    def serve(self, kind: str) -> Any:
        """Serve in threads of its own, and give the address as something that json can carry."""
        raise NotImplementedError

    def connect(self, address: Any, serializer: str) -> Connection:
        """Connect a client."""
        raise NotImplementedError


def table_of(rows: int) -> Any:
    """Make a table of pandas with whole numbers, floats, texts, moments and truth values."""
    numpy, pandas = importlib.import_module("numpy"), importlib.import_module("pandas")
    number = numpy.arange(rows)
    return pandas.DataFrame(
        {
            "number": number,
            "value": number * 0.5,
            "name": pandas.Series([f"row{each % 1000}" for each in range(rows)], dtype="object"),
            "moment": pandas.Timestamp("2024-01-01") + pandas.to_timedelta(number, unit="s"),
            "even": number % 2 == 0,
        }
    )


_TABLES: dict[int, Any] = {}


class Target:
    """What the servers of all libraries serve."""

    def echo(self, value):
        return value

    def put(self, data):
        if hasattr(data, "nbytes"):
            return data.nbytes
        # Serpent carries bytes as a dict with their base64.
        return len(data) if not isinstance(data, dict) else len(data["data"]) * 3 // 4 - data["data"][-2:].count("=")

    def get(self, size):
        return bytes(size)

    def floats(self, count):
        return importlib.import_module("numpy").zeros(count)

    def put_frame(self, frame):
        return len(frame)

    def frame(self, rows):
        # Making it is not what is measured.
        if rows not in _TABLES:
            _TABLES[rows] = table_of(rows)
        return _TABLES[rows]

    def items(self, count):
        yield from range(count)
