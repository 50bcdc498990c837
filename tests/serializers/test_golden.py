"""Bytes recorded from real Pyro5 and Pyro4: read here, and written here just so. (`tests/interop/peers/golden.py`.)

The recordings hold without the real packages; where those are installed, it is looked that they are true.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import marshal
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import pyronb
from pyronb.dialects import DIALECTS, Dialect
from pyronb.errors import RemoteError, SerializeError
from pyronb.options import WireOptions
from pyronb.serializers.base import CallParts, Serializer
from pyronb.serializers.catalog import Catalog
from pyronb.serializers.hooks import HOOKS, BatchError
from tests.interop.peers import golden
from tests.support.paths import ROOT
from tests.support.waiting import scaled

API = SimpleNamespace(URI=pyronb.URI, Proxy=pyronb.Proxy, errors=pyronb.errors, wrapped=BatchError)
RECORDED = {
    dialect: json.loads((ROOT / "tests" / "golden" / f"{dialect.family.lower()}.json").read_text())
    for dialect in DIALECTS.values()
}
# Real serpent writes white space otherwise, marshal's flags depend on who else holds an object: the meaning counts.
MEANING: dict[str, Callable[[bytes], Any]] = {
    "serpent": lambda data: ast.literal_eval(data.decode()),
    "marshal": marshal.loads,
    "json": bytes,
    "msgpack": bytes,
}

# What goes otherwise on purpose.
LOST_TAGS = {("Pyro4", name, "object") for name in ("json", "marshal", "msgpack")}
"""Where Pyro4 forgets the class: from Python 3.11 on, whose objects all have a state."""
UNREADABLE = {("Pyro5", "serpent", "ordered"), ("Pyro4", "serpent", "ordered")}  # no real Pyro reads what it wrote
WRAPPED = "foreign error"  # a real Pyro would hang up over the class


# What a real peer refuses to write, we may write.
CASES = [
    (dialect, name, case)
    for dialect, serializers in RECORDED.items()
    for name, cases in serializers.items()
    for case in cases
    if cases[case] is not None
]
ALIKE = [
    (dialect, name, case)
    for dialect, name, case in CASES
    if case != WRAPPED and (dialect.family, name, case) not in LOST_TAGS | UNREADABLE
]


def label(value: Any) -> str:
    """Give the name of a part of a case, for the names of tests."""
    return value.family if isinstance(value, Dialect) else value


@pytest.fixture(autouse=True)
def _proxies(_clean_hooks: None, all_hooks: dict[str, Any]) -> None:
    """Have proxies travel, which belong to a higher floor."""
    HOOKS._library.update(all_hooks["_library"])


def serializer_for(dialect: Dialect, name: str) -> Serializer:
    """Give the serializer as it talks to a real peer."""
    return Catalog(dialect, WireOptions(), pyronb_peer=False).by_name(name)


def written(dialect: Dialect, name: str, case: str) -> bytes:
    """Give what is written here for a case."""
    serializer = serializer_for(dialect, name)
    if case in golden.CALLS:
        return serializer.dumps_call(CallParts(*golden.CALLS[case]))
    return serializer.dumps(golden.cases(API)[case])


def shown(value: Any) -> Any:
    """Give a form of a value in which all of it can be compared."""
    if isinstance(value, BatchError):
        return "batch", shown(value.exception)
    if isinstance(value, BaseException):
        name = value.class_name if isinstance(value, RemoteError) else ""
        return type(value), name, repr(value.args), sorted(vars(value).items(), key=str)
    if isinstance(value, pyronb.Proxy):
        return repr(value.__reduce__())
    if type(value) is list:
        return [shown(item) for item in value]
    return f"{type(value).__name__} {value!r}"


def read(serializer: Serializer, case: str, data: bytes) -> Any:
    """Read a case and give what can be compared."""
    try:
        return shown(serializer.loads_call(data) if case in golden.CALLS else serializer.loads(data))
    except SerializeError as error:
        return str(error)


@pytest.mark.parametrize(("dialect", "name", "case"), CASES, ids=label)
def test_what_a_real_peer_wrote(dialect: Dialect, name: str, case: str) -> None:
    """It is read as what we would have written for the same value."""
    recorded = RECORDED[dialect][name][case]
    serializer = serializer_for(dialect, name)
    actual = read(serializer, case, bytes.fromhex(recorded))
    if (dialect.family, name, case) in LOST_TAGS:
        assert "dict {'a': 1, 'b': 'x'}" == actual
    elif (dialect.family, name, case) in UNREADABLE:
        assert actual.startswith("OrderedDict")
    else:
        assert read(serializer, case, written(dialect, name, case)) == actual


@pytest.mark.parametrize(("dialect", "name", "case"), ALIKE, ids=label)
def test_what_a_real_peer_would_write(dialect: Dialect, name: str, case: str) -> None:
    """We write just that."""
    recorded = RECORDED[dialect][name][case]
    meaning = MEANING[name]

    assert repr(meaning(bytes.fromhex(recorded))) == repr(meaning(written(dialect, name, case)))


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.family)
def test_the_recordings_are_true(dialect: Dialect) -> None:
    """What is installed writes them still."""
    if importlib.util.find_spec(dialect.family) is None:
        pytest.skip(f"the real {dialect.family} is not installed")
    script = ROOT / "tests" / "interop" / "peers" / "golden.py"
    done = subprocess.run(
        [sys.executable, script, dialect.family], capture_output=True, text=True, timeout=scaled(60), check=True
    )
    now = json.loads(done.stdout)

    assert RECORDED[dialect].keys() == now.keys()
    for name, meaning in MEANING.items():
        for case, recorded in RECORDED[dialect][name].items():
            if sys.version_info < (3, 11) and (dialect.family, name, case) in LOST_TAGS:
                continue
            both = [data and repr(meaning(bytes.fromhex(data))) for data in (recorded, now[name][case])]
            assert both[0] == both[1], f"{name} {case}"
