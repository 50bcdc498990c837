"""Bytes of a real Pyro5 or Pyro4: writes every case with every safe serializer, as JSON of hexadecimal digits.

`python tests/interop/peers/golden.py Pyro5 > tests/golden/pyro5.json`, and likewise for Pyro4.
"""

import collections
import datetime as dt
import decimal
import json
import math
import sys
import uuid
import warnings
from functools import partial
from types import SimpleNamespace


class Away:
    """Of a class that only one side knows."""

    __module__ = "far.away"

    def __init__(self):
        self.a, self.b = 1, "x"


class AwayError(Exception):
    """Of a class that only one side knows."""

    __module__ = "far.away"


def with_traceback(error):
    """Give an exception as a daemon sends it."""
    error._pyroTraceback = ["Traceback (most recent call last):\n", "ValueError: boom\n"]
    return error


def cases(api):
    """Give values by name; `api` has the names URI, Proxy, errors and wrapped of a package."""
    return {
        "none": None,
        "true": True,
        "int": -7,
        "bigint": 2**100,
        "float": 1.5,
        "inf": -math.inf,
        "nan": math.nan,
        "complex": 3 - 4j,
        "text": "né'\"\n漢💥",
        "bytes": b"\x00\xff",
        "list": [1, [2, "x"], []],
        "tuple": (1, (2,)),
        "set": {5},
        "empty set": set(),
        "frozenset": frozenset({2}),
        "dict": {"a": {"b": 1}},
        "int keys": {1: 2},
        "tuple keys": {(1, "a"): 2},
        "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
        "deque": collections.deque([1, 2]),
        "datetime": dt.datetime(2020, 1, 2, 12, 30, 15),
        "date": dt.date(2020, 1, 2),
        "time": dt.time(12, 30),
        "timedelta": dt.timedelta(minutes=1),
        "decimal": decimal.Decimal("1.50"),
        "uuid": uuid.UUID(int=5),
        "uri": api.URI("PYRO:thing@localhost:99"),
        "meta uri": api.URI("PYROMETA:tag"),
        "uris": [api.URI("PYRONAME:thing")],
        "proxy": api.Proxy("PYRO:thing@localhost:99"),
        "error": with_traceback(ValueError("boom", 7)),
        "os error": FileNotFoundError(2, "gone"),
        "naming error": api.errors.NamingError("no such name"),
        "batch": [3, api.wrapped(ValueError("boom"))],
        "object": Away(),
        "foreign error": with_traceback(AwayError("lost", 3)),
    }


CALLS = {
    "call": ("thing", "echo", [1, "x", [2.5]], {"more": None}),
    "batch call": ("thing", "<batch>", [("add", (1, 2), {})], None),
}


def record(api, serializers):
    """Give what these serializers write: by serializer and case; None for what they refuse."""
    found = {}
    for name, serializer in serializers.items():
        written = found[name] = {}
        writes = {case: partial(serializer.dumps, value) for case, value in cases(api).items()}
        writes |= {case: partial(serializer.dumpsCall, *call) for case, call in CALLS.items()}
        for case, write in writes.items():
            try:
                written[case] = write().hex()
            except Exception:
                written[case] = None
    return found


def real(family):
    """Give what `record` needs of a real package."""
    warnings.simplefilter("ignore")
    if family == "Pyro5":
        from Pyro5 import client, core, errors, serializers

        api = SimpleNamespace(URI=core.URI, Proxy=client.Proxy, errors=errors, wrapped=core._ExceptionWrapper)
        return api, {name: serializers.serializers[name] for name in ("serpent", "json", "marshal", "msgpack")}
    import Pyro4
    import Pyro4.futures
    import Pyro4.util

    api = SimpleNamespace(
        URI=Pyro4.URI, Proxy=Pyro4.Proxy, errors=Pyro4.errors, wrapped=Pyro4.futures._ExceptionWrapper
    )
    return api, {name: Pyro4.util.get_serializer(name) for name in ("serpent", "json", "marshal", "msgpack")}


if __name__ == "__main__":
    print(json.dumps(record(*real(sys.argv[1])), indent=1))
